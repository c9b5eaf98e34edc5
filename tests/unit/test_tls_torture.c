/* Whatever the segmentation, the same record; every prefix and every damage safe. */
#include "tests/unit/tls_help.h"

#include <stddef.h>

/* What may differ with the segmentation: times, frames, how many segments. */
static void forget_packets(struct tls_record *tls)
{
    tls->client_hello_ns = tls->server_hello_ns = tls->finished_ns = tls->alert_ns = 0;
    tls->client_hello_frame = tls->server_hello_frame = tls->alert_frame = 0;
    tls->client_hello_segments = 0;
    tls->hello_delay_ns = 0;
}

static void assert_same(struct feeder *a, struct feeder *b)
{
    forget_packets(&a->tls);
    forget_packets(&b->tls);
    /* Both were zeroed as a whole before, so that padding compares; texts are interned. */
    assert_memory_equal(&a->tls, &b->tls, sizeof a->tls);
    assert_int_equal(a->flow.facts, b->flow.facts);
    assert_memory_equal(a->events, b->events, sizeof a->events);
    assert_int_equal(a->certificate_count, b->certificate_count);
    assert_memory_equal(a->certificates, b->certificates,
                        a->certificate_count * sizeof a->certificates[0]);
}

static size_t total_of(const struct handshake *h)
{
    size_t total = 0;
    for (size_t i = 0; i < h->count; i++)
        total += h->chunks[i].len;
    return total;
}

/* Feeds each chunk in pieces of at most step bytes, with a further cut at byte `cut` of the whole,
 * and stops after `end` bytes. */
static struct feeder *run_cut(const struct handshake *h, size_t step, size_t cut, size_t end)
{
    struct feeder *f = feeder_new();
    size_t at = 0;
    for (size_t i = 0; i < h->count; i++) {
        const struct chunk *chunk = &h->chunks[i];
        for (size_t done = 0; done < chunk->len && at < end;) {
            size_t len = chunk->len - done < step ? chunk->len - done : step;
            if (at < cut && cut < at + len)
                len = cut - at;
            if (at + len > end)
                len = end - at;
            feeder_give(f, chunk->side, chunk->bytes + done, len);
            done += len;
            at += len;
        }
    }
    feeder_end(f);
    return f;
}

static void test_small_segments(void **state)
{
    (void)state;
    static const size_t steps[] = {1, 2, 3, 5, 7, 64, 100, 536};
    for (size_t i = 0; i < HANDSHAKE_COUNT; i++) {
        for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++) {
            struct feeder *whole = run_cut(handshake_at(i), SIZE_MAX, 0, SIZE_MAX);
            struct feeder *cut = run_cut(handshake_at(i), steps[s], 0, SIZE_MAX);
            assert_same(whole, cut);
            free(whole);
            free(cut);
        }
    }
}

static void test_every_split(void **state)
{
    (void)state;
    static const char *const names[] = {
        "tls12", "tls13", "tlcp", "tls13_client_certificate_missing", "tls12_client_certificate"};
    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
        const struct handshake *h = handshake_named(names[n]);
        for (size_t cut = 1; cut < total_of(h); cut++) {
            struct feeder *whole = run_cut(h, SIZE_MAX, 0, SIZE_MAX);
            struct feeder *split = run_cut(h, SIZE_MAX, cut, SIZE_MAX);
            assert_same(whole, split);
            free(whole);
            free(split);
        }
    }
}

/* A record says only what the bytes so far say, and never an alert that nobody sent. */
static void test_every_prefix(void **state)
{
    (void)state;
    for (size_t i = 0; i < HANDSHAKE_COUNT; i++) {
        const struct handshake *h = handshake_at(i);
        struct feeder *whole = run_cut(h, SIZE_MAX, 0, SIZE_MAX);
        for (size_t end = 0; end < total_of(h); end++) {
            struct feeder *part = run_cut(h, SIZE_MAX, 0, end);
            assert_true(part->tls.step <= whole->tls.step);
            assert_false(part->tls.established && !whole->tls.established);
            assert_true(part->tls.alert == -1 || part->tls.alert == whole->tls.alert);
            assert_false(part->tls.plaintext_server);
            free(part);
        }
        free(whole);
    }
}

/* Handshake messages cut over records: the same hello in records of n bytes each. */
static void test_messages_over_records(void **state)
{
    (void)state;
    const struct handshake *h = handshake_named("tls12");
    for (size_t size = 1; size <= 64; size++) {
        struct feeder *whole = run_cut(h, SIZE_MAX, 0, SIZE_MAX);
        struct feeder *f = feeder_new();
        for (size_t i = 0; i < h->count; i++) {
            const struct chunk *chunk = &h->chunks[i];
            if (i > 1) {
                feeder_give(f, chunk->side, chunk->bytes, chunk->len);
                continue;
            }
            /* the first two chunks are handshake records in clear */
            for (size_t at = 0; at < chunk->len;) {
                size_t end = at + 5 + (size_t)(chunk->bytes[at + 3] << 8 | chunk->bytes[at + 4]);
                for (at += 5; at < end;) {
                    size_t len = end - at < size ? end - at : size;
                    uint8_t record[5 + 64] = {22, 3, 3, 0, (uint8_t)len};
                    memcpy(record + 5, chunk->bytes + at, len);
                    feeder_give(f, chunk->side, record, len + 5);
                    at += len;
                }
            }
        }
        feeder_end(f);
        assert_same(whole, f);
        free(whole);
        free(f);
    }
}

/* Bytes lost anywhere: nothing is read outside, and no alert is invented. */
static void test_every_gap(void **state)
{
    (void)state;
    static const char *const names[] = {"tls12", "tls13", "tlcp", "tls13_client_certificate"};
    static const size_t sizes[] = {1, 4, 40, 300};
    for (size_t n = 0; n < sizeof names / sizeof names[0] * 4; n++) {
        const struct handshake *h = handshake_named(names[n / 4]);
        size_t size = sizes[n % 4];
        for (size_t i = 0; i < h->count; i++) {
            for (size_t at = 0; at + size <= h->chunks[i].len; at += 3) {
                struct feeder *f = feeder_new();
                for (size_t k = 0; k < h->count; k++) {
                    const struct chunk *c = &h->chunks[k];
                    if (k != i) {
                        feeder_give(f, c->side, c->bytes, c->len);
                        continue;
                    }
                    feeder_give(f, c->side, c->bytes, at);
                    feeder_lose(f, c->side, size);
                    feeder_give(f, c->side, c->bytes + at + size, c->len - at - size);
                }
                feeder_end(f);
                assert_int_equal(f->tls.alert, -1);
                assert_false(f->tls.plaintext_server);
                free(f);
            }
        }
    }
}

/* A gap inside application data changes nothing at all. */
static void test_gap_in_data(void **state)
{
    (void)state;
    static uint8_t record[1005] = {23, 3, 3, 1000 >> 8, 1000 & 255};
    const struct handshake *h = handshake_named("tls12");
    for (size_t lost = 0; lost < 2; lost++) {
        struct feeder *f = feeder_new();
        for (size_t i = 0; i < 4; i++)
            feeder_give(f, h->chunks[i].side, h->chunks[i].bytes, h->chunks[i].len);
        feeder_give(f, SIDE_CLIENT, record, 100);
        if (lost)
            feeder_lose(f, SIDE_CLIENT, 500);
        else
            feeder_give(f, SIDE_CLIENT, record + 100, 500);
        feeder_give(f, SIDE_CLIENT, record + 600, 405);
        feeder_give(f, SIDE_CLIENT, record, sizeof record);
        feeder_end(f);
        assert_int_equal(f->tls.client_app_records, 2);
        assert_false(f->done[SIDE_CLIENT]);
        free(f);
    }
}

/* One byte changed, anywhere, to several values. */
static void test_every_byte_damaged(void **state)
{
    (void)state;
    static const char *const names[] = {"tls12", "tls13", "tlcp"};
    static const uint8_t masks[] = {0x01, 0x80, 0xff};
    uint8_t bytes[8192];
    for (size_t n = 0; n < 9; n++) {
        const struct handshake *h = handshake_named(names[n / 3]);
        for (size_t i = 0; i < h->count && i < 4; i++) {
            for (size_t at = 0; at < h->chunks[i].len; at++) {
                struct feeder *f = feeder_new();
                f->context.certificates = NULL;
                for (size_t k = 0; k < h->count; k++) {
                    const struct chunk *c = &h->chunks[k];
                    assert_true(c->len <= sizeof bytes);
                    memcpy(bytes, c->bytes, c->len);
                    if (k == i)
                        bytes[at] ^= masks[n % 3];
                    feeder_give(f, c->side, bytes, c->len);
                }
                feeder_end(f);
                assert_in_range(f->tls.step, TLS_STEP_NONE, TLS_STEP_FINISHED);
                assert_true(strlen(f->tls.history) < sizeof f->tls.history);
                free(f);
            }
        }
    }
}

/* A side that sends handshake bytes without end is given up at the limit, and memory with it. */
static void test_endless_handshake(void **state)
{
    (void)state;
    static uint8_t record[16389] = {22, 3, 3, 0x40, 0};
    struct feeder *f = feeder_new();
    record[5] = 11; /* one Certificate of 128 KiB after the other */
    record[6] = 1;
    record[7] = 0xff;
    record[8] = 0xff;
    for (int i = 0; i < 100; i++)
        feeder_give(f, SIDE_SERVER, record, sizeof record);
    assert_int_equal(f->len[SIDE_SERVER], 0);
    feeder_end(f);
    assert_int_equal(f->tls.certificate_count, 0);
    free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_segments),     cmocka_unit_test(test_every_split),
        cmocka_unit_test(test_every_prefix),       cmocka_unit_test(test_messages_over_records),
        cmocka_unit_test(test_every_gap),          cmocka_unit_test(test_gap_in_data),
        cmocka_unit_test(test_every_byte_damaged), cmocka_unit_test(test_endless_handshake),
    };
    return cmocka_run_group_tests(tests, shared_setup, shared_teardown);
}
