#include "sessions/clock.h"

#include "core/sort.h"
#include "sessions/paths.h"

#include <inttypes.h>
#include <stdio.h>

/* Some connections do not go on at once. */
#define PACKETS_ASKED 512
/* So many ticks tell a rate within its error. */
#define RATE_TICKS 16
#define RATE_ERROR 0.1
/* Of the pause, by which the stamps may exceed what a host counted: the error of a rate and a wait on the way.
 * Between both, nothing is decided. */
#define TRUE_EXCESS 0.25
#define STEP_EXCESS 0.5

enum answer { ANSWER_OPEN, ANSWER_STEPPED, ANSWER_TRUE };

static int64_t length_of(const struct clock_pause *pause)
{
    return pause->to_ns - pause->from_ns;
}

void clock_ask(struct clock_watch *watch, int64_t from_ns, int64_t to_ns)
{
    uint32_t least = 0;
    for (uint32_t i = 1; i < CLOCK_PAUSES; i++) {
        if (length_of(&watch->pauses[i]) < length_of(&watch->pauses[least]))
            least = i;
    }
    watch->left = 0;
    if (to_ns - from_ns <= length_of(&watch->pauses[least]))
        return;
    watch->pauses[least] = (struct clock_pause){.from_ns = from_ns, .to_ns = to_ns};
    watch->at = least;
    watch->left = PACKETS_ASKED;
}

static bool is_heard(const struct clock_pause *pause, const struct address *host)
{
    for (uint32_t i = 0; i < pause->count; i++) {
        if (address_equal(&pause->witnesses[i].host, host))
            return true;
    }
    return pause->count == CLOCK_WITNESSES;
}

void clock_hear(struct clock_watch *watch, const struct flow *flow, enum side side,
                const struct packet *packet, const struct layers *layers)
{
    struct clock_pause *pause = &watch->pauses[watch->at];
    const struct tcp_direction *d = &flow->tcp->dir[side];
    struct address host = flow_address(flow, side);
    watch->left--;
    if (flow->path == NULL || !layers->tcp.has_timestamp || !d->seen || d->timestamp == 0 ||
        d->facts.last_ns > pause->from_ns || is_heard(pause, &host))
        return;
    uint32_t ticks = layers->tcp.timestamp_value - d->timestamp;
    if (ticks > INT32_MAX)
        return; /* sent before what came before */
    pause->witnesses[pause->count++] = (struct clock_witness){
        host, flow->path, side, ticks, packet->time_ns - d->facts.last_ns};
}

/* 1 ms (Linux, FreeBSD, macOS, Windows), 4, 3.3 and 10 ms (older ones); anything else is no rate, but the wait
 * of a packet, or a step. */
uint16_t clock_rate(const struct tcp_direction *d)
{
    static const uint16_t usual[] = {1000, 250, 300, 100};
    int64_t span_ns = d->facts.last_ns - d->first_stamp_ns;
    uint32_t ticks = d->timestamp - d->first_stamp;
    if (d->first_stamp == 0 || span_ns <= 0 || ticks < RATE_TICKS || ticks > INT32_MAX)
        return 0;
    double rate = ticks * 1e9 / (double)span_ns;
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        if (rate > usual[i] * (1 - RATE_ERROR) && rate < usual[i] * (1 + RATE_ERROR))
            return usual[i];
    }
    return 0;
}

/* A host whose rate nothing tells, though its connection lasted over the pause, has shown none that its stamps bear
 * out: the usual one judges it. */
static enum answer answer_of(const struct clock_pause *pause, uint16_t usual)
{
    double pause_ns = (double)length_of(pause);
    int slow = 0;
    for (uint32_t i = 0; i < pause->count; i++) {
        const struct clock_witness *w = &pause->witnesses[i];
        uint16_t own = w->path->clock_rate[w->side], rate = own != 0 ? own : usual;
        if (rate == 0 || rate == CLOCK_RATES_DIFFER)
            continue;
        double excess_ns = (double)w->stamped_ns - w->ticks * 1e9 / rate;
        if (excess_ns < TRUE_EXCESS * pause_ns)
            return ANSWER_TRUE;
        slow += excess_ns > STEP_EXCESS * pause_ns;
    }
    return slow >= 2 ? ANSWER_STEPPED : ANSWER_OPEN;
}

void clock_settle(const struct clock_watch *watch, int64_t long_ns, uint16_t usual, struct capture_record *capture)
{
    const struct clock_pause *largest = NULL;
    bool wrong = false;
    for (uint32_t i = 0; i < CLOCK_PAUSES; i++) {
        const struct clock_pause *pause = &watch->pauses[i];
        bool taken = length_of(pause) > long_ns;
        enum answer answer = answer_of(pause, usual);
        if (answer == ANSWER_STEPPED && !taken)
            capture->time_jumps++;
        else if (answer == ANSWER_TRUE && taken && capture->time_jumps > 0)
            capture->time_jumps--;
        wrong |= answer == ANSWER_TRUE && pause->from_ns == capture->jump_from_ns;
        bool jump = answer == ANSWER_STEPPED || (taken && answer == ANSWER_OPEN);
        if (jump && (largest == NULL || length_of(pause) > length_of(largest)))
            largest = pause;
    }
    if (wrong)
        capture->jump_from_ns = capture->jump_to_ns = 0;
    if (largest != NULL && length_of(largest) > capture->jump_to_ns - capture->jump_from_ns) {
        capture->jump_from_ns = largest->from_ns;
        capture->jump_to_ns = largest->to_ns;
    }
}

static int by_start(const void *left, const void *right)
{
    const struct clock_pause *const *a = left, *const *b = right;
    return ((*a)->from_ns > (*b)->from_ns) - ((*a)->from_ns < (*b)->from_ns);
}

void clock_tell_pauses(const struct clock_watch *watch, struct capture_record *capture)
{
    const struct clock_pause *sorted[CLOCK_PAUSES];
    size_t count = 0, len = 0;
    for (uint32_t i = 0; i < CLOCK_PAUSES; i++) {
        if (length_of(&watch->pauses[i]) > 0)
            sorted[count++] = &watch->pauses[i];
    }
    sort_rows((void *)sorted, count, sizeof sorted[0], by_start);
    capture->pauses[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        int more = snprintf(capture->pauses + len, sizeof capture->pauses - len, "%s%" PRId64 "+%" PRId64,
                            i > 0 ? "," : "", sorted[i]->from_ns, length_of(sorted[i]) / 1000000);
        if (more < 0 || (size_t)more >= sizeof capture->pauses - len) {
            capture->pauses[len] = '\0';
            return;
        }
        len += (size_t)more;
    }
}
