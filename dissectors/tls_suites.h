/* How a cipher suite protects records, from its name. */
#ifndef INVCAP_DISSECTORS_TLS_SUITES_H
#define INVCAP_DISSECTORS_TLS_SUITES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tls_mode { TLS_MODE_GCM, TLS_MODE_CCM, TLS_MODE_CHACHA, TLS_MODE_CBC, TLS_MODE_NULL };

struct tls_suite {
    enum tls_mode mode;
    char cipher[24];  /* as OpenSSL calls it */
    const char *hash; /* of the key schedule in TLS 1.2 and 1.3; of the MAC otherwise */
    size_t key_len, tag_len;
};

/* False: the suite is not known, or not one that can be opened. */
bool tls_suite_read(uint16_t cipher, struct tls_suite *out);

#endif
