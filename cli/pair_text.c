#include "cli/pair_report.h"

#include <string.h>

#define LABEL_COLUMNS 11
/* With the eight lines above they fill a screen; NAT, relays and clamping touch every session alike. */
#define LINES_MOST 16
#define ALIKE_MOST 2
#define WHAT_SIZE 96
#define SESSION_SIZE (2 * ENDPOINT_TEXT_SIZE + 8)

static void say_labelled(const struct view *view, enum text_id label, enum text_id id,
                         const struct text_value *values, size_t count)
{
    char text[1024];
    text_format(text, sizeof(text), text_get(id, view->language), values, count);
    view_labelled(view, text_get(label, view->language), LABEL_COLUMNS, text);
}

/* ---- the upper lines ---- */
static void print_point(const struct pair_report *r, const struct view *view, int point)
{
    const struct pair_side *side = &r->sides[point];
    char packets[VIEW_TIME_SIZE], sessions[VIEW_TIME_SIZE], copies[VIEW_TIME_SIZE],
        refused[VIEW_TIME_SIZE];
    const struct text_value values[] = {
        {"path", r->points[point].name},
        {"packets", view_number(side->packet_count, packets)},
        {"sessions", view_number(side->session_count, sessions)},
        {"copies", view_number((int64_t)side->copies, copies)},
        {"refused", view_number((int64_t)side->refused, refused)}};
    say_labelled(view, point == PAIR_INSIDE ? TEXT_PAIR_INSIDE : TEXT_PAIR_OUTSIDE,
                 TEXT_PAIR_POINT, values, 5);
    struct quality quality;
    pair_quality(r, point, &quality);
    quality_print(view, &quality);
}

static void print_clocks(const struct pair_report *r, const struct view *view)
{
    const struct pair_result *result = r->result;
    char offset[VIEW_TIME_SIZE], wrong[VIEW_TIME_SIZE], count[VIEW_TIME_SIZE], text[512];
    if (!result->offset_known) {
        say_labelled(view, TEXT_PAIR_CLOCKS, TEXT_PAIR_CLOCK_UNKNOWN, NULL, 0);
        return;
    }
    int64_t ahead = result->offset_ns;
    const struct text_value values[] = {
        {"offset", view_duration(ahead < 0 ? -ahead : ahead, view->language, offset)},
        {"error", result->error_ns >= 0 ? view_duration(result->error_ns, view->language, wrong)
                                        : NULL},
        {"count", view_number((int64_t)result->offset_samples, count)}};
    size_t len = text_format(
        text, sizeof(text),
        text_get(ahead < 0 ? TEXT_PAIR_CLOCK_BEHIND : TEXT_PAIR_CLOCK_AHEAD, view->language),
        values, 3);
    if (result->error_ns < 0) {
        snprintf(text + len, sizeof(text) - len, "; %s",
                 text_get(TEXT_PAIR_CLOCK_ONE_WAY, view->language));
    }
    view_labelled(view, text_get(TEXT_PAIR_CLOCKS, view->language), LABEL_COLUMNS, text);
}

static void print_counts(const struct pair_report *r, const struct view *view)
{
    char joined[VIEW_TIME_SIZE], inside[VIEW_TIME_SIZE], outside[VIEW_TIME_SIZE];
    const struct text_value values[] = {
        {"joined", view_number(r->result->match_count, joined)},
        {"inside", view_number(r->result->alone[PAIR_INSIDE], inside)},
        {"outside", view_number(r->result->alone[PAIR_OUTSIDE], outside)}};
    say_labelled(view, TEXT_PAIR_SESSIONS, TEXT_PAIR_COUNTS, values, 3);
}

/* The way of the middle session: every session has its own median. */
static int64_t typical_delay(const struct pair_result *result, int way)
{
    int64_t sum = 0, count = 0;
    for (uint32_t i = 0; i < result->match_count; i++) {
        const struct pair_match *m = &result->matches[i];
        int direction = way ^ m->near_client;
        if (m->delay_ns[direction] >= 0) {
            sum += m->delay_ns[direction] / 1000; /* µs: the sum of millions of sessions fits */
            count++;
        }
    }
    return count > 0 ? sum / count * 1000 : -1;
}

static void print_totals(const struct pair_report *r, const struct view *view, int way)
{
    const struct pair_totals *t = &r->result->totals[way];
    const uint64_t numbers[] = {t->sent,  t->passed, t->resized, t->dropped,
                                t->made,  t->extra,  t->missed,  t->uncovered,
                                t->unproven};
    static const char *const names[] = {"sent", "passed", "resized", "dropped",
                                        "made", "extra",  "missed",  "uncovered",
                                        "unproven"};
    char texts[9][VIEW_TIME_SIZE], delay[VIEW_TIME_SIZE];
    struct text_value values[10];
    for (size_t i = 0; i < 9; i++) {
        values[i] = (struct text_value){names[i], view_number((int64_t)numbers[i], texts[i])};
    }
    int64_t typical = typical_delay(r->result, way);
    values[9] = (struct text_value){
        "delay", typical >= 0 ? view_duration(typical, view->language, delay) : NULL};
    say_labelled(view, way == 0 ? TEXT_PAIR_OUTWARD : TEXT_PAIR_INWARD, TEXT_PAIR_TOTALS, values,
                 10);
}

/* ---- verdicts ---- */
static char *session_text(const struct pair_session *s, char out[SESSION_SIZE])
{
    char client[ENDPOINT_TEXT_SIZE], server[ENDPOINT_TEXT_SIZE];
    snprintf(out, SESSION_SIZE, "%s → %s", endpoint_to_text(&s->client, s->client_port, client),
             endpoint_to_text(&s->server, s->server_port, server));
    return out;
}

static char *what_text(const struct pair_packet *p, const struct view *view, char out[WHAT_SIZE])
{
    char bytes[VIEW_TIME_SIZE];
    const struct text_value values[] = {{"bytes", view_number(p->payload_len, bytes)}};
    if (p->is_icmp) {
        snprintf(out, WHAT_SIZE, "ICMP %u/%u", p->flags, p->mss);
    } else if ((p->flags & TCP_SYN) != 0) {
        snprintf(out, WHAT_SIZE, "%s", (p->flags & TCP_ACK) != 0 ? "SYN-ACK" : "SYN");
    } else if ((p->flags & TCP_RST) != 0) {
        snprintf(out, WHAT_SIZE, "RST");
    } else if (p->payload_len > 0) {
        text_format(out, WHAT_SIZE, text_get(TEXT_PAIR_DATA, view->language), values, 1);
    } else {
        snprintf(out, WHAT_SIZE, "%s", (p->flags & TCP_FIN) != 0 ? "FIN" : "ACK");
    }
    return out;
}

static enum text_id sentence_of(const struct pair_verdict *v)
{
    bool inside = v->point == PAIR_INSIDE;
    switch (v->kind) {
    case PAIR_VERDICT_INTERCEPTED:
        return TEXT_PAIR_SAY_INTERCEPTED;
    case PAIR_VERDICT_INTERCEPTED_LIKELY:
        return TEXT_PAIR_SAY_INTERCEPTED_LIKELY;
    case PAIR_VERDICT_ANSWERED:
        return inside ? TEXT_PAIR_SAY_ANSWERED_INSIDE : TEXT_PAIR_SAY_ANSWERED_OUTSIDE;
    case PAIR_VERDICT_DROPPED:
        return inside ? TEXT_PAIR_SAY_DROPPED_INSIDE : TEXT_PAIR_SAY_DROPPED_OUTSIDE;
    case PAIR_VERDICT_PAYLOAD:
        return TEXT_PAIR_SAY_PAYLOAD;
    case PAIR_VERDICT_OPTIONS:
        return TEXT_PAIR_SAY_OPTIONS;
    case PAIR_VERDICT_MSS:
        return TEXT_PAIR_SAY_MSS;
    case PAIR_VERDICT_SEQUENCE:
        return TEXT_PAIR_SAY_SEQUENCE;
    case PAIR_VERDICT_RELAYED:
        return TEXT_PAIR_SAY_RELAYED;
    case PAIR_VERDICT_ADDRESS:
        return TEXT_PAIR_SAY_ADDRESS;
    case PAIR_VERDICT_ALONE:
    case PAIR_VERDICT_COUNT:
        break;
    }
    return inside ? TEXT_PAIR_SAY_ALONE_INSIDE : TEXT_PAIR_SAY_ALONE_OUTSIDE;
}

/* "5 packets, frames 17, 21, 30, 31, 40"; "" for one. */
static char *more_text(const struct pair_verdict *v, const struct view *view, char out[256])
{
    char frames[128] = "", count[VIEW_TIME_SIZE];
    size_t len = 0;
    for (uint32_t i = 0; i < v->count && i < PAIR_VERDICT_FRAMES && len < sizeof(frames); i++) {
        len += (size_t)snprintf(frames + len, sizeof(frames) - len, "%s%u", i > 0 ? ", " : "",
                                v->frames[i]);
    }
    if (v->count > PAIR_VERDICT_FRAMES && len < sizeof(frames)) {
        snprintf(frames + len, sizeof(frames) - len, " …");
    }
    const struct text_value values[] = {{"count", view_number(v->count, count)},
                                        {"frames", frames}};
    out[0] = '\0';
    if (v->count > 1) {
        text_format(out, 256, text_get(TEXT_PAIR_FRAMES, view->language), values, 2);
    }
    return out;
}

/* Frames of both points that show it, inside first; of a session as a whole its first ones. */
static void frames_of(const struct pair_report *r, const struct pair_verdict *v, char out[2][16])
{
    for (int point = 0; point < PAIR_POINTS; point++) {
        const struct pair_side *side = &r->sides[point];
        uint32_t at = v->packet;
        out[point][0] = '\0';
        if (v->packet == PAIR_NONE && v->match != PAIR_NONE) {
            at = side->sessions[r->result->matches[v->match].session[point]].first;
        } else if (v->packet != PAIR_NONE && point != v->point) {
            at = r->sides[v->point].packets[v->packet].partner;
        }
        if (at < side->packet_count) {
            snprintf(out[point], sizeof(out[point]), "%u", side->packets[at].frame);
        }
    }
}

static void print_verdict(const struct pair_report *r, const struct view *view,
                          const struct pair_verdict *v)
{
    const struct pair_session *s = &r->sides[v->point].sessions[v->session];
    char session[SESSION_SIZE], outside[SESSION_SIZE], both[2 * SESSION_SIZE + 32];
    char to[ENDPOINT_TEXT_SIZE], what[WHAT_SIZE] = "", more[256], frames[2][16];
    char before[16] = "", after[16] = "", text[1024];
    snprintf(both, sizeof(both), "%s", session_text(s, session));
    frames_of(r, v, frames);
    if (v->packet != PAIR_NONE) {
        (void)what_text(&r->sides[v->point].packets[v->packet], view, what);
    }
    if (v->match != PAIR_NONE) {
        const struct pair_match *m = &r->result->matches[v->match];
        snprintf(before, sizeof(before), "%u", m->mss_before);
        snprintf(after, sizeof(after), "%u", m->mss_after);
        const struct pair_session *in = &r->sides[PAIR_INSIDE].sessions[m->session[PAIR_INSIDE]];
        const struct pair_session *out =
            &r->sides[PAIR_OUTSIDE].sessions[m->session[PAIR_OUTSIDE]];
        const struct text_value ends[] = {{"inside", session_text(in, session)},
                                          {"outside", session_text(out, outside)}};
        if (strcmp(session, outside) != 0) {
            text_format(both, sizeof(both), text_get(TEXT_PAIR_SESSION_PAIR, view->language),
                        ends, 2);
        } else {
            snprintf(both, sizeof(both), "%s", session);
        }
    }
    bool both_told = v->kind != PAIR_VERDICT_DROPPED && v->kind != PAIR_VERDICT_ANSWERED &&
                     v->kind != PAIR_VERDICT_ALONE;
    const struct text_value values[] = {
        {"frame", frames[both_told ? PAIR_INSIDE : v->point]},
        {"partner", frames[PAIR_OUTSIDE]},
        {"session", both},
        {"what", what},
        {"to", v->direction == 0 ? endpoint_to_text(&s->server, s->server_port, to)
                                 : endpoint_to_text(&s->client, s->client_port, to)},
        {"more", more_text(v, view, more)},
        {"before", before},
        {"after", after},
        {"sni", s->sni}};
    text_format(text, sizeof(text), text_get(sentence_of(v), view->language), values,
                sizeof(values) / sizeof(values[0]));
    fprintf(view->out, "  %s", v->kind <= PAIR_VERDICT_PAYLOAD ? "! " : "- ");
    view_wrap(view, text, 4, 4);
}

static void print_rest(const struct view *view, enum text_id id, size_t left)
{
    char count[VIEW_TIME_SIZE];
    const struct text_value values[] = {{"count", view_number((int64_t)left, count)}};
    fputs("    ", view->out);
    view_say(view, id, values, 1);
    fputc('\n', view->out);
}

/* Every kind in its order; of what is no fault, and of what fills the screen, the first ones. */
static void print_verdicts(const struct pair_report *r, const struct view *view)
{
    size_t shown = 0;
    for (size_t i = 0, end; i < r->verdict_count; i = end) {
        enum pair_verdict_kind kind = r->verdicts[i].kind;
        for (end = i; end < r->verdict_count && r->verdicts[end].kind == kind;) {
            end++;
        }
        size_t most = kind <= PAIR_VERDICT_PAYLOAD && shown < LINES_MOST ? LINES_MOST - shown
                                                                         : ALIKE_MOST;
        size_t count = end - i < most ? end - i : most;
        for (size_t k = i; k < i + count; k++) {
            print_verdict(r, view, &r->verdicts[k]);
        }
        if (end - i > count) {
            print_rest(view, TEXT_PAIR_ALIKE, end - i - count);
        }
        shown += count;
    }
    if (shown < r->verdict_count) {
        print_rest(view, TEXT_PAIR_MORE, r->verdict_count - shown);
    }
}

void pair_print_text(const struct pair_report *r, const struct view *view)
{
    print_point(r, view, PAIR_INSIDE);
    print_point(r, view, PAIR_OUTSIDE);
    print_clocks(r, view);
    print_counts(r, view);
    print_totals(r, view, 0);
    print_totals(r, view, 1);
    fprintf(view->out, "\n%s%s%s\n", view_tone(view, TONE_STRONG),
            text_get(TEXT_PAIR_VERDICTS, view->language), view_plain(view));
    if (r->result->match_count == 0) {
        fputs("  ", view->out);
        view_wrap(view, text_get(TEXT_PAIR_NOTHING_JOINED, view->language), 2, 2);
    } else if (r->verdict_count == 0) {
        fputs("  ", view->out);
        view_wrap(view, text_get(TEXT_PAIR_NO_FAULT, view->language), 2, 2);
    }
    print_verdicts(r, view);
}
