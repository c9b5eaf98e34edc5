/* A table on a terminal: cells are collected, then printed in aligned columns that fit the view. */
#ifndef INVCAP_REPORTS_TABLE_H
#define INVCAP_REPORTS_TABLE_H

#include "reports/view.h"

#define TABLE_COLUMNS_MOST 16

struct table_head {
    const char *text;
    bool right; /* numbers */
    bool tight; /* never cut to make room */
};

struct table;

/* Keeps `heads`. NULL without memory. */
struct table *table_new(const struct table_head *heads, size_t columns);
/* Adds the next cell, row by row; control characters become spaces. */
void table_add(struct table *table, const char *text);
/* Those held. */
size_t table_rows(const struct table *table);
/* From some thousand rows on, which decide the widths, rows are printed as they come: so a table takes the same memory
 * however long it is. Keeps `view`. */
void table_stream(struct table *table, const struct view *view);
/* Prints what was not printed. Wide columns are cut until a line fits; a file or a pipe gets everything. */
void table_print(struct table *table, const struct view *view);
void table_free(struct table *table);

#endif
