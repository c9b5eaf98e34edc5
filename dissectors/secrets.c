#include "dissectors/secrets.h"

#include "dissectors/secrets_jwt.h"

#include <string.h>
#include <strings.h>

#define NAME_MAX_LEN 40
/* Shorter values under a name that says "token" are counters, page marks, captcha answers. */
#define TOKEN_LEAST 20
#define BEARER_LEAST 8

static void add(struct secrets *secrets, enum secret_kind kind, enum secret_place place,
                struct http_text value)
{
    if (secrets->count == SECRETS_MAX)
        return;
    struct secret_fact *fact = &secrets->at[secrets->count++];
    *fact = (struct secret_fact){.kind = (uint8_t)kind,
                                 .place = (uint8_t)place,
                                 .length = (uint32_t)value.len,
                                 .issued_ns = RECORD_NONE_NS,
                                 .expires_ns = RECORD_NONE_NS};
    if (jwt_read(value, secrets->strings, fact))
        fact->kind = SECRET_JWT;
    secret_hash(secrets->salt, value, fact->hash);
}

static bool starts_with(struct http_text t, const char *word)
{
    size_t len = strlen(word);
    return t.len >= len && strncasecmp(t.at, word, len) == 0;
}

static struct http_text behind(struct http_text t, size_t used)
{
    t.at += used;
    t.len -= used;
    while (t.len > 0 && *t.at == ' ') {
        t.at++;
        t.len--;
    }
    return t;
}

void secrets_from_authorization(struct secrets *secrets, struct http_text value)
{
    if (starts_with(value, "basic ")) {
        struct http_text user = behind(value, 6);
        if (secret_is_user_password(user))
            add(secrets, SECRET_BASIC, SECRET_IN_HEADER, user);
    } else if (starts_with(value, "bearer ")) {
        struct http_text token = behind(value, 7);
        if (token.len >= BEARER_LEAST)
            add(secrets, SECRET_BEARER, SECRET_IN_HEADER, token);
    } else if (jwt_is(value)) {
        add(secrets, SECRET_JWT, SECRET_IN_HEADER, value);
    }
}

/* A value that says nothing: empty, a mask, a placeholder. */
static bool is_blank(struct http_text value)
{
    if (value.len == 0 || *value.at == '$' || *value.at == '{' || *value.at == '%')
        return true;
    for (size_t i = 1; i < value.len; i++) {
        if (value.at[i] != value.at[0])
            return false;
    }
    return value.len > 1 || *value.at == '*';
}

void secrets_from_key_field(struct secrets *secrets, struct http_text value)
{
    if (starts_with(value, "bearer "))
        value = behind(value, 7);
    if (value.len >= BEARER_LEAST && !is_blank(value))
        add(secrets, SECRET_API_KEY, SECRET_IN_HEADER, value);
}

void secrets_from_cookie(struct secrets *secrets, struct http_text value)
{
    while (value.len > 0) {
        const char *end = memchr(value.at, ';', value.len);
        size_t len = end != NULL ? (size_t)(end - value.at) : value.len;
        const char *equals = memchr(value.at, '=', len);
        if (equals != NULL) {
            struct http_text one = {equals + 1, len - (size_t)(equals + 1 - value.at)};
            if (jwt_is(one))
                add(secrets, SECRET_JWT, SECRET_IN_COOKIE, one);
        }
        value = behind(value, end != NULL ? len + 1 : len);
    }
}

/* ---- names that announce a secret ------------------------------------------------------------- */

static const struct named {
    const char *name;
    enum secret_kind kind;
    size_t least; /* bytes of the value */
} names[] = {
    {"password", SECRET_PASSWORD, 1},      {"passwd", SECRET_PASSWORD, 1},
    {"pwd", SECRET_PASSWORD, 1},           {"passphrase", SECRET_PASSWORD, 1},
    {"client_secret", SECRET_PASSWORD, 8}, {"access_token", SECRET_TOKEN, 8},
    {"accesstoken", SECRET_TOKEN, 8},      {"refresh_token", SECRET_TOKEN, 8},
    {"refreshtoken", SECRET_TOKEN, 8},     {"id_token", SECRET_TOKEN, 8},
    {"auth_token", SECRET_TOKEN, 8},       {"token", SECRET_TOKEN, TOKEN_LEAST},
    {"jwt", SECRET_TOKEN, TOKEN_LEAST},    {"api_key", SECRET_API_KEY, 8},
    {"apikey", SECRET_API_KEY, 8},         {"api-key", SECRET_API_KEY, 8},
};

static const struct named *find_name(struct http_text name)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (name.len == strlen(names[i].name) &&
            strncasecmp(name.at, names[i].name, name.len) == 0)
            return &names[i];
    }
    if (name.len > 8 && strncasecmp(name.at + name.len - 8, "password", 8) == 0)
        return &names[0]; /* j_password, user_password */
    return NULL;
}

static void add_named(struct secrets *secrets, const struct named *named, enum secret_place place,
                      struct http_text value)
{
    if (value.len >= named->least && !is_blank(value))
        add(secrets, named->kind, place, value);
}

static size_t until(struct http_text t, size_t from, const char *stops)
{
    while (from < t.len && t.at[from] != '\0' && strchr(stops, t.at[from]) == NULL)
        from++;
    return from;
}

static void note_parameter(struct secrets *secrets, struct http_text one)
{
    const char *equals = memchr(one.at, '=', one.len);
    if (equals == NULL)
        return;
    struct http_text name = {one.at, (size_t)(equals - one.at)};
    struct http_text value = {equals + 1, one.len - name.len - 1};
    const struct named *named = find_name(name);
    if (named != NULL)
        add_named(secrets, named, SECRET_IN_URL, value);
    else if (jwt_is(value))
        add(secrets, SECRET_JWT, SECRET_IN_URL, value);
}

void secrets_from_target(struct secrets *secrets, struct http_text target)
{
    const char *scheme = memmem(target.at, target.len, "://", 3);
    const char *query = memchr(target.at, '?', target.len);
    if (scheme != NULL && *target.at != '/' && (query == NULL || scheme < query)) {
        struct http_text host = {scheme + 3, target.len - (size_t)(scheme + 3 - target.at)};
        host.len = until(host, 0, "/?#");
        const char *at = memrchr(host.at, '@', host.len);
        const char *colon = at != NULL ? memchr(host.at, ':', (size_t)(at - host.at)) : NULL;
        if (colon != NULL && at - colon > 1)
            add(secrets, SECRET_USERINFO, SECRET_IN_URL,
                (struct http_text){host.at, (size_t)(at - host.at)});
    }
    if (query == NULL)
        return;
    struct http_text rest = {query + 1, target.len - (size_t)(query + 1 - target.at)};
    while (rest.len > 0) {
        size_t len = until(rest, 0, "&;#");
        note_parameter(secrets, (struct http_text){rest.at, len});
        rest.at += len < rest.len ? len + 1 : len;
        rest.len -= len < rest.len ? len + 1 : len;
    }
}

/* ---- bodies ----------------------------------------------------------------------------------- */

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

static size_t pass_blanks(struct http_text t, size_t at)
{
    while (at < t.len && (t.at[at] == ' ' || t.at[at] == '\t' || t.at[at] == '\r' || t.at[at] == '\n'))
        at++;
    return at;
}

/* The value that follows a name which ends at `at`: name=value&, "name": "value", <name>value<, or
 * name="name" CR LF CR LF value of a multipart form. Length 0: none. */
static struct http_text value_behind(struct http_text t, size_t at)
{
    static const struct http_text none = {"", 0};
    if (at >= t.len)
        return none;
    if (t.at[at] == '=')
        return (struct http_text){t.at + at + 1, until(t, at + 1, "&\r\n \"<") - at - 1};
    if (t.at[at] == '>' || t.at[at] == ' ') {
        size_t from = until(t, at, "><");
        if (from >= t.len || t.at[from] != '>' ||
            memmem(t.at + at, from - at, "Digest", 6) != NULL) /* WS-Security: no password itself */
            return none;
        return (struct http_text){t.at + from + 1, until(t, from + 1, "<") - from - 1};
    }
    if (t.at[at] != '"' && t.at[at] != '\'')
        return none;
    size_t from = pass_blanks(t, at + 1);
    if (from < t.len && t.at[from] == ':') {
        from = pass_blanks(t, from + 1);
        if (from < t.len && (t.at[from] == '"' || t.at[from] == '\''))
            return (struct http_text){t.at + from + 1, until(t, from + 1, "\"'") - from - 1};
        return none;
    }
    bool multipart = from >= at + 5 && memcmp(t.at + at + 1, "\r\n\r\n", 4) == 0;
    return multipart ? (struct http_text){t.at + from, until(t, from, "\r\n") - from} : none;
}

void secrets_from_body(struct secrets *secrets, struct http_text body, bool is_request)
{
    for (size_t i = 0; i < body.len;) {
        size_t end = i;
        while (end < body.len && is_name_byte(body.at[end]))
            end++;
        struct http_text name = {body.at + i, end - i};
        const struct named *named =
            name.len >= 3 && name.len <= NAME_MAX_LEN ? find_name(name) : NULL;
        if (named != NULL && (is_request || named->kind == SECRET_TOKEN))
            add_named(secrets, named, SECRET_IN_BODY, value_behind(body, end));
        i = end + 1;
    }
}
