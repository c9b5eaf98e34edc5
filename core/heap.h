/* How the C library's heap deals with the system (glibc). Within its room it is quick: it grows in large pages and
 * keeps what was freed between others. Beyond that what is freed is to go back at once, or a ceiling of memory would be one of what
 * is in use, not of what the process has. */
#ifndef INVCAP_CORE_HEAP_H
#define INVCAP_CORE_HEAP_H

#include <stdbool.h>
#include <stdint.h>

/* Once, before much is taken; there is no room yet. */
void heap_start(void);
/* How large the heap may grow while it is quick. */
void heap_set_room(uint64_t bytes);
/* To be called when something large was taken: the first touch of 4 KiB costs some microseconds, that of a large page
 * hardly more. */
void heap_note_growth(void);
/* Gives free pages back, also from between others; within the room it keeps them. */
void heap_trim(void);

#endif
