/* What a TLS alert before the end of the handshake means (RFC 8446 6, RFC 5246 7.2, GB/T 38636). */
#ifndef INVCAP_DIAGNOSIS_FLOW_ALERTS_H
#define INVCAP_DIAGNOSIS_FLOW_ALERTS_H

#include "core/catalogue.h"
#include "diagnosis/flow/facts.h"

enum {
    ALERT_BAD_RECORD_MAC = 20,
    ALERT_HANDSHAKE_FAILURE = 40,
    ALERT_BAD_CERTIFICATE = 42,
    ALERT_CERTIFICATE_UNKNOWN = 46,
    ALERT_UNKNOWN_CA = 48,
    ALERT_ACCESS_DENIED = 49,
    ALERT_DECRYPT_ERROR = 51,
    ALERT_PROTOCOL_VERSION = 70,
    ALERT_INSUFFICIENT_SECURITY = 71,
    ALERT_INTERNAL_ERROR = 80,
    ALERT_USER_CANCELED = 90,
    ALERT_UNRECOGNIZED_NAME = 112,
    ALERT_CERTIFICATE_REQUIRED = 116
};

/* The registered name, NULL when none is known. */
const char *alert_name(int alert);
/* The verdict that the flow's alert means by itself; false when no alert ended the handshake. */
bool alert_find_verdict(const struct flow_facts *f, enum finding_code *out);
/* Who is to blame for an alert that has no verdict of its own. */
enum culprit alert_culprit(int alert, enum side by);

#endif
