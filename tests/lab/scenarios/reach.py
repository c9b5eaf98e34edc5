"""Faults of reaching the server: TCP never completes."""
import time

import bridge
import peers
from net import CLIENTS4, SERVER, SERVER6
from peers import expect
from runner import scenario


def usual(lab, *more):
    """The healthy services that stand beside a fault."""
    peers.nginx(lab, peers.tls_server(lab) + peers.http_server(lab, 8080) + "".join(more))


def contrast(lab, count=2, src=None):
    """Healthy connections before, during and after the fault; the first is one of TLS."""
    for i in range(count):
        if i % 2 == 0:
            expect(peers.https(lab, src=src), "200")
        else:
            expect(peers.http(lab, src=src), "200")


def meanwhile(lab, waiting, rounds, pause, well=contrast):
    """Healthy connections while the threads wait for what does not come, and one after them."""
    for _ in range(rounds):
        time.sleep(pause)
        well(lab, 1)
    for t in waiting:
        t.join()
    well(lab, 1)


def first_syn_lost(port):
    """A rule of the bridge that loses the first SYN from each port of the client."""
    seen = set()

    def rule(f, now):
        if f.port(port) and f.flags & bridge.SYN and f.direction == ">" and f.sport not in seen:
            seen.add(f.sport)
            return []
        return None
    return rule


def asked_in_vain(lab, clients, timeout, others, pause):
    """8443 by each of the clients, who wait so long; meanwhile 443 works."""
    contrast(lab, 2)
    waiting = [lab.thread(lambda a=a: peers.try_connect(lab, 8443, src=a, timeout=timeout)) for a in clients]
    for _ in range(others):
        time.sleep(pause)
        expect(peers.https(lab), "200")
    for t in waiting:
        t.join()
    contrast(lab, 1)


@scenario("syn-drop", "the firewall drops SYNs to 8443 silently, from three clients, while 443 works")
def syn_drop(lab):
    lab.start()
    lab.firewall("tcp dport 8443 drop")
    usual(lab, peers.tls_server(lab, 8443))
    with lab.capture("cms"):
        asked_in_vain(lab, CLIENTS4[:3], 7.5, 7, 1.1)


@scenario("own-drop", "the server's own packet filter drops SYNs to 8443 silently, from two clients, while 443 works")
def own_drop(lab):
    lab.start()
    lab.firewall("tcp dport 8443 drop", ns="s", hook="input")
    usual(lab, peers.tls_server(lab, 8443))
    with lab.capture("cs"):
        asked_in_vain(lab, CLIENTS4[:2], 4, 4, 1.0)


@scenario("refused", "nothing listens on 8443: the server itself refuses; 443 works")
def refused(lab):
    lab.start()
    usual(lab)
    with lab.capture("cs"):
        contrast(lab)
        for src in CLIENTS4[:3]:
            peers.try_connect(lab, 8443, src=src)
            time.sleep(0.2)
        contrast(lab)


@scenario("reject-reset", "the firewall rejects 8443 with a TCP reset of its own, in the server's name")
def reject_reset(lab):
    lab.start()
    lab.firewall("tcp dport 8443 reject with tcp reset")
    usual(lab, peers.tls_server(lab, 8443))
    with lab.capture("cm"):
        contrast(lab)
        for src in CLIENTS4[:3]:
            peers.try_connect(lab, 8443, src=src)
            time.sleep(0.2)
        contrast(lab)


@scenario("icmp-prohibited", "the router refuses 8201 with ICMP communication administratively prohibited")
def icmp_prohibited(lab):
    lab.start()
    lab.sysctl("f", "net.ipv4.icmp_ratelimit", 0)
    lab.firewall("tcp dport 8201 reject with icmpx type admin-prohibited")
    usual(lab, peers.http_server(lab, 8201))
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:2]:
            peers.try_connect(lab, 8201, src=src)
            time.sleep(0.2)
        contrast(lab)


@scenario("icmp-host-unreachable", "the second server is down: ARP fails at the last hop, which says host unreachable")
def icmp_host_unreachable(lab):
    lab.start()
    lab.sysctl("f", "net.ipv4.icmp_ratelimit", 0)
    usual(lab)
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:2]:
            peers.try_connect(lab, 8443, ip="198.51.100.77", src=src, timeout=6)
            contrast(lab, 1)


@scenario("icmp-port-unreachable", "the server's own host firewall rejects 8091 with ICMP port unreachable")
def icmp_port_unreachable(lab):
    lab.start()
    lab.sysctl("s", "net.ipv4.icmp_ratelimit", 0)
    lab.firewall("tcp dport 8091 reject", ns="s", hook="input")
    usual(lab, peers.http_server(lab, 8091))
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:2]:
            peers.try_connect(lab, 8091, src=src)
            time.sleep(0.2)
        contrast(lab)


@scenario("synack-lost", "SYN-ACKs of 8443 die on the way back between tap and client")
def synack_lost(lab):
    lab.start()
    lab.firewall("tcp sport 8443 tcp flags & (syn|ack) == syn|ack drop")
    usual(lab, peers.tls_server(lab, 8443))
    with lab.capture("s"):
        contrast(lab)
        waiting = [lab.thread(lambda a=a: peers.try_connect(lab, 8443, src=a, timeout=7.5)) for a in CLIENTS4[:2]]
        meanwhile(lab, waiting, 3, 2)


@scenario("path-loop", "two routers send 203.0.113.0/24 to each other until the TTL is used up")
def path_loop(lab):
    lab.start()
    lab.add_space("r")
    lab.link("f", "f2", "52:54:00:0a:63:01", "r", "r0", "52:54:00:0a:63:02")
    lab.ip("f", "addr", "add", "10.99.0.1/30", "dev", "f2")
    lab.ip("r", "addr", "add", "10.99.0.2/30", "dev", "r0")
    lab.ip("f", "route", "add", "203.0.113.0/24", "via", "10.99.0.2")
    lab.ip("r", "route", "add", "default", "via", "10.99.0.1")
    for ns in "fr":
        lab.sysctl(ns, "net.ipv4.ip_forward", 1)
        lab.sysctl(ns, "net.ipv4.icmp_ratelimit", 0)
        lab.sysctl(ns, "net.ipv4.conf.all.send_redirects", 0)
        lab.sysctl(ns, "net.ipv4.conf.default.send_redirects", 0)
    lab.sysctl("f", "net.ipv4.conf.f2.send_redirects", 0)
    lab.sysctl("r", "net.ipv4.conf.r0.send_redirects", 0)
    usual(lab)
    lab.capture_on("f", "f2", "_r")
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:2]:
            peers.try_connect(lab, 443, ip="203.0.113.40", src=src, timeout=3)
            contrast(lab, 1)


@scenario("backlog", "a listener on 8101 that never accepts: its queue is full, final ACKs and SYNs are dropped")
def backlog(lab):
    lab.start()
    usual(lab)
    keep = [peers.listen(lab, 8101, ip=SERVER, backlog=0)]
    with lab.capture("ms"):
        contrast(lab)
        for src in CLIENTS4:
            s = peers.try_connect(lab, 8101, src=src, timeout=1.2)
            if s:
                s.sendall(peers.request("/api/v1/payments"))
                keep.append(s)
        late = [lab.thread(lambda a=a: peers.try_connect(lab, 8101, src=a, timeout=7.5)) for a in CLIENTS4[:2]]
        meanwhile(lab, late, 4, 2)


@scenario("backlog-acks", "three clients connect at once to a queue with one place left: final ACKs dropped, SYN-ACKs repeated")
def backlog_acks(lab):
    lab.start()
    usual(lab)
    # Room for five, four of them taken: fewer, and the kernel would answer with SYN cookies, which it never repeats.
    keep = [peers.listen(lab, 8101, backlog=4)]
    keep += [peers.connect(lab, 8101, src=CLIENTS4[3]) for _ in range(4)]
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:3]:
            s = lab.socket("c")
            s.bind((src, 0))
            s.setblocking(False)
            s.connect_ex((SERVER, 8101))
            keep.append(s)
        time.sleep(0.1)
        for s in keep[5:]:
            s.sendall(peers.request("/api/v1/payments"))
        for _ in range(5):
            time.sleep(1.6)
            contrast(lab, 1)


@scenario("slow-connect", "the first SYN to 8443 is lost; the next one a second later succeeds")
def slow_connect(lab):
    lab.start(rule=first_syn_lost(8443))
    usual(lab, peers.tls_server(lab, 8443))
    with lab.capture("cs"):
        contrast(lab)
        for src in CLIENTS4[:3]:
            expect(peers.https(lab, 8443, src=src), "200")
        contrast(lab)


@scenario("half-open", "one host sends a SYN to 443 and is never heard of again; the others work")
def half_open(lab):
    def rule(f, now):
        # The SYN alone passes; what this source sends later, resets included, does not.
        if f.tcp and f.src == CLIENTS4[3] and not f.flags & bridge.SYN:
            return []
        return None
    lab.start(rule=rule)
    usual(lab)
    lab.firewall(f"ip daddr {CLIENTS4[3]} drop", ns="f", hook="forward")
    with lab.capture("s"):
        contrast(lab)
        s = lab.socket("c")
        s.bind((CLIENTS4[3], 0))
        s.setblocking(False)
        s.connect_ex((SERVER, 443))
        time.sleep(0.5)
        s.close()
        for _ in range(4):
            time.sleep(1.6)
            contrast(lab, 1)


@scenario("ipv6-faults", "over IPv6 the router drops SYNs to 8443 and refuses 8201 with ICMPv6; 443 and 8080 work")
def ipv6_faults(lab):
    lab.start(ipv6=True)
    lab.sysctl("f", "net.ipv6.icmp.ratelimit", 0)
    lab.firewall("tcp dport 8443 drop\ntcp dport 8201 reject with icmpx type admin-prohibited")
    peers.nginx(lab, peers.tls_server(lab, ip=SERVER6) + peers.http_server(lab, ip=SERVER6))
    with lab.capture("m"):
        expect(peers.https(lab, ip=SERVER6), "200")
        for _ in range(2):
            peers.try_connect(lab, 8201, ip=SERVER6)
        waiting = [lab.thread(lambda: peers.try_connect(lab, 8443, ip=SERVER6, timeout=4.5)) for _ in range(2)]
        for _ in range(4):
            time.sleep(1.2)
            expect(peers.http(lab, ip=SERVER6), "200")
        for t in waiting:
            t.join()
        expect(peers.https(lab, ip=SERVER6), "200")


@scenario("vlan-reject", "behind an 802.1Q tag the firewall resets 8443 in the server's name")
def vlan_reject(lab):
    lab.start(vlan=210)
    lab.firewall("tcp dport 8443 reject with tcp reset")
    usual(lab, peers.tls_server(lab, 8443))
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:2]:
            peers.try_connect(lab, 8443, src=src)
            time.sleep(0.1)
        contrast(lab)
