/* Writes pcapng: evidence and rings. Nanoseconds, the byte order of the machine that writes, mode
 * 0600 (packets may hold secrets), a temporary file that takes its name only when it is whole. */
#ifndef INVCAP_CAPTURE_WRITER_H
#define INVCAP_CAPTURE_WRITER_H

#include "core/error.h"
#include "core/packet.h"

#include <stdbool.h>
#include <stdint.h>

struct capture_writer;

/* "-" is standard output. comment of the section, UTF-8, may be NULL. */
struct capture_writer *writer_open(const char *path, const char *comment, struct error *error);
/* Declares an interface; its number, 0, 1, 2 ..., goes to writer_packet. name may be NULL, snaplen
 * 0 is unlimited. */
bool writer_interface(struct capture_writer *writer, uint16_t link_type, uint32_t snaplen,
                      const char *name, uint32_t *out);
/* Uses data, caplen, len and time_ns of the packet; comment may be NULL, is cut at 65,535 bytes. A
 * failed write sticks and is told by writer_close. */
bool writer_packet(struct capture_writer *writer, uint32_t interface, const struct packet *packet,
                   const char *comment);
uint64_t writer_bytes(const struct capture_writer *writer);
/* Finishes and names the file; false: it could not be written, nothing is left. Frees the writer.
 */
bool writer_close(struct capture_writer *writer, struct error *error);
/* Gives the file up; nothing is left. Frees the writer. */
void writer_abort(struct capture_writer *writer);

#endif
