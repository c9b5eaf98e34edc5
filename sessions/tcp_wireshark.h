/* What Wireshark 4.0 says about the same segments: its flags tcp.analysis.*, by its definitions and
 * in its order (User's Guide, "TCP Analysis"), copies by mirror ports included. Our own classes
 * (tcp_data.c) know more; these let an analyst check one program against the other. */
#ifndef INVCAP_SESSIONS_TCP_WIRESHARK_H
#define INVCAP_SESSIONS_TCP_WIRESHARK_H

#include "core/hints.h"
#include "core/record.h"
#include "dissectors/decode.h"

#include <stdint.h>

struct wireshark_side {
    int64_t next_ns;     /* when next last grew */
    int64_t last_ns;     /* last packet */
    uint32_t next;       /* highest sequence number after a segment; 0 none yet, as there */
    uint32_t contiguous; /* the same, up to the first hole; 0 none yet */
    uint32_t ack;        /* last one it sent */
    int32_t duplicates;  /* of ack; -1: it was told about by an acknowledgment of unseen bytes */
    uint32_t window;     /* last one it sent, unscaled; UINT32_MAX none yet */
    uint16_t flags;      /* of its last packet: tcp_wireshark.c */
    int8_t scale;        /* shift; negative: unknown, or none (tcp_wireshark.c) */
    bool window_in_syn;  /* window is not to be scaled */
};

struct wireshark_flow {
    struct wireshark_side side[2];
    int64_t syn_ns, rtt_ns; /* 0 none */
};

/* w as it lies in zeroed memory. */
void wireshark_init(struct wireshark_flow *w);
/* Flags one segment of side and adds to *counts. */
PER_PACKET
void wireshark_segment(struct wireshark_flow *w, enum side side, int64_t time_ns,
                       const struct layers *layers, struct wireshark_counts *counts);

#endif
