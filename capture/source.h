/* Where packets come from: capture files, compressed files, standard input, folders, interfaces.
 * A source gives packets in file order; a merger gives several sources in time order. */
#ifndef INVCAP_CAPTURE_SOURCE_H
#define INVCAP_CAPTURE_SOURCE_H

#include "core/error.h"
#include "core/intern.h"
#include "core/packet.h"
#include "core/record.h"

enum source_result {
    SOURCE_PACKET, /* *out is filled, borrowed until the next call */
    SOURCE_IDLE,   /* live or stdin: nothing within the poll time; call again */
    SOURCE_END,    /* the end, clean or cut: see source_describe and cut */
    SOURCE_FAILED  /* error filled */
};

struct source;

/* One file (pcap, pcapng; gz, zst through libarchive), or "-" for standard input. source_id stamps the
 * packets. NULL when it cannot be opened or is no capture: the error names file, position, remedy. */
struct source *source_open_file(const char *path, uint32_t source_id, struct error *error);
/* A network interface by libpcap; filter may be NULL; snaplen 0 = whole packets. */
struct source *source_open_live(const char *interface, const char *filter, uint32_t source_id,
                                struct error *error);
/* Display filter is not ours: a libpcap filter compiled for the source's link types (files too). */
bool source_set_filter(struct source *source, const char *filter, struct error *error);
enum source_result source_next(struct source *source, struct packet *out, struct error *error);
/* Fills *out with what is known so far (counts, formats, digests, cut); strings interned in strings. */
void source_describe(struct source *source, struct intern *strings, struct source_record *out);
/* NSS key log text of decryption secrets blocks seen so far; NULL when none. Borrowed. */
const char *source_secrets(const struct source *source, size_t *len);
void source_close(struct source *source);

/* Expands folders (not recursive into dot-folders) to the capture files inside, sorted by name.
 * The list is freed with source_paths_free. */
bool source_paths_expand(char *const *paths, size_t count, char ***out, size_t *out_count,
                         struct error *error);
void source_paths_free(char **paths, size_t count);

struct merger;

/* Takes over the sources (closed by merger_close). Ties go to the lower source id. Sources whose
 * packets run backwards are passed on as they are. */
struct merger *merger_new(struct source **sources, size_t count);
enum source_result merger_next(struct merger *merger, struct packet *out, struct error *error);
size_t merger_count(const struct merger *merger);
struct source *merger_source(struct merger *merger, size_t index);
void merger_close(struct merger *merger);

#endif
