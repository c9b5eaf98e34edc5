/* What a client offered beside what its server is known to take from other handshakes. */
#ifndef INVCAP_DIAGNOSIS_SITE_OFFERS_H
#define INVCAP_DIAGNOSIS_SITE_OFFERS_H

#include "diagnosis/site/judge.h"

/* Adds "common": the versions of both lists; nothing while the server's are not known. */
void offers_add_versions(struct judge *judge, const struct site_flow *flow, struct claim *out);

/* Adds "client_ciphers" (hexadecimal, as sent), "server_ciphers", "common_ciphers" and the same of
 * groups; those of the server only where other handshakes of the capture showed some. A server that
 * took a suite and a group of this offer elsewhere had another reason: the confidence falls. */
void offers_add_parameters(struct judge *judge, const struct site_flow *flow, struct claim *out);

/* No handshake of the service succeeded with a version that this client offers. */
bool offers_share_no_version(const struct site_flow *flow);
/* The client offers only versions above one that the server chose for another client, which had offered
 * more: the server does not know them. */
bool offers_are_too_new(const struct site_flow *flow);

#endif
