#include "dissectors/http_fields.h"

#include <string.h>
#include <strings.h>

enum field {
    FIELD_ACCESS_TOKEN,
    FIELD_AGE,
    FIELD_AUTHORIZATION,
    FIELD_CONTENT_TYPE,
    FIELD_COOKIE,
    FIELD_DATE,
    FIELD_FETCH_METADATA,
    FIELD_FORWARDED_SCHEME,
    FIELD_GRPC_STATUS,
    FIELD_GRPC_TIMEOUT,
    FIELD_HSTS,
    FIELD_LOCATION,
    FIELD_SET_COOKIE,
    FIELD_CACHE_STATUS,
    FIELD_OTHER
};

#define FIELD(a_name, a_field) {a_name, sizeof(a_name) - 1, a_field}

static const struct {
    const char *name;
    size_t len;
    enum field field;
} known[] = {
    FIELD("age", FIELD_AGE),
    FIELD("date", FIELD_DATE),
    FIELD("cookie", FIELD_COOKIE),
    FIELD("apikey", FIELD_ACCESS_TOKEN),
    FIELD("x-cache", FIELD_CACHE_STATUS),
    FIELD("api-key", FIELD_ACCESS_TOKEN),
    FIELD("location", FIELD_LOCATION),
    FIELD("x-api-key", FIELD_ACCESS_TOKEN),
    FIELD("set-cookie", FIELD_SET_COOKIE),
    FIELD("grpc-status", FIELD_GRPC_STATUS),
    FIELD("cache-status", FIELD_CACHE_STATUS),
    FIELD("grpc-timeout", FIELD_GRPC_TIMEOUT),
    FIELD("content-type", FIELD_CONTENT_TYPE),
    FIELD("x-auth-token", FIELD_ACCESS_TOKEN),
    FIELD("access-token", FIELD_ACCESS_TOKEN),
    FIELD("sec-fetch-site", FIELD_FETCH_METADATA),
    FIELD("x-proxy-cache", FIELD_CACHE_STATUS),
    FIELD("authorization", FIELD_AUTHORIZATION),
    FIELD("x-access-token", FIELD_ACCESS_TOKEN),
    FIELD("x-cache-status", FIELD_CACHE_STATUS),
    FIELD("cf-cache-status", FIELD_CACHE_STATUS),
    FIELD("x-forwarded-proto", FIELD_FORWARDED_SCHEME),
    FIELD("proxy-authorization", FIELD_AUTHORIZATION),
    FIELD("strict-transport-security", FIELD_HSTS),
};

static enum field field_of(struct http_text name)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (known[i].len == name.len && (name.at[0] | 0x20) == known[i].name[0] &&
            strncasecmp(name.at, known[i].name, name.len) == 0)
            return known[i].field;
    }
    return FIELD_OTHER;
}

static bool begins(struct http_text t, const char *word)
{
    size_t len = strlen(word);
    return t.len >= len && strncasecmp(t.at, word, len) == 0;
}

static bool holds(struct http_text t, const char *word)
{
    size_t len = strlen(word);
    for (size_t i = 0; i + len <= t.len; i++) {
        if ((t.at[i] | 0x20) == word[0] && strncasecmp(t.at + i, word, len) == 0)
            return true;
    }
    return false;
}

static void note_type(struct http_text value, struct http_fields *out)
{
    if (begins(value, "application/grpc"))
        out->kind = HTTP_GRPC;
    else if (begins(value, "text/event-stream"))
        out->kind = HTTP_EVENTS;
    else
        out->body_is_text = holds(value, "json") || holds(value, "xml") || holds(value, "form");
}

static int two_digits(const char *at)
{
    bool digits = at[0] >= '0' && at[0] <= '9' && at[1] >= '0' && at[1] <= '9';
    return digits ? (at[0] - '0') * 10 + at[1] - '0' : -1;
}

/* Days since 1970-01-01 of the proleptic Gregorian calendar; month 1..12. */
static int64_t days_of(int64_t year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = y / 400, of_era = y % 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

int64_t http_date(struct http_text value)
{
    /* "Sun, 06 Nov 1994 08:49:37 GMT" */
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if (value.len != 29 || memcmp(value.at + 25, " GMT", 4) != 0 || value.at[3] != ',')
        return RECORD_NONE_NS;
    const char *at = value.at;
    int month = 0;
    while (month < 12 && memcmp(months + 3 * month, at + 8, 3) != 0)
        month++;
    int day = two_digits(at + 5), century = two_digits(at + 12), year = two_digits(at + 14);
    int hour = two_digits(at + 17), minute = two_digits(at + 20), second = two_digits(at + 23);
    if (month == 12 || day < 1 || day > 31 || century < 19 || year < 0 || hour < 0 || hour > 23 ||
        minute < 0 || minute > 59 || second < 0 || second > 60 || century > 21)
        return RECORD_NONE_NS;
    int64_t days = days_of(century * 100 + year, month + 1, day);
    return days < 0 ? RECORD_NONE_NS
                    : (((days * 24 + hour) * 60 + minute) * 60 + second) * 1000000000;
}

static int16_t grpc_status(struct http_text value)
{
    if (value.len == 0 || value.len > 2)
        return -1;
    int status = 0;
    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] < '0' || value.at[i] > '9')
            return -1;
        status = status * 10 + value.at[i] - '0';
    }
    return (int16_t)status;
}

/* At most eight digits and a unit (gRPC over HTTP/2, "Timeout"). */
static int64_t grpc_timeout(struct http_text value)
{
    static const struct {
        char unit;
        int64_t ns;
    } units[] = {{'n', 1},          {'u', 1000},         {'m', 1000000},
                 {'S', 1000000000}, {'M', 60000000000},  {'H', 3600000000000}};
    int64_t count = 0;
    size_t digits = 0;
    while (digits < value.len && digits < 8 && value.at[digits] >= '0' && value.at[digits] <= '9')
        count = count * 10 + value.at[digits++] - '0';
    if (digits == 0 || digits + 1 != value.len)
        return RECORD_NONE_NS;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (units[i].unit == value.at[digits])
            return count < INT64_MAX / units[i].ns ? count * units[i].ns : RECORD_NONE_NS;
    }
    return RECORD_NONE_NS;
}

void http_fields_start(struct http_fields *out)
{
    *out = (struct http_fields){.grpc_status = -1, .deadline_ns = RECORD_NONE_NS, .date_ns = RECORD_NONE_NS};
}

void http_fields_note(struct http_text name, struct http_text value, struct secrets *secrets,
                      struct http_fields *out)
{
    switch (field_of(name)) {
    case FIELD_AUTHORIZATION:
        out->has_credentials = true;
        secrets_from_authorization(secrets, value);
        break;
    case FIELD_ACCESS_TOKEN:
        secrets_from_key_field(secrets, value);
        break;
    case FIELD_COOKIE:
        out->has_credentials = true;
        secrets_from_cookie(secrets, value);
        break;
    case FIELD_SET_COOKIE:
        secrets_from_cookie(secrets, value);
        break;
    case FIELD_CONTENT_TYPE:
        note_type(value, out);
        break;
    case FIELD_DATE:
        out->date_ns = http_date(value);
        break;
    case FIELD_AGE:
        out->cached = true;
        break;
    case FIELD_CACHE_STATUS: /* "HIT from cache", "squid; hit" (RFC 9211) */
        out->cached = out->cached || holds(value, "hit");
        break;
    case FIELD_FETCH_METADATA: /* browsers send it to secure origins only (Fetch Metadata, 3) */
        out->from_https = true;
        break;
    case FIELD_FORWARDED_SCHEME:
        out->from_https = out->from_https || begins(value, "https");
        break;
    case FIELD_GRPC_STATUS:
        out->grpc_status = grpc_status(value);
        break;
    case FIELD_GRPC_TIMEOUT:
        out->deadline_ns = grpc_timeout(value);
        break;
    case FIELD_HSTS:
        out->hsts = true;
        break;
    case FIELD_LOCATION:
        out->to_https = begins(value, "https:");
        break;
    case FIELD_OTHER:
        break;
    }
}

void http_fields_of_request(const struct http_fields *fields, const struct secrets *secrets,
                            struct http_record *out)
{
    out->kind = fields->kind;
    out->has_credentials = fields->has_credentials;
    out->from_https = fields->from_https;
    for (size_t i = 0; i < secrets->count && out->credentials == SECRET_NONE; i++) {
        const struct secret_fact *fact = &secrets->at[i];
        if (fact->kind == SECRET_PASSWORD || fact->place == SECRET_IN_BODY)
            continue;
        out->credentials = fact->kind;
        memcpy(out->credentials_hash, fact->hash, sizeof out->credentials_hash);
        out->token_expires_ns = fact->expires_ns;
    }
}

void http_fields_of_response(const struct http_fields *fields, struct http_record *out)
{
    if (fields->kind != HTTP_PLAIN)
        out->kind = fields->kind;
    out->hsts = fields->hsts;
    out->to_https = fields->to_https && out->status >= 300 && out->status < 400;
    out->date_ns = fields->cached ? RECORD_NONE_NS : fields->date_ns;
    if (fields->grpc_status >= 0)
        out->grpc_status = fields->grpc_status;
}
