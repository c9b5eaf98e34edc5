/* Words about issuers that the detectors of interception share. */
#ifndef INVCAP_DIAGNOSIS_SITE_MITM_H
#define INVCAP_DIAGNOSIS_SITE_MITM_H

#include "core/profile.h"
#include "core/record.h"

#include <stddef.h>

#define MITM_NAME_SIZE 256

/* The first value of an attribute ("O", "CN") of an RFC 4514 name, unescaped; "" when it has none. */
void mitm_name_part(const char *name, const char *attribute, char out[MITM_NAME_SIZE]);
/* Who issues: the organisation, else the common name, else the whole. */
void mitm_organisation(const char *issuer, char out[MITM_NAME_SIZE]);
/* The inspection product whose authority has this name, NULL none; *keyword is what a name of its
 * vendor's own contains. */
const char *mitm_product(const char *name, const char **keyword);
/* The profile allows an inspection proxy of this issuer; sha256 of its certificate may be NULL. */
bool mitm_is_allowed(const struct profile *profile, const char *issuer, const char *sha256);

#endif
