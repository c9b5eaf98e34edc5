/* Any bytes as a key log, as protected records of every kind of suite, and as a session whose secrets are
 * known: nothing is ever read past its end, and no record opens under keys it was not made with.
 *
 * The input: a byte of how much is key log (bits 0 to 3, in 16ths) and whether the session's records are their
 * own text (bit 4), as those of an end that means ill are behind its keys; the key log; then the segments of a session:
 * two bytes each (bit 15 the side, bits 0 to 10 the length), and their bytes. */
#include "dissectors/tls.h"
#include "dissectors/tls_decrypt.h"
#include "dissectors/tls_keys.h"
#include "tests/fuzz/lasting.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
bool __real_tls_opener_open(struct tls_opener *opener, const uint8_t header[5], const uint8_t *fragment, size_t len,
                            uint8_t *out, size_t *out_len, uint8_t *type);
bool __wrap_tls_opener_open(struct tls_opener *opener, const uint8_t header[5], const uint8_t *fragment, size_t len,
                            uint8_t *out, size_t *out_len, uint8_t *type);

static bool is_plain; /* see above */

static void check(int is_true)
{
    if (!is_true)
        abort();
}

/* A text's last byte is its type, where it is one. */
bool __wrap_tls_opener_open(struct tls_opener *opener, const uint8_t header[5], const uint8_t *fragment, size_t len,
                            uint8_t *out, size_t *out_len, uint8_t *type)
{
    if (!is_plain)
        return __real_tls_opener_open(opener, header, fragment, len, out, out_len, type);
    if (len == 0 || len > TLS_KEYS_SCRATCH)
        return false;
    bool has_type = fragment[len - 1] >= 20 && fragment[len - 1] <= 24;
    *type = has_type ? fragment[len - 1] : header[0];
    *out_len = len - has_type;
    memcpy(out, fragment, *out_len);
    return true;
}

static void keep(void *self, enum plain_event event, enum side side, const uint8_t *bytes, size_t len)
{
    size_t *total = self;
    check(side == SIDE_CLIENT || side == SIDE_SERVER);
    check(event == PLAIN_TEXT ? bytes != NULL && len <= TLS_KEYS_SCRATCH : len == 0);
    *total += len;
}

/* A direction's bytes, what is uneaten shown again, in memory of exactly that length. */
struct direction {
    uint8_t bytes[4096];
    size_t len;
    uint64_t skip;
    bool done;
};

static void give(void *state, struct dissect_context *context, struct direction *d, enum side side,
                 const uint8_t *bytes, size_t len)
{
    size_t skipped = len < d->skip ? len : (size_t)d->skip;
    d->skip -= skipped;
    len -= skipped;
    if (d->done || len == 0 || d->len + len > sizeof d->bytes)
        return;
    memcpy(d->bytes + d->len, bytes + skipped, len);
    size_t all = d->len + len;
    uint8_t *shown = malloc(all);
    check(shown != NULL);
    memcpy(shown, d->bytes, all);
    struct cursor c = cur_of(shown, all);
    context->time_ns += 1000;
    context->frame++;
    d->done = dissector_tls.feed(state, side, &c, context) != FEED_MORE;
    check(cur_ok(&c));
    d->skip = context->skip;
    d->len = cur_left(&c);
    memcpy(d->bytes, c.at, d->len);
    free(shown);
}

static void play_session(struct tls_keys *keys, const uint8_t *data, size_t size)
{
    static const enum tls_decryption last = TLS_DECRYPTION_WHOLE;
    const struct lasting *kept = lasting_begin();
    struct flow_record flow = {0};
    struct tls_record tls = {0};
    struct direction directions[2] = {0};
    size_t total = 0;
    struct dissect_context context = {.flow = &flow, .tls = &tls, .strings = kept->strings,
                                      .certificates = kept->certificates, .keys = keys, .plain = keep,
                                      .event_self = &total};
    void *state = calloc(1, dissector_tls.state_size);
    check(state != NULL);
    dissector_tls.open(state, &context);
    for (size_t at = 0; at + 2 <= size;) {
        enum side side = data[at] & 0x80 ? SIDE_SERVER : SIDE_CLIENT;
        size_t len = (size_t)(data[at] & 7) << 8 | data[at + 1];
        at += 2;
        len = len < size - at ? len : size - at;
        give(state, &context, &directions[side], side, data + at, len);
        at += len;
    }
    dissector_tls.end(state, SIDE_NONE, DISSECTOR_END_CAPTURE, &context);
    dissector_tls.close(state, &context);
    check(tls.decryption <= last && (total == 0 || tls.decryption >= TLS_DECRYPTION_PARTLY));
    free(state);
}

/* The bytes as a record under fixed keys of a suite. */
static void open_records(const uint8_t *data, size_t size)
{
    static const uint16_t suites[] = {0x1301, 0x1303, 0x1305, 0xc02f, 0xc030, 0xcca8, 0xc09c,
                                      0xc0a0, 0xc013, 0x003c, 0x000a, 0x0041, 0x0002, 0xe013};
    static const uint8_t secret[48] = {1}, random[TLS_RANDOM] = {2};
    static uint8_t out[TLS_KEYS_SCRATCH];
    if (size < 7)
        return;
    uint16_t cipher = suites[data[0] % (sizeof suites / sizeof suites[0])];
    struct tls_session_12 session = {(uint16_t)(0x0301 + data[1] % 3), cipher, (data[1] & 64) != 0,
                                     secret, random, random};
    struct tls_opener *opener = cipher >> 8 == 0x13 ? tls_opener_new_13(cipher, secret, 32)
                                                    : tls_opener_new_12(&session, data[1] & 1);
    if (opener == NULL)
        return;
    size_t len = 0;
    uint8_t type = 0;
    check(!tls_opener_open(opener, data + 2, data + 7, size - 7, out, &len, &type) && len == 0);
    tls_opener_free(opener);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 65536)
        return 0;
    size_t log = (size - 1) * (data[0] & 15u) / 16;
    struct tls_keys *keys = tls_keys_new();
    check(keys != NULL);
    check(tls_keys_add(keys, (const char *)data + 1, log) >= 0);
    is_plain = (data[0] & 16) != 0;
    play_session(keys, data + 1 + log, size - 1 - log);
    is_plain = false;
    tls_keys_free(keys);
    open_records(data + 1, size - 1);
    return 0;
}
