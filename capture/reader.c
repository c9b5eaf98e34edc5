#include "capture/reader.h"

__extension__ typedef __int128 wide; /* ticks of 64 bits times 10^9 need 94 */

#define NS_PER_S 1000000000

/* 10^28 is the last power that a 94-bit dividend can reach. */
#define READER_LAST_EXPONENT 28

enum reader_result reader_end(const struct stream *stream, const char *reason,
                              struct reader_cut *cut)
{
    cut->offset = stream->offset;
    if (stream->end == STREAM_DAMAGED)
        cut->reason = "compressed-stream";
    else if (stream->end == STREAM_FAILED)
        cut->reason = "read-error";
    else if (stream_left(stream) > 0)
        cut->reason = reason;
    return READER_END;
}

enum reader_result reader_damage(const struct stream *stream, const char *reason,
                                 struct reader_cut *cut)
{
    cut->offset = stream->offset;
    cut->reason = reason;
    return READER_END;
}

int64_t reader_time_ns(uint64_t ticks, uint8_t resolution, int64_t offset_s)
{
    unsigned exponent = resolution & 0x7f;
    wide ns = (wide)ticks * NS_PER_S;
    if ((resolution & 0x80) != 0) {
        ns >>= exponent;
    } else if (exponent > READER_LAST_EXPONENT) {
        ns = 0;
    } else {
        wide divisor = 1;
        for (unsigned i = 0; i < exponent; i++)
            divisor *= 10;
        ns /= divisor;
    }
    ns += (wide)offset_s * NS_PER_S;
    if (ns > READER_TIME_LIMIT)
        return READER_TIME_LIMIT;
    return ns < -READER_TIME_LIMIT ? -READER_TIME_LIMIT : (int64_t)ns;
}
