/* Signed certificate timestamps (RFC 6962 3.3): which logs promised to list a certificate. Their signatures are
 * not verified: the keys of the logs are not known here. */
#ifndef INVCAP_DISSECTORS_SCT_H
#define INVCAP_DISSECTORS_SCT_H

#include "core/bytes.h"
#include "core/intern.h"

/* Reads a SignedCertificateTimestampList: *count is how many timestamps of version 1 it holds; the result names
 * their logs by id, hex, comma separated, the first LIMIT_SCT_LOGS of them. 0 and NULL when it is none. */
const char *sct_list_read(struct cursor list, struct intern *strings, uint32_t *count);

#endif
