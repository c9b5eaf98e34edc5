#include "core/sketch.h"

#include "core/bytes.h"

#include <math.h>
#include <string.h>

#define ERROR_SHARE 0.01
#define GAMMA ((1 + ERROR_SHARE) / (1 - ERROR_SHARE))

int32_t sketch_index(int64_t value)
{
    return (int32_t)ceil(log((double)value) / log(GAMMA));
}

static void add_capped(uint32_t *bucket, uint64_t count)
{
    uint64_t sum = *bucket + count;
    *bucket = sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
}

void sketch_clear(struct sketch *s)
{
    if (s->placed)
        memset(s->bucket + s->low, 0, (size_t)(s->high - s->low + 1) * sizeof s->bucket[0]);
    s->count = s->zeros = 0;
    s->placed = false;
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
    s->low = s->low > up ? s->low - up : 0;
    s->high = s->high > up ? s->high - up : 0;
}

/* Moves the window down so that `index` is inside, as far as the highest used bucket allows. */
static void move_down(struct sketch *s, int32_t index)
{
    int32_t room = SKETCH_BUCKETS - 1 - s->high;
    int32_t down = s->first - index < room ? s->first - index : room;
    if (down <= 0)
        return;
    memmove(s->bucket + down, s->bucket, (size_t)(SKETCH_BUCKETS - down) * sizeof s->bucket[0]);
    memset(s->bucket, 0, (size_t)down * sizeof s->bucket[0]);
    s->first -= down;
    s->low += down;
    s->high += down;
}

static void add_index(struct sketch *s, int32_t index, uint32_t count)
{
    if (!s->placed) {
        s->first = index - SKETCH_BUCKETS / 2;
        s->placed = true;
        s->low = s->high = SKETCH_BUCKETS / 2;
    }
    if (index < s->first)
        move_down(s, index);
    else if (index >= s->first + SKETCH_BUCKETS)
        move_up(s, index - s->first - SKETCH_BUCKETS + 1);
    int32_t at = index < s->first ? 0 : index - s->first;
    add_capped(&s->bucket[at], count);
    s->low = at < s->low ? at : s->low;
    s->high = at > s->high ? at : s->high;
}

void sketch_add(struct sketch *sketch, int64_t value, uint32_t count)
{
    if (count == 0)
        return;
    sketch->count += count;
    if (value <= 0)
        sketch->zeros += count;
    else
        add_index(sketch, sketch_index(value), count);
}

void sketch_add_at(struct sketch *sketch, int32_t index, uint32_t count)
{
    if (count == 0)
        return;
    sketch->count += count;
    add_index(sketch, index, count);
}

void sketch_merge(struct sketch *sketch, const struct sketch *other)
{
    sketch->count += other->count;
    sketch->zeros += other->zeros;
    for (int32_t i = other->high; other->placed && i >= other->low; i--) {
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
    for (int32_t i = sketch->low; sketch->placed && i <= sketch->high; i++) {
        below += sketch->bucket[i];
        if (rank <= below)
            return value_of(sketch->first + i);
    }
    return value_of(sketch->first + sketch->high); /* counters stood still at their ends */
}

/* ---- as bytes -------------------------------------------------------------------------------- */

#define PACKED_VERSION 1
/* Values are below 2^63: no honest index is further from 0. */
#define INDEX_MOST 4096

static size_t put_number(uint64_t number, uint8_t *out)
{
    size_t len = 0;
    for (; number >= 0x80; number >>= 7)
        out[len++] = (uint8_t)(number | 0x80);
    out[len++] = (uint8_t)number;
    return len;
}

static uint64_t take_number(struct cursor *c)
{
    uint64_t number = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = cur_u8(c);
        number |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return number;
    }
    cur_fail(c);
    return 0;
}

size_t sketch_pack(const struct sketch *sketch, uint8_t *out)
{
    size_t len = 0;
    int32_t before = 0;
    out[len++] = PACKED_VERSION;
    len += put_number(sketch->zeros, out + len);
    for (int32_t i = sketch->low; sketch->placed && i <= sketch->high; i++) {
        if (sketch->bucket[i] == 0)
            continue;
        int32_t gap = sketch->first + i - before;
        uint32_t zigzag = gap < 0 ? 2u * (uint32_t)(-gap) - 1 : 2u * (uint32_t)gap;
        before = sketch->first + i;
        len += put_number(zigzag, out + len);
        len += put_number(sketch->bucket[i], out + len);
    }
    return len;
}

bool sketch_unpack(const void *bytes, size_t len, struct sketch *out)
{
    struct cursor c = cur_of(bytes, len);
    int64_t index = 0;
    bool good = cur_u8(&c) == PACKED_VERSION;
    memset(out, 0, sizeof *out);
    out->count = out->zeros = take_number(&c);
    while (good && cur_ok(&c) && cur_left(&c) > 0) {
        uint64_t zigzag = take_number(&c), count = take_number(&c);
        good = zigzag <= 2 * (uint64_t)INDEX_MOST && count > 0 && count <= UINT32_MAX;
        index += zigzag % 2 != 0 ? -(int64_t)(zigzag / 2) - 1 : (int64_t)(zigzag / 2);
        good = good && index >= -INDEX_MOST && index <= INDEX_MOST && cur_ok(&c);
        if (good) {
            add_index(out, (int32_t)index, (uint32_t)count);
            out->count += count;
        }
    }
    good = good && cur_ok(&c);
    if (!good)
        memset(out, 0, sizeof *out);
    return good;
}
