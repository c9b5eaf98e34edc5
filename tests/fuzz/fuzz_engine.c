/* Packets to streams to records: the input is a list of packets, each with a small header
 * (link type choice, time step, length), through the whole session engine. */
#include "core/bytes.h"
#include "dissectors/x509.h"
#include "sessions/engine.h"

#include <stdlib.h>

static void ignore(void *self, enum record_kind kind, const void *record)
{
    (void)self;
    (void)kind;
    (void)record;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint16_t links[] = {1, 101, 113, 276, 0, 108, 228, 229};
    static const int64_t steps[] = {0, 1000, 1000000, 40000000, 1000000000, 61000000000, -5000000};
    struct error error;
    struct intern *strings = intern_new();
    struct certificate_cache *certificates = certificate_cache_new(strings, 1);
    struct engine_options options = {.profile = profile_builtin(),
                                     .sink = {NULL, ignore},
                                     .strings = strings,
                                     .certificates = certificates,
                                     .capture_id = 1,
                                     .first_flow_id = 1,
                                     .memory_bytes = 1u << 20,
                                     .ndpi = ENGINE_NDPI_OFF,
                                     .verify_checksums = true};
    struct engine *engine = engine_new(&options, &error);
    struct cursor c = cur_of(data, size);
    struct packet packet = {.time_ns = 1700000000LL * 1000000000LL, .source_id = 1};
    struct packet run[ENGINE_RUN];
    size_t waiting = 0;
    while (engine != NULL && cur_left(&c) >= 4) {
        uint8_t head = cur_u8(&c);
        uint8_t extra = cur_u8(&c);
        uint16_t want = cur_u16(&c);
        size_t len = want < cur_left(&c) ? want : cur_left(&c);
        packet.link_type = links[head % 8];
        packet.time_ns += steps[(head >> 3) % 7];
        packet.data = cur_take(&c, len);
        packet.caplen = (uint32_t)len;
        packet.len = (uint32_t)len + ((head & 0x80) != 0 ? extra : 0u);
        packet.frame++;
        run[waiting++] = packet;
        if (waiting == ENGINE_RUN || (head & 0x40) != 0) {
            engine_packets(engine, run, waiting);
            waiting = 0;
        }
    }
    if (engine != NULL)
        engine_packets(engine, run, waiting);
    if (engine != NULL)
        engine_finish(engine);
    engine_free(engine);
    certificate_cache_free(certificates);
    intern_free(strings);
    return 0;
}
