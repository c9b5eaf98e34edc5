#include "diagnosis/site/patterns.h"

#include "diagnosis/flow/signatures.h"
#include "diagnosis/site/verdict.h"

#include <string.h>

static void add(struct judge *judge, const struct site_flow *flow, enum side side, bool silent,
                struct claim *claim)
{
    unsigned number = signature_of(&flow->f, side, silent);
    if (number != 0)
        claim_add_text(claim, side == SIDE_CLIENT ? "client_signature" : "server_signature",
                       arena_format(&judge->site->arena, "%u: %s", number, signature_name(number)));
}

void patterns_add(struct judge *judge, const struct site_flow *flow, enum silence silence, struct claim *claim)
{
    add(judge, flow, SIDE_CLIENT, silence == SILENCE_OF_CLIENT, claim);
    add(judge, flow, SIDE_SERVER, silence == SILENCE_OF_SERVER, claim);
}

/* Who fell silent, as the verdict tells; it may also have found one way closed. */
static enum silence silence_of(const struct claim *claim)
{
    const char *side = claim_text(claim, "silent");
    if (side == NULL)
        return SILENCE_NONE;
    return strcmp(side, verdict_side_word(SIDE_CLIENT)) == 0 ? SILENCE_OF_CLIENT : SILENCE_OF_SERVER;
}

void patterns_tell(struct judge *judge, const struct site_flow *flow, struct claim *claim)
{
    switch (claim->code) {
    case FINDING_CONN_SYN_TIMEOUT:
    case FINDING_TLS_CLIENTHELLO_DROPPED:
        patterns_add(judge, flow, SILENCE_OF_SERVER, claim);
        break;
    case FINDING_TCP_VANISHED:
        patterns_add(judge, flow, silence_of(claim), claim);
        break;
    case FINDING_CONN_REJECTED_BY_MIDDLEBOX:
    case FINDING_TLS_RESET_AFTER_CLIENTHELLO:
    case FINDING_TCP_RESET_INJECTED:
    case FINDING_TCP_RESET_BY_SERVER:
    case FINDING_TCP_RESET_BY_CLIENT:
        patterns_add(judge, flow, SILENCE_NONE, claim);
        break;
    default:
        break;
    }
}
