#include "capture/live.h"

#include "capture/filter.h"
#include "core/limits.h"

#include <pcap/pcap.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIVE_BUFFER_BYTES (32u * 1024u * 1024u)
/* The kernel hands a block of its ring over when it is full or this old. */
#define LIVE_BLOCK_MS 200

struct live {
    pcap_t *pcap;
    char *interface;
    int fd;
    bool nanoseconds;
    uint16_t link_type;
    uint32_t snaplen;
};

/* "eth0, lo" of what can be captured on, or "none". */
static void live_list(char *out, size_t size)
{
    char reason[PCAP_ERRBUF_SIZE];
    pcap_if_t *list = NULL;
    size_t used = 0;
    snprintf(out, size, "none");
    if (pcap_findalldevs(&list, reason) != 0)
        return;
    for (pcap_if_t *at = list; at != NULL; at = at->next) {
        if ((at->flags & PCAP_IF_UP) == 0 && strcmp(at->name, "any") != 0)
            continue; /* also bluetooth, usb and other sources of no IP packets */
        int len = snprintf(out + used, size - used, "%s%s", used > 0 ? ", " : "", at->name);
        if (len < 0 || (size_t)len >= size - used)
            break;
        used += (size_t)len;
    }
    pcap_freealldevs(list);
}

static bool live_refuse(const char *interface, int status, const char *reason, struct error *error)
{
    char names[512];
    switch (status) {
    case PCAP_ERROR_NO_SUCH_DEVICE:
        live_list(names, sizeof names);
        return error_set(error, ERROR_RUNTIME, "interface '%s' does not exist; there are: %s",
                         interface, names);
    case PCAP_ERROR_PERM_DENIED:
    case PCAP_ERROR_PROMISC_PERM_DENIED:
        return error_set(error, ERROR_RUNTIME,
                         "no permission to capture on '%s': run with sudo, or once: sudo setcap "
                         "cap_net_raw,cap_net_admin=eip PROGRAM",
                         interface);
    case PCAP_ERROR_IFACE_NOT_UP:
        return error_set(error, ERROR_RUNTIME, "interface '%s' is down: sudo ip link set %s up",
                         interface, interface);
    default:
        return error_set(error, ERROR_RUNTIME, "cannot capture on '%s': %s", interface, reason);
    }
}

static bool live_activate(struct live *live, const struct live_options *options,
                          struct error *error)
{
    uint32_t snaplen = options->snaplen;
    if (snaplen == 0 || snaplen > LIMIT_PACKET_BYTES)
        snaplen = LIMIT_PACKET_BYTES;
    uint32_t buffer = options->buffer_bytes > 0 ? options->buffer_bytes : LIVE_BUFFER_BYTES;
    if (buffer > INT32_MAX)
        buffer = INT32_MAX;
    pcap_set_snaplen(live->pcap, (int)snaplen);
    pcap_set_promisc(live->pcap, options->promiscuous);
    pcap_set_timeout(live->pcap, LIVE_BLOCK_MS);
    pcap_set_buffer_size(live->pcap, (int)buffer);
    pcap_set_tstamp_precision(live->pcap, PCAP_TSTAMP_PRECISION_NANO);
    int status = pcap_activate(live->pcap);
    if (status < 0)
        return live_refuse(options->interface, status, pcap_geterr(live->pcap), error);
    /* Of "any", the newer header tells the interface; where it is missing the older one stays. */
    if (pcap_datalink(live->pcap) == DLT_LINUX_SLL)
        (void)pcap_set_datalink(live->pcap, DLT_LINUX_SLL2);
    char reason[PCAP_ERRBUF_SIZE];
    if (pcap_setnonblock(live->pcap, 1, reason) != 0)
        return live_refuse(options->interface, PCAP_ERROR, reason, error);
    live->fd = pcap_get_selectable_fd(live->pcap);
    live->nanoseconds = pcap_get_tstamp_precision(live->pcap) == PCAP_TSTAMP_PRECISION_NANO;
    live->link_type = filter_link_type_of(pcap_datalink(live->pcap));
    live->snaplen = snaplen;
    return true;
}

struct live *live_open(const struct live_options *options, struct error *error)
{
    char reason[PCAP_ERRBUF_SIZE];
    struct live *live = calloc(1, sizeof *live);
    if (live == NULL) {
        error_set(error, ERROR_RUNTIME, "no memory to capture on '%s'", options->interface);
        return NULL;
    }
    live->interface = strdup(options->interface);
    live->pcap = pcap_create(options->interface, reason);
    if (live->interface == NULL || live->pcap == NULL) {
        live_refuse(options->interface, PCAP_ERROR, reason, error);
        live_close(live);
        return NULL;
    }
    if (!live_activate(live, options, error) ||
        (options->filter != NULL && !live_set_filter(live, options->filter, error))) {
        live_close(live);
        return NULL;
    }
    return live;
}

bool live_set_filter(struct live *live, const char *filter, struct error *error)
{
    struct bpf_program program;
    if (pcap_compile(live->pcap, &program, filter, 1, PCAP_NETMASK_UNKNOWN) != 0)
        return error_set(error, ERROR_USAGE,
                         "capture filter '%s' for interface '%s': %s; the syntax is that of "
                         "tcpdump: man pcap-filter",
                         filter, live->interface, pcap_geterr(live->pcap));
    bool done = pcap_setfilter(live->pcap, &program) == 0;
    pcap_freecode(&program);
    return done || error_set(error, ERROR_RUNTIME, "cannot set a capture filter on '%s': %s",
                             live->interface, pcap_geterr(live->pcap));
}

enum source_result live_next(struct live *live, int poll_ms, struct packet *out,
                             struct error *error)
{
    struct pcap_pkthdr *header;
    const u_char *data;
    int got = pcap_next_ex(live->pcap, &header, &data);
    if (got == 0) {
        struct pollfd ready = {.fd = live->fd, .events = POLLIN};
        if (poll(&ready, 1, poll_ms) <= 0)
            return SOURCE_IDLE;
        got = pcap_next_ex(live->pcap, &header, &data);
    }
    if (got == 0)
        return SOURCE_IDLE;
    if (got < 0) {
        error_set(error, ERROR_RUNTIME, "capture on '%s' ended: %s", live->interface,
                  pcap_geterr(live->pcap));
        return SOURCE_FAILED;
    }
    int64_t fraction = header->ts.tv_usec;
    out->data = data;
    out->caplen = header->caplen;
    out->len = header->len > header->caplen ? header->len : header->caplen;
    out->time_ns =
        (int64_t)header->ts.tv_sec * 1000000000 + (live->nanoseconds ? fraction : fraction * 1000);
    out->link_type = live->link_type;
    out->offset = SOURCE_NO_OFFSET;
    out->interface_id = 0;
    return SOURCE_PACKET;
}

void live_drops(struct live *live, int64_t *kernel, int64_t *interface)
{
    struct pcap_stat status;
    bool told = pcap_stats(live->pcap, &status) == 0;
    *kernel = told ? (int64_t)status.ps_drop : -1;
    *interface = told ? (int64_t)status.ps_ifdrop : -1;
}

const char *live_interface(const struct live *live)
{
    return live->interface;
}

uint16_t live_link_type(const struct live *live)
{
    return live->link_type;
}

uint32_t live_snaplen(const struct live *live)
{
    return live->snaplen;
}

void live_close(struct live *live)
{
    if (live == NULL)
        return;
    if (live->pcap != NULL)
        pcap_close(live->pcap);
    free(live->interface);
    free(live);
}
