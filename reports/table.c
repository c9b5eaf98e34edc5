#include "reports/table.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GAP 2
#define CELL_LEAST 8 /* a column is not cut below this */
#define CELL_SIZE 4096
#define CELL_COLUMNS (CELL_SIZE / 5)
/* Rows that decide the widths when a table is printed as it comes. */
#define ROWS_HELD 4096

struct table {
    const struct table_head *heads;
    size_t columns;
    char **cells;
    size_t count, capacity;
    const struct view *stream; /* NULL: all is held until table_print */
    size_t widths[TABLE_COLUMNS_MOST];
    bool has_head, is_terminal;
};

struct table *table_new(const struct table_head *heads, size_t columns)
{
    struct table *table = calloc(1, sizeof(*table));
    if (table != NULL) {
        table->heads = heads;
        table->columns = columns;
    }
    return table;
}

void table_stream(struct table *table, const struct view *view)
{
    table->stream = view;
}

static void add(struct table *table, const char *text)
{
    if (table->count == table->capacity) {
        size_t capacity = table->capacity > 0 ? 2 * table->capacity : 64;
        char **grown = realloc(table->cells, capacity * sizeof(char *));
        if (grown == NULL) {
            return;
        }
        table->cells = grown;
        table->capacity = capacity;
    }
    size_t size = 3 * strlen(text) + 1; /* U+FFFD takes three bytes */
    char *copy = malloc(size);
    if (copy != NULL) {
        (void)text_clean(copy, size, text);
    }
    table->cells[table->count++] = copy;
}

size_t table_rows(const struct table *table)
{
    return table->count / table->columns;
}

static const char *cell(const struct table *table, size_t row, size_t column)
{
    const char *text = table->cells[row * table->columns + column];
    return text != NULL ? text : "";
}

static void measure(const struct table *table, size_t *widths)
{
    for (size_t column = 0; column < table->columns; column++) {
        widths[column] = text_width(table->heads[column].text);
        for (size_t row = 0; row < table_rows(table); row++) {
            size_t width = text_width(cell(table, row, column));
            widths[column] = width > widths[column] ? width : widths[column];
        }
        if (widths[column] > CELL_COLUMNS) {
            widths[column] = CELL_COLUMNS;
        }
    }
}

/* Takes a column from the widest that may be cut until the line fits. */
static void shrink(const struct table *table, size_t *widths, size_t columns)
{
    for (;;) {
        size_t total = 0, widest = table->columns;
        for (size_t i = 0; i < table->columns; i++) {
            total += widths[i] + (i > 0 ? GAP : 0);
            if (!table->heads[i].tight && widths[i] > CELL_LEAST &&
                (widest == table->columns || widths[i] > widths[widest])) {
                widest = i;
            }
        }
        if (total <= columns || widest == table->columns) {
            return;
        }
        widths[widest]--;
    }
}

static void print_cell(const struct table *table, const struct view *view, size_t column,
                       const char *text, size_t width)
{
    char fitted[CELL_SIZE];
    bool last = column + 1 == table->columns;
    if (table->heads[column].right) {
        text_fit_right(fitted, sizeof(fitted), text, width);
    } else {
        text_fit(fitted, sizeof(fitted), text, width);
    }
    size_t len = strlen(fitted);
    while (last && len > 0 && fitted[len - 1] == ' ') {
        len--;
    }
    fprintf(view->out, "%.*s%s", (int)len, fitted, last ? "\n" : "  ");
}

static void print_head(struct table *table, const struct view *view)
{
    table->is_terminal = isatty(fileno(view->out));
    measure(table, table->widths);
    if (table->is_terminal) {
        shrink(table, table->widths, view->columns);
    }
    fputs(view_tone(view, TONE_DIM), view->out);
    for (size_t column = 0; column < table->columns; column++) {
        print_cell(table, view, column, table->heads[column].text, table->widths[column]);
    }
    fputs(view_plain(view), view->out);
    table->has_head = true;
}

/* A cell of a later row that is wider than all before: a terminal has room for what was measured, a file gets all. */
static size_t width_of(const struct table *table, size_t row, size_t column)
{
    size_t width = text_width(cell(table, row, column));
    if (table->is_terminal || width <= table->widths[column]) {
        return table->widths[column];
    }
    return width < CELL_COLUMNS ? width : CELL_COLUMNS;
}

/* What is held, which goes. */
static void print_rows(struct table *table, const struct view *view)
{
    if (!table->has_head) {
        print_head(table, view);
    }
    for (size_t row = 0; row < table_rows(table); row++) {
        for (size_t column = 0; column < table->columns; column++) {
            print_cell(table, view, column, cell(table, row, column), width_of(table, row, column));
        }
    }
    for (size_t i = 0; i < table->count; i++) {
        free(table->cells[i]);
    }
    table->count = 0;
}

void table_add(struct table *table, const char *text)
{
    add(table, text);
    if (table->stream != NULL && table->count == ROWS_HELD * table->columns) {
        print_rows(table, table->stream);
    }
}

void table_print(struct table *table, const struct view *view)
{
    print_rows(table, view);
}

void table_free(struct table *table)
{
    if (table == NULL) {
        return;
    }
    for (size_t i = 0; i < table->count; i++) {
        free(table->cells[i]);
    }
    free(table->cells);
    free(table);
}
