#include "capture/filter.h"

#include "core/hints.h"
#include "core/limits.h"

#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

/* Files of more link types than this are made by hand; the last place is compiled anew each time
 * the link type changes. */
#define FILTER_PROGRAMS 16
#define LINK_ETHERNET 1

struct filter_program {
    struct bpf_program program;
    uint16_t link_type;
    bool compiled; /* false: cannot be */
};

struct filter {
    char *text;
    struct filter_program programs[FILTER_PROGRAMS];
    size_t count;
};

/* The few values that differ between files and systems (pcap-common.c of libpcap). */
static const struct {
    uint16_t link_type;
    int dlt;
} filter_differing[] = {
    {100, DLT_ATM_RFC1483}, {101, DLT_RAW},      {102, DLT_SLIP_BSDOS},
    {103, DLT_PPP_BSDOS},   {106, DLT_ATM_CLIP},
};

int filter_dlt_of(uint16_t link_type)
{
    for (size_t i = 0; i < sizeof filter_differing / sizeof filter_differing[0]; i++) {
        if (filter_differing[i].link_type == link_type)
            return filter_differing[i].dlt;
    }
    return link_type;
}

uint16_t filter_link_type_of(int dlt)
{
    for (size_t i = 0; i < sizeof filter_differing / sizeof filter_differing[0]; i++) {
        if (filter_differing[i].dlt == dlt)
            return filter_differing[i].link_type;
    }
    return (uint16_t)dlt;
}

static bool filter_compile(const char *text, uint16_t link_type, struct bpf_program *out,
                           struct error *error)
{
    pcap_t *dead = pcap_open_dead(filter_dlt_of(link_type), (int)LIMIT_PACKET_BYTES);
    if (dead == NULL)
        return error_set(error, ERROR_RUNTIME, "no memory for the capture filter");
    bool done = pcap_compile(dead, out, text, 1, PCAP_NETMASK_UNKNOWN) == 0;
    if (!done)
        error_set(error, ERROR_USAGE,
                  "capture filter '%s': %s; the syntax is that of tcpdump: man pcap-filter", text,
                  pcap_geterr(dead));
    pcap_close(dead);
    return done;
}

struct filter *filter_new(const char *text, struct error *error)
{
    struct filter *filter = calloc(1, sizeof *filter);
    char *copy = strdup(text);
    if (filter == NULL || copy == NULL) {
        error_set(error, ERROR_RUNTIME, "no memory for the capture filter");
        free(copy);
        free(filter);
        return NULL;
    }
    filter->text = copy;
    struct filter_program *first = &filter->programs[0];
    first->link_type = LINK_ETHERNET;
    first->compiled = filter_compile(text, LINK_ETHERNET, &first->program, error);
    if (!first->compiled) {
        filter_free(filter);
        return NULL;
    }
    filter->count = 1;
    return filter;
}

RARE
static struct filter_program *filter_program_for(struct filter *filter, uint16_t link_type)
{
    for (size_t i = 0; i < filter->count; i++) {
        if (filter->programs[i].link_type == link_type)
            return &filter->programs[i];
    }
    if (filter->count == FILTER_PROGRAMS) {
        filter->count--;
        if (filter->programs[filter->count].compiled)
            pcap_freecode(&filter->programs[filter->count].program);
    }
    struct filter_program *added = &filter->programs[filter->count++];
    *added = (struct filter_program){.link_type = link_type};
    added->compiled = filter_compile(filter->text, link_type, &added->program, NULL);
    return added;
}

bool filter_matches(struct filter *filter, const struct packet *packet)
{
    struct filter_program *found = filter_program_for(filter, packet->link_type);
    struct pcap_pkthdr header = {.caplen = packet->caplen, .len = packet->len};
    return found->compiled && pcap_offline_filter(&found->program, &header, packet->data) != 0;
}

void filter_free(struct filter *filter)
{
    if (filter == NULL)
        return;
    for (size_t i = 0; i < filter->count; i++) {
        if (filter->programs[i].compiled)
            pcap_freecode(&filter->programs[i].program);
    }
    free(filter->text);
    free(filter);
}
