#include "cli/pair_report.h"

#define PROTOCOL_TCP 6

/* What the client sent without a word of the server, and yet it acknowledges: or the other way round. */
static bool lacks_one_side(const struct pair_side *side, const struct pair_session *s)
{
    if (s->packets[0] > 0 && s->packets[1] > 0) {
        return false;
    }
    for (uint32_t i = s->first; i < s->first + s->packets[0] + s->packets[1]; i++) {
        const struct pair_packet *p = &side->packets[i];
        if (!p->is_icmp && (p->flags & TCP_ACK) != 0 && (p->flags & TCP_RST) == 0) {
            return true;
        }
    }
    return false;
}

/* Of the sessions that both points have in both directions. */
static int64_t count_missed(const struct pair_report *report, int point)
{
    const struct pair_side *side = &report->sides[point], *other = &report->sides[1 - point];
    int64_t missed = 0;
    for (uint32_t i = 0; i < report->result->match_count; i++) {
        const struct pair_match *m = &report->result->matches[i];
        const struct pair_session *s = &other->sessions[m->session[1 - point]];
        if (lacks_one_side(side, &side->sessions[m->session[point]])) {
            continue;
        }
        for (uint32_t k = s->first; k < s->first + s->packets[0] + s->packets[1]; k++) {
            missed += other->packets[k].fate == PAIR_MISSED;
        }
    }
    return missed;
}

void pair_quality(const struct pair_report *report, int point, struct quality *out)
{
    const struct pair_side *side = &report->sides[point];
    const struct pair_point *at = &report->points[point];
    struct capture_record c = {.truncated_packets = (int64_t)side->truncated,
                               .undecoded_packets = (int64_t)side->undecoded,
                               .backward_times = (int64_t)side->backward,
                               .time_jumps = (int64_t)side->jumps,
                               .duplicate_packets = (int64_t)side->copies,
                               .gaps = count_missed(report, point),
                               .acked_segments = side->packet_count};
    c.packets = (int64_t)(side->packet_count + side->ignored + side->copies + side->refused);
    for (uint32_t i = 0; i < side->session_count; i++) {
        const struct pair_session *s = &side->sessions[i];
        if (s->protocol != PROTOCOL_TCP) {
            continue;
        }
        bool one_sided = lacks_one_side(side, s);
        c.tcp_connections++;
        c.midstream_flows += !s->isn_known[0] && !s->isn_known[1];
        c.one_sided_flows += one_sided;
        c.two_sided_flows += !one_sided;
    }
    quality_of(&c, report->sources + at->first_source, at->path_count, out);
}
