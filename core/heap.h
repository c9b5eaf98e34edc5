/* How the C library's heap deals with the system (glibc): what is freed is to go back at once, or a ceiling of memory
 * would be one of what is in use, not of what the process has. */
#ifndef INVCAP_CORE_HEAP_H
#define INVCAP_CORE_HEAP_H

/* Once, before much is taken. */
void heap_start(void);
/* Gives free pages back, also from between others. */
void heap_trim(void);

#endif
