/* Conversations with name servers: questions of one flow and what came back, over UDP and TCP
 * (RFC 1035 4.2, RFC 7766). Tries with one id become one record. mDNS, LLMNR and NetBIOS names are
 * only counted. */
#ifndef INVCAP_DISSECTORS_DNS_H
#define INVCAP_DISSECTORS_DNS_H

#include "dissectors/dissector.h"
#include "dissectors/dns_message.h"

#define DNS_DIGESTS 4

/* A question that may still get an answer, or another one. */
struct dns_pending {
    struct dns_record record;
    uint64_t digests[DNS_DIGESTS]; /* different answers so far */
    uint8_t digest_count;
};

struct dns_table {
    struct dns_pending first[2]; /* most flows ask for A and AAAA, and that is all */
    struct dns_pending *more;    /* NULL until a third one waits */
    uint32_t count, capacity;    /* of all; capacity of more */
    int64_t numbers;
};

/* Takes one message that `side` sent; records that are settled go to context->sink. */
void dns_table_take(struct dns_table *table, enum side side, const struct dns_message *message,
                    enum dns_state state, uint8_t ttl, struct dissect_context *context);
/* Puts what is left and frees the table's own memory. */
void dns_table_close(struct dns_table *table, struct dissect_context *context);

extern const struct dissector dissector_dns;
#endif
