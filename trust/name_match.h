/* Whether a certificate covers a name (RFC 6125, RFC 9525), from the texts of its record, so that
 * it works on stored records too.
 *
 * Subject alternative names count before the common name; a wildcard is exactly one whole left
 * label; an IP address needs an IP entry; internationalised names compare as A-labels; case and one
 * trailing dot do not matter. */
#ifndef INVCAP_TRUST_NAME_MATCH_H
#define INVCAP_TRUST_NAME_MATCH_H

#include "core/record.h"

#include <stdbool.h>

/* Returns whether name (a host name in any script, or an IP address, IPv6 also in brackets) is one
 * that the certificate was issued for. False for an empty name and for a certificate that did not
 * parse. */
bool name_matches_certificate(const char *name, const struct certificate_record *certificate);

/* Writes a name with A-labels (xn--) in its own script; false, and nothing written, when it has none, is
 * not valid, or does not fit. */
bool name_to_unicode(const char *name, char *out, size_t size);

/* name_matches_certificate for one presented DNS name, e.g. "*.example.com". */
bool name_matches_pattern(const char *name, const char *pattern);

#endif
