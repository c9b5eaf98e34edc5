/* The delay waterfall and round trips of TCP flows: from the segments to their records. */
#include "sessions/engine_internal.h"

#include "core/limits.h"
#include "sessions/tcp_delay.h"

#include <string.h>

/* Half of all connections last some milliseconds and nothing of it is worth asking for: their rows
 * would be a third of the store's work. */
#define SHORT_NS 1000000000LL
#define QUICK_NS 200000000LL

static bool is_worth_a_row(const struct flow_delay_record *r)
{
    int64_t total = 0;
    for (int i = 0; i < DELAY_TERM_COUNT; i++)
        total += r->term_ns[i];
    return total >= SHORT_NS || r->answer_max_ns >= QUICK_NS || r->window_sender != SIDE_NONE ||
           r->term_ns[DELAY_SYN_BACKOFF] > 0 || r->term_ns[DELAY_RETRANSMISSION] > 0 ||
           r->term_ns[DELAY_ZERO_WINDOW] > 0 || r->term_ns[DELAY_ACK_STALL] > 0;
}

/* An encrypted HTTP request with its header; less is an acknowledgment or a heartbeat. */
#define REQUEST_BYTES 100

/* HTTP/2 has several requests under way at once: whose answer comes is not seen. Which protocol TLS 1.3
 * agreed on is hidden, so the offer counts. */
static bool tells_turns(const struct flow *flow)
{
    const struct tls_record *t = flow->tls;
    if (t == NULL || !t->established || t->decryption >= TLS_DECRYPTION_PARTLY)
        return false;
    const char *list = t->alpn != NULL && t->alpn[0] != '\0' ? t->alpn : t->alpn_offered;
    return list == NULL || (strstr(list, "h2") == NULL && strstr(list, "spdy") == NULL);
}

static void put_turn(struct engine *e, struct flow *flow)
{
    struct turn_record turn;
    if (!tcp_delay_turn(flow->delay, &turn) || !tells_turns(flow) || turn.asked < REQUEST_BYTES ||
        flow->delay->turns >= LIMIT_TURNS_PER_FLOW)
        return;
    turn.flow_id = flow->id;
    turn.number = ++flow->delay->turns;
    sink_put(&e->options.sink, RECORD_TURN, &turn);
}

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
        flow->referenced = true;
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
    const struct rtt_facts *rtt = flow->delay->record.rtt;
    uint32_t before[2] = {rtt[SIDE_CLIENT].count, rtt[SIDE_SERVER].count};
    tcp_delay_note(flow->delay, flow->tcp, &in);
    if (flow->delay->ended.start_ns != 0)
        put_turn(e, flow);
    for (int s = 0; s < 2 && flow->path != NULL; s++) {
        if (rtt[s].count != before[s])
            path_note_rtt(e->paths, flow->path, (enum side)s, rtt[s].last_ns);
    }
}

void engine_delay_finish(struct engine *e, struct flow *flow)
{
    struct flow_delay_record record;
    struct rtt_sample_record sample;
    if (flow->delay == NULL)
        return;
    bool spoken = flow->delay->last_side != SIDE_NONE;
    tcp_delay_close(flow->delay, flow->tcp, &record);
    put_turn(e, flow);
    record.flow_id = sample.flow_id = flow->id;
    if (tcp_delay_last_interval(flow->delay, &sample)) {
        sample.flow_id = flow->id;
        flow->referenced = true;
        sink_put(&e->options.sink, RECORD_RTT_SAMPLE, &sample);
    }
    if (spoken && is_worth_a_row(&record)) {
        flow->referenced = true;
        sink_put(&e->options.sink, RECORD_FLOW_DELAY, &record);
    }
    pool_give(&e->delays, flow->delay);
    flow->delay = NULL;
}
