/* Every suite that OpenSSL offers, in every version that takes it: two of its ends talk in memory, and
 * what is opened equals, byte for byte, what they sent. */
#include "tests/unit/tls_help.h"

#include "dissectors/tls_keys.h"

#include <openssl/dsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>

/* A short text, one that fills a record, one that goes over several. */
static const size_t text_sizes[] = {1, 100, 16384, 40000};
#define TEXT_MAX (128u * 1024u)
#define WIRE_MAX 512
#define IDENTITIES 3

struct piece {
    enum side side;
    uint8_t *bytes;
    size_t len;
};

/* What went over the wire, what was said, and what was opened of it. */
static struct {
    struct piece wire[WIRE_MAX];
    size_t wire_count;
    uint8_t sent[2][TEXT_MAX], opened[2][TEXT_MAX];
    size_t sent_len[2], opened_len[2];
    struct tls_keys *keys;
    uint8_t seed;
} talk;

static struct {
    EVP_PKEY *key[IDENTITIES]; /* RSA, EC, DSA */
    X509 *certificate[IDENTITIES];
} identity;

struct setting {
    const char *suite; /* one name; TLS 1.3 when version says so */
    int version;
    uint64_t options;
    bool update_keys, renegotiate, client_certificate;
};

static X509 *certify(EVP_PKEY *key)
{
    X509 *x = X509_new();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               (const unsigned char *)"server.example", -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    X509_set_pubkey(x, key);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    return x;
}

/* On small parameters: they are made in a moment. */
static EVP_PKEY *make_dsa_key(void)
{
    EVP_PKEY *parameters = NULL, *key = NULL;
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "DSA", NULL);
    assert_int_equal(EVP_PKEY_paramgen_init(c), 1);
    assert_int_equal(EVP_PKEY_CTX_set_dsa_paramgen_bits(c, 1024), 1);
    assert_int_equal(EVP_PKEY_paramgen(c, &parameters), 1);
    EVP_PKEY_CTX_free(c);
    c = EVP_PKEY_CTX_new_from_pkey(NULL, parameters, NULL);
    assert_int_equal(EVP_PKEY_keygen_init(c), 1);
    assert_int_equal(EVP_PKEY_keygen(c, &key), 1);
    EVP_PKEY_CTX_free(c);
    EVP_PKEY_free(parameters);
    return key;
}

static int setup(void **state)
{
    identity.key[0] = EVP_RSA_gen(2048);
    identity.key[1] = EVP_EC_gen("P-256");
    identity.key[2] = make_dsa_key();
    for (int i = 0; i < IDENTITIES; i++)
        identity.certificate[i] = certify(identity.key[i]);
    return shared_setup(state);
}

static int teardown(void **state)
{
    for (int i = 0; i < IDENTITIES; i++) {
        X509_free(identity.certificate[i]);
        EVP_PKEY_free(identity.key[i]);
    }
    return shared_teardown(state);
}

static void on_key_line(const SSL *ssl, const char *line)
{
    (void)ssl;
    assert_true(tls_keys_add(talk.keys, line, strlen(line)) >= 0); /* 0: the RSA premaster secret */
}

static unsigned on_psk_client(SSL *ssl, const char *hint, char *name, unsigned name_size,
                              unsigned char *psk, unsigned psk_size)
{
    (void)ssl;
    (void)hint;
    assert_true(name_size > 4 && psk_size >= 16);
    memcpy(name, "till", 5);
    memset(psk, 7, 16);
    return 16;
}

static unsigned on_psk_server(SSL *ssl, const char *name, unsigned char *psk, unsigned psk_size)
{
    (void)ssl;
    (void)name;
    assert_true(psk_size >= 16);
    memset(psk, 7, 16);
    return 16;
}

static SSL_CTX *make_context(const struct setting *s, bool server)
{
    SSL_CTX *c = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    SSL_CTX_set_security_level(c, 0);
    SSL_CTX_set_min_proto_version(c, s->version);
    SSL_CTX_set_max_proto_version(c, s->version);
    SSL_CTX_set_options(c, s->options);
    if (s->version == TLS1_3_VERSION)
        assert_int_equal(SSL_CTX_set_ciphersuites(c, s->suite), 1);
    else
        assert_int_equal(SSL_CTX_set_cipher_list(c, s->suite), 1);
    for (int i = 0; (server || s->client_certificate) && i < IDENTITIES; i++) {
        SSL_CTX_use_certificate(c, identity.certificate[i]);
        SSL_CTX_use_PrivateKey(c, identity.key[i]);
    }
    if (server) {
        SSL_CTX_set_dh_auto(c, 1);
        SSL_CTX_set_session_id_context(c, (const unsigned char *)"m", 1);
    } else {
        SSL_CTX_set_keylog_callback(c, on_key_line);
    }
    if (s->version != TLS1_3_VERSION) {
        SSL_CTX_set_psk_client_callback(c, server ? NULL : on_psk_client);
        SSL_CTX_set_psk_server_callback(c, server ? on_psk_server : NULL);
    }
    return c;
}

static int take_any(int ok, X509_STORE_CTX *store)
{
    (void)ok;
    (void)store;
    return 1;
}

/* What from wrote goes to the other end and is kept. */
static void carry(SSL *from, SSL *to, enum side side)
{
    uint8_t *bytes;
    long len = BIO_get_mem_data(SSL_get_wbio(from), (char **)&bytes);
    if (len <= 0)
        return;
    assert_true(talk.wire_count < WIRE_MAX);
    struct piece *chunk = &talk.wire[talk.wire_count++];
    *chunk = (struct piece){side, malloc((size_t)len), (size_t)len};
    memcpy(chunk->bytes, bytes, (size_t)len);
    assert_int_equal(BIO_write(SSL_get_rbio(to), bytes, (int)len), len);
    (void)BIO_reset(SSL_get_wbio(from));
}

static bool shake(SSL *ends[2])
{
    for (int i = 0; i < 12; i++) {
        int side = i & 1, done = SSL_do_handshake(ends[side]);
        carry(ends[side], ends[1 - side], (enum side)side);
        if (done != 1 && SSL_get_error(ends[side], done) != SSL_ERROR_WANT_READ)
            return false;
    }
    return SSL_is_init_finished(ends[0]) && SSL_is_init_finished(ends[1]);
}

static void receive(SSL *end)
{
    static uint8_t ignored[65536];
    while (SSL_read(end, ignored, sizeof ignored) > 0)
        continue;
}

static void say(SSL *ends[2], int side, size_t len)
{
    static uint8_t text[65536];
    for (size_t i = 0; i < len; i++)
        text[i] = (uint8_t)(talk.seed + i * 7 + (i >> 8) + (size_t)side);
    talk.seed += 31;
    assert_int_equal(SSL_write(ends[side], text, (int)len), len);
    assert_true(talk.sent_len[side] + len <= TEXT_MAX);
    memcpy(talk.sent[side] + talk.sent_len[side], text, len);
    talk.sent_len[side] += len;
    carry(ends[side], ends[1 - side], (enum side)side);
    receive(ends[1 - side]);
    carry(ends[1 - side], ends[side], (enum side)(1 - side)); /* its own words: key updates */
}

static void converse(SSL *ends[2], const struct setting *s)
{
    for (size_t i = 0; i < sizeof text_sizes / sizeof text_sizes[0]; i++) {
        if (s->update_keys && i == 1)
            SSL_key_update(ends[0], SSL_KEY_UPDATE_REQUESTED);
        if (s->renegotiate && i == 2) {
            assert_int_equal(SSL_renegotiate(ends[0]), 1);
            for (int turn = 0; turn < 8; turn++) {
                int side = turn & 1;
                (void)SSL_do_handshake(ends[side]);
                receive(ends[side]);
                carry(ends[side], ends[1 - side], (enum side)side);
            }
        }
        say(ends, 0, text_sizes[i]);
        say(ends, 1, text_sizes[i]);
    }
    for (int side = 0; side < 2; side++) {
        (void)SSL_shutdown(ends[side]);
        carry(ends[side], ends[1 - side], (enum side)side);
    }
}

static void keep_opened(void *self, enum plain_event event, enum side side, const uint8_t *bytes,
                        size_t len)
{
    (void)self;
    assert_int_not_equal(event, PLAIN_LOST);
    assert_true(talk.opened_len[side] + len <= TEXT_MAX);
    if (len > 0)
        memcpy(talk.opened[side] + talk.opened_len[side], bytes, len);
    talk.opened_len[side] += len;
}

/* Feeds the wire to the dissector, and compares. */
static void check_opened(const struct setting *s)
{
    struct feeder *f = feeder_new();
    f->context.keys = talk.keys;
    f->context.plain = keep_opened;
    for (size_t i = 0; i < talk.wire_count; i++)
        feeder_give(f, talk.wire[i].side, talk.wire[i].bytes, talk.wire[i].len);
    feeder_end(f);
    if (f->tls.decryption != TLS_DECRYPTION_WHOLE)
        print_message("%s in %04x: %u\n", s->suite, (unsigned)s->version, f->tls.decryption);
    assert_int_equal(f->tls.decryption, TLS_DECRYPTION_WHOLE);
    assert_true(f->tls.established && f->tls.close_notify_client && f->tls.close_notify_server);
    for (int side = 0; side < 2; side++) {
        assert_int_equal(talk.opened_len[side], talk.sent_len[side]);
        assert_memory_equal(talk.opened[side], talk.sent[side], talk.sent_len[side]);
    }
    if (s->version == TLS1_3_VERSION)
        assert_int_equal(f->tls.certificate_count, 1);
    free(f);
}

static void forget(void)
{
    for (size_t i = 0; i < talk.wire_count; i++)
        free(talk.wire[i].bytes);
    tls_keys_free(talk.keys);
    memset(&talk, 0, sizeof talk);
}

/* One conversation. False: these ends do not take that suite in that version. */
static bool run(const struct setting *s)
{
    SSL_CTX *contexts[2] = {make_context(s, false), make_context(s, true)};
    SSL *ends[2];
    forget();
    talk.keys = tls_keys_new();
    for (int side = 0; side < 2; side++) {
        ends[side] = SSL_new(contexts[side]);
        SSL_set_bio(ends[side], BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    }
    SSL_set_connect_state(ends[0]);
    SSL_set_accept_state(ends[1]);
    if (s->client_certificate)
        SSL_set_verify(ends[1], SSL_VERIFY_PEER, take_any);
    bool shaken = shake(ends);
    if (shaken) {
        converse(ends, s);
        check_opened(s);
    }
    for (int side = 0; side < 2; side++) {
        SSL_free(ends[side]);
        SSL_CTX_free(contexts[side]);
    }
    forget();
    return shaken;
}

/* Suites of TLS 1.3, which have their own test; SRP, whose passwords these ends do not have, and `openssl ciphers -s` does not
 * name. */
static bool is_left_out(const SSL_CIPHER *cipher)
{
    return strcmp(SSL_CIPHER_get_version(cipher), "TLSv1.3") == 0 ||
           SSL_CIPHER_get_kx_nid(cipher) == NID_kx_srp;
}

static void suites_up_to_tls12_open(void **state)
{
    static const int versions[] = {TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION};
    static const uint64_t options[] = {0, SSL_OP_NO_ENCRYPT_THEN_MAC};
    SSL_CTX *all = SSL_CTX_new(TLS_method());
    unsigned opened = 0, suites = 0;
    (void)state;
    SSL_CTX_set_security_level(all, 0);
    assert_int_equal(SSL_CTX_set_cipher_list(all, "ALL:eNULL"), 1);
    STACK_OF(SSL_CIPHER) *list = SSL_CTX_get_ciphers(all);
    for (int i = 0; i < sk_SSL_CIPHER_num(list); i++) {
        const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(list, i);
        unsigned before = opened;
        for (size_t at = 0; at < 6; at++) {
            struct setting s = {.suite = SSL_CIPHER_get_name(cipher), .version = versions[at % 3],
                                .options = options[at / 3]};
            if (strcmp(SSL_CIPHER_get_version(cipher), "TLSv1.3") != 0)
                opened += run(&s);
        }
        suites += opened > before;
        if (opened == before && !is_left_out(cipher))
            fail_msg("%s was not opened", SSL_CIPHER_get_name(cipher));
    }
    SSL_CTX_free(all);
    print_message("%u suites, %u conversations\n", suites, opened);
    assert_true(suites >= 140);
}

static void suites_of_tls13_open(void **state)
{
    static const char *const suites[] = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                         "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_CCM_SHA256",
                                         "TLS_AES_128_CCM_8_SHA256"};
    (void)state;
    for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++) {
        struct setting s = {.suite = suites[i], .version = TLS1_3_VERSION};
        assert_true(run(&s));
        s.update_keys = true;
        s.client_certificate = true;
        assert_true(run(&s));
    }
}

static void renegotiated_sessions_open(void **state)
{
    static const char *const suites[] = {"ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-SHA"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const struct setting s = {.suite = suites[i], .version = TLS1_2_VERSION,
                                  .options = SSL_OP_ALLOW_CLIENT_RENEGOTIATION,
                                  .renegotiate = true};
        assert_true(run(&s));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(suites_up_to_tls12_open),
        cmocka_unit_test(suites_of_tls13_open),
        cmocka_unit_test(renegotiated_sessions_open),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
