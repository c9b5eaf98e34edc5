/* A finding's value in words, its unit included. */
#ifndef INVCAP_REPORTS_QUANTITY_H
#define INVCAP_REPORTS_QUANTITY_H

#include "core/catalogue.h"

#define QUANTITY_SIZE 192

/* "7.0 s", "1,460 bytes", "12 %". Returns out. */
char *quantity_text(enum value_unit unit, double number, enum language language,
                    char out[QUANTITY_SIZE]);

#endif
