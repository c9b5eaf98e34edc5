#!/usr/bin/env python3
"""Writes truth_apps.tsv: what tshark says of HTTP, DNS, NTP and FTP in the captures of a folder, in figures.

usage: make_truth_apps.py CORPUS > truth_apps.tsv
CORPUS.tshark.tsv beside the folder says which files hold any of them, or else the bytes "HTTP/1.". A row per such file and reading that differs:
`whole` with tcp.reassemble_out_of_order, `gaps` without, which reads on behind a gap where the first gives up.
Bodies are not waited for (http.desegment_body), so that an answer counts from its head on.
"""
import calendar
import collections
import concurrent.futures
import csv
import os
import re
import subprocess
import sys
import time

FIELDS = ["frame.protocols", "frame.time_epoch", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "udp.srcport", "udp.dstport",
          "http.request.method", "http.response.code", "http2.type", "http2.headers.method", "http2.headers.status",
          "http2.headers.authority", "dns.flags.response", "dns.flags.rcode", "dns.time", "ntp.flags.mode",
          "ntp.org", "ntp.rec", "ntp.xmt", "ftp.request.command"]
COLUMNS = ["http_methods", "http_status", "h2_methods", "h2_status", "h2_hosts", "h2_blocks", "dns_rcodes", "dns_times_us",
           "ntp_offsets_ms", "ftp_commands"]
SHOWN = "http or http2 or dns or ntp or ftp"
ANY = ["http_req", "http_resp", "http2_frames", "dns_q", "dns_r", "ntp", "ftp_req", "ftp_resp"]
LISTED = 24  # more times than that are told by their count, sum and extremes


def bag(values):
    count = collections.Counter(v for v in values if v)
    return " ".join(f"{v}*{n}" if n > 1 else v for v, n in sorted(count.items()))


def times(values):
    """Sorted microseconds, or what they add up to."""
    values = sorted(values)
    if len(values) <= LISTED:
        return " ".join(map(str, values))
    return f"n={len(values)} sum={sum(values)} min={values[0]} max={values[-1]}"


def offsets(values):
    return " ".join(map(str, sorted(values)))


def final(codes):
    return [c for c in codes if not c.startswith("1") or c == "101"]


def stamp(text):
    """Nanoseconds since 1970 of tshark's `Sep 27, 2004 03:17:58.123456789 UTC`; None of the others, and of 0."""
    match = re.fullmatch(r"(\w+ +\d+, \d+ \d\d:\d\d:\d\d)\.(\d{9}) UTC", text)
    if match is None:
        return None
    seconds = calendar.timegm(time.strptime(match[1], "%b %d, %Y %H:%M:%S"))
    return None if text.startswith("(0)") else seconds * 1000000000 + int(match[2])


def epoch(text):
    seconds, _, rest = text.partition(".")
    return int(seconds) * 1000000000 + int((rest + "0" * 9)[:9])




def decode_as(path):
    """Ports of clear-text HTTP/2, which tshark recognises behind an upgrade alone."""
    with open(path, "rb") as f:
        text = f.read()
    if b"PRI * HTTP/2.0\r\n\r\nSM" not in text or b"Upgrade: h2c" in text:
        return []
    found = subprocess.run(["tshark", "-n", "-r", path, "-Y", 'tcp.payload contains "PRI * HTTP/2.0"', "-T", "fields",
                            "-e", "tcp.dstport"], capture_output=True, text=True).stdout.split()
    return [w for p in sorted({x.split(",")[-1] for x in found}) for w in ("-d", f"tcp.port=={p},http2")]


class Reading:
    """The lines of one run of tshark, added up."""

    def __init__(self):
        self.bags = collections.defaultdict(list)
        self.blocks = 0
        self.asked = {}

    def line(self, text):
        values = dict(zip(FIELDS, text.split("\t")))
        of = lambda name: [v for v in values.get(name, "").split("|") if v]
        protocols = values["frame.protocols"].split(":")
        if "ssdp" not in protocols:
            self.bags["http_methods"] += of("http.request.method")
            self.bags["http_status"] += final(of("http.response.code"))
        self.bags["h2_methods"] += of("http2.headers.method")
        self.bags["h2_status"] += final(of("http2.headers.status"))
        self.bags["h2_hosts"] += of("http2.headers.authority")
        self.blocks += sum(t in ("1", "5") for t in of("http2.type"))
        if "dns" in protocols:
            answers = [v in ("1", "True") for v in of("dns.flags.response")]
            self.bags["dns_rcodes"] += [r for r in of("dns.flags.rcode")] if any(answers) else []
            self.bags["dns_times_us"] += [round(float(t) * 1e6) for t in of("dns.time")]
        self.bags["ftp_commands"] += [c.upper() for c in of("ftp.request.command")]
        if "ntp" in protocols and "icmp" not in protocols and "icmpv6" not in protocols:
            self.ntp(values, of)

    def ntp(self, values, of):
        """RFC 5905 8, of the server's clock against the capture's: ((T2 - q) + (T3 - r)) / 2."""
        mode = of("ntp.flags.mode")
        ends = [(of("ip.src") + of("ipv6.src") or ["?"])[-1] + " " + (of("udp.srcport") or ["?"])[-1],
                (of("ip.dst") + of("ipv6.dst") or ["?"])[-1] + " " + (of("udp.dstport") or ["?"])[-1]]
        now = epoch(values["frame.time_epoch"])
        if mode in (["3"], ["1"]):
            self.asked[(ends[0], ends[1], (of("ntp.xmt") or [""])[0])] = now
        elif mode in (["4"], ["2"]):
            asked = self.asked.pop((ends[1], ends[0], (of("ntp.org") or [""])[0]), None)
            got, sent = (stamp((of(f) or [""])[0]) for f in ("ntp.rec", "ntp.xmt"))
            if asked is not None and got is not None and sent is not None:
                self.bags["ntp_offsets_ms"].append(round(((got - asked) + (sent - now)) / 2e6))

    def columns(self):
        return [bag(self.bags["http_methods"]), bag(self.bags["http_status"]), bag(self.bags["h2_methods"]),
                bag(self.bags["h2_status"]), bag(self.bags["h2_hosts"]), str(self.blocks or ""), bag(self.bags["dns_rcodes"]),
                times(self.bags["dns_times_us"]), offsets(self.bags["ntp_offsets_ms"]), bag(self.bags["ftp_commands"])]


def read(path, decode, reassemble):
    out = subprocess.run(["tshark", "-n", "-r", path, "-o", "http.desegment_body:FALSE",
                          "-o", f"tcp.reassemble_out_of_order:{reassemble}", *decode, "-Y", SHOWN, "-T", "fields",
                          "-E", "occurrence=a", "-E", "aggregator=|", *[w for f in FIELDS for w in ("-e", f)]],
                         capture_output=True, text=True, errors="replace").stdout
    reading = Reading()
    for line in out.split("\n"):
        if line:
            reading.line(line)
    return reading.columns()


def has_http(path):
    with open(path, "rb") as f:
        return b"HTTP/1." in f.read()


def rows_of(corpus, row):
    path = os.path.join(corpus, row["file"])
    decode = decode_as(path)
    first = read(path, decode, "TRUE")
    rows = [["whole", *first]]
    if any(int(row[c] or 0) for c in ("lost_segment", "out_of_order", "ack_lost_segment", "retrans")):
        second = read(path, decode, "FALSE")
        if second != first:
            rows.append(["gaps", *second])
    return [r for r in rows if any(r[1:])]


def main():
    corpus = sys.argv[1].rstrip("/")
    with open(corpus + ".tshark.tsv", encoding="utf-8", newline="") as lines:
        wanted = [r for r in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
                  if any(int(r[c] or 0) for c in ANY) or has_http(os.path.join(corpus, r["file"]))]
    wanted.sort(key=lambda r: r["file"])
    print("\t".join(["file", "reading", *COLUMNS]))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for row, rows in zip(wanted, pool.map(lambda r: rows_of(corpus, r), wanted)):
            for columns in rows:
                print("\t".join([row["file"], *columns]))


if __name__ == "__main__":
    main()
