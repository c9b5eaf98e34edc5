/* `invcap profile init` and `learn`: profiles that invcap proposes. Private to cli/learn*.c and the
 * command. What is learnt comes from the tables of the store alone. */
#ifndef INVCAP_CLI_LEARN_H
#define INVCAP_CLI_LEARN_H

#include "core/error.h"
#include "core/profile.h"
#include "reports/view.h"
#include "store/store.h"

#define LEARN_LIST_MOST 32
#define LEARN_PINS_MOST 4
#define LEARN_HEARTBEATS_MOST 8
#define LEARN_TEXT_SIZE 256

/* Texts without repetition; what is beyond the limit is counted only. */
struct learn_list {
    char (*texts)[LEARN_TEXT_SIZE];
    size_t count, beyond;
};

struct learn_pin {
    char spki[65];
    int64_t connections;
    bool verified;
};

struct learn_heartbeat {
    char path[LEARN_TEXT_SIZE];
    int64_t period_s, calls;
};

/* Answer times of a service, ns. */
struct learn_times {
    int64_t count, p50_ns, p95_ns, p99_ns;
};

/* One port on one or more servers that share names. */
struct learn_service {
    char name[LEARN_TEXT_SIZE];
    const char *class_name;
    uint8_t protocol; /* IANA */
    uint16_t port;
    enum profile_protocol expected;
    uint8_t dependency; /* enum profile_dependency */
    struct learn_list servers, names;
    int64_t connections, worked, clients;
    int64_t handshakes, client_certificates; /* established; with a certificate of the client */
    struct learn_pin pins[LEARN_PINS_MOST];
    size_t pin_count;
    bool more_pins;
    struct learn_heartbeat heartbeats[LEARN_HEARTBEATS_MOST];
    size_t heartbeat_count;
    struct learn_times times;
};

struct learn_site {
    struct learn_service *services;
    size_t count;
    int64_t first_ns, last_ns, connections;
};

/* What the capture (0: all of the store) shows; to be freed with learn_free, also after a failure.
 */
bool learn_gather(struct store *store, int64_t capture_id, struct learn_site *out,
                  struct error *error);
void learn_free(struct learn_site *site);

/* YAML with comments in the language of the view, good for `profile check`. */
void learn_write(const struct view *view, const struct learn_site *site, const char *input);
void learn_write_starter(const struct view *view);

#endif
