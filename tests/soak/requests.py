#!/usr/bin/env python3
"""usage: sudo tests/soak/requests.py [--requests N] [--binary build/invcap] [--keep DIR]

wrk asks nginx (namespaces of their own, a capture on the server's link) N times over kept-alive
connections; a backend behind nginx waits 100 ms to 2 s as real applications do. Then:
- every line of nginx's log is one row of http_transactions (client port and number on the connection,
  status, body bytes), and every row is a line;
- services.total_p50/p95/p99 are within 1 % of the percentiles of nginx's $request_time (whole ms), of the
  rows themselves, and of the times that tshark measures in the same packets (--tshark; slow).
Not part of ctest: it takes N / 1000 s and root. Exit status 1 when anything differs."""
import argparse
import asyncio
import collections
import contextlib
import math
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

CLIENT, SERVER, PORT = "10.99.0.1", "10.99.0.2", 8080
CONNECTIONS = 400

NGINX = """
user root; worker_processes 1; daemon off; error_log {dir}/error.log; pid {dir}/nginx.pid;
events {{ worker_connections 4096; }}
http {{
  log_format soak '$remote_port $connection_requests $status $body_bytes_sent $request_time $msec';
  access_log {dir}/access.log soak;
  keepalive_requests 1000000;
  client_body_temp_path {dir}/b; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f;
  uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  upstream app {{ server unix:{dir}/app.sock; keepalive 512; }}
  server {{
    listen {server}:{port};
    location / {{ proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}
"""

LUA = """
local counter = 1
function setup(thread) thread:set("id", counter); counter = counter + 1 end
function init(args) asked = 0; most = {most} end
function request()
  asked = asked + 1
  return wrk.format("GET", "/api/v1/invoice/" .. id .. asked)
end
local answered = 0
function response(status, headers, body)
  answered = answered + 1
  if answered >= most then wrk.thread:stop() end
end
"""


# ---- the backend ----
def wait_s(rng):
    """Log-normal around 250 ms, some slow ones."""
    return min(2.0, max(0.1, rng.lognormvariate(math.log(0.25), 0.5)))


async def answer(reader, writer, rng):
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(wait_s(rng))
            if head.startswith(b"GET /api/v1/invoice/") and rng.random() < 0.01:
                writer.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy")
            else:
                body = b"x" * rng.randrange(20, 2000)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def backend(path):
    rng = random.Random(1)

    async def main():
        server = await asyncio.start_unix_server(lambda r, w: answer(r, w, rng), path, backlog=1024)
        async with server:
            await server.serve_forever()
    asyncio.run(main())


# ---- the ground ----
def run(*words, check=True):
    return subprocess.run(words, check=check, capture_output=True, text=True)


class Ground:
    def __init__(self):
        tag = f"ivs{os.getpid() % 10000}"
        self.spaces = [tag + "c", tag + "s"]
        self.children = []

    def __enter__(self):
        c, s = self.spaces
        for space in self.spaces:
            run("ip", "netns", "add", space)
        run("ip", "link", "add", "v0", "netns", c, "type", "veth", "peer", "name", "v0", "netns", s)
        for space, address in ((c, CLIENT), (s, SERVER)):
            run("ip", "-n", space, "address", "add", address + "/24", "dev", "v0")
            run("ip", "-n", space, "link", "set", "v0", "up")
            run("ip", "-n", space, "link", "set", "lo", "up")
            run("ip", "netns", "exec", space, "ethtool", "-K", "v0", "tso", "off", "gso", "off", "gro", "off",
                check=False)
        return self

    def start(self, space, *words):
        child = subprocess.Popen(["ip", "netns", "exec", space, *words], stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        self.children.append(child)
        return child

    def stop(self, child):
        """Only what was started here, by its own number."""
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def __exit__(self, *_):
        for child in reversed(self.children):
            self.stop(child)
        for space in self.spaces:
            run("ip", "netns", "delete", space, check=False)


def wait_for(path):
    for _ in range(100):
        if os.path.exists(path):
            return
        time.sleep(0.1)
    sys.exit(f"{path} does not appear")


def record(folder, requests):
    """Captures N requests; returns what wrk said."""
    threads = 2
    with open(f"{folder}/nginx.conf", "w") as out:
        out.write(NGINX.format(dir=folder, server=SERVER, port=PORT))
    with open(f"{folder}/ask.lua", "w") as out:
        out.write(LUA.format(most=-(-requests // threads)))
    with Ground() as ground:
        client, server = ground.spaces
        app = subprocess.Popen([sys.executable, os.path.abspath(__file__), "--backend", f"{folder}/app.sock"])
        ground.children.append(app)
        wait_for(f"{folder}/app.sock")
        nginx = ground.start(server, "nginx", "-p", folder, "-c", f"{folder}/nginx.conf")
        wait_for(f"{folder}/nginx.pid")
        dump = ground.start(server, "tcpdump", "-ni", "v0", "-B", "65536", "-s", "0", "-w",
                            f"{folder}/soak.pcap", "tcp")
        wait_for(f"{folder}/soak.pcap")
        time.sleep(1)
        done = run("ip", "netns", "exec", client, "timeout", str(requests // 1000 + 60), "wrk",
                   "-t", str(threads), "-c", str(CONNECTIONS), "-d", f"{requests // 1000 + 30}s",
                   "--timeout", "10s", "-s", f"{folder}/ask.lua", f"http://{SERVER}:{PORT}/")
        time.sleep(3)
        ground.stop(dump)
        ground.stop(nginx)
    return done.stdout


# ---- what came of it ----
def quantile(values, q):
    values = sorted(values)
    return values[max(1, math.ceil(q * len(values))) - 1]


def compare_rows(log, db):
    """Every line is a row, every row a line."""
    logged = collections.Counter((port, number, status, sent) for port, number, status, sent, _ in log)
    kept = collections.Counter(db.execute(
        "SELECT f.client_port, h.number, h.status, h.response_bytes FROM http_transactions h"
        " JOIN flows f ON f.id = h.flow_id WHERE h.status IS NOT NULL"))
    lost, extra = logged - kept, kept - logged
    print(f"nginx logged {sum(logged.values())} requests; the store has {sum(kept.values())} answered ones; "
          f"{sum(lost.values())} missing, {sum(extra.values())} too many")
    for name, some in (("missing", lost), ("too many", extra)):
        for row in list(some)[:5]:
            print(f"  {name}: port {row[0]} number {row[1]} status {row[2]} bytes {row[3]}")
    return not lost and not extra


def tshark_times(path):
    out = run("tshark", "-r", path, "-Y", "http.response", "-T", "fields", "-e", "http.time").stdout
    return [float(line) for line in out.split() if line]


def compare_times(log, db, more):
    row = db.execute("SELECT total_count, total_p50_ns, total_p95_ns, total_p99_ns, requests, errors, number"
                     " FROM services WHERE server_port = ?", (PORT,)).fetchone()
    exact = [t for (t,) in db.execute("SELECT response_end_ns - request_ns FROM http_transactions"
                                      " WHERE status IS NOT NULL")]
    errors = sum(status >= 500 for _, _, status, _, _ in log)
    good = row[5] == errors and row[0] == len(log)
    print(f"errors: nginx {errors}, store {row[5]}; measured {row[0]} of {row[4]} requests")
    minutes = db.execute("SELECT count(*), sum(requests), sum(errors) FROM service_minutes"
                         " WHERE service_number = ?", (row[6],)).fetchone()
    good = good and minutes[1:] == row[4:6]
    print(f"service_minutes: {minutes[0]} rows, {minutes[1]} requests, {minutes[2]} errors")
    others = [("nginx's log", [t for *_, t in log], 0.0005), ("the rows", [t / 1e9 for t in exact], 0)]
    others += [("tshark", more, 0.000001)] if more else []
    for name, times, rounding in others:
        for at, q in ((1, 0.50), (2, 0.95), (3, 0.99)):
            told, wanted = row[at] / 1e9, quantile(times, q)
            off = abs(told - wanted)
            fits = off <= 0.01 * wanted + 1e-9 or off - rounding <= 0.01 * wanted
            good = good and fits
            print(f"P{q * 100:.0f}: told {told * 1000:.2f} ms, {name} {wanted * 1000:.2f} ms, "
                  f"{100 * (told - wanted) / max(wanted, 1e-9):+.2f} %{'' if fits else '  OFF'}")
    return good


def read_log(path):
    rows = []
    with open(path) as lines:
        for line in lines:
            port, number, status, sent, took, _ = line.split()
            if status != "499":  # wrk left before the answer: nothing was sent
                rows.append((int(port), int(number), int(status), int(sent), float(took)))
    return rows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=100000)
    parser.add_argument("--binary", default=os.path.join(os.path.dirname(__file__), "../../build/invcap"))
    parser.add_argument("--keep", help="folder for the capture, the log and the database")
    parser.add_argument("--tshark", action="store_true")
    parser.add_argument("--backend", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.backend:
        return backend(args.backend)
    for tool in ("ip", "nginx", "wrk", "tcpdump", "ethtool"):
        if shutil.which(tool, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") is None:
            sys.exit(f"{tool} is missing: scripts/setup --full")
    folder = args.keep or tempfile.mkdtemp(prefix="ivsoak")
    os.makedirs(folder, exist_ok=True)
    for name in ("access.log", "soak.pcap", "soak.db"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{folder}/{name}")
    try:
        print(record(folder, args.requests))
        began = time.monotonic()
        done = run(args.binary, "read", "-q", "--db", f"{folder}/soak.db", f"{folder}/soak.pcap", check=False)
        if done.returncode != 0:
            sys.exit(f"invcap: exit {done.returncode}: {done.stderr}")
        took = time.monotonic() - began
        db = sqlite3.connect(f"{folder}/soak.db")
        packets = db.execute("SELECT packets, gaps FROM captures").fetchone()
        print(f"{packets[0]} packets read in {took:.1f} s; {packets[1]} gaps in the capture")
        log = read_log(f"{folder}/access.log")
        more = tshark_times(f"{folder}/soak.pcap") if args.tshark else []
        good = [compare_rows(log, db), compare_times(log, db, more)]
        return 0 if all(good) and len(log) >= args.requests else 1
    finally:
        if not args.keep:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
