#include "sessions/ndpi.h"

#include "core/record.h"

#include <stdlib.h>
#include <string.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wvariadic-macros"
#include <ndpi_api.h>
#pragma GCC diagnostic pop

/* nDPI looks at no more packets of a flow itself (NDPI_MAX_NUM_PKTS_PER_FLOW_TO_DISSECT is 32);
 * most verdicts fall within three payload packets. */
#define PACKETS_TO_VERDICT 12

struct opinions {
    struct ndpi_detection_module_struct *module; /* NULL until the first flow needs it */
    bool failed;
    uint64_t *account;
};

struct ndpi_opinion {
    struct ndpi_flow_struct *flow;
    int packets;
    int64_t next[2]; /* offset up to which a side was shown */
    bool started[2];
};

struct opinions *opinions_new(uint64_t *account)
{
    struct opinions *ndpi = calloc(1, sizeof *ndpi);
    if (ndpi != NULL)
        ndpi->account = account;
    return ndpi;
}

void opinions_free(struct opinions *ndpi)
{
    if (ndpi == NULL)
        return;
    if (ndpi->module != NULL)
        ndpi_exit_detection_module(ndpi->module);
    free(ndpi);
}

static bool start(struct opinions *ndpi)
{
    NDPI_PROTOCOL_BITMASK all;
    if (ndpi->module != NULL || ndpi->failed)
        return !ndpi->failed;
    ndpi->module = ndpi_init_detection_module(ndpi_dont_load_tor_hosts);
    if (ndpi->module == NULL) {
        ndpi->failed = true;
        return false;
    }
    NDPI_BITMASK_SET_ALL(all);
    ndpi_set_protocol_detection_bitmask2(ndpi->module, &all);
    ndpi_finalize_initialization(ndpi->module);
    return true;
}

static uint64_t opinion_size(void)
{
    return sizeof(struct ndpi_opinion) + SIZEOF_FLOW_STRUCT;
}

static void forget(struct opinions *ndpi, struct ndpi_opinion **opinion)
{
    *ndpi->account -= opinion_size();
    ndpi_flow_free((*opinion)->flow);
    free(*opinion);
    *opinion = NULL;
}

static struct ndpi_opinion *begin(struct opinions *ndpi)
{
    struct ndpi_opinion *opinion = calloc(1, sizeof *opinion);
    if (opinion == NULL)
        return NULL;
    opinion->flow = ndpi_flow_malloc(SIZEOF_FLOW_STRUCT);
    if (opinion->flow == NULL) {
        free(opinion);
        return NULL;
    }
    memset(opinion->flow, 0, SIZEOF_FLOW_STRUCT);
    *ndpi->account += opinion_size();
    return opinion;
}

static void name_protocol(struct opinions *ndpi, ndpi_protocol protocol, char *name, size_t size)
{
    name[0] = '\0';
    if (protocol.app_protocol == NDPI_PROTOCOL_UNKNOWN &&
        protocol.master_protocol == NDPI_PROTOCOL_UNKNOWN)
        return;
    (void)ndpi_protocol2name(ndpi->module, protocol, name, (u_int)size);
}

/* The first of the risks that no finding of ours covers. */
static uint8_t remark_of(u_int64_t risks)
{
    static const uint8_t bits[] = {
        0,
#define FLOW_RISK(id, bit, words) bit,
#include "core/flow_risks.def"
#undef FLOW_RISK
    };
    for (uint8_t i = 1; i < FLOW_RISK_COUNT; i++) {
        if ((risks >> bits[i] & 1) != 0)
            return i;
    }
    return FLOW_RISK_NONE;
}

static void decide(struct opinions *ndpi, struct ndpi_opinion **opinion, ndpi_protocol protocol,
                   struct opinion_verdict *out)
{
    name_protocol(ndpi, protocol, out->name, sizeof out->name);
    out->risk = remark_of((*opinion)->flow->risk);
    forget(ndpi, opinion);
}

void opinions_give_up(struct opinions *ndpi, struct ndpi_opinion **opinion,
                      struct opinion_verdict *out)
{
    u_int8_t guessed = 0;
    *out = (struct opinion_verdict){.name = ""};
    if (*opinion != NULL)
        decide(ndpi, opinion, ndpi_detection_giveup(ndpi->module, (*opinion)->flow, 1, &guessed),
               out);
}

enum order { ORDER_NEXT, ORDER_AGAIN, ORDER_HOLE };

static enum order order_of(struct ndpi_opinion *opinion, const struct opinion_packet *packet)
{
    int side = packet->side == 1;
    int64_t next = opinion->started[side] ? opinion->next[side] : packet->offset;
    if (packet->offset < 0)
        return ORDER_NEXT;
    if (packet->offset != next)
        return packet->offset < next ? ORDER_AGAIN : ORDER_HOLE;
    opinion->started[side] = true;
    opinion->next[side] = packet->offset + (int64_t)packet->payload_len;
    return ORDER_NEXT;
}

bool opinions_packet(struct opinions *ndpi, struct ndpi_opinion **opinion,
                     const struct opinion_packet *packet, struct opinion_verdict *out)
{
    *out = (struct opinion_verdict){.name = ""};
    if (!start(ndpi))
        return true;
    if (*opinion == NULL && (*opinion = begin(ndpi)) == NULL)
        return true;
    enum order order = order_of(*opinion, packet);
    if (order == ORDER_AGAIN)
        return false;
    if (order == ORDER_HOLE) {
        opinions_give_up(ndpi, opinion, out);
        return true;
    }
    struct ndpi_flow_struct *flow = (*opinion)->flow;
    u_int16_t show = (u_int16_t)(packet->len > UINT16_MAX ? UINT16_MAX : packet->len);
    ndpi_protocol protocol = ndpi_detection_process_packet(
        ndpi->module, flow, packet->network, show, (u_int64_t)(packet->time_ns / 1000000));
    if (protocol.app_protocol != NDPI_PROTOCOL_UNKNOWN &&
        !ndpi_extra_dissection_possible(ndpi->module, flow)) {
        decide(ndpi, opinion, protocol, out);
        return true;
    }
    if (++(*opinion)->packets < PACKETS_TO_VERDICT)
        return false;
    opinions_give_up(ndpi, opinion, out);
    return true;
}
