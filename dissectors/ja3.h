/* Fingerprints of hellos: JA3, JA3S (salesforce/ja3) and JA4 (FoxIO, client part, BSD-3). */
#ifndef INVCAP_DISSECTORS_JA3_H
#define INVCAP_DISSECTORS_JA3_H

#include "dissectors/tls_hello.h"

#define JA3_SIZE 33
#define JA4_SIZE 40

/* MD5 of "version,ciphers,extensions,groups,formats" in lower-case hex; "" when the lists are
 * longer than any honest hello's. */
void ja3_of_client(const struct tls_client_hello *hello, char out[JA3_SIZE]);
/* MD5 of "version,cipher,extensions". */
void ja3_of_server(const struct tls_server_hello *hello, char out[JA3_SIZE]);
/* JA4 of a hello over transport t (TCP), q (QUIC) or d (DTLS): "t13d1516h2_8daaf6152771_e5627efa2ab1". */
void ja4_of_client(const struct tls_client_hello *hello, char transport, char out[JA4_SIZE]);

#endif
