#include "pairing/pairing.h"

#include "core/limits.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define NS_PER_S 1000000000LL
/* Sessions that only look alike are joined when they begin this close, clocks put right. */
#define CLOSE_NS (2 * NS_PER_S)
/* What two points take from one session is at most this far apart: queues hold seconds, not more. */
#define FAR_NS (30 * NS_PER_S)
/* An interceptor may speak to the server first when the client has sent its hello or its request. */
#define INTERCEPT_NS (5 * NS_PER_S)
#define BEFORE_NS 50000000LL
/* Shorter first bytes say nothing. */
#define HEAD_LEAST 16

struct candidate {
    uint64_t key;
    int64_t time_ns; /* of the first packet, on the clock of the inside point */
    uint32_t session;
    uint8_t point;
    bool taken;
};

struct joining {
    struct pair_side *sides;
    struct pair_result *result;
    struct candidate *list;
    uint32_t count;
    bool clock_known;
    int64_t clock_ns; /* outside minus inside, roughly: with the way in it */
};

static uint64_t key_of_tuple(const struct pair_session *s, uint64_t seed)
{
    struct {
        struct address client, server;
        uint16_t client_port, server_port, protocol;
    } tuple;
    memset(&tuple, 0, sizeof(tuple));
    memcpy(&tuple.client, &s->client, sizeof(tuple.client));
    memcpy(&tuple.server, &s->server, sizeof(tuple.server));
    tuple.client_port = s->client_port;
    tuple.server_port = s->server_port;
    tuple.protocol = s->protocol;
    return XXH3_64bits_withSeed(&tuple, sizeof(tuple), seed);
}

static uint64_t key_of_heads(const struct pair_session *s)
{
    if (s->head_len[0] < HEAD_LEAST && s->head_len[1] < HEAD_LEAST) {
        return 0;
    }
    uint64_t client = XXH3_64bits_withSeed(s->head[0], s->head_len[0], s->protocol);
    return XXH3_64bits_withSeed(s->head[1], s->head_len[1], client);
}

static uint64_t key_of_name(const struct pair_session *s)
{
    if (!s->is_tls || s->head_len[1] == 0) {
        return 0;
    }
    if (s->sni[0] != '\0') {
        return XXH3_64bits_withSeed(s->sni, strlen(s->sni), 7);
    }
    return XXH3_64bits_withSeed(&s->server, sizeof(s->server), s->server_port);
}

/* 0: the session has not what this way of joining needs. */
static uint64_t key_of(const struct pair_session *s, enum pair_how how)
{
    switch (how) {
    case PAIR_BY_TUPLE_ISN:
        return s->isn_known[0] ? key_of_tuple(s, s->isn[0]) | 1 : 0;
    case PAIR_BY_RANDOM:
        return s->is_tls ? XXH3_64bits(s->client_random, sizeof(s->client_random)) | 1 : 0;
    case PAIR_BY_ISN:
        return s->isn_known[0] ? XXH3_64bits_withSeed(&s->isn[0], 4, s->protocol) | 1 : 0;
    case PAIR_BY_PAYLOAD:
        return s->is_tls ? 0 : key_of_heads(s);
    case PAIR_BY_TUPLE:
        return key_of_tuple(s, 0) | 1;
    case PAIR_BY_TIMESTAMP:
        return s->syn_timestamp != 0
                   ? XXH3_64bits_withSeed(&s->server, sizeof(s->server),
                                          (uint64_t)s->syn_timestamp << 16 | s->server_port) | 1
                   : 0;
    case PAIR_BY_NAME:
        return key_of_name(s);
    case PAIR_HOW_COUNT:
        break;
    }
    return 0;
}

static int by_key(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->key != y->key) {
        return x->key < y->key ? -1 : 1;
    }
    if (x->point != y->point) {
        return x->point < y->point ? -1 : 1;
    }
    if (x->time_ns != y->time_ns) {
        return x->time_ns < y->time_ns ? -1 : 1;
    }
    return x->session < y->session ? -1 : x->session > y->session;
}

static void collect(struct joining *j, enum pair_how how)
{
    j->count = 0;
    for (int point = 0; point < PAIR_POINTS; point++) {
        struct pair_side *side = &j->sides[point];
        for (uint32_t i = 0; i < side->session_count; i++) {
            uint64_t key =
                side->sessions[i].match == PAIR_NONE ? key_of(&side->sessions[i], how) : 0;
            if (key == 0) {
                continue;
            }
            int64_t shift = point == PAIR_OUTSIDE && j->clock_known ? j->clock_ns : 0;
            j->list[j->count++] = (struct candidate){key, side->sessions[i].first_ns - shift, i,
                                                     (uint8_t)point, false};
        }
    }
    qsort(j->list, j->count, sizeof(*j->list), by_key);
}

static bool add_match(struct joining *j, enum pair_how how, uint32_t inside, uint32_t outside)
{
    struct pair_result *result = j->result;
    if (result->match_count == result->match_room) {
        uint32_t room = result->match_room == 0 ? 64 : result->match_room * 2;
        struct pair_match *bigger = realloc(result->matches, room * sizeof(*bigger));
        if (bigger == NULL) {
            return false;
        }
        result->matches = bigger;
        result->match_room = room;
    }
    struct pair_match *match = &result->matches[result->match_count];
    memset(match, 0, sizeof(*match));
    match->session[PAIR_INSIDE] = inside;
    match->session[PAIR_OUTSIDE] = outside;
    match->how = how;
    match->delay_ns[0] = match->delay_ns[1] = -1;
    j->sides[PAIR_INSIDE].sessions[inside].match = result->match_count;
    j->sides[PAIR_OUTSIDE].sessions[outside].match = result->match_count;
    result->match_count++;
    return true;
}

static bool may_join(const struct joining *j, enum pair_how how, const struct candidate *inside,
                     const struct candidate *outside)
{
    int64_t later = outside->time_ns - inside->time_ns;
    int64_t apart = later < 0 ? -later : later;
    if (how == PAIR_BY_NAME && j->clock_known) { /* while the client waits for its answer */
        const struct pair_session *s = &j->sides[PAIR_INSIDE].sessions[inside->session];
        int64_t lasted = s->last_ns - s->first_ns;
        return later > -BEFORE_NS && later < (lasted < INTERCEPT_NS ? lasted : INTERCEPT_NS);
    }
    if (how == PAIR_BY_NAME) {
        return apart < INTERCEPT_NS;
    }
    if (how <= PAIR_BY_RANDOM || !j->clock_known) {
        return how <= PAIR_BY_RANDOM || how == PAIR_BY_ISN || apart < FAR_NS;
    }
    return apart < (how == PAIR_BY_ISN ? FAR_NS : CLOSE_NS);
}

/* Inside sessions of one key in the order of time, each with the outside one nearest to it. */
static bool join_group(struct joining *j, enum pair_how how, uint32_t from, uint32_t middle,
                       uint32_t to)
{
    uint32_t start = middle;
    for (uint32_t i = from; i < middle; i++) {
        struct candidate *best = NULL;
        int64_t best_apart = INT64_MAX;
        for (uint32_t k = start; k < to; k++) {
            struct candidate *other = &j->list[k];
            int64_t later = other->time_ns - j->list[i].time_ns;
            int64_t apart = later < 0 ? -later : later;
            if (other->taken || apart > best_apart) {
                if (later > 0) {
                    break;
                }
                continue;
            }
            if (may_join(j, how, &j->list[i], other)) {
                best = other;
                best_apart = apart;
            }
        }
        if (best != NULL) {
            best->taken = true;
            start = best == &j->list[start] ? start + 1 : start;
            if (!add_match(j, how, j->list[i].session, best->session)) {
                return false;
            }
        }
    }
    return true;
}

static bool join_by(struct joining *j, enum pair_how how)
{
    collect(j, how);
    for (uint32_t from = 0; from < j->count;) {
        uint32_t middle = from, to = from;
        while (to < j->count && j->list[to].key == j->list[from].key) {
            middle += j->list[to].point == PAIR_INSIDE;
            to++;
        }
        if (middle > from && to > middle && !join_group(j, how, from, middle, to)) {
            return false;
        }
        from = to;
    }
    return true;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static bool learn_clock(struct joining *j)
{
    struct pair_result *result = j->result;
    if (result->match_count == 0) {
        return true;
    }
    int64_t *apart = malloc(result->match_count * sizeof(*apart));
    if (apart == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < result->match_count; i++) {
        const struct pair_match *m = &result->matches[i];
        apart[i] = j->sides[PAIR_OUTSIDE].sessions[m->session[PAIR_OUTSIDE]].first_ns -
                   j->sides[PAIR_INSIDE].sessions[m->session[PAIR_INSIDE]].first_ns;
    }
    qsort(apart, result->match_count, sizeof(*apart), by_value);
    j->clock_ns = apart[result->match_count / 2];
    j->clock_known = true;
    free(apart);
    return true;
}

/* ---- interception ---- */
struct clients {
    struct address inside, outside;
};

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct clients));
}

static struct clients clients_of(const struct pair_session *inside,
                                 const struct pair_session *outside)
{
    struct clients both;
    memset(&both, 0, sizeof(both));
    both.inside = inside != NULL ? inside->client : both.inside;
    both.outside = outside != NULL ? outside->client : both.outside;
    return both;
}

/* Which client is which at the other point, by the sessions joined otherwise; and, with one address
 * unset, those who have sessions that the other point never saw. Sorted. */
static struct clients *list_clients(const struct joining *j, size_t *out_count)
{
    const struct pair_result *result = j->result;
    const struct pair_side *sides = j->sides;
    size_t room = (size_t)result->match_count + sides[0].session_count + sides[1].session_count;
    struct clients *list = malloc((room + 1) * sizeof(*list));
    size_t count = 0;
    for (uint32_t i = 0; list != NULL && i < result->match_count; i++) {
        const struct pair_match *m = &result->matches[i];
        if (m->how != PAIR_BY_NAME) {
            list[count++] =
                clients_of(&sides[PAIR_INSIDE].sessions[m->session[PAIR_INSIDE]],
                           &sides[PAIR_OUTSIDE].sessions[m->session[PAIR_OUTSIDE]]);
        }
    }
    for (int point = 0; list != NULL && point < PAIR_POINTS; point++) {
        for (uint32_t i = 0; i < sides[point].session_count; i++) {
            const struct pair_session *s = &sides[point].sessions[i];
            if (s->match == PAIR_NONE) {
                list[count++] = clients_of(point == PAIR_INSIDE ? s : NULL,
                                           point == PAIR_OUTSIDE ? s : NULL);
            }
        }
    }
    if (list != NULL) {
        qsort(list, count, sizeof(*list), by_bytes);
    }
    *out_count = count;
    return list;
}

static bool has_clients(const struct clients *list, size_t count,
                        const struct pair_session *inside, const struct pair_session *outside)
{
    struct clients wanted = clients_of(inside, outside);
    return bsearch(&wanted, list, count, sizeof(*list), by_bytes) != NULL;
}

/* Two different client randoms for one user action: whoever holds the middle speaks TLS both ways.
 * Where nobody says that both are the same client, or the client has other sessions that one point
 * never saw, they may be two sessions that took two ways. */
static bool judge_interception(struct joining *j)
{
    size_t count;
    struct clients *list = list_clients(j, &count);
    for (uint32_t i = 0; list != NULL && i < j->result->match_count; i++) {
        struct pair_match *m = &j->result->matches[i];
        const struct pair_session *in = &j->sides[PAIR_INSIDE].sessions[m->session[PAIR_INSIDE]];
        const struct pair_session *out =
            &j->sides[PAIR_OUTSIDE].sessions[m->session[PAIR_OUTSIDE]];
        if (!in->is_tls || !out->is_tls || memcmp(in->client_random, out->client_random, 32) == 0 ||
            strcmp(in->sni, out->sni) != 0) {
            continue;
        }
        bool same_client = address_equal(&in->client, &out->client) ||
                           has_clients(list, count, in, out);
        bool two_ways =
            has_clients(list, count, in, NULL) || has_clients(list, count, NULL, out);
        bool certain = j->clock_known && same_client && !two_ways;
        m->intercepted = certain ? PAIR_CONCLUSIVE : PAIR_LIKELY;
        m->relayed = true;
    }
    bool good = list != NULL;
    free(list);
    return good;
}

bool pair_match_sessions(struct pair_side sides[PAIR_POINTS], struct pair_result *out)
{
    struct joining j = {.sides = sides, .result = out};
    size_t room = (size_t)sides[0].session_count + sides[1].session_count;
    j.list = malloc((room + 1) * sizeof(*j.list));
    bool good = j.list != NULL;
    for (int how = 0; good && how < PAIR_HOW_COUNT; how++) {
        good = join_by(&j, (enum pair_how)how) && learn_clock(&j);
    }
    good = good && judge_interception(&j);
    if (good) {
        for (int point = 0; point < PAIR_POINTS; point++) {
            out->alone[point] = sides[point].session_count - out->match_count;
        }
    }
    free(j.list);
    return good;
}
