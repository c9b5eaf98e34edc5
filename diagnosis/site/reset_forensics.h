/* Who really sent a reset: the signs that its claimed sender did not, in independent families, the
 * supporting terms, and the place and trigger of the device. */
#ifndef INVCAP_DIAGNOSIS_SITE_RESET_FORENSICS_H
#define INVCAP_DIAGNOSIS_SITE_RESET_FORENSICS_H

#include "diagnosis/site/judge.h"

/* Families, as the catalogue counts them, then what only adds to the score. */
enum reset_term {
    TERM_SEQUENCE,
    TERM_LATER_DATA,
    TERM_TTL,
    TERM_TOO_FAST,
    TERM_BOTH_SIDES,
    RESET_FAMILIES,
    TERM_IP_ID = RESET_FAMILIES,
    TERM_TIMESTAMP,
    TERM_WINDOW,
    TERM_PAYLOAD,
    TERM_BURST,
    TERM_START_TTL,
    TERM_OTHER_BYTES,
    RESET_TERMS
};

struct reset_signs {
    bool has[RESET_TERMS];
    int count;                       /* of families */
    int score;                       /* sum of the terms, at most 100 */
    bool follows_gap;                /* its numbers speak of packets that the capture has not */
    const struct reset_record *lead; /* the one that shows most; NULL: the rows are not at hand */
};

/* The signs on the resets in the name of side. Those that a benign cause explains show none. */
struct reset_signs reset_forensics(const struct judge *judge, const struct site_flow *flow,
                                   enum side side);
/* Its numbers stand beyond what was seen of its side, or acknowledge more than was seen of the other: what came right
 * before it, this tap has not. */
bool reset_tells_of_unseen(const struct flow_facts *f, enum side side);
/* "sequence, TTL": the families; "sequence 35, TTL 25, IP ID 10": every term of the score. NULL when
 * there is none. */
const char *reset_family_words(struct judge *judge, const struct reset_signs *signs);
const char *reset_term_words(struct judge *judge, const struct reset_signs *signs);
/* Signs, score, terms and place as values of the claim. */
void reset_describe(struct judge *judge, const struct site_flow *flow, enum side side,
                    const struct reset_signs *signs, struct claim *out);

#endif
