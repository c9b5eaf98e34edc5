#include "dissectors/http_message.h"

#include <string.h>
#include <strings.h>

/* The longest registered one (IANA) is UPDATEREDIRECTREF. */
#define METHOD_MAX 24
/* Blanks of a line that counts as empty. */
#define BLANKS_MAX 8

static const char *const methods[] = {"GET",     "POST",   "PUT",     "HEAD",     "DELETE",
                                      "OPTIONS", "PATCH",  "CONNECT", "TRACE",    "PROPFIND",
                                      "REPORT",  "MKCOL",  "MOVE",    "COPY",     "LOCK",
                                      "UNLOCK",  "SEARCH", "NOTIFY",  "SUBSCRIBE"};

int http_starts_like(const uint8_t *bytes, size_t len, bool *is_response)
{
    static const char response[] = "HTTP/";
    size_t whole = sizeof response - 1, n = len < whole ? len : whole;
    *is_response = n > 0 && memcmp(bytes, response, n) == 0;
    if (*is_response && len <= whole)
        return -1;
    if (*is_response) /* 1.0 and 1.1; answers that name another version are framed the same */
        return bytes[whole] >= '0' && bytes[whole] <= '9' ? 1 : 0;
    bool partial = false;
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        size_t word = strlen(methods[i]);
        size_t same = len < word ? len : word;
        if (memcmp(bytes, methods[i], same) != 0)
            continue;
        if (len > word && bytes[word] == ' ')
            return 1;
        if (len <= word)
            partial = true;
    }
    return partial ? -1 : 0;
}

int http_is_first(const uint8_t *bytes, size_t len, bool *is_response)
{
    static const char version[] = " HTTP/1.";
    while (len > 0 && (*bytes == '\r' || *bytes == '\n')) { /* RFC 9112 2.2: before a request */
        bytes++;
        len--;
    }
    if (len == 0)
        return -1;
    int like = http_starts_like(bytes, len, is_response);
    if (like < 0 || *is_response || (like == 0 && !http_has_method(bytes, len)))
        return like;
    const uint8_t *lf = memchr(bytes, '\n', len);
    if (lf == NULL)
        return len < 64 ? -1 : like;
    size_t line = (size_t)(lf - bytes);
    return memmem(bytes, line, version, sizeof version - 1) != NULL;
}

bool http_has_method(const uint8_t *bytes, size_t len)
{
    size_t i = 0;
    while (i < len && i < METHOD_MAX &&
           ((bytes[i] >= 'A' && bytes[i] <= 'Z') || bytes[i] == '-' || bytes[i] == '_'))
        i++;
    return i > 0 && i < METHOD_MAX && (i == len || bytes[i] == ' ');
}

static bool is_blank(uint8_t c)
{
    return c == '\r' || c == ' ' || c == '\t';
}

/* Length of the head with its empty line; 0 when it is not whole, and *scanned is where to go on. CRLF and
 * bare LF both end a line, and one of a few blanks is empty: so say the clients that are about. */
static size_t find_end(const struct cursor *c, size_t *scanned)
{
    size_t len = cur_left(c), from = *scanned;
    const uint8_t *lf;
    while (from < len && (lf = memchr(c->at + from, '\n', len - from)) != NULL) {
        size_t line = (size_t)(lf - c->at);
        from = line + 1;
        while (from < len && from - line <= BLANKS_MAX && is_blank(c->at[from]))
            from++;
        if (from == len) {
            *scanned = line;
            return 0;
        }
        if (c->at[from] == '\n')
            return from + 1;
    }
    *scanned = len;
    return 0;
}

/* The next line without its end; false at the end of the head. */
static bool next_line(struct cursor *c, struct http_text *out)
{
    size_t left = cur_left(c);
    if (left == 0)
        return false;
    const uint8_t *lf = memchr(c->at, '\n', left);
    size_t len = lf != NULL ? (size_t)(lf - c->at) : left;
    *out = (struct http_text){(const char *)c->at, len};
    cur_skip(c, lf != NULL ? len + 1 : len);
    if (out->len > 0 && out->at[out->len - 1] == '\r')
        out->len--;
    return true;
}

static struct http_text trim(struct http_text t)
{
    while (t.len > 0 && (*t.at == ' ' || *t.at == '\t')) {
        t.at++;
        t.len--;
    }
    while (t.len > 0 && (t.at[t.len - 1] == ' ' || t.at[t.len - 1] == '\t'))
        t.len--;
    return t;
}

static inline bool equals(struct http_text t, const char *word)
{
    return t.len == strlen(word) && (t.len == 0 || (*t.at | 0x20) == *word) &&
           strncasecmp(t.at, word, t.len) == 0;
}

/* Whether a comma-separated list holds the word; *last tells whether it comes last. */
static bool list_has(struct http_text list, const char *word, bool *last)
{
    bool found = false;
    *last = false;
    while (list.len > 0) {
        const char *comma = memchr(list.at, ',', list.len);
        size_t len = comma != NULL ? (size_t)(comma - list.at) : list.len;
        struct http_text item = trim((struct http_text){list.at, len});
        *last = equals(item, word);
        found = found || *last;
        size_t used = comma != NULL ? len + 1 : len;
        list.at += used;
        list.len -= used;
    }
    return found;
}

static bool parse_digits(struct http_text t, uint64_t *out)
{
    uint64_t value = 0;
    if (t.len == 0 || t.len > 18)
        return false;
    for (size_t i = 0; i < t.len; i++) {
        if (t.at[i] < '0' || t.at[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(t.at[i] - '0');
    }
    *out = value;
    return true;
}

/* "HTTP/1.1", and the "1.10", "1.0.8", "2.0" that home-made programs write. */
static bool parse_version(struct http_text t, uint8_t *minor)
{
    if (t.len < 8 || memcmp(t.at, "HTTP/", 5) != 0 || t.at[6] != '.')
        return false;
    for (size_t i = 5; i < t.len; i++) {
        if ((t.at[i] < '0' || t.at[i] > '9') && t.at[i] != '.')
            return false;
    }
    *minor = t.at[5] > '1' || (t.at[5] == '1' && t.at[7] != '0');
    return true;
}

static bool parse_status_line(struct http_text line, struct http_head *out)
{
    uint64_t status = 0;
    const char *space = memchr(line.at, ' ', line.len);
    size_t word = space != NULL ? (size_t)(space - line.at) : line.len;
    if (!parse_version((struct http_text){line.at, word}, &out->minor))
        return false;
    struct http_text rest = trim((struct http_text){line.at + word, line.len - word});
    bool longer = rest.len > 3 && rest.at[3] >= '0' && rest.at[3] <= '9';
    if (rest.len < 3 || longer || !parse_digits((struct http_text){rest.at, 3}, &status))
        return false;
    out->is_response = true;
    out->status = (int)status;
    return status >= 100;
}

static bool parse_request_line(struct http_text line, struct http_head *out)
{
    const char *space = memchr(line.at, ' ', line.len);
    if (space == NULL || space == line.at)
        return false;
    out->method = (struct http_text){line.at, (size_t)(space - line.at)};
    struct http_text rest = trim((struct http_text){space + 1, line.len - out->method.len - 1});
    const char *last = memrchr(rest.at, ' ', rest.len);
    if (last == NULL)
        return false;
    size_t before = (size_t)(last - rest.at);
    struct http_text version = {last + 1, rest.len - before - 1};
    if (version.len < 7 || memcmp(version.at, "HTTP/1.", 7) != 0 ||
        !parse_version(version, &out->minor))
        return false;
    out->target = trim((struct http_text){rest.at, before});
    return out->target.len > 0;
}

/* RFC 9110 8.6: a list of the same number, made by merging fields, counts as that number. */
static bool parse_length(struct http_text list, uint64_t *out)
{
    const char *comma = memchr(list.at, ',', list.len);
    size_t len = comma != NULL ? (size_t)(comma - list.at) : list.len;
    struct http_text first = trim((struct http_text){list.at, len});
    if (!parse_digits(first, out))
        return false;
    while (comma != NULL) {
        struct http_text rest = {comma + 1, list.len - (size_t)(comma + 1 - list.at)};
        uint64_t next = 0;
        comma = memchr(rest.at, ',', rest.len);
        len = comma != NULL ? (size_t)(comma - rest.at) : rest.len;
        if (!parse_digits(trim((struct http_text){rest.at, len}), &next) || next != *out)
            return false;
    }
    return true;
}

static void note_length(struct http_text value, struct http_head *out)
{
    uint64_t length = 0;
    if (!parse_length(value, &length) || (out->has_length && out->length != length)) {
        out->length_conflict = true;
        return;
    }
    out->has_length = true;
    out->length = length;
}

static void note_field(struct http_text name, struct http_text value, struct http_head *out)
{
    bool last = false;
    if (equals(name, "content-length")) {
        note_length(value, out);
    } else if (equals(name, "transfer-encoding")) {
        (void)list_has(value, "chunked", &last);
        out->chunked = last;
        out->other_coding = !last && !equals(value, "identity");
    } else if (equals(name, "connection") || equals(name, "proxy-connection")) {
        if (list_has(value, "close", &last))
            out->close = true;
        if (list_has(value, "keep-alive", &last))
            out->close = false;
        out->upgrade = out->upgrade || list_has(value, "upgrade", &last);
    } else if (equals(name, "host")) {
        out->host = http_host(value);
    } else if (equals(name, "upgrade")) {
        out->websocket = list_has(value, "websocket", &last);
    } else {
        http_fields_note(name, value, &out->secrets, &out->fields);
    }
}

static enum http_head_result read_head(struct cursor head, struct intern *strings, const char *salt,
                                       struct http_head *out)
{
    struct http_text line;
    *out = (struct http_head){.secrets = {.strings = strings, .salt = salt}};
    http_fields_start(&out->fields);
    if (!next_line(&head, &line))
        return HTTP_HEAD_BAD;
    bool response = line.len >= 5 && memcmp(line.at, "HTTP/", 5) == 0;
    if (!(response ? parse_status_line(line, out) : parse_request_line(line, out)))
        return HTTP_HEAD_BAD;
    out->close = out->minor == 0;
    if (!response)
        secrets_from_target(&out->secrets, out->target);
    while (next_line(&head, &line) && line.len > 0) {
        const char *colon = memchr(line.at, ':', line.len);
        if (colon == NULL || colon == line.at || *line.at == ' ' || *line.at == '\t')
            continue; /* obs-fold or damage: not a field of ours */
        size_t name_len = (size_t)(colon - line.at);
        note_field(trim((struct http_text){line.at, name_len}),
                   trim((struct http_text){colon + 1, line.len - name_len - 1}), out);
    }
    return HTTP_HEAD_OK;
}

enum http_head_result http_head_parse(struct cursor *bytes, size_t *scanned,
                                      struct intern *strings, const char *salt,
                                      struct http_head *out)
{
    size_t len = find_end(bytes, scanned);
    if (len == 0)
        return HTTP_HEAD_MORE;
    *scanned = 0;
    return read_head(cur_cut(bytes, len), strings, salt, out);
}

enum http_head_result http_head_parse_cut(struct cursor bytes, struct intern *strings,
                                          const char *salt, struct http_head *out)
{
    size_t len = cur_left(&bytes);
    const uint8_t *lf = len > 0 ? memrchr(bytes.at, '\n', len) : NULL;
    if (lf == NULL)
        return HTTP_HEAD_BAD;
    return read_head(cur_cut(&bytes, (size_t)(lf - bytes.at) + 1), strings, salt, out);
}

bool http_chunk_size(const uint8_t *line, size_t len, uint64_t *out)
{
    uint64_t value = 0;
    size_t digits = 0;
    for (; digits < len && value >> 59 == 0; digits++) {
        uint8_t c = line[digits];
        if (c >= '0' && c <= '9')
            value = value << 4 | (uint64_t)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            value = value << 4 | (uint64_t)((c | 0x20) - 'a' + 10);
        else
            break;
    }
    *out = value;
    return digits > 0 && digits < len && line[digits] != '\0' &&
           strchr("; \t\r\n", line[digits]) != NULL;
}

struct http_text http_host(struct http_text authority)
{
    const char *at = memrchr(authority.at, '@', authority.len);
    size_t used = at != NULL ? (size_t)(at - authority.at) + 1 : 0;
    return (struct http_text){authority.at + used, authority.len - used};
}

/* Longer segments are no words but tokens, names of files, base64. */
#define SEGMENT_LONG 40

/* A segment that names one thing among many: numbers, UUIDs, long hex or mixed tokens. */
static bool is_identifier(const char *at, size_t len)
{
    size_t digits = 0, hex = 0, upper = 0, lower = 0;
    for (size_t i = 0; i < len; i++) {
        char c = at[i];
        bool digit = c >= '0' && c <= '9';
        digits += digit;
        upper += c >= 'A' && c <= 'Z';
        lower += c >= 'a' && c <= 'z';
        hex += digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == '-';
    }
    if (len >= SEGMENT_LONG || (len >= 20 && digits > 0 && upper > 0 && lower > 0))
        return true;
    if (len == 0 || digits == 0)
        return false;
    return digits == len || (len >= 8 && hex == len) || (len >= 16 && digits * 4 >= len);
}

/* Where the path ends: at query, fragment or parameters, also when they are written as %3F. */
static size_t path_end(struct http_text target)
{
    size_t end = 0;
    while (end < target.len && target.at[end] != '?' && target.at[end] != '#' &&
           target.at[end] != ';' &&
           !(end + 2 < target.len && target.at[end] == '%' && target.at[end + 1] == '3' &&
             (target.at[end + 2] | 0x20) == 'f'))
        end++;
    return end;
}

/* A segment goes on up to a '=': what stands behind it is a value. */
static size_t put_segment(const char *at, size_t len, char *out, size_t room)
{
    const char *equals = memchr(at, '=', len);
    if (equals != NULL)
        len = (size_t)(equals - at);
    if (is_identifier(at, len)) {
        memcpy(out, "{id}", 4);
        return 4;
    }
    size_t take = len < room ? len : room;
    memcpy(out, at, take);
    return take;
}

/* host:port, as CONNECT asks for it (RFC 9110 9.3.6): the whole is a name. */
static bool is_authority(struct http_text target)
{
    const char *colon = memrchr(target.at, ':', target.len);
    if (colon == NULL || colon == target.at || path_end(target) < target.len ||
        memchr(target.at, '/', target.len) != NULL)
        return false;
    size_t digits = target.len - (size_t)(colon - target.at) - 1;
    for (size_t i = 1; i <= digits; i++) {
        if (colon[i] < '0' || colon[i] > '9')
            return false;
    }
    return digits > 0 && digits <= 5;
}

size_t http_path_template(struct http_text target, char *out, size_t size)
{
    const char *scheme = memmem(target.at, target.len, "://", 3);
    if (scheme != NULL && target.at[0] != '/') { /* absolute form: the path begins after the host */
        size_t used = (size_t)(scheme - target.at) + 3;
        const char *slash = memchr(target.at + used, '/', target.len - used);
        size_t skip = slash != NULL ? (size_t)(slash - target.at) : target.len;
        target.at += skip;
        target.len -= skip;
    } else if (target.len > 0 && target.at[0] != '/') { /* authority form, or none */
        target = http_host(target);
        if (is_authority(target) && target.len < size) {
            memcpy(out, target.at, target.len);
            out[target.len] = '\0';
            return target.len;
        }
    }
    size_t end = path_end(target), len = 0;
    for (size_t i = 0; i < end && len + 6 < size;) {
        size_t stop = i;
        while (stop < end && target.at[stop] != '/')
            stop++;
        len += put_segment(target.at + i, stop - i, out + len, size - len - 2);
        if (stop < end)
            out[len++] = '/';
        i = stop + 1;
    }
    out[len] = '\0';
    return len;
}
