/* Columns of ocsp_staples. */
#include "core/columns.h"

static const char *const statuses[] = {"", "good", "revoked", "unknown", NULL};
_Static_assert(sizeof statuses / sizeof statuses[0] == STAPLE_UNKNOWN + 2, "a name for each status");

#define RECORD staple_record
_Static_assert(offsetof(struct staple_record, der_len) ==
                   offsetof(struct staple_record, der) + sizeof(const uint8_t *),
               "the length of a blob lies right behind it");

static const struct column staple_columns[] = {
    COL(id, "", COLUMN_KEY, "Number of the response in order of first sight, from 1."),
    COL(sha256, "", 0, "SHA-256 of the DER bytes, hex."),
    COL(response, "", COLUMN_NEGATIVE_IS_NULL,
        "responseStatus (RFC 6960 4.2.1): 0 successful, 1 malformedRequest, 2 internalError, 3 "
        "tryLater, 5 sigRequired, 6 unauthorized; NULL unreadable."),
    COL(answers, "count", 0, "Certificates that it answers for."),
    NAMED(status, statuses, 0, "What the first answer says: good, revoked or unknown."),
    COL(serial, "", 0, "Serial number of the certificate of the first answer, hex."),
    COL(this_update_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
        "Time at which the first answer is known to be right, ns since 1970 UTC."),
    COL(next_update_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
        "Time by which a newer one is to be had, ns since 1970 UTC; NULL not told."),
    COL(revoked_ns, "ns", COLUMN_NEGATIVE_IS_NULL, "Time of the revocation, ns since 1970 UTC."),
    COL(reason, "", 0, "Reason of the revocation (RFC 5280 5.3.1)."),
    COL(responder, "", 0, "Name of the responder, or the hash of its key, hex."),
    COL(produced_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
        "Time at which the response was signed, ns since 1970 UTC."),
    COL(signature, "", 0, "Algorithm of the responder's signature, in OpenSSL's words."),
    COL(sct_count, "count", 0, "Certificate timestamps in the first answer (RFC 6962 3.3)."),
    COL(sct_logs, "", 0, "Ids of their logs, hex, comma separated; their signatures are not verified."),
    COL(parse_error, "", 0, "Why the response could not be read; NULL when it could."),
    COL(der, "", COLUMN_NOT_JSON, "The response itself, DER."),
    COL(first_seen_ns, "ns", 0, "Time of the packet that first showed it, ns since 1970 UTC."),
};

const struct record_table record_staples = {
    .kind = RECORD_STAPLE, .table = "ocsp_staples", .json_type = "staple",
    .sentence = "Each distinct OCSP response that a server stapled in clear, or in a session that keys "
                "opened, once per read.",
    .record_size = sizeof(struct staple_record), TABLE_OF(staple_columns)};
