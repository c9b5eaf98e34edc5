"""The faults of reaching a server and of the way over IPv6, each from several capture points at once: the client's (c),
a tagged link in between (m) and the server's (s). What lies behind the fault must not see one."""
import socket
import time

import peers
from bridge import SYN
from net import CLIENT6, CLIENTS4, SERVER6
from peers import expect
from runner import scenario
from scenarios.path import ask, gated
from scenarios.reach import contrast
from scenarios.resets import early, forge, on_word
from scenarios.way import each_nth

TAG = 60
FAR6 = "2001:db8:99::40"
BODY = b'{"invoices":[' + b'{"no":"044001900111","amount":"1280.50"},' * 40 + b"{}]}"


def start(lab, *more, **options):
    lab.start(ipv6=True, vlan=TAG, **options)
    lab.sysctl("f", "net.ipv6.icmp.ratelimit", 0)
    peers.nginx(lab, peers.tls_server(lab, ip=SERVER6) + peers.http_server(lab, ip=SERVER6) + "".join(more))


def well(lab, count=1):
    """Healthy connections beside the fault; the first is one of TLS."""
    for i in range(count):
        if i % 2:
            expect(peers.https(lab, ip=SERVER6), "200")
        else:
            expect(peers.http(lab, ip=SERVER6), "200")


def waits(lab, seconds, step=1.45):
    for _ in range(int(seconds / step + 0.999)):
        time.sleep(step)
        well(lab)


def tries(lab, port, count, timeout=None, ip=SERVER6):
    for _ in range(count):
        peers.try_connect(lab, port, ip=ip, **({"timeout": timeout} if timeout else {}))
        time.sleep(0.15)


def at_once(lab, port, count, timeout, ip=SERVER6):
    return [lab.thread(lambda: peers.try_connect(lab, port, ip=ip, timeout=timeout)) for _ in range(count)]


# --- reaching the server ------------------------------------------------------------------------------------------
@scenario("refused6", "IPv6: nothing listens on 8443, the server itself refuses; 443 works")
def refused6(lab):
    start(lab)
    with lab.capture("cms"):
        well(lab, 2)
        tries(lab, 8443, 3)
        well(lab)


@scenario("reject-reset6", "IPv6: the firewall rejects 8443 with a reset in the server's name")
def reject_reset6(lab):
    start(lab, peers.tls_server(lab, 8443, ip=SERVER6))
    lab.firewall("tcp dport 8443 reject with tcp reset")
    with lab.capture("cms"):
        well(lab, 2)
        tries(lab, 8443, 3)
        well(lab)


@scenario("own-prohibited6", "IPv6: the server's own firewall refuses 8201 with ICMPv6 administratively prohibited")
def own_prohibited6(lab):
    start(lab, peers.http_server(lab, 8201, ip=SERVER6))
    lab.sysctl("s", "net.ipv6.icmp.ratelimit", 0)
    lab.firewall("tcp dport 8201 reject with icmpx type admin-prohibited", ns="s", hook="input")
    with lab.capture("cms"):
        well(lab, 2)
        tries(lab, 8201, 2, 2)
        well(lab)


@scenario("no-route", "the router has no way to 203.0.113.0/24 and says network unreachable")
def no_route(lab):
    lab.start(vlan=TAG)
    lab.sysctl("f", "net.ipv4.icmp_ratelimit", 0)
    peers.nginx(lab, peers.tls_server(lab) + peers.http_server(lab))
    with lab.capture("cm"):
        contrast(lab)
        for src in CLIENTS4[:2]:
            peers.try_connect(lab, 8443, ip="203.0.113.40", src=src, timeout=4)
            contrast(lab, 1)


@scenario("no-route6", "IPv6: the router has no way to 2001:db8:99::/48 and says no route")
def no_route6(lab):
    start(lab)
    with lab.capture("cm"):
        well(lab, 2)
        tries(lab, 8443, 2, 4, ip=FAR6)
        well(lab)


@scenario("synack-lost6", "IPv6: SYN-ACKs of 8443 die on the way back between server and tap m")
def synack_lost6(lab):
    start(lab, peers.tls_server(lab, 8443, ip=SERVER6))
    lab.firewall("tcp sport 8443 tcp flags & (syn|ack) == syn|ack drop")
    with lab.capture("cms"):
        well(lab, 2)
        late = at_once(lab, 8443, 2, 7.5)
        waits(lab, 7.5, 2.4)
        for t in late:
            t.join()
        well(lab)


@scenario("loop6", "IPv6: two routers send 2001:db8:99::/48 to each other until the hop limit is used up")
def loop6(lab):
    start(lab)
    lab.add_space("r", ipv6=True)
    lab.link("f", "f2", "52:54:00:0a:63:01", "r", "r0", "52:54:00:0a:63:02")
    for ns, dev, address in (("f", "f2", "2001:db8:98::1"), ("r", "r0", "2001:db8:98::2")):
        lab.ip(ns, "-6", "addr", "add", f"{address}/64", "dev", dev, "nodad")
        lab.sysctl(ns, "net.ipv6.conf.all.forwarding", 1)
        lab.sysctl(ns, "net.ipv6.icmp.ratelimit", 0)
    lab.ip("f", "-6", "route", "add", "2001:db8:99::/48", "via", "2001:db8:98::2")
    lab.ip("r", "-6", "route", "add", "default", "via", "2001:db8:98::1")
    with lab.capture("cm"):
        well(lab, 2)
        tries(lab, 443, 2, 4, ip=FAR6)
        well(lab)


@scenario("backlog6", "IPv6: a listener on 8101 that never accepts: its queue is full")
def backlog6(lab):
    start(lab)
    keep = [peers.listen(lab, 8101, ip=SERVER6, backlog=0)]
    with lab.capture("cms"):
        well(lab, 2)
        for _ in range(3):
            s = peers.try_connect(lab, 8101, ip=SERVER6, timeout=1.2)
            if s:
                s.sendall(peers.request("/api/v1/payments"))
                keep.append(s)
        late = at_once(lab, 8101, 2, 7.5)
        waits(lab, 7.5, 2.4)
        for t in late:
            t.join()
        well(lab)


@scenario("slow-connect6", "IPv6: the first SYN to 8443 is lost between client and tap m; the next one succeeds")
def slow_connect6(lab):
    seen = set()

    def rule(f, now):
        if f.port(8443) and f.flags & SYN and f.direction == ">" and f.sport not in seen:
            seen.add(f.sport)
            return []
        return None
    start(lab, peers.tls_server(lab, 8443, ip=SERVER6), rule=rule)
    with lab.capture("cms"):
        well(lab, 2)
        for _ in range(2):
            expect(peers.https(lab, 8443, ip=SERVER6), "200")
        well(lab)


@scenario("ndp-unresolved6", "IPv6: a service on the client's own network does not answer neighbor solicitations")
def ndp_unresolved6(lab):
    start(lab)
    with lab.capture("c"):
        well(lab, 2)
        for _ in range(2):
            peers.try_connect(lab, 8443, ip="2001:db8:20:1::77", timeout=4)
            well(lab)


@scenario("udp-silent6", "IPv6: datagrams to 54321 are dropped by the firewall; TCP works")
def udp_silent6(lab):
    start(lab)
    lab.firewall("udp dport 54321 drop")
    with lab.capture("cm"):
        well(lab, 2)
        s = lab.socket("c", socket.AF_INET6, socket.SOCK_DGRAM)
        s.connect((SERVER6, 54321))
        for _ in range(4):
            s.send(b"STATUS invoice-gw 1\r\n")
            time.sleep(1.3)
            well(lab)
        waits(lab, 3)


# --- open connections ---------------------------------------------------------------------------------------------
def idle(lab, verdict):
    start(lab, peers.http_server(lab, 8201, ip=SERVER6))
    lab.firewall(f"ct state established accept\nct state invalid meta l4proto tcp {verdict}")
    for key, value in (("established", 5), ("unacknowledged", 5)):
        lab.sysctl("f", f"net.netfilter.nf_conntrack_tcp_timeout_{key}", value)
    lab.sysctl("f", "net.netfilter.nf_conntrack_tcp_loose", 0)
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

    def handle(conn, _peer):
        while conn.recv(4096):
            pass
    other = SERVER6[:-2] + "21"
    lab.ip("s", "-6", "addr", "add", f"{other}/64", "dev", "s0", "nodad")
    peers.listen(lab, 8101, handle, ip=other)
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

    def handle(conn, _peer):
        peers.read_request(conn)
        time.sleep(0.02)
        peers.abort(conn)
    peers.listen(lab, 8101, handle, ip=SERVER6)
    with lab.capture("cms"):
        well(lab, 2)
        for _ in range(3):
            expect(peers.http(lab, 8101, ip=SERVER6), "ConnectionReset")
        well(lab)


@scenario("no-answer6", "IPv6: the server takes a request and never answers; the client closes after 5 s")
def no_answer6(lab):
    start(lab)
    hold = []

    def handle(conn, _peer):
        hold.append(conn)
        peers.read_request(conn)
    peers.listen(lab, 8101, handle, ip=SERVER6)
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

    def handle(conn, _peer):
        with conn:
            peers.read_request(conn)
            whole = peers.answer(BODY)
            conn.sendall(whole[:len(whole) // 2])
    peers.listen(lab, 8101, handle, ip=SERVER6)
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

    def handle(conn, _peer):
        with conn:
            time.sleep(3.2)
            peers.read_request(conn)
            conn.sendall(peers.answer())
    peers.listen(lab, 8201, handle, ip=SERVER6, rcvbuf=2304)
    with lab.capture("cms"):
        well(lab, 2)
        s = peers.connect(lab, 8201, ip=SERVER6)
        s.sendall(peers.request("/api/v1/upload", method="POST", body=b"u" * 12000))
        expect(peers.read_answer(s).decode(), "200 OK")
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

OTHER6 = "2001:db8:20:1::12"


@scenario("half-open6", "IPv6: one SYN to 443, and its sender is never heard of again; seen at tap m and at the server")
def half_open6(lab):
    start(lab, rule=lambda f, now: [] if f.tcp and OTHER6 in (f.src, f.dst) and f.flags != SYN else None)
    lab.ip("c", "-6", "addr", "add", f"{OTHER6}/64", "dev", "c0", "nodad", "preferred_lft", "0")
    with lab.capture("ms"):
        well(lab, 2)
        s = lab.socket("c", socket.AF_INET6)
        s.bind((OTHER6, 0))
        s.setblocking(False)
        s.connect_ex((SERVER6, 443))
        time.sleep(0.5)
        s.close()
        waits(lab, 7.5, 1.5)


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
