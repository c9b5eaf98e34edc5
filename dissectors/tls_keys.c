#include "dissectors/tls_keys.h"

#include "core/limits.h"

#include <stdlib.h>
#include <string.h>

/* A table of open addressing, at most half full; a slot of length 0 is free. Who could choose randoms
 * that collide is who gave us the keys. */
struct tls_keys {
    struct tls_secret *slots;
    size_t capacity, count; /* capacity is a power of two */
    uint8_t scratch[TLS_KEYS_SCRATCH];
};

static const struct {
    const char *label;
    enum tls_secret_kind kind;
} labels[] = {
    {"CLIENT_RANDOM", TLS_SECRET_MASTER},
    {"CLIENT_HANDSHAKE_TRAFFIC_SECRET", TLS_SECRET_CLIENT_HANDSHAKE},
    {"SERVER_HANDSHAKE_TRAFFIC_SECRET", TLS_SECRET_SERVER_HANDSHAKE},
    {"CLIENT_TRAFFIC_SECRET_0", TLS_SECRET_CLIENT_TRAFFIC},
    {"SERVER_TRAFFIC_SECRET_0", TLS_SECRET_SERVER_TRAFFIC},
};

struct tls_keys *tls_keys_new(void)
{
    return calloc(1, sizeof(struct tls_keys));
}

static void release_slots(struct tls_secret *slots, size_t count)
{
    if (slots != NULL)
        explicit_bzero(slots, count * sizeof *slots);
    free(slots);
}

void tls_keys_free(struct tls_keys *keys)
{
    if (keys == NULL)
        return;
    release_slots(keys->slots, keys->capacity);
    explicit_bzero(keys, sizeof *keys);
    free(keys);
}

uint8_t *tls_keys_scratch(struct tls_keys *keys)
{
    return keys->scratch;
}

/* The slot of this secret, or the free one where it would go. capacity is not 0. */
static struct tls_secret *slot_of(struct tls_secret *slots, size_t capacity,
                                  enum tls_secret_kind kind, const uint8_t random[TLS_RANDOM])
{
    uint64_t hash;
    memcpy(&hash, random + TLS_RANDOM - sizeof hash, sizeof hash);
    hash = (hash ^ (uint64_t)kind) * 0x9e3779b97f4a7c15u;
    size_t at = (size_t)(hash >> 32) & (capacity - 1);
    while (slots[at].len != 0 &&
           (slots[at].kind != kind || memcmp(slots[at].random, random, TLS_RANDOM) != 0))
        at = (at + 1) & (capacity - 1);
    return &slots[at];
}

const struct tls_secret *tls_keys_find(const struct tls_keys *keys, enum tls_secret_kind kind,
                                       const uint8_t random[TLS_RANDOM])
{
    if (keys->count == 0)
        return NULL;
    const struct tls_secret *slot = slot_of(keys->slots, keys->capacity, kind, random);
    return slot->len != 0 ? slot : NULL;
}

static bool grow(struct tls_keys *keys)
{
    size_t capacity = keys->capacity == 0 ? 64 : keys->capacity * 2;
    struct tls_secret *slots = calloc(capacity, sizeof *slots);
    if (slots == NULL)
        return false;
    for (size_t i = 0; i < keys->capacity; i++) {
        const struct tls_secret *old = &keys->slots[i];
        if (old->len != 0)
            *slot_of(slots, capacity, (enum tls_secret_kind)old->kind, old->random) = *old;
    }
    release_slots(keys->slots, keys->capacity);
    keys->slots = slots;
    keys->capacity = capacity;
    return true;
}

static bool put(struct tls_keys *keys, const struct tls_secret *secret)
{
    if (keys->count >= LIMIT_TLS_SECRETS)
        return true;
    if (keys->count * 2 >= keys->capacity && !grow(keys))
        return false;
    struct tls_secret *slot = slot_of(keys->slots, keys->capacity,
                                      (enum tls_secret_kind)secret->kind, secret->random);
    keys->count += slot->len == 0;
    *slot = *secret;
    return true;
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Reads hex digits up to a blank or the end; the number of bytes, 0 when it is no hex or too long. */
static size_t read_hex(const char **at, const char *end, uint8_t *out, size_t room)
{
    size_t count = 0;
    while (*at < end && **at == ' ')
        ++*at;
    for (; end - *at >= 2 && **at != ' '; *at += 2, count++) {
        int high = nibble((*at)[0]), low = nibble((*at)[1]);
        if (high < 0 || low < 0 || count == room)
            return 0;
        out[count] = (uint8_t)(high << 4 | low);
    }
    return *at == end || **at == ' ' ? count : 0;
}

/* One line without its end. 1: a secret, known or not; 0: none; -1: memory is out. */
static int add_line(struct tls_keys *keys, const char *line, size_t len)
{
    struct tls_secret secret = {0};
    const char *end = line + len, *at = memchr(line, ' ', len);
    if (at == NULL || line[0] == '#')
        return 0;
    size_t label_len = (size_t)(at - line);
    size_t random_len = read_hex(&at, end, secret.random, TLS_RANDOM);
    size_t secret_len = read_hex(&at, end, secret.bytes, TLS_SECRET_MAX);
    if (random_len != TLS_RANDOM || secret_len < 16)
        return 0;
    int result = 1;
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
        if (strlen(labels[i].label) != label_len || memcmp(labels[i].label, line, label_len) != 0)
            continue;
        secret.kind = (uint8_t)labels[i].kind;
        secret.len = (uint8_t)secret_len;
        bool is_master = labels[i].kind == TLS_SECRET_MASTER;
        if (is_master ? secret_len == 48 : secret_len == 32 || secret_len == 48)
            result = put(keys, &secret) ? 1 : -1;
    }
    explicit_bzero(&secret, sizeof secret);
    return result;
}

int64_t tls_keys_add(struct tls_keys *keys, const char *text, size_t len)
{
    int64_t lines = 0;
    for (size_t at = 0; at < len;) {
        const char *line = text + at;
        const char *end = memchr(line, '\n', len - at);
        size_t whole = end != NULL ? (size_t)(end - line) : len - at;
        at += whole + 1;
        while (whole > 0 && (line[whole - 1] == '\r' || line[whole - 1] == ' '))
            whole--;
        int added = whole > 0 ? add_line(keys, line, whole) : 0;
        if (added < 0)
            return -1;
        lines += added;
    }
    return lines;
}
