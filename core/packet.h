/* One captured packet, on its way from a source. All memory is borrowed from the source and valid
 * until the source is asked for the next packet. */
#ifndef INVCAP_CORE_PACKET_H
#define INVCAP_CORE_PACKET_H

#include <stdint.h>

struct packet {
    const uint8_t *data;
    uint32_t caplen;    /* bytes at data */
    uint32_t len;       /* bytes on the wire, >= caplen */
    int64_t time_ns;    /* since 1970 UTC */
    uint64_t frame;     /* 1, 2, 3... within the source, as Wireshark counts */
    uint64_t offset;    /* of the packet's record in the uncompressed stream */
    uint32_t source_id; /* 1, 2, 3... as in the table sources */
    uint16_t link_type; /* LINKTYPE_ value of the interface (tcpdump.org), not DLT_ */
    uint16_t interface_id;
};

#endif
