/* The network time protocol (RFC 5905 7.3; versions 1 to 4). Pure. */
#ifndef INVCAP_DISSECTORS_NTP_H
#define INVCAP_DISSECTORS_NTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ntp_mode {
    NTP_SYMMETRIC_ACTIVE = 1,
    NTP_SYMMETRIC_PASSIVE,
    NTP_CLIENT,
    NTP_SERVER,
    NTP_BROADCAST,
    NTP_CONTROL,
    NTP_PRIVATE
};

struct ntp_message {
    uint8_t leap, version, mode, stratum;
    uint32_t root_delay, root_dispersion; /* seconds, 16.16 */
    uint8_t reference[4];
    uint64_t origin, receive, transmit; /* seconds since 1900, 32.32; 0 none */
};

/* false: these bytes are none. Modes 6 and 7 fill leap, version and mode alone. */
bool ntp_message_read(const uint8_t *bytes, size_t present, struct ntp_message *out);
/* ns since 1970 of a timestamp, in the era (136 years) that is nearest to near_ns. */
int64_t ntp_time_ns(uint64_t timestamp, int64_t near_ns);
/* ns of a short timestamp (16.16 seconds). */
int64_t ntp_short_ns(uint32_t value);
/* How the server names its reference: a word up to stratum 1 (the kiss code at 0), else four bytes as
 * an address. Returns out. */
char *ntp_reference_text(const struct ntp_message *message, char out[16]);

#endif
