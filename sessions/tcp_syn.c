/* What SYNs carry, and which of them was answered. */
#include "sessions/tcp_internal.h"

/* A SYN that comes again is answered at once. */
#define AGAIN_NS (10 * 1000000LL)

static bool has_other_option(const struct tcp_header *h)
{
    /* end, padding, MSS, scale, SACK permitted, SACK, timestamps, MPTCP, fast open and its trial
     * number */
    const uint64_t usual = 1u << 0 | 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 8 |
                           UINT64_C(1) << 30 | UINT64_C(1) << 34;
    for (uint8_t i = 0; i < h->option_count; i++) {
        uint8_t kind = h->option_kinds[i];
        bool fast_open = kind == 254 && h->fast_open != 0;
        if (!fast_open && (kind >= 64 || (usual >> kind & 1) == 0))
            return true;
    }
    return false;
}

static uint16_t syn_traits(const struct layers *l)
{
    const struct tcp_header *h = &l->tcp;
    bool ecn = (h->flags & (TCP_ECE | TCP_CWR)) == (TCP_ECE | TCP_CWR);
    return (uint16_t)((ecn ? SYN_TRAIT_ECN : 0u) | (h->fast_open != 0 ? SYN_TRAIT_FAST_OPEN : 0u) |
                      (l->payload_len > 0 ? SYN_TRAIT_DATA : 0u) |
                      (h->mptcp_subtype != 0 ? SYN_TRAIT_MPTCP : 0u) |
                      (h->has_timestamp ? 0u : SYN_TRAIT_NO_TIMESTAMPS) |
                      (h->window_scale >= 0 ? 0u : SYN_TRAIT_NO_SCALE) |
                      (h->sack_permitted ? 0u : SYN_TRAIT_NO_SACK) |
                      (has_other_option(h) ? SYN_TRAIT_OTHER_OPTION : 0u) |
                      (l->dscp_ecn >> 2 != 0 ? SYN_TRAIT_DSCP : 0u));
}

uint16_t tcp_note_syn_traits(struct tcp_flow *tcp, const struct layers *l)
{
    struct tcp_common_facts *f = &tcp->facts;
    uint16_t traits = syn_traits(l);
    if (tcp->synack_seen)
        return traits;
    if (f->syn_count == 0) {
        f->syn_first_traits = traits;
        f->syn_first_stamp = l->tcp.has_timestamp ? l->tcp.timestamp_value : 0;
    }
    f->syn_first_tries += traits == f->syn_first_traits;
    f->syn_answered_traits = traits;
    return traits;
}

/* The answer repeats the timestamp of the SYN that it answers (RFC 7323 4.1): the first one came
 * through, only its answer took longer than the client waited. */
void tcp_note_answered_first(struct tcp_flow *tcp, const struct layers *l)
{
    struct tcp_common_facts *f = &tcp->facts;
    if (f->syn_first_stamp == 0 || !l->tcp.has_timestamp ||
        l->tcp.timestamp_echo != f->syn_first_stamp)
        return;
    f->syn_answered_traits = f->syn_first_traits;
    f->syn_first_tries = 1;
}

bool tcp_was_asked_early(const struct tcp_flow *tcp)
{
    const struct tcp_common_facts *f = &tcp->facts;
    int64_t rtt_ns = tcp->rtt_min_ns[SIDE_SERVER], after_ns = f->synack_first_ns - f->syn_last_ns;
    bool first = f->syn_count > 1 && f->syn_first_tries == 1 && f->syn_answered_traits == f->syn_first_traits;
    if (!first || !tcp->synack_seen || rtt_ns < 0 || after_ns < 0)
        return false;
    return after_ns < rtt_ns - rtt_ns / 10 || after_ns > rtt_ns + rtt_ns / 4 + AGAIN_NS;
}
