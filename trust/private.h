/* What the files of trust/ share. The foreign types are named, not included. */
#ifndef INVCAP_TRUST_PRIVATE_H
#define INVCAP_TRUST_PRIVATE_H

#include "trust/store.h"

#include <stdint.h>

struct x509_st;

struct trust_store {
    struct x509_st **items;
    size_t count, capacity;
};

/* A certificate from its DER, with the distinguishing id that SM2 signatures need (GB/T 32918.5);
 * NULL when it is none. Handed over. */
struct x509_st *trust_parse(const uint8_t *der, size_t len);
/* Sets that id where the certificate is signed with SM2. */
void trust_set_id(struct x509_st *certificate);

#endif
