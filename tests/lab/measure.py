#!/usr/bin/env python3
"""usage: sudo tests/lab/measure.py [--binary build/invcap] [--table FILE] [--keep DIR] [--list] [NAME...]

Real servers and clients in the lab's network, one case after the other. For each: what the servers' own logs
say happened is counted against the store of the capture, entry by entry, and the times of the store against
those that tshark finds in the same packets (2 ms or 5 %). Prints a line per case and writes the table of
docs/live.md. By hand, not part of ctest: it takes root, the servers of scripts/setup --full and ten minutes."""
import argparse
import collections
import fnmatch
import importlib
import os
import pkgutil
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import net  # noqa: E402
import pki  # noqa: E402
from live import case  # noqa: E402

LONGEST_S = 120
LIMIT_S, LIMIT_SHARE = 0.002, 0.05


# Ports that tshark would read as something else.
DECODE = ("-d", "tcp.port==8102,http2", "-d", "tcp.port==6443,http2")


def fields(pcap, shown, *names, extra=()):
    """One row a packet; several values of one field are joined by commas."""
    words = ["tshark", "-n", "-r", pcap, "-T", "fields", "-o", "tcp.reassemble_out_of_order:TRUE", *extra]
    for name in names:
        words += ["-e", name]
    done = subprocess.run([*words, *(["-Y", shown] if shown else [])], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


# --- the times of tshark, each under a key that the store has as well ---------------------------------------------
def http_times(pcap, extra):
    """From the packet that ends a request to the one that ends its answer; by client port and order."""
    found = collections.defaultdict(list)
    for port, code, took in fields(pcap, "http.response.code >= 200 && http.time", "tcp.dstport",
                                   "http.response.code", "http.time", extra=extra):
        for one in zip(code.split(","), took.split(",")):
            found[(int(port), int(one[0]))].append(float(one[1]))
    return found


def h2_times(pcap, extra):
    """From the first HEADERS of a stream to the first one against it; by client port and stream."""
    asked, found = {}, collections.defaultdict(list)
    for at, source, target, kinds, streams in fields(pcap, "http2.headers", "frame.time_epoch", "tcp.srcport", "tcp.dstport",
                                                     "http2.type", "http2.streamid", extra=(*extra, *DECODE)):
        for kind, stream in zip(kinds.split(","), streams.split(",")):
            if kind != "1" or stream == "0":
                continue
            there, back = (source, target, stream), (target, source, stream)
            if back in asked and there not in asked:
                key = (int(target), int(stream))
                if not found[key]:
                    found[key].append(float(at) - asked[back])
            else:
                asked.setdefault(there, float(at))
    return found


def dns_times(pcap, extra):
    found = collections.defaultdict(list)
    for number, udp, tcp, took in fields(pcap, "dns.flags.response == 1 && dns.time && !dns.retransmission", "dns.id",
                                         "udp.dstport", "tcp.dstport", "dns.time", extra=extra):
        found[(int(udp or tcp), int(number, 16))].append(float(took))
    return found


def ntp_times(pcap, extra):
    asked, found = {}, collections.defaultdict(list)
    for frame, at, mode, source, target in fields(pcap, "ntp", "frame.number", "frame.time_epoch", "ntp.flags.mode",
                                                  "udp.srcport", "udp.dstport", extra=extra):
        if mode == "3":
            asked[source] = (int(frame), float(at))
        elif mode == "4" and target in asked:
            first, began = asked.pop(target)
            found[(first, 0)].append(float(at) - began)
    return found


def turn_times(pcap, extra):
    """From the last packet with bytes of the client to the server's first one behind it; by frame."""
    last, found = {}, collections.defaultdict(list)
    for frame, at, stream, flags, source, target in fields(
            pcap, "tcp.len > 0 && !tcp.analysis.retransmission", "frame.number", "frame.time_epoch", "tcp.stream",
            "tcp.flags", "tcp.srcport", "tcp.dstport", extra=extra):
        if int(source) > int(target):  # the servers' ports are below the clients'
            last[stream] = (int(frame), float(at))
        elif stream in last:
            first, began = last.pop(stream)
            found[(first, 0)].append(float(at) - began)
    return found


JOIN = " FROM {} r JOIN flows f ON f.id = r.flow_id "
TIMES = {
    "http": (http_times, "SELECT f.client_port, r.status, r.response_end_ns - r.request_end_ns" +
             JOIN.format("http_transactions") + "WHERE r.status IS NOT NULL AND r.complete AND r.stream IS NULL"
             " ORDER BY f.client_port, r.number"),
    "h2": (h2_times, "SELECT f.client_port, r.stream, r.response_ns - r.request_ns" + JOIN.format("http_transactions") +
           "WHERE r.response_ns IS NOT NULL AND r.request_ns IS NOT NULL AND r.stream IS NOT NULL"),
    "dns": (dns_times, "SELECT f.client_port, r.query_id, r.response_ns" + JOIN.format("dns_transactions") +
            "WHERE r.answer_ns IS NOT NULL AND r.tries > 0 ORDER BY r.query_ns"),
    "ntp": (ntp_times, "SELECT r.request_frame, 0, r.reply_ns - r.request_ns" + JOIN.format("ntp_samples") +
            "WHERE r.reply_ns IS NOT NULL AND r.request_ns IS NOT NULL"),
    "turns": (turn_times, "SELECT r.frame, 0, r.reply_ns - r.time_ns" + JOIN.format("app_commands") +
              "WHERE r.reply_ns IS NOT NULL"),
}


class Result:
    def __init__(self):
        self.log = self.kept = self.compared = self.off = 0
        self.worst_s = 0.0
        self.notes, self.findings = [], []


def compare_times(kind, pcap, db, extra, out):
    measure, query = TIMES[kind]
    told = collections.defaultdict(list)
    for a, b, took in db.execute(query):
        told[(a, b)].append(took / 1e9)
    for key, wanted in measure(pcap, extra).items():
        if key not in told:
            continue
        if len(wanted) < len(told[key]):
            continue  # tshark takes pipelined answers for one
        if len(wanted) > len(told[key]):
            out.notes.append(f"{kind}: {len(told[key])} times told, {len(wanted)} by tshark under {key}")
        for mine, theirs in zip(told[key], wanted):
            gap = abs(mine - theirs)
            out.compared += 1
            out.worst_s = max(out.worst_s, gap)
            if gap > max(LIMIT_S, LIMIT_SHARE * theirs):
                out.off += 1
                out.notes.append(f"{kind} {key}: told {mine * 1000:.3f} ms, tshark {theirs * 1000:.3f} ms")


def compare(binary, lab, found):
    out = Result()
    pcap = lab.taps[0][1]
    store = pcap + ".db"
    if os.path.exists(store):
        os.unlink(store)
    words = ["--keylog", found.keylog] if found.keylog else []
    done = subprocess.run([binary, "read", "-q", "--db", store, *words, pcap], capture_output=True, text=True)
    if done.returncode != 0:
        out.notes.append(f"invcap: exit {done.returncode}: {done.stderr.strip()}")
        return out
    db = sqlite3.connect(store)
    kept = collections.Counter(db.execute(found.kept) if isinstance(found.kept, str) else found.kept(db))
    out.log, out.kept = sum(found.log.values()), sum(kept.values())
    if out.log == 0:
        out.notes.append("nothing in the log")
    for name, some in (("only in the log", found.log - kept), ("only in the store", kept - found.log)):
        for entry, count in list(some.items())[:6]:
            out.notes.append(f"{name}: {count} x {entry}")
    extra = ["-o", f"tls.keylog_file:{found.keylog}"] if found.keylog else []
    for kind in found.times.split():
        compare_times(kind, pcap, db, extra, out)
    accusing = db.execute("SELECT code, severity FROM findings WHERE severity IN ('medium', 'high', 'critical')").fetchall()
    out.findings = sorted({code for code, _ in accusing})
    db.close()
    return out


def _too_long(_signal, _frame):
    raise TimeoutError(f"longer than {LONGEST_S} s")


def run_one(name, options, work, out, keys):
    lab = net.Lab(work, out, name)
    lab.pki = keys
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(LONGEST_S)
    try:
        found = case.table[name][0](lab)
    finally:
        signal.alarm(0)
        lab.close()
    return compare(options.binary, lab, found)


def write_table(file, rows):
    """The table between the two marks of a page is made anew."""
    head, rest = open(file).read().split("<!-- table -->\n", 1)
    tail = rest.split("<!-- end -->", 1)[1]
    body = "| case | software | what | log | store | times | largest difference |\n|---|---|---|---:|---:|---:|---:|\n"
    for name, r in rows:
        _, software, about = case.table[name]
        worst = f"{r.worst_s * 1e6:.0f} µs" if r.compared else ""
        body += f"| {name} | {software} | {about} | {r.log} | {r.kept} | {r.compared or ''} | {worst} |\n"
    with open(file, "w") as f:
        f.write(head + "<!-- table -->\n" + body + "<!-- end -->" + tail)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--binary", default=os.path.join(HERE, "../../build/invcap"))
    parser.add_argument("--table")
    parser.add_argument("--keep")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    import live
    for module in pkgutil.iter_modules(live.__path__):
        importlib.import_module("live." + module.name)
    chosen = [n for n in case.table if not options.names or any(fnmatch.fnmatch(n, p) for p in options.names)]
    if options.list:
        for name in chosen:
            print(f"{name:24} {case.table[name][1]:28} {case.table[name][2]}")
        return 0
    work = tempfile.mkdtemp(prefix="invcap-live.")
    out = options.keep or os.path.join(work, "out")
    os.makedirs(out, exist_ok=True)
    rows, bad = [], []
    try:
        keys = pki.Pki(os.path.join(work, "pki"))
        for name in chosen:
            try:
                result = run_one(name, options, work, out, keys)
            except Exception:
                traceback.print_exc()
                bad.append(name)
                continue
            rows.append((name, result))
            if result.notes:
                bad.append(name)
            print(f"{'OFF ' if result.notes else 'well'} {name:24} log {result.log:6} store {result.kept:6} "
                  f"times {result.compared:5}, worst {result.worst_s * 1e6:6.0f} us  {' '.join(result.findings)}", flush=True)
            for note in result.notes[:12]:
                print("       ", note, flush=True)
        if options.table:
            write_table(options.table, rows)
    finally:
        if not options.keep:
            shutil.rmtree(work, ignore_errors=True)
    print(f"{len(rows)} cases, {sum(r.log for _, r in rows)} log entries, {sum(r.compared for _, r in rows)} times; "
          f"{len(bad)} not as they should be: {' '.join(bad)}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
