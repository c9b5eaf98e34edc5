#include "reports/tables.h"

#include "core/catalogue.h"
#include "core/json.h"
#include "reports/cell.h"
#include "reports/chain_text.h"
#include "reports/table.h"
#include "reports/table_specs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHUNK 200 /* ids in one statement */

/* ---- which rows ---- */
struct id_list {
    int64_t *ids;
    size_t count, capacity;
};

static bool take_id(void *self, const struct store_row *row)
{
    struct id_list *list = self;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity > 0 ? 2 * list->capacity : 256;
        int64_t *grown = realloc(list->ids, capacity * sizeof(int64_t));
        if (grown == NULL) {
            return false;
        }
        list->ids = grown;
        list->capacity = capacity;
    }
    list->ids[list->count++] = row->cells[0] != NULL ? strtoll(row->cells[0], NULL, 10) : 0;
    return true;
}

static void write_scope(const char *pattern, int64_t capture_id, char *out, size_t size)
{
    const char *hole = strstr(pattern, "%lld");
    if (capture_id == 0) {
        snprintf(out, size, "1");
    } else {
        snprintf(out, size, "%.*s%lld%s", (int)(hole - pattern), pattern, (long long)capture_id,
                 hole + 4);
    }
}

/* A condition that closes the bracket around it would leave the capture that was asked for. */
static bool is_whole(const char *where)
{
    int depth = 0;
    char quote = '\0';
    for (const char *at = where; *at != '\0' && depth >= 0; at++) {
        if (quote != '\0') {
            quote = *at == quote ? '\0' : quote;
        } else if (*at == '\'' || *at == '"') {
            quote = *at;
        } else {
            depth += (*at == '(') - (*at == ')');
        }
    }
    return depth == 0 && quote == '\0';
}

bool table_find_ids(struct store *store, const char *table, const char *key, const char *scope,
                    const struct table_request *request, int64_t **out, size_t *out_count,
                    struct error *error)
{
    struct id_list list = {NULL, 0, 0};
    char scoped[256];
    char *sql = NULL;
    size_t size = 0;
    write_scope(scope, request->capture_id, scoped, sizeof(scoped));
    if (request->where != NULL && !is_whole(request->where)) {
        return error_set(error, ERROR_USAGE, "--where: brackets or quotes do not match: %s",
                         request->where);
    }
    FILE *text = open_memstream(&sql, &size);
    if (text == NULL) {
        return error_set(error, ERROR_RUNTIME, "out of memory");
    }
    fprintf(text, "SELECT %s FROM %s WHERE %s", key, table, scoped);
    if (request->where != NULL) {
        fprintf(text, " AND (%s\n)", request->where);
    }
    fprintf(text, " ORDER BY %s LIMIT %lld", key,
            request->limit > 0 ? (long long)request->limit : -1LL);
    if (fclose(text) != 0) {
        free(sql);
        return error_set(error, ERROR_RUNTIME, "out of memory");
    }
    bool good = store_query(store, sql, take_id, &list, error);
    free(sql);
    if (!good) {
        free(list.ids);
        return false;
    }
    *out = list.ids;
    *out_count = list.count;
    return true;
}

/* ---- rows out ---- */
struct printer {
    const struct view *view;
    const struct table_spec *spec;
    const struct record_table *records;
    enum table_form form;
    struct table *table;
    struct json json;
    size_t rows;
};

static void add_endpoint(struct table *table, const struct record_table *records, const char *name,
                         const void *record)
{
    char text[ENDPOINT_TEXT_SIZE];
    const struct column *ip = cell_column(records, name);
    const struct column *port =
        cell_column(records, name[0] == 'c' ? "client_port" : "server_port");
    struct address address = column_get_address(ip, record);
    if (!address_is_set(&address)) { /* a row of several */
        const struct column *others = cell_column(records, "others");
        int64_t count = others != NULL ? column_get_integer(others, record) : 0;
        (void)snprintf(text, sizeof(text), count > 0 ? "… (%lld)" : "…", (long long)count);
        table_add(table, text);
        return;
    }
    table_add(table, endpoint_to_text(&address, (uint16_t)column_get_integer(port, record), text));
}

static const char *version_word(int64_t version)
{
    switch (version) {
    case 0x0304:
        return "TLS 1.3";
    case 0x0303:
        return "TLS 1.2";
    case 0x0302:
        return "TLS 1.1";
    case 0x0301:
        return "TLS 1.0";
    case 0x0300:
        return "SSL 3.0";
    case 0x0002:
        return "SSL 2.0";
    case 0x0101:
        return "TLCP 1.1";
    default:
        return "";
    }
}

/* RFC 1035 4.1.1 and the IANA registry; others by number, no answer as nothing. */
static const char *rcode_word(int64_t rcode, char out[CELL_TEXT_SIZE])
{
    static const char *const words[] = {"NOERROR",  "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP",
                                        "REFUSED",  "YXDOMAIN", "YXRRSET", "NXRRSET",  "NOTAUTH",
                                        "NOTZONE"};
    if (rcode < 0) {
        return "";
    }
    if ((size_t)rcode < sizeof(words) / sizeof(words[0])) {
        return words[rcode];
    }
    snprintf(out, CELL_TEXT_SIZE, "%lld", (long long)rcode);
    return out;
}

/* Durations for people: tenths and thousandths say nothing beside hundreds. */
static const char *duration_text(const struct column *column, const void *record, double unit_ns,
                                 char *text, size_t size)
{
    int64_t value = column_get_integer(column, record);
    double shown = (double)value / unit_ns;
    if (column_is_absent(column, value)) {
        text[0] = '\0';
    } else {
        snprintf(text, size, shown < 10 ? "%.2f" : shown < 100 ? "%.1f" : "%.0f", shown);
    }
    return text;
}

static const char *culprit_words(const char *name, enum language language)
{
    for (unsigned i = 0; i < CULPRIT_COUNT; i++) {
        if (strcmp(culprit_name((enum culprit)i), name) == 0) {
            return text_get(culprit_text((enum culprit)i), language);
        }
    }
    return name;
}

/* Rounded down: what is not whole never reads 100. */
static const char *percent_text(const struct column *column, const void *record, char *text,
                                size_t size)
{
    int64_t ppm = column_get_integer(column, record);
    text[0] = '\0';
    if (!column_is_absent(column, ppm)) {
        snprintf(text, size, "%lld.%02lld", (long long)(ppm / 10000),
                 (long long)(ppm % 10000 / 100));
    }
    return text;
}

static const char *chain_cell(const struct printer *printer, enum cell_form form,
                              const struct chain_record *chain, char text[CELL_TEXT_SIZE])
{
    switch (form) {
    case CELL_HOST:
        return chain_host_text(chain, text);
    case CELL_ISSUER:
        return chain_issuer_text(chain, text);
    case CELL_CHAIN:
        return chain_sent_text(chain, printer->view->language, text);
    case CELL_DAYS_LEFT:
        return chain_days_text(chain, chain->last_ns, text);
    default: /* CELL_DAYS_NOW */
        return chain_days_text(chain, (int64_t)time(NULL) * 1000000000LL, text);
    }
}

static void add_cell(const struct printer *printer, const struct shown_column *shown,
                     const void *record)
{
    char text[CELL_TEXT_SIZE];
    const struct column *column = cell_column(printer->records, shown->name);
    switch (shown->form) {
    case CELL_ENDPOINT:
        add_endpoint(printer->table, printer->records, shown->name, record);
        return;
    case CELL_VERSION:
        table_add(printer->table, version_word(column_get_integer(column, record)));
        return;
    case CELL_WORD:
        table_add(printer->table,
                  text_word(cell_text(column, record, text), printer->view->language));
        return;
    case CELL_MS:
        table_add(printer->table, duration_text(column, record, 1e6, text, sizeof(text)));
        return;
    case CELL_SECONDS:
        table_add(printer->table, duration_text(column, record, 1e9, text, sizeof(text)));
        return;
    case CELL_CULPRIT:
        table_add(printer->table,
                  culprit_words(column_get_text(column, record), printer->view->language));
        return;
    case CELL_PPM:
        table_add(printer->table, percent_text(column, record, text, sizeof(text)));
        return;
    case CELL_RCODE:
        table_add(printer->table, rcode_word(column_get_integer(column, record), text));
        return;
    case CELL_DAY: /* none of a certificate that could not be read */
        cell_text(column, record, text);
        text[chain_is_dated(record) ? strcspn(text, " ") : 0] = '\0';
        table_add(printer->table, text);
        return;
    case CELL_HOST:
    case CELL_ISSUER:
    case CELL_CHAIN:
    case CELL_DAYS_LEFT:
    case CELL_DAYS_NOW:
        table_add(printer->table, chain_cell(printer, shown->form, record, text));
        return;
    case CELL_AS_IS:
    case CELL_TIME:
    case CELL_NUMBER:
        break;
    }
    table_add(printer->table, cell_text(column, record, text));
}

static int64_t first_time(const struct record_table *records, const void *record)
{
    for (size_t i = 0; i < records->column_count; i++) {
        if (cell_is_time(&records->columns[i])) {
            return column_get_integer(&records->columns[i], record);
        }
    }
    return 0;
}

static bool print_row(void *self, const void *record)
{
    struct printer *printer = self;
    FILE *out = printer->view->out;
    if (printer->form == TABLE_AS_JSON) {
        json_open_object(&printer->json, NULL);
        json_record(&printer->json, printer->records, record);
        json_close_object(&printer->json);
        fprintf(out, "%s\n", json_text(&printer->json));
        json_reset(&printer->json);
    } else if (printer->form == TABLE_AS_CSV) {
        if (printer->rows == 0) {
            csv_header(out, printer->records, first_time(printer->records, record));
        }
        csv_record(out, printer->records, record);
    } else {
        for (size_t i = 0; i < COLUMNS_MOST && printer->spec->columns[i].name != NULL; i++) {
            add_cell(printer, &printer->spec->columns[i], record);
        }
    }
    printer->rows++;
    return ferror(out) == 0;
}

static bool print_ids(struct store *store, struct printer *printer, const int64_t *ids,
                      size_t count, struct error *error)
{
    bool good = true;
    for (size_t at = 0; good && at < count; at += CHUNK) {
        char where[CHUNK * 24 + 64];
        size_t len = (size_t)snprintf(where, sizeof(where), "%s IN (", printer->spec->key);
        for (size_t i = at; i < count && i < at + CHUNK; i++) {
            len += (size_t)snprintf(where + len, sizeof(where) - len, "%s%lld", i > at ? "," : "",
                                    (long long)ids[i]);
        }
        snprintf(where + len, sizeof(where) - len, ")");
        good = store_select(store, printer->spec->kind, where, printer->spec->key, -1, false,
                            print_row, printer, error);
    }
    return good;
}

static bool print_rows(struct store *store, struct printer *printer,
                       const struct table_request *request, struct error *error)
{
    const struct table_spec *spec = printer->spec;
    if (request->where == NULL) {
        char scoped[256];
        write_scope(spec->scope, request->capture_id, scoped, sizeof(scoped));
        return store_select(store, spec->kind, scoped, spec->key,
                            request->limit > 0 ? request->limit : -1, false, print_row, printer,
                            error);
    }
    int64_t *ids = NULL;
    size_t count = 0;
    if (!table_find_ids(store, printer->records->table, spec->key, spec->scope, request, &ids,
                        &count, error)) {
        return false;
    }
    bool good = print_ids(store, printer, ids, count, error);
    free(ids);
    return good;
}

bool report_table(const struct view *view, struct store *store, enum table_kind kind,
                  const struct table_request *request, size_t *out_rows, struct error *error)
{
    const struct table_spec *spec = table_spec_get(kind);
    struct table_head heads[COLUMNS_MOST];
    size_t columns = 0;
    for (; columns < COLUMNS_MOST && spec->columns[columns].name != NULL; columns++) {
        const struct shown_column *shown = &spec->columns[columns];
        heads[columns] = (struct table_head){text_get(shown->head, view->language),
                                             shown->form == CELL_NUMBER || shown->form == CELL_MS ||
                                                 shown->form == CELL_SECONDS ||
                                                 shown->form == CELL_PPM,
                                             shown->form != CELL_AS_IS};
    }
    struct printer printer = {.view = view,
                              .spec = spec,
                              .form = request->form,
                              .records = record_table_get(spec->kind),
                              .table = table_new(heads, columns)};
    if (printer.table == NULL) {
        return error_set(error, ERROR_RUNTIME, "out of memory");
    }
    table_stream(printer.table, view);
    json_init(&printer.json);
    bool good = print_rows(store, &printer, request, error);
    if (good && request->form == TABLE_AS_TEXT) {
        table_print(printer.table, view);
    } else if (good && request->form == TABLE_AS_CSV && printer.rows == 0) {
        csv_header(view->out, printer.records, 0);
    }
    json_free(&printer.json);
    table_free(printer.table);
    *out_rows = printer.rows;
    return good;
}
