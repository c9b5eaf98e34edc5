/* Columns of secrets. */
#include "core/columns.h"

const char *const column_secret_kinds[] = {"",         "basic",    "bearer", "jwt", "api-key",
                                           "userinfo", "password", "token",  NULL};
static const char *const places[] = {"header", "cookie", "url", "body", "command", NULL};
_Static_assert(sizeof column_secret_kinds / sizeof column_secret_kinds[0] == SECRET_TOKEN + 2,
               "a name for each kind");
_Static_assert(sizeof places / sizeof places[0] == SECRET_IN_COMMAND + 2, "a name for each place");

#define RECORD secret_record
static const struct column secret_columns[] = {
    REF(flow_id, "flows(id)", COLUMN_KEY, "The connection that carried it."),
    COL(number, "", COLUMN_KEY, "Order within the connection, from 1."),
    COL(request_number, "", 0, "Number of the request in http_transactions; 0 where it was a command."),
    NAMED(kind, column_secret_kinds, 0,
          "basic (user and password), bearer, jwt, api-key, userinfo (user:password in a URL), "
          "password (of a URL, form or document) or token (access_token and the like)."),
    NAMED(place, places, 0, "Where it stood: header, cookie, url, body, or command (FTP PASS)."),
    NAMED(side, column_sides, 0, "Side that sent it."),
    COL(hash, "", 0, "First 64 bits of SHA-256 over the read's salt and the value, hex: equal values "
        "of one read have equal hashes; the value itself is never kept."),
    COL(length, "bytes", 0, "Length of the value."),
    COL(algorithm, "", 0, "JWT: the algorithm of its signature."),
    COL(issuer, "", 0, "JWT: who issued it (iss)."),
    COL(issued_ns, "ns", COLUMN_NEGATIVE_IS_NULL, "JWT: when it was issued (iat), ns since 1970 UTC."),
    COL(expires_ns, "ns", COLUMN_NEGATIVE_IS_NULL, "JWT: when it expires (exp), ns since 1970 UTC."),
    COL(time_ns, "ns", 0, "When it was sent, ns since 1970 UTC."),
    COL(frame, "", COLUMN_ZERO_IS_NULL, "Frame in which the message that holds it begins."),
};

const struct record_table record_secrets = {
    .kind = RECORD_SECRET, .table = "secrets", .json_type = "secret",
    .sentence = "One row per token or password sent in a way that the capture can read: kind, place "
                "and salted hash, never the value. The same one in the same place counts once a "
                "connection.",
    .record_size = sizeof(struct secret_record), TABLE_OF(secret_columns)};
