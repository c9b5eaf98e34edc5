/* The delay waterfall and round trips of TCP flows: from the segments to their records. */
#include "sessions/engine_internal.h"

#include "sessions/tcp_delay.h"

void engine_delay_note(struct engine *e, struct flow *flow, enum side side, const struct packet *p,
                       const struct layers *l, const struct tcp_verdict *verdict)
{
    struct rtt_sample_record sample;
    if (flow->delay == NULL) {
        /* Nothing to tell of a SYN that nobody answers, nor of one that is refused. */
        if ((l->tcp.flags & TCP_RST) != 0 || (l->tcp.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN ||
            (flow->delay = pool_take_unset(&e->delays)) == NULL)
            return;
        tcp_delay_init(flow->delay, flow->tcp, flow);
    }
    if (tcp_delay_interval(flow->delay, p->time_ns, &sample)) {
        sample.flow_id = flow->id;
        sink_put(&e->options.sink, RECORD_RTT_SAMPLE, &sample);
    }
    const struct tls_record *tls = flow->tls;
    const struct tcp_delay_input in = {
        .verdict = verdict,
        .packet = p,
        .layers = l,
        .side = side,
        .tls_open = tls != NULL && tls->client_hello_ns >= 0 && !tls->established,
        .tls_13 = tls != NULL && tls->version == 0x0304,
    };
    tcp_delay_note(flow->delay, flow->tcp, &in);
}

void engine_delay_finish(struct engine *e, struct flow *flow)
{
    struct flow_delay_record record;
    struct rtt_sample_record sample;
    if (flow->delay == NULL)
        return;
    bool spoken = flow->delay->last_side != SIDE_NONE;
    tcp_delay_close(flow->delay, flow->tcp, &record);
    record.flow_id = sample.flow_id = flow->id;
    if (tcp_delay_last_interval(flow->delay, &sample)) {
        sample.flow_id = flow->id;
        sink_put(&e->options.sink, RECORD_RTT_SAMPLE, &sample);
    }
    if (spoken)
        sink_put(&e->options.sink, RECORD_FLOW_DELAY, &record);
    pool_give(&e->delays, flow->delay);
    flow->delay = NULL;
}
