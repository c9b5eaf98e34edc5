#include "pairing/pairing.h"

/* Whether clients at that point reach this server past the other, as joined sessions show. */
static bool way_is_known(const struct pair_side sides[PAIR_POINTS],
                         const struct pair_result *result, int point,
                         const struct pair_session *alone)
{
    for (uint32_t i = 0; i < result->match_count; i++) {
        const struct pair_match *m = &result->matches[i];
        if (m->near_client == point && !m->relayed &&
            address_equal(&sides[point].sessions[m->session[point]].server, &alone->server)) {
            return true;
        }
    }
    return false;
}

static bool is_covered(const struct pair_side sides[PAIR_POINTS], const struct pair_result *result,
                       int point, int64_t time_ns)
{
    const struct pair_side *other = &sides[1 - point];
    int64_t there =
        point == PAIR_INSIDE ? time_ns + result->offset_ns : time_ns - result->offset_ns;
    return there >= other->first_ns && there <= other->last_ns;
}

static bool is_refusal(const struct pair_packet *p)
{
    return p->is_icmp || (p->flags & TCP_RST) != 0;
}

/* So many packets of a session that the other capture has nothing of: it would have had to miss all. */
#define LEAST_PACKETS 2u

/* Whether the capture of that point demonstrably missed packets. */
static bool missed_any(const struct pair_side sides[PAIR_POINTS], int point)
{
    const struct pair_side *side = &sides[1 - point]; /* they are here */
    for (uint32_t i = 0; i < side->packet_count; i++) {
        if (side->packets[i].fate == PAIR_MISSED) {
            return true;
        }
    }
    return false;
}

/* A SYN that nobody answers was dropped behind this point; one that is refused although it never
 * came to the other was refused in between. An answered one may have taken another way, and a packet
 * alone may be the only one that the other capture missed. */
static bool never_came(const struct pair_side sides[PAIR_POINTS], const struct pair_result *result,
                       int point, const struct pair_session *s, uint32_t least)
{
    const struct pair_packet *answers = &sides[point].packets[s->first + s->packets[0]];
    if (s->packets[0] + s->packets[1] < least || !s->isn_known[0] || s->synack_seen ||
        !is_covered(sides, result, point, s->first_ns) || !way_is_known(sides, result, point, s)) {
        return false;
    }
    for (uint32_t i = 0; i < s->packets[1]; i++) {
        if (!is_refusal(&answers[i])) {
            return false;
        }
    }
    return true;
}

static void decide_session(struct pair_side sides[PAIR_POINTS], struct pair_result *result,
                           int point, const struct pair_session *s)
{
    struct pair_totals *away = &result->totals[point == PAIR_INSIDE ? 0 : 1];
    struct pair_totals *back = &result->totals[point == PAIR_INSIDE ? 1 : 0];
    for (uint32_t i = s->first; i < s->first + s->packets[0] + s->packets[1]; i++) {
        struct pair_packet *p = &sides[point].packets[i];
        if (p->direction != 0) {
            p->fate = PAIR_MADE;
            back->made++;
            continue;
        }
        bool covered = is_covered(sides, result, point, p->time_ns);
        p->fate = covered ? PAIR_DROPPED : PAIR_UNCOVERED;
        away->sent++;
        away->dropped += covered;
        away->uncovered += !covered;
    }
}

void pair_decide_alone(struct pair_side sides[PAIR_POINTS], struct pair_result *out)
{
    for (int point = 0; point < PAIR_POINTS; point++) {
        uint32_t least = LEAST_PACKETS + missed_any(sides, 1 - point);
        for (uint32_t i = 0; i < sides[point].session_count; i++) {
            const struct pair_session *s = &sides[point].sessions[i];
            if (s->match == PAIR_NONE && never_came(sides, out, point, s, least)) {
                decide_session(sides, out, point, s);
            }
        }
    }
}
