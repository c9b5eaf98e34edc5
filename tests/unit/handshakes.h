/* Handshakes of OpenSSL with itself, and one of TLCP: their bytes are the seeds of fuzz_tls, what
 * tshark says of their hellos stands in data_tls.def. make_tls_data.py makes both. */
#ifndef INVCAP_TESTS_HANDSHAKES_H
#define INVCAP_TESTS_HANDSHAKES_H

#include "core/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HANDSHAKE_CHUNKS 10
#define HANDSHAKE_BYTES 8192

/* What one side sent at once. */
struct chunk {
    enum side side;
    const uint8_t *bytes;
    size_t len;
};

struct handshake {
    const char *name;
    const char *ja3, *ja3s; /* by tshark; "" none */
    struct chunk chunks[HANDSHAKE_CHUNKS];
    size_t count; /* 0: not read yet */
    uint8_t bytes[HANDSHAKE_BYTES];
};

static struct handshake handshakes[] = {
#define HANDSHAKE(a_name, a_ja3, a_ja3s) {.name = a_name, .ja3 = a_ja3, .ja3s = a_ja3s},
#include "tests/unit/data_tls.def"
#undef HANDSHAKE
};

#define HANDSHAKE_COUNT (sizeof handshakes / sizeof handshakes[0])

/* The form of fuzz_tls.c: bit 0 of the first byte is the side, its upper six bits and the second
 * byte the length. */
static inline void handshake_read(struct handshake *h)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/tests/fuzz/corpus/tls/%s", SOURCE_DIR, h->name);
    FILE *in = fopen(path, "rb");
    if (in == NULL)
        fail_msg("no file %s", path);
    size_t len = fread(h->bytes, 1, sizeof h->bytes, in), at = 0;
    assert_int_equal(fclose(in), 0);
    assert_true(len < sizeof h->bytes);
    while (at + 2 <= len) {
        size_t size = (size_t)(h->bytes[at] >> 2) << 8 | h->bytes[at + 1];
        enum side side = h->bytes[at] & 1 ? SIDE_SERVER : SIDE_CLIENT;
        assert_true(h->count < HANDSHAKE_CHUNKS && at + 2 + size <= len);
        h->chunks[h->count++] = (struct chunk){side, h->bytes + at + 2, size};
        at += 2 + size;
    }
    assert_true(at == len && h->count > 0);
}

static inline const struct handshake *handshake_at(size_t index)
{
    if (handshakes[index].count == 0)
        handshake_read(&handshakes[index]);
    return &handshakes[index];
}

static inline const struct handshake *handshake_named(const char *name)
{
    for (size_t i = 0; i < HANDSHAKE_COUNT; i++) {
        if (strcmp(handshakes[i].name, name) == 0)
            return handshake_at(i);
    }
    fail_msg("no handshake %s", name);
    return NULL;
}

#endif
