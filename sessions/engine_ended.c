/* Connections that ended for both sides: their record is written after a short silence, and their memory goes on.
 * What the network had kept for many seconds may still come: it is late, and of no connection. */
#include "sessions/engine_internal.h"

#include "core/hints.h"

/* What is left of such a connection. */
struct ended {
    struct wireshark_flow wireshark; /* late packets have its flags */
    uint32_t syn_sequence[2];
};

size_t engine_ended_size(void)
{
    return sizeof(struct ended);
}

void engine_ended_settle(struct engine *e, struct flow *flow)
{
    struct ended *ended = pool_take(&e->ended);
    if (ended == NULL) {
        engine_flow_finish(e, flow, END_CLOSED);
        return;
    }
    ended->wireshark = flow->tcp->wireshark;
    for (int s = 0; s < 2; s++)
        ended->syn_sequence[s] = flow->tcp->dir[s].syn_sequence;
    engine_flow_put(e, flow, END_CLOSED);
    flow->ended = ended;
    flow_table_set_class(e->table, flow, CLASS_ENDED, e->now_ns);
}

void engine_ended_forget(struct engine *e, struct flow *flow)
{
    pool_give(&e->ended, flow->ended);
    events_release(&e->events, &flow->events); /* of ICMP errors that came late */
    flow_table_remove(e->table, flow);
}

RARE
bool engine_ended_takes(struct engine *e, struct flow *flow, enum side side, const struct packet *packet,
                        const struct layers *layers)
{
    uint16_t flags = layers->tcp.flags;
    if (layers->kind != LAYER_TCP ||
        ((flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN &&
         layers->tcp.sequence != flow->ended->syn_sequence[side]))
        return false;
    wireshark_segment(&flow->ended->wireshark, side, packet->time_ns, layers, &e->counters.wireshark);
    e->counters.late_packets++;
    return true;
}

bool engine_ended_is_followed(const struct flow *flow, enum side side, const struct layers *layers)
{
    return flow->ended != NULL || (flow->tcp != NULL && layers->kind == LAYER_TCP &&
                                   tcp_is_new_connection(flow->tcp, side, layers));
}

struct wireshark_flow *engine_wireshark_of(const struct flow *flow)
{
    return flow->tcp != NULL ? &flow->tcp->wireshark : flow->ended != NULL ? &flow->ended->wireshark : NULL;
}
