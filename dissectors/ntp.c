#include "dissectors/ntp.h"

#include "core/bytes.h"
#include "dissectors/datagram.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORT_NTP 123
#define MESSAGE_LEN 48
#define CONTROL_LEN 8
/* Seconds from 1900 to 1970 (RFC 5905 6). */
#define EPOCH_S 2208988800LL
#define ERA_S 4294967296LL
#define SECOND_NS 1000000000LL
/* Requests of one flow that may still be answered: iburst sends 8 of them in a row. */
#define PENDING 8
/* A transmit time further off than this is none: chrony and others send a random number (RFC 9109). */
#define CLIENT_OFFSET_MOST (86400 * SECOND_NS)
/* A reply that comes later than this answers nothing. */
#define REPLY_NS (30 * SECOND_NS)

/* ---- one packet ------------------------------------------------------------------------------ */

bool ntp_message_read(const uint8_t *bytes, size_t present, struct ntp_message *m)
{
    struct cursor c = cur_of(bytes, present);
    uint8_t first = cur_u8(&c);
    *m = (struct ntp_message){.leap = first >> 6, .version = first >> 3 & 7, .mode = first & 7};
    if (m->version < 1 || m->version > 4 || m->mode == 0)
        return false;
    if (m->mode >= NTP_CONTROL)
        return present >= CONTROL_LEN;
    m->stratum = cur_u8(&c);
    cur_skip(&c, 2); /* poll interval, precision */
    m->root_delay = cur_u32(&c);
    m->root_dispersion = cur_u32(&c);
    const uint8_t *reference = cur_take(&c, sizeof m->reference);
    if (reference != NULL)
        memcpy(m->reference, reference, sizeof m->reference);
    cur_skip(&c, 8); /* when the clock was last set */
    m->origin = cur_u64(&c);
    m->receive = cur_u64(&c);
    m->transmit = cur_u64(&c);
    return cur_ok(&c) && m->stratum <= 16;
}

int64_t ntp_time_ns(uint64_t timestamp, int64_t near_ns)
{
    int64_t seconds = (int64_t)(timestamp >> 32) - EPOCH_S;
    int64_t fraction = (int64_t)((timestamp & 0xffffffffu) * (uint64_t)SECOND_NS >> 32);
    int64_t near_s = near_ns / SECOND_NS;
    while (near_s - seconds > ERA_S / 2)
        seconds += ERA_S;
    while (seconds - near_s > ERA_S / 2)
        seconds -= ERA_S;
    return seconds * SECOND_NS + fraction;
}

int64_t ntp_short_ns(uint32_t value)
{
    return (int64_t)((uint64_t)value * (uint64_t)SECOND_NS >> 16);
}

char *ntp_reference_text(const struct ntp_message *m, char out[16])
{
    const uint8_t *r = m->reference;
    if (m->stratum > 1) {
        (void)snprintf(out, 16, "%u.%u.%u.%u", r[0], r[1], r[2], r[3]);
        return out;
    }
    size_t len = 0;
    while (len < sizeof m->reference && r[len] > ' ' && r[len] < 0x7f) {
        out[len] = (char)r[len];
        len++;
    }
    out[len] = '\0';
    return out;
}

/* ---- exchanges ------------------------------------------------------------------------------- */

struct pending {
    struct ntp_record record;
    uint64_t transmit;
};

struct ntp_flow {
    struct pending waiting[PENDING];
    uint8_t count;
    int64_t numbers;
};

static struct ntp_record start(struct ntp_flow *f, enum side asker, const struct ntp_message *m)
{
    return (struct ntp_record){.number = ++f->numbers,
                               .asker = (uint8_t)asker,
                               .version = m->version,
                               .mode = m->mode,
                               .request_ns = RECORD_NONE_NS,
                               .reply_ns = RECORD_NONE_NS,
                               .leap = -1,
                               .stratum = -1,
                               .error_ns = -1,
                               .delay_ns = -1,
                               .root_delay_ns = -1,
                               .root_dispersion_ns = -1};
}

static void put(const struct ntp_record *record, struct dissect_context *context)
{
    struct ntp_record out = *record;
    bool client = out.asker == SIDE_CLIENT;
    out.flow_id = context->flow_id;
    out.client_ip = client ? context->flow->client_ip : context->flow->server_ip;
    out.server_ip = client ? context->flow->server_ip : context->flow->client_ip;
    if (out.reply_ns >= 0 && out.request_ns >= 0) {
        int64_t took = out.reply_ns - out.request_ns;
        context->flow->facts |= FLOW_FACT_ANSWERED;
        if (took > context->flow->response_max_ns)
            context->flow->response_max_ns = took;
    }
    sink_put(context->sink, RECORD_NTP, &out);
}

static void drop(struct ntp_flow *f, uint8_t index)
{
    f->count--;
    memmove(&f->waiting[index], &f->waiting[index + 1],
            (size_t)(f->count - index) * sizeof f->waiting[0]);
}

static void take_request(struct ntp_flow *f, enum side side, const struct ntp_message *m,
                         struct dissect_context *context)
{
    if (f->count == PENDING) {
        put(&f->waiting[0].record, context);
        drop(f, 0);
    }
    struct pending *p = &f->waiting[f->count++];
    *p = (struct pending){start(f, side, m), m->transmit};
    p->record.request_ns = context->time_ns;
    p->record.request_frame = context->frame;
    context->flow->request_count++;
    if (m->transmit == 0)
        return;
    int64_t offset = ntp_time_ns(m->transmit, context->time_ns) - context->time_ns;
    if (llabs(offset) < CLIENT_OFFSET_MOST) {
        p->record.client_offset_ns = offset;
        p->record.client_offset_known = true;
    }
}

/* The server's clock against the capture's: both packets passed the tap, and only how the round trip
 * splits into its two halves is not known. */
static void measure(const struct ntp_message *m, struct ntp_record *r)
{
    if (m->receive == 0 || m->transmit == 0 || r->request_ns < 0)
        return;
    int64_t received = ntp_time_ns(m->receive, r->reply_ns);
    int64_t sent = ntp_time_ns(m->transmit, r->reply_ns);
    int64_t delay = (r->reply_ns - r->request_ns) - (sent - received);
    r->offset_ns = (received - r->request_ns) / 2 + (sent - r->reply_ns) / 2;
    r->delay_ns = delay > 0 ? delay : 0;
    r->error_ns = r->delay_ns / 2;
}

static void describe(const struct ntp_message *m, struct dissect_context *context,
                     struct ntp_record *r)
{
    r->mode = m->mode;
    r->reply_ns = context->time_ns;
    r->reply_frame = context->frame;
    r->leap = m->leap;
    r->stratum = m->stratum;
    (void)ntp_reference_text(m, r->reference);
    r->root_delay_ns = ntp_short_ns(m->root_delay);
    r->root_dispersion_ns = ntp_short_ns(m->root_dispersion);
}

static uint8_t find(const struct ntp_flow *f, enum side asker, const struct ntp_message *m,
                    int64_t now_ns)
{
    for (uint8_t i = 0; i < f->count; i++) {
        if (f->waiting[i].record.asker == asker && f->waiting[i].transmit == m->origin)
            return i;
    }
    for (uint8_t i = f->count; i > 0; i--) { /* version 1 servers and kisses may not echo it */
        const struct ntp_record *r = &f->waiting[i - 1].record;
        if (r->asker == asker && m->origin == 0 && now_ns - r->request_ns < REPLY_NS)
            return (uint8_t)(i - 1);
    }
    return f->count;
}

static void take_reply(struct ntp_flow *f, enum side side, const struct ntp_message *m,
                       struct dissect_context *context)
{
    enum side asker = side == SIDE_CLIENT ? SIDE_SERVER : SIDE_CLIENT;
    uint8_t index = m->mode == NTP_BROADCAST ? f->count : find(f, asker, m, context->time_ns);
    struct ntp_record record = index < f->count ? f->waiting[index].record : start(f, asker, m);
    describe(m, context, &record);
    measure(m, &record);
    put(&record, context);
    if (index < f->count)
        drop(f, index);
}

/* A symmetric peer asks and answers in one packet: it answers when it quotes what waits. */
static void take(struct ntp_flow *f, enum side side, const struct ntp_message *m,
                 struct dissect_context *context)
{
    enum side asker = side == SIDE_CLIENT ? SIDE_SERVER : SIDE_CLIENT;
    bool symmetric = m->mode == NTP_SYMMETRIC_ACTIVE || m->mode == NTP_SYMMETRIC_PASSIVE;
    if (m->mode == NTP_SERVER || m->mode == NTP_BROADCAST)
        take_reply(f, side, m, context);
    else if (symmetric && m->origin != 0 && find(f, asker, m, context->time_ns) < f->count)
        take_reply(f, side, m, context);
    else if (m->mode <= NTP_CLIENT)
        take_request(f, side, m, context);
}

static bool looks_like(const struct datagram *d)
{
    struct ntp_message m;
    return (d->client_port == PORT_NTP || d->server_port == PORT_NTP) &&
           ntp_message_read(d->bytes, d->present, &m);
}

static void open_flow(void *state, struct dissect_context *context)
{
    (void)state;
    context->flow->app = "ntp";
}

static enum datagram_result feed(void *state, const struct datagram *d,
                                 struct dissect_context *context)
{
    struct ntp_message m;
    if (ntp_message_read(d->bytes, d->present, &m))
        take(state, d->side, &m, context);
    return DATAGRAM_MORE;
}

static void close_flow(void *state, struct dissect_context *context)
{
    struct ntp_flow *f = state;
    for (uint8_t i = 0; i < f->count; i++)
        put(&f->waiting[i].record, context);
    f->count = 0;
}

const struct datagram_dissector datagram_ntp = {
    .name = "ntp",
    .state_size = sizeof(struct ntp_flow),
    .looks_like = looks_like,
    .open = open_flow,
    .feed = feed,
    .close = close_flow,
};
