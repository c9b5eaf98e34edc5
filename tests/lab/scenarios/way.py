"""Faults on the way: TCP was established, then something went wrong; and the healthy traffic that looks alike."""
import socket
import time

import bridge
import peers
from net import CLIENTS4, SERVER, SERVER2
from peers import expect
from runner import scenario
from scenarios.reach import contrast, usual

BODY = b'{"invoices":[' + b'{"no":"044001900111","amount":"1280.50"},' * 40 + b"{}]}"


@scenario("reset-by-server", "the server reads a request and resets the connection")
def reset_by_server(lab):
    lab.start()
    usual(lab)
    peers.listen(lab, 8101, peers.resets)
    with lab.capture("ms"):
        contrast(lab)
        for src in CLIENTS4[:3]:
            expect(peers.http(lab, 8101, src=src), "ConnectionReset")
        contrast(lab)


def waits_in_vain(lab, end):
    lab.start()
    usual(lab)
    peers.listen(lab, 8101, peers.holds())
    with lab.capture("m"):
        contrast(lab)
        waiting = []
        for src in CLIENTS4[:2]:
            s = peers.connect(lab, 8101, src=src)
            s.sendall(peers.request("/api/v1/payments", method="POST", body=b'{"no":"1"}'))
            waiting.append(s)
        for _ in range(4):
            time.sleep(1.25)
            contrast(lab, 1)
        for s in waiting:
            end(s)
        time.sleep(0.1)
        contrast(lab, 1)


@scenario("no-answer-reset", "the server takes a request and never answers; the client resets after 5 s")
def no_answer_reset(lab):
    waits_in_vain(lab, peers.abort)


@scenario("no-answer-fin", "the server takes a request and never answers; the client closes with FIN after 5 s")
def no_answer_fin(lab):
    waits_in_vain(lab, lambda s: s.close())


@scenario("truncated", "the server announces 1676 bytes, sends half of them and closes")
def truncated(lab):
    lab.start()
    usual(lab)
    peers.listen(lab, 8101, peers.halves(BODY))
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:2]:
            peers.http(lab, 8101, src=src)
        contrast(lab)


@scenario("client-aborts", "the client resets 0.3 s after its request, before the server could answer")
def client_aborts(lab):
    lab.start()
    usual(lab)
    peers.listen(lab, 8101, peers.http_handler(think=1.2))
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:2]:
            s = peers.connect(lab, 8101, src=src)
            s.sendall(peers.request("/api/v1/payments"))
            time.sleep(0.3)
            peers.abort(s)
        contrast(lab, 3)
        expect(peers.http(lab, 8101), "200")


def forgetful(lab, verdict):
    """The firewall forgets idle connections after 5 s."""
    # The first rule makes the router track connections at all.
    lab.firewall(f"ct state established accept\nct state invalid meta l4proto tcp {verdict}")
    lab.sysctl("f", "net.netfilter.nf_conntrack_tcp_timeout_established", 5)
    lab.sysctl("f", "net.netfilter.nf_conntrack_tcp_loose", 0)
    # A retransmission would otherwise bring another, longer timer.
    lab.sysctl("f", "net.netfilter.nf_conntrack_tcp_timeout_unacknowledged", 5)


def idle(lab, verdict):
    """A pooled connection idles 8 s; the firewall forgets it before."""
    lab.start()
    forgetful(lab, verdict)
    usual(lab, peers.http_server(lab, 8201))
    with lab.capture("cm"):
        contrast(lab)
        pool = [peers.connect(lab, 8201, src=src) for src in CLIENTS4[:3]]
        for s in pool:
            for _ in range(2):
                peers.ask(s, "/api/v1/reconcile")
                time.sleep(0.3)
        for _ in range(4):
            time.sleep(1.95)
            contrast(lab, 1)
        for s in pool:
            s.sendall(peers.request("/api/v1/reconcile"))
        for _ in range(4):
            time.sleep(1.4)
            contrast(lab, 1)
        for s in pool:
            peers.abort(s)
        time.sleep(0.1)
        contrast(lab, 1)


@scenario("idle-drop", "the firewall forgets idle connections after 5 s and drops what follows")
def idle_drop(lab):
    idle(lab, "drop")


@scenario("idle-reset", "the firewall forgets idle connections after 5 s and resets what follows, in the server's name")
def idle_reset(lab):
    idle(lab, "reject with tcp reset")


@scenario("vanished", "a server disappears in the middle of an upload; the client retransmits until it gives up")
def vanished(lab):
    lab.start()
    usual(lab, peers.http_server(lab, 8080, ip=SERVER2))
    peers.listen(lab, 8101, peers.swallows)
    with lab.capture("m"):
        contrast(lab)
        s = peers.connect(lab, 8101)
        s.sendall(peers.request("/api/v1/upload", method="POST", body=b"x" * 20000))
        time.sleep(0.2)
        lab.ip("s", "addr", "del", f"{SERVER}/24", "dev", "s0")
        s.sendall(b"y" * 3000)
        for _ in range(5):
            time.sleep(1.4)
            expect(peers.http(lab, 8080, ip=SERVER2), "200")
        peers.abort(s)
        time.sleep(0.1)
        expect(peers.http(lab, 8080, ip=SERVER2), "200")


def bulk(lab, taps, size=60000, snaplen=0, **start):
    """Downloads in segments of 168 bytes, so that hundreds of them stay a small file."""
    lab.start(**start)
    usual(lab)
    peers.listen(lab, 8201, peers.http_handler(body=b"i" * size), mss=180)
    with lab.capture(taps, snaplen=snaplen):
        contrast(lab)
        expect(peers.http(lab, 8201, "/api/v1/export"), "200")
        contrast(lab)


def each_nth(n, first, last=10**9, port=8201):
    """A test that is true for the first sending of every n-th data segment from the server."""
    state = {"count": 0, "top": None}

    def test(f):
        if not (f.tcp and f.sport == port and f.payload):
            return False
        end = (f.seq + len(f.payload)) & 0xFFFFFFFF
        if state["top"] is not None and ((end - state["top"]) & 0xFFFFFFFF) >= 1 << 31 or end == state["top"]:
            return False  # a retransmission
        state["top"] = end
        state["count"] += 1
        return state["count"] % n == first and state["count"] <= last
    return test


@scenario("loss", "3 % of the data segments from the server are lost between the middle and the client, and recovered")
def loss(lab):
    lose = each_nth(33, 17)
    bulk(lab, "cs", rule=lambda f, now: [] if lose(f) else None)


def flipped(f, at):
    """The frame with one bit of its TCP payload turned over, its checksum as it was."""
    raw = bytearray(f.raw)
    where = len(raw) - len(f.payload) + at % len(f.payload)
    raw[where] ^= 1 << at % 8
    return bytes(raw)


def small_bulk(lab, tap, **start):
    """One download in a little over a hundred segments of 88 bytes: the smallest capture that shows a share of 3 %."""
    lab.start(**start)
    lab.sysctl("s", "net.ipv4.tcp_timestamps", 0)
    peers.listen(lab, 8201, peers.http_handler(body=b"i" * 9200), mss=88)
    lab.touch("c", CLIENTS4[0], SERVER)
    if tap == "s":
        lab.exec("s", "ethtool", "-K", "s0", "tx", "on")
    with lab.capture(tap):
        expect(peers.http(lab, 8201, "/api/v1/export"), "200")


@scenario("damage", "every 33rd data segment of the server arrives at tap m with one bit of its payload turned over")
def damage(lab):
    hit = each_nth(33, 17)
    small_bulk(lab, "m", rule_far=lambda f, now: [(0.0, f.direction, flipped(f, f.seq))] if hit(f) else None)


@scenario("loss-unfilled", "the server's card fills the checksums behind tap s; every 33rd data segment is lost further on")
def loss_unfilled(lab):
    lose = each_nth(33, 17)
    small_bulk(lab, "s", rule=lambda f, now: [] if lose(f) else None)


@scenario("loss-small", "two of 340 data segments are lost and recovered: a healthy network")
def loss_small(lab):
    lose = each_nth(150, 60)
    bulk(lab, "c", rule=lambda f, now: [] if lose(f) else None)


@scenario("reordering", "3 % of the data segments arrive 2 ms late, behind their successors; nothing is lost")
def reordering(lab):
    late = each_nth(33, 17)
    bulk(lab, "c", rule_far=lambda f, now: [(0.002, f.direction, f.raw)] if late(f) else None)


@scenario("duplication", "3 % of the data segments are delivered twice by the network; nothing is lost")
def duplication(lab):
    twice = each_nth(33, 17)
    bulk(lab, "c", rule_far=lambda f, now: [(0.0, f.direction, f.raw), (0.0005, f.direction, f.raw)]
         if twice(f) else None)


@scenario("zero-window-client", "the client stops reading an answer for 3 s: its window is zero")
def zero_window_client(lab):
    lab.start()
    usual(lab)
    peers.listen(lab, 8201, peers.http_handler(body=b"i" * 30000))
    with lab.capture("m"):
        contrast(lab)
        s = peers.connect(lab, 8201, rcvbuf=4096)
        s.sendall(peers.request("/api/v1/export"))
        time.sleep(3.2)
        expect(peers.read_answer(s).decode(), "200 OK")
        s.close()
        contrast(lab)
    lab.as_pcapng()


@scenario("zero-window-server", "the server stops reading an upload for 3 s: its window is zero")
def zero_window_server(lab):
    lab.start()
    usual(lab)
    peers.listen(lab, 8201, peers.reads_late, rcvbuf=4096)
    with lab.capture("m"):
        contrast(lab)
        s = peers.connect(lab, 8201)
        peers.ask(s, "/api/v1/upload", method="POST", body=b"u" * 30000)
        s.close()
        contrast(lab)


def too_big(limit):
    """A tunnel of smaller MTU that says nothing: frames whose IP packet exceeds limit are lost."""
    return lambda f, now: [] if f.tcp and len(f.raw) - 14 > limit else None


@scenario("mtu-upload", "a tunnel swallows packets above 1400 bytes without ICMP: uploads stall, small requests pass")
def mtu_upload(lab):
    lab.start(rule_far=too_big(1400))
    usual(lab)
    peers.listen(lab, 8201, peers.http_handler())
    with lab.capture("cs"):
        expect(peers.http(lab), "200")
        waiting = []
        for src in CLIENTS4[:2]:
            s = peers.connect(lab, 8201, src=src)
            s.sendall(peers.request("/api/v1/ping"))
            expect(peers.read_answer(s).decode(), "200 OK")
            # One segment of the largest size and a small one behind it.
            s.sendall(peers.request("/api/v1/upload", method="POST", body=b"u" * 1700))
            waiting.append(s)
        for _ in range(5):
            time.sleep(1.4)
            expect(peers.http(lab), "200")
        for s in waiting:
            peers.abort(s)
        time.sleep(0.1)
        expect(peers.http(lab), "200")


@scenario("mtu-download", "a tunnel swallows packets above 1400 bytes without ICMP: large answers stall")
def mtu_download(lab):
    lab.start(rule_far=too_big(1400))
    usual(lab)
    peers.listen(lab, 8201, peers.http_handler(body=BODY * 2))
    with lab.capture("cs"):
        expect(peers.http(lab), "200")
        waiting = []
        for src in CLIENTS4[:2]:
            s = peers.connect(lab, 8201, src=src)
            s.sendall(peers.request("/api/v1/export"))
            waiting.append(s)
        for _ in range(5):
            time.sleep(1.4)
            expect(peers.http(lab), "200")
        for s in waiting:
            peers.abort(s)
        time.sleep(0.1)
        expect(peers.http(lab), "200")


@scenario("reset-injected", "a middlebox resets both sides when it sees a certain SNI; its resets are early and have a TTL of its own")
def reset_injected(lab):
    def rule(f, now):
        if f.direction == ">" and b"pay.example.cn" in f.payload:
            return [(0, ">", bridge.reset_for(f, False, ttl=47, ident=9)),
                    (-0.0025, "<", bridge.reset_for(f, True, ttl=47, ident=9))]
        return None
    lab.start(rule_far=rule)
    usual(lab)
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:3]:
            peers.https(lab, name="pay.example.cn", src=src)
        contrast(lab)


@scenario("port-reuse", "one client uses the same port three times; each connection is whole")
def port_reuse(lab):
    lab.start()
    usual(lab)
    peers.listen(lab, 8201, peers.http_handler())
    with lab.capture("m"):
        contrast(lab)
        for _ in range(3):
            s = peers.connect(lab, 8201, sport=41000)
            s.sendall(peers.request("/api/v1/reconcile"))
            expect(peers.read_answer(s).decode(), "200 OK")
            peers.abort(s)
            time.sleep(0.15)
        contrast(lab)


@scenario("stale-tuple", "the client restarts without a word and uses its port again; the server still holds the old connection")
def stale_tuple(lab):
    state = {}

    def rule(f, now):
        # What the crashed host would not have said: its reset when the old connection ends.
        if f.port(8201) and f.direction == ">" and f.flags & bridge.RST and not state.get("let"):
            state["let"] = True
            return []
        return None
    lab.start(rule=rule)
    usual(lab)
    peers.listen(lab, 8201, peers.http_handler())
    with lab.capture("m"):
        contrast(lab)
        s = peers.connect(lab, 8201, sport=41000)
        s.sendall(peers.request("/api/v1/reconcile"))
        expect(peers.read_answer(s).decode(), "200 OK")
        peers.abort(s)
        time.sleep(0.5)
        expect(peers.http(lab, 8201, sport=41000), "200")
        contrast(lab)


@scenario("syn-flood", "400 SYNs within 1.5 s from 200 invented sources to 8080; real clients go on")
def syn_flood(lab):
    lab.start(delay_ms=2)
    usual(lab)
    # The answers to the invented sources pass the tap and end at a host that knows nothing of them.
    lab.ip("f", "route", "add", "203.0.113.0/24", "via", CLIENTS4[0])
    eth = bytes.fromhex("5254000a0101" + "5254000a010b")
    with lab.capture("m"):
        contrast(lab)
        raw = lab.socket("c", socket.AF_PACKET, socket.SOCK_RAW)
        raw.bind(("c0", 0))
        for i in range(400):
            raw.send(bridge.build_tcp4(eth, f"203.0.113.{1 + i % 200}", SERVER, 1024 + i * 7, 8080, 77000 + i * 977, 0,
                                       bridge.SYN, window=1024, ttl=51, ident=i, options=b"\x02\x04\x05\xb4"))
            if i % 40 == 39:
                time.sleep(0.13)
        raw.close()
        contrast(lab, 4)


@scenario("flood-dropped", "hping3 sends 320 SYNs to 8443, the firewall drops them all; real clients reach 8443")
def flood_dropped(lab):
    lab.start(delay_ms=2)
    lab.firewall("ip saddr 203.0.113.77 drop")
    usual(lab, peers.tls_server(lab, 8443))
    with lab.capture("m"):
        contrast(lab)
        lab.exec("c", "hping3", "-q", "-S", "-a", "203.0.113.77", "-p", "8443", "-i", "u4000", "-c", "320", SERVER,
                 check=False)
        for _ in range(3):
            expect(peers.https(lab, 8443), "200")


@scenario("port-scan", "one host tries 40 ports of the server, all refused but three; real clients go on")
def port_scan(lab):
    lab.start(delay_ms=2)
    usual(lab, peers.http_server(lab, 8091))
    with lab.capture("m"):
        contrast(lab)
        for port in [21, 22, 23, 25, 80, 110, 135, 139, 143, 443, 445, 993, 995, 1433, 1521, 1723, 3306, 3389, 5432,
                     5900, 5985, 6379, 6443, 7001, 8000, 8001, 8009, 8080, 8081, 8088, 8091, 8161, 8443, 8888, 9000,
                     9090, 9200, 9999, 11211, 27017]:
            s = peers.try_connect(lab, port, src=CLIENTS4[3], timeout=1)
            if s:
                peers.abort(s)
        contrast(lab)
