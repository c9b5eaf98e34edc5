/* The parts of TCP analysis, each in its file; only sessions/tcp*.c include this. */
#ifndef INVCAP_SESSIONS_TCP_INTERNAL_H
#define INVCAP_SESSIONS_TCP_INTERNAL_H

#include "core/hints.h"
#include "sessions/tcp.h"

/* Late arrival by capture queues is over within this; only then a hole counts as capture loss. */
#define DISORDER_NS (50 * 1000000LL)
/* Further ahead than this is nonsense, not progress (RFC 7323 5 thinks alike). */
#define SANE_AHEAD (1LL << 30)
/* IDs further apart are random ones, or those of a host with many other connections. */
#define SERIES_STEP 256

#define HISTORY_BIT(letter) (1u << ((letter) - 'a'))

/* Unwraps a sequence number to an offset near what was sent last. */
int64_t tcp_offset(const struct tcp_direction *d, uint32_t sequence);
void tcp_note_scaled(struct tcp_flow *tcp, enum side side, char letter);
/* First sight of a direction fixes where its offset 0 lies. */
APART
void tcp_set_base(struct tcp_direction *d, uint32_t base);

/* tcp_open.c: a SYN of the side, a SYN-ACK of the side. */
APART
void tcp_on_syn(struct tcp_flow *tcp, enum side side, const struct packet *p,
                const struct layers *l);
APART
void tcp_on_synack(struct tcp_flow *tcp, enum side side, const struct packet *p,
                   const struct layers *l);

/* tcp_ack.c: acknowledgments of side about the peer's bytes; round trips; windows. */
void tcp_note_ack(struct tcp_flow *tcp, enum side side, const struct packet *p,
                  const struct layers *l, struct tcp_env *env, struct tcp_verdict *out);
void tcp_note_rtt(struct tcp_flow *tcp, enum side side, int64_t rtt_ns);
void tcp_note_window(struct tcp_flow *tcp, enum side side, const struct packet *p,
                     const struct layers *l, struct tcp_verdict *out);

/* tcp_data.c: segments with payload, SYN or FIN: order, holes, retransmissions. */
void tcp_note_data(struct tcp_flow *tcp, struct flow *flow, enum side side, const struct packet *p,
                   const struct layers *l, struct tcp_env *env, struct tcp_verdict *out);

/* tcp_holes.c: what of a direction was not seen. */
/* Holes of side that the peer acknowledged and that had time to arrive late: lost by the capture.
 */
RARE
void tcp_decide_holes(struct tcp_flow *tcp, enum side side, int64_t now_ns, bool at_end,
                      struct tcp_env *env, struct tcp_verdict *out);
bool tcp_add_hole(struct tcp_direction *d, int64_t start, int64_t end, const struct packet *p,
                  const struct layers *l, struct tcp_env *env);
/* The part of a hole that [start, end) fills goes; a piece left in the middle stays as two. */
void tcp_fill_hole(struct tcp_direction *d, uint32_t index, int64_t start, int64_t end,
                   struct tcp_env *env);
/* The first hole that [start, end) reaches into; -1 none. */
int tcp_find_hole(const struct tcp_direction *d, int64_t start, int64_t end);

/* The direction sent data up to `end` for the first time, ns. */
static inline void tcp_advance(struct tcp_direction *d, int64_t end, int64_t now_ns)
{
    d->next = end;
    d->next_ns = now_ns;
    if (d->outstanding_ns < 0)
        d->outstanding_ns = now_ns;
}
/* It sent payload, new or not. */
static inline void tcp_note_sent(struct tcp_direction *d, int64_t now_ns)
{
    d->previous_sent_ns = d->sent_ns;
    d->sent_ns = now_ns;
}

/* [start, end) of d comes again; counted where it holds the oldest unacknowledged byte. */
void tcp_note_tail(struct tcp_direction *d, int64_t start, int64_t end, const struct packet *p,
                   const struct layers *l);
/* Keeps a data segment for comparing with what comes again. */
PER_PACKET
void tcp_remember(struct tcp_flow *tcp, enum side side, const struct packet *p,
                  const struct layers *l, struct tcp_env *env);

/* tcp_damage.c: a segment whose checksum is not known to be right; true: it was damaged on the way,
 * nothing else is noted of it. */
RARE
bool tcp_refuse_damaged(struct tcp_flow *tcp, const struct flow *flow, enum side side,
                        const struct packet *p, const struct layers *l, struct tcp_env *env,
                        struct tcp_verdict *out);
/* A receiver would drop it. */
static inline bool tcp_is_wrong(const struct layers *l)
{
    return l->checksum == CHECKSUM_BAD || l->ip_checksum == CHECKSUM_BAD;
}

/* tcp_again.c: why [start, end) of side, sent before, comes again at now_ns. */
RARE
enum event_note tcp_classify_again(struct tcp_flow *tcp, enum side side, int64_t start, int64_t end,
                                   int64_t now_ns);
void tcp_count_again(struct tcp_side_facts *facts, enum event_note note);
/* [start, end) left again and counts as lost until its acknowledgment shows otherwise; fills: it
 * closed a hole, so that nothing else can be true. */
RARE
void tcp_note_pending(struct tcp_direction *d, int64_t end, bool fills, const struct packet *p,
                      const struct layers *l);
/* The pending losses of d as the acknowledgment `ack`, a round trip of at least rtt_ns (-1 unknown)
 * from the tap, decides them. */
void tcp_settle_pending(struct tcp_direction *d, int64_t ack, int64_t rtt_ns,
                        const struct packet *p, const struct layers *l);
/* The selective acknowledgments (RFC 2018, 2883) of d's bytes; there is at least one. */
RARE
void tcp_note_sack(struct tcp_direction *d, const struct layers *l);

/* tcp_reset.c */
RARE
void tcp_note_reset(struct tcp_flow *tcp, struct flow *flow, enum side side, const struct packet *p,
                    const struct layers *l, struct tcp_env *env);
/* A packet of side that is no RST: what its sender usually does. */
void tcp_note_manner(struct tcp_flow *tcp, enum side side, const struct packet *p,
                     const struct layers *l);
/* A SYN-ACK of the answering side, before anything else is noted of it. */
void tcp_note_synack_pair(struct tcp_flow *tcp, const struct packet *p, const struct layers *l);
/* An acknowledgment of the side that opened: it tells which of two SYN-ACKs that side took. */
void tcp_settle_synack(struct tcp_flow *tcp, enum side side, const struct layers *l);
void tcp_flip_resets(struct tcp_flow *tcp);
void tcp_release_resets(struct tcp_flow *tcp, struct tcp_env *env);
RARE
void tcp_note_after_reset(struct tcp_flow *tcp, enum side side, const struct packet *p,
                          const struct layers *l);

/* Notes what the client's SYN carries, SYN_TRAIT_ bits, and returns it; before it is counted. */
uint16_t tcp_note_syn_traits(struct tcp_flow *tcp, const struct layers *l);
/* The first SYN-ACK: did it answer the first SYN? */
void tcp_note_answered_first(struct tcp_flow *tcp, const struct layers *l);

#endif
