/* What the first bytes of a side look like, in however many segments they come. */
#ifndef INVCAP_SESSIONS_FIRST_WORD_H
#define INVCAP_SESSIONS_FIRST_WORD_H

#include "core/hints.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum first_bytes {
    FIRST_UNSEEN, /* or too few yet */
    FIRST_CLIENT_HELLO,
    FIRST_SERVER_HELLO,
    FIRST_TLS_ALERT,
    FIRST_TLS,
    FIRST_HTTP_REQUEST,
    FIRST_HTTP_RESPONSE,
    FIRST_OTHER
};

/* The longest method that is known and its blank. */
#define FIRST_WORD_BYTES 10

struct first_word {
    uint8_t kind; /* enum first_bytes */
    uint8_t len;
    uint8_t bytes[FIRST_WORD_BYTES];
};

/* Takes the bytes at that offset of the stream (its first is 1), as far as they continue what is there;
 * is_cut: more of the segment was not captured. Returns whether they decide. */
APART
bool first_word_add(struct first_word *word, int64_t offset, const uint8_t *bytes, size_t len,
                    bool is_cut);
/* What it is when nothing more comes. */
enum first_bytes first_word_kind(const struct first_word *word);
/* Level and description of a TLS alert in clear; false when it is none, or not whole. */
bool first_word_alert(const struct first_word *word, uint8_t *level, uint8_t *description);

#endif
