/* HTTP/2 in clear (RFC 9113): by prior knowledge, behind an upgrade or a tunnel. Frames are ours, header
 * compression is dissectors/hpack.h. Each stream becomes a RECORD_HTTP, the connection a RECORD_H2.
 * Joins late: the first frames that can be told apart, names of unseen table entries unknown. */
#ifndef INVCAP_DISSECTORS_H2_H
#define INVCAP_DISSECTORS_H2_H

#include "dissectors/dissector.h"

extern const struct dissector dissector_h2;

#endif
