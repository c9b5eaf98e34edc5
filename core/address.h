/* IP addresses, flow keys and the Community ID. Open data; no allocation. */
#ifndef INVCAP_CORE_ADDRESS_H
#define INVCAP_CORE_ADDRESS_H

#include "core/hints.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADDRESS_TEXT_SIZE 46
#define ENDPOINT_TEXT_SIZE 56
#define MAC_TEXT_SIZE 18
#define COMMUNITY_ID_SIZE 32

/* family is 4, 6 or 0 (none). IPv4 uses bytes[0..3], the rest is zero, so memcmp compares. */
struct address {
    uint8_t bytes[16];
    uint8_t family;
};

static inline bool address_is_set(const struct address *a)
{
    return a->family != 0;
}

struct address address_v4(const uint8_t bytes[4]);
struct address address_v6(const uint8_t bytes[16]);
bool address_equal(const struct address *a, const struct address *b);
/* Orders by family, then bytes: <0, 0, >0. */
int address_compare(const struct address *a, const struct address *b);
bool address_is_multicast(const struct address *a); /* also IPv4 limited broadcast */
bool address_is_private(const struct address *a);   /* RFC 1918, RFC 4193, link-local, loopback */
/* Text of RFC 5952 / dotted quad; "" when none. Returns out. */
char *address_to_text(const struct address *a, char out[ADDRESS_TEXT_SIZE]);
bool address_from_text(const char *text, struct address *out);
/* "10.0.0.1:443" or "[2001:db8::1]:443". Returns out. */
char *endpoint_to_text(const struct address *a, uint16_t port, char out[ENDPOINT_TEXT_SIZE]);
char *mac_to_text(const uint8_t mac[6], char out[MAC_TEXT_SIZE]);

/* Canonical 5-tuple: the smaller (address, port) first; ports in host order. No padding: memcmp and
 * hash see every byte. VLAN and tunnel are kept beside a flow, never in its key: the innermost
 * addresses name the flow. */
struct flow_key {
    uint8_t low[16];
    uint8_t high[16];
    uint16_t low_port;
    uint16_t high_port;
    uint8_t protocol;
    uint8_t family;
    uint8_t zero[2];
};

/* *swapped tells that src is the high end. */
PER_PACKET
void flow_key_make(const struct address *src, uint16_t src_port, const struct address *dst,
                   uint16_t dst_port, uint8_t protocol, struct flow_key *out, bool *swapped);
/* Community ID v1, seed 0: "1:" + base64(SHA-1). ICMP callers pass type/code already mapped to ports.
 * Order of the two ends does not matter. Returns out. */
char *community_id(const struct address *a, uint16_t a_port, const struct address *b,
                   uint16_t b_port, uint8_t protocol, char out[COMMUNITY_ID_SIZE]);

#endif
