/* The session engine: packets in, records out. One engine is one value; it runs in one thread. */
#ifndef INVCAP_SESSIONS_ENGINE_H
#define INVCAP_SESSIONS_ENGINE_H

#include "core/error.h"
#include "core/hints.h"
#include "core/intern.h"
#include "core/packet.h"
#include "core/profile.h"
#include "core/record.h"

struct certificate_cache;
struct tls_keys; /* dissectors/tls_keys.h */

enum engine_ndpi { ENGINE_NDPI_OFF, ENGINE_NDPI_UNKNOWN, ENGINE_NDPI_ALL };

struct engine_options {
    const struct profile *profile;
    struct sink sink;                       /* gets all records; must copy */
    struct intern *strings;                 /* borrowed: outlives the engine */
    const char *salt; /* of hashes of secrets; NULL or "": none are made */
    struct certificate_cache *certificates; /* borrowed */
    struct tls_keys *keys; /* borrowed; NULL: nothing is decrypted */
    int64_t capture_id, first_flow_id, first_path_id;
    uint64_t memory_bytes; /* ceiling of flows, events and reassembly */
    const uint64_t *beside; /* bytes that others keep under the same ceiling, NULL: none; a quarter is
                             * left to the engine */
    enum engine_ndpi ndpi;
    bool verify_checksums;
};

struct engine;

struct engine *engine_new(const struct engine_options *options, struct error *error);
void engine_free(struct engine *engine);
/* From now on, with secrets that turned up in the capture itself; borrowed. */
void engine_set_keys(struct engine *engine, struct tls_keys *keys);
/* Packets that are decoded before the first of them goes to its flow: the code of the one and of the other is more
 * than the processor's instruction cache holds (docs/performance.md). */
#define ENGINE_RUN 16
/* Takes packets in their order; all of what they borrow must hold until the call returns. */
PER_PACKET APART
void engine_packets(struct engine *engine, const struct packet *packets, size_t count);
static inline void engine_packet(struct engine *engine, const struct packet *packet)
{
    engine_packets(engine, packet, 1);
}
/* Closes all open flows and puts what is left (neighbors). */
APART
void engine_finish(struct engine *engine);
/* Bytes of all that is open. */
uint64_t engine_memory(const struct engine *engine);
/* Fills the quality counters; the rest of *out is the caller's. */
APART
void engine_counters(const struct engine *engine, struct capture_record *out);

#endif
