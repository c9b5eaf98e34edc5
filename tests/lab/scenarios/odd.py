"""Set-ups that one meets less often: a link that comes and goes, rules that cut open connections, filters that let half a
handshake through, one narrow path of two, probes that nothing answers, a tarpit, a stopped process."""
import contextlib
import os
import signal
import socket
import time

import bridge
import peers
from bridge import ACK, FIN, SYN
from net import CLIENT6, CLIENTS4, SERVER, SERVER6
from peers import expect
from runner import scenario
from scenarios import reach6
from scenarios.reach import contrast, meanwhile, usual

VIP, VIP6 = "203.0.113.80", "2001:db8:113::80"


class Four:
    server, sources, well = SERVER, CLIENTS4, staticmethod(contrast)

    @staticmethod
    def start(lab, *more, **options):
        lab.start(**options)
        usual(lab, *more)


class Six:
    server, sources, well, start = SERVER6, (CLIENT6,) * 4, staticmethod(reach6.well), staticmethod(reach6.start)


def both(name, about):
    """The scenario over IPv4, and as NAME6 over IPv6 with a tagged link at tap m."""
    def keep(fn):
        scenario(name, about)(lambda lab: fn(lab, Four))
        scenario(name + "6", "IPv6: " + about)(lambda lab: fn(lab, Six))
        return fn
    return keep


@both("link-flap", "the link between tap and router is down for 3 s while connections are used, then comes back")
def flap(lab, way):
    def gate(f, now):
        return [] if lab.flag.value else None
    way.start(lab, peers.http_server(lab, 8201, ip=way.server), rule_far=gate)
    with lab.capture("cms"):
        way.well(lab)
        pool = [peers.connect(lab, 8201, src=a, ip=way.server, timeout=20) for a in way.sources[:4]]
        for _ in range(2):
            for s in pool:
                peers.ask(s)
            time.sleep(0.2)
        lab.flag.value = 1
        for s in pool:
            s.sendall(peers.request())
        time.sleep(3)
        lab.flag.value = 0
        for s in pool:
            expect(peers.read_answer(s).decode(), "200 OK")
            s.close()
        way.well(lab)


@both("cut-open", "a new rule of the firewall rejects open connections to 8201 with a TCP reset in the server's name")
def cut_open(lab, way):
    way.start(lab, peers.http_server(lab, 8201, ip=way.server))
    with lab.capture("cms"):
        way.well(lab)
        pool = [peers.connect(lab, 8201, src=a, ip=way.server) for a in way.sources[:3]]
        for s in pool:
            peers.ask(s)
        lab.firewall("tcp dport 8201 reject with tcp reset")
        time.sleep(0.3)
        for s in pool:
            with contextlib.suppress(OSError):
                s.sendall(peers.request())
                s.recv(10)
            s.close()
        way.well(lab)


@both("half-filter", "a filter lets SYNs to 8101 through but nothing behind them (the third packet of the handshake, data)")
def ack_dropped(lab, way):
    way.start(lab)
    peers.listen(lab, 8101, peers.http_handler(), ip=way.server)
    lab.firewall("tcp dport 8101 tcp flags & syn == 0 drop")
    with lab.capture("cms"):
        way.well(lab)
        w = [lab.thread(lambda a=a: peers.http(lab, 8101, src=a, ip=way.server, timeout=7)) for a in way.sources[:2]]
        meanwhile(lab, w, 5, 1.5, way.well)


@both("narrow-path", "one of two equal paths (by source port) carries 1400 bytes at most and tells nobody")
def ecmp(lab, way):
    def narrow(f, now):
        return [] if f.tcp and (f.sport ^ f.dport) & 1 and len(f.raw) - 14 > 1400 else None
    way.start(lab, rule_far=narrow)
    peers.listen(lab, 8201, peers.http_handler(body=b"i" * 4000), ip=way.server)
    with lab.capture("cms"):
        way.well(lab)
        w = []
        for i in range(6):
            w.append(lab.thread(lambda i=i: peers.http(lab, 8201, "/api/v1/export", src=way.sources[0],
                                                       ip=way.server, sport=42000 + i, timeout=8)))
        for _ in range(5):
            time.sleep(1.5)
            expect(peers.http(lab, 8080, ip=way.server, sport=0), "200")
        for t in w:
            t.join()


@both("probes-unanswered", "the way to a server dies while connections idle; keep-alive probes stay unanswered and "
          "the client gives up")
def keepalive_dead(lab, way):
    way.start(lab)
    peers.listen(lab, 8201, peers.http_handler(), ip=way.server)
    with lab.capture("cms"):
        way.well(lab)
        pool = []
        for src in way.sources[:2]:
            s = peers.connect(lab, 8201, src=src, ip=way.server)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 2)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4)
            peers.ask(s)
            pool.append(s)
        time.sleep(3.2)
        lab.firewall("tcp dport 8201 drop\ntcp sport 8201 drop")
        for _ in range(6):
            time.sleep(1.3)
            way.well(lab, 1)
        for s in pool:
            with contextlib.suppress(OSError):
                s.recv(1)
            s.close()
        way.well(lab, 1)


@both("tarpit", "a tarpit accepts connections to 8101 with a window of 0 and never opens it")
def tarpit(lab, way):
    build = bridge.build_tcp6 if ":" in way.server else bridge.build_tcp4

    def rule(f, now):
        if f.direction == ">" and f.port(8101):
            ends = (f.raw[6:12] + f.raw[0:6], f.dst, f.src, f.dport, f.sport)
            if f.flags & SYN:
                return [(-0.002, "<", build(*ends, 777000, f.seq + 1, SYN | ACK, ttl=63, window=0,
                                            options=b"\x02\x04\x05\xb4"))]
            if f.payload or f.seq:
                return [(-0.002, "<", build(*ends, 777001, f.seq, ACK, ttl=63,
                                            window=0))] if f.payload or f.flags & FIN else []
        return None
    way.start(lab, rule_far=rule)
    with lab.capture("cm"):
        way.well(lab)
        w = [lab.thread(lambda a=a: peers.http(lab, 8101, src=a, ip=way.server, timeout=7)) for a in way.sources[:2]]
        meanwhile(lab, w, 6, 1.5, way.well)


@both("late-answer", "the server process is stopped for good: its kernel goes on accepting, nothing answers")
def frozen(lab, way):
    way.start(lab)
    family = "AF_INET6" if ":" in way.server else "AF_INET"
    child = lab.spawn("s", "python3", "-c", f"""
import socket, threading
s=socket.socket(socket.{family}); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR,1); s.bind(('{way.server}',8101)); s.listen(16)
def h(c):
    while c.recv(4096): c.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok')
while True:
    c,_=s.accept(); threading.Thread(target=h,args=(c,),daemon=True).start()
""")
    peers.wait_listen(lab, 8101)
    with lab.capture("cms"):
        way.well(lab)
        kept = peers.connect(lab, 8101, ip=way.server)
        peers.ask(kept)
        child.send_signal(signal.SIGSTOP)  # `ip netns exec` has become the server
        kept.sendall(peers.request("/api/v1/kept"))
        w = [lab.thread(lambda a=a: peers.http(lab, 8101, src=a, ip=way.server, timeout=6)) for a in way.sources[1:3]]
        for _ in range(5):
            time.sleep(1.4)
            way.well(lab, 1)
        for t in w:
            t.join()
        kept.close()
        way.well(lab, 1)
        child.send_signal(signal.SIGCONT)


@both("mtu-probing", "a black hole for packets above 1300 bytes; the client finds the size by itself (tcp_mtu_probing)")
def probing(lab, way):
    def narrow(f, now):
        return [] if f.port(8201) and len(f.raw) - 14 > 1300 else None
    way.start(lab, rule_far=narrow)
    lab.sysctl("c", "net.ipv4.tcp_mtu_probing", 1)
    lab.sysctl("c", "net.ipv4.tcp_base_mss", 1024)
    peers.listen(lab, 8201, peers.http_handler(), ip=way.server)
    with lab.capture("cms"):
        way.well(lab)
        beside = lab.thread(lambda: peers.http(lab, 8201, src=way.sources[0], ip=way.server, timeout=20))
        s = peers.connect(lab, 8201, ip=way.server, timeout=30)
        peers.ask(s, method="POST", body=b"x" * 6000)
        s.close()
        beside.join()
        way.well(lab)


@both("one-way-nat", "a published address is translated one way only: answers come from the real address, and the "
          "client resets them")
def dsr(lab, way):
    way.start(lab)
    family, vip = ("ip6", VIP6) if ":" in way.server else ("ip", VIP)

    # the router rewrites without state: what comes back keeps the real address
    text = (f"table {family} raw_dsr {{ chain c {{ type filter hook prerouting priority -300;"
            f" {family} daddr {vip} {family} daddr set {way.server} notrack\n }}\n}}\n")
    path = os.path.join(lab.work, "one-way-nat")
    with open(path, "w") as f:
        f.write(text)
    lab.exec("f", "nft", "-f", path)
    with lab.capture("cms"):
        way.well(lab)
        w = [lab.thread(lambda a=a: peers.try_connect(lab, 8080, ip=vip, src=a, timeout=7.4)) for a in way.sources[:2]]
        meanwhile(lab, w, 5, 1.5, way.well)
        expect(peers.http(lab, ip=way.server), "200")


@both("idle-resets", "a load balancer resets both sides of connections that idled for 4 s, nothing was open: healthy")
def lb_idle(lab, way):
    way.start(lab)

    def handle(conn, _peer):
        with conn:
            peers.read_request(conn)
            conn.sendall(peers.answer())
            conn.settimeout(4)
            try:
                conn.recv(10)
            except OSError:
                peers.linger0(conn)
    peers.listen(lab, 8201, handle, ip=way.server)
    with lab.capture("cms"):
        way.well(lab)
        pool = [peers.connect(lab, 8201, src=a, ip=way.server) for a in way.sources[:3]]
        for s in pool:
            peers.ask(s)
        for _ in range(4):
            time.sleep(1.4)
            way.well(lab, 1)
        for s in pool:
            s.close()
        way.well(lab, 1)


@both("link-push", "the link is down for 4 s while the server pushes to three clients, then comes back")
def link_push(lab, way):
    way.start(lab, rule_far=lambda f, now: [] if lab.flag.value else None)

    def handle(conn, _peer):
        peers.read_request(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(14):
            conn.sendall(b"7\r\ndata: x\r\n")
            time.sleep(0.5)
        conn.sendall(b"0\r\n\r\n")
        conn.close()
    peers.listen(lab, 8201, handle, ip=way.server)
    with lab.capture("ms"):
        way.well(lab)
        pool = [peers.connect(lab, 8201, src=a, ip=way.server, timeout=20) for a in way.sources[:3]]
        for s in pool:
            s.sendall(peers.request("/api/v1/events"))
        time.sleep(1.2)
        lab.flag.value = 1
        time.sleep(4)
        lab.flag.value = 0
        for s in pool:
            while s.recv(4096):
                pass
            s.close()
        way.well(lab)
