/* Any bytes as a capture file: pcap, pcapng, compressed. Every byte of every packet is looked at,
 * the rules that hold for all packets are checked. */
#include "capture/source.h"
#include "core/limits.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A bomb of compressed zeros is honest work, and no finding. */
#define FUZZ_PACKETS 20000

static void check(int is_true)
{
    if (!is_true)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = {.code = ERROR_NONE};
    struct source *source = source_open_memory(data, size, 1, &error);
    if (source == NULL) {
        check(error.code != ERROR_NONE && error.text[0] != '\0');
        return 0;
    }
    struct packet packet;
    uint64_t frame = 0;
    volatile unsigned sum = 0;
    for (int i = 0; i < FUZZ_PACKETS; i++) {
        if (source_next(source, &packet, &error) != SOURCE_PACKET)
            break;
        check(packet.frame > frame && packet.caplen <= LIMIT_PACKET_BYTES);
        check(packet.len >= packet.caplen);
        frame = packet.frame;
        for (uint32_t k = 0; k < packet.caplen; k++)
            sum = sum + packet.data[k];
    }
    size_t len;
    const char *secrets = source_secrets(source, &len);
    for (size_t k = 0; secrets != NULL && k < len; k++)
        sum = sum + (unsigned char)secrets[k];
    struct intern *strings = intern_new();
    struct source_record record;
    source_describe(source, strings, &record);
    check(record.cut == (record.cut_reason != NULL));
    check(record.last_ns >= record.first_ns);
    intern_free(strings);
    source_close(source);
    return 0;
}
