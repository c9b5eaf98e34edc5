"""The faults of the way over IPv6, after TCP was established, each from several capture points as in reach6; and the healthy
traffic that looks alike."""
import socket
import time

import peers
from net import CLIENT6, CLIENTS4, SERVER6
from peers import expect
from runner import scenario
from scenarios.path import ask, gated
from scenarios.reach import contrast
from scenarios.reach6 import TAG, start, waits, well
from scenarios.resets import early, forge, on_word
from scenarios.way import BODY, each_nth, forgetful


def idle(lab, verdict):
    start(lab, peers.http_server(lab, 8201, ip=SERVER6))
    forgetful(lab, verdict)
    with lab.capture("cms"):
        well(lab)
        pool = [peers.connect(lab, 8201, ip=SERVER6) for _ in range(2)]
        for s in pool:
            ask(s)
            time.sleep(0.3)
            ask(s)
        waits(lab, 7.8, 2.6)
        for s in pool:
            s.sendall(peers.request("/api/v1/reconcile"))
        waits(lab, 5.6, 2.8)
        for s in pool:
            peers.abort(s)
        time.sleep(0.1)
        well(lab)


@scenario("idle-drop6", "IPv6: the firewall forgets idle connections after 5 s and drops what follows")
def idle_drop6(lab):
    idle(lab, "drop")


@scenario("idle-reset6", "IPv6: the firewall forgets idle connections after 5 s and resets what follows")
def idle_reset6(lab):
    idle(lab, "reject with tcp reset")


@scenario("vanished6", "IPv6: a server disappears in the middle of an upload; another address of it goes on")
def vanished6(lab):
    start(lab)
    other = SERVER6[:-2] + "21"
    lab.ip("s", "-6", "addr", "add", f"{other}/64", "dev", "s0", "nodad")
    peers.listen(lab, 8101, peers.swallows, ip=other)
    with lab.capture("cms"):
        well(lab, 2)
        s = peers.connect(lab, 8101, ip=other)
        s.sendall(peers.request("/api/v1/upload", method="POST", body=b"x" * 9000)[:4500])
        time.sleep(0.2)
        lab.ip("s", "-6", "addr", "del", f"{other}/64", "dev", "s0")
        lab.firewall(f"ip6 daddr {other} drop")
        s.sendall(b"y" * 1000)
        waits(lab, 7, 1.75)
        peers.abort(s)
        time.sleep(0.1)
        well(lab)


@scenario("hello-dropped6", "IPv6: a filter between tap m and server drops what holds the SNI pay.example.cn")
def hello_dropped6(lab):
    start(lab, rule_far=on_word(b"pay.example.cn", lambda f: []))
    with lab.capture("cms"):
        well(lab, 2)
        late = [lab.thread(lambda: peers.https(lab, name="pay.example.cn", ip=SERVER6, timeout=7)) for _ in range(2)]
        waits(lab, 7, 2.4)
        for t in late:
            t.join()
        time.sleep(0.3)
        well(lab)


@scenario("reset-by-server6", "IPv6: the server reads a request and resets the connection")
def reset_by_server6(lab):
    start(lab)
    peers.listen(lab, 8101, peers.resets, ip=SERVER6)
    with lab.capture("cms"):
        well(lab, 2)
        for _ in range(3):
            expect(peers.http(lab, 8101, ip=SERVER6), "ConnectionReset")
        well(lab)


@scenario("no-answer6", "IPv6: the server takes a request and never answers; the client closes after 5 s")
def no_answer6(lab):
    start(lab)
    peers.listen(lab, 8101, peers.holds(), ip=SERVER6)
    with lab.capture("cms"):
        well(lab, 2)
        waiting = [peers.connect(lab, 8101, ip=SERVER6) for _ in range(2)]
        for s in waiting:
            s.sendall(peers.request("/api/v1/payments", method="POST", body=b'{"no":"1"}'))
        waits(lab, 5, 1.7)
        for s in waiting:
            s.close()
        time.sleep(0.1)
        well(lab)


@scenario("truncated6", "IPv6: the server announces 1676 bytes, sends half of them and closes")
def truncated6(lab):
    start(lab)
    peers.listen(lab, 8101, peers.halves(BODY), ip=SERVER6)
    with lab.capture("cms"):
        well(lab, 2)
        for _ in range(2):
            peers.http(lab, 8101, ip=SERVER6)
        well(lab)


@scenario("slow-response6", "IPv6: 8201 answers six requests at once and then needs 4 s for two")
def slow_response6(lab):
    start(lab)
    asked = []

    def handle(conn, _peer):
        with conn:
            while peers.read_request(conn):
                asked.append(1)
                time.sleep(4.0 if len(asked) > 6 else 0.0)
                conn.sendall(peers.answer())
    peers.listen(lab, 8201, handle, ip=SERVER6)
    with lab.capture("cms"):
        well(lab)
        pool = [peers.connect(lab, 8201, ip=SERVER6, timeout=9) for _ in range(2)]
        for _ in range(3):
            for s in pool:
                ask(s)
        for s in pool:
            s.sendall(peers.request("/api/v1/reconcile"))
        for s in pool:
            expect(peers.read_answer(s).decode(), "200 OK")
            s.close()
        well(lab)


@scenario("zero-window6", "IPv6: the server stops reading an upload for 3 s: its window is zero")
def zero_window6(lab):
    start(lab)
    peers.listen(lab, 8201, peers.reads_late, ip=SERVER6, rcvbuf=2304)
    with lab.capture("cms"):
        well(lab, 2)
        s = peers.connect(lab, 8201, ip=SERVER6)
        peers.ask(s, "/api/v1/upload", method="POST", body=b"u" * 12000)
        s.close()
        well(lab)


def bulk6(lab, taps, size=19000, **options):
    """A download in small segments, so that more than a hundred of them stay a small file."""
    start(lab, **options)
    peers.listen(lab, 8201, peers.http_handler(body=b"i" * size), ip=SERVER6, mss=200)
    with lab.capture(taps):
        well(lab)
        expect(peers.http(lab, 8201, "/api/v1/export", ip=SERVER6), "200")
        well(lab)


@scenario("loss6", "IPv6: every 33rd data segment is lost between tap m and the client, and recovered")
def loss6(lab):
    lose = each_nth(33, 17)
    bulk6(lab, "cm", rule=lambda f, now: [] if lose(f) else None)


@scenario("loss-far6", "IPv6: every 33rd data segment is lost between server and tap m, and recovered")
def loss_far6(lab):
    lose = each_nth(33, 17)
    bulk6(lab, "ms", rule_far=lambda f, now: [] if lose(f) else None)


@scenario("reordering6", "IPv6: every 33rd data segment arrives 2 ms late; nothing is lost")
def reordering6(lab):
    late = each_nth(33, 17)
    bulk6(lab, "c", rule_far=lambda f, now: [(0.002, f.direction, f.raw)] if late(f) else None)


@scenario("rst-taps", "a box between tap m and server resets both ends when it sees an SNI; three capture points")
def rst_taps(lab):
    def acts(f):
        return [(0, ">", forge(f, False, ttl=47, ident=9)), (-0.0025, "<", forge(f, True, ttl=47, ident=9))]
    lab.start(rule_far=on_word(b"pay.example.cn", acts), vlan=TAG)
    peers.nginx(lab, peers.tls_server(lab) + peers.http_server(lab))
    with lab.capture("cms"):
        contrast(lab)
        for src in CLIENTS4[:3]:
            expect(peers.https(lab, name="pay.example.cn", src=src), "ConnectionReset")
        contrast(lab)


@scenario("rst-taps6", "the same over IPv6, only the client is reset, and the server's answer still comes")
def rst_taps6(lab):
    start(lab, rule_far=on_word(b"pay.example.cn", lambda f: early(f, forge(f, True, ttl=51))))
    with lab.capture("cms"):
        well(lab, 2)
        for _ in range(3):
            expect(peers.https(lab, name="pay.example.cn", ip=SERVER6), "ConnectionReset")
        well(lab)


@scenario("rst-offset6", "IPv6: resets of the right hop limit whose sequence steps by 1440, three at once")
def rst_offset6(lab):
    start(lab, rule_far=on_word(b"/secret/", lambda f: early(
        f, *(forge(f, True, ttl=56, shift=shift) for shift in (0, 1440, 2880)))))
    peers.listen(lab, 8201, peers.http_handler(think=0.01), ip=SERVER6)
    with lab.capture("cm"):
        well(lab, 2)
        for _ in range(3):
            expect(peers.http(lab, 8201, path="/secret/list", ip=SERVER6), "ConnectionReset")
        well(lab)


@scenario("flapping6", "IPv6: a server is gone for four seconds, twice")
def flapping6(lab):
    start(lab, rule_far=gated(lab))
    with lab.capture("cm"):
        for _ in range(2):
            well(lab)
            time.sleep(0.3)
            lab.flag.value = 1
            peers.try_connect(lab, 8080, ip=SERVER6, timeout=3.9)
            lab.flag.value = 0
            time.sleep(0.1)
        well(lab, 2)


@scenario("client-aborts6", "IPv6: the client resets 0.3 s after its request, before the server could answer")
def client_aborts6(lab):
    start(lab)
    peers.listen(lab, 8101, peers.http_handler(think=1.2), ip=SERVER6)
    with lab.capture("ms"):
        well(lab, 2)
        for _ in range(2):
            s = peers.connect(lab, 8101, ip=SERVER6)
            s.sendall(peers.request("/api/v1/payments"))
            time.sleep(0.3)
            peers.abort(s)
        well(lab)
        expect(peers.http(lab, 8101, ip=SERVER6), "200")


# --- what looks alike ---------------------------------------------------------------------------------------------
@scenario("ends6", "IPv6: both sides close at once, LINGER 0 after the answer, a port used again, keep-alives, health "
          "checks that end by RST: healthy")
def ends6(lab):
    start(lab)
    peers.listen(lab, 8201, peers.http_handler(), ip=SERVER6)

    def both_close(conn, _peer):
        peers.read_request(conn)
        conn.sendall(peers.answer())
        time.sleep(0.1)
        conn.close()
    peers.listen(lab, 8101, both_close, ip=SERVER6)
    with lab.capture("cms"):
        well(lab, 2)
        for _ in range(2):
            s = peers.connect(lab, 8101, ip=SERVER6)
            ask(s)
            time.sleep(0.09)  # the server's FIN is on its way when this one leaves
            s.close()
        for _ in range(2):
            s = peers.connect(lab, 8201, ip=SERVER6)
            ask(s)
            peers.abort(s)
        for _ in range(2):
            s = peers.connect(lab, 8201, ip=SERVER6, src=CLIENT6, sport=41000)
            ask(s)
            s.close()
            time.sleep(0.1)
        for _ in range(4):
            peers.abort(peers.connect(lab, 8080, ip=SERVER6))
            time.sleep(0.2)
        s = peers.connect(lab, 8201, ip=SERVER6)
        for key, value in ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1)):
            s.setsockopt(socket.IPPROTO_TCP, key, value)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        ask(s)
        time.sleep(3.6)
        ask(s)
        s.close()
        well(lab)
