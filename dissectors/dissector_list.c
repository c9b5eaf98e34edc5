#include "dissectors/dissector.h"

#define DISSECTOR(symbol) extern const struct dissector symbol;
#include "dissectors/dissectors.def"
#undef DISSECTOR

const struct dissector *const *dissector_list(size_t *count)
{
    static const struct dissector *const list[] = {
#define DISSECTOR(symbol) &symbol,
#include "dissectors/dissectors.def"
#undef DISSECTOR
    };
    *count = sizeof list / sizeof list[0];
    return list;
}
