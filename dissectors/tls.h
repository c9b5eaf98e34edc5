/* TLS 1.0-1.3, SSL 2.0/3.0 and TLCP (GB/T 38636) on any port, as far as they can be read without
 * keys.
 *
 * Fills the struct tls_record of its flow. "Client" in it is whoever sent the ClientHello, also
 * where that is the end that accepted the TCP connection (active FTPS). Application data and
 * encrypted records are passed over by their length and never buffered. */
#ifndef INVCAP_DISSECTORS_TLS_H
#define INVCAP_DISSECTORS_TLS_H

#include "dissectors/dissector.h"

extern const struct dissector dissector_tls;

/* Whether the bytes begin with a ClientHello beyond doubt (11 bytes are enough): for the search for
 * TLS that starts inside another protocol (STARTTLS, CONNECT, SOCKS, PROXY). */
bool tls_is_client_hello(const uint8_t *bytes, size_t len);

/* The same of a ServerHello, for captures that lack the client. */
bool tls_is_server_hello(const uint8_t *bytes, size_t len);
/* Bytes that both need. */
#define TLS_HELLO_START 11

/* The certificates seen in this flow, in order of appearance; flow_id is left 0. Borrowed from the
 * state: also good after close, as long as the state's memory lives. */
const struct tls_certificate_record *tls_state_certificates(const void *state, size_t *count);

#endif
