/* Packets of a network interface by libpcap; behind source_open_live_with. */
#ifndef INVCAP_CAPTURE_LIVE_H
#define INVCAP_CAPTURE_LIVE_H

#include "capture/source.h"
#include "core/hints.h"

struct live;

struct live *live_open(const struct live_options *options, struct error *error);
bool live_set_filter(struct live *live, const char *filter, struct error *error);
/* Waits up to poll_ms. data, caplen, len, time_ns, link_type of *out. */
APART
enum source_result live_next(struct live *live, int poll_ms, struct packet *out,
                             struct error *error);
/* Drops so far, -1 when not told. */
void live_drops(struct live *live, int64_t *kernel, int64_t *interface);
const char *live_interface(const struct live *live);
uint16_t live_link_type(const struct live *live);
uint32_t live_snaplen(const struct live *live);
void live_close(struct live *live);

#endif
