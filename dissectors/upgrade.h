/* Protocols that begin in clear and go over to TLS (or whatever comes inside) on the same connection:
 * STARTTLS and its kin, SOCKS, the PROXY protocol, database greetings. Read for their framing alone,
 * on any port; nothing of them is kept.
 *
 * A watcher (dissector.watches): the flow stays without a name while it waits, and is given back
 * unnamed when LIMIT_UPGRADE_BYTES have gone by. */
#ifndef INVCAP_DISSECTORS_UPGRADE_H
#define INVCAP_DISSECTORS_UPGRADE_H

#include "dissectors/dissector.h"

extern const struct dissector dissector_upgrade;

/* TLS begins with these bytes: a ClientHello of the client, or a ServerHello when the client was not
 * seen. */
enum dissector_match upgrade_begins_tls(const uint8_t *bytes, size_t len, enum side side);

#endif
