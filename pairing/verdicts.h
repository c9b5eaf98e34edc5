/* What two points prove about their sessions, one line each; made from a joined result. */
#ifndef INVCAP_PAIRING_VERDICTS_H
#define INVCAP_PAIRING_VERDICTS_H

#include "pairing/pairing.h"

/* In the order of weight. */
enum pair_verdict_kind {
#define VERDICT(id, word) PAIR_VERDICT_##id,
#include "pairing/verdicts.def"
#undef VERDICT
    PAIR_VERDICT_COUNT
};

#define PAIR_VERDICT_FRAMES 6

struct pair_verdict {
    enum pair_verdict_kind kind;
    uint32_t match;     /* PAIR_NONE: a session of one point alone, */
    uint32_t session;   /* this one, */
    uint8_t point;      /* of this point; else the point whose frames are told */
    uint8_t direction;  /* of the packets: 0 the client's */
    uint32_t count;     /* packets of it */
    uint32_t packet;    /* the first of them, of the point's packets; PAIR_NONE none */
    uint32_t frames[PAIR_VERDICT_FRAMES]; /* the first frames, 0 none */
    int64_t time_ns;
};

/* Stable word for JSON: "dropped". */
const char *pair_verdict_word(enum pair_verdict_kind kind);
/* A list in order of kind and time, to be freed; NULL when memory is out. */
struct pair_verdict *pair_verdicts(const struct pair_side sides[PAIR_POINTS],
                                   const struct pair_result *result, size_t *out_count);

#endif
