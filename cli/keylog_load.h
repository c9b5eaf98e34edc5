/* The secrets that --keylog names. */
#ifndef INVCAP_CLI_KEYLOG_LOAD_H
#define INVCAP_CLI_KEYLOG_LOAD_H

#include "cli/options.h"
#include "core/error.h"

struct tls_keys;

/* *out is NULL when none was named; else free with tls_keys_free, which forgets them. False: a file
 * that cannot be read, or that is no key log. */
bool keylog_load(const struct arguments *arguments, struct tls_keys **out, struct error *error);

#endif
