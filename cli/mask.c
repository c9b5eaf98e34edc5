#include "cli/mask.h"

#include "dissectors/checksum.h"

#include <string.h>

#define LINK_BYTES_KEPT 64   /* of packets that are no TCP, UDP, ICMP or ARP: their headers */
#define ICMP_QUOTE_KEPT 68   /* 8 of ICMP, 40 of the largest plain IP header, 20 of TCP */
#define TCP_CHECKSUM_BACK 16 /* offsets in the transport headers (RFC 9293 3.1, RFC 768) */
#define UDP_CHECKSUM_BACK 6
#define UDP_HEADER 8

static void fill(uint8_t *from, const uint8_t *end)
{
    if (end > from) {
        memset(from, 'x', (size_t)(end - from));
    }
}

/* Where the line that begins at `at` ends: at its CR or LF, or at `end`. */
static uint8_t *line_end(uint8_t *at, uint8_t *end)
{
    while (at < end && *at != '\r' && *at != '\n') {
        at++;
    }
    return at;
}

static bool begins_http(const uint8_t *at, size_t len)
{
    static const char *const starts[] = {"GET ",     "POST ",  "PUT ",   "HEAD ",    "DELETE ",
                                         "OPTIONS ", "PATCH ", "TRACE ", "CONNECT ", "HTTP/1."};
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        size_t need = strlen(starts[i]);
        if (len >= need && memcmp(at, starts[i], need) == 0) {
            return true;
        }
    }
    return false;
}

#define SEGMENT_LONG 24    /* of a path: longer ones are no words */
#define SEGMENT_NUMBERED 8 /* this long with a digit: an id or a token */

static void mask_segment(uint8_t *at, const uint8_t *end)
{
    size_t len = (size_t)(end - at);
    bool digit = false;
    for (const uint8_t *byte = at; byte < end; byte++) {
        digit = digit || (*byte >= '0' && *byte <= '9');
    }
    if (len >= SEGMENT_LONG || (digit && len >= SEGMENT_NUMBERED)) {
        fill(at, end);
    }
}

/* "HTTP/1.1 500 Internal Server Error": the words may be anything, the number tells. */
static void mask_reason(uint8_t *at, const uint8_t *end)
{
    for (int spaces = 0; at < end && spaces < 2; at++) {
        spaces += *at == ' ';
    }
    fill(at, end);
}

/* "GET /path?token=1 HTTP/1.1": the query and an id in the path may be secrets. */
static void mask_target(uint8_t *at, const uint8_t *end)
{
    while (at < end && *at != ' ') {
        at++;
    }
    while (at < end && *at != '?' && (*at == ' ' || *at == '/')) {
        uint8_t *begin = ++at;
        while (at < end && *at != '/' && *at != '?' && *at != ' ') {
            at++;
        }
        mask_segment(begin, at);
        if (at < end && *at == ' ') {
            return;
        }
    }
    for (at++; at < end && *at != ' '; at++) {
        *at = 'x';
    }
}

/* Returns where the body begins; `end` when the headers do not end in this packet. */
static uint8_t *mask_http_headers(uint8_t *at, uint8_t *end)
{
    uint8_t *line = line_end(at, end);
    if (line - at >= 5 && memcmp(at, "HTTP/", 5) == 0) {
        mask_reason(at, line);
    } else {
        mask_target(at, line);
    }
    for (at = line; at < end; at = line) {
        if (*at == '\r' || *at == '\n') {
            uint8_t *next = at + 1 < end && *at == '\r' && at[1] == '\n' ? at + 2 : at + 1;
            if (next < end && (*next == '\r' || *next == '\n')) {
                return next + 1 < end && *next == '\r' && next[1] == '\n' ? next + 2 : next + 1;
            }
            at = next;
        }
        line = line_end(at, end);
        uint8_t *colon = memchr(at, ':', (size_t)(line - at));
        fill(colon != NULL ? colon + 1 : at, line);
    }
    return end;
}

static void mask_payload(uint8_t *payload, uint8_t *end, enum mask_keep keep)
{
    bool http = begins_http(payload, (size_t)(end - payload)); /* also where TLS was expected */
    if (keep == MASK_KEEP_ALL && !http) {
        return;
    }
    if (keep != MASK_KEEP_NOTHING && http) {
        payload = mask_http_headers(payload, end);
    }
    fill(payload, end);
}

/* RFC 1624: HC' = ~(~HC + ~m + m'). Both sums are of the same bytes of the message. */
static void adjust_checksum(uint8_t *field, uint16_t before, uint16_t after)
{
    uint16_t old = (uint16_t)(field[0] << 8 | field[1]);
    uint32_t total = (uint32_t)(uint16_t)~old + (uint16_t)~before + after;
    uint16_t fresh = (uint16_t)~checksum_fold(total);
    field[0] = (uint8_t)(fresh >> 8);
    field[1] = (uint8_t)(fresh & 0xff);
}

static void mask_transport(uint8_t *data, const struct packet *packet, const struct layers *layers,
                           enum mask_keep keep)
{
    size_t at = (size_t)(layers->payload - data);
    uint8_t *payload = data + at;
    size_t back = layers->kind == LAYER_TCP ? (size_t)layers->tcp.header_len - TCP_CHECKSUM_BACK
                                            : UDP_HEADER - UDP_CHECKSUM_BACK;
    uint16_t before = checksum_sum(payload, layers->payload_caplen);
    mask_payload(payload, payload + layers->payload_caplen, keep);
    bool none = layers->kind == LAYER_UDP && data[at - back] == 0 && data[at - back + 1] == 0;
    if (!none) {
        adjust_checksum(data + at - back, before, checksum_sum(payload, layers->payload_caplen));
    }
    fill(payload + layers->payload_len, data + packet->caplen); /* link padding */
}

static bool has_own_payload(const uint8_t *data, const struct packet *packet,
                            const struct layers *layers)
{
    size_t least = layers->kind == LAYER_TCP ? 20 : UDP_HEADER;
    return layers->payload != NULL && !layers->was_fragmented && layers->payload >= data + least &&
           layers->payload_caplen <= packet->caplen &&
           layers->payload <= data + packet->caplen - layers->payload_caplen &&
           (layers->kind != LAYER_TCP || layers->tcp.header_len >= 20);
}

static void mask_icmp(uint8_t *data, const struct packet *packet, const struct layers *layers)
{
    const uint8_t *end = data + packet->caplen;
    if (layers->network == NULL || layers->network < data || layers->network > end) {
        fill(data + (packet->caplen < LINK_BYTES_KEPT ? packet->caplen : LINK_BYTES_KEPT), end);
        return;
    }
    size_t header = layers->ip_version == 6 ? 40 : 20;
    size_t from = (size_t)(layers->network - data) + header + ICMP_QUOTE_KEPT;
    if (from < packet->caplen) {
        fill(data + from, end);
    }
}

void mask_packet(uint8_t *data, const struct packet *packet, const struct layers *layers,
                 enum mask_keep keep)
{
    if (layers->kind == LAYER_ARP) {
        return;
    }
    if (layers->kind == LAYER_ICMP) {
        if (layers->icmp.is_error || layers->neighbor.present == false) {
            mask_icmp(data, packet, layers);
        }
        return;
    }
    if ((layers->kind == LAYER_TCP || layers->kind == LAYER_UDP) &&
        has_own_payload(data, packet, layers)) {
        mask_transport(data, packet, layers, keep);
    } else if (packet->caplen > LINK_BYTES_KEPT) {
        fill(data + LINK_BYTES_KEPT, data + packet->caplen);
    }
}
