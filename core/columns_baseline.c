/* Columns of baselines. */
#include "core/columns.h"

static const char *const kinds[] = {"server", "client", NULL};

#define RECORD baseline_record
static const struct column baseline_columns[] = {
    COL(id, "", COLUMN_KEY, "Number of the row, from 1."),
    NAMED(kind, kinds, 0, "server: how one showed itself; client: what one offered."),
    COL(ip, "", 0, "Address of the server, or of the client."),
    COL(port, "", COLUMN_ZERO_IS_NULL, "Port of the server."),
    COL(name, "", 0, "Server name that was asked for; NULL none."),
    COL(ja4, "", 0, "Client: JA4 fingerprint of its hello."),
    COL(issuer, "", 0, "Issuer of the server's own certificate, written as RFC 4514 says."),
    COL(spki_sha256, "", 0, "SHA-256 of its public key, hex."),
    COL(key_type, "", 0, "Kind of its public key."),
    COL(sent, "count", COLUMN_ZERO_IS_NULL, "Certificates that the server sent."),
    COL(version, "", COLUMN_ZERO_IS_NULL, "TLS version chosen, as a number."),
    COL(cipher_name, "", 0, "Cipher suite chosen."),
    COL(alpn, "", 0, "Application protocol chosen."),
    COL(ja3s, "", 0, "JA3S fingerprint of the server's hello."),
    COL(synack, "", 0, "Shape of the SYN-ACK, as in tls_sessions."),
    COL(self_signed, "bool", 0, "1: the certificate signs itself."),
    COL(staple_asked, "bool", 0, "1: an OCSP staple was asked for."),
    COL(staple_sent, "bool", 0, "1: the server sent one."),
    COL(sct_asked, "bool", 0, "1: certificate timestamps were asked for."),
    COL(sct_sent, "bool", 0, "1: the server sent some in the handshake."),
    COL(ttl, "", COLUMN_ZERO_IS_NULL, "Smallest TTL of the server's packets."),
    COL(hops, "count", COLUMN_NEGATIVE_IS_NULL,
        "Hops from the server to the capture point, from the next likely initial TTL."),
    COL(rtt_min_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
        "Smallest time from SYN to SYN-ACK at the capture point."),
    COL(not_before_ns, "ns", COLUMN_ZERO_IS_NULL,
        "Start of the certificate's validity, ns since 1970 UTC."),
    COL(not_after_ns, "ns", COLUMN_ZERO_IS_NULL, "End of its validity, ns since 1970 UTC."),
    COL(first_ns, "ns", 0, "First time it was so, ns since 1970 UTC."),
    COL(last_ns, "ns", 0, "Last time it was so, ns since 1970 UTC."),
    COL(connections, "count", 0, "Connections that were so."),
};

const struct record_table record_baselines = {
    .kind = RECORD_BASELINE, .table = "baselines", .json_type = "baseline",
    .sentence = "What is usual: saved by `invcap baseline save`, compared with by every later read.",
    .record_size = sizeof(struct baseline_record), TABLE_OF(baseline_columns)};
