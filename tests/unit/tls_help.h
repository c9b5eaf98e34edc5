/* Feeds the TLS dissector as the stream does: what is left uneaten is shown again, longer, and what
 * is to be skipped is not shown. The bytes end at a page that cannot be read. */
#ifndef INVCAP_TESTS_TLS_HELP_H
#define INVCAP_TESTS_TLS_HELP_H

#include "dissectors/tls.h"
#include "dissectors/x509.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/handshakes.h"

#define ROOM (256u * 1024u)

struct feeder {
    void *state;
    struct flow_record flow;
    struct tls_record tls;
    struct dissect_context context;
    uint8_t *pending[2];
    size_t len[2];
    uint64_t skip[2];
    bool done[2];
    unsigned events[EVENT_KIND_COUNT];
    struct tls_certificate_record certificates[16];
    size_t certificate_count;
};

/* Shared by all feeders of a test program. */
struct shared {
    struct intern *strings;
    struct certificate_cache *certificates;
    uint8_t *guarded; /* ROOM bytes that end at the guard page */
    uint8_t *map;
};

static struct shared shared;

static inline int shared_setup(void **state)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    (void)state;
    shared.map =
        mmap(NULL, ROOM + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(shared.map, MAP_FAILED);
    assert_int_equal(mprotect(shared.map + ROOM, page, PROT_NONE), 0);
    shared.guarded = shared.map;
    shared.strings = intern_new();
    shared.certificates = certificate_cache_new(shared.strings, 1);
    return 0;
}

static inline int shared_teardown(void **state)
{
    (void)state;
    munmap(shared.map, ROOM + (size_t)sysconf(_SC_PAGESIZE));
    certificate_cache_free(shared.certificates);
    intern_free(shared.strings);
    return 0;
}

static inline void count_event(void *self, enum event_kind kind, enum side side, int64_t time_ns,
                               int64_t frame)
{
    struct feeder *f = self;
    (void)time_ns;
    (void)frame;
    assert_in_range(side, SIDE_CLIENT, SIDE_SERVER);
    f->events[kind]++;
}

static inline struct feeder *feeder_new(void)
{
    struct feeder *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->state = calloc(1, dissector_tls.state_size);
    f->context.flow = &f->flow;
    f->context.tls = &f->tls;
    f->context.strings = shared.strings;
    f->context.certificates = shared.certificates;
    f->context.event = count_event;
    f->context.event_self = f;
    dissector_tls.open(f->state, &f->context);
    return f;
}

/* One segment. */
static inline void feeder_give(struct feeder *f, enum side side, const uint8_t *bytes, size_t len)
{
    size_t skipped = len < f->skip[side] ? len : (size_t)f->skip[side];
    f->context.frame++;
    f->context.first_frame = f->context.frame;
    f->context.time_ns += 1000000;
    f->context.first_time_ns = f->context.time_ns;
    f->skip[side] -= skipped;
    bytes += skipped;
    len -= skipped;
    if (f->done[side] || len == 0)
        return;
    size_t all = f->len[side] + len;
    assert_true(all <= ROOM);
    f->pending[side] = realloc(f->pending[side], all);
    memcpy(f->pending[side] + f->len[side], bytes, len);
    uint8_t *shown = shared.guarded + ROOM - all;
    memcpy(shown, f->pending[side], all);
    struct cursor c = cur_of(shown, all);
    enum feed_result result = dissector_tls.feed(f->state, side, &c, &f->context);
    f->done[side] = result != FEED_MORE;
    f->skip[side] = f->context.skip;
    assert_true(f->skip[side] == 0 || cur_left(&c) == 0);
    f->len[side] = cur_left(&c);
    memmove(f->pending[side], f->pending[side] + all - f->len[side], f->len[side]);
}

static inline void feeder_lose(struct feeder *f, enum side side, uint64_t len)
{
    uint64_t harmless = len < f->skip[side] ? len : f->skip[side];
    f->skip[side] -= harmless;
    if (harmless == len || f->done[side])
        return;
    f->len[side] = 0;
    f->context.skip = 0;
    f->done[side] = !dissector_tls.gap(f->state, side, len - harmless, &f->context);
    f->skip[side] = f->context.skip;
}

/* Ends the flow; the facts stay readable. */
static inline void feeder_end(struct feeder *f)
{
    dissector_tls.end(f->state, SIDE_NONE, DISSECTOR_END_CAPTURE, &f->context);
    dissector_tls.close(f->state, &f->context);
    const struct tls_certificate_record *rows =
        tls_state_certificates(f->state, &f->certificate_count);
    assert_true(f->certificate_count <= 16);
    memcpy(f->certificates, rows, f->certificate_count * sizeof *rows);
    free(f->state);
    free(f->pending[0]);
    free(f->pending[1]);
}

/* Runs a recorded connection in its own segments, one side only when side is not SIDE_NONE. */
static inline struct feeder *feeder_run(const char *name, enum side only)
{
    const struct handshake *h = handshake_named(name);
    struct feeder *f = feeder_new();
    for (size_t i = 0; i < h->count; i++) {
        if (only == SIDE_NONE || only == h->chunks[i].side)
            feeder_give(f, h->chunks[i].side, h->chunks[i].bytes, h->chunks[i].len);
    }
    feeder_end(f);
    return f;
}

#endif
