#include "diagnosis/flow/alerts.h"

#include <stddef.h>

#define LEVEL_WARNING 1

struct alert_row {
    uint8_t number;
    const char *name;
    enum culprit by_client, by_server; /* FACTS.md 2.8 */
};

#define C CULPRIT_CLIENT
#define S CULPRIT_SERVER
#define U CULPRIT_UNKNOWN
static const struct alert_row alerts[] = {
    {0, "close_notify", U, U},
    {10, "unexpected_message", U, U},
    {20, "bad_record_mac", U, U},
    {21, "decryption_failed", U, U},
    {22, "record_overflow", U, U},
    {30, "decompression_failure", U, U},
    {40, "handshake_failure", U, U},
    {41, "no_certificate", C, C},
    {42, "bad_certificate", S, C},
    {43, "unsupported_certificate", S, C},
    {44, "certificate_revoked", S, C},
    {45, "certificate_expired", S, C},
    {46, "certificate_unknown", S, C},
    {47, "illegal_parameter", U, U},
    {48, "unknown_ca", C, C},
    {49, "access_denied", S, C},
    {50, "decode_error", U, U},
    {51, "decrypt_error", S, C},
    {60, "export_restriction", U, U},
    {70, "protocol_version", U, U},
    {71, "insufficient_security", U, U},
    {80, "internal_error", C, S},
    {86, "inappropriate_fallback", U, U},
    {90, "user_canceled", C, S},
    {100, "no_renegotiation", U, U},
    {109, "missing_extension", S, C},
    {110, "unsupported_extension", S, C},
    {111, "certificate_unobtainable", U, U},
    {112, "unrecognized_name", C, C},
    {113, "bad_certificate_status_response", S, U},
    {114, "bad_certificate_hash_value", U, U},
    {115, "unknown_psk_identity", U, C},
    {116, "certificate_required", U, C},
    {117, "general_error", C, S},
    {120, "no_application_protocol", S, U},
    {121, "ech_required", U, U},
    {200, "unsupported_site2site", U, U},
    {201, "no_area", U, U},
    {202, "unsupported_areatype", U, U},
    {203, "bad_ibcparam", U, U},
    {204, "unsupported_ibcparam", U, U},
    {205, "identity_need", U, C},
};
#undef C
#undef S
#undef U

static const struct alert_row *find(int alert)
{
    for (size_t i = 0; i < sizeof alerts / sizeof alerts[0]; i++) {
        if (alerts[i].number == alert)
            return &alerts[i];
    }
    return NULL;
}

const char *alert_name(int alert)
{
    const struct alert_row *row = find(alert);
    return row != NULL ? row->name : NULL;
}

enum culprit alert_culprit(int alert, enum side by)
{
    const struct alert_row *row = find(alert);
    if (row == NULL)
        return CULPRIT_UNKNOWN;
    return by == SIDE_CLIENT ? row->by_client : row->by_server;
}

static enum finding_code by_client(const struct tls_facts *t)
{
    if (t->alert_inferred)
        return FINDING_TLS_HANDSHAKE_ABORTED; /* its number cannot be read */
    if (t->alert == ALERT_UNKNOWN_CA)
        return FINDING_TLS_UNKNOWN_CA;
    if (t->alert >= ALERT_BAD_CERTIFICATE && t->alert <= ALERT_CERTIFICATE_UNKNOWN)
        return FINDING_TLS_CERTIFICATE_REFUSED;
    if (t->alert == ALERT_PROTOCOL_VERSION)
        return FINDING_TLS_VERSION_MISMATCH;
    return FINDING_TLS_ALERT;
}

static bool refuses_certificate(int alert)
{
    return (alert >= ALERT_BAD_CERTIFICATE && alert <= ALERT_CERTIFICATE_UNKNOWN) ||
           alert == ALERT_UNKNOWN_CA || alert == ALERT_ACCESS_DENIED ||
           alert == ALERT_DECRYPT_ERROR;
}

/* What servers say when nothing was sent: 40 (OpenSSL), 42 (Java), 50 (GnuTLS); not what tells that
 * the keys of both ends differ. */
static bool fits_missing(const struct tls_facts *t)
{
    if (t->certificate_empty)
        return t->alert != ALERT_BAD_RECORD_MAC && t->alert != ALERT_DECRYPT_ERROR;
    return t->alert_step >= TLS_STEP_SERVER_DONE &&
           (t->alert == ALERT_HANDSHAKE_FAILURE || t->alert == ALERT_BAD_CERTIFICATE);
}

/* handshake_failure as the server's first word is about the offers. Where something of the server may be missing
 * before it, its hello may be what is missing, and the alert about anything that came later. */
static bool refuses_offers(const struct flow_facts *f)
{
    const struct tls_facts *t = f->tls;
    return (t->alert == ALERT_HANDSHAKE_FAILURE || t->alert == ALERT_INSUFFICIENT_SECURITY) &&
           t->server_hello_ns < 0 && facts_is_heard_whole(f, SIDE_SERVER);
}

static enum finding_code by_server(const struct flow_facts *f)
{
    const struct tls_facts *t = f->tls;
    bool missing = t->certificate_requested && !t->certificate_sent;
    if (t->alert == ALERT_CERTIFICATE_REQUIRED)
        return FINDING_TLS_CLIENT_CERTIFICATE_MISSING;
    if (t->alert_inferred)
        return t->certificate_sent ? FINDING_TLS_CLIENT_CERTIFICATE_REFUSED
                                   : FINDING_TLS_HANDSHAKE_ABORTED;
    if (missing && fits_missing(t))
        return FINDING_TLS_CLIENT_CERTIFICATE_MISSING;
    if (t->certificate_sent && refuses_certificate(t->alert))
        return FINDING_TLS_CLIENT_CERTIFICATE_REFUSED;
    if (t->alert == ALERT_PROTOCOL_VERSION)
        return FINDING_TLS_VERSION_MISMATCH;
    if (t->alert == ALERT_UNRECOGNIZED_NAME)
        return FINDING_TLS_UNRECOGNIZED_NAME;
    if (refuses_offers(f))
        return FINDING_TLS_NO_SHARED_CIPHER;
    return FINDING_TLS_ALERT;
}

bool alert_find_verdict(const struct flow_facts *f, enum finding_code *out)
{
    const struct tls_facts *t = f->tls;
    if (t == NULL || t->alert <= 0 || t->plaintext_client || t->plaintext_server)
        return false;
    if (t->established || t->alert_by > SIDE_SERVER)
        return false;
    /* RFC 5246 7.2: a warning ends nothing by itself; behind this one the handshake went on. */
    if (t->alert_level == LEVEL_WARNING && t->step > t->alert_step)
        return false;
    /* What a side says after the other has left in the middle of nothing is only an echo of that. */
    const struct tcp_side_facts *peer = &f->tcp->side[!t->alert_by];
    if (t->server_hello_ns < 0 && t->alert_by == SIDE_CLIENT && peer->fin_ns >= 0 &&
        peer->fin_ns < t->alert_ns)
        return false;
    *out = t->alert_by == SIDE_CLIENT ? by_client(t) : by_server(f);
    return true;
}
