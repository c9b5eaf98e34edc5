/* TCP options (IANA "TCP Option Kind Numbers"). */
#include "core/hints.h"
#include "dissectors/decode_walk.h"

enum tcp_option {
    OPTION_END = 0,
    OPTION_NOP = 1,
    OPTION_MSS = 2,            /* RFC 9293 3.7.1 */
    OPTION_WINDOW_SCALE = 3,   /* RFC 7323 2 */
    OPTION_SACK_PERMITTED = 4, /* RFC 2018 2 */
    OPTION_SACK = 5,           /* RFC 2018 3 */
    OPTION_TIMESTAMPS = 8,     /* RFC 7323 3 */
    OPTION_MPTCP = 30,         /* RFC 8684 3 */
    OPTION_FAST_OPEN = 34,     /* RFC 7413 4.1.1 */
    OPTION_EXPERIMENT = 254    /* RFC 6994; with 0xf989: fast open before it had a number */
};

#define WINDOW_SCALE_MAX 14 /* RFC 7323 2.3: a greater one is to be taken as 14 */

/* NOP, NOP, timestamps, 10: how nearly every segment begins (RFC 7323 appendix A). */
#define ALIGNED_TIMESTAMPS 0x0101080au

static void kind_add(struct tcp_header *out, uint8_t kind)
{
    if (out->option_count < sizeof(out->option_kinds)) {
        out->option_kinds[out->option_count++] = kind;
    }
}

static void timestamps_read(struct cursor *body, struct tcp_header *out)
{
    out->timestamp_value = cur_u32(body);
    out->timestamp_echo = cur_u32(body);
    out->has_timestamp = true;
}

RARE
static bool sack_read(struct cursor *body, struct tcp_header *out)
{
    size_t len = cur_left(body);
    if (len == 0 || len % 8 != 0 || len > sizeof(out->sack)) {
        return false;
    }
    out->sack_count = (uint8_t)(len / 8);
    for (size_t i = 0; i < len / 4; i++) {
        out->sack[i] = cur_u32(body);
    }
    return true;
}

RARE
static bool fast_open_read(const struct cursor *body, struct tcp_header *out)
{
    size_t len = cur_left(body);
    if (len != 0 && (len < 4 || len > 16 || len % 2 != 0)) {
        return false;
    }
    out->fast_open = len == 0 ? 1 : 2;
    return true;
}

/* Returns whether the length of the option's body is one that its kind may have. */
static bool option_read(uint8_t kind, struct cursor body, struct tcp_header *out)
{
    size_t len = cur_left(&body);
    uint8_t scale;
    switch (kind) {
    case OPTION_MSS:
        out->mss = len == 2 ? cur_u16(&body) : 0;
        return len == 2;
    case OPTION_WINDOW_SCALE:
        if (len != 1) {
            return false;
        }
        scale = cur_u8(&body);
        out->window_scale = (int8_t)(scale < WINDOW_SCALE_MAX ? scale : WINDOW_SCALE_MAX);
        return true;
    case OPTION_SACK_PERMITTED:
        out->sack_permitted = len == 0;
        return len == 0;
    case OPTION_SACK:
        return sack_read(&body, out);
    case OPTION_TIMESTAMPS:
        if (len != 8) {
            return false;
        }
        timestamps_read(&body, out);
        return true;
    case OPTION_MPTCP:
        out->mptcp_subtype = (uint8_t)((cur_u8(&body) >> 4) + 1);
        return len >= 1;
    case OPTION_FAST_OPEN:
        return fast_open_read(&body, out);
    case OPTION_EXPERIMENT:
        return cur_u16(&body) != 0xf989 || fast_open_read(&body, out);
    default:
        return true;
    }
}

static void options_walk(struct cursor *options, bool cut, struct tcp_header *out)
{
    while (cur_left(options) > 0) {
        uint8_t kind = cur_u8(options);
        if (kind == OPTION_NOP || kind == OPTION_END) {
            kind_add(out, kind);
            if (kind == OPTION_END) {
                return;
            }
            continue;
        }
        uint8_t len = cur_u8(options);
        struct cursor body = cur_cut(options, len >= 2 ? len - 2u : 0u);
        if (!cur_ok(&body) || len < 2) {
            /* A cut option is lost, not wrong, unless its length is there and impossible. */
            out->options_bad = !cut || (cur_ok(options) && len < 2);
            return;
        }
        kind_add(out, kind);
        if (!option_read(kind, body, out)) {
            out->options_bad = true;
        }
    }
}

void tcp_options_read(struct cursor *options, bool cut, struct tcp_header *out)
{
    out->options_bad = false;
    out->mss = 0;
    out->window_scale = -1;
    out->sack_permitted = false;
    out->has_timestamp = false;
    out->timestamp_value = 0;
    out->timestamp_echo = 0;
    out->sack_count = 0;
    out->fast_open = 0;
    out->mptcp_subtype = 0;
    out->option_count = 0;
    if (cur_left(options) >= 12) {
        struct cursor ahead = *options;
        if (cur_u32(&ahead) == ALIGNED_TIMESTAMPS) {
            timestamps_read(&ahead, out);
            out->option_kinds[0] = OPTION_NOP;
            out->option_kinds[1] = OPTION_NOP;
            out->option_kinds[2] = OPTION_TIMESTAMPS;
            out->option_count = 3;
            *options = ahead;
        }
    }
    options_walk(options, cut, out);
}
