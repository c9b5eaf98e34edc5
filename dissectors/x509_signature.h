/* The server's signature over its key exchange in TLCP (GB/T 38636 6.4.5.4): that it holds the signing key, and
 * has bound its encryption certificate, or the parameters of this handshake, to both randoms. */
#ifndef INVCAP_DISSECTORS_X509_SIGNATURE_H
#define INVCAP_DISSECTORS_X509_SIGNATURE_H

#include "core/bytes.h"
#include "core/record.h"

struct tlcp_exchange {
    const uint8_t *randoms;                    /* of the client, then of the server */
    const struct certificate_record *sign, *enc; /* as sent first and second */
    struct cursor message;                     /* the body of ServerKeyExchange */
    uint16_t cipher;
};

/* What the signature is worth; TLS_SIGNATURE_NONE for suites whose keys are not SM2, and for messages that
 * have another form. Costs a few tenths of a millisecond. */
enum tls_signature tlcp_check_signature(const struct tlcp_exchange *exchange);

#endif
