/* Columns of tls_sessions, certificates, tls_certificates and http_transactions. */
#include "core/columns.h"

#define RECORD tls_record
static const struct column tls_columns[] = {
    REF(flow_id, "flows(id)", COLUMN_KEY, "The connection that carried the TLS session."),
    COL(client_hello_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
        "Time of the ClientHello, ns since 1970 UTC; NULL unseen."),
    COL(server_hello_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
        "Time of the ServerHello, ns since 1970 UTC; NULL unseen."),
    COL(finished_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
        "Time at which the handshake was complete, ns since 1970 UTC; NULL never."),
    COL(client_hello_frame, "", COLUMN_ZERO_IS_NULL, "Frame in which the ClientHello ends."),
    COL(server_hello_frame, "", COLUMN_ZERO_IS_NULL, "Frame in which the ServerHello ends."),
    COL(version_offered, "", COLUMN_ZERO_IS_NULL,
        "Highest version offered by the client, as a number: 771 is TLS 1.2, 772 TLS 1.3, 257 TLCP."),
    COL(version, "", COLUMN_ZERO_IS_NULL,
        "Version chosen by the server, as a number: 771 is TLS 1.2, 772 TLS 1.3, 257 TLCP."),
    COL(cipher, "", COLUMN_ZERO_IS_NULL, "IANA number of the chosen cipher suite."),
    COL_AS("named_group", group, "", COLUMN_ZERO_IS_NULL,
           "IANA number of the group of the key exchange."),
    COL(cipher_name, "", 0, "IANA name of the chosen cipher suite."),
    COL(versions_offered, "", 0, "Versions offered by the client, best first, comma separated."),
    COL(sni, "", 0, "Server name that the client asked for (RFC 6066 3)."),
    COL(alpn_offered, "", 0, "Application protocols offered by the client, comma separated."),
    COL(alpn, "", 0, "Application protocol chosen by the server; visible up to TLS 1.2."),
    COL(ja3, "", 0, "JA3 fingerprint of the ClientHello."),
    COL(ja3s, "", 0, "JA3S fingerprint of the ServerHello."),
    COL(ja4, "", 0, "JA4 fingerprint of the ClientHello."),
    COL(history, "", 0, "Zeek's ssl_history letters; upper case is the client."),
    NAMED(step, column_tls_steps, 0, "Last step that the handshake reached."),
    COL(established, "bool", 0, "1: both sides finished, as far as the wire can tell."),
    COL(resumed, "bool", 0, "1: an earlier session was resumed."),
    COL(hello_retry, "bool", 0, "1: the server asked for another key share (HelloRetryRequest)."),
    COL(downgrade_sentinel, "bool", 0,
        "1: the server says that it chose a lower version than it can (RFC 8446 4.1.3)."),
    COL(client_certificate_requested, "bool", 0, "1: the server asked for a client certificate."),
    COL(client_certificate_sent, "bool", 0, "1: the client sent a certificate, not an empty list."),
    COL(client_certificate_empty, "bool", 0, "1: the client answered with an empty list."),
    COL(client_hello_bytes, "bytes", 0, "Length of the ClientHello message with its header."),
    COL(client_hello_segments, "count", 0, "TCP segments that the ClientHello came in."),
    COL(alert, "", COLUMN_NEGATIVE_IS_NULL,
        "IANA number of the alert that ended the handshake or session; 255: encrypted, unreadable."),
    NAMED(alert_by, column_sides, 0, "Side that sent the alert."),
    COL(alert_level, "", COLUMN_ZERO_IS_NULL, "1 warning, 2 fatal; NULL unknown."),
    NAMED(alert_step, column_tls_steps, 0, "Step of the handshake when the alert came."),
    COL(alert_inferred, "bool", 0, "1: the alert was encrypted and is told from record lengths."),
    COL(alert_ns, "ns", COLUMN_NEGATIVE_IS_NULL, "Time of the alert, ns since 1970 UTC."),
    COL(alert_frame, "", COLUMN_ZERO_IS_NULL, "Frame of the alert."),
    COL(warning, "", COLUMN_NEGATIVE_IS_NULL,
        "IANA number of the first readable warning that ended nothing; 112 unrecognized_name, 100 "
        "no_renegotiation."),
    NAMED(warning_by, column_sides, 0, "Side that sent the warning."),
    COL(close_notify_client, "bool", 0, "1: the client said goodbye with close_notify."),
    COL(close_notify_server, "bool", 0, "1: the server said goodbye with close_notify."),
    COL(plaintext_client, "bool", 0, "1: the client's first bytes are not TLS where TLS is spoken."),
    COL(plaintext_server, "bool", 0, "1: the answer to the ClientHello is not TLS."),
    COL(client_app_records, "count", 0, "Application data records sent by the client."),
    COL(server_app_records, "count", 0, "Application data records sent by the server."),
    COL(hello_delay_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
        "From the end of the ClientHello to the start of the ServerHello at the capture point."),
    COL(certificate_count, "count", 0, "Certificates that the server sent."),
    COL(group_name, "", 0, "Name of the group of the key exchange."),
    COL(groups_offered, "", 0, "Groups offered by the client, by name, comma separated."),
    COL(key_shares, "", 0, "Groups for which the first ClientHello brought a key share."),
    COL(compressions, "", 0, "Certificate compressions offered (RFC 8879): zlib, brotli, zstd."),
    COL(compression, "", 0,
        "How the server packed its certificates (RFC 8879); NULL not at all, or read without keys."),
    COL(early_data, "bool", 0, "1: the client announced or sent data ahead of the handshake (0-RTT)."),
    COL(psk_offered, "bool", 0, "1: the client offered to resume a session by ticket or key."),
    COL(ech, "bool", 0, "1: the hello carries encrypted_client_hello, real or GREASE."),
    COL(grease, "bool", 0, "1: the hello carries GREASE values (RFC 8701)."),
    COL(staple_asked, "bool", 0, "1: the client asked for an OCSP staple (status_request)."),
    COL(staple_sent, "bool", 0, "1: the server sent one; visible up to TLS 1.2 and with keys."),
    REF(staple_id, "ocsp_staples(id)", COLUMN_ZERO_IS_NULL, "The staple; NULL none, or not kept."),
    COL(sct_asked, "bool", 0, "1: the client asked for certificate timestamps (RFC 6962)."),
    COL(sct_sent, "bool", 0,
        "1: the server sent some in an extension of the handshake; visible up to TLS 1.2 and with keys."),
    COL(sct_count, "count", 0, "How many certificate timestamps that extension holds."),
    COL(sct_logs, "", 0, "Ids of their logs, hex, comma separated; their signatures are not verified."),
    COL(renegotiations, "count", 0,
        "Handshakes within the encrypted session, up to TLS 1.2, by the client's ChangeCipherSpec."),
    COL(secure_renegotiation, "bool", 0, "1: the ServerHello takes secure renegotiation (RFC 5746)."),
    COL(server_flight_bytes, "bytes", COLUMN_ZERO_IS_NULL,
        "Handshake bytes of the server from its ServerHello to the end of its first flight."),
    COL(synack, "", 0,
        "Options of the server's SYN-ACK, its window scale, and the options of the SYN that it "
        "answers: \"mss,sok,ts,nop,ws;7/mss,sok,ts,nop,ws\"; NULL unseen."),
    COL(quic_version, "", COLUMN_ZERO_IS_NULL,
        "QUIC version that carried the hello: 1, 1798521807 (version 2), drafts; NULL not QUIC."),
    COL(quic_retry, "bool", 0, "1: the server answered with a Retry (address validation)."),
    COL(quic_negotiation, "bool", 0, "1: the server answered with Version Negotiation."),
    COL(quic_error, "", COLUMN_NEGATIVE_IS_NULL,
        "Error code of the first readable CONNECTION_CLOSE of QUIC; 256 and up are TLS alerts."),
    COL(upgraded_from, "", 0,
        "Protocol that the connection spoke in clear before TLS: smtp, ldap, postgresql, socks5 ...; "
        "NULL none."),
    NAMED(decryption, column_tls_decryptions, 0,
          "What key logs made of it: no-keys, unsupported (DTLS, QUIC, a suite that OpenSSL lacks), failed, "
          "partly, whole; NULL not tried."),
    NAMED(key_signature, column_tls_signatures, 0,
          "TLCP: the server's signature over its key exchange: valid, wrong, or right in a way that the standard "
          "does not know (other-certificate: over the signing certificate; other-key: by the encryption key; "
          "other-form: over bytes put together differently); NULL not checked."),
    COL(client_ciphers, "", 0, "Cipher suites offered by the client, in hex, comma separated."),
};

const struct record_table record_tls = {
    .kind = RECORD_TLS, .table = "tls_sessions", .json_type = "tls",
    .sentence = "One row per connection that spoke, or tried to speak, TLS or TLCP.",
    .record_size = sizeof(struct tls_record), TABLE_OF(tls_columns)};

#undef RECORD
#define RECORD certificate_record
_Static_assert(offsetof(struct certificate_record, der_len) ==
                   offsetof(struct certificate_record, der) + sizeof(const uint8_t *),
               "the length of a blob lies right behind it");

static const struct column certificate_columns[] = {
    COL(id, "", COLUMN_KEY, "Number of the certificate in order of first sight, from 1."),
    COL(sha256, "", 0, "SHA-256 of the DER bytes, hex: the certificate's fingerprint."),
    COL(subject, "", 0, "Subject, written as RFC 4514 says."),
    COL(issuer, "", 0, "Issuer, written as RFC 4514 says."),
    COL(subject_cn, "", 0, "Common name of the subject."),
    COL(issuer_cn, "", 0, "Common name of the issuer."),
    COL(serial, "", 0, "Serial number, hex."),
    COL(san, "", 0, "Subject alternative names: DNS:a,DNS:b,IP:192.0.2.1."),
    COL(not_before_ns, "ns", 0, "Start of validity, ns since 1970 UTC."),
    COL(not_after_ns, "ns", 0, "End of validity, ns since 1970 UTC."),
    COL(key_type, "", 0, "Kind of the public key: RSA, EC, SM2, Ed25519."),
    COL(key_bits, "bits", COLUMN_ZERO_IS_NULL, "Size of the public key in bits."),
    COL(curve, "", 0, "Curve of an EC or SM2 key."),
    COL(signature, "", 0, "Algorithm of the issuer's signature, in OpenSSL's words."),
    COL(self_signed, "bool", 0, "1: its signature checks with its own key."),
    COL(is_ca, "bool", 0, "1: basic constraints say that it may issue certificates."),
    COL(rsa_exponent, "", COLUMN_ZERO_IS_NULL, "RSA public exponent; NULL not RSA, -1 above 2^62."),
    COL(spki_sha256, "", 0, "SHA-256 of the public key (SubjectPublicKeyInfo), hex: what pins hold."),
    COL(key_usage, "", 0, "Key usages, comma separated; NULL when not limited."),
    COL(revocation, "", 0,
        "Where to ask whether it was revoked: ocsp:http://a/,crl:http://b/c.crl; NULL nowhere."),
    COL(sct_count, "count", 0, "Certificate timestamps in the certificate itself (RFC 6962 3.3)."),
    COL(sct_logs, "", 0, "Ids of their logs, hex, comma separated; their signatures are not verified."),
    COL(parse_error, "", 0, "Why the certificate could not be read; NULL when it could."),
    COL(der, "", COLUMN_NOT_JSON, "The certificate itself, DER."),
    COL(first_seen_ns, "ns", 0, "Time of the packet that first showed it, ns since 1970 UTC."),
};

const struct record_table record_certificates = {
    .kind = RECORD_CERTIFICATE, .table = "certificates", .json_type = "certificate",
    .sentence = "Each distinct certificate seen in clear, once per read.",
    .record_size = sizeof(struct certificate_record), TABLE_OF(certificate_columns)};

#undef RECORD
#define RECORD tls_certificate_record
static const struct column tls_certificate_columns[] = {
    REF(flow_id, "flows(id)", COLUMN_KEY, "The connection."),
    NAMED(side, column_sides, COLUMN_KEY, "Side that sent the certificate."),
    COL(position, "", COLUMN_KEY, "Place in the message: 0 is the sender's own certificate."),
    REF(certificate_id, "certificates(id)", 0, "The certificate."),
};

const struct record_table record_tls_certificates = {
    .kind = RECORD_TLS_CERTIFICATE, .table = "tls_certificates", .json_type = "tls_certificate",
    .sentence = "Which certificates a TLS session showed, and in what order.",
    .record_size = sizeof(struct tls_certificate_record), TABLE_OF(tls_certificate_columns)};

#undef RECORD
#define RECORD http_record
static const char *const http_versions[] = {"", "1.0", "1.1", "2", NULL};
static const char *const http_kinds[] = {"", "grpc", "events", "websocket", "tunnel", NULL};
_Static_assert(sizeof http_kinds / sizeof http_kinds[0] == HTTP_TUNNEL + 2, "a name for each kind");

static const struct column http_columns[] = {
    REF(flow_id, "flows(id)", COLUMN_KEY, "The connection."),
    COL(number, "", COLUMN_KEY, "Order of the request within the connection, from 1."),
    COL(method, "", 0, "Request method; NULL when only the answer was seen."),
    COL(host, "", 0, "Host that the request names."),
    COL(path, "", 0, "Path as a template: ids are replaced, the query is dropped."),
    COL(status, "", COLUMN_ZERO_IS_NULL, "Status of the final answer; NULL without an answer."),
    COL(request_ns, "ns", COLUMN_NEGATIVE_IS_NULL, "First byte of the request, ns since 1970 UTC."),
    COL(request_end_ns, "ns", COLUMN_NEGATIVE_IS_NULL, "Last byte of the request, ns since 1970 UTC."),
    COL(response_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
        "First byte of the final answer, ns since 1970 UTC."),
    COL(response_end_ns, "ns", COLUMN_NEGATIVE_IS_NULL, "Last byte of the answer, ns since 1970 UTC."),
    COL(request_frame, "", COLUMN_ZERO_IS_NULL, "Frame in which the request begins."),
    COL(response_frame, "", COLUMN_ZERO_IS_NULL, "Frame in which the final answer begins."),
    COL(request_bytes, "bytes", 0, "Bytes of the request's body, as far as it came."),
    COL(response_bytes, "bytes", 0, "Bytes of the answer's body, as far as it came."),
    COL(wait_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
        "From the end of the request to the first byte of the answer, less the smallest round trip."),
    NAMED(version, http_versions, 0, "HTTP version: 1.0, 1.1 or 2."),
    NAMED(kind, http_kinds, 0,
          "grpc, events (an event stream), websocket or tunnel (CONNECT, other upgrades); NULL plain."),
    COL(stream, "", COLUMN_ZERO_IS_NULL, "HTTP/2 stream; NULL for HTTP/1."),
    COL(idle_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
        "Pause on the kept-alive connection before the request; NULL for the first one."),
    COL(grpc_status, "", COLUMN_NEGATIVE_IS_NULL, "grpc-status of the trailers; NULL none."),
    COL(reset_error, "", COLUMN_NEGATIVE_IS_NULL,
        "Error code of the RST_STREAM that ended the stream (RFC 9113 7); NULL none."),
    NAMED(reset_by, column_sides, 0, "Side that reset the stream."),
    COL(date_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
        "Date of the answer, ns since 1970 UTC; NULL none, or it came from a cache."),
    COL(hsts, "bool", 0, "1: the answer has Strict-Transport-Security."),
    COL(to_https, "bool", 0, "1: the answer redirects to an https address."),
    COL(from_https, "bool", 0,
        "1: the request says that its client asked for https: (:scheme, X-Forwarded-Proto, Fetch Metadata)."),
    NAMED(credentials, column_secret_kinds, 0,
          "What the request was authorised with, as in secrets; NULL nothing that is known."),
    COL(credentials_hash, "", 0, "Salted hash of these credentials, as in secrets."),
    COL(token_expires_ns, "ns", COLUMN_NEGATIVE_IS_NULL,
        "When that token expires by its own words, ns since 1970 UTC."),
    COL(has_credentials, "bool", 0,
        "1: Authorization, Cookie or Proxy-Authorization was sent; values are never kept."),
    COL(complete, "bool", 0, "1: request and answer were seen whole."),
    COL(truncated, "bool", 0, "1: the answer ended before its own length or last chunk."),
    NAMED(ended_by, column_sides, 0, "Side that ended a truncated or unanswered exchange."),
};

const struct record_table record_http = {
    .kind = RECORD_HTTP, .table = "http_transactions", .json_type = "http",
    .sentence = "One row per HTTP request and its answer, where they cross the wire in clear.",
    .record_size = sizeof(struct http_record), TABLE_OF(http_columns)};
