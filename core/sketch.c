#include "core/sketch.h"

#include <math.h>
#include <string.h>

#define ERROR_SHARE 0.01
#define GAMMA ((1 + ERROR_SHARE) / (1 - ERROR_SHARE))

static int32_t index_of(int64_t value)
{
    return (int32_t)ceil(log((double)value) / log(GAMMA));
}

static void add_capped(uint32_t *bucket, uint64_t count)
{
    uint64_t sum = *bucket + count;
    *bucket = sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
}

/* Moves the window by `up` buckets: those that fall out at the low end join the new lowest one. */
static void move_up(struct sketch *s, int32_t up)
{
    uint64_t joined = 0;
    int32_t kept = up < SKETCH_BUCKETS ? SKETCH_BUCKETS - up : 0;
    for (int32_t i = 0; i < SKETCH_BUCKETS - kept; i++)
        joined += s->bucket[i];
    memmove(s->bucket, s->bucket + (SKETCH_BUCKETS - kept), (size_t)kept * sizeof s->bucket[0]);
    memset(s->bucket + kept, 0, (size_t)(SKETCH_BUCKETS - kept) * sizeof s->bucket[0]);
    add_capped(&s->bucket[0], joined);
    s->first += up;
}

static int32_t highest_used(const struct sketch *s)
{
    int32_t i = SKETCH_BUCKETS - 1;
    while (i > 0 && s->bucket[i] == 0)
        i--;
    return i;
}

/* Moves the window down so that `index` is inside, as far as the highest used bucket allows. */
static void move_down(struct sketch *s, int32_t index)
{
    int32_t room = SKETCH_BUCKETS - 1 - highest_used(s);
    int32_t down = s->first - index < room ? s->first - index : room;
    if (down <= 0)
        return;
    memmove(s->bucket + down, s->bucket, (size_t)(SKETCH_BUCKETS - down) * sizeof s->bucket[0]);
    memset(s->bucket, 0, (size_t)down * sizeof s->bucket[0]);
    s->first -= down;
}

static void add_index(struct sketch *s, int32_t index, uint32_t count)
{
    if (!s->placed) {
        s->first = index - SKETCH_BUCKETS / 2;
        s->placed = true;
    }
    if (index < s->first)
        move_down(s, index);
    else if (index >= s->first + SKETCH_BUCKETS)
        move_up(s, index - s->first - SKETCH_BUCKETS + 1);
    int32_t at = index < s->first ? 0 : index - s->first;
    add_capped(&s->bucket[at], count);
}

void sketch_add(struct sketch *sketch, int64_t value, uint32_t count)
{
    if (count == 0)
        return;
    sketch->count += count;
    if (value <= 0)
        sketch->zeros += count;
    else
        add_index(sketch, index_of(value), count);
}

void sketch_merge(struct sketch *sketch, const struct sketch *other)
{
    sketch->count += other->count;
    sketch->zeros += other->zeros;
    for (int32_t i = SKETCH_BUCKETS - 1; i >= 0 && other->placed; i--) {
        if (other->bucket[i] > 0)
            add_index(sketch, other->first + i, other->bucket[i]);
    }
}

/* The middle of a bucket by relative error. */
static int64_t value_of(int32_t index)
{
    double value = 2 * pow(GAMMA, index) / (GAMMA + 1);
    return value < 9.2e18 ? (int64_t)llround(value) : INT64_MAX;
}

int64_t sketch_quantile(const struct sketch *sketch, double q)
{
    if (sketch->count == 0)
        return -1;
    double wanted = ceil(q * (double)sketch->count);
    uint64_t rank = wanted < 1 ? 1 : (uint64_t)wanted;
    uint64_t below = sketch->zeros;
    if (rank <= below)
        return 0;
    for (int32_t i = 0; i < SKETCH_BUCKETS; i++) {
        below += sketch->bucket[i];
        if (rank <= below)
            return value_of(sketch->first + i);
    }
    return value_of(sketch->first + highest_used(sketch)); /* counters stood still at their ends */
}
