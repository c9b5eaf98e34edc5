/* What ICMP errors say, for the other verdicts before TCP is open. */
#ifndef INVCAP_DIAGNOSIS_SITE_VERDICT_ICMP_H
#define INVCAP_DIAGNOSIS_SITE_VERDICT_ICMP_H

#include "diagnosis/site/verdict.h"

/* An error about another SYN of the same client to the same place, or one cut before its ports; RULING_PASS
 * when there is none. */
enum ruling verdict_icmp_of_others(struct judge *judge, const struct site_flow *flow,
                                   struct claim *out);
/* An error that says that a packet of the flow died on the way (time exceeded); NULL when there is none. */
const struct icmp_record *verdict_find_exceeded(const struct site_flow *flow);
/* An error about this client and server and the flow's protocol, sent while the flow asked, whose quotation the
 * capture cut before the ports: it may speak of this flow, and then silence is not all there was. NULL: none. */
const struct icmp_record *verdict_cut_icmp(const struct judge *judge, const struct site_flow *flow,
                                           bool (*wanted)(const struct icmp_record *));
/* Who sent the error, what it says, its frame: added to the claim. */
void verdict_describe_icmp(struct judge *judge, const struct site_flow *flow,
                           const struct icmp_record *r, struct claim *out);
/* The server repeats its SYN-ACK while the client, which has asked before it, asks again. */
bool verdict_is_synack_loop(const struct flow_tcp_record *t);

#endif
