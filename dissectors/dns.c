#include "dissectors/dns.h"

#include "dissectors/datagram.h"

#include <string.h>

#define PORT_DNS 53
#define PORT_MDNS 5353
#define PORT_LLMNR 5355
#define PORT_NBNS 137
#define HEADER_LEN 12
#define LENGTH_LEN 2
/* Shown at the start of a stream: what a dissector may look at. */
#define LOOK_MOST 64

static bool is_port(const struct datagram *d, uint16_t port)
{
    return d->client_port == port || d->server_port == port;
}

/* ---- datagrams ------------------------------------------------------------------------------- */

static bool looks_like_datagram(const struct datagram *d)
{
    struct dns_message m;
    if (is_port(d, PORT_MDNS) || is_port(d, PORT_LLMNR) || is_port(d, PORT_NBNS))
        return false;
    if (is_port(d, PORT_DNS))
        return dns_message_read(d->bytes, d->present, d->len, &m) != DNS_BAD;
    return dns_message_is_certain(d->bytes, d->present, d->len);
}

static void open_datagrams(void *state, struct dissect_context *context)
{
    (void)state;
    context->flow->app = "dns";
}

static enum datagram_result feed_datagram(void *state, const struct datagram *d,
                                          struct dissect_context *context)
{
    struct dns_message m;
    enum dns_state read = dns_message_read(d->bytes, d->present, d->len, &m);
    if (read != DNS_BAD)
        dns_table_take(state, d->side, &m, read, d->ttl, context);
    return DATAGRAM_MORE;
}

static void close_datagrams(void *state, struct dissect_context *context)
{
    dns_table_close(state, context);
}

const struct datagram_dissector datagram_dns = {
    .name = "dns",
    .state_size = sizeof(struct dns_table),
    .looks_like = looks_like_datagram,
    .open = open_datagrams,
    .feed = feed_datagram,
    .close = close_datagrams,
};

/* ---- names of the neighbourhood: counted only ------------------------------------------------ */

static const char *local_name(const struct datagram *d)
{
    if (is_port(d, PORT_MDNS))
        return "mdns";
    if (is_port(d, PORT_LLMNR))
        return "llmnr";
    return is_port(d, PORT_NBNS) ? "nbns" : NULL;
}

static bool looks_like_local(const struct datagram *d)
{
    struct dns_message m;
    return local_name(d) != NULL &&
           dns_message_read(d->bytes, d->present, d->len, &m) != DNS_BAD;
}

static void open_local(void *state, struct dissect_context *context)
{
    (void)state;
    (void)context;
}

static enum datagram_result feed_local(void *state, const struct datagram *d,
                                       struct dissect_context *context)
{
    (void)state;
    context->flow->app = local_name(d);
    if (d->present > 2 && (d->bytes[2] & 0x80) == 0)
        context->flow->request_count++;
    return DATAGRAM_MORE;
}

const struct datagram_dissector datagram_local_names = {
    .name = "mdns",
    .state_size = 1,
    .looks_like = looks_like_local,
    .open = open_local,
    .feed = feed_local,
    .close = open_local,
};

/* ---- TCP: each message behind its length (RFC 1035 4.2.2) ------------------------------------- */

static bool is_name_start(struct cursor *c)
{
    for (;;) {
        uint8_t len = cur_u8(c);
        if (!cur_ok(c) || len == 0)
            return true; /* as far as it is shown */
        if (len > 63)
            return false;
        for (uint8_t i = 0; i < len && cur_left(c) > 0; i++) {
            uint8_t byte = cur_u8(c);
            if (byte <= ' ' || byte >= 0x7f)
                return false;
        }
    }
}

static enum dissector_match looks_like_stream(const uint8_t *bytes, size_t len, enum side side)
{
    struct cursor c = cur_of(bytes, len);
    uint16_t message_len = cur_u16(&c);
    cur_skip(&c, 2); /* any id */
    uint16_t flags = cur_u16(&c), counts[4];
    for (int i = 0; i < 4; i++)
        counts[i] = cur_u16(&c);
    (void)side;
    if (!cur_ok(&c)) {
        bool short_one = len >= LENGTH_LEN && message_len < HEADER_LEN + 5;
        bool odd = len >= 5 && (bytes[4] & 0x78) != 0;
        return short_one || odd ? MATCH_NO : MATCH_MORE;
    }
    bool is_answer = (flags & 0x8000) != 0;
    bool sound = message_len >= HEADER_LEN + 5 && (flags & 0x7840) == 0 && counts[0] == 1;
    if (!is_answer)
        sound = sound && (flags & 0x068f) == 0 && counts[1] == 0 && counts[3] <= 2;
    if (!sound || !is_name_start(&c))
        return MATCH_NO;
    return len < LOOK_MOST && len < (size_t)message_len + LENGTH_LEN ? MATCH_MORE : MATCH_YES;
}

static void open_stream(void *state, struct dissect_context *context)
{
    (void)state;
    context->flow->app = "dns";
}

static enum feed_result feed_stream(void *state, enum side side, struct cursor *bytes,
                                    struct dissect_context *context)
{
    for (;;) {
        struct cursor c = *bytes;
        uint16_t len = cur_u16(&c);
        if (!cur_ok(&c))
            return FEED_MORE;
        if (len < HEADER_LEN)
            return FEED_GIVE_UP;
        if (cur_left(&c) < len) {
            context->need = (size_t)len + LENGTH_LEN;
            return FEED_MORE;
        }
        struct dns_message m;
        enum dns_state read = dns_message_read(c.at, len, len, &m);
        if (read == DNS_BAD)
            return FEED_GIVE_UP;
        dns_table_take(state, side, &m, read, 0, context);
        cur_skip(bytes, (size_t)len + LENGTH_LEN);
    }
}

/* Nothing marks the start of a message: behind a gap its place is lost. */
static bool gap_in_stream(void *state, enum side side, uint64_t len,
                          struct dissect_context *context)
{
    (void)state;
    (void)side;
    (void)len;
    context->flow->facts |= FLOW_FACT_LIMIT;
    return false;
}

static void end_stream(void *state, enum side side, enum end_why why,
                       struct dissect_context *context)
{
    (void)state;
    (void)side;
    (void)why;
    (void)context;
}

static void close_stream(void *state, struct dissect_context *context)
{
    dns_table_close(state, context);
}

const struct dissector dissector_dns = {
    .name = "dns",
    .state_size = sizeof(struct dns_table),
    .looks_like = looks_like_stream,
    .open = open_stream,
    .feed = feed_stream,
    .gap = gap_in_stream,
    .end = end_stream,
    .close = close_stream,
};
