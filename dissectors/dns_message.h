/* Messages of the domain name system: bytes -> one question and what was answered (RFC 1035 4,
 * RFC 6891 6.1, RFC 9460). Pure; nothing is allocated. Text is bounded and holds printable ASCII. */
#ifndef INVCAP_DISSECTORS_DNS_MESSAGE_H
#define INVCAP_DISSECTORS_DNS_MESSAGE_H

#include "core/address.h"
#include "core/bytes.h"

#include <stdbool.h>
#include <stdint.h>

/* RFC 1035 2.3.4: 255 bytes on the wire; each may be written as \DDD. */
#define DNS_NAME_SIZE 1024
#define DNS_TYPE_SIZE 16
#define DNS_LIST_SIZE 512
#define DNS_ADDRESSES 16

#define DNS_TYPE_A 1
#define DNS_TYPE_NS 2
#define DNS_TYPE_CNAME 5
#define DNS_TYPE_SOA 6
#define DNS_TYPE_PTR 12
#define DNS_TYPE_MX 15
#define DNS_TYPE_AAAA 28
#define DNS_TYPE_SRV 33
#define DNS_TYPE_DNAME 39
#define DNS_TYPE_OPT 41

enum dns_state {
    DNS_BAD,  /* not a message, or one that contradicts itself before its question ends */
    DNS_CUT,  /* header and question are there; the rest is not: snap length, or damaged records */
    DNS_WHOLE
};

struct dns_message {
    uint16_t id, flags;
    uint16_t counts[4];               /* question, answer, authority, additional: as the header says */
    bool is_answer;                   /* QR */
    uint8_t opcode;
    uint16_t rcode;                   /* with the upper bits of EDNS */
    bool authoritative, truncated, recursion_desired;
    char question[DNS_NAME_SIZE];     /* "" when there is none */
    uint16_t question_type, question_class;
    bool has_edns;
    uint16_t edns_bytes;
    uint32_t answer_count;            /* records read in the answer section */
    uint32_t ttl_s;                   /* smallest of them */
    char list[DNS_LIST_SIZE];         /* "CNAME b.example,A 192.0.2.1"; ends in ",..." when cut */
    struct address addresses[DNS_ADDRESSES];
    uint32_t address_count;
    uint64_t digest;                  /* of the rcode and the set of answers, in any order, without TTL */
    bool trailing;                    /* bytes follow the last record */
};

/* Reads one message of `len` bytes, of which `present` are there. */
enum dns_state dns_message_read(const uint8_t *bytes, size_t present, size_t len,
                                struct dns_message *out);
/* Whether the bytes can hardly be anything but a DNS message: what is asked on ports other than 53. */
bool dns_message_is_certain(const uint8_t *bytes, size_t present, size_t len);
/* Reads the name at the cursor; `message` is the whole message that pointers lead into. false, and
 * the cursor failed, when it is malformed. */
bool dns_name_read(const struct cursor *message, struct cursor *at, char out[DNS_NAME_SIZE]);
/* "A", "TYPE300". Returns out. */
char *dns_type_text(uint16_t type, char out[DNS_TYPE_SIZE]);

#endif
