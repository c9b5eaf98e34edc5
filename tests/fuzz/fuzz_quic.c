/* Any bytes as datagrams of a flow, to every dissector of datagrams that carries TLS (QUIC, DTLS).
 *
 * The input is a list of datagrams: a control byte (bit 0 side, bits 1-7 length's high bits), a length
 * byte, the bytes. Each is shown in memory of exactly its length. */
#include "dissectors/datagram.h"
#include "tests/fuzz/lasting.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int is_true)
{
    if (!is_true)
        abort();
}

static void give(const struct datagram_dissector *dissector, void *state, enum side side,
                 const uint8_t *bytes, size_t len, struct dissect_context *context)
{
    uint8_t *shown = malloc(len);
    check(shown != NULL);
    memcpy(shown, bytes, len);
    struct datagram d = {.side = side, .bytes = shown, .present = (uint32_t)len,
                         .len = (uint32_t)len, .client_port = 50000, .server_port = 443};
    context->frame++;
    context->time_ns += 1000;
    (void)dissector->looks_like(&d);
    (void)dissector->feed(state, &d, context);
    free(shown);
}

static void run(const struct datagram_dissector *dissector, const uint8_t *data, size_t size,
                const struct lasting *kept)
{
    struct flow_record flow = {.protocol = 17};
    struct tls_record tls = {.alert = -1};
    struct dissect_context context = {.protocol = 17, .strings = kept->strings, .flow = &flow,
                                      .tls = &tls, .certificates = kept->certificates};
    void *state = calloc(1, dissector->state_size);
    check(state != NULL);
    dissector->open(state, &context);
    while (size > 2) {
        size_t len = (size_t)(data[0] >> 1) << 8 | data[1];
        enum side side = (data[0] & 1) != 0 ? SIDE_SERVER : SIDE_CLIENT;
        data += 2;
        size -= 2;
        len = len < size ? len : size;
        if (len > 0)
            give(dissector, state, side, data, len, &context);
        data += len;
        size -= len;
    }
    check(strlen(tls.history) < sizeof tls.history);
    check(!tls.established || tls.finished_ns >= 0);
    check(tls.alert <= 255 && (tls.alert < 0 || tls.alert_by != SIDE_NONE));
    dissector->close(state, &context);
    free(state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct lasting *kept = lasting_begin();
    for (const struct datagram_dissector *const *d = datagram_dissector_list(); *d != NULL; d++) {
        if ((*d)->is_tls)
            run(*d, data, size, kept);
    }
    return 0;
}
