/* xz, bzip2 and lz4 through libarchive. A cut file loses the block in which it was cut;
 * standard input is read without a pause to look around. */
#include "capture/stream.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>
#include <string.h>

#define ARCHIVE_INPUT_BYTES (256u * 1024u)

struct unpacker {
    struct intake *intake;
    struct archive *archive;
    bool opened;
    uint8_t input[ARCHIVE_INPUT_BYTES];
};

static la_ssize_t unpacker_feed(struct archive *archive, void *self, const void **out)
{
    struct unpacker *unpacker = self;
    ssize_t len = READ_IDLE;
    while (len == READ_IDLE)
        len = intake_read(unpacker->intake, unpacker->input, sizeof unpacker->input);
    *out = unpacker->input;
    if (len < 0) {
        archive_set_error(archive, -1, "read");
        return ARCHIVE_FATAL;
    }
    return len;
}

static void *unpacker_open(struct intake *intake)
{
    struct unpacker *unpacker = calloc(1, sizeof *unpacker);
    if (unpacker == NULL)
        return NULL;
    unpacker->intake = intake;
    unpacker->archive = archive_read_new();
    if (unpacker->archive == NULL) {
        free(unpacker);
        return NULL;
    }
    /* Never filter_all: some filters of that set run programs of the host. */
    archive_read_support_filter_xz(unpacker->archive);
    archive_read_support_filter_bzip2(unpacker->archive);
    archive_read_support_filter_lz4(unpacker->archive);
    archive_read_support_format_raw(unpacker->archive);
    return unpacker;
}

static void unpacker_close(void *self)
{
    struct unpacker *unpacker = self;
    archive_read_free(unpacker->archive);
    free(unpacker);
}

/* Late, because libarchive reads while it opens. */
static bool unpacker_begin(struct unpacker *unpacker)
{
    struct archive_entry *entry;
    if (unpacker->opened)
        return true;
    unpacker->opened = true;
    return archive_read_open(unpacker->archive, unpacker, NULL, unpacker_feed, NULL) ==
               ARCHIVE_OK &&
           archive_read_next_header(unpacker->archive, &entry) == ARCHIVE_OK;
}

static ssize_t unpacker_read(void *self, uint8_t *out, size_t room)
{
    struct unpacker *unpacker = self;
    if (!unpacker_begin(unpacker))
        return READ_DAMAGED;
    la_ssize_t len = archive_read_data(unpacker->archive, out, room);
    return len < 0 ? READ_DAMAGED : len;
}

const struct decoder decoder_archive = {"archive", unpacker_open, unpacker_read, unpacker_close};

static const struct {
    const char *magic;
    size_t len;
    const char *name;
    const struct decoder *decoder;
} decoder_magics[] = {
    {"\x1f\x8b", 2, "gzip", &decoder_gzip},
    {"\x28\xb5\x2f\xfd", 4, "zstd", &decoder_zstd},
    {"\xfd\x37zXZ", 5, "xz", &decoder_archive},
    {"BZh", 3, "bzip2", &decoder_archive},
    {"\x04\x22\x4d\x18", 4, "lz4", &decoder_archive},
};

const struct decoder *decoder_of(const uint8_t *bytes, size_t len, const char **out_name)
{
    for (size_t i = 0; i < sizeof decoder_magics / sizeof decoder_magics[0]; i++) {
        size_t magic_len = decoder_magics[i].len;
        if (len < magic_len || memcmp(bytes, decoder_magics[i].magic, magic_len) != 0)
            continue;
        *out_name = decoder_magics[i].name;
        return decoder_magics[i].decoder;
    }
    return NULL;
}
