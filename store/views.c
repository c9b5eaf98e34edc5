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

const struct store_view store_views[] = {
    {"v_causes",
     "Why connections failed: failed connections of each read by class of their primary finding "
     "(network, server, authentication, dependency; unknown without one). The shares of a read are "
     "percent with one decimal and add up to 100.0 (largest remainder).",
     "WITH failed AS (SELECT f.capture_id, " CLASS_OF_FLOW " AS class FROM flows f"
     " WHERE f.outcome = 'failed'),\n"
     "counted AS (SELECT capture_id, class, count(*) AS failures FROM failed GROUP BY 1, 2),\n"
     "summed AS (SELECT *, sum(failures) OVER (PARTITION BY capture_id) AS total FROM counted),\n"
     "cut AS (SELECT *, failures * 1000 / total AS tenths, failures * 1000 % total AS rest"
     " FROM summed),\n"
     "ranked AS (SELECT *, 1000 - sum(tenths) OVER (PARTITION BY capture_id) AS missing,"
     " row_number() OVER (PARTITION BY capture_id ORDER BY rest DESC, class) AS place FROM cut)\n"
     "SELECT capture_id, class, failures, (tenths + (place <= missing)) / 10.0 AS share"
     " FROM ranked ORDER BY capture_id, failures DESC, class"},
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
     "Server addresses and ports by their slowest answer: times in milliseconds at the capture "
     "point; connect is SYN to SYN-ACK, hello is ClientHello to ServerHello, response is request end "
     "to first byte.",
     "SELECT f.capture_id, f.service, f.server_ip, f.server_port, max(f.name) AS name,"
     " count(*) AS connections, sum(f.request_count) AS requests, "
     MS("avg(f.connect_rtt_server_ns)") " AS connect_avg_ms, "
     MS("max(f.connect_rtt_server_ns)") " AS connect_max_ms, "
     MS("avg(t.hello_delay_ns)") " AS hello_avg_ms, "
     MS("max(t.hello_delay_ns)") " AS hello_max_ms, "
     MS("max(f.response_max_ns)") " AS response_max_ms"
     " FROM flows f LEFT JOIN tls_sessions t ON t.flow_id = f.id"
     " WHERE f.connect_rtt_server_ns IS NOT NULL OR t.hello_delay_ns IS NOT NULL"
     " OR f.response_max_ns IS NOT NULL"
     " GROUP BY f.capture_id, f.service, f.server_ip, f.server_port"
     " ORDER BY f.capture_id, response_max_ms DESC, hello_max_ms DESC, connect_max_ms DESC,"
     " f.server_ip, f.server_port"},
};

const size_t store_view_count = sizeof store_views / sizeof store_views[0];
