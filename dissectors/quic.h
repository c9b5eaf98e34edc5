/* QUIC versions 1 and 2 (RFC 9000, 9001, 9369) and the late drafts, as far as everybody can read them:
 * Initial packets, Retry, Version Negotiation. Their CRYPTO frames carry the hellos of TLS 1.3. */
#ifndef INVCAP_DISSECTORS_QUIC_H
#define INVCAP_DISSECTORS_QUIC_H

#include "dissectors/datagram.h"

extern const struct datagram_dissector datagram_quic;

#endif
