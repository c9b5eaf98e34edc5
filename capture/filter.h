/* libpcap filters over packets of any link type. */
#ifndef INVCAP_CAPTURE_FILTER_H
#define INVCAP_CAPTURE_FILTER_H

#include "core/error.h"
#include "core/hints.h"
#include "core/packet.h"

struct filter;

/* NULL: bad syntax (ERROR_USAGE) or no memory. Keeps a copy of text. */
struct filter *filter_new(const char *text, struct error *error);
/* Compiles for a link type at its first packet; what libpcap cannot compile does not match. */
APART
bool filter_matches(struct filter *filter, const struct packet *packet);
void filter_free(struct filter *filter);

/* libpcap's number on this system for a LINKTYPE_ value of a file, and back. */
int filter_dlt_of(uint16_t link_type);
uint16_t filter_link_type_of(int dlt);

#endif
