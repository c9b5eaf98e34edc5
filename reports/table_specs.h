/* Which columns the tables of the subcommands show, under which heads and in which form. Shared by reports/table*.c only. */
#ifndef INVCAP_REPORTS_TABLE_SPECS_H
#define INVCAP_REPORTS_TABLE_SPECS_H

#include "core/record.h"
#include "core/texts.h"
#include "reports/tables.h"

#define COLUMNS_MOST 16

enum cell_form {
    CELL_AS_IS,
    CELL_TIME,
    CELL_DAY,
    CELL_NUMBER,
    CELL_ENDPOINT,
    CELL_VERSION,
    CELL_RCODE,
    CELL_WORD,
    CELL_MS,     /* of ns */
    CELL_SECONDS, /* of ns */
    CELL_PPM,     /* as percent */
    CELL_CULPRIT,
    CELL_HOST,    /* a name, with its form in its own script */
    CELL_ISSUER,  /* the common name of a distinguished name */
    CELL_CHAIN,   /* certificates sent, and whether in order */
    CELL_DAYS_LEFT, /* from the last handshake that showed it */
    CELL_DAYS_NOW   /* from today: the only cell that asks the clock */
};

struct shown_column {
    const char *name; /* of the record's column */
    enum text_id head;
    enum cell_form form;
};

struct table_spec {
    enum record_kind kind;
    const char *key;
    const char *scope; /* with one %lld for the capture */
    struct shown_column columns[COLUMNS_MOST];
};

/* The columns end at one without a name, or at COLUMNS_MOST. */
const struct table_spec *table_spec_get(enum table_kind kind);

#endif
