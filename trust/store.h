/* The certificates that a profile or `--ca` trusts. What the analyst's own system trusts is never
 * asked: it says nothing about the clients of the capture. Read-only once filled. */
#ifndef INVCAP_TRUST_STORE_H
#define INVCAP_TRUST_STORE_H

#include "core/error.h"

#include <stdbool.h>
#include <stddef.h>

struct trust_store;

/* Empty; NULL when memory is out. */
struct trust_store *trust_store_new(void);
void trust_store_free(struct trust_store *store);
/* Adds every certificate of a file (PEM bundle, or one DER), or of all files of a folder. A file that
 * holds none is an error; in a folder at least one file must hold one. */
bool trust_store_add(struct trust_store *store, const char *path, struct error *error);
/* Certificates in it; 0 for NULL. */
size_t trust_store_count(const struct trust_store *store);

#endif
