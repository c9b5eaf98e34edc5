/* Header compression from any bytes: blocks one behind the other into one table, each behind its length. What comes
 * out stays within what may come out, and the same blocks read again give the same fields. */
#include "dissectors/hpack.h"
#include "core/limits.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fields {
    uint64_t digest;
    uint64_t count, unknown;
};

static void mix(struct fields *f, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        f->digest = (f->digest ^ (uint8_t)bytes[i]) * 1099511628211ull;
}

static void on_field(void *self, const char *name, size_t name_len, const char *value,
                     size_t value_len)
{
    struct fields *f = self;
    f->count++;
    f->unknown += name == NULL;
    if (name != NULL)
        mix(f, name, name_len);
    mix(f, value, value_len);
}

static struct fields read_all(const uint8_t *data, size_t size)
{
    struct fields fields = {0};
    const struct hpack_reader reader = {&fields, on_field};
    struct hpack *hpack = hpack_new();
    while (hpack != NULL && size > 0) {
        size_t len = data[0] < size - 1 ? data[0] : size - 1;
        uint8_t *block = malloc(len + 1); /* of that length: a read beyond it is seen */
        if (block == NULL)
            abort();
        for (size_t i = 0; i < len; i++)
            block[i] = data[1 + i];
        uint8_t *exact = realloc(block, len > 0 ? len : 1);
        if (!hpack_read(hpack, exact, len, &reader)) {
            hpack_free(hpack);
            hpack = hpack_new();
        }
        free(exact);
        data += 1 + len;
        size -= 1 + len;
    }
    hpack_free(hpack);
    return fields;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fields first = read_all(data, size), again = read_all(data, size);
    if (first.digest != again.digest || first.count != again.count || first.unknown > first.count)
        abort();
    return 0;
}
