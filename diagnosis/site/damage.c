/* Tries in vain whose checksums were wrong when they passed the tap: their receiver drops such packets without
 * a word (RFC 9293 3.1), so that silence accuses nobody else. */
#include "diagnosis/site/damage.h"

#include "core/texts.h"
#include "diagnosis/site/verdict.h"

/* Right packets of the capture for each wrong one: else its sums mean nothing. */
#define RIGHT_PER_WRONG 3
/* Every try was wrong: what it is sure of is that none was taken, not which link or device damaged them. */
#define CAUSE_MOST 90

/* Whose packets were in vain, and how many of them; 0 where the verdict is about something else. */
static uint32_t tries_of(const struct claim *claim, enum side *side)
{
    const struct flow_tcp_record *t = claim->flow->f.tcp;
    *side = SIDE_CLIENT;
    switch (claim->code) {
    case FINDING_CONN_SYN_TIMEOUT:
        return t->syn_count;
    case FINDING_CONN_SYNACK_LOST:
        *side = SIDE_SERVER;
        return t->synack_count;
    case FINDING_TCP_VANISHED:
    case FINDING_PATH_MTU_BLACKHOLE:
        if (t->side[SIDE_CLIENT].tail_retransmissions == 0)
            *side = SIDE_SERVER;
        return t->side[*side].tail_retransmissions + 1;
    case FINDING_TLS_CLIENTHELLO_DROPPED:
    case FINDING_TCP_RESET_BY_CLIENT:
        return t->side[SIDE_CLIENT].tail_retransmissions + 1;
    default:
        return 0;
    }
}

void damage_tell(struct judge *judge, struct claim *claim)
{
    static const enum rival causes[] = {RIVAL_SUMS_NOT_REPAIRED, RIVAL_BAD_LINK, RIVAL_DAMAGED_MIRROR,
                                        RIVAL_COUNT};
    const struct capture_record *c = &judge->site->capture;
    enum side side;
    uint32_t tries = tries_of(claim, &side);
    const struct tcp_side_facts *s = &claim->flow->f.tcp->side[side];
    if (tries == 0 || s->wrong_checksums <= s->damaged_losses ||
        c->bad_checksums * (1 + RIGHT_PER_WRONG) > c->packets)
        return;
    uint32_t wrong = s->wrong_checksums - s->damaged_losses;
    claim->evidence |= EVIDENCE(EVENT_DAMAGED);
    claim_add_number(claim, "damaged", wrong);
    if (wrong < tries) {
        judge_add_rival(judge, claim, RIVAL_BAD_LINK);
        return;
    }
    claim->category = CATEGORY_NETWORK;
    /* no link damages every copy and nothing else: a device changes them */
    bool device = tries >= 2;
    claim->culprit = device ? CULPRIT_MIDDLEBOX : CULPRIT_UNKNOWN;
    claim->reason = device ? NULL : text_get(TEXT_REASON_BOTH_SIDES, LANG_EN);
    claim->rivals = judge_rivals(judge, causes);
    claim->confidence = claim->confidence < CAUSE_MOST ? claim->confidence : CAUSE_MOST;
}
