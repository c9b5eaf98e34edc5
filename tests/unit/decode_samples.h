/* The packets of decode_rows*.def, for the tests of the decoder. */
#ifndef INVCAP_TESTS_UNIT_DECODE_SAMPLES_H
#define INVCAP_TESTS_UNIT_DECODE_SAMPLES_H

#include "core/packet.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SAMPLE_MAX 2048

struct sample {
    const char *name;
    uint16_t link_type;
    uint32_t len; /* on the wire */
    const char *hex, *expected;
};

static const struct sample samples[] = {
#define ROW(name, link_type, len, hex, expected) {name, link_type, len, hex, expected},
#include "tests/unit/decode_rows.def"
#include "tests/unit/decode_rows_tunnels.def"
#undef ROW
};
static const size_t sample_count = sizeof(samples) / sizeof(samples[0]);

static inline uint8_t hex_digit(char c)
{
    return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* Returns the number of bytes written. */
static inline size_t hex_read(const char *hex, uint8_t *out)
{
    size_t len = strlen(hex) / 2;
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)((uint32_t)hex_digit(hex[2 * i]) << 4 | hex_digit(hex[2 * i + 1]));
    }
    return len;
}

static inline struct packet sample_packet(const struct sample *sample, uint8_t bytes[SAMPLE_MAX])
{
    struct packet packet = {.data = bytes, .len = sample->len, .link_type = sample->link_type};
    packet.caplen = (uint32_t)hex_read(sample->hex, bytes);
    packet.frame = 1;
    return packet;
}

#endif
