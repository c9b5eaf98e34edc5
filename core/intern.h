/* Interned strings: equal text, one address, alive as long as the table. Not thread-safe. */
#ifndef INVCAP_CORE_INTERN_H
#define INVCAP_CORE_INTERN_H

#include <stddef.h>
#include <stdint.h>

struct intern;

struct intern *intern_new(void);
/* From now on texts that would take more than so many bytes are not kept, and counted; 0: all are. */
void intern_limit(struct intern *table, size_t bytes);
size_t intern_memory(const struct intern *table);
/* Texts not kept. */
uint64_t intern_refused(const struct intern *table);
void intern_free(struct intern *table);
/* Returns the table's own NUL-terminated copy; embedded NUL and control bytes become '?', bytes
 * that are not UTF-8 U+FFFD; the text is cut to 1,024 bytes. NULL when bytes is NULL or len is 0, when memory is out, or
 * at the limit. */
const char *intern_bytes(struct intern *table, const char *bytes, size_t len);
const char *intern_text(struct intern *table, const char *text);

#endif
