/* Fingerprints against published and tshark-checked vectors; hellos that are damaged. */
#include "dissectors/ja3.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct message {
    uint8_t bytes[2048];
    size_t len;
};

static void put(struct message *m, unsigned value, int size)
{
    for (int shift = 8 * (size - 1); shift >= 0; shift -= 8)
        m->bytes[m->len++] = (uint8_t)(value >> shift);
}

static void put_list(struct message *m, const uint16_t *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        put(m, list[i], 2);
}

struct offer {
    uint16_t version;
    const uint16_t *ciphers;
    size_t cipher_count;
    const uint16_t *extensions;
    size_t extension_count;
    const uint16_t *groups;
    size_t group_count;
    const uint16_t *algorithms;
    size_t algorithm_count;
    const uint16_t *versions;
    size_t version_count;
    const char *alpn;
};

static void put_extension(struct message *m, uint16_t type, const struct offer *offer)
{
    put(m, type, 2);
    size_t length_at = m->len;
    put(m, 0, 2);
    if (type == 10) {
        put(m, (unsigned)offer->group_count * 2, 2);
        put_list(m, offer->groups, offer->group_count);
    } else if (type == 11) {
        put(m, 1, 1);
        put(m, 0, 1);
    } else if (type == 13) {
        put(m, (unsigned)offer->algorithm_count * 2, 2);
        put_list(m, offer->algorithms, offer->algorithm_count);
    } else if (type == 16 && offer->alpn != NULL) {
        put(m, (unsigned)strlen(offer->alpn) + 1, 2);
        put(m, (unsigned)strlen(offer->alpn), 1);
        memcpy(m->bytes + m->len, offer->alpn, strlen(offer->alpn));
        m->len += strlen(offer->alpn);
    } else if (type == 43) {
        put(m, (unsigned)offer->version_count * 2, 1);
        put_list(m, offer->versions, offer->version_count);
    }
    size_t len = m->len - length_at - 2;
    m->bytes[length_at] = (uint8_t)(len >> 8);
    m->bytes[length_at + 1] = (uint8_t)len;
}

static void build(struct message *m, const struct offer *offer)
{
    m->len = 0;
    put(m, offer->version, 2);
    memset(m->bytes + m->len, 7, 32);
    m->len += 32;
    put(m, 0, 1);
    put(m, (unsigned)offer->cipher_count * 2, 2);
    put_list(m, offer->ciphers, offer->cipher_count);
    put(m, 0x0100, 2);
    if (offer->extension_count == 0)
        return;
    size_t length_at = m->len;
    put(m, 0, 2);
    for (size_t i = 0; i < offer->extension_count; i++)
        put_extension(m, offer->extensions[i], offer);
    size_t len = m->len - length_at - 2;
    m->bytes[length_at] = (uint8_t)(len >> 8);
    m->bytes[length_at + 1] = (uint8_t)len;
}

#define LIST(...) (const uint16_t[]){__VA_ARGS__}, sizeof((uint16_t[]){__VA_ARGS__}) / 2
#define NONE NULL, 0

static void check_ja3(const struct offer *offer, const char *expected)
{
    struct message m;
    struct tls_client_hello hello;
    char ja3[JA3_SIZE];
    build(&m, offer);
    assert_true(tls_client_hello_parse(cur_of(m.bytes, m.len), &hello));
    assert_false(hello.malformed);
    ja3_of_client(&hello, ja3);
    assert_string_equal(ja3, expected);
}

static void test_ja3_vectors(void **state)
{
    (void)state;
    /* salesforce/ja3 README */
    const struct offer xp = {769,
                             LIST(47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4),
                             LIST(0, 10, 11),
                             LIST(23, 24, 25),
                             NONE,
                             NONE,
                             NULL};
    const struct offer bare = {
        769, LIST(4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99), NONE, NONE, NONE, NONE, NULL};
    check_ja3(&xp, "ada70206e40642a3e4461f35503241d5");
    check_ja3(&bare, "de350869b8c85de67a350c8d186f11e6");
    /* Firefox, checked with tshark; once more with GREASE put in everywhere */
    const struct offer firefox = {771,
                                  LIST(4865, 4867, 4866, 49195, 49199, 52393, 52392, 49196, 49200,
                                       49162, 49161, 49171, 49172, 156, 157, 47, 53),
                                  LIST(0, 23, 65281, 10, 11, 35, 16, 5, 34, 51, 43, 13, 45, 28, 21),
                                  LIST(29, 23, 24, 25, 256, 257),
                                  NONE,
                                  NONE,
                                  NULL};
    const struct offer greased = {
        771,
        LIST(0x0a0a, 4865, 4867, 4866, 49195, 49199, 52393, 52392, 49196, 49200, 49162, 49161,
             49171, 49172, 156, 157, 47, 53, 0xfafa),
        LIST(0x1a1a, 0, 23, 65281, 10, 11, 35, 16, 5, 34, 51, 43, 13, 45, 28, 21, 0xeaea),
        LIST(0x2a2a, 29, 23, 24, 25, 256, 257),
        NONE,
        NONE,
        NULL};
    check_ja3(&firefox, "579ccef312d18482fc42e2b822ca2430");
    check_ja3(&greased, "579ccef312d18482fc42e2b822ca2430");
}

static void test_ja3s_vectors(void **state)
{
    (void)state;
    static const struct {
        uint16_t cipher, extensions[4];
        size_t count;
        const char *ja3s;
    } vectors[] = {
        {4865, {51, 43}, 2, "eb1d94daa7e0344597e756a1fb6e7054"},
        {4865, {43, 51}, 2, "f4febc55ea12b31ae17cfb7e614afda8"},
        {4866, {43, 51}, 2, "15af977ce25de452b96affa2addb1036"},
        {49200, {65281, 0, 11, 35}, 4, "d227a8dd2bb7d7ee4f648c1af087578a"},
        {52393, {0, 65281, 11, 16}, 4, "7f76f3e952a1bc7d407366fafe1db7ed"},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        struct message m = {.len = 0};
        struct tls_server_hello hello;
        char ja3s[JA3_SIZE];
        put(&m, 771, 2);
        m.len += 32;
        put(&m, 0, 1);
        put(&m, vectors[i].cipher, 2);
        put(&m, 0, 1);
        put(&m, (unsigned)vectors[i].count * 4, 2);
        for (size_t k = 0; k < vectors[i].count; k++)
            put(&m, (unsigned)vectors[i].extensions[k] << 16, 4);
        assert_true(tls_server_hello_parse(cur_of(m.bytes, m.len), &hello));
        ja3_of_server(&hello, ja3s);
        assert_string_equal(ja3s, vectors[i].ja3s);
    }
}

/* FoxIO JA4.md's example. */
static struct offer ja4_offer(const char *alpn)
{
    static const uint16_t ciphers[] = {0x1a1a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f,
                                       0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014,
                                       0x009c, 0x009d, 0x002f, 0x0035};
    static const uint16_t extensions[] = {0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017,
                                          0x002d, 0x000d, 0x0005, 0x0023, 0x0012, 0x002b,
                                          0xff01, 0x000b, 0x000a, 0x0015, 0xbaba};
    static const uint16_t algorithms[] = {0x0403, 0x0804, 0x0401, 0x0503,
                                          0x0805, 0x0501, 0x0806, 0x0601};
    static const uint16_t versions[] = {0x6a6a, 0x0304, 0x0303};
    static const uint16_t groups[] = {29, 23, 24};
    return (struct offer){771, ciphers,    16, extensions, 17, groups,
                          3,   algorithms, 8,  versions,   3,  alpn};
}

static void test_ja4(void **state)
{
    (void)state;
    static const struct {
        const char *alpn, *start;
    } ends[] = {{"h2", "t13d1516h2_"},
                {"http/1.1", "t13d1516h1_"},
                {"x", "t13d1516xx_"},
                {"\x30\xab\xcd\x31", "t13d151601_"}, /* alphanumeric ends: themselves */
                {"\xab", "t13d1516ab_"},
                {" a", "t13d151621_"}};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        struct message m;
        struct tls_client_hello hello;
        char ja4[JA4_SIZE];
        const struct offer offer = ja4_offer(ends[i].alpn);
        build(&m, &offer);
        assert_true(tls_client_hello_parse(cur_of(m.bytes, m.len), &hello));
        ja4_of_client(&hello, 't', ja4);
        assert_memory_equal(ja4, ends[i].start, strlen(ends[i].start));
        assert_string_equal(ja4 + 11, "8daaf6152771_e5627efa2ab1");
    }
    /* Without signature algorithms, and without anything. */
    struct message m;
    struct tls_client_hello hello;
    char ja4[JA4_SIZE];
    struct offer offer = {770, LIST(0x0a0a), NONE, NONE, NONE, NONE, NULL};
    build(&m, &offer);
    assert_true(tls_client_hello_parse(cur_of(m.bytes, m.len), &hello));
    ja4_of_client(&hello, 't', ja4);
    assert_string_equal(ja4, "t11i000000_000000000000_000000000000");
}

static void test_versions(void **state)
{
    (void)state;
    static const struct {
        uint16_t legacy, versions[4];
        size_t count;
        uint16_t best;
    } table[] = {
        {0x0303, {0x0a0a, 0x0304, 0x0303}, 3, 0x0304},
        {0x0303, {0x7f1c, 0x0304, 0x7f17}, 3, 0x0304},
        {0x0303, {0x7f17, 0x7f1c, 0x0303}, 3, 0x7f1c},
        {0x0303, {0xfafa}, 1, 0x0303},
        {0x0301, {0}, 0, 0x0301},
        {0x0101, {0}, 0, 0x0101},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct message m;
        struct tls_client_hello hello;
        struct offer offer = {table[i].legacy,   LIST(47),       LIST(43), NONE, NONE,
                              table[i].versions, table[i].count, NULL};
        build(&m, &offer);
        assert_true(tls_client_hello_parse(cur_of(m.bytes, m.len), &hello));
        assert_int_equal(tls_client_hello_version(&hello), table[i].best);
    }
}

/* Every prefix, and an odd cipher length: safe, and what came before is kept. */
static void test_damaged(void **state)
{
    (void)state;
    const struct offer offer = ja4_offer("h2");
    struct message m;
    struct tls_client_hello hello;
    char ja3[JA3_SIZE];
    char ja4[JA4_SIZE];
    build(&m, &offer);
    for (size_t len = 0; len <= m.len; len++) {
        uint8_t *exact = malloc(len + 1);
        memcpy(exact, m.bytes, len);
        /* ciphers end at 69, compression methods at 71 */
        bool parsed = tls_client_hello_parse(cur_of(exact, len), &hello);
        assert_int_equal(parsed, len >= 71);
        if (parsed) {
            assert_int_equal(cur_left(&hello.ciphers), 32);
            assert_int_equal(hello.malformed, len > 71 && len < m.len);
            ja3_of_client(&hello, ja3);
            ja4_of_client(&hello, 't', ja4);
        }
        free(exact);
    }
    struct message odd = {.len = 0};
    put(&odd, 0x0303, 2);
    odd.len += 32;
    put(&odd, 0, 1);
    put(&odd, 5, 2);
    put(&odd, 0x1301, 2);
    put(&odd, 0x1302, 2);
    put(&odd, 0xff, 1);
    put(&odd, 0x0100, 2);
    memset(odd.bytes + 2, 0, 32);
    assert_true(tls_client_hello_parse(cur_of(odd.bytes, odd.len), &hello));
    assert_int_equal(cur_left(&hello.ciphers), 4);
}

/* Lists longer than any honest one give no fingerprint rather than a wrong one. */
static void test_endless_lists(void **state)
{
    (void)state;
    size_t count = 30000;
    uint8_t *bytes = calloc(1, 64 + count * 2);
    struct tls_client_hello hello;
    char ja3[JA3_SIZE];
    char ja4[JA4_SIZE];
    bytes[0] = bytes[1] = 3;
    bytes[35] = (uint8_t)(count * 2 >> 8);
    bytes[36] = (uint8_t)(count * 2);
    memset(bytes + 37, 0x35, count * 2);
    bytes[37 + count * 2] = 1;
    assert_true(tls_client_hello_parse(cur_of(bytes, 39 + count * 2), &hello));
    ja3_of_client(&hello, ja3);
    ja4_of_client(&hello, 't', ja4);
    assert_string_equal(ja3, "");
    assert_memory_equal(ja4, "t12i9900", 8);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ja3_vectors), cmocka_unit_test(test_ja3s_vectors),
        cmocka_unit_test(test_ja4),         cmocka_unit_test(test_versions),
        cmocka_unit_test(test_damaged),     cmocka_unit_test(test_endless_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
