/* Quantiles of positive durations with a relative error (DDSketch; Masson, Rim, Lee, VLDB 2019).
 *
 * Value v > 0 falls into bucket ceil(log_gamma v), gamma = (1 + a) / (1 - a), a = 1 %: what a quantile
 * answers is within 1 % of the sample at that rank, whatever the distribution, as long as nothing was
 * collapsed. Values of 0 and below are counted as 0. Two sketches add up to the one of both inputs.
 * SKETCH_BUCKETS cover a factor of 1.7e17 at once (1 ns to 5 years), so that durations never collapse
 * in practice; when they do, the lowest buckets are joined and the high quantiles stay true.
 *
 * Plain data: all zero is an empty sketch; no allocation. */
#ifndef INVCAP_CORE_SKETCH_H
#define INVCAP_CORE_SKETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SKETCH_BUCKETS 2000

struct sketch {
    uint64_t count, zeros;
    int32_t first; /* index of bucket[0]; meaningless while no value above 0 was added */
    bool placed;
    int32_t low, high; /* the lowest and highest bucket used, when placed: nothing else is looked at */
    uint32_t bucket[SKETCH_BUCKETS];
};

/* Empty again; costs what was used. */
void sketch_clear(struct sketch *sketch);
/* Adds a value, in ns as everywhere, count times. */
void sketch_add(struct sketch *sketch, int64_t value, uint32_t count);
/* The bucket of a value above 0, 0 to SKETCH_INDEX_MOST, and adding to one: for who counts in a form of his
 * own and makes a sketch of it at the end. */
#define SKETCH_INDEX_MOST 2239
int32_t sketch_index(int64_t value);
void sketch_add_at(struct sketch *sketch, int32_t index, uint32_t count);
/* Adds all of other. */
void sketch_merge(struct sketch *sketch, const struct sketch *other);
/* The largest packed sketch. */
#define SKETCH_PACKED_MAX (32 + SKETCH_BUCKETS * 8)
/* Writes the sketch as bytes of at most SKETCH_PACKED_MAX and returns how many: the version 1, the zeros,
 * then of each used bucket, upwards, the distance of its index from the one before (zigzag; the first
 * from 0) and its count, all as LEB128. The same samples give the same bytes in any order. */
size_t sketch_pack(const struct sketch *sketch, uint8_t *out);
/* Reads packed bytes back; false, and *out empty, when they are none. */
bool sketch_unpack(const void *bytes, size_t len, struct sketch *out);
/* The value at rank ceil(q * count), 0 <= q <= 1, within 1 %; -1 when the sketch is empty. */
int64_t sketch_quantile(const struct sketch *sketch, double q);

#endif
