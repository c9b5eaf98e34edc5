#include "capture/writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK_SECTION 0x0a0d0d0au
#define BLOCK_INTERFACE 1u
#define BLOCK_PACKET 6u
#define SECTION_MAGIC 0x1a2b3c4du
#define OPTION_COMMENT 1
#define OPTION_IF_NAME 2
#define OPTION_SHB_APPLICATION 4
#define OPTION_IF_TSRESOL 9
#define OPTION_LIMIT 0xffffu
#define WRITER_BUFFER_BYTES (256u * 1024u)

struct capture_writer {
    FILE *file;
    char *path;      /* to show, and to rename to */
    char *temporary; /* NULL: written in place (standard output, a pipe) */
    uint64_t bytes;
    uint32_t interfaces;
    int error; /* errno of the first failed write */
};

/* ---- pieces of a block
 * --------------------------------------------------------------------------- */

static void put_bytes(struct capture_writer *writer, const void *bytes, size_t len)
{
    if (writer->error != 0 || len == 0)
        return;
    if (fwrite(bytes, 1, len, writer->file) != len)
        writer->error = errno != 0 ? errno : EIO;
    writer->bytes += len;
}

static void put_u16(struct capture_writer *writer, uint16_t value)
{
    put_bytes(writer, &value, sizeof value);
}

static void put_u32(struct capture_writer *writer, uint32_t value)
{
    put_bytes(writer, &value, sizeof value);
}

static uint32_t padded(size_t len)
{
    return (uint32_t)((len + 3) & ~(size_t)3);
}

static void put_padded(struct capture_writer *writer, const void *bytes, size_t len)
{
    static const uint8_t zeros[3];
    put_bytes(writer, bytes, len);
    put_bytes(writer, zeros, padded(len) - len);
}

/* Bytes that a text takes as an option, at most 65,535 and not within a UTF-8 character. */
static size_t option_text_len(const char *text)
{
    size_t len = text != NULL ? strlen(text) : 0;
    if (len <= OPTION_LIMIT)
        return len;
    len = OPTION_LIMIT;
    while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
        len--;
    return len;
}

static uint32_t option_size(size_t len)
{
    return len > 0 ? 4 + padded(len) : 0;
}

static void put_option(struct capture_writer *writer, uint16_t code, const void *value, size_t len)
{
    if (len == 0)
        return;
    put_u16(writer, code);
    put_u16(writer, (uint16_t)len);
    put_padded(writer, value, len);
}

/* ---- opening
 * -------------------------------------------------------------------------------------- */

static void put_section(struct capture_writer *writer, const char *comment)
{
    static const char application[] = "invcap " INVCAP_VERSION;
    size_t comment_len = option_text_len(comment);
    size_t application_len = sizeof application - 1;
    uint32_t length = 28 + option_size(comment_len) + option_size(application_len) + 4;
    put_u32(writer, BLOCK_SECTION);
    put_u32(writer, length);
    put_u32(writer, SECTION_MAGIC);
    put_u16(writer, 1);
    put_u16(writer, 0);
    put_u32(writer, UINT32_MAX); /* the section's length, 64 bits: not told */
    put_u32(writer, UINT32_MAX);
    put_option(writer, OPTION_COMMENT, comment, comment_len);
    put_option(writer, OPTION_SHB_APPLICATION, application, application_len);
    put_u32(writer, 0); /* end of options */
    put_u32(writer, length);
}

/* A file of its own beside the target; a target that is no regular file is written in place. */
static bool writer_create(struct capture_writer *writer)
{
    struct stat status;
    if (strcmp(writer->path, "-") == 0) {
        writer->file = fdopen(dup(STDOUT_FILENO), "wb");
        return writer->file != NULL;
    }
    if (stat(writer->path, &status) == 0 && !S_ISREG(status.st_mode)) {
        writer->file = fopen(writer->path, "wb");
        return writer->file != NULL;
    }
    size_t size = strlen(writer->path) + sizeof ".XXXXXX";
    writer->temporary = malloc(size);
    if (writer->temporary == NULL)
        return false;
    snprintf(writer->temporary, size, "%s.XXXXXX", writer->path);
    int fd = mkstemp(writer->temporary); /* mode 0600 */
    if (fd >= 0)
        writer->file = fdopen(fd, "wb");
    if (fd >= 0 && writer->file != NULL)
        return true;
    int number = errno;
    if (fd >= 0) {
        close(fd);
        unlink(writer->temporary);
    }
    free(writer->temporary);
    writer->temporary = NULL;
    errno = number;
    return false;
}

struct capture_writer *writer_open(const char *path, const char *comment, struct error *error)
{
    struct capture_writer *writer = calloc(1, sizeof *writer);
    char *copy = strdup(path);
    if (writer == NULL || copy == NULL) {
        error_set(error, ERROR_RUNTIME, "%s: no memory to write it", path);
        free(copy);
        free(writer);
        return NULL;
    }
    writer->path = copy;
    if (!writer_create(writer)) {
        error_set(error, ERROR_RUNTIME,
                  "%s: cannot write the capture: %s; name a folder that exists and that you may "
                  "write to",
                  path, strerror(errno));
        writer_abort(writer);
        return NULL;
    }
    setvbuf(writer->file, NULL, _IOFBF, WRITER_BUFFER_BYTES);
    put_section(writer, comment);
    return writer;
}

/* ---- writing
 * -------------------------------------------------------------------------------------- */

bool writer_interface(struct capture_writer *writer, uint16_t link_type, uint32_t snaplen,
                      const char *name, uint32_t *out)
{
    const uint8_t nanoseconds = 9;
    size_t name_len = option_text_len(name);
    uint32_t length = 20 + option_size(name_len) + option_size(1) + 4;
    put_u32(writer, BLOCK_INTERFACE);
    put_u32(writer, length);
    put_u16(writer, link_type);
    put_u16(writer, 0);
    put_u32(writer, snaplen);
    put_option(writer, OPTION_IF_NAME, name, name_len);
    put_option(writer, OPTION_IF_TSRESOL, &nanoseconds, 1);
    put_u32(writer, 0);
    put_u32(writer, length);
    if (writer->error != 0)
        return false;
    *out = writer->interfaces++;
    return true;
}

bool writer_packet(struct capture_writer *writer, uint32_t interface, const struct packet *packet,
                   const char *comment)
{
    size_t comment_len = option_text_len(comment);
    uint32_t options = comment_len > 0 ? option_size(comment_len) + 4 : 0;
    uint32_t length = 32 + padded(packet->caplen) + options;
    uint64_t ticks = packet->time_ns > 0 ? (uint64_t)packet->time_ns : 0;
    put_u32(writer, BLOCK_PACKET);
    put_u32(writer, length);
    put_u32(writer, interface);
    put_u32(writer, (uint32_t)(ticks >> 32));
    put_u32(writer, (uint32_t)ticks);
    put_u32(writer, packet->caplen);
    put_u32(writer, packet->len);
    put_padded(writer, packet->data, packet->caplen);
    if (comment_len > 0) {
        put_option(writer, OPTION_COMMENT, comment, comment_len);
        put_u32(writer, 0);
    }
    put_u32(writer, length);
    return writer->error == 0;
}

uint64_t writer_bytes(const struct capture_writer *writer)
{
    return writer->bytes;
}

/* ---- closing
 * -------------------------------------------------------------------------------------- */

static void writer_free(struct capture_writer *writer)
{
    if (writer->temporary != NULL)
        unlink(writer->temporary);
    free(writer->temporary);
    free(writer->path);
    free(writer);
}

bool writer_close(struct capture_writer *writer, struct error *error)
{
    if (fclose(writer->file) != 0 && writer->error == 0)
        writer->error = errno;
    if (writer->error == 0 && writer->temporary != NULL) {
        if (rename(writer->temporary, writer->path) == 0) {
            free(writer->temporary);
            writer->temporary = NULL;
        } else {
            writer->error = errno;
        }
    }
    bool done = writer->error == 0;
    if (!done)
        error_set(error, ERROR_RUNTIME, "%s: cannot write the capture: %s; is the disk full?",
                  writer->path, strerror(writer->error));
    writer_free(writer);
    return done;
}

void writer_abort(struct capture_writer *writer)
{
    if (writer == NULL)
        return;
    if (writer->file != NULL)
        fclose(writer->file);
    writer_free(writer);
}
