/* Where packets come from, and whether the neighbourhood is what it was. */
#include "diagnosis/site/mitm.h"

#include <string.h>
#include <strings.h>

/* PEERS 2.7: what happens to neighbours and names so near in time belongs to it. */
#define NEIGHBORS_NS (600 * FACTS_SECOND)

int mitm_hops(uint8_t ttl)
{
    int start = ttl <= 32 ? 32 : ttl <= 64 ? 64 : ttl <= 128 ? 128 : 255;
    return ttl == 0 ? -1 : start - ttl;
}

bool mitm_neighbors_moved(const struct judge *judge, int64_t first_ns, int64_t last_ns)
{
    for (size_t i = 0; i < judge->claim_count; i++) {
        const struct claim *claim = &judge->claims[i];
        bool fits = claim->code == FINDING_NET_IP_CONFLICT || claim->code == FINDING_MITM_ARP_SPOOF ||
                    claim->code == FINDING_MITM_DNS_CONFLICT;
        if (fits && claim->first_ns <= last_ns + NEIGHBORS_NS &&
            claim->last_ns >= first_ns - NEIGHBORS_NS)
            return true;
    }
    return false;
}

/* IPv4 /16, IPv6 /32. */
static bool is_same_network(const struct address *a, const struct address *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, a->family == 4 ? 2 : 4) == 0;
}

bool mitm_is_unrelated(const struct chain_record *a, const struct chain_record *b)
{
    return a->name != NULL && b->name != NULL && !is_same_network(&a->server_ip, &b->server_ip) &&
           strcasecmp(mitm_site_of(a->name), mitm_site_of(b->name)) != 0;
}
