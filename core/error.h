/* Errors of the world: a file that cannot be read, a store that is full. Bad bytes on the wire are
 * not errors. A function that can fail takes a struct error* last, returns false or NULL, fills it,
 * and leaves its other outputs untouched. */
#ifndef INVCAP_CORE_ERROR_H
#define INVCAP_CORE_ERROR_H

#include <stdbool.h>

enum error_code {
    ERROR_NONE,
    ERROR_USAGE,      /* exit status 2 */
    ERROR_INPUT,      /* exit status 3: unreadable, partly unreadable, cut short */
    ERROR_STORE,      /* exit status 4 */
    ERROR_RUNTIME     /* exit status 5: permission, interface, memory */
};

struct error {
    enum error_code code;
    char text[1024]; /* what was tried, on what, what to do; UTF-8, one line, no newline */
};

/* Fills *error (which may be NULL) printf-like and returns false, so that `return error_set(...)`
 * reads well. The text is cut at a UTF-8 boundary. */
bool error_set(struct error *error, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
