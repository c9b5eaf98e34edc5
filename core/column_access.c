/* Members of records by their columns; memcpy because a column knows the type only at run time. */
#include "core/record.h"

#include <string.h>

static const uint8_t *member_of(const struct column *column, const void *record)
{
    return (const uint8_t *)record + column->offset;
}

enum column_load column_load_of(const struct column *column)
{
    switch (column->type) {
    case COLUMN_REAL:
    case COLUMN_TEXT:
    case COLUMN_CHARS:
    case COLUMN_ADDRESS:
    case COLUMN_BLOB:
        return LOAD_NONE;
    case COLUMN_I32:
        return LOAD_I32;
    case COLUMN_I16:
        return LOAD_I16;
    default:
        return column->size == 8   ? LOAD_64
               : column->size == 4 ? LOAD_U32
               : column->size == 2 ? LOAD_U16
                                   : LOAD_8;
    }
}

int64_t column_get_integer(const struct column *column, const void *record)
{
    int64_t number = column_load(column_load_of(column), member_of(column, record));
    return column->type == COLUMN_U64 && number < 0 ? INT64_MAX : number;
}

void column_set_integer(const struct column *column, int64_t value, void *record)
{
    uint8_t *member = (uint8_t *)record + column->offset;
    uint32_t word = (uint32_t)value;
    uint16_t half = (uint16_t)value;
    switch (column->size) {
    case 8:
        memcpy(member, &value, sizeof value);
        break;
    case 4:
        memcpy(member, &word, sizeof word);
        break;
    case 2:
        memcpy(member, &half, sizeof half);
        break;
    default:
        member[0] = column->type == COLUMN_BOOL ? value != 0 : (uint8_t)value;
    }
}

bool column_is_absent(const struct column *column, int64_t value)
{
    return ((column->flags & COLUMN_NEGATIVE_IS_NULL) != 0 && value < 0) ||
           ((column->flags & COLUMN_ZERO_IS_NULL) != 0 && value == 0);
}

int64_t column_absent_value(const struct column *column)
{
    return (column->flags & COLUMN_NEGATIVE_IS_NULL) != 0 ? -1 : 0;
}

double column_get_real(const struct column *column, const void *record)
{
    double value;
    memcpy(&value, member_of(column, record), sizeof value);
    return value;
}

const char *column_get_text(const struct column *column, const void *record)
{
    const char *text;
    if (column->type == COLUMN_CHARS) {
        return (const char *)member_of(column, record);
    }
    memcpy(&text, member_of(column, record), sizeof text);
    return text != NULL ? text : "";
}

void column_set_text(const struct column *column, const char *text, void *record)
{
    char *member = (char *)record + column->offset;
    if (column->type == COLUMN_TEXT) {
        memcpy(member, &text, sizeof text);
        return;
    }
    size_t len = text != NULL ? strnlen(text, column->size - 1) : 0;
    memset(member, 0, column->size);
    if (len > 0) {
        memcpy(member, text, len);
    }
}

struct address column_get_address(const struct column *column, const void *record)
{
    struct address address;
    memcpy(&address, member_of(column, record), sizeof address);
    return address;
}

const uint8_t *column_get_blob(const struct column *column, const void *record, size_t *len)
{
    const uint8_t *bytes;
    int64_t length;
    memcpy(&bytes, member_of(column, record), sizeof bytes);
    memcpy(&length, member_of(column, record) + sizeof bytes, sizeof length);
    *len = bytes != NULL && length > 0 ? (size_t)length : 0;
    return *len > 0 ? bytes : NULL;
}
