/* What only a perfect capture would prove. A packet without bytes that one point alone has, a bare
 * acknowledgment, a FIN, a reset, leaves no trace in what the ends acknowledge, nor do the last bytes of
 * a connection that is reset: when the other point's
 * capture demonstrably missed packets, it may have missed that one as well, and nothing is said. A
 * packet that came from another distance than its sender's is somebody else's whatever was missed. */
#include "pairing/pairing.h"

/* So many such packets for each that was provably missed are explained by it. */
#define DOUBT_FACTOR 5u
#define PROTOCOL_TCP 6

struct doubt {
    uint64_t missed[PAIR_POINTS], unproven[PAIR_POINTS]; /* by the point that lacks them */
};

/* What was truly dropped is sent again, unless the connection ends there. */
#define AGAIN_LOOK 4096u

static bool was_sent_again(const struct pair_packet *p, uint32_t left)
{
    for (uint32_t i = 1; i < left && i < AGAIN_LOOK; i++) {
        if (p[i].sequence == p->sequence && p[i].payload_len > 0) {
            return true;
        }
    }
    return false;
}

/* left: packets of that side of the session from this one on. Datagrams have no numbers: nothing tells
 * that one was sent again. */
static bool is_unproven(const struct pair_packet *p, uint32_t left, uint8_t usual_ttl,
                        bool numbered)
{
    if (p->is_icmp) {
        return false;
    }
    if (p->payload_len > 0) {
        return p->fate == PAIR_DROPPED && !(numbered && was_sent_again(p, left));
    }
    bool surplus = p->fate == PAIR_MADE || p->fate == PAIR_EXTRA;
    return p->fate == PAIR_DROPPED || (surplus && usual_ttl != 0 && p->ttl == usual_ttl);
}

/* TTL of the first packet of that side of the session that both points have; 0 none. */
static uint8_t usual_ttl(const struct pair_packet *packets, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (packets[i].partner != PAIR_NONE && !packets[i].is_icmp) {
            return packets[i].ttl;
        }
    }
    return 0;
}

static void visit(struct pair_side *side, const struct pair_session *s, int point,
                  struct doubt *doubt, struct pair_result *withdraw)
{
    for (int direction = 0; direction < 2; direction++) {
        struct pair_packet *packets =
            &side->packets[s->first + (direction == 0 ? 0 : s->packets[0])];
        uint8_t ttl = usual_ttl(packets, s->packets[direction]);
        for (uint32_t i = 0; i < s->packets[direction]; i++) {
            struct pair_packet *p = &packets[i];
            doubt->missed[1 - point] += p->fate == PAIR_MISSED;
            if (!is_unproven(p, s->packets[direction] - i, ttl, s->protocol == PROTOCOL_TCP)) {
                continue;
            }
            doubt->unproven[1 - point]++;
            if (withdraw == NULL) {
                continue;
            }
            /* dropped: sent past this point first; made or extra: past the other */
            int first = p->fate == PAIR_DROPPED ? point : 1 - point;
            struct pair_totals *totals = &withdraw->totals[first == PAIR_INSIDE ? 0 : 1];
            totals->dropped -= p->fate == PAIR_DROPPED;
            totals->made -= p->fate == PAIR_MADE;
            totals->extra -= p->fate == PAIR_EXTRA;
            totals->unproven++;
            p->fate = PAIR_UNDECIDED;
        }
    }
}

static void visit_all(struct pair_side sides[PAIR_POINTS], struct pair_result *result, int point,
                      struct doubt *doubt, struct pair_result *withdraw)
{
    for (uint32_t i = 0; i < result->match_count; i++) {
        const struct pair_match *m = &result->matches[i];
        if (!m->relayed) {
            visit(&sides[point], &sides[point].sessions[m->session[point]], point, doubt, withdraw);
        }
    }
}

/* ---- who answers SYNs himself ----------------------------------------------------------------- */

static struct pair_packet *find_syn(struct pair_side *side, const struct pair_session *s,
                                    uint8_t fate)
{
    for (uint32_t i = s->first; i < s->first + s->packets[0]; i++) {
        struct pair_packet *p = &side->packets[i];
        if (p->fate == fate && !p->is_icmp && (p->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
            return p;
        }
    }
    return NULL;
}

/* A SYN proxy (RFC 4987 3.6) answers the client's SYN and sends one of its own to the server, whose
 * numbers it then shifts: neither SYN was lost. */
static void forgive_syns(struct pair_side sides[PAIR_POINTS], const struct pair_match *m,
                         struct pair_result *out)
{
    int near = m->near_client;
    struct pair_packet *taken =
        find_syn(&sides[near], &sides[near].sessions[m->session[near]], PAIR_DROPPED);
    struct pair_packet *own =
        find_syn(&sides[1 - near], &sides[1 - near].sessions[m->session[1 - near]], PAIR_MISSED);
    if (taken == NULL || own == NULL) {
        return;
    }
    struct pair_totals *totals = &out->totals[near == PAIR_INSIDE ? 0 : 1];
    totals->dropped--;
    totals->missed--;
    totals->unproven += 2;
    taken->fate = own->fate = PAIR_UNDECIDED;
}

void pair_doubt(struct pair_side sides[PAIR_POINTS], struct pair_result *out)
{
    for (uint32_t i = 0; i < out->match_count; i++) {
        const struct pair_match *m = &out->matches[i];
        if (!m->relayed && (m->changed & PAIR_CHANGED_SEQUENCE) != 0) {
            forgive_syns(sides, m, out);
        }
    }
    struct doubt all = {{0}, {0}}, ignored = {{0}, {0}};
    for (int point = 0; point < PAIR_POINTS; point++) {
        visit_all(sides, out, point, &all, NULL);
    }
    for (int point = 0; point < PAIR_POINTS; point++) {
        int lacking = 1 - point;
        if (all.unproven[lacking] > 0 &&
            all.unproven[lacking] <= DOUBT_FACTOR * all.missed[lacking]) {
            visit_all(sides, out, point, &ignored, out);
        }
    }
}
