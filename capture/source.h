/* Where packets come from: capture files, compressed files, standard input, folders, interfaces.
 * A source gives packets in file order; a merger gives several sources in time order.
 *
 * A file that ends early or is damaged gives every packet before that place, then SOURCE_END;
 * source_describe tells cut, cut_offset (of the first record that could not be given, in the
 * uncompressed stream) and cut_reason, one of:
 *   file-header        the file ends inside the header of a pcap file
 *   packet-header      it ends inside the header of a pcap record
 *   packet-data        it ends inside the data of a pcap record
 *   packet-length      a record claims more than LIMIT_PACKET_BYTES
 *   block-header, block-data   it ends inside a pcapng block
 *   block-length       a block claims less than 12 bytes or more than LIMIT_BLOCK_BYTES
 *   block-trailer      the length behind a block is not the one in front
 *   block-content      the fields of a block do not fit into it
 *   section-header, section-version   a section of no byte order, or of an unknown version
 *   interface          a packet names an interface that the section does not have
 *   interface-count    more interfaces than anybody has
 *   compressed-stream  the compressed bytes end early or make no sense
 *   read-error         the system refused to read on */
#ifndef INVCAP_CAPTURE_SOURCE_H
#define INVCAP_CAPTURE_SOURCE_H

#include "core/error.h"
#include "core/hints.h"
#include "core/intern.h"
#include "core/packet.h"
#include "core/record.h"

/* packet.offset of live packets, which lie in no file; -1 in the store. */
#define SOURCE_NO_OFFSET UINT64_MAX

enum source_result {
    SOURCE_PACKET, /* *out is filled, borrowed until the next call */
    SOURCE_IDLE,   /* live or stdin: nothing within the poll time; call again */
    SOURCE_END,    /* the end, clean or cut: see source_describe and cut */
    SOURCE_FAILED  /* error filled */
};

struct source;

/* One file (pcap, pcapng; gzip, zstd, xz, bzip2, lz4), or "-" for standard input. source_id stamps
 * the packets. NULL when it cannot be opened or is no capture: the error names file, position,
 * remedy. What a pipe holds is first looked at by source_next. */
struct source *source_open_file(const char *path, uint32_t source_id, struct error *error);
/* The same over bytes that stay borrowed until source_close; for tests and fuzzing. */
struct source *source_open_memory(const void *bytes, size_t len, uint32_t source_id,
                                  struct error *error);

struct live_options {
    const char *interface;
    const char *filter;    /* libpcap filter; NULL none */
    uint32_t snaplen;      /* bytes of a packet to keep; 0 all */
    uint32_t buffer_bytes; /* the kernel's ring; 0: 32 MiB */
    bool promiscuous;
};

/* A network interface by libpcap, promiscuous, whole packets; filter may be NULL. */
struct source *source_open_live(const char *interface, const char *filter, uint32_t source_id,
                                struct error *error);
struct source *source_open_live_with(const struct live_options *options, uint32_t source_id,
                                     struct error *error);
/* Display filter is not ours: a libpcap filter compiled for the source's link types (files too).
 * A filter of bad syntax is an error of usage; packets of a link type that libpcap cannot filter do
 * not match. Frame numbers stay those of the whole file. */
bool source_set_filter(struct source *source, const char *filter, struct error *error);
/* How long source_next waits for a pipe or an interface: 200 ms unless told. */
void source_set_poll(struct source *source, int milliseconds);
bool source_is_live(const struct source *source);
PER_PACKET
enum source_result source_next(struct source *source, struct packet *out, struct error *error);
/* Up to room packets that follow the one of source_next and stand in memory with it: they and it are borrowed until
 * the next call. 0: ask source_next. */
PER_PACKET
size_t source_more(struct source *source, struct packet *out, size_t room);
/* Fills *out with what is known so far (counts, formats, digests, cut); strings interned in
 * strings. Counts are of the packets handed out; first_ns and last_ns the earliest and the latest
 * time. */
void source_describe(struct source *source, struct intern *strings, struct source_record *out);
/* NSS key log text of decryption secrets blocks seen so far; NULL when none. Borrowed until the
 * next source_next. */
const char *source_secrets(const struct source *source, size_t *len);
/* Name of a pcapng or live interface; "" when it has none. Borrowed until the next source_next. */
const char *source_interface_name(const struct source *source, uint16_t interface_id);
void source_close(struct source *source);

/* Expands folders (with the folders inside, but nothing whose name begins with a dot) to the
 * capture files in them, sorted by name; what is no folder is passed on, missing or not. A folder
 * without captures is an error. The list is freed with source_paths_free. */
bool source_paths_expand(char *const *paths, size_t count, char ***out, size_t *out_count,
                         struct error *error);
void source_paths_free(char **paths, size_t count);

struct merger;

/* Takes over the sources (closed by merger_close), also when it fails; NULL when memory is out.
 * Ties go to the lower source id. Sources whose packets run backwards are passed on as they are. A
 * live source that is quiet holds nobody back; standard input does, until it ends. */
struct merger *merger_new(struct source **sources, size_t count);
/* A source that fails ends, and its error is given once; call again for the others. */
PER_PACKET
enum source_result merger_next(struct merger *merger, struct packet *out, struct error *error);
/* As source_more; none where packets of several sources take turns. */
PER_PACKET
size_t merger_more(struct merger *merger, struct packet *out, size_t room);
size_t merger_count(const struct merger *merger);
struct source *merger_source(struct merger *merger, size_t index);
void merger_close(struct merger *merger);

#endif
