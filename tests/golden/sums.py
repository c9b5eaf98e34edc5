"""What services, minutes, endpoints, causes and paths say adds up, and fits the rows that they are made from."""
import math

COUNTS = ("attempts", "ok", "failed", "unknown", "open_before", "tcp_attempts", "tcp_ok", "tls_attempts", "tls_ok",
          "requests", "errors", "bytes", "retransmissions", "connect_count", "tls_count", "think_count", "total_count")


def causes(db):
    for level, share, failures in db.execute("SELECT level, sum(share), sum(failures) FROM v_causes GROUP BY 1"):
        if abs(share - 100.0) > 1e-6:
            yield f"v_causes: the shares of {level}s add up to {share}"
        failed = db.execute("SELECT count(*) FROM flows WHERE outcome = 'failed'").fetchone()[0]
        if level == "connection" and failures != failed:
            yield f"v_causes: {failures} connections, {failed} failed"


def minutes(db):
    sums = ", ".join(f"sum(m.{c})" for c in COUNTS)
    for row in db.execute(f"SELECT s.number, {', '.join('s.' + c for c in COUNTS)}, {sums} FROM services s"
                          " JOIN service_minutes m ON m.service_number = s.number GROUP BY s.number"):
        for i, name in enumerate(COUNTS):
            if row[1 + i] != row[1 + len(COUNTS) + i]:
                yield f"service {row[0]}: {row[1 + i]} {name}, its minutes have {row[1 + len(COUNTS) + i]}"
    for row in db.execute("SELECT s.number, s.requests, s.errors, sum(e.requests), sum(e.errors) FROM services s"
                          " JOIN endpoints e ON e.service_number = s.number GROUP BY s.number"):
        if row[1:3] != row[3:5]:
            yield f"service {row[0]}: {row[1:3]} requests and errors, its endpoints have {row[3:5]}"


def connections(db):
    """Against the flows themselves."""
    for row in db.execute(
            "SELECT s.number, s.attempts + s.open_before, s.bytes, count(f.id),"
            " sum(f.client_payload_bytes + f.server_payload_bytes) FROM services s JOIN flows f"
            " ON f.server_ip = s.server_ip AND f.server_port = s.server_port AND f.protocol = s.protocol"
            " AND f.outcome IS NOT 'unsolicited' WHERE s.others IS NULL GROUP BY s.number"):
        if row[1] != row[3] or row[2] != row[4]:
            yield f"service {row[0]}: {row[1]} connections and {row[2]} bytes, the flows have {row[3]} and {row[4]}"
    lost = db.execute("SELECT count(*) FROM flows f WHERE f.protocol = 6 AND f.outcome IS NOT 'unsolicited' AND NOT"
                      " EXISTS (SELECT 1 FROM services s WHERE s.server_ip = f.server_ip AND s.protocol = 6"
                      " AND s.server_port = f.server_port)").fetchone()[0]
    if lost:
        yield f"{lost} connections belong to no service"


def quantile(values, q):
    values = sorted(values)
    return values[max(1, math.ceil(q * len(values))) - 1]


def percentiles(db):
    """Of plain HTTP endpoints, exactly from their rows."""
    waits = {}
    for service, method, path, wait in db.execute(
            "SELECT s.number, coalesce(h.method, ''), coalesce(h.path, ''), h.wait_ns FROM http_transactions h"
            " JOIN flows f ON f.id = h.flow_id JOIN services s ON s.server_ip = f.server_ip"
            " AND s.server_port = f.server_port AND s.protocol = f.protocol WHERE h.wait_ns IS NOT NULL"
            " AND h.response_ns IS NOT NULL AND f.outcome IS NOT 'unsolicited' AND h.kind IS NOT 'tunnel'"):
        waits.setdefault((service, method, path), []).append(wait)
    for service, method, path, count, p50, p95, p99, most in db.execute(
            "SELECT service_number, coalesce(method, ''), coalesce(path, ''), think_count, think_p50_ns, think_p95_ns,"
            " think_p99_ns, think_max_ns FROM endpoints WHERE think_count > 0 AND others IS NULL"):
        exact = waits.get((service, method, path))
        if exact is None:
            continue
        if len(exact) != count or max(exact) != most:
            yield f"{method} {path}: {count} waits up to {most}, the rows have {len(exact)} up to {max(exact)}"
        for q, told in ((0.5, p50), (0.95, p95), (0.99, p99)):
            wanted = quantile(exact, q)
            if abs(told - wanted) > 0.0101 * wanted + 1:
                yield f"{method} {path}: P{q * 100:.0f} {told} ns, the rows have {wanted}"


def check(db):
    for part in (causes, minutes, connections, percentiles):
        yield from part(db)
