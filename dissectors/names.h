/* Numbers of TLS and TLCP and their registered names. Constant data that lives as long as the
 * program; NULL where no name is known. */
#ifndef INVCAP_DISSECTORS_NAMES_H
#define INVCAP_DISSECTORS_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#define TLS_VERSION_SSL2 0x0002
#define TLS_VERSION_SSL3 0x0300
#define TLS_VERSION_10 0x0301
#define TLS_VERSION_11 0x0302
#define TLS_VERSION_12 0x0303
#define TLS_VERSION_13 0x0304
#define TLS_VERSION_TLCP 0x0101
#define DTLS_VERSION_10 0xfeff
#define DTLS_VERSION_12 0xfefd
#define DTLS_VERSION_13 0xfefc

/* GREASE (RFC 8701): 0x0a0a, 0x1a1a ... 0xfafa. */
bool tls_is_grease(uint16_t value);
/* "TLS 1.2", "TLCP 1.1", "TLS 1.3 draft 28". */
const char *tls_version_name(uint16_t version);
/* TLS 1.3 and DTLS 1.3, its drafts (0x7fNN) and Facebook's experiments (0xfbNN). */
bool tls_version_is_13(uint16_t version);
/* The IANA name, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", or that of GB/T 38636, "ECC_SM4_CBC_SM3".
 */
const char *tls_cipher_name(uint16_t cipher);
/* "x25519", "secp256r1", "curveSM2", "X25519MLKEM768". */
const char *tls_group_name(uint16_t group);
/* "handshake_failure"; TLCP's 200-205 too. */
const char *tls_alert_name(uint8_t alert);

#endif
