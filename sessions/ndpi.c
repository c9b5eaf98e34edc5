#include "sessions/ndpi.h"

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
};

struct ndpi_opinion {
    struct ndpi_flow_struct *flow;
    int packets;
};

struct opinions *opinions_new(void)
{
    return calloc(1, sizeof(struct opinions));
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

static void forget(struct ndpi_opinion **opinion)
{
    ndpi_flow_free((*opinion)->flow);
    free(*opinion);
    *opinion = NULL;
}

static struct ndpi_opinion *begin(void)
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

void opinions_give_up(struct opinions *ndpi, struct ndpi_opinion **opinion, char *name, size_t size)
{
    u_int8_t guessed = 0;
    name[0] = '\0';
    if (*opinion == NULL)
        return;
    name_protocol(ndpi, ndpi_detection_giveup(ndpi->module, (*opinion)->flow, 1, &guessed), name,
                  size);
    forget(opinion);
}

bool opinions_packet(struct opinions *ndpi, struct ndpi_opinion **opinion, const uint8_t *network,
                     size_t len, int64_t time_ns, char *name, size_t size)
{
    name[0] = '\0';
    if (!start(ndpi))
        return true;
    if (*opinion == NULL && (*opinion = begin()) == NULL)
        return true;
    struct ndpi_flow_struct *flow = (*opinion)->flow;
    u_int16_t show = (u_int16_t)(len > UINT16_MAX ? UINT16_MAX : len);
    ndpi_protocol protocol = ndpi_detection_process_packet(ndpi->module, flow, network, show,
                                                           (u_int64_t)(time_ns / 1000000));
    bool known = protocol.app_protocol != NDPI_PROTOCOL_UNKNOWN &&
                 !ndpi_extra_dissection_possible(ndpi->module, flow);
    if (known) {
        name_protocol(ndpi, protocol, name, size);
        forget(opinion);
        return true;
    }
    if (++(*opinion)->packets < PACKETS_TO_VERDICT)
        return false;
    opinions_give_up(ndpi, opinion, name, size);
    return true;
}
