/* What certificates and OCSP answers carry besides: timestamps of logs, where to ask for revocations. Not for other
 * modules. */
#ifndef INVCAP_DISSECTORS_X509_EXTENSIONS_H
#define INVCAP_DISSECTORS_X509_EXTENSIONS_H

#include "core/intern.h"

#include <stdint.h>

struct x509_st;
struct X509_extension_st;

/* "ocsp:http://a/,crl:http://b/c.crl": of the authority's information access and of the distribution points; NULL
 * none. */
const char *x509_revocation_text(const struct x509_st *certificate, struct intern *strings);
/* The logs of the list of timestamps (RFC 6962 3.3) in that extension, as sct_list_read tells them. */
const char *x509_sct_logs(struct X509_extension_st *extension, struct intern *strings,
                          uint32_t *count);

#endif
