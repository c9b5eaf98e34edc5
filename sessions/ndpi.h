/* nDPI 4.2 as a second opinion on flows that our dissectors did not name (or on all). The module is
 * made on first need (its tables cost 13 ms and 4 MB); a flow's state is freed at the verdict. */
#ifndef INVCAP_SESSIONS_NDPI_H
#define INVCAP_SESSIONS_NDPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct opinions;
struct ndpi_opinion; /* of one flow, while undecided */

struct opinions *opinions_new(void);
void opinions_free(struct opinions *ndpi);
/* Shows one packet with payload: network = IP header on. *opinion is made on the first call and
 * freed (NULL again) with the verdict, which goes to name (size bytes, "" when unknown). Returns
 * whether the verdict fell. */
bool opinions_packet(struct opinions *ndpi, struct ndpi_opinion **opinion, const uint8_t *network,
                     size_t len, int64_t time_ns, char *name, size_t size);
/* The flow ended undecided: nDPI's best guess. */
void opinions_give_up(struct opinions *ndpi, struct ndpi_opinion **opinion, char *name,
                      size_t size);

#endif
