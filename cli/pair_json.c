#include "cli/pair_report.h"
#include "core/json.h"

static const char *const point_words[PAIR_POINTS] = {"inside", "outside"};

const char *pair_fate_word(uint8_t fate)
{
    static const char *const words[] = {"undecided", "passed",    "resized", "dropped",
                                        "missed",    "uncovered", "made",    "extra"};
    return words[fate];
}

const char *pair_how_word(enum pair_how how)
{
    static const char *const words[PAIR_HOW_COUNT] = {
        "tuple-and-isn", "client-random", "isn", "payload", "tuple", "syn-timestamp", "server-name"};
    return words[how];
}

static void print_line(struct json *json, FILE *out)
{
    fprintf(out, "%s\n", json_text(json));
    json_reset(json);
}

static void add_totals(struct json *json, const char *name, const struct pair_totals *t)
{
    json_open_object(json, name);
    json_uint(json, "sent", t->sent);
    json_uint(json, "passed", t->passed);
    json_uint(json, "resized", t->resized);
    json_uint(json, "dropped", t->dropped);
    json_uint(json, "missed", t->missed);
    json_uint(json, "uncovered", t->uncovered);
    json_uint(json, "made", t->made);
    json_uint(json, "extra", t->extra);
    json_uint(json, "unproven", t->unproven);
    json_close_object(json);
}

static void print_head(const struct pair_report *r, struct json *json, FILE *out)
{
    const struct pair_result *result = r->result;
    struct quality quality;
    json_open_object(json, NULL);
    json_string(json, "type", "pair");
    for (int point = 0; point < PAIR_POINTS; point++) {
        const struct pair_side *side = &r->sides[point];
        json_open_object(json, point_words[point]);
        json_string(json, "path", r->points[point].name);
        json_uint(json, "packets", side->packet_count);
        json_uint(json, "sessions", side->session_count);
        json_uint(json, "copies", side->copies);
        json_uint(json, "ignored", side->ignored);
        json_uint(json, "refused", side->refused);
        json_uint(json, "only_here", result->alone[point]);
        pair_quality(r, point, &quality);
        json_open_object(json, "quality");
        quality_add_json(json, &quality, LANG_EN);
        json_close_object(json);
        json_close_object(json);
    }
    json_uint(json, "joined", result->match_count);
    if (result->offset_known) {
        json_int(json, "clock_offset_ns", result->offset_ns);
        json_uint(json, "clock_samples", result->offset_samples);
    }
    if (result->error_ns >= 0) {
        json_int(json, "clock_error_ns", result->error_ns);
    }
    add_totals(json, "outward", &result->totals[0]);
    add_totals(json, "inward", &result->totals[1]);
    json_close_object(json);
    print_line(json, out);
}

static void add_changes(struct json *json, uint8_t changed)
{
    static const char *const words[] = {"mss",    "options", "payload", "ttl",
                                        "client", "server",  "sequence"};
    if (changed == 0) {
        return;
    }
    json_open_array(json, "modified");
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if ((changed >> i & 1) != 0) {
            json_string(json, NULL, words[i]);
        }
    }
    json_close_array(json);
}

static void add_ends(struct json *json, const char *name, const struct pair_session *s)
{
    char address[ADDRESS_TEXT_SIZE];
    json_open_object(json, name);
    json_string(json, "client_ip", address_to_text(&s->client, address));
    json_uint(json, "client_port", s->client_port);
    json_string(json, "server_ip", address_to_text(&s->server, address));
    json_uint(json, "server_port", s->server_port);
    json_uint(json, "packets_client", s->packets[0]);
    json_uint(json, "packets_server", s->packets[1]);
    json_close_object(json);
}

static void print_session(const struct pair_report *r, uint32_t at, struct json *json, FILE *out)
{
    static const char *const proofs[] = {"none", "likely", "conclusive"};
    const struct pair_match *m = &r->result->matches[at];
    json_open_object(json, NULL);
    json_string(json, "type", "pair_session");
    json_uint(json, "id", at + 1);
    json_string(json, "joined_by", pair_how_word(m->how));
    for (int point = 0; point < PAIR_POINTS; point++) {
        add_ends(json, point_words[point], &r->sides[point].sessions[m->session[point]]);
    }
    const char *sni = r->sides[PAIR_INSIDE].sessions[m->session[PAIR_INSIDE]].sni;
    if (sni[0] != '\0') {
        json_string(json, "sni", sni);
    }
    json_string(json, "client_near", point_words[m->near_client]);
    json_bool(json, "relayed", m->relayed);
    json_string(json, "intercepted", proofs[m->intercepted]);
    for (int i = 0; i < 2 && !m->relayed; i++) {
        json_int(json, i == 0 ? "hops_client" : "hops_server", m->ttl_step[i]);
        if (m->delay_ns[i] >= 0) {
            json_int(json, i == 0 ? "delay_client_ns" : "delay_server_ns", m->delay_ns[i]);
        }
    }
    if ((m->changed & PAIR_CHANGED_MSS) != 0) {
        json_uint(json, "mss_before", m->mss_before);
        json_uint(json, "mss_after", m->mss_after);
    }
    add_changes(json, m->changed);
    json_close_object(json);
    print_line(json, out);
}

static void add_frame(struct json *json, const struct pair_point *point, int at,
                      const struct pair_packet *p)
{
    size_t file = p->source_id - point->first_source - 1;
    json_uint(json, at == PAIR_INSIDE ? "inside_frame" : "outside_frame", p->frame);
    json_time(json, at == PAIR_INSIDE ? "inside_time" : "outside_time", p->time_ns);
    if (point->path_count > 1 && file < point->path_count) {
        json_string(json, at == PAIR_INSIDE ? "inside_source" : "outside_source",
                    point->paths[file]);
    }
}

static void print_packet(const struct pair_report *r, int point, const struct pair_packet *p,
                         struct json *json, FILE *out)
{
    uint32_t match = r->sides[point].sessions[p->session].match;
    const struct pair_packet *other =
        p->partner != PAIR_NONE ? &r->sides[1 - point].packets[p->partner] : NULL;
    json_open_object(json, NULL);
    json_string(json, "type", "pair_packet");
    if (match != PAIR_NONE) {
        json_uint(json, "session", match + 1);
    }
    json_string(json, "sender", p->direction == 0 ? "client" : "server");
    json_string(json, "fate", pair_fate_word(p->fate));
    add_frame(json, &r->points[point], point, p);
    if (other != NULL) {
        add_frame(json, &r->points[1 - point], 1 - point, other);
        const struct pair_match *m = &r->result->matches[match];
        int first = p->direction == 0 ? m->near_client : 1 - m->near_client;
        int64_t later = other->time_ns - p->time_ns - r->result->offset_ns;
        json_int(json, "delay_ns", first == PAIR_INSIDE ? later : -later);
        add_changes(json, p->changed);
    }
    json_uint(json, "payload_len", p->payload_len);
    json_close_object(json);
    print_line(json, out);
}

/* Married packets are told once, with the inside frame first. */
static void print_packets(const struct pair_report *r, struct json *json, FILE *out)
{
    for (int point = 0; point < PAIR_POINTS; point++) {
        const struct pair_side *side = &r->sides[point];
        for (uint32_t i = 0; i < side->packet_count && !json->failed; i++) {
            if (point == PAIR_INSIDE || side->packets[i].partner == PAIR_NONE) {
                print_packet(r, point, &side->packets[i], json, out);
            }
        }
    }
}

static void print_verdict(const struct pair_report *r, const struct pair_verdict *v,
                          struct json *json, FILE *out)
{
    json_open_object(json, NULL);
    json_string(json, "type", "pair_verdict");
    json_string(json, "verdict", pair_verdict_word(v->kind));
    if (v->match != PAIR_NONE) {
        json_uint(json, "session", v->match + 1);
    }
    json_string(json, "seen", point_words[v->point]);
    add_ends(json, "ends", &r->sides[v->point].sessions[v->session]);
    if (v->count > 0) {
        json_string(json, "sender", v->direction == 0 ? "client" : "server");
        json_uint(json, "count", v->count);
        json_open_array(json, "frames");
        for (uint32_t i = 0; i < v->count && i < PAIR_VERDICT_FRAMES; i++) {
            json_uint(json, NULL, v->frames[i]);
        }
        json_close_array(json);
    }
    json_close_object(json);
    print_line(json, out);
}

bool pair_print_json(const struct pair_report *report, FILE *out)
{
    struct json json;
    json_init(&json);
    print_head(report, &json, out);
    for (size_t i = 0; i < report->verdict_count; i++) {
        print_verdict(report, &report->verdicts[i], &json, out);
    }
    for (uint32_t i = 0; i < report->result->match_count; i++) {
        print_session(report, i, &json, out);
    }
    print_packets(report, &json, out);
    bool good = !json.failed;
    json_free(&json);
    return good;
}
