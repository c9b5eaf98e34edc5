/* Every limit with its reason. */
#ifndef INVCAP_CORE_LIMITS_H
#define INVCAP_CORE_LIMITS_H

/* Larger packets do not exist on any link we read; a larger caplen means a damaged file. */
#define LIMIT_PACKET_BYTES (256u * 1024u)
/* A pcapng block above this is damage or an attack: the largest honest ones are packets and key logs. */
#define LIMIT_BLOCK_BYTES (16u * 1024u * 1024u)
/* Nested tunnels (VXLAN in GRE in ...) beyond this are an attack on the decoder. */
#define LIMIT_TUNNEL_DEPTH 4
/* 802.1Q in 802.1ad in one more. */
#define LIMIT_VLAN_TAGS 3
/* IPv6 extension headers in one packet; RFC 8504 5.3 allows hosts to limit them at 8. */
#define LIMIT_IPV6_EXTENSIONS 8
/* Fragmented datagrams kept at once, and how long (RFC 791 and RFC 8200 say 60 s; 30 s is Linux). */
#define LIMIT_FRAGMENT_DATAGRAMS 4096
#define LIMIT_FRAGMENT_NS (30LL * 1000000000LL)
/* Pieces of one datagram: 64 KiB in the smallest legal pieces of a 576-byte MTU, rounded up. */
#define LIMIT_FRAGMENT_PIECES 128
/* Bytes of all pieces that wait: four times what Linux grants (net.ipv4.ipfrag_high_thresh). */
#define LIMIT_FRAGMENT_BYTES (16u * 1024u * 1024u)
/* Out-of-order bytes and ranges kept per direction of a TCP stream while a dissector wants them. */
#define LIMIT_STREAM_BYTES (256u * 1024u)
#define LIMIT_STREAM_RANGES 192
/* Bytes that a dissector may leave uneaten (an incomplete message): one TLS record or HTTP header. */
#define LIMIT_CARRY_BYTES (96u * 1024u)
/* TLS: one handshake message (OpenSSL's default for certificate lists is 100 KiB), all of a side. */
#define LIMIT_TLS_MESSAGE (128u * 1024u)
#define LIMIT_TLS_HANDSHAKE (256u * 1024u)
#define LIMIT_TLS_CERTIFICATES 16
/* Logs named of one list of certificate timestamps: browsers ask for two or three. */
#define LIMIT_SCT_LOGS 8
/* Secrets of key logs (5 a session) and the size of one log: a client writes some 1 KiB a session, so
 * this is a day of a large site. */
#define LIMIT_TLS_SECRETS (1024u * 1024u)
#define LIMIT_KEYLOG_BYTES (256u * 1024u * 1024u)
/* Distinct certificates kept by an engine and their bytes; a large site has some thousands of 2 KiB. */
#define LIMIT_CERTIFICATES 32768
#define LIMIT_CERTIFICATE_BYTES (64u * 1024u * 1024u)
/* QUIC: CRYPTO bytes of a side in Initial packets (a ClientHello with post-quantum shares has 2 KiB, with
 * many extensions 4), the size of one such packet (jumbo frames; RFC 9000 14), and how many of them are
 * opened on one flow: an honest handshake has a few, with losses a dozen. */
#define LIMIT_QUIC_CRYPTO (16u * 1024u)
#define LIMIT_QUIC_PACKET (9u * 1024u)
#define LIMIT_QUIC_INITIALS 64
/* DTLS: handshake messages of a side that wait for their fragments or for earlier ones, and their bytes. */
#define LIMIT_DTLS_MESSAGES 8
#define LIMIT_DTLS_BYTES (64u * 1024u)
/* Rows of app_commands of one connection: its logins, errors and the shape of its load show earlier. */
#define LIMIT_COMMANDS_PER_FLOW 4096
/* Bytes of a side that may come before TLS on a connection that begins in clear: greetings of XMPP and
 * MySQL have 1 to 2 KiB, mail commands less. */
#define LIMIT_UPGRADE_BYTES (16u * 1024u)
/* Datagrams of a flow that are looked at for a protocol: the first may be lost or cut. */
#define LIMIT_DATAGRAM_TRIES 4
/* DNS: questions of one flow that wait; a forwarder on one port has some hundreds in flight. */
#define LIMIT_DNS_PENDING 512
/* Which name a client found an address by: pairs kept at once, 64 bytes each. A newer one takes the
 * place of an older one. */
#define LIMIT_RESOLVED_NAMES 65536
/* HTTP: bytes at the beginning of a form, JSON or XML body that are searched for credentials. Login and
 * token messages are shorter. */
#define LIMIT_HTTP_BODY_LOOK 2048
/* Distinct secrets told of one connection: a brute force shows itself long before. */
#define LIMIT_SECRETS_PER_FLOW 64
/* HTTP/2: streams followed at once (nginx allows 128, others 100 or 250), one header block, and the
 * dynamic table of a side (browsers offer 64 KiB). */
/* Requests of an HTTP/1 connection that wait for answers; scanners alone send more at once. Further ones
 * are counted, and their answers told without them. */
#define LIMIT_HTTP_PIPELINE 64
#define LIMIT_H2_STREAMS 256
#define LIMIT_H2_HEADERS (64u * 1024u)
#define LIMIT_H2_TABLE (64u * 1024u)
/* Certificates of a named trust store: the large public ones hold some 150, national ones 500. */
#define LIMIT_TRUST_ANCHORS 16384u
/* Authorities learnt from a capture: the whole public web has about 3,000 intermediates. */
#define LIMIT_TRUST_LEARNT 4096u
/* Certificates of one way: no public hierarchy is deeper than 5; OpenSSL's own limit is 100. */
#define LIMIT_TRUST_DEPTH 16u
/* Chains of earlier captures that servers are compared with: some hundred captures of a large site. */
#define LIMIT_BASELINES 100000
/* All reassembly memory of an engine. */
#define LIMIT_REASSEMBLY_TOTAL (256u * 1024u * 1024u)
/* Idle time after which a flow is closed, by state: SYN-only must outlive the Linux ladder of 127 s,
 * established outlives firewalls' and conntrack's timers, so that a state lost by them is seen on one
 * flow (the memory ceiling takes the oldest when there are too many). */
#define LIMIT_IDLE_SYN_NS (150LL * 1000000000LL)
#define LIMIT_IDLE_ESTABLISHED_NS (86400LL * 1000000000LL)
#define LIMIT_IDLE_CLOSING_NS (60LL * 1000000000LL)
/* Both FINs acknowledged, or a reset: what still follows (late resets, a FIN sent again by its timer,
 * data behind an injected reset) comes within this. */
#define LIMIT_IDLE_CLOSED_NS (20LL * 1000000000LL)
/* Closed, and whoever missed the end would have sent again by now: nothing is to come. Most connections end so,
 * and their memory is warm still when the next ones take it. */
#define LIMIT_IDLE_SETTLED_NS (3LL * 1000000000LL)
#define LIMIT_IDLE_UDP_NS (120LL * 1000000000LL)
/* Pairs of addresses whose path is described: a site has some thousands. Pairs that never answered may
 * take half, so that a flood of invented addresses leaves room for the real ones. */
#define LIMIT_PATHS 16384
#define LIMIT_PATHS_UNANSWERED (LIMIT_PATHS / 2)

/* Memory of the round trips of all paths, in pieces of 256 bytes (32 MiB): a path needs two to four for
 * each side. Round trips that find none are left out. */
#define LIMIT_PATH_RTT_CHUNKS 131072
/* Turns kept of one connection: a day at one every 1.3 s. */
#define LIMIT_TURNS_PER_FLOW 65536
/* Server ports with a row of their own in `services`: a large site has some hundreds. */
#define LIMIT_SERVICES 2048
/* Rows of service_minutes of a read: 16 services with 10 groups of clients fill a day. Each service has
 * its part of them, and at least the second number: then groups are joined, then minutes. */
#define LIMIT_SERVICE_MINUTES 262144
#define LIMIT_SERVICE_MINUTES_LEAST 64
/* Groups of clients told apart in one service: the largest; offices of a company are some dozens, and a
 * public service has thousands of which each says little. */
#define LIMIT_CLIENT_GROUPS 16
/* Rows of endpoints of a read; each service has its part, and at least the second number. Paths are
 * templates: an application has some hundreds. */
#define LIMIT_ENDPOINTS 8192
#define LIMIT_ENDPOINTS_LEAST 16

/* Findings of one code and culprit that stand for themselves: nobody reads more. Where there are more than the first
 * number (a flood of names, of forged clients), the worst ones stay, as many as the second, and one stands for all
 * others. A large site has some hundreds of certificates that end soon. */
#define LIMIT_FINDINGS_ALIKE 1000u
#define LIMIT_FINDINGS_WORST 100u

/* Attempts that led to nothing (floods, scans) and are kept as flows: of one server port or one client
 * a burst a minute, more than any finding needs to be sure, up to a total; then some a minute, so that
 * the course of it stays visible. The same for the whole capture, of TCP and of the rest, of ports and clients seen
 * for the first time and of others. 100,000 such rows take some 120 MB of judging and 40 MB of store. Beyond, they are counted together (sessions/swarms.h). */
#define LIMIT_VAIN_PER_MINUTE 5000u
#define LIMIT_VAIN_KEPT 20000u
#define LIMIT_VAIN_TRICKLE 100u
#define LIMIT_VAIN_ALL_PER_MINUTE 20000u
#define LIMIT_VAIN_ALL_KEPT 100000u
#define LIMIT_VAIN_ALL_TRICKLE 1000u
/* Server ports and clients watched for that, 48 bytes each, and those counted together, 3.5 KiB each. */
#define LIMIT_SWARM_KEYS 4096u
#define LIMIT_SWARMS 256u

/* Two capture points: packets kept of each as digests of 64 bytes (256 MiB), and sessions (some 70 MiB):
 * a tap of a busy hour; a longer one is cut by a filter or by time first. */
#define LIMIT_PAIR_PACKETS 4000000u
#define LIMIT_PAIR_SESSIONS 131072u

#endif
