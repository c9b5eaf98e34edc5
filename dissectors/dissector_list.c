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

int64_t dissect_wait(const struct dissect_context *context, int64_t from_ns, int64_t answer_ns)
{
    bool again = context->resent_ns > from_ns && context->resent_ns <= answer_ns;
    int64_t way = context->rtt_server_ns > 0 ? context->rtt_server_ns : 0;
    int64_t wait = answer_ns - (again ? context->resent_ns : from_ns) - way;
    return wait > 0 ? wait : 0;
}
