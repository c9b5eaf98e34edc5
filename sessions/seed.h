/* A handshake that the client has not gone on with, kept small: floods and scans leave hundreds of
 * thousands of SYNs, answered or not, and the TCP state of a connection is fifteen times as large. When
 * anything else of the connection comes, or its record is due, its packets are analysed as if they
 * came then. */
#ifndef INVCAP_SESSIONS_SEED_H
#define INVCAP_SESSIONS_SEED_H

#include "core/packet.h"
#include "dissectors/decode.h"

#include <stdbool.h>
#include <stdint.h>

/* What the analysis of a SYN or SYN-ACK reads of its packet. */
struct syn_seed {
    struct syn_seed *next; /* an answer to it, in order of capture */
    int64_t time_ns;
    uint64_t frame;
    uint32_t source_id;
    uint32_t sequence, acknowledgment, timestamp_value, timestamp_echo;
    uint32_t ip_len;
    uint16_t flags, window, mss, ip_id;
    uint8_t option_kinds[16];
    uint8_t option_count, fast_open, mptcp_subtype, dscp_ecn;
    int8_t window_scale;
    uint8_t ip_version, ttl, checksum, src_mac[6];
    bool sack_permitted, has_timestamp, dont_fragment, has_mac;
};

/* Whether the packet is a SYN that a seed can stand for. */
bool seed_fits(const struct layers *layers);
/* The same for a SYN-ACK of the other side, an answer or its repetition: where it belongs in the list
 * that begins with that SYN; NULL: it does not fit. */
struct syn_seed **seed_place(struct syn_seed *first, const struct layers *layers);
void seed_keep(struct syn_seed *seed, const struct packet *packet, const struct layers *layers);
/* The packet and its layers as far as TCP analysis reads them; its bytes are gone. */
void seed_restore(const struct syn_seed *seed, struct packet *packet, struct layers *layers);

#endif
