#include "cli/result.h"
#include "core/json.h"
#include "reports/cell.h"
#include "reports/table.h"

#include <stdlib.h>

#define SQLITE_TYPE_INTEGER 1
#define SQLITE_TYPE_REAL 2
#define SQLITE_TYPE_NULL 5

struct sql_printer {
    FILE *out;
    enum { AS_TEXT, AS_JSON, AS_CSV } form;
    struct json json;
    struct table_head heads[TABLE_COLUMNS_MOST];
    char names[TABLE_COLUMNS_MOST][64];
    struct table *table;
    const struct view *view;
    int64_t rows, limit;
};

static void print_json(struct sql_printer *printer, const struct store_row *row)
{
    json_open_object(&printer->json, NULL);
    for (int i = 0; i < row->count; i++) {
        const char *cell = row->cells[i];
        char *end = NULL;
        if (cell == NULL || row->types[i] == SQLITE_TYPE_NULL) {
            continue;
        }
        if (row->types[i] == SQLITE_TYPE_INTEGER) {
            json_int(&printer->json, row->names[i], strtoll(cell, &end, 10));
        } else if (row->types[i] == SQLITE_TYPE_REAL) {
            json_real(&printer->json, row->names[i], strtod(cell, &end));
        } else {
            json_string(&printer->json, row->names[i], cell);
        }
    }
    json_close_object(&printer->json);
    fprintf(printer->out, "%s\n", json_text(&printer->json));
    json_reset(&printer->json);
}

static void print_csv(FILE *out, const struct store_row *row, const char *const *cells)
{
    for (int i = 0; i < row->count; i++) {
        fputs(i > 0 ? "," : "", out);
        csv_field(out, cells[i] != NULL ? cells[i] : "", row->types[i] == 3);
    }
    fputs("\r\n", out);
}

/* A terminal has room for some columns; --json and --csv give all. */
static void add_row(struct sql_printer *printer, const struct store_row *row)
{
    size_t count = row->count < TABLE_COLUMNS_MOST ? (size_t)row->count : TABLE_COLUMNS_MOST;
    if (printer->table == NULL) {
        for (size_t i = 0; i < count; i++) {
            snprintf(printer->names[i], sizeof(printer->names[i]), "%s", row->names[i]);
            bool number = row->types[i] <= SQLITE_TYPE_REAL;
            printer->heads[i] = (struct table_head){printer->names[i], number, number};
        }
        printer->table = table_new(printer->heads, count);
        if (printer->table != NULL) {
            table_stream(printer->table, printer->view);
        }
    }
    for (size_t i = 0; printer->table != NULL && i < count; i++) {
        table_add(printer->table, row->cells[i] != NULL ? row->cells[i] : "");
    }
}

static bool print_row(void *self, const struct store_row *row)
{
    struct sql_printer *printer = self;
    if (printer->limit > 0 && printer->rows >= printer->limit) {
        return false;
    }
    if (printer->form == AS_JSON) {
        print_json(printer, row);
    } else if (printer->form == AS_CSV) {
        if (printer->rows == 0) {
            print_csv(printer->out, row, row->names);
        }
        print_csv(printer->out, row, row->cells);
    } else {
        add_row(printer, row);
    }
    printer->rows++;
    return ferror(printer->out) == 0;
}

static int run(struct context *context)
{
    const struct arguments *arguments = context->arguments;
    struct error error = {ERROR_NONE, ""};
    int status = EXIT_DONE;
    if (arguments->given[OPTION_JSON] && arguments->given[OPTION_CSV]) {
        return command_fail_usage(context, TEXT_USAGE_ONE_FORM, NULL, 0);
    }
    const char *path = result_database_at(context, 1, &status);
    struct store *store = path != NULL ? result_open(context, path, &status) : NULL;
    if (store == NULL) {
        return status;
    }
    struct sql_printer printer = {
        .out = context->view.out,
        .form = arguments->given[OPTION_JSON]  ? AS_JSON
                : arguments->given[OPTION_CSV] ? AS_CSV
                                               : AS_TEXT,
        .limit = arguments->number[OPTION_LIMIT],
        .view = &context->view,
    };
    json_init(&printer.json);
    bool good = store_query(store, arguments->words[0], print_row, &printer, &error);
    if (good && printer.table != NULL) {
        table_print(printer.table, &context->view);
    }
    table_free(printer.table);
    json_free(&printer.json);
    store_close(store);
    return good ? EXIT_DONE : command_fail(context, &error);
}

const struct command command_sql = {
    .name = "sql",
    .words = "'SELECT ...' [DB]",
    .help = TEXT_COMMAND_SQL,
    .detail = TEXT_COMMAND_NO_DETAIL,
    .least_words = 1,
    .most_words = 2,
    .run = run,
};
