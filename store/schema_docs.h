/* docs/schema.md. */
#ifndef INVCAP_STORE_SCHEMA_DOCS_H
#define INVCAP_STORE_SCHEMA_DOCS_H

#include <stdbool.h>
#include <stdio.h>

/* Writes the description of every table, column and view as Markdown; false when out fails. */
bool schema_docs_write(FILE *out);

#endif
