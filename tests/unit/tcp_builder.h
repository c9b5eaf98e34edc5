/* Builds packets of one TCP connection for tests of the session engine: real headers and TCP
 * checksums. Times and sequence numbers are the test's own. */
#ifndef INVCAP_TESTS_TCP_BUILDER_H
#define INVCAP_TESTS_TCP_BUILDER_H

#include "core/packet.h"
#include "dissectors/decode.h"
#include "sessions/engine.h"

#include <string.h>

struct conversation {
    struct engine *engine;
    uint64_t frame;
    int64_t now_ns;
    uint32_t isn[2];
    uint16_t ports[2];
    uint8_t ttl[2];
    uint16_t ip_id[2];
    uint16_t window[2];
    uint32_t sack[4];          /* relative; blocks of the next ACK when sack_count > 0 */
    uint8_t sack_count;
    uint32_t stamp[2];         /* TSval and TSecr of the next segment when the first is not 0 */
    bool truncate;             /* caplen ends behind the headers */
    bool damage;               /* the next segment has a wrong checksum */
    uint8_t hosts[2][4];       /* all zero: 10.0.0.1 and 203.0.113.5 */
};

struct segment {
    int side;                  /* 0 client, 1 server */
    uint16_t flags;
    int64_t sequence;          /* relative: 0 is the SYN */
    int64_t acknowledgment;    /* relative to the other side; -1 none */
    const char *payload;
    size_t len;
    uint8_t ttl;               /* 0: the side's own */
    uint16_t ip_id;            /* 0: the next of the side */
};

static inline void put16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static inline void put32(uint8_t *at, uint32_t value)
{
    put16(at, (uint16_t)(value >> 16));
    put16(at + 2, (uint16_t)value);
}

static inline size_t build_sack(uint8_t *at, struct conversation *c, int side)
{
    size_t blocks = c->sack_count;
    at[0] = at[1] = 1;
    at[2] = 5;
    at[3] = (uint8_t)(2 + 8 * blocks);
    for (size_t i = 0; i < 2 * blocks; i++)
        put32(at + 4 + 4 * i, c->isn[!side] + c->sack[i]);
    c->sack_count = 0;
    return 4 + 8 * blocks;
}

static inline size_t build_stamp(uint8_t *at, struct conversation *c)
{
    at[0] = at[1] = 1;
    at[2] = 8;
    at[3] = 10;
    put32(at + 4, c->stamp[0]);
    put32(at + 8, c->stamp[1]);
    c->stamp[0] = 0;
    return 12;
}

static inline size_t build_options(uint8_t *at, const struct segment *s)
{
    static const uint8_t syn[] = {2, 4, 0x05, 0xb4, 1, 3, 3, 7, 4, 2, 1, 1};
    if ((s->flags & TCP_SYN) == 0)
        return 0;
    memcpy(at, syn, sizeof syn);
    return sizeof syn;
}

/* RFC 9293 3.1, over IPv4; len: of the TCP header and payload. */
static inline uint16_t tcp_sum(const uint8_t *ip, const uint8_t *tcp, size_t len)
{
    uint32_t sum = 6 + (uint32_t)len;
    for (size_t i = 12; i < 20; i += 2)
        sum += (uint32_t)ip[i] << 8 | ip[i + 1];
    for (size_t i = 0; i < len; i++) {
        sum += i % 2 == 0 ? (uint32_t)tcp[i] << 8 : tcp[i];
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static inline void send_segment(struct conversation *c, const struct segment *s)
{
    static uint8_t bytes[70000];
    uint8_t *ip = bytes, *tcp = bytes + 20;
    memset(bytes, 0, 80);
    size_t options =
        c->sack_count > 0 ? build_sack(tcp + 20, c, s->side)
        : c->stamp[0] != 0 ? build_stamp(tcp + 20, c)
                           : build_options(tcp + 20, s);
    size_t total = 40 + options + s->len;
    ip[0] = 0x45;
    put16(ip + 2, (uint16_t)total);
    put16(ip + 4, s->ip_id != 0 ? s->ip_id : ++c->ip_id[s->side]);
    ip[6] = 0x40;
    ip[8] = s->ttl != 0 ? s->ttl : c->ttl[s->side];
    ip[9] = 6;
    static const uint8_t usual[2][4] = {{10, 0, 0, 1}, {203, 0, 113, 5}};
    static const uint8_t none[4];
    for (int end = 0; end < 2; end++) {
        bool own = memcmp(c->hosts[end], none, 4) != 0;
        memcpy(ip + (end == s->side ? 12 : 16), own ? c->hosts[end] : usual[end], 4);
    }
    put16(tcp, c->ports[s->side]);
    put16(tcp + 2, c->ports[!s->side]);
    put32(tcp + 4, c->isn[s->side] + (uint32_t)s->sequence);
    if (s->acknowledgment >= 0)
        put32(tcp + 8, c->isn[!s->side] + (uint32_t)s->acknowledgment);
    tcp[12] = (uint8_t)((20 + options) / 4 << 4);
    tcp[13] = (uint8_t)s->flags;
    put16(tcp + 14, c->window[s->side]);
    if (s->len > 0)
        memcpy(tcp + 20 + options, s->payload, s->len);
    put16(tcp + 16, (uint16_t)(tcp_sum(ip, tcp, total - 20) ^ (c->damage ? 0x5555 : 0)));
    c->damage = false;
    struct packet packet = {.data = bytes,
                            .caplen = (uint32_t)(c->truncate ? 40 + options : total),
                            .len = (uint32_t)total,
                            .time_ns = c->now_ns,
                            .frame = ++c->frame,
                            .source_id = 1,
                            .link_type = 101};
    engine_packet(c->engine, &packet);
}

static inline void send_at(struct conversation *c, int64_t ms, struct segment s)
{
    c->now_ns += ms * 1000000;
    send_segment(c, &s);
}

static inline void handshake(struct conversation *c, int64_t server_ms, int64_t client_ms)
{
    send_at(c, 0, (struct segment){0, TCP_SYN, 0, -1, NULL, 0, 0, 0});
    send_at(c, server_ms, (struct segment){1, TCP_SYN | TCP_ACK, 0, 1, NULL, 0, 0, 0});
    send_at(c, client_ms, (struct segment){0, TCP_ACK, 1, 1, NULL, 0, 0, 0});
}

#endif
