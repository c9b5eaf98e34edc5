"""Who is slow: paths, servers and clients that take their time; and what only looks like it.

The way has two parts, client to tap and tap to server; each delays both directions by half of its round trip, which may
change while a scenario runs.
"""
import contextlib
import multiprocessing
import random
import socket
import ssl
import time

import peers
import staple
from net import CLIENT, CLIENTS4, NAME, SERVER, SERVER2, SERVER6
from peers import expect
from runner import scenario
from scenarios.reach import contrast, usual
from scenarios.tls import gnutls

NEAR, FAR = 0, 1


def start(lab, client_ms=6.0, server_ms=6.0, **options):
    """The usual picture with the given round trips on both sides of the tap."""
    lab.halves = [multiprocessing.Value("d", ms / 2000) for ms in (client_ms, server_ms)]

    def rule(side):
        return lambda frame, _now: [(lab.halves[side].value, frame.direction, frame.raw)]
    lab.start(rule=rule(NEAR), rule_far=rule(FAR), delay_ms=0, **options)


def set_rtt(lab, side, ms):
    lab.halves[side].value = ms / 2000


def asks(lab, count, pause=0.0, port=8080, **options):
    for _ in range(count):
        expect(peers.http(lab, port, **options), "200")
        time.sleep(pause)


@scenario("latency-server", "every round trip between tap and server takes 350 ms, from the first packet to the last")
def latency_server(lab):
    start(lab, server_ms=350)
    usual(lab)
    with lab.capture("m"):
        asks(lab, 4)
        expect(peers.https(lab, src=CLIENTS4[1]), "200")


@scenario("latency-client", "every round trip between tap and client takes 350 ms")
def latency_client(lab):
    start(lab, client_ms=350)
    usual(lab)
    with lab.capture("m"):
        asks(lab, 4)
        expect(peers.https(lab, src=CLIENTS4[1]), "200")


@scenario("latency-ipv6", "the same on the server's side over IPv6, with 420 ms")
def latency_ipv6(lab):
    start(lab, server_ms=420, ipv6=True)
    peers.nginx(lab, peers.http_server(lab, 8080, ip=SERVER6))
    with lab.capture("m"):
        asks(lab, 5, ip=SERVER6)


@scenario("latency-step", "the round trip between tap and server goes from 20 to 80 ms in mid-capture, and stays")
def latency_step(lab):
    start(lab, server_ms=20)
    usual(lab)
    with lab.capture("m"):
        asks(lab, 9, 0.15)
        set_rtt(lab, FAR, 80)
        asks(lab, 9, 0.15)


@scenario("latency-step-client", "the round trip between tap and client goes from 15 to 60 ms, and stays")
def latency_step_client(lab):
    start(lab, client_ms=15)
    usual(lab)
    with lab.capture("m"):
        asks(lab, 8, 0.15)
        set_rtt(lab, NEAR, 60)
        asks(lab, 8, 0.15)


@scenario("latency-step-kept", "two kept-alive connections live through a step from 15 to 90 ms on the server's side")
def latency_step_kept(lab):
    start(lab, server_ms=15)
    usual(lab)
    peers.listen(lab, 8201, peers.http_handler())
    body = b"i" * 3000
    with lab.capture("m"):
        kept = [peers.connect(lab, 8201, src=CLIENT) for _ in range(2)]
        for turn in range(16):
            if turn == 8:
                set_rtt(lab, FAR, 90)
            for s in kept:
                s.sendall(peers.request("/api/v1/push", method="POST", body=body))
                expect(peers.read_answer(s).decode(), "200 OK")
            time.sleep(1.0)
        for s in kept:
            s.close()


def swings(lab, **options):
    dice = random.Random(7)
    for _ in range(24):
        set_rtt(lab, FAR, dice.choice((10, 20, 40, 70, 110)))
        asks(lab, 1, 0.12, **options)


@scenario("path-jitter", "the round trip to the server swings between 10 and 110 ms from packet to packet")
def path_jitter(lab):
    start(lab, server_ms=10)
    usual(lab)
    with lab.capture("cm"):
        swings(lab)


@scenario("path-jitter6", "IPv6, tagged: the same")
def path_jitter6(lab):
    start(lab, server_ms=10, ipv6=True, vlan=210)
    usual(lab, peers.http_server(lab, 8080, ip=SERVER6))
    with lab.capture("m"):
        swings(lab, ip=SERVER6)


class SlowTls:
    """A TLS server whose ServerHello, or whose Finished, comes late."""
    def __init__(self, lab, wait, late_finished=False):
        self.wait, self.late = wait, late_finished
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        leaf = lab.pki.path("leaf")
        self.context.load_cert_chain(leaf + ".chain", leaf + ".key")
        if late_finished:
            self.context.maximum_version = ssl.TLSVersion.TLSv1_2

    def __call__(self, conn, _peer):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self.context.wrap_bio(incoming, outgoing, server_side=True)
        turns = 0
        with conn:
            while True:
                incoming.write(conn.recv(16384))
                turns += 1
                if turns == (2 if self.late else 1):
                    time.sleep(self.wait)
                with contextlib.suppress(ssl.SSLWantReadError):
                    tls.do_handshake()
                conn.sendall(outgoing.read())
                if tls.version() and self.done(tls):
                    break
            self.serve(conn, tls, incoming, outgoing)

    @staticmethod
    def done(tls):
        try:
            tls.do_handshake()
            return True
        except ssl.SSLWantReadError:
            return False

    @staticmethod
    def serve(conn, tls, incoming, outgoing):
        while True:
            try:
                tls.read(8192)
                break
            except ssl.SSLWantReadError:
                incoming.write(conn.recv(16384))
        tls.write(peers.answer())
        conn.sendall(outgoing.read())
        time.sleep(0.05)


@scenario("slow-tls", "8443 acknowledges each ClientHello at once and answers it 1.6 s later; 443 is quick")
def slow_tls(lab):
    start(lab)
    usual(lab)
    peers.listen(lab, 8443, SlowTls(lab, 1.6))
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:3]:
            expect(peers.https(lab, 8443, src=src), "200")
        contrast(lab)


@scenario("slow-tls-finished", "8443 (TLS 1.2) takes 1.4 s from the client's key exchange to its own Finished")
def slow_tls_finished(lab):
    start(lab)
    usual(lab)
    peers.listen(lab, 8443, SlowTls(lab, 1.4, late_finished=True))
    context = peers.client_context(lab, high=ssl.TLSVersion.TLSv1_2)
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:3]:
            expect(peers.https(lab, 8443, src=src, context=context), "200")


@scenario("slow-tls-answer", "inside TLS 1.3 one request of twelve waits 4 s for its answer")
def slow_tls_answer(lab):
    start(lab)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf = lab.pki.path("leaf")
    context.load_cert_chain(leaf + ".chain", leaf + ".key")
    waits = {"s": 0.02}

    def handle(conn, _peer):
        with context.wrap_socket(conn, server_side=True) as t:
            while peers.read_request(t):
                time.sleep(waits["s"])
                t.sendall(peers.answer())
    peers.listen(lab, 8443, handle)
    with lab.capture("m"):
        for turn in range(12):
            waits["s"] = 4.0 if turn == 8 else 0.02
            expect(peers.https(lab, 8443, src=CLIENTS4[turn % 3], timeout=9), "200")


@scenario("client-slow", "a client connects and sends its ClientHello 3.5 s later; another pauses before its key exchange")
def client_slow(lab):
    start(lab)
    usual(lab)
    context = peers.client_context(lab)
    with lab.capture("m"):
        contrast(lab)
        s = peers.connect(lab, 443)
        time.sleep(3.5)
        with context.wrap_socket(s, server_hostname=NAME) as t:
            t.sendall(peers.request())
            expect(peers.read_answer(t).decode(), "200")
        contrast(lab)


@scenario("revocation-stall", "GnuTLS asks by OCSP in the middle of its handshakes of TLS 1.2 (8443) and 1.3 (443): the answer comes "
          "4 s late (8444: at once)")
def revocation_stall(lab):
    start(lab)
    wait = {"s": 0.0}

    def responder(conn, _peer):
        with conn:
            if peers.read_request(conn):
                time.sleep(wait["s"])
                with open(answer, "rb") as f:
                    body = f.read()
                conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/ocsp-response\r\nContent-Length: %d\r\n"
                             b"Connection: close\r\n\r\n" % len(body) + body)
    lab.pki.make("asked", NAME, names=[NAME], more=[f"authorityInfoAccess=OCSP;URI:http://{SERVER2}:8880/ocsp"])
    answer = staple.make(lab.pki, "asked.ocsp", "asked")
    usual(lab, peers.tls_server(lab, 8443, cert="asked", protocols="TLSv1.2") + peers.tls_server(lab, 8445, cert="asked"))
    peers.listen(lab, 8880, responder, ip=SERVER2)
    with lab.capture("m"):
        contrast(lab)
        for port, seconds in ((8443, 0.0), (8443, 4.0), (8445, 4.0)):
            wait["s"] = seconds
            expect(gnutls(lab, port, "--ocsp"), "200 OK")
        contrast(lab)


def grows(lab, wait, ip=SERVER, taps="m", size=lambda part: 0):
    """15 s of requests whose answers take wait(part) seconds, where part runs from 0 to 1."""
    part = {"now": 0.0}

    def handle(conn, _peer):
        with conn:
            while peers.read_request(conn):
                time.sleep(wait(part["now"]))
                conn.sendall(peers.answer())
    peers.listen(lab, 8201, handle, ip=ip)
    begin = time.monotonic()
    with lab.capture(taps):
        s = peers.connect(lab, 8201, ip=ip)
        while part["now"] < 1:
            body = b"o" * size(part["now"])
            s.sendall(peers.request("/api/v1/invoices", method="POST", body=body))
            expect(peers.read_answer(s).decode(), "200 OK")
            time.sleep(0.12)
            part["now"] = (time.monotonic() - begin) / 15
        s.close()


@scenario("server-degrading", "the answers of 8201 take 10 ms at first and 200 ms at last, the way stays as it is")
def server_degrading(lab):
    start(lab)
    usual(lab)
    grows(lab, lambda part: 0.01 * 20 ** part, taps="ms")


@scenario("server-step6", "IPv6, tagged: the answers of 8201 take 20 ms, and 150 ms from the middle on")
def server_step6(lab):
    start(lab, ipv6=True, vlan=210)
    usual(lab)
    grows(lab, lambda part: 0.02 if part < 0.5 else 0.15, ip=SERVER6)


@scenario("server-larger", "the answers take longer because ever more is asked: 10 ms per kilobyte")
def server_larger(lab):
    start(lab)
    usual(lab)
    grows(lab, lambda part: 0.01 + 0.2 * part, size=lambda part: 1 + int(20000 * part))


@scenario("ack-stall", "a client sends head and body apart without TCP_NODELAY to a server that delays its acknowledgments")
def ack_stall(lab):
    start(lab)
    usual(lab)

    def handle(conn, _peer):
        with conn:
            while True:
                conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
                if not peers.read_request(conn):
                    break
                conn.sendall(peers.answer())
    peers.listen(lab, 8201, handle)
    with lab.capture("m"):
        s = peers.connect(lab, 8201)
        for _ in range(8):
            s.sendall(peers.request("/api/v1/warm"))
            peers.read_answer(s)
        for _ in range(6):
            whole = peers.request("/api/v1/orders", method="POST", body=b"o" * 200)
            s.send(whole[:-200])
            s.send(whole[-200:])
            expect(peers.read_answer(s).decode(), "200 OK")
        s.close()


@scenario("window-limited", "a receiver with a window of 16 KB over a way of 60 ms holds a download back")
def window_limited(lab):
    start(lab, client_ms=40, server_ms=20)
    usual(lab)
    peers.listen(lab, 8201, peers.http_handler(body=b"i" * 240000))
    with lab.capture("cms"):
        asks(lab, 2)
        s = peers.connect(lab, 8201, rcvbuf=16384)
        s.sendall(peers.request("/api/v1/export"))
        expect(peers.read_answer(s).decode(), "200 OK")
        s.close()


@scenario("window-limited6", "IPv6, tagged: a server with a small receive buffer holds an upload over 60 ms back")
def window_limited6(lab):
    start(lab, client_ms=40, server_ms=20, ipv6=True, vlan=210)
    usual(lab)
    peers.listen(lab, 8201, peers.http_handler(), ip=SERVER6, rcvbuf=16384)
    with lab.capture("ms"):
        s = peers.connect(lab, 8201, ip=SERVER6)
        s.sendall(peers.request("/api/v1/import", method="POST", body=b"i" * 240000))
        expect(peers.read_answer(s).decode(), "200 OK")
        s.close()


@scenario("window-enough", "the same way and as much data, sent as the application makes it: 16 KB each 70 ms")
def window_enough(lab):
    start(lab, client_ms=40, server_ms=20)
    usual(lab)

    def handle(conn, _peer):
        with conn:
            while peers.read_request(conn):
                head, body = peers.answer(body=b"i" * 240000).split(b"\r\n\r\n")
                conn.sendall(head + b"\r\n\r\n")
                for at in range(0, len(body), 16384):
                    conn.sendall(body[at:at + 16384])
                    time.sleep(0.07)
    peers.listen(lab, 8201, handle)
    with lab.capture("cms"):
        expect(peers.http(lab, 8201, "/api/v1/export"), "200")


# --- what only looks like it --------------------------------------------------------------------------------------
@scenario("far-steady", "a server 240 ms away, steady: far is not slow, and no step")
def far_steady(lab):
    start(lab, server_ms=240)
    usual(lab)
    with lab.capture("m"):
        asks(lab, 12, 0.05)


@scenario("one-slow-handshake", "one connection of fourteen meets 500 ms, the others 12 ms")
def one_slow_handshake(lab):
    start(lab)
    usual(lab)
    with lab.capture("m"):
        asks(lab, 6, 0.1)
        set_rtt(lab, FAR, 500)
        asks(lab, 1)
        set_rtt(lab, FAR, 6)
        asks(lab, 7, 0.1)


@scenario("delay-spike", "half a second in which the way takes 150 ms, then it is as before: no step")
def delay_spike(lab):
    start(lab, server_ms=15)
    usual(lab)
    with lab.capture("m"):
        asks(lab, 10, 0.1)
        set_rtt(lab, FAR, 150)
        asks(lab, 2)
        set_rtt(lab, FAR, 15)
        asks(lab, 10, 0.1)


@scenario("two-distances", "one client, two servers: 12 ms and 90 ms, first mostly the one, then mostly the other")
def two_distances(lab):
    start(lab)
    peers.nginx(lab, peers.http_server(lab, 8080) + peers.http_server(lab, 8080, ip=SERVER2))
    with lab.capture("m"):
        asks(lab, 8, 0.05)
        set_rtt(lab, FAR, 90)
        asks(lab, 8, 0.05, ip=SERVER2)


@scenario("own-download", "a download through a narrow link fills its queue; handshakes beside it are slower meanwhile")
def own_download(lab):
    start(lab)
    usual(lab)
    size = 90000

    def handle(conn, _peer):
        with conn:
            peers.read_request(conn)
            part = peers.answer(b"d" * size)
            for at in range(0, len(part), 1400):
                conn.sendall(part[at:at + 1400])
                time.sleep(0.02)
    peers.listen(lab, 8201, handle)
    with lab.capture("m", snaplen=160):
        asks(lab, 8, 0.15)
        t = lab.thread(lambda: expect(peers.http(lab, 8201, "/api/v1/export", timeout=9), "200"))
        set_rtt(lab, FAR, 70)
        asks(lab, 5, 0.1)
        t.join()
        set_rtt(lab, FAR, 6)
        asks(lab, 2, 0.1)


@scenario("quick-tls", "TLS handshakes of 1.2 and 1.3 over 200 ms: every step waits for the way, none for the server")
def quick_tls(lab):
    start(lab, client_ms=20, server_ms=200)
    usual(lab)
    old = peers.client_context(lab, high=ssl.TLSVersion.TLSv1_2)
    with lab.capture("m"):
        for src in CLIENTS4[:2]:
            expect(peers.https(lab, src=src), "200")
            expect(peers.https(lab, src=src, context=old), "200")


@scenario("tls-push", "inside TLS the server pushes news every few seconds: nobody waits for an answer")
def tls_push(lab):
    start(lab)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf = lab.pki.path("leaf")
    context.load_cert_chain(leaf + ".chain", leaf + ".key")

    def handle(conn, _peer):
        with context.wrap_socket(conn, server_side=True) as t:
            peers.read_request(t)
            t.sendall(peers.answer())
            for wait in (0.1, 3.4, 0.1, 3.6):
                time.sleep(wait)
                t.sendall(b"event: invoice\r\n" * 4)
                t.recv(100)
    peers.listen(lab, 8443, handle)
    tls = peers.client_context(lab)
    with lab.capture("m"):
        with tls.wrap_socket(peers.connect(lab, 8443, timeout=9), server_hostname=NAME) as t:
            t.sendall(peers.request("/api/v1/events"))
            peers.read_answer(t)
            for _ in range(4):
                t.recv(8192)
                t.sendall(b"ack")
        for _ in range(2):
            expect(peers.https(lab, 8443, path="/api/v1/x"), "200")


@scenario("mixed-answers", "quick and slow reports ask by turns for the same minute: not a server that becomes slower")
def mixed_answers(lab):
    start(lab)
    usual(lab)

    def handle(conn, _peer):
        with conn:
            data = peers.read_request(conn)
            time.sleep(0.25 if b"/report" in data else 0.01)
            conn.sendall(peers.answer())
    peers.listen(lab, 8201, handle)
    with lab.capture("m"):
        for turn in range(42):
            expect(peers.http(lab, 8201, "/api/v1/report" if turn % 3 == 2 else "/api/v1/orders"), "200")
            time.sleep(0.08)
