/* Words about issuers that the detectors of interception share. */
#ifndef INVCAP_DIAGNOSIS_SITE_MITM_H
#define INVCAP_DIAGNOSIS_SITE_MITM_H

#include "core/profile.h"
#include "diagnosis/site/judge.h"

#include <stddef.h>

#define MITM_NAME_SIZE 256
/* FACTS 4: packets of one machine by one way differ by no more. */
#define MITM_HOPS_STEP 2

/* The profile allows an authority of this chain. */
bool mitm_is_allowed_chain(const struct judge *judge, const struct site_flow *flow);
/* Names of two owners, as far as their look tells, at addresses of different networks. */
bool mitm_is_unrelated(const struct chain_record *a, const struct chain_record *b);
/* Hops that a packet of that TTL has come, from the nearest usual start; -1 unknown. */
int mitm_hops(uint8_t ttl);
/* ARP or DNS said something strange within ten minutes of that time (by findings made before). */
bool mitm_neighbors_moved(const struct judge *judge, int64_t first_ns, int64_t last_ns);

/* The first value of an attribute ("O", "CN") of an RFC 4514 name, unescaped; "" when it has none. */
void mitm_name_part(const char *name, const char *attribute, char out[MITM_NAME_SIZE]);
/* Who issues: the organisation, else the common name, else the whole. */
void mitm_organisation(const char *issuer, char out[MITM_NAME_SIZE]);
/* The same one, however it writes its legal form ("DigiCert, Inc.", "DigiCert Inc"). */
bool mitm_is_same_organisation(const char *issuer, const char *other);
/* The part of a host name that somebody registered, as far as its look tells: "example.com.cn" of
 * "a.b.example.com.cn". Borrowed from name. */
const char *mitm_site_of(const char *name);
/* The inspection product whose authority has this name, NULL none; *keyword is what a name of its
 * vendor's own contains. */
const char *mitm_product(const char *name, const char **keyword);
/* The inspection product that vouches for this chain in its owner's stead, NULL none; *issuer is its
 * authority. */
const char *mitm_product_of(const struct judge *judge, const struct site_chain *chain,
                            const char **issuer);
/* The profile allows an inspection proxy of this issuer; sha256 of its certificate may be NULL. */
bool mitm_is_allowed(const struct profile *profile, const char *issuer, const char *sha256);

#endif
