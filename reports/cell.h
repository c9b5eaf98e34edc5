/* One column of a record as text, and as a field of CSV. */
#ifndef INVCAP_REPORTS_CELL_H
#define INVCAP_REPORTS_CELL_H

#include "core/record.h"

#include <stdio.h>

#define CELL_TEXT_SIZE 2048

/* Its sentence says that it counts from 1970: a point in time, not a duration. */
bool cell_is_time(const struct column *column);
/* The value as words or digits, "" when absent; times local. Returns out. */
char *cell_text(const struct column *column, const void *record, char out[CELL_TEXT_SIZE]);
/* The column of that name; it must exist. */
const struct column *cell_column(const struct record_table *table, const char *name);

/* RFC 4180 field. Text of the wire that a spreadsheet would take for a formula gets an apostrophe.
 */
void csv_field(FILE *out, const char *text, bool from_wire);
/* Header line: names; times lose "_ns" and tell the offset they are shown in. */
void csv_header(FILE *out, const struct record_table *table, int64_t time_ns);
void csv_record(FILE *out, const struct record_table *table, const void *record);

#endif
