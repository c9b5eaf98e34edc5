#include "capture/source.h"

#include "capture/filter.h"
#include "capture/identity.h"
#include "capture/live.h"
#include "capture/magic.h"
#include "capture/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* After so many packets that a filter leaves out the caller gets a chance to look around. */
#define SOURCE_FILTERED_RUN 65536
/* Longest magic that decides what a file is. */
#define SOURCE_MAGIC_BYTES 6

enum source_format { FORMAT_UNKNOWN, FORMAT_PCAP, FORMAT_PCAPNG, FORMAT_LIVE };

struct source {
    enum source_format format;
    uint32_t id;
    struct stream stream;
    struct pcap_reader pcap;
    struct pcapng_reader pcapng;
    struct live *live;
    struct filter *filter;
    struct reader_cut cut;
    char *path;
    const char *compression; /* NULL none */
    struct identity identity;
    bool ended;
    bool lent; /* the caller has packets of the window: it is closed only when the next is asked for */
    int poll_ms;
    uint64_t live_frames;
    int64_t packets, bytes, captured_bytes;
    int64_t first_ns, last_ns;
};

/* ---- opening ------------------------------------------------------------------------------------
 */

static struct source *source_new(const char *path, uint32_t id, struct error *error)
{
    struct source *source = calloc(1, sizeof *source);
    char *copy = strdup(path);
    if (source == NULL || copy == NULL) {
        error_set(error, ERROR_RUNTIME, "%s: no memory to read it", path);
        free(copy);
        free(source);
        return NULL;
    }
    source->path = copy;
    source->id = id;
    source->poll_ms = 200;
    source->stream.intake.fd = -1;
    source->identity.size = -1;
    source->first_ns = INT64_MAX;
    source->last_ns = INT64_MIN;
    return source;
}

/* Gives back what only reading needs: many sources wait for the last one to end. */
static enum source_result source_end(struct source *source, enum source_result result)
{
    source->ended = true;
    if (!source->lent)
        stream_close(&source->stream);
    return result;
}

static enum source_result source_end_cut(struct source *source, const char *reason)
{
    reader_end(&source->stream, reason, &source->cut);
    return source_end(source, SOURCE_END);
}

/* Looks at the first bytes: compression, then format. SOURCE_PACKET: the format is known. */
static enum source_result source_begin(struct source *source, struct error *error)
{
    struct stream *stream = &source->stream;
    enum stream_result ready = stream_need(stream, SOURCE_MAGIC_BYTES);
    if (ready == STREAM_IDLE)
        return SOURCE_IDLE;
    const uint8_t *bytes = stream_at(stream);
    size_t len = stream_left(stream);
    const struct decoder *decoder = NULL;
    if (source->compression == NULL)
        decoder = decoder_of(bytes, len, &source->compression);
    if (decoder != NULL) {
        if (!stream_set_decoder(stream, decoder)) {
            error_set(error, ERROR_RUNTIME, "%s: no memory to unpack it", source->path);
            return source_end(source, SOURCE_FAILED);
        }
        return source_begin(source, error); /* once: compression is set now */
    }
    if (len >= 4 && pcapng_reader_knows(bytes)) {
        source->format = FORMAT_PCAPNG;
        return SOURCE_PACKET;
    }
    if (len >= 4 && pcap_reader_knows(bytes)) {
        ready = stream_need(stream, PCAP_HEADER_BYTES);
        if (ready != STREAM_READY)
            return ready == STREAM_IDLE ? SOURCE_IDLE : source_end_cut(source, "file-header");
        pcap_reader_start(&source->pcap, stream_at(stream));
        stream_skip(stream, PCAP_HEADER_BYTES);
        source->format = FORMAT_PCAP;
        return SOURCE_PACKET;
    }
    if (stream->end == STREAM_DAMAGED || stream->end == STREAM_FAILED)
        return source_end_cut(source, "file-header");
    magic_refuse(source->path, bytes, len, error);
    return source_end(source, SOURCE_FAILED);
}

/* Looks at the first bytes where that needs no waiting. */
static struct source *source_opened(struct source *source, struct error *error)
{
    enum source_result result = SOURCE_IDLE;
    while (result == SOURCE_IDLE && !source->stream.intake.waits)
        result = source_begin(source, error);
    if (result != SOURCE_FAILED)
        return source;
    source_close(source);
    return NULL;
}

static struct source *source_refuse(struct source *source, int fd)
{
    if (fd > STDIN_FILENO)
        close(fd);
    source_close(source);
    return NULL;
}

static const char *open_remedy(int number)
{
    if (number == ENOENT)
        return "check the name and the folder";
    if (number == EACCES || number == EPERM)
        return "ask for the right to read it, or use sudo";
    if (number == EMFILE)
        return "name fewer files at once, or raise the limit: ulimit -n";
    return "check the file and the disk";
}

/* Opens a file; a folder of captures may need more descriptors than the soft limit of the process.
 */
static int open_path(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct rlimit limit;
    if (fd >= 0 || errno != EMFILE || getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return fd;
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
            return open(path, O_RDONLY | O_CLOEXEC);
    }
    errno = EMFILE;
    return -1;
}

struct source *source_open_file(const char *path, uint32_t source_id, struct error *error)
{
    bool is_stdin = strcmp(path, "-") == 0;
    struct source *source = source_new(path, source_id, error);
    if (source == NULL)
        return NULL;
    int fd = is_stdin ? STDIN_FILENO : open_path(path);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) {
        int number = errno;
        error_set(error, ERROR_INPUT, "%s: cannot open the capture file: %s; %s", path,
                  strerror(number), open_remedy(number));
        return source_refuse(source, fd);
    }
    if (S_ISDIR(status.st_mode)) {
        error_set(error, ERROR_INPUT, "%s: is a folder; name the capture files in it", path);
        return source_refuse(source, fd);
    }
    if (!is_stdin)
        identity_of_file(fd, &source->identity);
    if (!stream_open_fd(&source->stream, fd, !S_ISREG(status.st_mode))) {
        error_set(error, ERROR_RUNTIME, "%s: no memory to read it", path);
        return source_refuse(source, fd);
    }
    return source_opened(source, error);
}

struct source *source_open_memory(const void *bytes, size_t len, uint32_t source_id,
                                  struct error *error)
{
    struct source *source = source_new("memory", source_id, error);
    if (source == NULL)
        return NULL;
    if (!stream_open_memory(&source->stream, bytes, len)) {
        error_set(error, ERROR_RUNTIME, "no memory to read memory");
        source_close(source);
        return NULL;
    }
    return source_opened(source, error);
}

struct source *source_open_live_with(const struct live_options *options, uint32_t source_id,
                                     struct error *error)
{
    struct source *source = source_new(options->interface, source_id, error);
    if (source == NULL)
        return NULL;
    source->format = FORMAT_LIVE;
    source->live = live_open(options, error);
    if (source->live != NULL)
        return source;
    source_close(source);
    return NULL;
}

struct source *source_open_live(const char *interface, const char *filter, uint32_t source_id,
                                struct error *error)
{
    struct live_options options = {.interface = interface, .filter = filter, .promiscuous = true};
    return source_open_live_with(&options, source_id, error);
}

bool source_set_filter(struct source *source, const char *filter, struct error *error)
{
    if (source->live != NULL)
        return live_set_filter(source->live, filter, error);
    struct filter *made = filter_new(filter, error);
    if (made == NULL)
        return false;
    filter_free(source->filter);
    source->filter = made;
    return true;
}

void source_set_poll(struct source *source, int milliseconds)
{
    source->poll_ms = milliseconds;
    source->stream.intake.poll_ms = milliseconds;
}

bool source_is_live(const struct source *source)
{
    return source->live != NULL;
}

void source_close(struct source *source)
{
    if (source == NULL)
        return;
    live_close(source->live);
    filter_free(source->filter);
    pcapng_reader_clear(&source->pcapng);
    stream_close(&source->stream);
    free(source->path);
    free(source);
}

/* ---- reading ------------------------------------------------------------------------------------
 */

static enum source_result source_read_live(struct source *source, struct packet *out,
                                           struct error *error)
{
    enum source_result result = live_next(source->live, source->poll_ms, out, error);
    if (result == SOURCE_PACKET)
        out->frame = ++source->live_frames;
    else if (result == SOURCE_FAILED)
        source->ended = true;
    return result;
}

static enum source_result source_read(struct source *source, struct packet *out,
                                      struct error *error)
{
    enum reader_result result;
    if (source->ended) {
        stream_close(&source->stream);
        return SOURCE_END;
    }
    if (source->format == FORMAT_LIVE)
        return source_read_live(source, out, error);
    if (source->format == FORMAT_UNKNOWN) {
        enum source_result begun = source_begin(source, error);
        if (begun != SOURCE_PACKET)
            return begun;
    }
    if (source->format == FORMAT_PCAP)
        result = pcap_reader_next(&source->pcap, &source->stream, out, &source->cut);
    else
        result = pcapng_reader_next(&source->pcapng, &source->stream, out, &source->cut);
    if (result == READER_PACKET)
        return SOURCE_PACKET;
    return result == READER_IDLE ? SOURCE_IDLE : source_end(source, SOURCE_END);
}

static void source_count(struct source *source, const struct packet *packet)
{
    source->packets++;
    source->bytes += packet->len;
    source->captured_bytes += packet->caplen;
    if (source->pcapng.timeless)
        return;
    if (packet->time_ns < source->first_ns)
        source->first_ns = packet->time_ns;
    if (packet->time_ns > source->last_ns)
        source->last_ns = packet->time_ns;
}

enum source_result source_next(struct source *source, struct packet *out, struct error *error)
{
    for (unsigned filtered = 0; filtered < SOURCE_FILTERED_RUN; filtered++) {
        enum source_result result = source_read(source, out, error);
        if (result != SOURCE_PACKET)
            return result;
        if (source->filter != NULL && !filter_matches(source->filter, out))
            continue;
        out->source_id = source->id;
        source_count(source, out);
        return SOURCE_PACKET;
    }
    return SOURCE_IDLE;
}

/* A filter reads on to what matches, whatever that ends. */
static bool source_has(const struct source *source)
{
    if (source->ended || source->filter != NULL)
        return false;
    if (source->format == FORMAT_PCAP)
        return pcap_reader_has(&source->pcap, &source->stream);
    return source->format == FORMAT_PCAPNG && pcapng_reader_has(&source->pcapng, &source->stream);
}

size_t source_more(struct source *source, struct packet *out, size_t room)
{
    struct error none;
    size_t count = 0;
    source->lent = true;
    while (count < room && source_has(source) && source_next(source, &out[count], &none) == SOURCE_PACKET)
        count++;
    source->lent = false;
    return count;
}

/* ---- telling
 * ------------------------------------------------------------------------------------- */

/* A short list of words with commas; what does not fit is left out. */
struct list {
    char text[1024];
    size_t len;
};

static void list_add(struct list *list, const char *word)
{
    size_t len = strlen(word);
    if (list->len + len + 2 > sizeof list->text)
        return;
    if (list->len > 0)
        list->text[list->len++] = ',';
    memcpy(list->text + list->len, word, len + 1);
    list->len += len;
}

/* word is not empty. */
static bool list_has(const struct list *list, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = list->text; (at = strstr(at, word)) != NULL; at += len) {
        bool begins = at == list->text || at[-1] == ',';
        if (begins && (at[len] == ',' || at[len] == '\0'))
            return true;
    }
    return false;
}

static void list_add_link_type(struct list *list, uint16_t link_type)
{
    char number[8];
    snprintf(number, sizeof number, "%u", (unsigned)link_type);
    if (!list_has(list, number))
        list_add(list, number);
}

static void add_drops(int64_t told, int64_t *sum)
{
    if (told < 0)
        return;
    if (*sum < 0)
        *sum = 0;
    *sum = told > INT64_MAX - *sum ? INT64_MAX : *sum + told;
}

static void describe_pcapng(const struct source *source, struct intern *strings,
                            struct source_record *out)
{
    struct list links = {.len = 0};
    struct list names = {.len = 0};
    for (size_t i = 0; i < source->pcapng.interface_count; i++) {
        const struct pcapng_interface *interface = &source->pcapng.interfaces[i];
        list_add_link_type(&links, interface->link_type);
        if (interface->name[0] != '\0' && !list_has(&names, interface->name))
            list_add(&names, interface->name);
        if (interface->snaplen > out->snaplen)
            out->snaplen = interface->snaplen;
        add_drops(interface->dropped_kernel, &out->dropped_kernel);
        add_drops(interface->dropped_interface, &out->dropped_interface);
    }
    out->link_types = intern_text(strings, links.text);
    out->interfaces = intern_text(strings, names.text);
    out->comment = intern_text(strings, source->pcapng.comment);
}

static void describe_format(struct source *source, struct intern *strings,
                            struct source_record *out)
{
    static const char *const names[] = {"unknown", "pcap", "pcapng", "live"};
    char text[64];
    bool packed = source->compression != NULL;
    snprintf(text, sizeof text, "%s%s%s", names[source->format], packed ? "+" : "",
             packed ? source->compression : "");
    out->format = intern_text(strings, text);
    struct list links = {.len = 0};
    if (source->format == FORMAT_PCAP) {
        list_add_link_type(&links, source->pcap.link_type);
        out->link_types = intern_text(strings, links.text);
        out->snaplen = source->pcap.snaplen;
    } else if (source->format == FORMAT_PCAPNG) {
        describe_pcapng(source, strings, out);
    } else if (source->format == FORMAT_LIVE) {
        list_add_link_type(&links, live_link_type(source->live));
        out->link_types = intern_text(strings, links.text);
        out->interfaces = intern_text(strings, live_interface(source->live));
        out->snaplen = live_snaplen(source->live);
        live_drops(source->live, &out->dropped_kernel, &out->dropped_interface);
    }
}

void source_describe(struct source *source, struct intern *strings, struct source_record *out)
{
    struct source_record record = {
        .id = source->id,
        .path = intern_text(strings, source->path),
        .size = source->identity.size,
        .packets = source->packets,
        .bytes = source->bytes,
        .captured_bytes = source->captured_bytes,
        .first_ns = source->first_ns != INT64_MAX ? source->first_ns : 0,
        .last_ns = source->last_ns != INT64_MIN ? source->last_ns : 0,
        .dropped_kernel = -1,
        .dropped_interface = -1,
        .cut = source->cut.reason != NULL,
    };
    if (source->identity.size >= 0) {
        record.sha256_head = intern_text(strings, source->identity.head);
        record.sha256_tail = intern_text(strings, source->identity.tail);
    }
    if (record.cut) {
        record.cut_reason = source->cut.reason;
        record.cut_offset = (int64_t)source->cut.offset;
    }
    describe_format(source, strings, &record);
    *out = record;
}

const char *source_secrets(const struct source *source, size_t *len)
{
    *len = source->pcapng.secrets_len;
    return *len > 0 ? source->pcapng.secrets : NULL;
}

const char *source_interface_name(const struct source *source, uint16_t interface_id)
{
    if (source->format == FORMAT_LIVE)
        return live_interface(source->live);
    if (interface_id < source->pcapng.interface_count)
        return source->pcapng.interfaces[interface_id].name;
    return "";
}
