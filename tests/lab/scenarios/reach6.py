"""The faults of reaching a server over IPv6, each from several capture points at once: the client's (c), a tagged link in
between (m) and the server's (s). What lies behind the fault must not see one."""
import socket
import time

import peers
from bridge import SYN
from net import CLIENTS4, SERVER6
from peers import expect
from runner import scenario
from scenarios.reach import contrast, first_syn_lost

TAG = 60
FAR6, OTHER6 = "2001:db8:99::40", "2001:db8:20:1::12"


def start(lab, *more, **options):
    lab.start(ipv6=True, vlan=TAG, **options)
    lab.sysctl("f", "net.ipv6.icmp.ratelimit", 0)
    peers.nginx(lab, peers.tls_server(lab, ip=SERVER6) + peers.http_server(lab, ip=SERVER6) + "".join(more))


def well(lab, count=1):
    """Healthy connections beside the fault; every second one is of TLS."""
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
    start(lab, peers.tls_server(lab, 8443, ip=SERVER6), rule=first_syn_lost(8443))
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
