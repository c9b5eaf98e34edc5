#include "reports/cell.h"

#include "core/texts.h"
#include "reports/view.h"

#include <assert.h>
#include <string.h>

bool cell_is_time(const struct column *column)
{
    return strstr(column->sentence, "since 1970 UTC") != NULL;
}

char *cell_text(const struct column *column, const void *record, char out[CELL_TEXT_SIZE])
{
    struct address address;
    int64_t number;
    out[0] = '\0';
    switch (column->type) {
    case COLUMN_REAL:
        snprintf(out, CELL_TEXT_SIZE, "%g", column_get_real(column, record));
        return out;
    case COLUMN_TEXT:
    case COLUMN_CHARS:
        snprintf(out, CELL_TEXT_SIZE, "%s", column_get_text(column, record));
        out[text_cut(out, strlen(out))] = '\0';
        return out;
    case COLUMN_ADDRESS:
        address = column_get_address(column, record);
        return address_to_text(&address, out);
    case COLUMN_BLOB:
        return out;
    default:
        break;
    }
    number = column_get_integer(column, record);
    if (column->type == COLUMN_NAMED || column->type == COLUMN_FINDING) {
        snprintf(out, CELL_TEXT_SIZE, "%s", column_name_of(column, (unsigned)number));
    } else if (column_is_absent(column, number)) {
        return out;
    } else if (cell_is_time(column)) {
        return view_time(number, out);
    } else {
        snprintf(out, CELL_TEXT_SIZE, "%lld", (long long)number);
    }
    return out;
}

const struct column *cell_column(const struct record_table *table, const char *name)
{
    for (size_t i = 0; i < table->column_count; i++) {
        if (strcmp(table->columns[i].name, name) == 0) {
            return &table->columns[i];
        }
    }
    assert(!"no such column");
    return &table->columns[0];
}

void csv_field(FILE *out, const char *text, bool from_wire)
{
    char clean[CELL_TEXT_SIZE];
    if (from_wire) {
        (void)text_clean(clean, sizeof(clean), text);
        text = clean;
    }
    bool formula = from_wire && text[0] != '\0' && strchr("=+-@\t", text[0]) != NULL;
    if (!formula && strpbrk(text, ",\"\r\n") == NULL) {
        fputs(text, out);
        return;
    }
    fputs(formula ? "\"'" : "\"", out);
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '"') {
            fputc('"', out);
        }
        fputc(*at, out);
    }
    fputc('"', out);
}

void csv_header(FILE *out, const struct record_table *table, int64_t time_ns)
{
    char offset[VIEW_TIME_SIZE];
    view_offset(time_ns, offset);
    const char *comma = "";
    for (size_t i = 0; i < table->column_count; i++) {
        const struct column *column = &table->columns[i];
        size_t len = strlen(column->name);
        if (column->type == COLUMN_BLOB) {
            continue;
        }
        if (cell_is_time(column) && len > 3) {
            fprintf(out, "%s%.*s (%s)", comma, (int)(len - 3), column->name, offset);
        } else {
            fprintf(out, "%s%s", comma, column->name);
        }
        comma = ",";
    }
    fputs("\r\n", out);
}

void csv_record(FILE *out, const struct record_table *table, const void *record)
{
    char text[CELL_TEXT_SIZE];
    const char *comma = "";
    for (size_t i = 0; i < table->column_count; i++) {
        const struct column *column = &table->columns[i];
        if (column->type == COLUMN_BLOB) {
            continue;
        }
        fputs(comma, out);
        csv_field(out, cell_text(column, record, text),
                  column->type == COLUMN_TEXT || column->type == COLUMN_CHARS);
        comma = ",";
    }
    fputs("\r\n", out);
}
