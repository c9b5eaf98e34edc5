/* Views: each answers one question of a person with a SQL shell. Times are UTC. */
#include "store/private.h"

#define UTC(column)                                                                                \
    "strftime('%Y-%m-%dT%H:%M:%S', " column " / 1000000000, 'unixepoch') || "                      \
    "printf('.%09dZ', " column " % 1000000000)"
#define MS(column) "round((" column ") / 1000000.0, 3)"

/* Who broke it: the class of a failed connection's primary finding. A security finding counts under
 * what broke, which is the network's promise to deliver what was sent. */
#define CLASS_OF_FLOW                                                                              \
    "CASE (SELECT d.category FROM findings d WHERE d.capture_id = f.capture_id"                    \
    " AND d.code = f.verdict LIMIT 1)"                                                             \
    " WHEN 'network' THEN 'network' WHEN 'security' THEN 'network'"                                \
    " WHEN 'server' THEN 'server' WHEN 'auth' THEN 'authentication'"                               \
    " WHEN 'dependency' THEN 'dependency' ELSE 'unknown' END"

/* NULL: the request did not fail. */
#define CLASS_OF_REQUEST                                                                           \
    "CASE WHEN h.status IN (502, 504) THEN 'dependency'"                                           \
    " WHEN h.status >= 500 OR h.status = 429 THEN 'server'"                                        \
    " WHEN h.status IN (401, 403, 407) THEN CASE WHEN EXISTS (SELECT 1 FROM http_transactions n"   \
    " WHERE n.flow_id = h.flow_id AND n.number = h.number + 1 AND n.path IS h.path"                \
    " AND n.status < 400) THEN NULL ELSE 'authentication' END"                                     \
    " WHEN h.grpc_status IN (7, 16) THEN 'authentication'"                                         \
    " WHEN h.grpc_status IN (2, 4, 8, 10, 12, 13, 14, 15) THEN 'server'"                           \
    " WHEN f.outcome = 'failed' AND h.method IS NOT NULL AND (h.status IS NULL OR h.truncated)"    \
    " THEN " CLASS_OF_FLOW " END"

const struct store_view store_views[] = {
    {"v_causes",
     "Why connections, and why requests failed (level): by class, network, server, authentication or "
     "dependency; unknown without a cause. A connection counts under its primary finding; a request "
     "under its status (502 and 504 dependency, other 5xx and 429 server, 401, 403 and 407 not "
     "overcome by the next request authentication), its gRPC code, or without an answer under its "
     "connection; a DNS question that fails is a dependency's. The shares of a read and level are "
     "percent with one decimal and add up to 100.0 (largest remainder).",
     "WITH failed AS (SELECT f.capture_id, 'connection' AS level, " CLASS_OF_FLOW " AS class"
     " FROM flows f WHERE f.outcome = 'failed'\n"
     "UNION ALL SELECT f.capture_id, 'request', " CLASS_OF_REQUEST
     " FROM http_transactions h JOIN flows f ON f.id = h.flow_id\n"
     "UNION ALL SELECT f.capture_id, 'request', 'dependency' FROM dns_transactions d"
     " JOIN flows f ON f.id = d.flow_id WHERE d.rcode IN (2, 5)"
     " OR (d.answer_ns IS NULL AND f.outcome = 'failed')),\n"
     "counted AS (SELECT capture_id, level, class, count(*) AS failures FROM failed"
     " WHERE class IS NOT NULL GROUP BY 1, 2, 3),\n"
     "summed AS (SELECT *, sum(failures) OVER same AS total FROM counted"
     " WINDOW same AS (PARTITION BY capture_id, level)),\n"
     "cut AS (SELECT *, failures * 1000 / total AS tenths, failures * 1000 % total AS rest"
     " FROM summed),\n"
     "ranked AS (SELECT *, 1000 - sum(tenths) OVER (PARTITION BY capture_id, level) AS missing,"
     " row_number() OVER (PARTITION BY capture_id, level ORDER BY rest DESC, class) AS place FROM cut)\n"
     "SELECT capture_id, level, class, failures, (tenths + (place <= missing)) / 10.0 AS share"
     " FROM ranked ORDER BY capture_id, level, failures DESC, class"},
    {"v_failures",
     "Every failed connection, oldest first: when, who, how far it came, its verdict and whom the "
     "verdict blames.",
     "SELECT f.capture_id, f.id AS flow_id, " UTC("f.first_ns") " AS time,"
     " f.client_ip, f.client_port, f.server_ip, f.server_port, f.name, f.service, f.stage,"
     " f.verdict, d.severity, d.category, d.culprit, d.confidence,"
     " s.path AS source, f.first_frame, f.community_id"
     " FROM flows f LEFT JOIN finding_flows l ON l.flow_id = f.id AND l.is_primary"
     " LEFT JOIN findings d ON d.id = l.finding_id"
     " LEFT JOIN sources s ON s.id = f.source_id"
     " WHERE f.outcome = 'failed' ORDER BY f.capture_id, f.first_ns, f.id"},
    {"v_expiring_certificates",
     "Certificates that servers or clients showed and that end within 90 days of the capture's last "
     "packet, or had ended by then. days_left counts from that packet, days_left_today from today.",
     "SELECT f.capture_id, f.server_ip, f.server_port, t.side, t.position, c.subject, c.issuer,"
     " c.san, " UTC("c.not_after_ns") " AS not_after,"
     " (c.not_after_ns - p.last_ns) / 86400000000000 AS days_left,"
     " (c.not_after_ns / 1000000000 - CAST(strftime('%s', 'now') AS INTEGER)) / 86400"
     " AS days_left_today,"
     " count(DISTINCT f.id) AS connections, c.sha256"
     " FROM certificates c JOIN tls_certificates t ON t.certificate_id = c.id"
     " JOIN flows f ON f.id = t.flow_id JOIN captures p ON p.id = f.capture_id"
     " WHERE c.parse_error IS NULL AND c.not_after_ns - p.last_ns < 90 * 86400000000000"
     " GROUP BY f.capture_id, f.server_ip, f.server_port, t.side, t.position, c.id"
     " ORDER BY f.capture_id, c.not_after_ns, f.server_ip, f.server_port"},
    {"v_services",
     "What was talked to: each server address and port with its connections by outcome, clients and "
     "traffic.",
     "SELECT capture_id, service, server_ip, server_port, protocol, max(app) AS app,"
     " max(name) AS name, count(*) AS connections,"
     " sum(outcome IS 'ok') AS ok, sum(outcome IS 'failed') AS failed,"
     " sum(outcome IS 'unknown') AS unknown, sum(outcome IS 'unsolicited') AS unsolicited,"
     " count(DISTINCT client_ip) AS clients, sum(client_bytes) AS client_bytes,"
     " sum(server_bytes) AS server_bytes, " UTC("min(first_ns)") " AS first, "
     UTC("max(last_ns)") " AS last"
     " FROM flows GROUP BY capture_id, service, server_ip, server_port, protocol"
     " ORDER BY capture_id, connections DESC, server_ip, server_port, protocol"},
    {"v_slow_endpoints",
     "Kinds of requests by their slowest twentieth: method and path (numbers and ids as {id}) of each "
     "server address and port. Milliseconds at the capture point; response is request end to first "
     "byte less the smallest round trip, total is request begin to last byte; percentiles within 1 %. "
     "What waits for news by design is left out; servers whose requests were not seen have their "
     "handshakes alone.",
     "SELECT s.capture_id, s.service, s.server_ip, s.server_port, s.name, e.method, e.path,"
     " e.requests, e.errors, " MS("s.connect_p95_ns") " AS connect_p95_ms, "
     MS("s.tls_p95_ns") " AS tls_p95_ms, " MS("e.think_p50_ns") " AS response_p50_ms, "
     MS("e.think_p95_ns") " AS response_p95_ms, " MS("e.think_p99_ns") " AS response_p99_ms, "
     MS("e.think_max_ns") " AS response_max_ms, " MS("e.total_p95_ns") " AS total_p95_ms"
     " FROM services s LEFT JOIN endpoints e ON e.capture_id = s.capture_id"
     " AND e.service_number = s.number WHERE e.waits IS NOT 1"
     " AND coalesce(e.think_count, s.connect_count + s.tls_count) > 0"
     " ORDER BY s.capture_id, response_p95_ms DESC, tls_p95_ms DESC, connect_p95_ms DESC,"
     " s.number, e.number"},
    {"v_dependencies",
     "What the services need, by kind and by the profile's name (else the protocol): its servers, "
     "connections, requests and the shares (percent) that failed, refusals, answers above the limit, and "
     "of its slowest server the percentiles of the answer times in milliseconds.",
     "SELECT capture_id, kind, coalesce(name, app) AS name, count(*) AS servers,"
     " sum(attempts) AS connections, sum(failed) AS failed,"
     " round(100.0 * sum(failed) / nullif(sum(attempts), 0), 2) AS failed_share,"
     " sum(requests) AS requests, sum(errors) AS errors,"
     " round(100.0 * sum(errors) / nullif(sum(requests), 0), 2) AS error_share,"
     " sum(refused) AS refused, sum(slow) AS slow, " MS("max(p50_ns)") " AS p50_ms, "
     MS("max(p95_ns)") " AS p95_ms, " MS("max(p99_ns)") " AS p99_ms, " MS("max(max_ns)")
     " AS max_ms, " UTC("min(first_ns)") " AS first, " UTC("max(last_ns)") " AS last"
     " FROM dependencies GROUP BY capture_id, kind, coalesce(name, app)"
     " ORDER BY capture_id, failed DESC, errors DESC, kind, 3"},
    {"v_outages",
     "When a service or a path was down: begin, end (NULL: not seen to come back), attempts or "
     "connections that were lost in it, and whom the finding blames.",
     "SELECT d.capture_id, d.code, d.service, d.client_ip, d.server_ip, d.server_port, d.name, "
     UTC("d.first_ns") " AS begin, CASE WHEN e.text IS 'still down' THEN NULL ELSE "
     UTC("d.last_ns") " END AS end,"
     " (d.last_ns - d.first_ns) / 1000000 AS duration_ms, coalesce(a.number, c.number) AS lost,"
     " d.culprit, d.confidence, d.id AS finding_id"
     " FROM findings d LEFT JOIN finding_values e ON e.finding_id = d.id AND e.name = 'end'"
     " LEFT JOIN finding_values a ON a.finding_id = d.id AND a.name = 'attempts'"
     " LEFT JOIN finding_values c ON c.finding_id = d.id AND c.name = 'connections'"
     " WHERE d.code IN ('service-outage', 'path-outage') AND d.state <> 'withdrawn'"
     " ORDER BY d.capture_id, d.first_ns, d.id"},
    {"v_path_services",
     "Each client and server address by service: connections and the share that succeeded, whom most of "
     "its failed ones blame, and of the way between them round trips (ms), loss (percent of the "
     "segments) and hops by end, the largest packet that passed, the MTU that a router named, and the "
     "connections of which one direction alone was seen.",
     "WITH blamed AS (SELECT g.capture_id, g.client_ip, g.server_ip, g.server_port, g.protocol,"
     " d.culprit, row_number() OVER (PARTITION BY g.capture_id, g.client_ip, g.server_ip,"
     " g.server_port, g.protocol ORDER BY count(*) DESC, d.culprit) AS place"
     " FROM flows g JOIN finding_flows l ON l.flow_id = g.id AND l.is_primary"
     " JOIN findings d ON d.id = l.finding_id WHERE g.outcome = 'failed' GROUP BY 1, 2, 3, 4, 5, 6)\n"
     "SELECT f.capture_id, f.client_ip, f.server_ip, f.service, f.server_port, f.protocol,"
     " count(*) AS connections, sum(f.outcome IS 'ok') AS ok, sum(f.outcome IS 'failed') AS failed,"
     " round(100.0 * sum(f.outcome IS 'ok') / nullif(sum(f.outcome IN ('ok', 'failed')), 0), 2)"
     " AS success_share,"
     " b.culprit AS blame, "
     MS("p.client_rtt_p50_ns") " AS client_rtt_p50_ms, " MS("p.client_rtt_p95_ns")
     " AS client_rtt_p95_ms, " MS("p.server_rtt_p50_ns") " AS server_rtt_p50_ms, "
     MS("p.server_rtt_p95_ns") " AS server_rtt_p95_ms,"
     " round(100.0 * p.client_losses / nullif(p.client_segments, 0), 2) AS client_loss,"
     " round(100.0 * p.server_losses / nullif(p.server_segments, 0), 2) AS server_loss,"
     " p.client_hops, p.server_hops, p.client_largest_passed, p.server_largest_passed, p.mtu,"
     " p.one_sided"
     " FROM flows f LEFT JOIN path_samples p ON p.capture_id = f.capture_id"
     " AND p.client_ip = f.client_ip AND p.server_ip = f.server_ip"
     " LEFT JOIN blamed b ON b.capture_id = f.capture_id AND b.client_ip = f.client_ip"
     " AND b.server_ip = f.server_ip AND b.server_port IS f.server_port"
     " AND b.protocol = f.protocol AND b.place = 1"
     " WHERE f.outcome IS NOT 'unsolicited'"
     " GROUP BY f.capture_id, f.client_ip, f.server_ip, f.service, f.server_port, f.protocol"
     " ORDER BY f.capture_id, failed DESC, connections DESC, f.client_ip, f.server_ip, f.server_port"},
    {"v_rate_anomalies",
     "Minutes (or longer intervals) in which a service had far more or far fewer requests than usual: "
     "beyond six median deviations and a factor of two from its own median.",
     "SELECT m.capture_id, s.service, s.server_ip, s.server_port, s.name, "
     UTC("m.start_ns") " AS begin, m.span_ns / 1000000000 AS span_s, m.rate,"
     " sum(m.requests) AS requests, sum(m.errors) AS errors"
     " FROM service_minutes m JOIN services s ON s.capture_id = m.capture_id"
     " AND s.number = m.service_number WHERE m.rate IS NOT NULL"
     " GROUP BY m.capture_id, m.service_number, m.start_ns"
     " ORDER BY m.capture_id, m.start_ns, m.service_number"},
};

const size_t store_view_count = sizeof store_views / sizeof store_views[0];
