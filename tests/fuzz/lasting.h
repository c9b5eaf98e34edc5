/* Texts and certificates that outlive an input, as they outlive a connection: made anew every 64 inputs. */
#ifndef INVCAP_TESTS_FUZZ_LASTING_H
#define INVCAP_TESTS_FUZZ_LASTING_H

#include "core/intern.h"
#include "dissectors/x509.h"

#include <stdlib.h>

struct lasting {
    struct intern *strings;
    struct certificate_cache *certificates;
};

static struct lasting lasting_kept;

/* At the begin of an input. */
static const struct lasting *lasting_begin(void)
{
    static unsigned inputs;
    struct lasting *kept = &lasting_kept;
    if (inputs++ % 64 == 0) {
        certificate_cache_free(kept->certificates);
        intern_free(kept->strings);
        kept->strings = intern_new();
        kept->certificates =
            kept->strings != NULL ? certificate_cache_new(kept->strings, 1) : NULL;
        if (kept->certificates == NULL)
            abort();
    }
    return kept;
}

#endif
