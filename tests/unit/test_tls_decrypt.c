/* Key logs, and records opened with them: the published trace of RFC 8448 3. */
#include "tests/unit/tls_help.h"

#include "dissectors/names.h"
#include "dissectors/tls_decrypt.h"
#include "dissectors/tls_keys.h"
#include "tests/unit/data_rfc8448.h"

#include <stdio.h>

struct record {
    enum side side;
    const char *hex;
};

static const struct record trace[] = {
    {SIDE_CLIENT, RFC8448_CLIENT_HELLO},    {SIDE_SERVER, RFC8448_SERVER_HELLO},
    {SIDE_SERVER, RFC8448_SERVER_FLIGHT},   {SIDE_CLIENT, RFC8448_CLIENT_FINISHED},
    {SIDE_SERVER, RFC8448_TICKET},          {SIDE_CLIENT, RFC8448_CLIENT_DATA},
    {SIDE_SERVER, RFC8448_SERVER_DATA},     {SIDE_CLIENT, RFC8448_CLIENT_ALERT},
    {SIDE_SERVER, RFC8448_SERVER_ALERT},
};
#define TRACE_LEN (sizeof trace / sizeof trace[0])

/* What reads the trace. */
struct run {
    struct feeder *feeder;
    struct tls_keys *keys;
};

static struct {
    uint8_t text[2][256];
    size_t len[2];
    unsigned lost[2], ended[2];
} seen;

static void keep_plain(void *self, enum plain_event event, enum side side, const uint8_t *bytes,
                       size_t len)
{
    (void)self;
    seen.lost[side] += event == PLAIN_LOST;
    seen.ended[side] += event == PLAIN_END;
    assert_true(seen.len[side] + len <= sizeof seen.text[side]);
    if (len > 0)
        memcpy(seen.text[side] + seen.len[side], bytes, len);
    seen.len[side] += len;
}

static size_t unhex(const char *hex, uint8_t *out)
{
    size_t len = strlen(hex) / 2;
    for (size_t i = 0; i < len; i++) {
        const char two[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        out[i] = (uint8_t)strtoul(two, NULL, 16);
    }
    return len;
}

static struct run begin(const char *keylog)
{
    struct run r = {feeder_new(), keylog != NULL ? tls_keys_new() : NULL};
    memset(&seen, 0, sizeof seen);
    if (keylog != NULL)
        assert_true(tls_keys_add(r.keys, keylog, strlen(keylog)) >= 0);
    r.feeder->context.keys = r.keys;
    r.feeder->context.plain = keep_plain;
    return r;
}

static void give(struct run *r, const struct record *record, size_t step)
{
    uint8_t bytes[1024];
    size_t len = unhex(record->hex, bytes);
    for (size_t at = 0; at < len; at += step)
        feeder_give(r->feeder, record->side, bytes + at, len - at < step ? len - at : step);
}

static struct run play(const char *keylog, size_t step)
{
    struct run r = begin(keylog);
    for (size_t i = 0; i < TRACE_LEN; i++)
        give(&r, &trace[i], step);
    feeder_end(r.feeder);
    return r;
}

static void finish(struct run *r)
{
    tls_keys_free(r->keys);
    free(r->feeder);
}

static void key_logs_are_read(void **state)
{
    static const char log[] =
        "# comment\n"
        "CLIENT_RANDOM "
        "000102030405060708090A0B0C0D0E0F101112131415161718191a1b1c1d1e1f "
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
        "202122232425262728292a2b2c2d2e2f\r\n"
        "RSA 0001020304050607 "
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
        "CLIENT_RANDOM 0001 00\n"
        "CLIENT_RANDOM\n\n"
        "EXPORTER_SECRET "
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f "
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    uint8_t random[TLS_RANDOM];
    struct tls_keys *keys = tls_keys_new();
    (void)state;
    for (unsigned i = 0; i < TLS_RANDOM; i++)
        random[i] = (uint8_t)i;
    assert_null(tls_keys_find(keys, TLS_SECRET_MASTER, random));
    assert_int_equal(tls_keys_add(keys, log, sizeof log - 1), 2);
    const struct tls_secret *secret = tls_keys_find(keys, TLS_SECRET_MASTER, random);
    assert_non_null(secret);
    assert_int_equal(secret->len, 48);
    assert_int_equal(secret->bytes[47], 0x2f);
    assert_null(tls_keys_find(keys, TLS_SECRET_CLIENT_TRAFFIC, random));
    random[0] = 1;
    assert_null(tls_keys_find(keys, TLS_SECRET_MASTER, random));
    tls_keys_free(keys);
}

static void many_keys_are_found_again(void **state)
{
    struct tls_keys *keys = tls_keys_new();
    char line[256];
    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(line, sizeof line, "SERVER_TRAFFIC_SECRET_0 %064x %064x\n", i, i + 7);
        assert_int_equal(tls_keys_add(keys, line, strlen(line)), 1);
    }
    for (unsigned i = 0; i < 1000; i++) {
        uint8_t random[TLS_RANDOM] = {0};
        random[30] = (uint8_t)(i >> 8);
        random[31] = (uint8_t)i;
        const struct tls_secret *secret = tls_keys_find(keys, TLS_SECRET_SERVER_TRAFFIC, random);
        assert_non_null(secret);
        assert_int_equal(secret->bytes[31], (uint8_t)(i + 7));
    }
    tls_keys_free(keys);
}

static void assert_whole(const struct run *r)
{
    const struct tls_record *tls = &r->feeder->tls;
    assert_int_equal(tls->decryption, TLS_DECRYPTION_WHOLE);
    assert_true(tls->established && tls->close_notify_client && tls->close_notify_server);
    assert_int_equal(tls->alert, -1);
    assert_int_equal(tls->certificate_count, 1);
    assert_int_equal(r->feeder->certificate_count, 1);
    assert_string_equal(tls->history, "CsoxyfFtDdLl");
    for (int side = 0; side < 2; side++) {
        assert_int_equal(seen.len[side], 50);
        for (unsigned i = 0; i < 50; i++)
            assert_int_equal(seen.text[side][i], i);
        assert_int_equal(seen.lost[side], 0);
        assert_int_equal(seen.ended[side], 1);
    }
}

static void the_published_trace_opens(void **state)
{
    (void)state;
    struct run whole = play(RFC8448_KEYLOG, SIZE_MAX);
    assert_whole(&whole);
    finish(&whole);
    struct run bytewise = play(RFC8448_KEYLOG, 1);
    assert_whole(&bytewise);
    finish(&bytewise);
}

static void without_keys_nothing_is_tried(void **state)
{
    (void)state;
    struct run none = play(NULL, SIZE_MAX);
    assert_int_equal(none.feeder->tls.decryption, TLS_DECRYPTION_NONE);
    struct run other = play("", SIZE_MAX);
    assert_int_equal(other.feeder->tls.decryption, TLS_DECRYPTION_NO_KEYS);
    assert_string_equal(none.feeder->tls.history, other.feeder->tls.history);
    assert_int_equal(seen.len[0] + seen.len[1], 0);
    finish(&none);
    finish(&other);
}

/* The key log with one digit of the secret behind label changed. */
static void spoil(const char *label, char *out, size_t size)
{
    snprintf(out, size, "%s", RFC8448_KEYLOG);
    char *line = strstr(out, label);
    assert_non_null(line);
    char *digit = line + strlen(label) + 1 + 64 + 1;
    *digit = *digit == '0' ? '1' : '0';
}

static void wrong_keys_say_what_none_say(void **state)
{
    char log[1024];
    (void)state;
    spoil("SERVER_HANDSHAKE_TRAFFIC_SECRET", log, sizeof log);
    struct run none = play(NULL, SIZE_MAX);
    struct run wrong = play(log, SIZE_MAX);
    assert_int_equal(wrong.feeder->tls.decryption, TLS_DECRYPTION_FAILED);
    assert_int_equal(seen.len[0] + seen.len[1], 0);
    assert_string_equal(wrong.feeder->tls.history, none.feeder->tls.history);
    assert_int_equal(wrong.feeder->tls.established, none.feeder->tls.established);
    finish(&wrong);
    spoil("CLIENT_TRAFFIC_SECRET_0", log, sizeof log);
    wrong = play(log, SIZE_MAX);
    assert_int_equal(wrong.feeder->tls.decryption, TLS_DECRYPTION_PARTLY);
    assert_int_equal(seen.len[SIDE_CLIENT], 0);
    finish(&wrong);
    finish(&none);
}

static void a_gap_ends_its_direction(void **state)
{
    (void)state;
    struct run r = begin(RFC8448_KEYLOG);
    for (size_t i = 0; i < TRACE_LEN; i++) {
        if (i == 4)
            feeder_lose(r.feeder, SIDE_SERVER, strlen(trace[i].hex) / 2);
        else
            give(&r, &trace[i], SIZE_MAX);
    }
    feeder_end(r.feeder);
    assert_int_equal(r.feeder->tls.decryption, TLS_DECRYPTION_PARTLY);
    assert_int_equal(seen.len[SIDE_SERVER], 0);
    assert_int_equal(seen.lost[SIDE_SERVER], 1);
    assert_int_equal(seen.len[SIDE_CLIENT], 50);
    finish(&r);
}

/* Suites that OpenSSL does not open are said, not called wrong keys. */
static void unknown_suites_are_said(void **state)
{
    static const char suite[] = "130100002e"; /* in the ServerHello */
    char hello[sizeof RFC8448_SERVER_HELLO] = RFC8448_SERVER_HELLO;
    struct record changed = {SIDE_SERVER, hello};
    struct run r = begin(RFC8448_KEYLOG);
    (void)state;
    assert_true(tls_opener_can(0x1301) && !tls_opener_can(0xfafa));
    char *at = strstr(hello, suite);
    assert_non_null(at);
    memcpy(at, "fafa", 4);
    for (size_t i = 0; i < TRACE_LEN; i++)
        give(&r, i == 1 ? &changed : &trace[i], SIZE_MAX);
    feeder_end(r.feeder);
    assert_int_equal(r.feeder->tls.decryption, TLS_DECRYPTION_UNSUPPORTED);
    assert_int_equal(seen.len[SIDE_CLIENT] + seen.len[SIDE_SERVER], 0);
    finish(&r);
}

static void suites_without_a_way_are_refused(void **state)
{
    static const uint8_t secret[48], random[TLS_RANDOM];
    (void)state;
    assert_null(tls_opener_new_13(0x1301, secret, 48)); /* SHA-256 has 32 */
    assert_null(tls_opener_new_13(0xfafa, secret, 32));
    struct tls_session_12 session = {TLS_VERSION_12, 0x0005, false, secret, random, random};
    assert_null(tls_opener_new_12(&session, SIDE_CLIENT)); /* RC4 */
    session.cipher = 0xc02f;
    struct tls_opener *opener = tls_opener_new_12(&session, SIDE_CLIENT);
    assert_non_null(opener);
    tls_opener_free(opener);
    session.version = TLS_VERSION_SSL3;
    assert_null(tls_opener_new_12(&session, SIDE_CLIENT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_logs_are_read),
        cmocka_unit_test(many_keys_are_found_again),
        cmocka_unit_test(the_published_trace_opens),
        cmocka_unit_test(without_keys_nothing_is_tried),
        cmocka_unit_test(wrong_keys_say_what_none_say),
        cmocka_unit_test(a_gap_ends_its_direction),
        cmocka_unit_test(unknown_suites_are_said),
        cmocka_unit_test(suites_without_a_way_are_refused),
    };
    return cmocka_run_group_tests(tests, shared_setup, shared_teardown);
}
