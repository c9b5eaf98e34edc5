#include "pairing/pairing.h"

#include "core/limits.h"
#include "dissectors/tls_hello.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* A mirror's second copy comes at once; a sender repeats nothing within 5 ms. */
#define COPY_NS 5000000LL
#define COPY_LOOK_BACK 6u
#define BACKWARD_NS 1000000LL
#define JUMP_NS 3600000000000LL
#define TLS_RANDOM_AT 11u
#define TLS_HELLO_AT 9u

void pair_side_init(struct pair_side *side)
{
    memset(side, 0, sizeof(*side));
}

void pair_side_free(struct pair_side *side)
{
    free(side->packets);
    free(side->sessions);
    free(side->slots);
    memset(side, 0, sizeof(*side));
}

/* ---- the table of sessions ---- */
static uint64_t hash_key(const struct flow_key *key)
{
    return XXH3_64bits(key, sizeof(*key));
}

static void key_of(const struct pair_session *session, struct flow_key *out)
{
    bool swapped;
    flow_key_make(&session->client, session->client_port, &session->server, session->server_port,
                  session->protocol, out, &swapped);
}

static uint32_t *find_slot(const struct pair_side *side, const struct flow_key *key)
{
    uint32_t at = (uint32_t)hash_key(key) & (side->slot_count - 1);
    while (side->slots[at] != 0) {
        struct flow_key other;
        key_of(&side->sessions[side->slots[at] - 1], &other);
        if (memcmp(&other, key, sizeof(other)) == 0) {
            break;
        }
        at = (at + 1) & (side->slot_count - 1);
    }
    return &side->slots[at];
}

static bool grow_slots(struct pair_side *side)
{
    uint32_t count = side->slot_count == 0 ? 1024 : side->slot_count * 2;
    uint32_t *old = side->slots;
    uint32_t *slots = calloc(count, sizeof(*slots));
    if (slots == NULL) {
        side->failed = true;
        return false;
    }
    side->slots = slots;
    side->slot_count = count;
    for (uint32_t i = 0; i < side->session_count; i++) { /* later ones of a key win */
        struct flow_key key;
        key_of(&side->sessions[i], &key);
        *find_slot(side, &key) = i + 1;
    }
    free(old);
    return true;
}

static bool grow_array(void **array, uint32_t count, uint32_t *room, size_t size)
{
    if (count < *room) {
        return true;
    }
    uint32_t more = *room == 0 ? 256 : *room * 2;
    void *bigger = realloc(*array, more * size);
    if (bigger == NULL) {
        return false;
    }
    *array = bigger;
    *room = more;
    return true;
}

static struct pair_session *add_session(struct pair_side *side, const struct flow_key *key)
{
    void *array = side->sessions;
    if (side->session_count >= LIMIT_PAIR_SESSIONS) {
        side->refused++;
        return NULL;
    }
    if (!grow_array(&array, side->session_count, &side->session_room, sizeof(*side->sessions))) {
        side->failed = true;
        return NULL;
    }
    side->sessions = array;
    if (side->session_count * 2 >= side->slot_count && !grow_slots(side)) {
        return NULL;
    }
    struct pair_session *session = &side->sessions[side->session_count];
    *find_slot(side, key) = ++side->session_count;
    memset(session, 0, sizeof(*session));
    session->match = PAIR_NONE;
    return session;
}

static bool client_sends(const struct layers *l)
{
    if (l->kind == LAYER_TCP && (l->tcp.flags & TCP_SYN) != 0) {
        return (l->tcp.flags & TCP_ACK) == 0;
    }
    return l->src_port >= l->dst_port;
}

static bool opens_again(const struct pair_session *session, const struct layers *l)
{
    return l->kind == LAYER_TCP && (l->tcp.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN &&
           (!session->isn_known[0] || session->isn[0] != l->tcp.sequence);
}

static struct pair_session *session_of(struct pair_side *side, const struct layers *l)
{
    struct flow_key key;
    bool swapped;
    flow_key_make(&l->src, l->src_port, &l->dst, l->dst_port, l->ip_protocol, &key, &swapped);
    uint32_t at = side->slot_count > 0 ? *find_slot(side, &key) : 0;
    if (at != 0 && !opens_again(&side->sessions[at - 1], l)) {
        return &side->sessions[at - 1];
    }
    /* The slot finds the newest session by its key: the new one must have its ends first. */
    struct pair_session *session = add_session(side, &key);
    if (session != NULL) {
        bool client = client_sends(l);
        session->client = client ? l->src : l->dst;
        session->server = client ? l->dst : l->src;
        session->client_port = client ? l->src_port : l->dst_port;
        session->server_port = client ? l->dst_port : l->src_port;
        session->protocol = l->ip_protocol;
    }
    return session;
}

/* ---- what a session learns from a packet ---- */
static uint16_t hash_options(const struct tcp_header *tcp)
{
    uint8_t kinds[sizeof(tcp->option_kinds)];
    size_t count = 0;
    for (size_t i = 0; i < tcp->option_count && i < sizeof(kinds); i++) {
        if (tcp->option_kinds[i] > 1) { /* neither padding nor its end */
            kinds[count++] = tcp->option_kinds[i];
        }
    }
    return (uint16_t)XXH3_64bits(kinds, count);
}

static void learn_name(struct pair_session *session, const struct layers *l)
{
    struct tls_client_hello hello;
    struct cursor c = cur_of(l->payload, l->payload_caplen);
    cur_skip(&c, TLS_HELLO_AT);
    if (!cur_ok(&c) || !tls_client_hello_parse(c, &hello)) {
        return;
    }
    size_t len = cur_left(&hello.sni);
    if (len < sizeof(session->sni)) {
        memcpy(session->sni, hello.sni.at, len);
        session->sni[len] = '\0';
    }
}

/* A ClientHello in a handshake record of TLS or TLCP. */
static void learn_random(struct pair_session *session)
{
    const uint8_t *head = session->head[0];
    if (!session->is_tls && session->head_len[0] >= TLS_RANDOM_AT + 32u && head[0] == 0x16 &&
        (head[1] == 3 || head[1] == 1) && head[5] == 1) {
        session->is_tls = true;
        memcpy(session->client_random, head + TLS_RANDOM_AT, 32);
    }
}

static void learn_head(struct pair_session *session, int direction, const struct layers *l)
{
    uint32_t at = session->head_len[direction];
    uint32_t skip = 0;
    if (l->kind == LAYER_TCP && session->isn_known[direction]) {
        uint32_t relative = l->tcp.sequence - session->isn[direction] - 1;
        skip = at - relative;
    } else if (at > 0) {
        return; /* order unknown: the first bytes seen must do */
    }
    if (skip >= l->payload_caplen || at == PAIR_HEAD_BYTES) {
        return;
    }
    uint32_t len = l->payload_caplen - skip;
    len = len < PAIR_HEAD_BYTES - at ? len : PAIR_HEAD_BYTES - at;
    memcpy(session->head[direction] + at, l->payload + skip, len);
    session->head_len[direction] = (uint8_t)(at + len);
    if (direction == 0 && l->kind == LAYER_TCP) {
        learn_random(session);
        if (at == 0 && l->payload_caplen > TLS_HELLO_AT && session->head[0][0] == 0x16) {
            learn_name(session, l);
        }
    }
}

static void learn_syn(struct pair_session *session, int direction, const struct layers *l)
{
    if ((l->tcp.flags & TCP_SYN) == 0 || session->isn_known[direction]) {
        return;
    }
    session->isn_known[direction] = true;
    session->isn[direction] = l->tcp.sequence;
    if (direction == 0) {
        session->syn_timestamp = l->tcp.has_timestamp ? l->tcp.timestamp_value : 0;
        session->syn_options = hash_options(&l->tcp);
    } else {
        session->synack_seen = 1;
    }
}

/* ---- packets ---- */
static bool is_copy(const struct pair_side *side, const struct pair_packet *p)
{
    for (uint32_t i = 1; i <= COPY_LOOK_BACK && i <= side->packet_count; i++) {
        const struct pair_packet *old = &side->packets[side->packet_count - i];
        if (old->session == p->session && old->direction == p->direction &&
            old->sequence == p->sequence && old->acknowledgment == p->acknowledgment &&
            old->payload_len == p->payload_len && old->flags == p->flags &&
            old->ip_id == p->ip_id && old->timestamp == p->timestamp &&
            old->payload_hash == p->payload_hash && old->is_icmp == p->is_icmp &&
            (p->ip_id != 0 || p->payload_len > 0) && /* else resets in a row are alike */
            p->time_ns - old->time_ns < COPY_NS) {
            return true;
        }
    }
    return false;
}

static void add_packet(struct pair_side *side, const struct pair_packet *p)
{
    void *array = side->packets;
    struct pair_session *session = &side->sessions[p->session];
    if (is_copy(side, p)) {
        side->copies++;
        return;
    }
    if (side->packet_count >= LIMIT_PAIR_PACKETS) {
        side->refused++;
        return;
    }
    if (!grow_array(&array, side->packet_count, &side->packet_room, sizeof(*side->packets))) {
        side->failed = true;
        return;
    }
    side->packets = array;
    side->packets[side->packet_count++] = *p;
    if (session->packets[0] + session->packets[1] == 0) {
        session->first_ns = p->time_ns;
    }
    session->packets[p->direction]++;
    session->last_ns = p->time_ns;
}

static struct pair_packet packet_of(const struct packet *packet, const struct layers *l)
{
    struct pair_packet p;
    memset(&p, 0, sizeof(p));
    p.time_ns = packet->time_ns;
    p.frame = (uint32_t)packet->frame;
    p.source_id = (uint16_t)packet->source_id;
    p.partner = PAIR_NONE;
    p.ip_id = l->ip_id;
    p.ttl = l->ttl;
    return p;
}

/* An ICMP error travels against the packet that it quotes, and belongs to its session. */
static void take_icmp(struct pair_side *side, const struct packet *packet, const struct layers *l)
{
    const struct quoted_packet *quoted = &l->icmp.quoted;
    struct flow_key key;
    bool swapped;
    flow_key_make(&quoted->src, quoted->src_port, &quoted->dst, quoted->dst_port, quoted->protocol,
                  &key, &swapped);
    uint32_t at = side->slot_count > 0 ? *find_slot(side, &key) : 0;
    if (at == 0) {
        side->ignored++;
        return;
    }
    const struct pair_session *session = &side->sessions[at - 1];
    struct pair_packet p = packet_of(packet, l);
    p.session = at - 1;
    p.is_icmp = 1;
    p.direction = address_equal(&quoted->src, &session->client) &&
                  quoted->src_port == session->client_port;
    p.flags = l->icmp.type;
    p.mss = l->icmp.code;
    p.sequence = quoted->sequence;
    add_packet(side, &p);
}

static void count_faults(struct pair_side *side, const struct packet *packet, const struct layers *l)
{
    int64_t back = side->first_ns != 0 ? side->last_ns - packet->time_ns : 0;
    int64_t step = side->first_ns != 0 ? side->before_ns - packet->time_ns : 0;
    side->truncated += packet->caplen < packet->len;
    side->undecoded += l->kind == LAYER_UNKNOWN;
    side->backward += back > BACKWARD_NS;
    side->jumps += step > JUMP_NS || step < -JUMP_NS;
    side->before_ns = packet->time_ns;
}

void pair_side_take(struct pair_side *side, const struct packet *packet, const struct layers *l)
{
    count_faults(side, packet, l);
    if (side->first_ns == 0 || packet->time_ns < side->first_ns) {
        side->first_ns = packet->time_ns;
    }
    side->last_ns = packet->time_ns > side->last_ns ? packet->time_ns : side->last_ns;
    if (l->kind == LAYER_ICMP && l->icmp.is_error && l->icmp.quoted.present) {
        take_icmp(side, packet, l);
        return;
    }
    struct pair_session *session =
        l->kind == LAYER_TCP || l->kind == LAYER_UDP ? session_of(side, l) : NULL;
    if (session == NULL) {
        side->ignored++;
        return;
    }
    int direction = address_equal(&l->src, &session->client) && l->src_port == session->client_port
                        ? 0
                        : 1;
    struct pair_packet p = packet_of(packet, l);
    p.session = (uint32_t)(session - side->sessions);
    p.direction = direction != 0;
    p.payload_len = l->payload_len;
    p.payload_whole = l->payload_caplen == l->payload_len;
    p.payload_hash = l->payload_caplen > 0 ? XXH3_64bits(l->payload, l->payload_caplen) : 0;
    if (l->kind == LAYER_TCP) {
        learn_syn(session, direction, l);
        p.sequence = l->tcp.sequence;
        p.acknowledgment = (l->tcp.flags & TCP_ACK) != 0 ? l->tcp.acknowledgment : 0;
        p.flags = (uint8_t)l->tcp.flags;
        p.timestamp = l->tcp.has_timestamp ? l->tcp.timestamp_value : 0;
        p.mss = l->tcp.mss;
        p.options = hash_options(&l->tcp);
    }
    if (l->payload_caplen > 0) {
        learn_head(session, direction, l);
    }
    add_packet(side, &p);
}
