/* DTLS 1.0, 1.2 and 1.3 (RFC 4347, 6347, 9147), as far as they can be read without keys: fragments put
 * together, cookies passed, the same facts as of TLS. Other datagrams of the flow (STUN, SRTP) are passed
 * over. */
#ifndef INVCAP_DISSECTORS_DTLS_H
#define INVCAP_DISSECTORS_DTLS_H

#include "dissectors/datagram.h"

extern const struct datagram_dissector datagram_dtls;

#endif
