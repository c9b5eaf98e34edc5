/* docs/schema.md, made from the column tables and the views. */
#include "store/schema_docs.h"

#include "store/private.h"

static const char intro[] =
    "# The database\n\n"
    "<!-- Made from the column tables in core/columns_*.c; do not edit. -->\n\n"
    "`invcap read` leaves one SQLite file (3.37 or newer opens it; `application_id` INVC,\n"
    "`user_version` %d). Any SQL tool reads it; `invcap sql` does, too.\n\n"
    "- Times are INTEGER ns since 1970 UTC in columns that end in `_ns`; durations end in `_ns` as\n"
    "  well and say so. Readable: `datetime(first_ns / 1000000000, 'unixepoch')`.\n"
    "- Addresses are TEXT. Yes and no are 1 and 0. What does not apply or is not known is NULL.\n"
    "- Texts from the wire hold no control characters, but may hold bytes that are not UTF-8.\n"
    "- JSON uses the same names, and leaves out what is NULL.\n"
    "- Each `read` is one row of `captures`. Reading a source again deletes every earlier capture\n"
    "  that holds it (the same path, or the same size and digests), with that capture's other\n"
    "  sources, unless `--append` is given.\n"
    "- Names and units are public: a change is a migration and a line in the changelog.\n\n"
    "A column marked *key* is, or belongs to, the primary key. A column marked *computed* takes no\n"
    "room: it is read out of the stored integer `packed`.\n";

/* In a table of Markdown a bar ends the cell. */
static void write_cell(const char *text, FILE *out)
{
    for (; *text != '\0'; text++) {
        if (*text == '|') {
            fputc('\\', out);
        }
        fputc(*text, out);
    }
}

static void write_column(const struct column *column, FILE *out)
{
    fprintf(out, "| `%s` | %s | %s | ", column->name, schema_type(column), column->unit);
    if ((column->flags & COLUMN_KEY) != 0) {
        fputs("*key* ", out);
    }
    if (column->bits.width > 0) {
        fputs("*computed* ", out);
    }
    write_cell(column->sentence, out);
    if (column->references != NULL) {
        fprintf(out, " (`%s`)", column->references);
    }
    fputs(" |\n", out);
}

static void write_table(const struct record_table *table, FILE *out)
{
    fprintf(out, "\n## %s\n\n", table->table);
    write_cell(table->sentence, out);
    fprintf(out, " JSON: `\"type\":\"%s\"`.\n\n| column | type | unit | meaning |\n", table->json_type);
    fputs("| --- | --- | --- | --- |\n", out);
    for (size_t i = 0; i < table->column_count; i++) {
        write_column(&table->columns[i], out);
    }
}

bool schema_docs_write(FILE *out)
{
    fprintf(out, intro, STORE_SCHEMA_VERSION);
    for (int kind = 0; kind < RECORD_TABLE_COUNT; kind++) {
        write_table(record_table_get((enum record_kind)kind), out);
    }
    fputs("\n## Views\n\n| view | answers |\n| --- | --- |\n", out);
    for (size_t i = 0; i < store_view_count; i++) {
        fprintf(out, "| `%s` | ", store_views[i].name);
        write_cell(store_views[i].sentence, out);
        fputs(" |\n", out);
    }
    return ferror(out) == 0;
}
