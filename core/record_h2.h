/* h2_connections: what an HTTP/2 connection said about itself. Its streams are http_records. */
#ifndef INVCAP_CORE_RECORD_H2_H
#define INVCAP_CORE_RECORD_H2_H

#include <stdbool.h>
#include <stdint.h>

struct h2_side_facts {
    int64_t goaway_error;   /* of the last GOAWAY that this side sent; -1 none */
    int64_t goaway_stream;  /* the last stream it promised to answer; -1 none */
    int64_t goaway_ns, goaway_frame;
    uint32_t goaway_open;   /* streams open when it came */
    int64_t reset_error;    /* of the first RST_STREAM with an error; -1 none */
    int64_t reset_ns, reset_frame;
    uint32_t resets;        /* RST_STREAM sent, whatever the code */
    uint32_t reset_errors;  /* those with an error: neither NO_ERROR nor CANCEL */
    uint32_t pings;         /* sent, answers left out */
    uint32_t settings;
    int64_t max_streams;    /* SETTINGS_MAX_CONCURRENT_STREAMS that it announced; -1 none */
    int64_t window;         /* SETTINGS_INITIAL_WINDOW_SIZE that it announced; -1 none */
    int64_t stalled_ns;     /* longest time that the peer's window kept it from sending data */
    uint32_t stalls;
};

struct h2_record {
    int64_t flow_id;
    bool late;              /* joined in mid-connection or behind a gap: names may be missing */
    uint64_t streams;
    uint32_t streams_open_max;
    uint64_t frames;
    uint64_t header_blocks;
    uint64_t unknown_fields; /* header fields whose table entry was not seen */
    uint64_t given_up;       /* streams beyond the limit, told without details */
    struct h2_side_facts side[2];
};

#endif
