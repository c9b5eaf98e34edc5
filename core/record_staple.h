/* ocsp_staples: OCSP responses that servers stapled to their handshakes (RFC 6066 8, RFC 6960). Included by
 * core/record.h. */
#ifndef INVCAP_CORE_RECORD_STAPLE_H
#define INVCAP_CORE_RECORD_STAPLE_H

#include <stdint.h>

/* Order is public (names in columns_staple.c). */
enum staple_status { STAPLE_NONE, STAPLE_GOOD, STAPLE_REVOKED, STAPLE_UNKNOWN };

struct staple_record {
    int64_t id;              /* 1.. in order of first sight */
    char sha256[65];
    int16_t response;        /* responseStatus: 0 successful, 1 malformedRequest ...; -1 unreadable */
    uint32_t answers;        /* certificates that it answers for */
    /* of the first answer: */
    uint8_t status;          /* enum staple_status */
    const char *serial;      /* hex, of the certificate it is about */
    int64_t this_update_ns, next_update_ns; /* -1 none */
    int64_t revoked_ns;      /* -1 not revoked */
    const char *reason;      /* why it was revoked, in the words of RFC 5280 5.3.1 */
    const char *responder;   /* name, or the hash of its key in hex */
    int64_t produced_ns;
    const char *signature;   /* OpenSSL's name of the algorithm */
    uint32_t sct_count;      /* certificate timestamps in the first answer (RFC 6962 3.3) */
    const char *sct_logs;    /* ids of their logs, hex, comma separated */
    const char *parse_error; /* set when the DER did not parse; then most fields are empty */
    const uint8_t *der;
    int64_t der_len;
    int64_t first_seen_ns;
};

#endif
