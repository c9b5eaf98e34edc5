#include "sessions/neighbors.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* A LAN segment has hundreds of hosts; a sweep asks for thousands. Beyond this rows are left out.
 */
#define ROWS_MAX 16384u
#define SLOTS (ROWS_MAX * 2u)
#define CHAINS 4096u
/* An answer belongs to a question of this long ago; hosts ask again after a second. */
#define ASKED_NS 1500000000LL
/* A mirror's copy of an answer is no second one. */
#define COPY_NS 5000000LL
/* Who asks for an address that it claimed so short ago knows that another one has it. */
#define OWN_NS 60000000000LL

struct key {
    struct address ip;        /* asked for, or claimed */
    struct address requester; /* of a request; none for a claim */
    uint8_t mac[6];           /* of a claim; zero for a request */
    int32_t vlan;
    bool is_request, ndp;
};

struct row {
    struct key key;
    struct arp_record record;
    uint8_t requester_mac[6];
    bool asked_own;             /* asked for by its own claimant, who has not claimed it since */
    int64_t asked_own_ns;
    int64_t claimed_ns;         /* of a claim: last told to anybody */
    int64_t unasked_ns;         /* of a claim: last told to one host that had not asked */
    struct address told_last;   /* of a claim: whom, when not all */
    bool told_all;              /* of a claim: the last one */
    uint32_t next_of_ip;        /* row + 1 with the same hash of ip */
    uint32_t next_of_requester; /* row + 1 with the same hash of the requester */
    uint32_t next_of_mac;       /* of a claim: row + 1 with the same hash of the mac */
};

struct neighbors {
    struct row *rows;
    uint32_t count, capacity;
    uint32_t slots[SLOTS];                        /* row + 1, by the whole key */
    uint32_t by_ip[CHAINS], by_requester[CHAINS], by_mac[CHAINS]; /* row + 1, heads of chains */
};

struct neighbors *neighbors_new(void)
{
    return calloc(1, sizeof(struct neighbors));
}

void neighbors_free(struct neighbors *table)
{
    if (table == NULL)
        return;
    free(table->rows);
    free(table);
}

bool neighbors_is_empty(const struct neighbors *table)
{
    return table->count == 0;
}

static bool same_key(const struct key *a, const struct key *b)
{
    return address_equal(&a->ip, &b->ip) && address_equal(&a->requester, &b->requester) &&
           memcmp(a->mac, b->mac, 6) == 0 && a->vlan == b->vlan && a->is_request == b->is_request &&
           a->ndp == b->ndp;
}

static bool grow(struct neighbors *table)
{
    if (table->count < table->capacity)
        return true;
    uint32_t capacity = table->capacity == 0 ? 64 : table->capacity * 2;
    struct row *rows = realloc(table->rows, capacity * sizeof *rows);
    if (rows == NULL)
        return false;
    table->rows = rows;
    table->capacity = capacity;
    return true;
}

static uint32_t chain_of(const struct address *ip)
{
    return (uint32_t)XXH3_64bits(ip, sizeof *ip) & (CHAINS - 1);
}

static uint32_t chain_of_mac(const uint8_t mac[6])
{
    return (uint32_t)XXH3_64bits(mac, 6) & (CHAINS - 1);
}

static void link_row(struct neighbors *table, struct row *row)
{
    uint32_t *head = &table->by_ip[chain_of(&row->key.ip)];
    row->next_of_ip = *head;
    *head = table->count;
    if (!row->key.is_request) {
        head = &table->by_mac[chain_of_mac(row->key.mac)];
        row->next_of_mac = *head;
        *head = table->count;
        return;
    }
    head = &table->by_requester[chain_of(&row->key.requester)];
    row->next_of_requester = *head;
    *head = table->count;
}

/* The slot of that key, or the empty one where it would stand. */
static uint32_t *slot_of(struct neighbors *table, const struct key *key)
{
    uint64_t hash = XXH3_64bits(key->ip.bytes, 16) ^ XXH3_64bits(key->requester.bytes, 16) ^
                    XXH3_64bits(key->mac, 6) ^ (uint64_t)key->is_request;
    uint32_t at = (uint32_t)hash & (SLOTS - 1);
    while (table->slots[at] != 0 && !same_key(&table->rows[table->slots[at] - 1].key, key))
        at = (at + 1) & (SLOTS - 1);
    return &table->slots[at];
}

static struct row *find_row(struct neighbors *table, const struct key *key)
{
    uint32_t slot = *slot_of(table, key);
    return slot != 0 ? &table->rows[slot - 1] : NULL;
}

static struct row *row_of(struct neighbors *table, const struct key *key,
                          const struct packet *packet)
{
    uint32_t *slot = slot_of(table, key);
    if (*slot != 0)
        return &table->rows[*slot - 1];
    if (table->count == ROWS_MAX || !grow(table))
        return NULL;
    struct row *row = &table->rows[table->count++];
    *slot = table->count;
    *row = (struct row){.key = *key, .claimed_ns = -OWN_NS, .unasked_ns = -OWN_NS};
    row->record = (struct arp_record){.source_id = packet->source_id,
                                      .first_frame = (int64_t)packet->frame,
                                      .first_ns = packet->time_ns,
                                      .is_request = key->is_request,
                                      .ndp = key->ndp,
                                      .ip = key->ip,
                                      .requester_ip = key->requester,
                                      .vlan = key->vlan,
                                      .last_frame_ns = RECORD_NONE_NS,
                                      .mac_last_ns = RECORD_NONE_NS,
                                      .announced_ns = RECORD_NONE_NS};
    link_row(table, row);
    return row;
}

static void touch(struct row *row, const struct packet *packet)
{
    row->record.last_frame = (int64_t)packet->frame;
    row->record.last_ns = packet->time_ns;
}

/* Addresses of two tenants of an overlay have nothing to do with each other. */
static int32_t network_of(const struct layers *l)
{
    return l->tunnel_id != 0 && l->tunnel_id <= INT32_MAX ? (int32_t)l->tunnel_id : l->vlan;
}

/* Who claims an address asks for it in another name. */
static void note_own(struct neighbors *table, const struct packet *packet, const struct layers *l)
{
    const struct neighbor_message *m = &l->neighbor;
    struct key key = {.ip = m->target_ip, .vlan = network_of(l), .ndp = m->ndp};
    memcpy(key.mac, m->sender_mac, 6);
    struct row *row = find_row(table, &key);
    if (row == NULL || row->record.claims == 0 || packet->time_ns - row->record.last_ns > OWN_NS)
        return;
    row->asked_own = true;
    row->asked_own_ns = packet->time_ns;
}

static void note_request(struct neighbors *table, const struct packet *packet,
                         const struct layers *l)
{
    const struct neighbor_message *m = &l->neighbor;
    struct key key = {.ip = m->target_ip,
                      .requester = m->sender_ip,
                      .vlan = network_of(l),
                      .is_request = true,
                      .ndp = m->ndp};
    struct row *row = row_of(table, &key, packet);
    if (row == NULL)
        return;
    touch(row, packet);
    row->record.requests++;
    if (m->sender_mac_known) {
        memcpy(row->requester_mac, m->sender_mac, 6);
        (void)mac_to_text(m->sender_mac, row->record.mac);
        note_own(table, packet, l);
    }
}

/* Inside a tunnel the frame's own addresses are not kept. */
static bool knows_frame(const struct layers *l)
{
    return l->has_mac && l->tunnel_depth == 0;
}

static bool is_told_to_all(const struct layers *l)
{
    return l->neighbor.ndp ? address_is_multicast(&l->dst)
                           : l->neighbor.gratuitous ||
                                 (knows_frame(l) && (l->dst_mac[0] & 1) != 0);
}

/* There is a question that this row has not answered yet; an advertisement says itself whether it is
 * an answer (RFC 4861 7.2.4). */
static bool was_asked(struct neighbors *table, const struct row *claim, const struct packet *packet,
                      const struct layers *l)
{
    const struct neighbor_message *m = &l->neighbor;
    struct key key = {.ip = m->sender_ip,
                      .requester = m->target_ip,
                      .vlan = network_of(l),
                      .is_request = true,
                      .ndp = m->ndp};
    if (m->ndp)
        return !m->gratuitous;
    const struct row *row = find_row(table, &key);
    return row != NULL && packet->time_ns - row->record.last_ns <= ASKED_NS &&
           row->record.last_ns >= claim->claimed_ns - COPY_NS;
}

/* Another machine told all that the address is its own since then: a failover there and back. */
static bool was_announced_by_other(const struct neighbors *table, const struct row *row)
{
    uint32_t at = table->by_ip[chain_of(&row->key.ip)];
    for (; at != 0; at = table->rows[at - 1].next_of_ip) {
        const struct row *other = &table->rows[at - 1];
        if (other != row && address_equal(&other->key.ip, &row->key.ip) &&
            other->record.announced_ns >= row->asked_own_ns - OWN_NS)
            return true;
    }
    return false;
}

/* Another machine said a moment before that the address is its own: to all, or to the same host, who had asked
 * once. An announcement behind another one's answer alone may be a failover. */
static bool is_disputed(const struct neighbors *table, const struct row *row, const struct packet *packet,
                        const struct layers *l)
{
    uint32_t at = table->by_ip[chain_of(&row->key.ip)];
    for (; at != 0; at = table->rows[at - 1].next_of_ip) {
        const struct row *other = &table->rows[at - 1];
        if (other == row || other->key.is_request || other->key.vlan != row->key.vlan ||
            !address_equal(&other->key.ip, &row->key.ip) || other->claimed_ns <= row->claimed_ns ||
            packet->time_ns - other->claimed_ns > ASKED_NS)
            continue;
        if (other->told_all ||
            (!is_told_to_all(l) && address_equal(&other->told_last, &l->neighbor.target_ip)))
            return true;
    }
    return false;
}

/* One more claim: whom it was told, and whether its owner had to ask where the address is. */
static void note_manner(struct neighbors *table, struct row *row, const struct packet *packet,
                        const struct layers *l)
{
    const struct neighbor_message *m = &l->neighbor;
    bool own_word = !knows_frame(l) || memcmp(l->src_mac, m->sender_mac, 6) == 0;
    row->record.disputed += is_disputed(table, row, packet, l);
    if (is_told_to_all(l)) {
        row->record.announced_ns = packet->time_ns;
    } else if (own_word && packet->time_ns - row->unasked_ns > COPY_NS &&
               (m->ndp || packet->time_ns - row->claimed_ns > COPY_NS) &&
               !was_asked(table, row, packet, l)) {
        row->unasked_ns = packet->time_ns;
        row->record.unasked++;
        row->record.told_ip = m->target_ip;
    }
    if (row->asked_own && !was_announced_by_other(table, row))
        row->record.asked_own++;
    row->asked_own = false;
    row->claimed_ns = packet->time_ns;
    row->told_all = is_told_to_all(l);
    row->told_last = m->target_ip;
}

static void note_claim(struct neighbors *table, const struct packet *packet, const struct layers *l,
                       const struct address *ip, bool counts)
{
    const struct neighbor_message *m = &l->neighbor;
    struct key key = {.ip = *ip, .vlan = network_of(l), .ndp = m->ndp};
    memcpy(key.mac, m->sender_mac, 6);
    struct row *row = row_of(table, &key, packet);
    if (row == NULL)
        return;
    if (counts)
        note_manner(table, row, packet, l);
    touch(row, packet);
    row->record.claims += counts;
    (void)mac_to_text(m->sender_mac, row->record.mac);
}

/* An answer settles the requests of those who asked for it. */
static void settle_requests(struct neighbors *table, const struct layers *l)
{
    const struct address *ip = &l->neighbor.sender_ip;
    int32_t vlan = network_of(l);
    for (uint32_t at = table->by_ip[chain_of(ip)]; at != 0; at = table->rows[at - 1].next_of_ip) {
        struct row *row = &table->rows[at - 1];
        if (row->key.is_request && row->key.vlan == vlan && address_equal(&row->key.ip, ip)) {
            row->record.replies++;
            row->record.told +=
                !is_told_to_all(l) && address_equal(&row->key.requester, &l->neighbor.target_ip);
            row->record.target_seen = true;
        }
    }
}

void neighbors_message(struct neighbors *table, const struct packet *packet,
                       const struct layers *layers)
{
    const struct neighbor_message *m = &layers->neighbor;
    if (!m->present)
        return;
    if (m->is_request && !m->gratuitous && !m->duplicate_probe) {
        note_request(table, packet, layers);
        /* The asker's own binding, without counting it as an answer for its address. */
        if (m->sender_mac_known && address_is_set(&m->sender_ip))
            note_claim(table, packet, layers, &m->sender_ip, false);
        return;
    }
    if (m->duplicate_probe || !m->sender_mac_known)
        return;
    note_claim(table, packet, layers, &m->sender_ip, !m->in_place_of);
    settle_requests(table, layers);
}

static void note_source(struct row *row, const struct address *ip, const uint8_t mac[6],
                        int64_t frames, int64_t first_ns, int64_t last_ns)
{
    struct arp_record *r = &row->record;
    if (!address_equal(&r->ip, ip))
        return;
    if (r->is_request) {
        if (last_ns >= r->first_ns && first_ns <= r->last_ns)
            r->target_seen = true;
    } else if (memcmp(row->key.mac, mac, 6) == 0) {
        r->frames += frames;
        if (last_ns > r->last_frame_ns)
            r->last_frame_ns = last_ns;
    }
}

void neighbors_frames(struct neighbors *table, const struct address *ip, const uint8_t mac[6],
                      int64_t frames, int64_t first_ns, int64_t last_ns)
{
    uint32_t chain = chain_of(ip);
    for (uint32_t at = table->by_ip[chain]; at != 0; at = table->rows[at - 1].next_of_ip)
        note_source(&table->rows[at - 1], ip, mac, frames, first_ns, last_ns);
    uint32_t of_mac = table->by_mac[chain_of_mac(mac)];
    for (; of_mac != 0; of_mac = table->rows[of_mac - 1].next_of_mac) {
        struct row *row = &table->rows[of_mac - 1];
        if (memcmp(row->key.mac, mac, 6) == 0 && last_ns > row->record.mac_last_ns)
            row->record.mac_last_ns = last_ns;
    }
    for (uint32_t at = table->by_requester[chain]; at != 0;
         at = table->rows[at - 1].next_of_requester) {
        struct row *row = &table->rows[at - 1];
        if (memcmp(row->requester_mac, mac, 6) == 0)
            row->record.requester_frames += frames;
    }
}

void neighbors_finish(struct neighbors *table, int64_t capture_id, const struct sink *sink)
{
    for (uint32_t i = 0; i < table->count; i++) {
        table->rows[i].record.capture_id = capture_id;
        sink_put(sink, RECORD_ARP, &table->rows[i].record);
    }
}
