/* Any bytes as the two directions of a connection for one dissector, in any segmentation, with gaps: the
 * records stay within their rules, and feeding the same bytes one by one gives the same records.
 *
 * The input is a list of segments: a control byte (bit 0 side, bit 1 gap, bits 2-7 length with the
 * next byte), a length byte, the bytes. */
#ifndef INVCAP_TESTS_FUZZ_STREAM_H
#define INVCAP_TESTS_FUZZ_STREAM_H

#include "dissectors/dissector.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
    const struct dissector *dissector;
    void *state;
    struct flow_record flow;
    struct tls_record tls;
    struct sink sink;
    struct dissect_context context;
    uint8_t *pending[2];
    size_t len[2];
    uint64_t skip[2];
    bool done[2];
    bool over; /* handed over or closed */
    uint64_t digest;
    uint64_t http, secrets;
};

static void check(int is_true)
{
    if (!is_true)
        abort();
}

static void mix(struct run *r, const void *bytes, size_t len)
{
    const uint8_t *b = bytes;
    for (size_t i = 0; i < len; i++)
        r->digest = (r->digest ^ b[i]) * 1099511628211ull;
}

/* Times and frames follow the segmentation; all else may not. */
static void mix_http(struct run *r, const struct http_record *h)
{
    mix(r, &h->number, sizeof h->number);
    mix(r, &h->method, sizeof h->method); /* interned: equal text, one address */
    mix(r, &h->host, sizeof h->host);
    mix(r, &h->path, sizeof h->path);
    mix(r, &h->status, sizeof h->status);
    mix(r, &h->request_bytes, sizeof h->request_bytes);
    mix(r, &h->response_bytes, sizeof h->response_bytes);
    mix(r, &h->stream, sizeof h->stream);
    mix(r, &h->grpc_status, sizeof h->grpc_status);
    mix(r, &h->complete, sizeof h->complete);
    mix(r, &h->truncated, sizeof h->truncated);
    mix(r, h->credentials_hash, sizeof h->credentials_hash);
}

static void on_record(void *self, enum record_kind kind, const void *record)
{
    struct run *r = self;
    if (kind == RECORD_HTTP) {
        const struct http_record *h = record;
        check(h->status >= 0 && h->status <= 999 && h->number > 0);
        check(h->wait_ns >= -1 && h->kind <= HTTP_TUNNEL && h->version <= HTTP_VERSION_2);
        check(!h->complete || (h->request_end_ns >= 0 && h->response_end_ns >= 0));
        mix_http(r, h);
        r->http++;
    }
    if (kind == RECORD_COMMAND) {
        const struct command_record *c = record;
        check(c->number > 0 && c->command != NULL && c->result <= COMMAND_REFUSED);
        check(c->wait_ns >= -1 && (c->reply == NULL || strlen(c->reply) <= 24));
        mix(r, c->command, strlen(c->command));
        mix(r, &c->reply, sizeof c->reply); /* interned */
        mix(r, &c->result, sizeof c->result);
        mix(r, &c->data_port, sizeof c->data_port);
    }
    if (kind == RECORD_SECRET) {
        const struct secret_record *s = record;
        check(s->kind > SECRET_NONE && s->kind <= SECRET_TOKEN && s->place <= SECRET_IN_COMMAND);
        check(memchr(s->hash, '\0', sizeof s->hash) != NULL);
        mix(r, s->hash, sizeof s->hash);
        r->secrets++;
    }
}

static void open_run(struct run *r, const struct dissector *dissector, struct intern *strings)
{
    memset(r, 0, sizeof *r);
    r->dissector = dissector;
    r->state = calloc(1, dissector->state_size);
    check(r->state != NULL);
    r->sink = (struct sink){r, on_record};
    r->context.flow = &r->flow;
    r->context.tls = &r->tls;
    r->context.strings = strings;
    r->context.salt = "00ff";
    r->context.sink = &r->sink;
    r->context.rtt_server_ns = -1;
    dissector->open(r->state, &r->context);
}

static void close_run(struct run *r)
{
    if (!r->over) {
        for (int s = 0; s < 2; s++)
            r->context.skip_left[s] = r->skip[s];
        r->dissector->end(r->state, SIDE_NONE, DISSECTOR_END_CAPTURE, &r->context);
        r->dissector->close(r->state, &r->context);
    }
    r->over = true;
}

/* Shows what is left and what is new in memory of exactly that length. */
static void give(struct run *r, enum side side, const uint8_t *bytes, size_t len)
{
    r->context.frame++;
    r->context.time_ns += 1000;
    r->context.first_time_ns = r->context.time_ns;
    r->context.first_frame = r->context.frame;
    size_t all = r->len[side] + len;
    if (r->done[side] || r->over || all == 0)
        return;
    uint8_t *shown = malloc(all);
    check(shown != NULL);
    if (r->len[side] > 0)
        memcpy(shown, r->pending[side], r->len[side]);
    if (len > 0)
        memcpy(shown + r->len[side], bytes, len);
    struct cursor c = cur_of(shown, all);
    for (size_t left = all + 1; !r->done[side] && !r->over;) {
        size_t passed = cur_left(&c) < r->skip[side] ? cur_left(&c) : (size_t)r->skip[side];
        cur_skip(&c, passed);
        r->skip[side] -= passed;
        if (cur_left(&c) == 0 || cur_left(&c) == left)
            break;
        left = cur_left(&c);
        r->context.skip = r->context.need = 0;
        enum feed_result result = r->dissector->feed(r->state, side, &c, &r->context);
        check(cur_ok(&c) && c.at >= shown && c.at <= shown + all);
        r->skip[side] = r->context.skip;
        r->done[side] = result == FEED_FINISHED || result == FEED_GIVE_UP;
        if (result == FEED_HAND_OVER)
            close_run(r);
    }
    free(r->pending[side]);
    r->len[side] = cur_left(&c);
    r->pending[side] = malloc(r->len[side] + 1);
    check(r->pending[side] != NULL);
    if (r->len[side] > 0)
        memcpy(r->pending[side], c.at, r->len[side]);
    free(shown);
}

static void lose(struct run *r, enum side side, uint64_t len)
{
    uint64_t harmless = len < r->skip[side] ? len : r->skip[side];
    r->skip[side] -= harmless;
    if (harmless == len || r->done[side] || r->over)
        return;
    r->len[side] = 0;
    r->context.skip = 0;
    r->done[side] = !r->dissector->gap(r->state, side, len - harmless, &r->context);
    r->skip[side] = r->context.skip;
}

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

static void free_run(struct run *r)
{
    close_run(r);
    free(r->state);
    free(r->pending[0]);
    free(r->pending[1]);
}

static int fuzz_stream(const struct dissector *dissector, const uint8_t *data, size_t size)
{
    struct run whole, cut;
    struct intern *strings = intern_new();
    (void)dissector->looks_like(data, size, SIDE_CLIENT);
    (void)dissector->looks_like(data, size, SIDE_SERVER);
    open_run(&whole, dissector, strings);
    bool gaps = play(&whole, data, size, false);
    free_run(&whole);
    if (!gaps && size <= 4096) {
        open_run(&cut, dissector, strings);
        (void)play(&cut, data, size, true);
        free_run(&cut);
        /* Bytes that are no message are searched by segments: only what begins well can be equal. */
        if (!whole.done[0] && !whole.done[1] && getenv("INVCAP_FUZZ_EQUAL") != NULL)
            check(whole.digest == cut.digest && whole.http == cut.http);
    }
    intern_free(strings);
    return 0;
}

#endif
