/* UDP payloads to the dissector that wants them, and the choice of that dissector. */
#include "sessions/engine_internal.h"

#include "core/limits.h"

#include <stdlib.h>

static bool open_dissector(struct engine *e, struct flow *flow,
                           const struct datagram_dissector *dissector)
{
    void *state = calloc(1, dissector->state_size);
    if (state == NULL)
        return false;
    if (dissector->is_tls && flow->tls == NULL &&
        (flow->tls = engine_take_tls_record(e)) == NULL) {
        free(state);
        return false;
    }
    e->state_memory += dissector->state_size;
    flow->datagram = dissector;
    flow->datagram_state = state;
    engine_app_enter(e, flow);
    e->context.flow->app = dissector->name;
    dissector->open(state, &e->context);
    engine_app_leave(e, flow);
    return true;
}

/* False: nobody wants this one. After LIMIT_DATAGRAM_TRIES of them nobody is asked again. */
static bool choose(struct engine *e, struct flow *flow, const struct datagram *datagram)
{
    for (const struct datagram_dissector *const *d = datagram_dissector_list(); *d != NULL; d++) {
        if ((*d)->looks_like(datagram) && open_dissector(e, flow, *d))
            return true;
    }
    flow->app_decided = ++flow->datagram_tries >= LIMIT_DATAGRAM_TRIES;
    return false;
}

void engine_datagram(struct engine *e, struct flow *flow, enum side side,
                     const struct packet *packet, const struct layers *l)
{
    if (flow->app_decided || l->kind != LAYER_UDP || l->payload_len == 0)
        return;
    struct datagram datagram = {.side = side,
                                .bytes = l->payload,
                                .present = l->payload_caplen,
                                .len = l->payload_len,
                                .client_port = flow_port(flow, SIDE_CLIENT),
                                .server_port = flow_port(flow, SIDE_SERVER),
                                .ttl = l->ttl};
    if (datagram.present < datagram.len)
        flow->facts |= FLOW_FACT_SNAPLEN;
    if (flow->datagram == NULL && !choose(e, flow, &datagram))
        return;
    engine_app_enter(e, flow);
    struct dissect_context *c = &e->context;
    c->time_ns = c->first_time_ns = packet->time_ns;
    c->frame = c->first_frame = (int64_t)packet->frame;
    e->context_source = packet->source_id;
    if (flow->datagram->feed(flow->datagram_state, &datagram, c) == DATAGRAM_FINISHED)
        flow->app_decided = true;
    engine_app_leave(e, flow);
}

void engine_datagram_close(struct engine *e, struct flow *flow,
                           struct tls_certificate_record *certificates, size_t *count)
{
    const struct datagram_dissector *dissector = flow->datagram;
    *count = 0;
    if (dissector == NULL)
        return;
    if (dissector->certificates != NULL)
        *count = engine_copy_certificates(
            flow, dissector->certificates(flow->datagram_state, count), *count, certificates);
    engine_app_enter(e, flow);
    dissector->close(flow->datagram_state, &e->context);
    engine_app_leave(e, flow);
    e->state_memory -= dissector->state_size;
    free(flow->datagram_state);
    flow->datagram_state = NULL;
    flow->datagram = NULL;
    if (dissector->is_tls && flow->tls->history[0] == '\0' && flow->tls->quic_version == 0) {
        pool_give(&e->tls_records, flow->tls); /* nothing of it could be read */
        flow->tls = NULL;
    }
}
