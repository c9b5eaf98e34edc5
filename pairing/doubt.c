/* What only a perfect capture would prove. That one point has a packet and the other has not may be the
 * other capture's own loss. Of data that an acknowledgment covers the packets tell (PAIR_MISSED); of all
 * else only the numbers do: when what a point provably missed, of all that it could provably have
 * missed, makes the lack of so many others no surprise, nothing is said of them. Each manner of packet
 * is asked on its own. Not doubted is what several signs tell together: what was sent more than once and
 * lacks each time, and a session of which nothing passed any more while something in between answered. */
#include "pairing/pairing.h"

#include <math.h>

/* Chance alone explains so much with a probability above this. */
#define DOUBT_CHANCE 0.01
/* So many packets without bytes for each that was provably missed are explained, too: captures lose
 * bursts, and small packets most. */
#define DOUBT_FACTOR 5u
/* A capture that misses one packet in fifty may miss the same twice. */
#define DOUBT_TWICE 50u
#define TWICE_LOOK 4096u
#define PROTOCOL_TCP 6

/* What a packet is, as to how its way can be proved. */
enum manner {
    MANNER_AGAIN, /* data that was sent again */
    MANNER_ONCE,  /* data that was not: the connection ended there */
    MANNER_DATAGRAM,
    MANNER_SYN,
    MANNER_FIN,
    MANNER_RESET,
    MANNER_BARE,
    MANNER_ICMP,
    MANNER_TWICE, /* lacking as often as it was sent, at least twice */
    MANNER_COUNT
};

struct doubt { /* of the point that may lack them */
    uint64_t sent[MANNER_COUNT], lacking[MANNER_COUNT];
    uint64_t missed, seen; /* of the data that its acknowledgments prove */
};

/* The packets of one side of a session at a point, in the order of time. */
struct run {
    struct pair_packet *packets;
    uint32_t count;
    bool numbered; /* TCP */
    bool answered; /* the other point has acknowledgments of them */
    uint8_t usual_ttl;
};

/* Whether the other point lacks it, and might have lost it. */
static bool is_lacking(const struct pair_packet *p)
{
    return p->fate == PAIR_DROPPED || p->fate == PAIR_MADE || p->fate == PAIR_EXTRA;
}

static bool are_copies(const struct run *run, const struct pair_packet *p, const struct pair_packet *q)
{
    return q->is_icmp == p->is_icmp && q->payload_len == p->payload_len &&
           (run->numbered ? q->sequence == p->sequence && q->flags == p->flags
                          : q->payload_hash == p->payload_hash);
}

static uint32_t first_of(uint32_t at, uint32_t count, uint32_t *last)
{
    *last = count - at > TWICE_LOOK ? at + TWICE_LOOK : count;
    return at > TWICE_LOOK ? at - TWICE_LOOK : 0;
}

/* Bare acknowledgments repeat themselves as a matter of course. */
static bool is_twice(const struct run *run, uint32_t at)
{
    const struct pair_packet *p = &run->packets[at];
    uint32_t last, i = first_of(at, run->count, &last);
    if (run->numbered && !p->is_icmp && p->payload_len == 0 &&
        (p->flags & (TCP_SYN | TCP_FIN)) == 0) {
        return false;
    }
    bool twice = false;
    for (; i < last; i++) {
        if (i == at || !are_copies(run, p, &run->packets[i])) {
            continue;
        }
        if (run->packets[i].fate != p->fate) {
            return false;
        }
        twice = true;
    }
    return twice;
}

static bool was_sent_again(const struct run *run, uint32_t at)
{
    const struct pair_packet *p = &run->packets[at];
    uint32_t last;
    (void)first_of(at, run->count, &last);
    for (uint32_t i = at + 1; i < last; i++) {
        if (run->packets[i].sequence == p->sequence && run->packets[i].payload_len > 0) {
            return true;
        }
    }
    return false;
}

static enum manner plain_manner(const struct run *run, const struct pair_packet *p)
{
    if (p->is_icmp) {
        return MANNER_ICMP;
    }
    if (!run->numbered) {
        return MANNER_DATAGRAM;
    }
    if (p->payload_len > 0) {
        return MANNER_ONCE;
    }
    return (p->flags & TCP_RST) != 0   ? MANNER_RESET
           : (p->flags & TCP_SYN) != 0 ? MANNER_SYN
           : (p->flags & TCP_FIN) != 0 ? MANNER_FIN
                                       : MANNER_BARE;
}

static enum manner manner_of_lacking(const struct run *run, uint32_t at)
{
    enum manner manner = plain_manner(run, &run->packets[at]);
    if (is_twice(run, at)) {
        return MANNER_TWICE;
    }
    return manner == MANNER_ONCE && was_sent_again(run, at) ? MANNER_AGAIN : manner;
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

static void count_run(const struct run *run, struct doubt *doubt)
{
    uint32_t end = 0;
    bool begun = false;
    for (uint32_t i = 0; i < run->count; i++) {
        const struct pair_packet *p = &run->packets[i];
        bool data = run->numbered && !p->is_icmp && p->payload_len > 0;
        bool old = data && begun && (int32_t)(p->sequence - end) < 0;
        bool lacking = is_lacking(p);
        enum manner manner = lacking ? manner_of_lacking(run, i) : plain_manner(run, p);
        doubt->missed += p->fate == PAIR_MISSED;
        doubt->lacking[manner] += lacking;
        doubt->sent[manner] += lacking || p->fate == PAIR_PASSED;
        doubt->sent[MANNER_AGAIN] += old && manner != MANNER_AGAIN; /* as often as it repeats others */
        doubt->seen += data && !old && run->answered && p->fate == PAIR_PASSED;
        if (data && !old) {
            end = p->sequence + p->payload_len;
            begun = true;
        }
    }
}

static void withdraw_run(const struct run *run, int point, const bool *doubted,
                         struct pair_result *result)
{
    for (uint32_t i = 0; i < run->count; i++) {
        struct pair_packet *p = &run->packets[i];
        if (!is_lacking(p) || !doubted[manner_of_lacking(run, i)]) {
            continue;
        }
        /* dropped: sent past this point first; made or extra: past the other */
        int first = p->fate == PAIR_DROPPED ? point : 1 - point;
        struct pair_totals *totals = &result->totals[first == PAIR_INSIDE ? 0 : 1];
        totals->dropped -= p->fate == PAIR_DROPPED;
        totals->made -= p->fate == PAIR_MADE;
        totals->extra -= p->fate == PAIR_EXTRA;
        totals->unproven++;
        p->is_doubted = true;
    }
    for (uint32_t i = 0; i < run->count; i++) { /* copies were compared by their fates */
        if (run->packets[i].is_doubted) {
            run->packets[i].fate = PAIR_UNDECIDED;
        }
    }
}

/* The chance that of `draws` among all packets at least `least` are lost ones, when `lost` of all are:
 * the hypergeometric distribution, as in Fisher's exact test. */
static double chance_of(uint64_t all, uint64_t lost, uint64_t draws, uint64_t least)
{
    uint64_t most = draws < lost ? draws : lost;
    double whole = lgamma((double)all + 1) - lgamma((double)lost + 1) - lgamma((double)(all - lost) + 1);
    double sum = 0;
    for (uint64_t x = least; x <= most && sum <= DOUBT_CHANCE; x++) {
        uint64_t rest = all - draws, others = lost - x;
        if (others > rest) {
            continue;
        }
        sum += exp(lgamma((double)draws + 1) - lgamma((double)x + 1) - lgamma((double)(draws - x) + 1) +
                   lgamma((double)rest + 1) - lgamma((double)others + 1) -
                   lgamma((double)(rest - others) + 1) - whole);
    }
    return sum;
}

static bool is_doubted(const struct doubt *d, enum manner manner)
{
    uint64_t lacking = d->lacking[manner], all = d->missed + d->seen;
    if (lacking == 0) {
        return false;
    }
    if (manner == MANNER_TWICE) {
        return d->missed * DOUBT_TWICE > all;
    }
    if (manner != MANNER_AGAIN && lacking <= DOUBT_FACTOR * d->missed) {
        return true;
    }
    return chance_of(all + d->sent[manner], d->missed + lacking, d->sent[manner], lacking) >
           DOUBT_CHANCE;
}

/* Both runs of the session at the point, its directions. */
static void runs_of(struct pair_side sides[PAIR_POINTS], const struct pair_match *m, int point,
                    struct run out[2])
{
    const struct pair_session *s = &sides[point].sessions[m->session[point]];
    const struct pair_session *there = &sides[1 - point].sessions[m->session[1 - point]];
    for (int direction = 0; direction < 2; direction++) {
        struct run *run = &out[direction];
        run->packets = &sides[point].packets[s->first + (direction == 0 ? 0 : s->packets[0])];
        run->count = s->packets[direction];
        run->numbered = s->protocol == PROTOCOL_TCP;
        run->answered = there->packets[1 - direction] > 0;
        run->usual_ttl = usual_ttl(run->packets, run->count);
    }
}

/* When the first packet of the end of a run was dropped, of which nothing passed any more; INT64_MAX none. */
static int64_t cut_off_at(const struct run *run)
{
    int64_t at = INT64_MAX;
    for (uint32_t i = run->count; i > 0 && run->packets[i - 1].fate != PAIR_PASSED; i--) {
        if (run->packets[i - 1].fate == PAIR_DROPPED) {
            at = run->packets[i - 1].time_ns;
        }
    }
    return at;
}

/* Something in between cut the session off: it let nothing pass any more and answered, by ICMP or with a
 * TTL that is not the sender's. */
static bool was_cut_off(struct pair_side sides[PAIR_POINTS], const struct pair_match *m)
{
    struct run runs[2];
    for (int point = 0; point < PAIR_POINTS; point++) {
        runs_of(sides, m, point, runs);
        for (int direction = 0; direction < 2; direction++) {
            int64_t from = cut_off_at(&runs[1 - direction]);
            const struct run *run = &runs[direction];
            for (uint32_t i = 0; from != INT64_MAX && i < run->count; i++) {
                const struct pair_packet *p = &run->packets[i];
                bool foreign = run->usual_ttl != 0 && p->ttl != run->usual_ttl;
                if (p->fate == PAIR_MADE && p->time_ns >= from && (p->is_icmp || foreign)) {
                    return true;
                }
            }
        }
    }
    return false;
}

static void doubt_point(struct pair_side sides[PAIR_POINTS], struct pair_result *result, int point)
{
    struct doubt doubt = {{0}, {0}, 0, 0};
    bool doubted[MANNER_COUNT], any = false;
    struct run runs[2];
    for (uint32_t i = 0; i < result->match_count; i++) {
        if (!result->matches[i].relayed) {
            runs_of(sides, &result->matches[i], point, runs);
            count_run(&runs[0], &doubt);
            count_run(&runs[1], &doubt);
        }
    }
    for (int manner = 0; manner < MANNER_COUNT; manner++) {
        doubted[manner] = is_doubted(&doubt, (enum manner)manner);
        any = any || doubted[manner];
    }
    for (uint32_t i = 0; any && i < result->match_count; i++) {
        if (!result->matches[i].relayed && !was_cut_off(sides, &result->matches[i])) {
            runs_of(sides, &result->matches[i], point, runs);
            withdraw_run(&runs[0], point, doubted, result);
            withdraw_run(&runs[1], point, doubted, result);
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
    for (int point = 0; point < PAIR_POINTS; point++) {
        doubt_point(sides, out, point);
    }
}
