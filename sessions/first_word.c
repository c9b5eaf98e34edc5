#include "sessions/first_word.h"

#include "dissectors/http_message.h"
#include "dissectors/tls_state.h"

#include <string.h>

#define TYPE_AT 5 /* behind the record's header */
#define ALERT_LEN 2
#define TLS_WHOLE (TYPE_AT + 1)
#define ALERT_WHOLE (TYPE_AT + ALERT_LEN)

static bool is_clear_alert(const uint8_t *b)
{
    return b[0] == TLS_RECORD_ALERT && b[3] == 0 && b[4] == ALERT_LEN;
}

/* FIRST_UNSEEN: more bytes are needed; FIRST_OTHER: it is no record. */
static enum first_bytes classify_tls(const uint8_t *b, size_t len)
{
    bool fits = b[0] >= TLS_RECORD_CCS && b[0] <= TLS_RECORD_DATA &&
                (len < 2 || b[1] == 3 || b[1] == 1) &&
                (len < 3 || (b[1] == 3 ? b[2] <= 4 : b[2] == 1)) &&
                (len < TYPE_AT || (b[3] << 8 | b[4]) <= TLS_RECORD_MAX);
    if (!fits)
        return FIRST_OTHER;
    if (len < TLS_WHOLE || (is_clear_alert(b) && len < ALERT_WHOLE))
        return FIRST_UNSEEN;
    if (b[0] == TLS_RECORD_HANDSHAKE && (b[TYPE_AT] == 1 || b[TYPE_AT] == 2))
        return b[TYPE_AT] == 1 ? FIRST_CLIENT_HELLO : FIRST_SERVER_HELLO;
    return b[0] == TLS_RECORD_ALERT ? FIRST_TLS_ALERT : FIRST_TLS;
}

static enum first_bytes classify(const uint8_t *b, size_t len)
{
    static const char preface[] = "PRI * ";
    size_t whole = sizeof preface - 1;
    bool is_response = false;
    enum first_bytes tls = classify_tls(b, len);
    if (tls != FIRST_OTHER)
        return tls;
    if (memcmp(b, preface, len < whole ? len : whole) == 0)
        return len < whole ? FIRST_UNSEEN : FIRST_HTTP_REQUEST;
    int like = http_starts_like(b, len, &is_response);
    if (like < 0)
        return FIRST_UNSEEN;
    if (like == 0)
        return FIRST_OTHER;
    return is_response ? FIRST_HTTP_RESPONSE : FIRST_HTTP_REQUEST;
}

bool first_word_add(struct first_word *word, int64_t offset, const uint8_t *bytes, size_t len,
                    bool is_cut)
{
    int64_t known = word->len > 0 ? 1 + word->len - offset : 0;
    if (known < 0 || known >= (int64_t)len)
        return false; /* beyond a hole, or nothing new */
    bool is_alone = is_cut || (word->len == 0 && offset != 1); /* what came before was missed */
    size_t room = sizeof word->bytes - word->len, more = len - (size_t)known;
    if (more > room)
        more = room;
    memcpy(word->bytes + word->len, bytes + known, more);
    word->len = (uint8_t)(word->len + more);
    word->kind = (uint8_t)classify(word->bytes, word->len);
    if (is_alone)
        word->kind = (uint8_t)first_word_kind(word);
    return word->kind != FIRST_UNSEEN;
}

enum first_bytes first_word_kind(const struct first_word *word)
{
    if (word->kind != FIRST_UNSEEN || word->len == 0)
        return word->kind;
    bool is_alert = word->len >= TLS_WHOLE && is_clear_alert(word->bytes);
    return is_alert ? FIRST_TLS_ALERT : FIRST_OTHER;
}

bool first_word_alert(const struct first_word *word, uint8_t *level, uint8_t *description)
{
    if (word->kind != FIRST_TLS_ALERT || word->len < ALERT_WHOLE || !is_clear_alert(word->bytes))
        return false;
    *level = word->bytes[TYPE_AT];
    *description = word->bytes[TYPE_AT + 1];
    return true;
}
