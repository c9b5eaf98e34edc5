"""Servers starved by clients that trickle; and the uploads, polls, streams and terminals that are merely slow."""
import contextlib
import socket
import ssl
import time

import peers
import web
from net import NAME, SERVER, SERVER6
from peers import expect
from runner import scenario
from scenarios.misuse import ATTACKER, tool
from scenarios.reach import contrast, usual


# --- starved servers ------------------------------------------------------------------------------------------------
def starve(lab, *words):
    return tool(lab, "slowhttptest", "-c", "11", "-r", "20", "-l", "26", "-p", "3", *words, seconds=40)


def crowd(lab, work, count=12):
    """So many at once, each in a thread of its own."""
    for t in [lab.thread(work) for _ in range(count)]:
        t.join()


@scenario("slow-headers", "slowhttptest trickles request headers on 11 connections to nginx (slowloris)")
def slow_headers(lab):
    lab.start(delay_ms=2)
    usual(lab)
    lab.ip("c", "route", "change", "default", "via", "10.20.1.1", "src", ATTACKER)
    with lab.capture("m"):
        contrast(lab)
        starve(lab, "-H", "-i", "4", "-x", "24", "-u", f"http://{SERVER}:8080/api/v1/orders")
        contrast(lab)


@scenario("slow-body", "slowhttptest trickles POST bodies on 11 connections to haproxy")
def slow_body(lab):
    lab.start(delay_ms=2)
    usual(lab)
    peers.listen(lab, 9301, peers.http_handler())
    web.haproxy(lab, f"listen in\n  bind {SERVER}:8101\n  timeout server 40s\n  server a {SERVER}:9301\n", 8101)
    lab.ip("c", "route", "change", "default", "via", "10.20.1.1", "src", ATTACKER)
    with lab.capture("m"):
        contrast(lab)
        starve(lab, "-B", "-i", "4", "-s", "8192", "-x", "16", "-u", f"http://{SERVER}:8101/api/v1/orders")
        contrast(lab)


def client_hello():
    """A real ClientHello of OpenSSL."""
    out = ssl.MemoryBIO()
    context = ssl.create_default_context()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=NAME).do_handshake()
    return out.read()


@scenario("slow-hello", "12 connections feed a ClientHello to 443 by 40 bytes each second and a half")
def slow_hello(lab):
    lab.start(delay_ms=2)
    usual(lab)
    hello = client_hello()

    def feed():
        s = peers.connect(lab, 443, src=ATTACKER)
        for at in range(0, 400, 40):
            s.sendall(hello[at:at + 40])
            time.sleep(1.5)
        s.close()
    with lab.capture("m"):
        contrast(lab)
        feeding = [lab.thread(feed) for _ in range(12)]
        for t in feeding:
            t.join()
        contrast(lab)


@scenario("slow-headers-6", "12 connections over IPv6 trickle a request line and headers, each a few bytes in 2 s")
def slow_headers_6(lab):
    lab.start(delay_ms=2, ipv6=True)
    peers.nginx(lab, peers.http_server(lab, 8080, ip=SERVER6))

    def feed(n):
        s = peers.connect(lab, 8080, ip=SERVER6)
        text = peers.request(extra=f"X-Session: {n:08d}\r\n")[:-2]
        for at in range(0, 72, 9):
            s.sendall(text[at:at + 9])
            time.sleep(2)
        s.close()
    with lab.capture("m"):
        expect(peers.http(lab, ip=SERVER6), "200")
        feeding = [lab.thread(feed, n) for n in range(12)]
        for t in feeding:
            t.join()
        expect(peers.http(lab, ip=SERVER6), "200")


# --- healthy: long and slow ---------------------------------------------------------------------------------------------
@scenario("thin-uploads", "12 invoices are uploaded over a thin line, each for 13 s, and every one comes through: healthy")
def thin_uploads(lab):
    free = {"at": 0.0}

    def rule(f, now):
        # 9,600 bytes a second for all together, in both directions' order of arrival.
        if f.direction != ">" or not f.payload:
            return None
        free["at"] = max(free["at"], now) + len(f.raw) / 9600
        return [(free["at"] - now, ">", f.raw)]
    lab.start(rule=rule, delay_ms=4)
    usual(lab)
    peers.listen(lab, 8101, peers.http_handler(keep=False))

    def upload():
        s = peers.connect(lab, 8101, src=ATTACKER, timeout=60)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        s.sendall(peers.request("/api/v1/upload", method="POST", body=b"<invoice/>" * 1000))
        expect(peers.read_answer(s).decode(), "200 OK")
        s.close()
    with lab.capture("m", snaplen=128):
        crowd(lab, upload)


@scenario("quiet-clients", "10 long polls, 10 idle kept-alive connections and 10 event streams of one host: healthy")
def quiet_clients(lab):
    lab.start(delay_ms=2)
    usual(lab)

    def poll(conn, _peer):
        with conn:
            peers.read_request(conn)
            time.sleep(14)
            conn.sendall(peers.answer())

    def events(conn, _peer):
        with conn:
            peers.read_request(conn)
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
            for n in range(5):
                conn.sendall(b"data: %d\n\n" % n)
                time.sleep(2.8)
    peers.listen(lab, 8101, poll)
    peers.listen(lab, 8102, events)
    peers.listen(lab, 8103, peers.http_handler())

    def ask(port, path, pause):
        s = peers.connect(lab, port, src=ATTACKER, timeout=30)
        s.sendall(peers.request(path))
        while s.recv(4096) and not pause:
            pass
        time.sleep(pause)
        s.close()
    with lab.capture("m"):
        waiting = [lab.thread(ask, port, path, pause) for _ in range(10)
                   for port, path, pause in ((8101, "/poll", 0.1), (8102, "/events", 0), (8103, "/api/v1/orders", 14))]
        for t in waiting:
            t.join()


@scenario("chunk-streams", "12 agents of one host stream their measurements, one whole chunk each second and a half: healthy")
def chunk_streams(lab):
    lab.start(delay_ms=2)
    usual(lab)

    def collect(conn, _peer):
        with conn:
            data = b""
            while b"0\r\n\r\n" not in data:
                more = conn.recv(4096)
                if not more:
                    return
                data += more
            conn.sendall(peers.answer())
    peers.listen(lab, 8101, collect)

    def send():
        s = peers.connect(lab, 8101, src=ATTACKER, timeout=30)
        s.sendall(peers.request("/metrics", method="POST", extra="Transfer-Encoding: chunked\r\n"))
        for n in range(9):
            s.sendall(b'16\r\n{"node":7,"load":%4d}\r\n' % n)
            time.sleep(1.5)
        s.sendall(b"0\r\n\r\n")
        expect(peers.read_answer(s).decode(), "200 OK")
        s.close()
    with lab.capture("m"):
        crowd(lab, send)


@scenario("typing-clients", "12 terminals type into a line protocol, a key each second: healthy")
def typing_clients(lab):
    lab.start(delay_ms=2)
    usual(lab)

    def echo(conn, _peer):
        with conn:
            while conn.recv(4096):
                pass
    peers.listen(lab, 8104, echo)

    def type_slowly():
        s = peers.connect(lab, 8104, src=ATTACKER, timeout=30)
        for letter in b"GET INVOICE 12\n":
            s.sendall(bytes([letter]))
            time.sleep(1)
        s.close()
    with lab.capture("m"):
        crowd(lab, type_slowly)
