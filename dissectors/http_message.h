/* One HTTP/1.x message head (RFC 9112): start line and the header fields that matter here. Values
 * of other fields are not looked at; secret ones are only noticed. */
#ifndef INVCAP_DISSECTORS_HTTP_MESSAGE_H
#define INVCAP_DISSECTORS_HTTP_MESSAGE_H

#include "core/bytes.h"
#include "dissectors/http_fields.h"

#include <stdbool.h>
#include <stdint.h>

struct http_head {
    bool is_response;
    int status; /* responses */
    struct http_text method, target, host;
    uint8_t minor; /* HTTP/1.minor */
    bool has_length;
    bool length_conflict; /* differing Content-Length fields (RFC 9112 6.3 item 5) */
    uint64_t length;
    bool chunked;         /* the final transfer coding */
    bool other_coding;    /* Transfer-Encoding without chunked last */
    bool close;           /* Connection: close, or 1.0 without keep-alive */
    bool upgrade;         /* Connection: upgrade */
    bool websocket;       /* Upgrade: websocket (RFC 6455) */
    struct http_fields fields;
    struct secrets secrets; /* those of target and fields */
};

enum http_head_result { HTTP_HEAD_MORE, HTTP_HEAD_OK, HTTP_HEAD_BAD };

/* Finds and parses a head at the start of the window and moves past it. *scanned keeps how far the
 * end was looked for in vain, so that a slow head costs no second look; it is reset with the
 * result. strings and salt are for the secrets. */
enum http_head_result http_head_parse(struct cursor *bytes, size_t *scanned,
                                      struct intern *strings, const char *salt,
                                      struct http_head *out);
/* The same of a head whose end was missed: the start line, and the fields that are whole. */
enum http_head_result http_head_parse_cut(struct cursor bytes, struct intern *strings,
                                          const char *salt, struct http_head *out);
/* Whether the bytes may begin a message: 1 yes, 0 no, -1 too few. */
int http_starts_like(const uint8_t *bytes, size_t len, bool *is_response);
/* Whether the first bytes of a flow are those of a message: as above, and a request line that is
 * whole names HTTP/1 (others borrow the form: RTSP, SIP). -1 while 64 bytes could tell more. */
int http_is_first(const uint8_t *bytes, size_t len, bool *is_response);
/* Whether the bytes may begin a request with a method that is not well known: a token and a space.
 */
bool http_has_method(const uint8_t *bytes, size_t len);
/* A chunk-size line with its end (RFC 9112 7.1): hex digits; behind them an extension, blanks that
 * some senders add, or the line end. False when it is none. */
bool http_chunk_size(const uint8_t *line, size_t len, uint64_t *out);
/* The path as template: query and parameters dropped, numbers, ids and whatever may be a secret
 * replaced by {id}. Returns the length. */
size_t http_path_template(struct http_text target, char *out, size_t size);
/* The host of a Host field or an authority: what stands behind user:password@. */
struct http_text http_host(struct http_text authority);

#endif
