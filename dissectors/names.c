#include "dissectors/names.h"

#include <stddef.h>

bool tls_is_grease(uint16_t value)
{
    return (value & 0x0f0f) == 0x0a0a && value >> 8 == (value & 0xff);
}

bool tls_version_is_13(uint16_t version)
{
    unsigned major = version >> 8;
    return version == TLS_VERSION_13 || version == DTLS_VERSION_13 || major == 0x7f || major == 0xfb;
}

static const char *const drafts[] = {
    [14] = "TLS 1.3 draft 14", [15] = "TLS 1.3 draft 15", [16] = "TLS 1.3 draft 16",
    [17] = "TLS 1.3 draft 17", [18] = "TLS 1.3 draft 18", [19] = "TLS 1.3 draft 19",
    [20] = "TLS 1.3 draft 20", [21] = "TLS 1.3 draft 21", [22] = "TLS 1.3 draft 22",
    [23] = "TLS 1.3 draft 23", [24] = "TLS 1.3 draft 24", [25] = "TLS 1.3 draft 25",
    [26] = "TLS 1.3 draft 26", [27] = "TLS 1.3 draft 27", [28] = "TLS 1.3 draft 28",
};

const char *tls_version_name(uint16_t version)
{
    unsigned low = version & 0xff;
    switch (version) {
    case TLS_VERSION_SSL2:
        return "SSL 2.0";
    case TLS_VERSION_SSL3:
        return "SSL 3.0";
    case TLS_VERSION_10:
        return "TLS 1.0";
    case TLS_VERSION_11:
        return "TLS 1.1";
    case TLS_VERSION_12:
        return "TLS 1.2";
    case TLS_VERSION_13:
        return "TLS 1.3";
    case TLS_VERSION_TLCP:
        return "TLCP 1.1";
    case DTLS_VERSION_10:
        return "DTLS 1.0";
    case DTLS_VERSION_12:
        return "DTLS 1.2";
    case DTLS_VERSION_13:
        return "DTLS 1.3";
    default:
        break;
    }
    if (version >> 8 == 0x7f && low < sizeof(drafts) / sizeof(drafts[0]))
        return drafts[low];
    return version >> 8 == 0xfb ? "TLS 1.3 (Facebook)" : NULL;
}

struct number_name {
    uint16_t number;
    const char *name;
};

/* IANA "TLS Supported Groups"; 41 is RFC 8998, 0x6399 the withdrawn Kyber draft still offered. */
static const struct number_name groups[] = {
    {1, "sect163k1"},
    {2, "sect163r1"},
    {3, "sect163r2"},
    {4, "sect193r1"},
    {5, "sect193r2"},
    {6, "sect233k1"},
    {7, "sect233r1"},
    {8, "sect239k1"},
    {9, "sect283k1"},
    {10, "sect283r1"},
    {11, "sect409k1"},
    {12, "sect409r1"},
    {13, "sect571k1"},
    {14, "sect571r1"},
    {15, "secp160k1"},
    {16, "secp160r1"},
    {17, "secp160r2"},
    {18, "secp192k1"},
    {19, "secp192r1"},
    {20, "secp224k1"},
    {21, "secp224r1"},
    {22, "secp256k1"},
    {23, "secp256r1"},
    {24, "secp384r1"},
    {25, "secp521r1"},
    {26, "brainpoolP256r1"},
    {27, "brainpoolP384r1"},
    {28, "brainpoolP512r1"},
    {29, "x25519"},
    {30, "x448"},
    {31, "brainpoolP256r1tls13"},
    {32, "brainpoolP384r1tls13"},
    {33, "brainpoolP512r1tls13"},
    {41, "curveSM2"},
    {256, "ffdhe2048"},
    {257, "ffdhe3072"},
    {258, "ffdhe4096"},
    {259, "ffdhe6144"},
    {260, "ffdhe8192"},
    {0x0200, "MLKEM512"},
    {0x0201, "MLKEM768"},
    {0x0202, "MLKEM1024"},
    {0x11eb, "SecP256r1MLKEM768"},
    {0x11ec, "X25519MLKEM768"},
    {0x11ed, "SecP384r1MLKEM1024"},
    {0x11ee, "curveSM2MLKEM768"},
    {0x6399, "X25519Kyber768Draft00"},
};

/* IANA "TLS Alerts"; 200-205 are GB/T 38636 6.4.2. */
static const struct number_name alerts[] = {
    {0, "close_notify"},
    {10, "unexpected_message"},
    {20, "bad_record_mac"},
    {21, "decryption_failed"},
    {22, "record_overflow"},
    {30, "decompression_failure"},
    {40, "handshake_failure"},
    {41, "no_certificate"},
    {42, "bad_certificate"},
    {43, "unsupported_certificate"},
    {44, "certificate_revoked"},
    {45, "certificate_expired"},
    {46, "certificate_unknown"},
    {47, "illegal_parameter"},
    {48, "unknown_ca"},
    {49, "access_denied"},
    {50, "decode_error"},
    {51, "decrypt_error"},
    {60, "export_restriction"},
    {70, "protocol_version"},
    {71, "insufficient_security"},
    {80, "internal_error"},
    {86, "inappropriate_fallback"},
    {90, "user_canceled"},
    {100, "no_renegotiation"},
    {109, "missing_extension"},
    {110, "unsupported_extension"},
    {111, "certificate_unobtainable"},
    {112, "unrecognized_name"},
    {113, "bad_certificate_status_response"},
    {114, "bad_certificate_hash_value"},
    {115, "unknown_psk_identity"},
    {116, "certificate_required"},
    {117, "general_error"},
    {120, "no_application_protocol"},
    {121, "ech_required"},
    {200, "unsupported_site2site"},
    {201, "no_area"},
    {202, "unsupported_areatype"},
    {203, "bad_ibcparam"},
    {204, "unsupported_ibcparam"},
    {205, "identity_need"},
};

static const char *name_of(const struct number_name *table, size_t count, uint16_t number)
{
    for (size_t i = 0; i < count; i++) {
        if (table[i].number == number)
            return table[i].name;
    }
    return NULL;
}

const char *tls_group_name(uint16_t group)
{
    return name_of(groups, sizeof(groups) / sizeof(groups[0]), group);
}

const char *tls_alert_name(uint8_t alert)
{
    return name_of(alerts, sizeof(alerts) / sizeof(alerts[0]), alert);
}
