"""Resets: injected by somebody on the way, and the ordinary ones of real stacks that look alike."""
import contextlib
import os
import signal
import socket
import struct
import time

import bridge
import peers
from bridge import ACK, RST, SYN
from net import CLIENTS4, SERVER, SERVER6
from peers import expect
from runner import scenario
from scenarios.reach import contrast, usual

BODY = b'{"invoices":[' + b'{"no":"044001900111","amount":"1280.50"},' * 400 + b"{}]}"


# --- what an injector sends ----------------------------------------------------------------------------------------
def build_tcp6(eth, src, dst, sport, dport, seq, ack, flags, payload=b"", hops=64, window=0, options=b""):
    tcp = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF,
                      (5 + len(options) // 4) << 4, flags, window, 0, 0) + options + payload
    ends = socket.inet_pton(socket.AF_INET6, src) + socket.inet_pton(socket.AF_INET6, dst)
    tcp = tcp[:16] + struct.pack("!H", bridge.checksum(ends + struct.pack("!IxxxB", len(tcp), 6) + tcp)) + tcp[18:]
    return eth + b"\x86\xdd" + struct.pack("!IHBB", 0x60000000, len(tcp), 6, hops) + ends + tcp


def forge(f, to_sender, flags=RST | ACK, shift=0, ttl=47, ident=0, payload=b"", window=0, seq=None, ack=None,
          options=b""):
    """A segment in the name of the other end of frame f (to_sender), or of its sender, that fits what f says."""
    end = f.seq + len(f.payload) + (1 if f.flags & (SYN | bridge.FIN) else 0)
    dst, src = f.raw[0:6], f.raw[6:12]
    if to_sender:
        ends = (src + dst, f.dst, f.src, f.dport, f.sport)
        numbers = [f.ack if seq is None else seq, end if ack is None else ack]
    else:
        ends = (dst + src, f.src, f.dst, f.sport, f.dport)
        numbers = [end if seq is None else seq, f.ack if ack is None else ack]
    numbers[0] += shift
    if not flags & ACK:
        numbers[1] = 0
    if f.ethertype == 0x86DD:
        return build_tcp6(*ends, *numbers, flags, payload=payload, hops=ttl, window=window, options=options)
    return bridge.build_tcp4(*ends, *numbers, flags, payload=payload, ttl=ttl, ident=ident, window=window,
                             options=options)


def on_word(word, acts):
    """A rule: what acts(frame) says when a packet towards the server carries word."""
    return lambda f, now: acts(f) if f.tcp and f.direction == ">" and word in f.payload else None


def early(f, *forged):
    """The frame goes on; what is forged leaves 2.5 ms before it would, half a millisecond after its trigger."""
    return [(0, ">", f.raw)] + [(-0.0025 + i * 0.00005, "<", raw) for i, raw in enumerate(forged)]


# --- injected ------------------------------------------------------------------------------------------------------
@scenario("rst-race", "a box beside the path resets the client when it sees an SNI, with the server's own TTL but "
          "an IP ID far from its line; the server's answer still arrives")
def rst_race(lab):
    lab.start(rule_far=on_word(b"pay.example.cn", lambda f: early(f, forge(f, True, ttl=56, ident=61000))))
    usual(lab)
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:3]:
            expect(peers.https(lab, name="pay.example.cn", src=src), "ConnectionReset")
        contrast(lab)


@scenario("rst-burst", "a censor answers a word in an HTTP request by one RST and three RST,ACK whose sequence steps "
          "by 1460; the real answer arrives too late")
def rst_burst(lab):
    def acts(f):
        return early(f, forge(f, True, flags=RST, ttl=112, ident=7),
                     *(forge(f, True, shift=s, ttl=89, ident=51000) for s in (0, 1460, 4380)))
    lab.start(rule_far=on_word(b"/secret/", acts))
    usual(lab)
    peers.listen(lab, 8201, peers.http_handler(think=0.01))
    with lab.capture("cm"):
        contrast(lab)
        for src in CLIENTS4[:3]:
            expect(peers.http(lab, 8201, src=src), "200")
            expect(peers.http(lab, 8201, path="/secret/list", src=src), "ConnectionReset")
        contrast(lab)


@scenario("rst-both", "a box at the tap resets both ends of a connection at once when a size limit is passed; its "
          "packets have a TTL of their own")
def rst_both(lab):
    def near(f, now):
        if f.direction == ">" and f.port(8201) and b"bulk" in f.payload:
            return [(0, ">", f.raw), (0.0003, ">", forge(f, False, ttl=61, ident=3))]
        return None

    def far(f, now):
        if f.direction == ">" and f.port(8201) and f.flags & RST and f.ttl == 61:
            return [(0, ">", f.raw), (-0.0029, "<", forge(f, True, ttl=61, ident=4, ack=f.seq))]
        return None
    lab.start(rule=near, rule_far=far)
    usual(lab)
    peers.listen(lab, 8201, peers.http_handler(think=0.01))
    with lab.capture("m"):
        contrast(lab)
        for i, src in enumerate(CLIENTS4[:3]):
            s = peers.connect(lab, 8201, src=src)
            s.sendall(peers.request("/api/v1/ping"))
            expect(peers.read_answer(s).decode(), "200 OK")
            with contextlib.suppress(OSError):
                s.sendall(peers.request("/api/v1/upload", method="POST", body=b"bulk" * (40 + i)))
                s.recv(100)
            s.close()
            time.sleep(0.1)
        contrast(lab)


@scenario("rst-download", "a box cuts a download: a RST in the server's name to the client, while the server's data "
          "goes on arriving")
def rst_download(lab):
    seen = {}

    def rule(f, now):
        if f.direction != "<" or not f.tcp or f.sport != 8201:
            return None
        key = f.dport
        seen[key] = seen.get(key, 0) + len(f.payload)
        if seen[key] > 9000 and not seen.get(-key):
            seen[-key] = 1
            return [(0, "<", f.raw), (0.00002, "<", forge(f, False, flags=RST, ttl=121, ident=1))]
        return None
    lab.start(rule_far=rule)
    usual(lab)

    def handle(conn, _peer):
        peers.read_request(conn)
        conn.sendall(peers.answer(BODY)[:9000])
        for at in range(9000, 16000, 1000):
            time.sleep(0.01)
            conn.sendall(BODY[at:at + 1000])
    peers.listen(lab, 8201, handle)
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:3]:
            s = peers.connect(lab, 8201, src=src)
            s.sendall(peers.request("/api/v1/export"))
            with contextlib.suppress(OSError):
                peers.read_answer(s)
            s.close()
            time.sleep(0.2)
        contrast(lab)


@scenario("rst-ipv6", "IPv6: resets after the ClientHello of one name, sooner than the server could, with another "
          "hop limit")
def rst_ipv6(lab):
    lab.start(ipv6=True, rule_far=on_word(b"pay.example.cn", lambda f: early(f, forge(f, True, ttl=63))[1:]))
    peers.nginx(lab, peers.tls_server(lab) + peers.tls_server(lab, ip=SERVER6) + peers.http_server(lab, 8080))
    with lab.capture("m"):
        for _ in range(2):
            expect(peers.https(lab, ip=SERVER6), "200")
        for _ in range(3):
            expect(peers.https(lab, name="pay.example.cn", ip=SERVER6), "ConnectionReset")
        expect(peers.https(lab, ip=SERVER6), "200")


@scenario("rst-vlan", "VLAN 120: a RST with the server's TTL and a payload, then the server's real answer")
def rst_vlan(lab):
    def acts(f):
        return early(f, forge(f, True, ttl=56, ident=2, payload=b"Go away!!!"))
    lab.start(vlan=120, rule_far=on_word(b"/secret/", acts))
    usual(lab)
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:3]:
            expect(peers.http(lab, 8080, path="/api/secret/list", src=src), "ConnectionReset")
        contrast(lab)


@scenario("synack-race", "somebody between tap and server answers the SYN to 8443 before it can; the real SYN-ACK "
          "comes after")
def synack_race(lab):
    def rule(f, now):
        if f.direction == ">" and f.port(8443) and f.flags & (SYN | ACK) == SYN:
            return [(0, ">", f.raw),
                    (-0.0025, "<", forge(f, True, flags=SYN | ACK, ttl=63, ident=9, window=29200, seq=77000111,
                                         options=b"\x02\x04\x05\xb4"))]
        return None
    lab.start(rule_far=rule)
    usual(lab, peers.tls_server(lab, 8443))
    with lab.capture("cm"):
        contrast(lab)
        for src in CLIENTS4[:3]:
            peers.https(lab, 8443, src=src)
            time.sleep(0.1)
        contrast(lab)


@scenario("synack-race6", "IPv6, VLAN 77: somebody answers the SYN to 8443 before the server can")
def synack_race6(lab):
    def rule(f, now):
        if f.direction == ">" and f.port(8443) and f.flags & (SYN | ACK) == SYN:
            return [(0, ">", f.raw),
                    (-0.0025, "<", forge(f, True, flags=SYN | ACK, ttl=255, window=65535, seq=5,
                                         options=b"\x02\x04\x05\xa0"))]
        return None
    lab.start(ipv6=True, vlan=77, rule_far=rule)
    peers.nginx(lab, peers.tls_server(lab) + peers.tls_server(lab, ip=SERVER6)
                + peers.tls_server(lab, 8443, ip=SERVER6) + peers.http_server(lab, 8080))
    with lab.capture("m"):
        expect(peers.https(lab, ip=SERVER6), "200")
        for _ in range(3):
            peers.https(lab, 8443, ip=SERVER6, timeout=2)
            time.sleep(0.1)
        expect(peers.https(lab, ip=SERVER6), "200")


# --- look-alikes ---------------------------------------------------------------------------------------------------
@scenario("rst-haproxy", "haproxy in front: its health checks end by RST, its client time-out closes idle "
          "connections, and what it denies is reset by itself")
def rst_haproxy(lab):
    lab.start()
    usual(lab)
    conf = os.path.join(lab.work, "haproxy.conf")
    with open(conf, "w") as f:
        f.write(f"""global
  maxconn 100
defaults
  mode http
  timeout connect 2s
  timeout client 2s
  timeout server 2s
frontend a
  bind {SERVER}:8201
  http-request silent-drop if {{ path_beg /drop }}
  http-request reject if {{ path_beg /deny }}
  default_backend b
backend b
  option httpchk GET /api
  server n {SERVER}:8080 check inter 500ms
""")
    lab.spawn("s", "haproxy", "-f", conf, "-db")
    peers.wait_listen(lab, 8201)
    time.sleep(0.6)
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:3]:
            expect(peers.http(lab, 8201, src=src), "200")
        idle = peers.connect(lab, 8201, src=CLIENTS4[0])
        idle.sendall(peers.request())
        expect(peers.read_answer(idle).decode(), "200")
        time.sleep(2.6)
        idle.close()
        contrast(lab)


@scenario("rst-clients", "clients that abort: curl killed in a download, a browser's cancel, a close with unread data, "
          "a half-closed socket whose owner left; every reset is their own")
def rst_clients(lab):
    lab.start()
    usual(lab)

    def slowly(conn, _peer):
        peers.read_request(conn)
        conn.sendall(peers.answer(BODY)[:3000])
        for at in range(3000, 7000, 250):
            time.sleep(0.01)
            conn.sendall(BODY[at:at + 250])
    peers.listen(lab, 8201, slowly)
    with lab.capture("cms"):
        contrast(lab)
        child = lab.spawn("c", "curl", "-s", "-o", "/dev/null", f"http://{SERVER}:8201/api/v1/export")
        time.sleep(0.12)
        lab.end(child, signal.SIGKILL)
        for src in CLIENTS4[:2]:
            s = peers.connect(lab, 8201, src=src)
            s.sendall(peers.request("/api/v1/export"))
            s.recv(1000)
            time.sleep(0.05)
            peers.abort(s)
        s = peers.connect(lab, 8201, src=CLIENTS4[2])
        s.sendall(peers.request("/api/v1/export"))
        time.sleep(0.06)
        s.close()  # unread data: the stack resets
        s = peers.connect(lab, 8201, src=CLIENTS4[3])
        s.sendall(peers.request("/api/v1/export"))
        s.recv(1000)
        s.shutdown(socket.SHUT_WR)
        time.sleep(0.03)
        s.close()
        time.sleep(0.3)
        contrast(lab)


@scenario("rst-servers", "servers that reset for their own reasons: an upload refused before it is read, LINGER 0 "
          "after the answer, a worker that was killed, openssl that ends")
def rst_servers(lab):
    lab.start()
    usual(lab)

    def refuse(conn, _peer):
        conn.recv(2000)
        conn.sendall(peers.answer(b"{}", status="413 Content Too Large", extra="Connection: close\r\n"))
        time.sleep(0.03)
        conn.close()  # the rest of the upload is unread

    def linger(conn, _peer):
        peers.read_request(conn)
        conn.sendall(peers.answer())
        time.sleep(0.03)
        peers.abort(conn)
    peers.listen(lab, 8201, refuse)
    peers.listen(lab, 8101, linger)
    server = peers.openssl_server(lab, 8443)
    with lab.capture("cm"):
        contrast(lab)
        for src in CLIENTS4[:2]:
            s = peers.connect(lab, 8201, src=src)
            with contextlib.suppress(OSError):
                s.sendall(peers.request("/api/v1/upload", method="POST", body=b"u" * 12000))
                peers.read_answer(s)
            s.close()
            expect(peers.http(lab, 8101, src=src), "200")
        expect(peers.https(lab, 8443), "200")
        lab.end(server, signal.SIGKILL)
        contrast(lab)


@scenario("rst-cluster", "two servers with different TTLs behind one address: a connection's SYN-ACK comes from the "
          "balancer, its data from a machine behind it, its last RST from the balancer again")
def rst_cluster(lab):
    def retag(raw, ttl):
        ip = bytearray(raw)
        ip[22] = ttl
        ip[24:26] = b"\0\0"
        ip[24:26] = struct.pack("!H", bridge.checksum(bytes(ip[14:34])))
        return bytes(ip)

    def rule(f, now):
        if f.direction == "<" and f.port(8201):
            return [(0, "<", retag(f.raw, 61 if f.flags & (SYN | RST) else 53))]
        return None
    lab.start(rule_far=rule)
    usual(lab)

    def handle(conn, _peer):
        peers.read_request(conn)
        conn.sendall(peers.answer())
        peers.read_request(conn)
        peers.abort(conn)
    peers.listen(lab, 8201, handle)
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:3]:
            s = peers.connect(lab, 8201, src=src)
            s.sendall(peers.request())
            expect(peers.read_answer(s).decode(), "200")
            with contextlib.suppress(OSError):
                s.sendall(peers.request())
                s.recv(100)
            s.close()
        contrast(lab)


@scenario("rst-late", "answers to late data: the client closes both ways while the server still sends, and resets "
          "each late segment; its port is then used again")
def rst_late(lab):
    lab.start(delay_ms=20)
    usual(lab)

    def pushy(conn, _peer):
        peers.read_request(conn)
        conn.sendall(peers.answer())
        for _ in range(6):
            time.sleep(0.004)
            conn.sendall(b"x" * 400)
    peers.listen(lab, 8201, pushy)
    with lab.capture("cms"):
        contrast(lab)
        for _ in range(3):
            s = peers.connect(lab, 8201, sport=42000)
            s.sendall(peers.request())
            s.recv(4000)
            s.close()
            time.sleep(0.3)
        contrast(lab)


@scenario("rst-probes", "probes that connect and reset at once, and two addresses raced by one client, the loser reset")
def rst_probes(lab):
    lab.start(ipv6=True)
    peers.nginx(lab, peers.tls_server(lab) + peers.tls_server(lab, ip=SERVER6) + peers.http_server(lab, 8080))
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:3]:
            peers.abort(peers.connect(lab, 8080, src=src))
            time.sleep(0.2)
        loser = peers.connect(lab, 443, src=CLIENTS4[0])
        winner = peers.https(lab, ip=SERVER6)
        expect(winner, "200")
        peers.abort(loser)
        contrast(lab)
