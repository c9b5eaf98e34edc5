/* Interned strings: equal text, one address, alive as long as the table. Not thread-safe. */
#ifndef INVCAP_CORE_INTERN_H
#define INVCAP_CORE_INTERN_H

#include <stddef.h>

struct intern;

struct intern *intern_new(void);
void intern_free(struct intern *table);
/* Returns the table's own NUL-terminated copy; embedded NUL and control bytes become '?', bytes
 * that are not UTF-8 U+FFFD; the text is cut to 1,024 bytes. NULL when bytes is NULL or len is 0, or when memory is out. */
const char *intern_bytes(struct intern *table, const char *bytes, size_t len);
const char *intern_text(struct intern *table, const char *text);

#endif
