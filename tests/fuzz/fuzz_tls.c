/* Any bytes as the two directions of a TLS connection, in any segmentation, with gaps: the record
 * stays within its rules, and feeding the same bytes in one piece says the same.
 *
 * The input is a list of segments: a control byte (bit 0 side, bit 1 gap, bits 2-7 length with the
 * next byte), a length byte, the bytes. */
#include "dissectors/names.h"
#include "dissectors/tls.h"
#include "tests/fuzz/lasting.h"

#include <sanitizer/asan_interface.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A direction's bytes in pieces of the fewest, so that all of an input are some hundred. */
enum { WHOLE_MAX = 8192, PIECES = 512 };

struct run {
    void *state;
    struct flow_record flow;
    struct tls_record tls;
    struct dissect_context context;
    uint8_t *pending[2];
    size_t len[2];
    size_t from[2]; /* of the window: what stands before is eaten */
    uint64_t skip[2];
    bool done[2];
};

/* What came in pieces, one behind the other; what is eaten or has not come is poisoned. */
static _Alignas(8) uint8_t windows[2][WHOLE_MAX];

static void check(int is_true)
{
    if (!is_true)
        abort();
}

static void open_run(struct run *r, const struct lasting *kept)
{
    memset(r, 0, sizeof *r);
    ASAN_POISON_MEMORY_REGION(windows, sizeof windows);
    r->state = calloc(1, dissector_tls.state_size);
    check(r->state != NULL);
    r->context.flow = &r->flow;
    r->context.tls = &r->tls;
    r->context.strings = kept->strings;
    r->context.certificates = kept->certificates;
    dissector_tls.open(r->state, &r->context);
}

/* Feeds what is shown; what is left of it. */
static size_t feed(struct run *r, enum side side, const uint8_t *shown, size_t len)
{
    struct cursor c = cur_of(shown, len);
    enum feed_result result = dissector_tls.feed(r->state, side, &c, &r->context);
    check(cur_ok(&c) && c.at >= shown && c.at <= shown + len);
    r->done[side] = result != FEED_MORE;
    r->skip[side] = r->context.skip;
    return cur_left(&c);
}

/* How many of these bytes are skipped; what comes is a new frame. */
static size_t pass_skipped(struct run *r, enum side side, size_t len)
{
    size_t skipped = len < r->skip[side] ? len : (size_t)r->skip[side];
    r->skip[side] -= skipped;
    r->context.frame++;
    r->context.time_ns += 1000;
    return skipped;
}

/* Shows what is left and what is new in memory of exactly that length. */
static void give(struct run *r, enum side side, const uint8_t *bytes, size_t len)
{
    size_t skipped = pass_skipped(r, side, len);
    bytes += skipped;
    len -= skipped;
    if (r->done[side] || len == 0)
        return;
    size_t all = r->len[side] + len;
    uint8_t *shown = malloc(all);
    check(shown != NULL);
    if (r->len[side] > 0)
        memcpy(shown, r->pending[side], r->len[side]);
    memcpy(shown + r->len[side], bytes, len);
    size_t left = feed(r, side, shown, all);
    free(r->pending[side]);
    r->len[side] = left;
    r->pending[side] = NULL;
    if (left > 0) {
        r->pending[side] = malloc(left);
        check(r->pending[side] != NULL);
        memcpy(r->pending[side], shown + all - left, left);
    }
    free(shown);
}

/* The same in the window: nothing is copied but the piece. */
static void give_piece(struct run *r, enum side side, const uint8_t *bytes, size_t len)
{
    size_t skipped = pass_skipped(r, side, len);
    len -= skipped;
    if (r->done[side] || len == 0)
        return;
    uint8_t *shown = windows[side] + r->from[side];
    size_t all = r->len[side] + len;
    check(r->from[side] + all <= WHOLE_MAX);
    ASAN_UNPOISON_MEMORY_REGION(shown, all);
    memcpy(shown + r->len[side], bytes + skipped, len);
    r->len[side] = feed(r, side, shown, all);
    r->from[side] += all - r->len[side];
    ASAN_POISON_MEMORY_REGION(windows[side], r->from[side] / 8 * 8);
}

static void lose(struct run *r, enum side side, uint64_t len)
{
    uint64_t harmless = len < r->skip[side] ? len : r->skip[side];
    r->skip[side] -= harmless;
    if (harmless == len || r->done[side])
        return;
    r->len[side] = 0;
    r->context.skip = 0;
    r->done[side] = !dissector_tls.gap(r->state, side, len - harmless, &r->context);
    r->skip[side] = r->context.skip;
}

static void close_run(struct run *r)
{
    size_t count;
    dissector_tls.end(r->state, SIDE_NONE, DISSECTOR_END_CAPTURE, &r->context);
    dissector_tls.close(r->state, &r->context);
    const struct tls_record *tls = &r->tls;
    (void)tls_state_certificates(r->state, &count);
    check(count <= 16);
    check(memchr(tls->history, '\0', sizeof tls->history) != NULL);
    check(memchr(tls->ja3, '\0', sizeof tls->ja3) != NULL);
    check(memchr(tls->ja4, '\0', sizeof tls->ja4) != NULL);
    check(tls->step <= TLS_STEP_FINISHED);
    check(tls->alert >= -1 && tls->alert <= 255);
    check((tls->alert >= 0) == (tls->alert_by != SIDE_NONE));
    check(!tls->alert_inferred || !tls->established);
    check(tls->established == ((r->flow.facts & FLOW_FACT_TLS_FINISHED) != 0));
    free(r->state);
    free(r->pending[0]);
    free(r->pending[1]);
}

/* Runs the segments, as they are or in pieces. */
static bool play(struct run *r, const uint8_t *data, size_t size, size_t piece)
{
    bool gaps = false;
    for (size_t at = 0; at + 2 <= size;) {
        enum side side = data[at] & 1 ? SIDE_SERVER : SIDE_CLIENT;
        bool gap = (data[at] & 2) != 0;
        size_t len = (size_t)(data[at] >> 2) << 8 | data[at + 1];
        at += 2;
        if (gap) {
            gaps = true;
            lose(r, side, len + 1);
            continue;
        }
        len = len < size - at ? len : size - at;
        for (size_t i = 0; piece > 0 && i < len; i += piece)
            give_piece(r, side, data + at + i, piece < len - i ? piece : len - i);
        if (piece == 0)
            give(r, side, data + at, len);
        at += len;
    }
    return gaps;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct run whole;
    struct run cut;
    const struct lasting *kept = lasting_begin();
    (void)dissector_tls.looks_like(data, size, SIDE_CLIENT);
    (void)tls_is_client_hello(data, size);
    open_run(&whole, kept);
    bool gaps = play(&whole, data, size, 0);
    close_run(&whole);
    if (!gaps && size <= WHOLE_MAX) { /* a gap is searched for by segments */
        open_run(&cut, kept);
        play(&cut, data, size, 1 + size / PIECES);
        close_run(&cut);
        check(strcmp(whole.tls.history, cut.tls.history) == 0);
        check(whole.tls.step == cut.tls.step && whole.tls.alert == cut.tls.alert);
        check(whole.tls.established == cut.tls.established);
        check(strcmp(whole.tls.ja3, cut.tls.ja3) == 0);
        check(whole.tls.sni == cut.tls.sni && whole.flow.facts == cut.flow.facts);
    }
    return 0;
}
