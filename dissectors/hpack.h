/* HPACK (RFC 7541) by libnghttp2, behind this wall. One value decodes one direction. It may be joined
 * late: entries of the dynamic table that were added before are unknown, and fields that refer to
 * them are told as unknown; everything else is right. */
#ifndef INVCAP_DISSECTORS_HPACK_H
#define INVCAP_DISSECTORS_HPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hpack;

/* Who gets the fields. */
struct hpack_reader {
    void *self;
    /* Both texts are borrowed for the call. name NULL: its table entry was not seen. */
    void (*field)(void *self, const char *name, size_t name_len, const char *value,
                  size_t value_len);
};

/* NULL when memory is out. */
struct hpack *hpack_new(void);
void hpack_free(struct hpack *hpack);
/* Decodes a whole header block. False when it is malformed: what the table holds is unknown then, as
 * after a block that was missed, and a new value has to take over. */
bool hpack_read(struct hpack *hpack, const uint8_t *block, size_t len,
                const struct hpack_reader *reader);

#endif
