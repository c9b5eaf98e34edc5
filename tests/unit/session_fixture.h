/* The engine with a sink that keeps what it gets, for tests of whole conversations. */
#ifndef INVCAP_TESTS_SESSION_FIXTURE_H
#define INVCAP_TESTS_SESSION_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/tcp_builder.h"

#include "core/catalogue.h"
#include "dissectors/x509.h"

#include <stdlib.h>

struct seen {
    struct flow_record flows[8];
    struct flow_tcp_record tcp[8];
    struct flow_event events[8][FLOW_EVENTS_MAX];
    size_t event_count[8];
    bool has_tcp[8];
    struct tls_record tls[8];
    bool has_tls[8];
    size_t count;
    struct http_record http[96];
    size_t http_count;
    struct command_record commands[64];
    size_t command_count;
    struct reset_record resets[RESETS_MAX]; /* of all flows */
    size_t reset_count;
};

struct fixture {
    struct seen seen;
    struct intern *strings;
    struct conversation c;
};

static inline void keep(void *self, enum record_kind kind, const void *record)
{
    struct seen *seen = self;
    if (kind == RECORD_HTTP && seen->http_count < 96)
        seen->http[seen->http_count++] = *(const struct http_record *)record;
    if (kind == RECORD_COMMAND && seen->command_count < 64)
        seen->commands[seen->command_count++] = *(const struct command_record *)record;
    if (kind != RECORD_FLOW || seen->count == 8)
        return;
    const struct flow_bundle *bundle = record;
    size_t at = seen->count++;
    seen->flows[at] = *bundle->flow;
    seen->has_tcp[at] = bundle->tcp != NULL;
    if (bundle->tcp != NULL)
        seen->tcp[at] = *bundle->tcp;
    seen->has_tls[at] = bundle->tls != NULL;
    if (bundle->tls != NULL)
        seen->tls[at] = *bundle->tls;
    memcpy(seen->events[at], bundle->events, bundle->event_count * sizeof *bundle->events);
    seen->event_count[at] = bundle->event_count;
    for (size_t i = 0; i < bundle->reset_count && seen->reset_count < RESETS_MAX; i++)
        seen->resets[seen->reset_count++] = bundle->resets[i];
}

static inline int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->strings = intern_new();
    struct engine_options options = {.profile = profile_builtin(),
                                     .sink = {&f->seen, keep},
                                     .strings = f->strings,
                                     .capture_id = 1,
                                     .first_flow_id = 1,
                                     .memory_bytes = 64u << 20,
                                     .ndpi = ENGINE_NDPI_OFF,
                                     .verify_checksums = true};
    struct error error;
    f->c = (struct conversation){.engine = engine_new(&options, &error),
                                 .now_ns = 1700000000LL * 1000000000LL,
                                 .isn = {1000, 0xfffffff0u}, /* the server's wraps at once */
                                 .ports = {50000, 8100},
                                 .ttl = {64, 57},
                                 .ip_id = {100, 7000},
                                 .window = {64240, 65160}};
    *state = f;
    return f->c.engine == NULL;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;
    engine_finish(f->c.engine); /* gives up what open connections hold */
    engine_free(f->c.engine);
    intern_free(f->strings);
    free(f);
    return 0;
}

static const char payload[32768];

#define DATA(side, seq, ack, n)                                                                    \
    ((struct segment){side, TCP_ACK | TCP_PSH, seq, ack, payload, n, 0, 0})
#define ACK(side, seq, ack) ((struct segment){side, TCP_ACK, seq, ack, NULL, 0, 0, 0})
#define FIN(side, seq, ack) ((struct segment){side, TCP_ACK | TCP_FIN, seq, ack, NULL, 0, 0, 0})
#define RST(side, seq) ((struct segment){side, TCP_RST, seq, -1, NULL, 0, 0, 0})

static inline void send_text(struct conversation *c, int64_t ms, int side, int64_t seq, int64_t ack,
                             const char *text)
{
    send_at(c, ms, (struct segment){side, TCP_ACK | TCP_PSH, seq, ack, text, strlen(text), 0, 0});
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
