"""Routes that lead back, and hosts that say no in words of ICMP."""
import peers
from net import CLIENTS4, SERVER6
from peers import expect
from runner import scenario
from scenarios.reach import contrast, usual


def router(lab, ns, *keys):
    for key, value in (("net.ipv4.ip_forward", 1), ("net.ipv4.icmp_ratelimit", 0), *keys):
        lab.sysctl(ns, key, value)
    for which in ("all", "default"):
        lab.sysctl(ns, f"net.ipv4.conf.{which}.send_redirects", 0)


@scenario("loop-ring", "three routers in a ring send 203.0.113.0/24 round and round until the TTL is used up")
def loop_ring(lab):
    lab.start()
    for ns in "rq":
        lab.add_space(ns)
    ring = [("f", "r", 1), ("r", "q", 2), ("q", "f", 3)]
    for a, b, net in ring:
        lab.link(a, f"{a}{net}a", f"52:54:00:0a:7{net}:01", b, f"{b}{net}b", f"52:54:00:0a:7{net}:02")
        lab.ip(a, "addr", "add", f"10.99.{net}.1/30", "dev", f"{a}{net}a")
        lab.ip(b, "addr", "add", f"10.99.{net}.2/30", "dev", f"{b}{net}b")
    for a, _, net in ring:
        router(lab, a)
        lab.sysctl(a, "net.ipv4.conf.all.rp_filter", 0)
        lab.ip(a, "route", "add", "203.0.113.0/24", "via", f"10.99.{net}.2")
    lab.ip("r", "route", "add", "10.20.1.0/24", "via", "10.99.1.1")
    lab.ip("q", "route", "add", "10.20.1.0/24", "via", "10.99.3.2")
    usual(lab)
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:3]:
            peers.try_connect(lab, 8443, ip="203.0.113.40", src=src, timeout=3)
            contrast(lab, 1)


@scenario("loop-default", "over IPv6 two routers are each other's default route: an address that nobody has goes to and fro")
def loop_default(lab):
    lab.start(ipv6=True)
    lab.add_space("r", ipv6=True)
    lab.link("f", "f2", "52:54:00:0a:63:01", "r", "r0", "52:54:00:0a:63:02")
    for ns, dev, own, peer in (("f", "f2", 1, 2), ("r", "r0", 2, 1)):
        lab.ip(ns, "-6", "addr", "add", f"2001:db8:99::{own}/64", "dev", dev, "nodad")
        lab.ip(ns, "-6", "route", "add", "default", "via", f"2001:db8:99::{peer}")
        lab.sysctl(ns, "net.ipv6.conf.all.forwarding", 1)
        lab.sysctl(ns, "net.ipv6.icmp.ratelimit", 0)
    peers.nginx(lab, peers.http_server(lab, 8080, ip=SERVER6))
    with lab.capture("m"):
        expect(peers.http(lab, 8080, ip=SERVER6), "200")
        for _ in range(2):
            peers.try_connect(lab, 443, ip="2001:db8:dead::7", timeout=3)
            expect(peers.http(lab, 8080, ip=SERVER6), "200")


@scenario("host-prohibited", "the server's own firewall answers 8201 with ICMP host prohibited, as firewalld does")
def host_prohibited(lab):
    lab.start()
    lab.sysctl("s", "net.ipv4.icmp_ratelimit", 0)
    lab.firewall("tcp dport 8201 reject with icmp type host-prohibited", ns="s", hook="input")
    usual(lab, peers.http_server(lab, 8201))
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:3]:
            peers.try_connect(lab, 8201, src=src)
            contrast(lab, 1)
