/* HTTP/1.x in clear (RFC 9112): pairs requests with answers and times them. Passive: joins late,
 * resynchronises after gaps, never keeps a body. Each transaction becomes a RECORD_HTTP. */
#ifndef INVCAP_DISSECTORS_HTTP_H
#define INVCAP_DISSECTORS_HTTP_H

#include "dissectors/dissector.h"

extern const struct dissector dissector_http;

#endif
