/* The framings of protocols that go over to TLS: what a message is, and when the talk is over.
 * Only for dissectors/upgrade.c. */
#ifndef INVCAP_DISSECTORS_UPGRADE_FAMILIES_H
#define INVCAP_DISSECTORS_UPGRADE_FAMILIES_H

#include "dissectors/dissector.h"

enum upgrade_family {
    UPGRADE_UNDECIDED,
    UPGRADE_LINES,    /* SMTP, FTP, POP3, IMAP, NNTP, ManageSieve, NX */
    UPGRADE_XML,      /* XMPP, RFC 6120 5 */
    UPGRADE_LDAP,     /* RFC 4511 4.14 */
    UPGRADE_POSTGRES, /* SSLRequest */
    UPGRADE_MYSQL,    /* CLIENT_SSL */
    UPGRADE_SOCKS4,
    UPGRADE_SOCKS5, /* RFC 1928 */
    UPGRADE_PROXY,  /* HAProxy's PROXY protocol, versions 1 and 2 */
    UPGRADE_TPKT,   /* RDP: RFC 1006, X.224 */
    UPGRADE_ADB     /* Android's debug bridge */
};

enum upgrade_step { UPGRADE_EAT, UPGRADE_WAIT, UPGRADE_GIVE_UP };

/* What the messages so far have said. */
struct upgrade_talk {
    bool done;     /* the next byte of either side belongs to another protocol */
    bool is_ftp;   /* the client said AUTH TLS */
    bool is_pop;   /* the client said STLS */
    char greeting; /* of a server that speaks in lines: its first byte, behind 2 its second; 0 unseen */
    uint32_t messages[2];
};

/* Whether a side's first bytes are of such a protocol, and which. */
enum dissector_match upgrade_family_of(const uint8_t *bytes, size_t len, enum side side,
                                       enum upgrade_family *out);
/* Reads the message at bytes: EAT sets *whole to its length. Bytes are at least one. */
enum upgrade_step upgrade_message(enum upgrade_family family, struct upgrade_talk *talk,
                                  const uint8_t *bytes, size_t len, enum side side, size_t *whole);
/* What tls_sessions.upgraded_from says. */
const char *upgrade_name(enum upgrade_family family, const struct upgrade_talk *talk);

#endif
