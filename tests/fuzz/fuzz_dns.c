/* Any bytes as the datagrams of a flow, and as a DNS stream: nothing is read behind a message, every
 * record is within its rules. The input is a list of messages: a control byte (bit 0 side, bits 1-3 port,
 * bit 4 cut by the snap length, bits 5-7 seconds since the one before), a length byte, the bytes. */
#include "dissectors/datagram.h"
#include "dissectors/dns.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int is_true)
{
    if (!is_true)
        abort();
}

static void take(void *self, enum record_kind kind, const void *record)
{
    (void)self;
    if (kind == RECORD_DNS) {
        const struct dns_record *r = record;
        check(r->tries > 0 || r->answers > 0);
        check((r->answer_ns < 0) == (r->answers == 0));
        check(r->question == NULL || strlen(r->question) < DNS_NAME_SIZE);
        check(r->answer_list == NULL || strlen(r->answer_list) < DNS_LIST_SIZE);
        check(r->conflicts == 0 || (r->answers > r->tries && r->conflict_ns >= 0));
    } else if (kind == RECORD_NTP) {
        const struct ntp_record *r = record;
        check(r->request_ns >= 0 || r->reply_ns >= 0);
        check(r->stratum <= 16 && strlen(r->reference) < sizeof r->reference);
    }
}

struct bench {
    struct flow_record flow;
    struct dissect_context context;
    struct sink sink;
    void *states[8]; /* of the datagram dissectors */
    struct dns_table *stream;
};

static void give(struct bench *b, uint8_t control, const uint8_t *bytes, size_t len)
{
    static const uint16_t ports[] = {53, 123, 5353, 5355, 137, 4000, 8053, 443};
    uint8_t *copy = malloc(len > 0 ? len : 1);
    check(copy != NULL);
    memcpy(copy, bytes, len);
    struct datagram datagram = {.side = (enum side)(control & 1),
                                .bytes = copy,
                                .present = (uint32_t)len,
                                .len = (uint32_t)len + (control >> 4 & 1),
                                .client_port = 40000,
                                .server_port = ports[control >> 1 & 7]};
    b->context.time_ns += (int64_t)(control >> 5) * 1000000000LL + 1000;
    b->context.frame++;
    for (size_t i = 0; datagram_dissector_list()[i] != NULL && i < 8; i++) {
        const struct datagram_dissector *d = datagram_dissector_list()[i];
        if (!d->is_tls && b->states[i] != NULL) {
            (void)d->looks_like(&datagram);
            (void)d->feed(b->states[i], &datagram, &b->context);
        }
    }
    struct cursor c = cur_of(copy, len);
    (void)dissector_dns.looks_like(copy, len, datagram.side);
    (void)dissector_dns.feed(b->stream, datagram.side, &c, &b->context);
    check(cur_left(&c) <= len);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct intern *strings = intern_new();
    struct bench *b = calloc(1, sizeof *b);
    check(b != NULL && strings != NULL);
    b->sink = (struct sink){b, take};
    b->context = (struct dissect_context){.flow = &b->flow, .strings = strings, .sink = &b->sink};
    b->stream = calloc(1, sizeof *b->stream);
    check(b->stream != NULL);
    for (size_t i = 0; datagram_dissector_list()[i] != NULL && i < 8; i++) {
        const struct datagram_dissector *d = datagram_dissector_list()[i];
        if (strcmp(d->name, "dns") != 0 && strcmp(d->name, "mdns") != 0 && strcmp(d->name, "ntp") != 0)
            continue;
        b->states[i] = calloc(1, d->state_size);
        check(b->states[i] != NULL);
        d->open(b->states[i], &b->context);
    }
    while (size >= 2) {
        size_t len = data[1] < size - 2 ? data[1] : size - 2;
        give(b, data[0], data + 2, len);
        data += 2 + len;
        size -= 2 + len;
    }
    for (size_t i = 0; datagram_dissector_list()[i] != NULL && i < 8; i++) {
        if (b->states[i] != NULL)
            datagram_dissector_list()[i]->close(b->states[i], &b->context);
        free(b->states[i]);
    }
    dissector_dns.close(b->stream, &b->context);
    free(b->stream);
    free(b);
    intern_free(strings);
    return 0;
}
