/* Columns of certificate_chains. */
#include "core/columns.h"

/* In the order of enum chain_status (trust/chain.h). */
static const char *const statuses[] = {"not-judged", "consistent", "broken",   "verified",
                                       "incomplete", "untrusted",  NULL};
static const char *const pins[] = {"", "matches", "differs", NULL};

#define RECORD chain_record
static const struct column chain_columns[] = {
    REF(capture_id, "captures(id)", COLUMN_KEY, "The read it was seen in."),
    COL(number, "", COLUMN_KEY, "Number of the chain in order of first use, from 1."),
    COL(server_ip, "", 0, "Server that showed it."),
    COL(server_port, "", 0, "Port of that server."),
    COL(name, "", 0, "Server name that the clients asked for; NULL none."),
    COL(name_unicode, "", 0, "The same name in its own script (IDN); NULL when it is plain ASCII."),
    REF(certificate_id, "certificates(id)", 0, "The server's own certificate."),
    COL(sent, "count", 0, "Certificates in the message."),
    COL(in_order, "bool", 0, "1: each certificate is signed by the one behind it."),
    NAMED(status, statuses, 0,
          "verified, incomplete (an intermediate known otherwise is not sent) or untrusted, by the "
          "trust store that the profile or --ca named; without one consistent, broken or not-judged "
          "(nothing but the certificate itself)."),
    COL(reason, "", 0, "Why it does not verify, or is broken."),
    COL(path_length, "count", 0, "Certificates of the way that was checked, the last one included."),
    COL(learnt, "count", 0, "Of them those that were not sent, known from other connections."),
    COL(top, "", 0, "Issuer of the last certificate of the way that was seen."),
    NAMED(pin, pins, 0, "Whether a public key of the chain is one that the profile pins."),
    COL(subject, "", 0, "Common name of the server's own certificate, else its whole subject."),
    COL(sha256, "", 0, "SHA-256 of that certificate, hex."),
    COL(issuer, "", 0, "Issuer of the server's own certificate, written as RFC 4514 says."),
    COL(spki_sha256, "", 0, "SHA-256 of its public key, hex."),
    COL(key_type, "", 0, "Kind of its public key."),
    COL(self_signed, "bool", 0, "1: it signs itself."),
    COL(not_before_ns, "ns", 0, "Start of its validity, ns since 1970 UTC."),
    COL(not_after_ns, "ns", 0, "End of its validity, ns since 1970 UTC."),
    COL(ja3s, "", 0, "JA3S fingerprint of the first handshake that showed it."),
    COL(alpn, "", 0, "Application protocol chosen there."),
    COL(cipher_name, "", 0, "Cipher suite chosen there."),
    COL(synack, "", 0, "Shape of the SYN-ACK there, as in tls_sessions."),
    COL(staple_asked, "bool", 0, "1: the client asked for an OCSP staple there."),
    COL(staple_sent, "bool", 0, "1: the server sent one."),
    COL(sct_asked, "bool", 0, "1: the client asked for certificate timestamps there."),
    COL(sct_sent, "bool", 0, "1: the server sent some in the handshake."),
    COL(version, "", COLUMN_ZERO_IS_NULL, "Version chosen there, as a number."),
    COL(ttl, "", COLUMN_ZERO_IS_NULL, "Smallest TTL of the server's packets."),
    COL(rtt_min_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
        "Smallest time from SYN to SYN-ACK at the capture point."),
    COL(first_ns, "ns", 0, "First handshake that showed it, ns since 1970 UTC."),
    COL(last_ns, "ns", 0, "Last handshake that showed it, ns since 1970 UTC."),
    COL(connections, "count", 0, "Connections that it was shown on."),
    COL(clients, "count", 0, "Client addresses that it was shown to."),
};

const struct record_table record_chains = {
    .kind = RECORD_CHAIN, .table = "certificate_chains", .json_type = "chain",
    .sentence = "Chains of certificates that servers showed, verified at the time of the handshake.",
    .record_size = sizeof(struct chain_record), TABLE_OF(chain_columns)};
