/* One record as JSON members, after its column table. */
#include "core/json.h"

#include "core/record.h"

static void put_text(struct json *json, const struct column *column, const char *value)
{
    if (value[0] != '\0') {
        json_string(json, column->name, value);
    }
}

static void put_integer(struct json *json, const struct column *column, int64_t value)
{
    if (column->type == COLUMN_BOOL) {
        json_bool(json, column->name, value != 0);
    } else if (column->type == COLUMN_NAMED || column->type == COLUMN_FINDING) {
        put_text(json, column, column_name_of(column, (unsigned)value));
    } else if (!column_is_absent(column, value)) {
        json_int(json, column->name, value);
    }
}

static void put_column(struct json *json, const struct column *column, const void *record)
{
    struct address address;
    char text[ADDRESS_TEXT_SIZE];
    switch (column->type) {
    case COLUMN_REAL:
        json_real(json, column->name, column_get_real(column, record));
        break;
    case COLUMN_TEXT:
    case COLUMN_CHARS:
        put_text(json, column, column_get_text(column, record));
        break;
    case COLUMN_ADDRESS:
        address = column_get_address(column, record);
        put_text(json, column, address_to_text(&address, text));
        break;
    case COLUMN_BLOB: /* bytes have no form in JSON */
        break;
    default:
        put_integer(json, column, column_get_integer(column, record));
    }
}

void json_record(struct json *json, const struct record_table *table, const void *record)
{
    json_string(json, "type", table->json_type);
    for (size_t i = 0; i < table->column_count; i++) {
        if ((table->columns[i].flags & COLUMN_NOT_JSON) == 0) {
            put_column(json, &table->columns[i], record);
        }
    }
}
