#include "sessions/tcp_rtt.h"

/* Payload of a full segment on Ethernet: offload shows larger ones than a link carries. */
#define FULL_SEGMENT 1460u
/* Segments so close left in one go; every delayed-acknowledgment timer is longer. */
#define BURST_NS 10000000LL

static int64_t full_segment(const struct tcp_rtt *rtt)
{
    return rtt->largest < FULL_SEGMENT ? rtt->largest : FULL_SEGMENT;
}

void tcp_rtt_sent(struct tcp_rtt *rtt, int64_t end, const struct packet *p, const struct layers *l)
{
    if (l->payload_len > rtt->largest)
        rtt->largest = l->payload_len;
    bool burst = p->time_ns - rtt->previous_ns < BURST_NS;
    rtt->previous_ns = p->time_ns;
    if (rtt->timing || end - rtt->acked <= full_segment(rtt))
        return;
    rtt->timing = true;
    rtt->doubtful = false;
    rtt->burst = burst;
    rtt->start = end - l->payload_len;
    rtt->end = end;
    rtt->sent_ns = p->time_ns;
    rtt->has_timestamp = l->tcp.has_timestamp;
    rtt->timestamp = l->tcp.timestamp_value;
}

void tcp_rtt_sent_again(struct tcp_rtt *rtt, const struct layers *l)
{
    if (rtt->has_timestamp && l->tcp.has_timestamp && l->tcp.timestamp_value != rtt->timestamp)
        rtt->doubtful = true;
    else
        rtt->timing = false;
}

int64_t tcp_rtt_acked(struct tcp_rtt *rtt, int64_t acked, const struct packet *p,
                      const struct layers *l)
{
    int64_t before = rtt->acked;
    if (acked <= before)
        return RECORD_NONE_NS;
    rtt->acked = acked;
    if (!rtt->timing || acked < rtt->end)
        return RECORD_NONE_NS;
    rtt->timing = false;
    bool at_once = acked - before > full_segment(rtt) || (rtt->burst && before == rtt->start);
    bool prompt = acked == rtt->end && at_once && l->payload_len == 0;
    if (rtt->doubtful &&
        !(l->tcp.has_timestamp && l->tcp.timestamp_echo == rtt->timestamp))
        return RECORD_NONE_NS;
    return prompt && p->time_ns >= rtt->sent_ns ? p->time_ns - rtt->sent_ns : RECORD_NONE_NS;
}

void rtt_facts_add(struct rtt_facts *facts, int64_t rtt_ns)
{
    if (facts->count == 0 || rtt_ns < facts->min_ns)
        facts->min_ns = rtt_ns;
    if (facts->count == 0 || rtt_ns > facts->max_ns)
        facts->max_ns = rtt_ns;
    if (facts->count < UINT32_MAX)
        facts->count++;
    facts->sum_ns += rtt_ns;
    facts->last_ns = rtt_ns;
}
