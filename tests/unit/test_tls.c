/* Whole connections of OpenSSL with itself, and what can be told of them. */
#include "dissectors/names.h"
#include "tests/unit/tls_help.h"

struct row {
    const char *name;
    uint16_t version, cipher, group;
    uint8_t step;
    bool established, resumed;
    int alert; /* -1 none */
    uint8_t alert_by, alert_level, alert_step;
    bool inferred;
    bool requested, sent, empty;
    const char *history;
    uint64_t client_records, server_records;
    uint64_t facts; /* of those that TLS sets */
};

#define DONE (FLOW_FACT_TLS_FINISHED | FLOW_FACT_ANSWERED)

/* Versions, suites, groups and alerts are what tshark shows; lengths of hidden records are those of
 * RFC 8446 5.2. */
static const struct row rows[] = {
    {"tls12", 0x0303, 0xc02b, 29, TLS_STEP_FINISHED, true, false, -1, SIDE_NONE, 0, 0, false, false,
     false, false, "CsxknGIFtifDdLl", 1, 1, DONE},
    {"tls12_cbc", 0x0303, 0xc023, 29, TLS_STEP_FINISHED, true, false, -1, SIDE_NONE, 0, 0, false,
     false, false, false, "CsxknGIFtifDdLl", 1, 1, DONE},
    {"tls12_unknown_ca", 0x0303, 0xc02b, 29, TLS_STEP_SERVER_DONE, false, false, 48, SIDE_CLIENT, 2,
     TLS_STEP_SERVER_DONE, false, false, false, false, "CsxknL", 0, 0, 0},
    {"tls12_no_cipher", 0, 0, 0, TLS_STEP_CLIENT_HELLO, false, false, 40, SIDE_SERVER, 2,
     TLS_STEP_CLIENT_HELLO, false, false, false, false, "Cl", 0, 0, 0},
    {"tls12_old_server", 0, 0, 0, TLS_STEP_CLIENT_HELLO, false, false, 70, SIDE_SERVER, 2,
     TLS_STEP_CLIENT_HELLO, false, false, false, false, "Cl", 0, 0, 0},
    {"tls12_client_certificate", 0x0303, 0xc02b, 29, TLS_STEP_FINISHED, true, false, -1, SIDE_NONE,
     0, 0, false, true, true, false, "CsxkrnXGYIFtifDdLl", 1, 1, DONE},
    {"tls12_client_certificate_missing", 0x0303, 0xc02b, 29, TLS_STEP_CLIENT_FINISHED, false, false,
     40, SIDE_SERVER, 2, TLS_STEP_CLIENT_FINISHED, false, true, false, true, "CsxkrnXGIFl", 0, 0,
     0},
    {"tls12_resumed", 0x0303, 0xc02b, 0, TLS_STEP_FINISHED, true, true, -1, SIDE_NONE, 0, 0, false,
     false, false, false, "CsifIFDdLl", 1, 1, DONE},
    {"tls13", 0x0304, 0x1302, 29, TLS_STEP_FINISHED, true, false, -1, SIDE_NONE, 0, 0, false, false,
     false, false, "CsifIFdDd", 1, 1, DONE},
    {"tls13_retry", 0x0304, 0x1302, 24, TLS_STEP_FINISHED, true, false, -1, SIDE_NONE, 0, 0, false,
     false, false, false, "CjiICsfFdDd", 1, 1, DONE},
    {"tls13_unknown_ca", 0x0304, 0x1302, 29, TLS_STEP_SERVER_DONE, false, false, 48, SIDE_CLIENT, 2,
     TLS_STEP_SERVER_DONE, false, false, false, false, "CsifL", 0, 0, 0},
    {"tls13_client_certificate", 0x0304, 0x1302, 29, TLS_STEP_FINISHED, true, false, -1, SIDE_NONE,
     0, 0, false, true, true, false, "CsifIXYFdDd", 1, 1, DONE},
    {"tls13_client_certificate_missing", 0x0304, 0x1302, 29, TLS_STEP_CLIENT_FINISHED, false, false,
     116, SIDE_SERVER, 0, TLS_STEP_CLIENT_FINISHED, true, true, false, true, "CsifIXFl", 0, 0, 0},
    {"tls13_client_certificate_refused", 0x0304, 0x1302, 29, TLS_STEP_CLIENT_FINISHED, false, false,
     TLS_ALERT_HIDDEN, SIDE_SERVER, 0, TLS_STEP_CLIENT_FINISHED, true, true, true, false,
     "CsifIXYFl", 0, 0, 0},
    {"tls13_resumed", 0x0304, 0x1302, 29, TLS_STEP_FINISHED, true, true, -1, SIDE_NONE, 0, 0, false,
     false, false, false, "CsifIFdDd", 1, 1, DONE},
    {"tlcp", 0x0101, 0xe013, 0, TLS_STEP_FINISHED, true, false, -1, SIDE_NONE, 0, 0, false, false,
     false, false, "CsxknGIFifDdLl", 1, 1, DONE},
};

static void check_row(const struct row *row, const struct feeder *f)
{
    const struct tls_record *tls = &f->tls;
    print_message("%s: %s\n", row->name, tls->history);
    assert_int_equal(tls->version, row->version);
    assert_int_equal(tls->cipher, row->cipher);
    assert_int_equal(tls->group, row->group);
    assert_int_equal(tls->step, row->step);
    assert_int_equal(tls->established, row->established);
    assert_int_equal(tls->finished_ns >= 0, row->established);
    assert_int_equal(tls->resumed, row->resumed);
    assert_int_equal(tls->alert, row->alert);
    assert_int_equal(tls->alert_by, row->alert_by);
    assert_int_equal(tls->alert_level, row->alert_level);
    assert_int_equal(tls->alert_step, row->alert_step);
    assert_int_equal(tls->alert_inferred, row->inferred);
    assert_int_equal(tls->alert_ns >= 0, row->alert >= 0);
    assert_int_equal(tls->client_certificate_requested, row->requested);
    assert_int_equal(tls->client_certificate_sent, row->sent);
    assert_int_equal(tls->client_certificate_empty, row->empty);
    assert_string_equal(tls->history, row->history);
    assert_int_equal(tls->client_app_records, row->client_records);
    assert_int_equal(f->flow.facts, row->facts);
    assert_false(tls->plaintext_client);
    assert_false(tls->plaintext_server);
}

static void test_connections(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct feeder *f = feeder_run(rows[i].name, SIDE_NONE);
        const struct handshake *h = handshake_named(rows[i].name);
        check_row(&rows[i], f);
        if (strcmp(h->name, "tlcp") != 0) /* tshark decodes no TLCP on these ports */
            assert_string_equal(f->tls.ja3, h->ja3);
        assert_string_equal(f->tls.ja3s, strcmp(h->name, "tlcp") != 0 ? h->ja3s : f->tls.ja3s);
        free(f);
    }
}

static void test_names_of_a_hello(void **state)
{
    (void)state;
    struct feeder *f = feeder_run("tls12", SIDE_NONE);
    assert_string_equal(f->tls.sni, "einvoice.example.com");
    assert_string_equal(f->flow.name, "einvoice.example.com");
    assert_string_equal(f->flow.app, "tls");
    assert_string_equal(f->tls.alpn_offered, "h2,http/1.1");
    assert_string_equal(f->tls.alpn, "h2");
    assert_string_equal(f->tls.versions_offered, "TLS 1.2");
    assert_string_equal(f->tls.cipher_name, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
    assert_int_equal(f->tls.version_offered, 0x0303);
    assert_int_equal(f->tls.client_hello_segments, 1);
    /* the record less its header */
    assert_int_equal(f->tls.client_hello_bytes, handshake_named("tls12")->chunks[0].len - 5);
    assert_int_equal(f->tls.hello_delay_ns, 1000000);
    assert_int_equal(f->tls.client_hello_frame, 1);
    assert_int_equal(f->tls.server_hello_frame, 2);
    assert_true(f->tls.close_notify_client);
    assert_true(f->tls.close_notify_server);
    assert_int_equal(f->tls.certificate_count, 2); /* OpenSSL adds the authority it trusts */
    assert_int_equal(f->certificate_count, 2);
    free(f);
    f = feeder_run("tls13", SIDE_NONE);
    assert_string_equal(f->tls.versions_offered, "TLS 1.3");
    assert_null(f->tls.alpn);
    assert_true(f->tls.close_notify_client);
    assert_true(f->tls.close_notify_server);
    free(f);
    f = feeder_run("tls13_retry", SIDE_NONE);
    assert_true(f->tls.hello_retry);
    assert_int_equal(f->events[EVENT_CLIENT_HELLO], 2);
    free(f);
}

static void test_tlcp_sends_two_certificates(void **state)
{
    (void)state;
    struct feeder *f = feeder_run("tlcp", SIDE_NONE);
    assert_string_equal(f->flow.app, "tlcp");
    assert_string_equal(f->tls.cipher_name, "ECC_SM4_CBC_SM3");
    assert_string_equal(f->tls.versions_offered, "TLCP 1.1");
    assert_string_equal(f->tls.client_ciphers, "e053,e013,e051,e011");
    assert_int_equal(f->tls.certificate_count, 2);
    assert_int_equal(f->certificate_count, 2);
    const struct certificate_record *sign =
        certificate_cache_get(shared.certificates, f->certificates[0].certificate_id);
    const struct certificate_record *encrypt =
        certificate_cache_get(shared.certificates, f->certificates[1].certificate_id);
    assert_string_equal(sign->key_usage, "digitalSignature");
    assert_string_equal(encrypt->key_usage, "keyEncipherment,dataEncipherment");
    assert_string_equal(sign->key_type, "SM2");
    /* the encrypted alert whose first byte is 2 is no fatal one */
    assert_int_equal(f->tls.alert, -1);
    assert_true(f->tls.close_notify_client);
    free(f);
}

static void test_client_certificate_rows(void **state)
{
    (void)state;
    struct feeder *f = feeder_run("tls12_client_certificate", SIDE_NONE);
    assert_in_range(f->certificate_count, 3, 4);
    const struct tls_certificate_record *row = &f->certificates[2];
    assert_int_equal(f->certificates[0].side, SIDE_SERVER);
    assert_int_equal(f->certificates[1].side, SIDE_SERVER);
    assert_int_equal(f->certificates[1].position, 1);
    assert_int_equal(row->side, SIDE_CLIENT);
    assert_int_equal(row->position, 0);
    assert_string_equal(certificate_cache_get(shared.certificates, row->certificate_id)->subject_cn,
                        "client");
    free(f);
}

static void test_one_direction(void **state)
{
    (void)state;
    struct feeder *f = feeder_run("tls12", SIDE_CLIENT);
    assert_string_equal(f->tls.sni, "einvoice.example.com");
    assert_true(f->tls.established);
    assert_int_equal(f->tls.alert, -1);
    free(f);
    f = feeder_run("tls12", SIDE_SERVER);
    assert_int_equal(f->tls.version, 0x0303);
    assert_int_equal(f->tls.certificate_count, 2);
    assert_true(f->tls.established);
    assert_int_equal(f->tls.alert, -1);
    free(f);
    f = feeder_run("tls13", SIDE_CLIENT);
    assert_true(f->tls.established);
    assert_int_equal(f->tls.alert, -1);
    free(f);
    f = feeder_run("tls13", SIDE_SERVER);
    assert_true(f->tls.established);
    assert_int_equal(f->tls.alert, -1);
    free(f);
    /* Only the server: what it answered cannot be told, and nobody is accused. */
    f = feeder_run("tls13_client_certificate_missing", SIDE_SERVER);
    assert_int_equal(f->tls.alert, -1);
    free(f);
}

static void test_middle_of_a_connection(void **state)
{
    (void)state;
    static const uint8_t data[] = {23, 3, 3, 0, 4, 1, 2, 3, 4};
    static const uint8_t finished[45] = {22, 3, 3, 0, 40, 0, 0, 0, 0};
    struct feeder *f = feeder_new();
    feeder_give(f, SIDE_CLIENT, data, sizeof data);
    assert_true(f->flow.facts & FLOW_FACT_REQUEST_OPEN);
    feeder_give(f, SIDE_SERVER, data, sizeof data);
    feeder_give(f, SIDE_SERVER, finished, sizeof finished);
    feeder_end(f);
    assert_int_equal(f->tls.client_app_records, 1);
    assert_int_equal(f->tls.server_app_records, 1);
    assert_int_equal(f->tls.step, TLS_STEP_NONE);
    assert_false(f->tls.established);
    assert_int_equal(f->flow.facts, FLOW_FACT_ANSWERED);
    assert_string_equal(f->flow.app, "tls");
    free(f);
}

static void test_answer_that_is_not_tls(void **state)
{
    (void)state;
    const struct chunk *hello = &handshake_named("tls12")->chunks[0];
    const char *answers[] = {"HTTP/1.1 400 Bad Request\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "2"};
    for (size_t i = 0; i < 3; i++) {
        struct feeder *f = feeder_new();
        feeder_give(f, SIDE_CLIENT, hello->bytes, hello->len);
        feeder_give(f, SIDE_SERVER, (const uint8_t *)answers[i], strlen(answers[i]));
        assert_true(f->done[SIDE_SERVER]);
        assert_false(f->done[SIDE_CLIENT]);
        feeder_end(f);
        assert_true(f->tls.plaintext_server);
        assert_false(f->tls.plaintext_client);
        free(f);
    }
    static const uint8_t alert[] = {21, 3, 1, 0, 2, 2, 10};
    struct feeder *f = feeder_new();
    feeder_give(f, SIDE_SERVER, alert, sizeof alert);
    feeder_give(f, SIDE_CLIENT, (const uint8_t *)"GET / HTTP/1.1\r\n", 16);
    feeder_end(f);
    assert_true(f->tls.plaintext_client);
    assert_int_equal(f->tls.alert, 10);
    free(f);
}

/* A warning that is not close_notify counts only when the handshake came to nothing. */
static void test_warnings(void **state)
{
    (void)state;
    static const uint8_t unrecognized[] = {21, 3, 3, 0, 2, 1, 112};
    static const uint8_t notify[] = {21, 3, 3, 0, 2, 1, 0};
    const struct handshake *h = handshake_named("tls12");
    struct feeder *f = feeder_new();
    feeder_give(f, SIDE_CLIENT, h->chunks[0].bytes, h->chunks[0].len);
    feeder_give(f, SIDE_SERVER, unrecognized, sizeof unrecognized);
    for (size_t i = 1; i < h->count; i++)
        feeder_give(f, h->chunks[i].side, h->chunks[i].bytes, h->chunks[i].len);
    feeder_end(f);
    assert_true(f->tls.established);
    assert_int_equal(f->tls.alert, -1);
    assert_int_equal(f->tls.warning, 112);
    assert_int_equal(f->tls.warning_by, SIDE_SERVER);
    free(f);
    f = feeder_new();
    feeder_give(f, SIDE_CLIENT, h->chunks[0].bytes, h->chunks[0].len);
    feeder_give(f, SIDE_SERVER, unrecognized, sizeof unrecognized);
    feeder_give(f, SIDE_SERVER, notify, sizeof notify);
    feeder_end(f);
    assert_int_equal(f->tls.alert, 112);
    assert_int_equal(f->tls.alert_level, 1);
    assert_int_equal(f->tls.warning, -1);
    assert_true(f->tls.close_notify_server);
    free(f);
}

/* TLS 1.3: the two session tickets after Finished are no answer to the request sent beside it. */
static void test_tickets_answer_nothing(void **state)
{
    (void)state;
    static uint8_t record[600] = {23, 3, 3};
    const struct handshake *h = handshake_named("tls13");
    struct feeder *f = feeder_new();
    for (size_t i = 0; i < 3; i++) /* to the client's Finished */
        feeder_give(f, h->chunks[i].side, h->chunks[i].bytes, h->chunks[i].len);
    record[4] = 80;
    feeder_give(f, SIDE_CLIENT, record, 85);
    assert_true(f->flow.facts & FLOW_FACT_REQUEST_OPEN);
    feeder_give(f, SIDE_SERVER, h->chunks[3].bytes, h->chunks[3].len);
    assert_true(f->flow.facts & FLOW_FACT_REQUEST_OPEN);
    assert_false(f->flow.facts & FLOW_FACT_ANSWERED);
    assert_int_equal(f->tls.server_app_records, 0);
    feeder_give(f, SIDE_SERVER, record, 85);
    assert_false(f->flow.facts & FLOW_FACT_REQUEST_OPEN);
    assert_true(f->flow.facts & FLOW_FACT_ANSWERED);
    /* close_notify opens no request */
    record[4] = 19;
    feeder_give(f, SIDE_CLIENT, record, 24);
    assert_false(f->flow.facts & FLOW_FACT_REQUEST_OPEN);
    feeder_end(f);
    assert_true(f->tls.close_notify_client);
    assert_int_equal(f->tls.alert, -1);
    free(f);
}

/* A client that hides its refusal: 19 instead of Finished (every stack but OpenSSL). */
static void test_hidden_refusal(void **state)
{
    (void)state;
    static uint8_t alert[24] = {23, 3, 3, 0, 19};
    const struct handshake *h = handshake_named("tls13_unknown_ca");
    struct feeder *f = feeder_new();
    for (size_t i = 0; i < 2; i++)
        feeder_give(f, h->chunks[i].side, h->chunks[i].bytes, h->chunks[i].len);
    feeder_give(f, SIDE_CLIENT, alert, sizeof alert);
    feeder_end(f);
    assert_int_equal(f->tls.alert, TLS_ALERT_HIDDEN);
    assert_int_equal(f->tls.alert_by, SIDE_CLIENT);
    assert_true(f->tls.alert_inferred);
    assert_int_equal(f->tls.alert_step, TLS_STEP_SERVER_DONE);
    assert_false(f->tls.established);
    free(f);
}

/* A client that says goodbye right behind its request (GnuTLS at the end of its input): an answer of an
 * alert's length alone is a refusal. Without a request it is only the goodbye of the other side. */
static void test_refusal_behind_a_goodbye(void **state)
{
    (void)state;
    static uint8_t alert[24] = {23, 3, 3, 0, 19}, request[5 + 146] = {23, 3, 3, 0, 146};
    const struct handshake *h = handshake_named("tls13_client_certificate_refused");
    for (int asks = 0; asks < 2; asks++) {
        struct feeder *f = feeder_new();
        for (size_t i = 0; i < 3; i++)
            feeder_give(f, h->chunks[i].side, h->chunks[i].bytes, h->chunks[i].len);
        if (asks)
            feeder_give(f, SIDE_CLIENT, request, sizeof request);
        feeder_give(f, SIDE_CLIENT, alert, sizeof alert);
        feeder_give(f, SIDE_SERVER, alert, sizeof alert);
        feeder_end(f);
        assert_int_equal(f->tls.established, !asks);
        assert_int_equal(f->tls.alert, asks ? TLS_ALERT_HIDDEN : -1);
        free(f);
    }
}

/* Application settings (draft-vvv-tls-alps): the client's own EncryptedExtensions, 10 bytes, come in one
 * record with its Finished. What follows is a request, no certificate. */
static void test_extensions_of_the_client(void **state)
{
    (void)state;
    static uint8_t finished[5 + 79] = {23, 3, 3}, request[5 + 551] = {23, 3, 3, 551 >> 8, 551 & 255};
    const struct handshake *h = handshake_named("tls13");
    struct feeder *f = feeder_new();
    for (size_t i = 0; i < 2; i++)
        feeder_give(f, h->chunks[i].side, h->chunks[i].bytes, h->chunks[i].len);
    finished[4] = f->tls.cipher == 0x1302 ? 79 : 63;
    feeder_give(f, SIDE_CLIENT, finished, 5u + finished[4]);
    feeder_give(f, SIDE_CLIENT, request, sizeof request);
    feeder_end(f);
    assert_true(f->tls.established);
    assert_false(f->tls.client_certificate_sent || f->tls.client_certificate_requested);
    assert_int_equal(f->tls.client_app_records, 1);
    free(f);
}

/* The server's close_notify long after a client certificate was accepted is no refusal. */
static void test_late_close_is_no_refusal(void **state)
{
    (void)state;
    static uint8_t alert[24] = {23, 3, 3, 0, 19};
    const struct handshake *h = handshake_named("tls13_client_certificate_refused");
    struct feeder *f = feeder_new();
    for (size_t i = 0; i < 3; i++)
        feeder_give(f, h->chunks[i].side, h->chunks[i].bytes, h->chunks[i].len);
    f->context.time_ns += 60000000000;
    feeder_give(f, SIDE_SERVER, alert, sizeof alert);
    feeder_end(f);
    assert_int_equal(f->tls.alert, -1);
    assert_true(f->tls.established);
    free(f);
}

/* ChangeCipherSpec of a renegotiation is wrapped: it counts, and reading goes on behind it. */
static void test_renegotiation(void **state)
{
    (void)state;
    static const uint8_t ccs[30] = {20, 3, 3, 0, 25};
    static const uint8_t data[45] = {23, 3, 3, 0, 40};
    const struct handshake *h = handshake_named("tls12");
    struct feeder *f = feeder_new();
    for (size_t i = 0; i < h->count; i++)
        feeder_give(f, h->chunks[i].side, h->chunks[i].bytes, h->chunks[i].len);
    assert_true(f->tls.established);
    assert_int_equal(f->tls.renegotiations, 0);
    uint64_t before = f->tls.client_app_records;
    for (int i = 0; i < 2; i++) {
        feeder_give(f, SIDE_CLIENT, ccs, sizeof ccs);
        feeder_give(f, SIDE_SERVER, ccs, sizeof ccs);
    }
    feeder_give(f, SIDE_CLIENT, data, sizeof data);
    assert_false(f->done[SIDE_CLIENT]);
    feeder_end(f);
    assert_int_equal(f->tls.renegotiations, 2);
    assert_int_equal(f->tls.client_app_records, before + 1);
    free(f);
}

static void test_sslv2_hello(void **state)
{
    (void)state;
    static const uint8_t hello[] = {0x80, 31, 1,    3, 1,  0,    6,  0,  0,  0,  16,
                                    0,    0,  0x39, 0, 0,  0x2f, 1,  2,  3,  4,  5,
                                    6,    7,  8,    9, 10, 11,   12, 13, 14, 15, 16};
    assert_int_equal(dissector_tls.looks_like(hello, 5, SIDE_CLIENT), MATCH_MORE);
    assert_int_equal(dissector_tls.looks_like(hello, sizeof hello, SIDE_CLIENT), MATCH_YES);
    struct feeder *f = feeder_new();
    feeder_give(f, SIDE_CLIENT, hello, sizeof hello);
    feeder_end(f);
    assert_int_equal(f->tls.version_offered, 0x0301);
    assert_int_equal(f->tls.step, TLS_STEP_CLIENT_HELLO);
    assert_int_equal(f->tls.client_hello_bytes, sizeof hello);
    free(f);
}

/* A hello whose cipher list is longer than itself was sent all the same. */
static void test_hello_past_reading(void **state)
{
    (void)state;
    uint8_t bytes[600];
    const struct chunk *hello = &handshake_named("tls12")->chunks[0];
    assert_in_range(hello->len, 80, sizeof bytes);
    memcpy(bytes, hello->bytes, hello->len);
    size_t ciphers_at = 5 + 4 + 2 + 32 + 1 + bytes[43];
    bytes[ciphers_at] = 0x7f;
    struct feeder *f = feeder_new();
    feeder_give(f, SIDE_CLIENT, bytes, hello->len);
    feeder_end(f);
    assert_int_equal(f->tls.step, TLS_STEP_CLIENT_HELLO);
    assert_int_equal(f->tls.client_hello_frame, 1);
    assert_int_equal(f->tls.version_offered, 0);
    assert_string_equal(f->tls.ja3, "");
    free(f);
}

static void test_looks_like(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[8];
        size_t len;
        enum dissector_match match;
    } table[] = {
        {{22}, 1, MATCH_MORE},
        {{22, 3}, 2, MATCH_MORE},
        {{22, 3, 1, 2}, 4, MATCH_MORE},
        {{22, 3, 1, 2, 0}, 5, MATCH_YES},
        {{22, 1, 1, 0, 47}, 5, MATCH_YES},   /* TLCP */
        {{23, 3, 3, 0x48, 0}, 5, MATCH_YES}, /* 18432 */
        {{23, 3, 3, 0x48, 1}, 5, MATCH_NO},
        {{22, 3, 1, 0, 0}, 5, MATCH_NO},
        {{20, 3, 3, 0, 1}, 5, MATCH_YES},
        {{20, 3, 3, 0, 2}, 5, MATCH_NO},
        {{22, 3, 5}, 3, MATCH_NO},
        {{22, 1, 2}, 3, MATCH_NO},
        {{19, 3, 1}, 3, MATCH_NO},
        {{'G', 'E', 'T', ' '}, 4, MATCH_NO},
        {{0x80, 0x2e, 4}, 3, MATCH_NO},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        assert_int_equal(dissector_tls.looks_like(table[i].bytes, table[i].len, SIDE_CLIENT),
                         table[i].match);
    const struct chunk *hello = &handshake_named("tls13")->chunks[0];
    assert_true(tls_is_client_hello(hello->bytes, 11));
    assert_false(tls_is_client_hello(hello->bytes, 10));
    const struct chunk *answer = &handshake_named("tls13")->chunks[1];
    assert_false(tls_is_client_hello(answer->bytes, answer->len));
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(tls_cipher_name(0x1301), "TLS_AES_128_GCM_SHA256");
    assert_string_equal(tls_cipher_name(0xc030), "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384");
    assert_string_equal(tls_cipher_name(0x00c6), "TLS_SM4_GCM_SM3");
    assert_string_equal(tls_cipher_name(0xe053), "ECC_SM4_GCM_SM3");
    assert_null(tls_cipher_name(0x0a0a));
    assert_string_equal(tls_alert_name(116), "certificate_required");
    assert_string_equal(tls_alert_name(205), "identity_need");
    assert_null(tls_alert_name(TLS_ALERT_HIDDEN));
    assert_string_equal(tls_group_name(0x11ec), "X25519MLKEM768");
    assert_string_equal(tls_group_name(41), "curveSM2");
    assert_string_equal(tls_version_name(0x7f1c), "TLS 1.3 draft 28");
    assert_null(tls_version_name(0x7f00));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connections),
        cmocka_unit_test(test_names_of_a_hello),
        cmocka_unit_test(test_tlcp_sends_two_certificates),
        cmocka_unit_test(test_client_certificate_rows),
        cmocka_unit_test(test_one_direction),
        cmocka_unit_test(test_middle_of_a_connection),
        cmocka_unit_test(test_answer_that_is_not_tls),
        cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_tickets_answer_nothing),
        cmocka_unit_test(test_hidden_refusal),
        cmocka_unit_test(test_refusal_behind_a_goodbye),
        cmocka_unit_test(test_extensions_of_the_client),
        cmocka_unit_test(test_late_close_is_no_refusal),
        cmocka_unit_test(test_renegotiation),
        cmocka_unit_test(test_sslv2_hello),
        cmocka_unit_test(test_hello_past_reading),
        cmocka_unit_test(test_looks_like),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, shared_setup, shared_teardown);
}
