/* Any bytes as the two directions of a TLS connection, in any segmentation, with gaps: the record
 * stays within its rules, and feeding the same bytes in one piece says the same.
 *
 * The input is a list of segments: a control byte (bit 0 side, bit 1 gap, bits 2-7 length with the
 * next byte), a length byte, the bytes. */
#include "dissectors/names.h"
#include "dissectors/tls.h"
#include "dissectors/x509.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
    void *state;
    struct flow_record flow;
    struct tls_record tls;
    struct dissect_context context;
    uint8_t *pending[2];
    size_t len[2];
    uint64_t skip[2];
    bool done[2];
};

static void check(int is_true)
{
    if (!is_true)
        abort();
}

static void open_run(struct run *r, struct intern *strings, struct certificate_cache *certificates)
{
    memset(r, 0, sizeof *r);
    r->state = calloc(1, dissector_tls.state_size);
    check(r->state != NULL);
    r->context.flow = &r->flow;
    r->context.tls = &r->tls;
    r->context.strings = strings;
    r->context.certificates = certificates;
    dissector_tls.open(r->state, &r->context);
}

/* Shows what is left and what is new in memory of exactly that length. */
static void give(struct run *r, enum side side, const uint8_t *bytes, size_t len)
{
    size_t skipped = len < r->skip[side] ? len : (size_t)r->skip[side];
    r->skip[side] -= skipped;
    bytes += skipped;
    len -= skipped;
    r->context.frame++;
    r->context.time_ns += 1000;
    if (r->done[side] || len == 0)
        return;
    size_t all = r->len[side] + len;
    uint8_t *shown = malloc(all);
    check(shown != NULL);
    if (r->len[side] > 0)
        memcpy(shown, r->pending[side], r->len[side]);
    memcpy(shown + r->len[side], bytes, len);
    struct cursor c = cur_of(shown, all);
    enum feed_result result = dissector_tls.feed(r->state, side, &c, &r->context);
    check(cur_ok(&c) && c.at >= shown && c.at <= shown + all);
    r->done[side] = result != FEED_MORE;
    r->skip[side] = r->context.skip;
    r->len[side] = cur_left(&c);
    free(r->pending[side]);
    r->pending[side] = NULL;
    if (r->len[side] > 0) {
        r->pending[side] = malloc(r->len[side]);
        check(r->pending[side] != NULL);
        memcpy(r->pending[side], c.at, r->len[side]);
    }
    free(shown);
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

/* Runs the segments; in pieces of one byte when so asked. */
static bool play(struct run *r, const uint8_t *data, size_t size, bool bytewise)
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
        for (size_t i = 0; bytewise && i < len; i++)
            give(r, side, data + at + i, 1);
        if (!bytewise)
            give(r, side, data + at, len);
        at += len;
    }
    return gaps;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct run whole;
    struct run cut;
    struct intern *strings = intern_new();
    struct certificate_cache *certificates = certificate_cache_new(strings, 1);
    (void)dissector_tls.looks_like(data, size, SIDE_CLIENT);
    (void)tls_is_client_hello(data, size);
    open_run(&whole, strings, certificates);
    bool gaps = play(&whole, data, size, false);
    close_run(&whole);
    if (!gaps && size <= 4096) { /* one by one is slow; a gap is searched for by segments */
        open_run(&cut, strings, certificates);
        play(&cut, data, size, true);
        close_run(&cut);
        check(strcmp(whole.tls.history, cut.tls.history) == 0);
        check(whole.tls.step == cut.tls.step && whole.tls.alert == cut.tls.alert);
        check(whole.tls.established == cut.tls.established);
        check(strcmp(whole.tls.ja3, cut.tls.ja3) == 0);
        check(whole.tls.sni == cut.tls.sni && whole.flow.facts == cut.flow.facts);
    }
    certificate_cache_free(certificates);
    intern_free(strings);
    return 0;
}
