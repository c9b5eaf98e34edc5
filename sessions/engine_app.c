#include "sessions/engine_internal.h"

#include "core/hints.h"
#include "dissectors/tls.h"
#include "sessions/tcp_delay.h"

#include <stdio.h>
#include <string.h>

struct tls_record *engine_take_tls_record(struct engine *e)
{
    struct tls_record *tls = pool_take(&e->tls_records);
    if (tls == NULL)
        return NULL;
    tls->client_hello_ns = tls->server_hello_ns = tls->finished_ns = RECORD_NONE_NS;
    tls->alert_ns = tls->hello_delay_ns = RECORD_NONE_NS;
    tls->alert = tls->warning = -1;
    tls->alert_by = tls->warning_by = SIDE_NONE;
    tls->quic_error = -1;
    return tls;
}

static void on_dissector_event(void *self, enum event_kind kind, enum side side, int64_t time_ns,
                               int64_t frame)
{
    struct engine *e = self;
    uint32_t source = e->context_source;
    engine_event(e, e->current, kind, side, time_ns, frame, source, 0, 0);
}

static void on_resolved(void *self, enum side asker, const struct address *address,
                        const char *name)
{
    struct engine *e = self;
    struct address client = flow_address(e->current, asker);
    resolved_note(e->resolved, &client, address, name);
}

/* What the dissector may see and change of the flow. */
void engine_app_enter(struct engine *e, struct flow *flow)
{
    struct flow_record *v = &e->view;
    struct dissect_context *c = &e->context;
    v->id = flow->id;
    v->protocol = flow->key.protocol;
    v->first_ns = flow->first_ns;
    v->client_ip = flow_address(flow, SIDE_CLIENT);
    v->server_ip = flow_address(flow, SIDE_SERVER);
    v->client_port = flow_port(flow, SIDE_CLIENT);
    v->server_port = flow_port(flow, SIDE_SERVER);
    v->app = flow->app;
    v->name = flow->name;
    v->request_count = flow->request_count;
    v->http_rows = flow->http_rows;
    v->secret_rows = flow->secret_rows;
    v->command_rows = flow->command_rows;
    v->response_max_ns = flow->response_max_ns;
    v->facts = flow->facts;
    v->closed_by = SIDE_NONE; /* known at the end only */
    if (flow->tcp != NULL && flow->tcp->facts.syn_count == 0 && !flow->tcp->synack_seen)
        v->facts |= FLOW_FACT_MIDSTREAM;
    c->flow_id = flow->id;
    c->protocol = flow->key.protocol;
    c->client_port = v->client_port;
    c->server_port = v->server_port;
    c->profile = e->options.profile;
    c->strings = e->options.strings;
    c->flow = v;
    c->tls = flow->tls;
    c->sink = &e->options.sink;
    c->certificates = e->options.certificates;
    c->capture_id = e->options.capture_id;
    c->salt = e->options.salt;
    c->rtt_server_ns = flow->tcp != NULL ? flow->tcp->rtt_min_ns[SIDE_SERVER] : RECORD_NONE_NS;
    c->resent_ns = flow->tcp != NULL ? flow->tcp->dir[SIDE_CLIENT].resent_ns : 0;
    c->skip = 0;
    c->need = 0;
    c->event = on_dissector_event;
    c->event_self = e;
    c->keys = e->options.keys;
    c->plain = engine_plain;
    c->upgrade = flow->upgrade;
    c->resolved = on_resolved;
    e->current = flow;
}

void engine_app_leave(struct engine *e, struct flow *flow)
{
    const struct flow_record *v = &e->view;
    flow->upgrade = e->context.upgrade;
    flow->app = v->app;
    flow->name = v->name;
    flow->request_count = v->request_count;
    flow->http_rows = v->http_rows;
    flow->secret_rows = v->secret_rows;
    flow->command_rows = v->command_rows;
    flow->response_max_ns = v->response_max_ns;
    flow->facts = v->facts & ~(uint64_t)FLOW_FACT_MIDSTREAM;
    e->current = NULL;
}

static bool starts_with(const struct layers *l, const char *word)
{
    size_t len = strlen(word);
    return l->payload_caplen >= len && memcmp(l->payload, word, len) == 0;
}

/* What servers say (nginx, Apache, Go, Tomcat) to clear text on their TLS port. */
static bool names_tls(const struct layers *l)
{
    static const char *const words[] = {"HTTPS port", "SSL-enabled", "HTTPS server",
                                        "requires TLS"};
    if (!starts_with(l, "HTTP/1.0 400") && !starts_with(l, "HTTP/1.1 400"))
        return false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (memmem(l->payload, l->payload_caplen, words[i], strlen(words[i])) != NULL)
            return true;
    }
    return false;
}

RARE
static void flip(struct engine *e, struct flow *flow)
{
    struct flow_side side = flow->side[0];
    flow->side[0] = flow->side[1];
    flow->side[1] = side;
    flow->client_is_high = !flow->client_is_high;
    tcp_flip(flow->tcp);
    if (flow->delay != NULL)
        tcp_delay_flip(flow->delay);
    events_flip(&flow->events);
    if (flow->stream != NULL)
        tcp_stream_flip(flow->stream);
    flow->facts ^= FLOW_FACT_SERVER_SPOKE_FIRST; /* somebody has spoken: the payload at hand */
    if (flow->path != NULL)
        flow->path = paths_take(e->paths, flow, true);
}

/* The first bytes of a side tell which end is which when no SYN did. Returns the side it has now. */
APART
static enum side note_first(struct engine *e, struct flow *flow, enum side side,
                            const struct packet *p, const struct layers *l)
{
    enum first_bytes first = flow->tcp->first[side].kind;
    bool client_words = first == FIRST_CLIENT_HELLO || first == FIRST_HTTP_REQUEST;
    bool server_words = first == FIRST_SERVER_HELLO || first == FIRST_HTTP_RESPONSE;
    bool wrong = (client_words && side == SIDE_SERVER) || (server_words && side == SIDE_CLIENT);
    if (flow->direction_guessed && wrong &&
        (flow->stream == NULL || tcp_stream_dissector(flow->stream) == NULL)) {
        flip(e, flow);
        side = !side;
    }
    if (client_words || server_words)
        flow->direction_guessed = false;
    if (side == SIDE_SERVER && first == FIRST_TLS_ALERT) {
        flow->tcp->first_alert_ns = p->time_ns;
        flow->tcp->first_alert_frame = (int64_t)p->frame;
    }
    if (side == SIDE_SERVER && first == FIRST_HTTP_RESPONSE && names_tls(l))
        flow->tls_named = true;
    return side;
}

/* After a push: who took the flow, or nobody. */
static void settle(struct engine *e, struct flow *flow)
{
    const struct dissector *chosen = tcp_stream_dissector(flow->stream);
    if (chosen != NULL && chosen != &dissector_tls && !chosen->watches && flow->tls != NULL) {
        pool_give(&e->tls_records, flow->tls);
        flow->tls = NULL;
    }
    if (!tcp_stream_is_unknown(flow->stream))
        return;
    engine_app_enter(e, flow);
    tcp_stream_close(flow->stream, DISSECTOR_END_CAPTURE, &e->context);
    engine_app_leave(e, flow);
    flow->stream = NULL;
    flow->app_decided = true;
    pool_give(&e->tls_records, flow->tls);
    flow->tls = NULL;
}

enum side engine_app_payload(struct engine *e, struct flow *flow, enum side side,
                             const struct packet *packet, const struct layers *l, int64_t offset)
{
    struct first_word *first = &flow->tcp->first[side];
    if (first->kind == FIRST_UNSEEN && l->payload_caplen > 0 &&
        first_word_add(first, offset, l->payload, l->payload_caplen,
                       l->payload_caplen < l->payload_len))
        side = note_first(e, flow, side, packet, l);
    if (flow->app_decided)
        return side;
    if (flow->stream == NULL) {
        flow->stream = tcp_stream_new(&e->tcp_stream_limits);
        flow->tls = engine_take_tls_record(e);
        if (flow->stream == NULL || flow->tls == NULL) {
            flow->app_decided = true;
            return side;
        }
    }
    struct tcp_stream_bytes in = {.side = side,
                                  .offset = offset,
                                  .expected = tcp_expected(flow->tcp, side, offset),
                                  .bytes = l->payload,
                                  .present = l->payload_caplen,
                                  .len = l->payload_len,
                                  .time_ns = packet->time_ns,
                                  .frame = (int64_t)packet->frame};
    if (tcp_stream_pass(flow->stream, &in))
        return side;
    if (flow->tls == NULL && tcp_stream_dissector(flow->stream) == NULL)
        flow->tls = engine_take_tls_record(e); /* behind a tunnel's opening it may be TLS */
    engine_app_enter(e, flow);
    e->context_source = packet->source_id;
    (void)tcp_stream_push(flow->stream, &in, &e->context);
    engine_app_leave(e, flow);
    settle(e, flow);
    return side;
}

void engine_app_gap(struct engine *e, struct flow *flow, enum side side, int64_t offset)
{
    if (flow->stream == NULL)
        return;
    engine_app_enter(e, flow);
    (void)tcp_stream_skip_gap(flow->stream, side, offset, &e->context);
    engine_app_leave(e, flow);
    settle(e, flow);
}

void engine_app_fin(struct engine *e, struct flow *flow, enum side side, int64_t offset)
{
    if (flow->stream == NULL)
        return;
    engine_app_enter(e, flow);
    tcp_stream_fin(flow->stream, side, offset, tcp_expected(flow->tcp, side, offset), &e->context);
    engine_app_leave(e, flow);
}

static bool port_expects_tls(const struct engine *e, const struct flow *flow)
{
    struct address server = flow_address(flow, SIDE_SERVER);
    const struct profile_service *service = profile_service_of(
        e->options.profile, flow->key.protocol, &server, flow_port(flow, SIDE_SERVER));
    return service != NULL && service->expected == PROFILE_TLS;
}

/* Clear text to a TLS server: the server answered in TLS, said so in words, or the port wants TLS.
 */
static void note_plaintext(struct engine *e, struct flow *flow)
{
    uint8_t level, description;
    const struct first_word *first = flow->tcp->first;
    enum first_bytes client = first_word_kind(&first[SIDE_CLIENT]);
    enum first_bytes server = first_word_kind(&first[SIDE_SERVER]);
    if (flow->app != NULL && strcmp(flow->app, "http") == 0)
        client = FIRST_HTTP_REQUEST; /* of a method that is not well known, or behind an empty line */
    if (client != FIRST_HTTP_REQUEST && client != FIRST_OTHER)
        return;
    if (flow->tls != NULL && flow->tls->client_hello_ns >= 0)
        return; /* in SSL 2.0's form, or behind an upgrade */
    bool tls_answer = server == FIRST_TLS_ALERT || server == FIRST_SERVER_HELLO;
    bool expected = client == FIRST_HTTP_REQUEST && port_expects_tls(e, flow);
    if (!tls_answer && !flow->tls_named && !expected)
        return;
    if ((flow->facts & FLOW_FACT_SERVER_SPOKE_FIRST) != 0)
        return;
    if (flow->tls == NULL && (flow->tls = engine_take_tls_record(e)) == NULL)
        return;
    flow->tls->plaintext_client = true;
    if (first_word_alert(&first[SIDE_SERVER], &level, &description)) {
        flow->tls->alert = description;
        flow->tls->alert_level = level;
        flow->tls->alert_by = SIDE_SERVER;
        flow->tls->alert_ns = flow->tcp->first_alert_ns;
        flow->tls->alert_frame = flow->tcp->first_alert_frame;
    }
}

size_t engine_copy_certificates(const struct flow *flow, const struct tls_certificate_record *sent,
                                size_t count, struct tls_certificate_record *out)
{
    if (count > ENGINE_CERTIFICATES)
        count = ENGINE_CERTIFICATES;
    for (size_t i = 0; i < count; i++) {
        out[i] = sent[i];
        out[i].flow_id = flow->id;
    }
    return count;
}

/* It began like a hello, and none came. */
static bool is_hello_part(const struct flow *flow)
{
    return flow->tcp->facts.syn_count > 0 && flow->tcp->dir[SIDE_CLIENT].facts.segments > 0 &&
           flow->tls->client_hello_ns < 0 && flow->tls->server_hello_ns < 0;
}

void engine_app_close(struct engine *e, struct flow *flow, enum end_why why,
                      struct tls_certificate_record *certificates, size_t *count)
{
    *count = 0;
    if (flow->stream != NULL) {
        bool tls = tcp_stream_dissector(flow->stream) == &dissector_tls;
        engine_app_enter(e, flow);
        e->view.closed_by = (uint8_t)tcp_closed_by(flow->tcp);
        if (tls) {
            const struct tls_certificate_record *sent =
                tls_state_certificates(tcp_stream_state(flow->stream), count);
            *count = engine_copy_certificates(flow, sent, *count, certificates);
        }
        tcp_stream_close(flow->stream, why, &e->context);
        engine_plain_close(e, flow, why);
        engine_app_leave(e, flow);
        flow->stream = NULL;
        if (tls && is_hello_part(flow))
            flow->facts |= FLOW_FACT_REQUEST_PART;
        if (!tls) {
            pool_give(&e->tls_records, flow->tls);
            flow->tls = NULL;
        }
    }
    note_plaintext(e, flow);
}

void engine_ndpi(struct engine *e, struct flow *flow, const struct packet *packet,
                 const struct layers *l, enum side side, int64_t offset)
{
    struct opinion_verdict verdict;
    enum engine_ndpi mode = e->options.ndpi;
    if (mode == ENGINE_NDPI_OFF || flow->ndpi_protocol != NULL || flow->ndpi_done)
        return;
    if (packet == NULL) {
        opinions_give_up(e->opinions, &flow->ndpi, &verdict);
    } else {
        if (mode == ENGINE_NDPI_UNKNOWN && flow->tcp != NULL && flow->stream != NULL &&
            !tcp_stream_is_watched(flow->stream))
            return; /* ours has it, or may still take it */
        if (l->network == NULL || l->network_caplen < l->ip_len)
            return;
        const struct opinion_packet shown = {l->network, l->network_caplen, packet->time_ns,
                                             (int)side,  offset,            l->payload_len};
        if (!opinions_packet(e->opinions, &flow->ndpi, &shown, &verdict))
            return;
    }
    flow->ndpi_done = true;
    flow->ndpi_risk = verdict.risk;
    flow->ndpi_protocol = intern_text(e->options.strings, verdict.name);
}
