#include "core/json.h"

#include "core/record.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void json_init(struct json *json)
{
    *json = (struct json){0};
}

void json_free(struct json *json)
{
    free(json->text);
    json_init(json);
}

void json_reset(struct json *json)
{
    json->len = 0;
    json->failed = false;
    json->comma = false;
}

/* Room for len more bytes and the terminator. */
static bool json_reserve(struct json *json, size_t len)
{
    if (json->failed) {
        return false;
    }
    if (json->capacity - json->len > len) {
        return true;
    }
    size_t capacity = json->capacity < 1024 ? 1024 : json->capacity;
    while (capacity - json->len <= len && capacity <= SIZE_MAX / 2) {
        capacity *= 2;
    }
    char *text = capacity - json->len > len ? realloc(json->text, capacity) : NULL;
    if (text == NULL) {
        json->failed = true;
        return false;
    }
    json->text = text;
    json->capacity = capacity;
    return true;
}

static void json_put(struct json *json, const char *bytes, size_t len)
{
    if (json_reserve(json, len)) {
        memcpy(json->text + json->len, bytes, len);
        json->len += len;
    }
}

const char *json_text(struct json *json)
{
    if (json->capacity == 0) {
        return "";
    }
    json->text[json->len] = '\0';
    return json->text;
}

size_t utf8_length(const unsigned char *at)
{
    size_t len = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    if (at[0] > 0xf4) {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80) { /* also stops at the terminator */
            return 0;
        }
    }
    bool overlong = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90);
    bool outside = (at[0] == 0xed && at[1] > 0x9f) || (at[0] == 0xf4 && at[1] > 0x8f);
    return overlong || outside ? 0 : len;
}

static void put_escaped(struct json *json, unsigned char byte)
{
    static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    char text[8];
    int len = 0;
    for (size_t i = 0; i + 1 < sizeof letters && len == 0; i += 2) {
        if ((unsigned char)letters[i] == byte) {
            len = snprintf(text, sizeof text, "\\%c", letters[i + 1]);
        }
    }
    if (len == 0) {
        len = snprintf(text, sizeof text, "\\u%04x", byte);
    }
    json_put(json, text, (size_t)len);
}

static bool is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

static void put_quoted(struct json *json, const char *value)
{
    const unsigned char *at = (const unsigned char *)value;
    json_put(json, "\"", 1);
    while (*at != 0) {
        const unsigned char *run = at;
        while (is_plain(*at)) {
            at++;
        }
        json_put(json, (const char *)run, (size_t)(at - run));
        size_t len = *at != 0 ? utf8_length(at) : 0;
        if (len > 1) {
            json_put(json, (const char *)at, len);
            at += len;
        } else if (len == 1) {
            put_escaped(json, *at++);
        } else if (*at != 0) {
            json_put(json, "\xef\xbf\xbd", 3);
            at++;
        }
    }
    json_put(json, "\"", 1);
}

/* What comes before a value: the comma of its neighbour and its name. */
static void json_member(struct json *json, const char *name)
{
    if (json->comma) {
        json_put(json, ",", 1);
    }
    json->comma = true;
    if (name != NULL) {
        put_quoted(json, name);
        json_put(json, ":", 1);
    }
}

static void json_open(struct json *json, const char *name, const char *bracket)
{
    json_member(json, name);
    json_put(json, bracket, 1);
    json->comma = false;
}

static void json_close(struct json *json, const char *bracket)
{
    json_put(json, bracket, 1);
    json->comma = true;
}

void json_open_object(struct json *json, const char *name)
{
    json_open(json, name, "{");
}

void json_close_object(struct json *json)
{
    json_close(json, "}");
}

void json_open_array(struct json *json, const char *name)
{
    json_open(json, name, "[");
}

void json_close_array(struct json *json)
{
    json_close(json, "]");
}

void json_string(struct json *json, const char *name, const char *value)
{
    json_member(json, name);
    put_quoted(json, value != NULL ? value : "");
}

static void put_number(struct json *json, bool negative, uint64_t value)
{
    char digits[24];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    if (negative) {
        digits[--at] = '-';
    }
    json_put(json, digits + at, sizeof digits - at);
}

void json_int(struct json *json, const char *name, int64_t value)
{
    json_member(json, name);
    put_number(json, value < 0, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void json_uint(struct json *json, const char *name, uint64_t value)
{
    json_member(json, name);
    put_number(json, false, value);
}

void json_real(struct json *json, const char *name, double value)
{
    char text[40];
    json_member(json, name);
    if (!isfinite(value)) { /* JSON has no word for these (RFC 8259 6) */
        json_put(json, "null", 4);
        return;
    }
    int len = snprintf(text, sizeof text, "%.15g", value);
    if (strtod(text, NULL) != value) {
        len = snprintf(text, sizeof text, "%.17g", value);
    }
    char *comma = strchr(text, ','); /* whatever the locale says */
    if (comma != NULL) {
        *comma = '.';
    }
    json_put(json, text, (size_t)len);
}

void json_bool(struct json *json, const char *name, bool value)
{
    json_member(json, name);
    json_put(json, value ? "true" : "false", value ? 4 : 5);
}

void json_time(struct json *json, const char *name, int64_t time_ns)
{
    char text[TIME_TEXT_SIZE];
    json_string(json, name, time_to_utc(time_ns, text));
}

/* Civil date of a day count since 1970-01-01, proleptic Gregorian; eras of 400 years. */
static void date_of_day(int64_t day, int64_t *year, int *month, int *day_of_month)
{
    int64_t shifted = day + 719468; /* days from 0000-03-01 */
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t of_era = shifted - era * 146097;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t from_march = (5 * of_year + 2) / 153;
    *day_of_month = (int)(of_year - (153 * from_march + 2) / 5 + 1);
    *month = (int)(from_march < 10 ? from_march + 3 : from_march - 9);
    *year = year_of_era + era * 400 + (*month <= 2 ? 1 : 0);
}

char *time_to_utc(int64_t time_ns, char out[TIME_TEXT_SIZE])
{
    int64_t nanos = time_ns % 1000000000;
    int64_t seconds = time_ns / 1000000000;
    if (nanos < 0) {
        nanos += 1000000000;
        seconds--;
    }
    int64_t day = seconds / 86400;
    int64_t of_day = seconds % 86400;
    if (of_day < 0) {
        of_day += 86400;
        day--;
    }
    int64_t year;
    int month;
    int day_of_month;
    date_of_day(day, &year, &month, &day_of_month);
    (void)snprintf(out, TIME_TEXT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d.%09dZ", (int)year, month,
                   day_of_month, (int)(of_day / 3600), (int)(of_day / 60 % 60), (int)(of_day % 60),
                   (int)nanos);
    return out;
}
