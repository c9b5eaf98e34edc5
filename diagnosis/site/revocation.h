/* Questions whether a certificate was revoked, asked while a handshake waits: OCSP and CRLs (RFC 5280 4.2.1.13,
 * RFC 6960). */
#ifndef INVCAP_DIAGNOSIS_SITE_REVOCATION_H
#define INVCAP_DIAGNOSIS_SITE_REVOCATION_H

#include "diagnosis/site/judge.h"

struct revocation_question {
    const char *host;           /* that was asked, or looked up */
    int64_t from_ns, until_ns;  /* until the last answer, or as long as nothing came */
    bool answered;
    const struct site_flow *at; /* its connection; NULL: its name was looked for only */
};

/* Whether `asker`, an end of `flow`, asked so between from_ns and until_ns, and that took at least half of the
 * time: hosts named by the certificates that flow shows, or by any of the capture where it hides them, and requests
 * for revocation lists. */
bool revocation_find(const struct judge *judge, const struct site_flow *flow,
                     const struct site_host *asker, int64_t from_ns, int64_t until_ns,
                     struct revocation_question *out);

#endif
