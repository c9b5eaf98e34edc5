#include "dissectors/decode.h"

#include "core/hints.h"
#include "dissectors/decode_walk.h"

#include <stdlib.h>

struct decoder *decoder_new(bool verify_checksums)
{
    struct decoder *decoder = calloc(1, sizeof(*decoder));
    if (decoder == NULL) {
        return NULL;
    }
    decoder->verify_checksums = verify_checksums;
    decoder->fragments = fragments_new();
    if (decoder->fragments == NULL) {
        free(decoder);
        return NULL;
    }
    return decoder;
}

void decoder_free(struct decoder *decoder)
{
    if (decoder != NULL) {
        fragments_free(decoder->fragments);
        free(decoder);
    }
}

const struct decode_counters *decoder_counters(const struct decoder *decoder)
{
    return &decoder->counters;
}

RARE
enum walk_next walk_malformed(struct walk *w)
{
    w->out->kind = LAYER_MALFORMED;
    return WALK_DONE;
}

RARE
void walk_short(struct walk *w, size_t len)
{
    if (walk_left(w) < len) {
        w->out->kind = LAYER_MALFORMED;
    } else {
        w->cut = true;
    }
}

/* Everything but tcp, icmp and the arrays, which their own kinds fill whole. */
static void layers_reset(struct layers *out)
{
    memset(out, 0, offsetof(struct layers, tcp));
    out->vlan = -1;
    out->inner_vlan = -1;
    out->tunnel = "";
    out->neighbor.present = false;
    memset(&out->payload, 0, sizeof(*out) - offsetof(struct layers, payload));
}

static enum walk_next network_walk(struct walk *w)
{
    switch (w->out->ethertype) {
    case ETHERTYPE_IPV4:
        return ipv4_walk(w);
    case ETHERTYPE_IPV6:
        return ipv6_walk(w);
    case ETHERTYPE_ARP:
        return neighbor_arp(w);
    case ETHERTYPE_VLAN:
    case ETHERTYPE_QINQ:
    case ETHERTYPE_QINQ_OLD:
        return link_vlan(w);
    case ETHERTYPE_PPPOE_SESSION:
        return link_pppoe(w);
    case ETHERTYPE_E_TAG:
    case ETHERTYPE_VN_TAG:
        return link_bridge_tag(w);
    default:
        return tunnel_by_ethertype(w);
    }
}

static void count(struct decode_counters *counters, const struct walk *w)
{
    if (w->cut) {
        counters->truncated++;
    } else if (w->out->kind == LAYER_UNKNOWN) {
        counters->unknown++;
    } else if (w->out->kind == LAYER_MALFORMED) {
        counters->malformed++;
    }
}

void decode_packet(struct decoder *decoder, const struct packet *packet, struct layers *out)
{
    struct walk w = {.bytes = cur_of(packet->data, packet->caplen),
                     .missing = packet->len > packet->caplen ? packet->len - packet->caplen : 0,
                     .decoder = decoder,
                     .packet = packet,
                     .out = out};
    layers_reset(out);
    enum walk_next next = link_open(&w);
    while (next != WALK_DONE) {
        switch (next) {
        case WALK_ETHERNET:
            next = link_ethernet(&w);
            break;
        case WALK_NETWORK:
            next = network_walk(&w);
            break;
        case WALK_PPP:
            next = link_ppp(&w);
            break;
        case WALK_TRANSPORT:
            next = transport_walk(&w);
            break;
        case WALK_DONE:
            break;
        }
    }
    count(&decoder->counters, &w);
}
