/* Joins the stages: sources -> decode -> sessions -> flow diagnosis -> store -> site diagnosis. */
#ifndef INVCAP_CLI_PIPELINE_H
#define INVCAP_CLI_PIPELINE_H

#include "core/error.h"
#include "core/profile.h"
#include "core/texts.h"
#include "store/store.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_keys;

enum pipeline_ndpi { PIPELINE_NDPI_OFF, PIPELINE_NDPI_UNKNOWN, PIPELINE_NDPI_ALL };

struct pipeline_options {
    char *const *paths;            /* files, folders, "-"; empty when interface is set */
    size_t path_count;
    const char *interface;         /* live; NULL = read paths */
    enum language language;        /* of complaints while it runs */
    const char *filter;            /* libpcap filter or NULL */
    const char *db;                /* path or ":memory:" */
    bool append;
    const struct profile *profile; /* NULL = built-in */
    enum pipeline_ndpi ndpi;
    uint64_t memory_bytes;         /* ceiling; 0 = 1 GiB */
    int64_t duration_ns;           /* live: stop after; 0 = until a signal */
    uint64_t packet_limit;         /* stop after so many packets; 0 = all */
    struct tls_keys *keys;         /* secrets to decrypt with, borrowed; NULL none */
    bool progress;                 /* one line on stderr, rewritten */
    const volatile sig_atomic_t *stop; /* set to non-zero to finish early; may be NULL */
};

struct pipeline_result {
    int64_t capture_id;
    bool cut;                      /* a source ended inside a packet or block: exit status 3 */
    bool interrupted;
    uint64_t packets;
    int worst_severity;            /* enum severity of the worst finding, -1 none */
    struct error input_error;      /* set when some of several sources could not be read */
};

/* Analyses, diagnoses and stores; returns the open store, finished, for the reports. NULL on failure. */
struct store *pipeline_read(const struct pipeline_options *options, struct pipeline_result *out,
                            struct error *error);
/* Diagnoses a capture again from the store alone and replaces its findings; memory_bytes is the ceiling, 0 = 1 GiB. What
 * does not fit is left out and told as read does. */
bool pipeline_judge(struct store *store, const struct profile *profile, int64_t capture_id,
                    uint64_t memory_bytes, struct pipeline_result *out, struct error *error);

struct site;

/* Of a ceiling (0 = 1 GiB), what is left for open flows, certificates, texts and judging; a small ceiling is shared. */
uint64_t pipeline_memory(uint64_t memory_bytes);
/* How much of it the heap may hold on to to be quick (core/heap.h). */
uint64_t pipeline_heap_room(uint64_t memory_bytes);
/* Gives the site what servers showed in earlier captures of the store, as read and judge both do, as far as the ceiling
 * has room. */
bool pipeline_load_earlier(struct store *store, int64_t capture_id, uint64_t memory_bytes,
                           struct site *site, struct error *error);

#endif
