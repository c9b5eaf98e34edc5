#include "diagnosis/site/mtu.h"

#include <stdio.h>
#include <string.h>

bool mtu_is_named(const struct icmp_record *r)
{
    return ((r->family == 4 && r->type == 3 && r->code == 4) || (r->family == 6 && r->type == 2)) &&
           r->mtu > 0 && r->sequence_fits && r->quoted_side < SIDE_NONE;
}

#define MTU_LEAST 1280u /* RFC 8200 5 */

/* What is left of 1500 bytes of Ethernet. */
static const struct {
    const char *name;
    uint32_t mtu;
} tunnels[] = {
    {"PPPoE", 1492},              /* RFC 2516: 8 */
    {"IPIP, 6in4", 1480},         /* RFC 2003, RFC 4213: an IPv4 header */
    {"GRE", 1476},                /* RFC 2784: IPv4 and 4 */
    {"GRE+key", 1472},       /* RFC 2890: 4 more */
    {"L2TP", 1460},               /* RFC 2661 over UDP */
    {"VXLAN, GENEVE", 1450},      /* RFC 7348: Ethernet, 8, UDP, IPv4 */
    {"WireGuard/IPv4", 1440}, /* 60 */
    {"IPsec AES-GCM", 1438}, /* RFC 4303, RFC 4106 in tunnel mode */
    {"VXLAN/IPv6", 1430},    /* 20 more */
    {"IPsec NAT-T", 1422}, /* RFC 3948, AES-CBC and SHA */
    {"WireGuard", 1420},          /* 80: its default, room for IPv6 */
    {"IPsec", 1400},              /* as it is often set */
    {"IPv6 minimum", MTU_LEAST},
};

/* Of more than this the nearest above what passes are suggested: senders fill what fits. */
#define SUGGESTED_MOST 4

const char *mtu_tunnels(struct judge *judge, uint32_t passed, uint32_t lost)
{
    char text[200] = "";
    size_t count = 0;
    /* From the smallest up; where only small packets passed, any would fit. */
    for (size_t i = sizeof tunnels / sizeof tunnels[0]; i-- > 0;) {
        if (tunnels[i].mtu < passed || tunnels[i].mtu >= lost)
            continue;
        if (count == SUGGESTED_MOST)
            break;
        size_t len = strlen(text);
        (void)snprintf(text + len, sizeof text - len, "%s%s (%u)", count > 0 ? ", " : "",
                       tunnels[i].name, tunnels[i].mtu);
        count++;
    }
    if (count == 0 || passed < MTU_LEAST)
        return NULL;
    return arena_format(&judge->site->arena, "%s", text);
}
