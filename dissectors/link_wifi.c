/* IEEE 802.11: data frames that are neither encrypted nor in pieces. Little-endian. */
#include "dissectors/decode_walk.h"

#define FRAME_TYPE 0x000c
#define FRAME_DATA 0x0008
#define FRAME_NO_DATA 0x0040 /* subtypes of data that carry none */
#define FRAME_QOS 0x0080
#define FRAME_TO_DS 0x0100
#define FRAME_FROM_DS 0x0200
#define FRAME_MORE 0x0400
#define FRAME_PROTECTED 0x4000
#define FRAME_ORDER 0x8000
#define QOS_AMSDU 0x0080
#define MAC_LEN 6

/* The sender's and the receiver's address by the way through the distribution system (9.3.2.1). */
static void addresses_read(struct walk *w, uint16_t frame, const uint8_t *header)
{
    bool to = (frame & FRAME_TO_DS) != 0;
    bool from = (frame & FRAME_FROM_DS) != 0;
    const uint8_t *first = header + 4;
    const uint8_t *second = header + 10;
    const uint8_t *third = header + 16;
    const uint8_t *source = from ? (to ? header + 24 : third) : second;
    w->out->has_mac = true;
    memcpy(w->out->dst_mac, to ? third : first, MAC_LEN);
    memcpy(w->out->src_mac, source, MAC_LEN);
}

/* The first of several frames in one (9.3.2.2): destination, source, length (big-endian). */
static enum walk_next amsdu_walk(struct walk *w)
{
    struct cursor head;
    if (!walk_peek(w, 14, &head)) {
        return WALK_DONE;
    }
    memcpy(w->out->dst_mac, cur_take(&head, MAC_LEN), MAC_LEN);
    memcpy(w->out->src_mac, cur_take(&head, MAC_LEN), MAC_LEN);
    size_t len = cur_u16(&head);
    cur_skip(&w->bytes, 14);
    if (len < walk_left(w)) {
        walk_limit(w, len);
    }
    return link_llc(w);
}

/* padded: the header fills whole words, as some drivers leave it. */
static enum walk_next wifi_walk(struct walk *w, bool padded)
{
    struct cursor head;
    if (!walk_peek(w, 2, &head)) {
        return WALK_DONE;
    }
    uint16_t frame = cur_u16le(&head);
    if ((frame & (3 | FRAME_TYPE | FRAME_NO_DATA)) != FRAME_DATA ||
        (frame & (FRAME_PROTECTED | FRAME_MORE)) != 0) {
        return WALK_DONE;
    }
    bool four = (frame & FRAME_TO_DS) != 0 && (frame & FRAME_FROM_DS) != 0;
    bool qos = (frame & FRAME_QOS) != 0;
    size_t plain = four ? 30 : 24;
    size_t len = plain + (qos ? 2 : 0) + (qos && (frame & FRAME_ORDER) != 0 ? 4 : 0);
    if (!walk_peek(w, padded ? (len + 3) / 4 * 4 : len, &head)) {
        return WALK_DONE;
    }
    struct cursor sequence = head;
    cur_skip(&sequence, 22);
    if ((cur_u16le(&sequence) & 0x000f) != 0) { /* a later piece */
        return WALK_DONE;
    }
    addresses_read(w, frame, head.at);
    struct cursor control = head;
    cur_skip(&control, plain);
    bool amsdu = qos && (cur_u16le(&control) & QOS_AMSDU) != 0;
    cur_skip(&w->bytes, cur_left(&head));
    return amsdu ? amsdu_walk(w) : link_llc(w);
}

enum walk_next link_open_wifi(struct walk *w)
{
    return wifi_walk(w, false);
}

/* radiotap.org: version (0), pad, length of all of it, presence words as long as their high bit is
 * set, fields. Of those only the flags matter, behind the timer (8 bytes, aligned): whether the
 * header of the frame is padded. */
enum walk_next link_open_radiotap(struct walk *w)
{
    struct cursor head;
    if (!walk_peek(w, 8, &head)) {
        return WALK_DONE;
    }
    uint8_t version = cur_u8(&head);
    cur_skip(&head, 1);
    size_t len = cur_u16le(&head);
    if (version != 0 || len < 8 || !walk_peek(w, len, &head)) {
        return WALK_DONE;
    }
    cur_skip(&head, 4);
    uint32_t present = cur_u32le(&head);
    uint32_t more = present;
    while ((more & 0x80000000u) != 0) {
        more = cur_u32le(&head);
    }
    if ((present & 1) != 0) {
        size_t used = len - cur_left(&head);
        cur_skip(&head, (8 - used % 8) % 8 + 8);
    }
    bool padded = (present & 2) != 0 && (cur_u8(&head) & 0x20) != 0;
    cur_skip(&w->bytes, len);
    return wifi_walk(w, padded);
}
