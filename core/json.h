/* Append-only JSON text: one object at a time into a growing buffer that is reused. Strings are
 * escaped; bytes that are not UTF-8 become U+FFFD. Members follow in call order; commas are ours. */
#ifndef INVCAP_CORE_JSON_H
#define INVCAP_CORE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json {
    char *text;      /* NUL-terminated after json_text */
    size_t len;
    size_t capacity;
    bool failed;     /* memory ran out: the text is not whole */
    bool comma;      /* a member precedes on this level */
};

void json_init(struct json *json);
void json_free(struct json *json);
void json_reset(struct json *json);
/* The text so far; "" when empty. Borrowed until the next call. */
const char *json_text(struct json *json);
/* name NULL inside arrays. */
void json_open_object(struct json *json, const char *name);
void json_close_object(struct json *json);
void json_open_array(struct json *json, const char *name);
void json_close_array(struct json *json);
void json_string(struct json *json, const char *name, const char *value);
void json_int(struct json *json, const char *name, int64_t value);
void json_uint(struct json *json, const char *name, uint64_t value);
void json_real(struct json *json, const char *name, double value);
void json_bool(struct json *json, const char *name, bool value);
/* "2026-01-02T03:04:05.678901234Z" */
void json_time(struct json *json, const char *name, int64_t time_ns);

#define TIME_TEXT_SIZE 48
/* UTC with nanoseconds and Z. Returns out. */
char *time_to_utc(int64_t time_ns, char out[TIME_TEXT_SIZE]);

/* Members of one record after its column table, absent ones left out; adds "type". */
struct record_table;
void json_record(struct json *json, const struct record_table *table, const void *record);

/* Returns the length of the well-formed UTF-8 character at `at` (terminated text), 0 when it is none
 * (RFC 3629 4: neither overlong forms nor surrogates nor anything above U+10FFFF). */
size_t utf8_length(const unsigned char *at);

#endif
