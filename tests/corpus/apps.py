"""Columns of HTTP, HTTP/2, DNS, NTP and FTP for compare: what the database says in the words of truth_apps.tsv,
which make_truth_apps.py wrote with tshark."""
import os

from make_truth_apps import bag, offsets, times

TRUTH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "truth_apps.tsv")
NOT_2 = "coalesce(version, '') != '2'"


def repeated(rows):
    return [value for value, count in rows for _ in range(count)]


def figures(db):
    column = lambda sql: [r[0] for r in db.execute(sql)]
    return {
        "http_methods": bag(column(f"SELECT method FROM http_transactions WHERE {NOT_2} AND method IS NOT NULL")),
        "http_status": bag(map(str, column(f"SELECT status FROM http_transactions WHERE {NOT_2} AND status > 0"))),
        "h2_methods": bag(column("SELECT method FROM http_transactions WHERE version = '2' AND method IS NOT NULL")),
        "h2_status": bag(map(str, column("SELECT status FROM http_transactions WHERE version = '2' AND status > 0"))),
        "h2_hosts": bag(column("SELECT host FROM http_transactions WHERE version = '2' AND host IS NOT NULL")),
        "h2_blocks": str(column("SELECT sum(header_blocks) FROM h2_connections")[0] or ""),
        "dns_rcodes": bag(map(str, repeated(db.execute("SELECT rcode & 15, answers FROM dns_transactions "
                                                       "WHERE answers > 0")))),
        "dns_times_us": times(round(t / 1000) for t in column("SELECT response_ns FROM dns_transactions "
                                                              "WHERE response_ns IS NOT NULL")),
        "ntp_offsets_ms": offsets(round(t / 1e6) for t in column("SELECT offset_ns FROM ntp_samples "
                                                                 "WHERE error_ns IS NOT NULL")),
        "ftp_commands": bag(column("SELECT command FROM app_commands WHERE protocol = 'ftp'")),
    }


COLUMNS = ["http_methods", "http_status", "h2_methods", "h2_status", "h2_hosts", "h2_blocks", "dns_rcodes", "dns_times_us",
           "ntp_offsets_ms", "ftp_commands"]
