"""Faults of the way itself, over several connections, IPv6 and VLANs; and the healthy traffic that looks alike."""
import struct
import time

import bridge
import peers
from net import CLIENT6, CLIENTS4, SERVER, SERVER2, SERVER6
from peers import expect
from runner import scenario
from scenarios.reach import contrast, usual

SERVER26 = SERVER6[:-2] + "21"
NOP, MSS, SCALE, SACK, STAMPS = 1, 2, 3, 4, 8


def sealed(f, raw):
    """The frame with its TCP (and IPv4) checksum made right again."""
    raw = bytearray(raw)
    if f.ethertype == 0x0800:
        raw[24:26] = b"\0\0"
        raw[24:26] = struct.pack("!H", bridge.checksum(bytes(raw[14:f.l4])))
        end = 14 + struct.unpack_from("!H", raw, 16)[0]
        pseudo = bytes(raw[26:34]) + struct.pack("!BBH", 0, 6, end - f.l4)
    else:
        end = 54 + struct.unpack_from("!H", raw, 18)[0]
        pseudo = bytes(raw[22:54]) + struct.pack("!II", end - 54, 6)
    raw[f.l4 + 16:f.l4 + 18] = b"\0\0"
    raw[f.l4 + 16:f.l4 + 18] = struct.pack("!H", bridge.checksum(pseudo + bytes(raw[f.l4:end])))
    return bytes(raw)


def with_options(f, change):
    """The frame with its TCP options changed in place by change(kind, bytearray, offset, length)."""
    raw = bytearray(f.raw)
    at, end = f.l4 + 20, f.l4 + (raw[f.l4 + 12] >> 4) * 4
    while at < end and raw[at] != 0:
        size = 1 if raw[at] == NOP else max(2, raw[at + 1])
        change(raw[at], raw, at, size)
        at += size
    return sealed(f, raw)


def with_ttl(f, less):
    raw = bytearray(f.raw)
    raw[22 if f.ethertype == 0x0800 else 21] -= less
    return sealed(f, raw)


def overwrite(*kinds):
    def change(kind, raw, at, size):
        if kind in kinds:
            raw[at:at + size] = bytes([NOP]) * size
    return change


def clamp(mss):
    def change(kind, raw, at, _size):
        if kind == MSS:
            raw[at + 2:at + 4] = struct.pack("!H", mss)
    return change


def ask(s, path="/api/v1/reconcile", body=b""):
    s.sendall(peers.request(path, method="POST" if body else "GET", body=body))
    expect(peers.read_answer(s).decode(), "200 OK")


def with_second_address6(lab):
    lab.ip("s", "-6", "addr", "add", f"{SERVER26}/64", "dev", "s0", "nodad")


# --- sizes --------------------------------------------------------------------------------------------------------
def too_big(limit):
    return lambda f, now: [] if f.tcp and len(f.raw) - 14 > limit else None


def stalls(lab, taps, limit, fits, ip=SERVER, sources=CLIENTS4[:2], **start):
    """Uploads of a size that fits pass; one full segment and a small one behind it do not."""
    lab.start(rule_far=too_big(limit), **start)
    peers.listen(lab, 8201, peers.http_handler(), ip=ip)
    peers.listen(lab, 8080, peers.http_handler(), ip=ip)
    head = len(peers.request("/api/v1/upload", method="POST", body=b"u" * 1000)) - 1000
    overhead = (60 if ":" in ip else 40) + 12
    with lab.capture(taps):
        waiting = []
        for src in sources:
            s = peers.connect(lab, 8201, ip=ip, src=src)
            ask(s, "/api/v1/upload", b"u" * (fits - overhead - head))
            s.sendall(peers.request("/api/v1/upload", method="POST", body=b"u" * 1700))
            waiting.append(s)
        for _ in range(5):
            time.sleep(1.4)
            ask(peers.connect(lab, 8080, ip=ip, src=sources[0]))
        for s in waiting:
            peers.abort(s)
        time.sleep(0.1)
        ask(peers.connect(lab, 8080, ip=ip, src=sources[0]))


@scenario("mtu-tunnel", "a tunnel of 1420 bytes swallows what is larger; 1410 still pass")
def mtu_tunnel(lab):
    stalls(lab, "cs", 1420, 1410)


@scenario("mtu6", "IPv6: a tunnel of 1480 bytes swallows what is larger; 1477 still pass")
def mtu6(lab):
    stalls(lab, "cs", 1480, 1477, ip=SERVER6, sources=[CLIENT6], ipv6=True)


@scenario("mtu-vlan", "PPPoE (1492) swallows full packets, seen on a tagged link; 1485 still pass")
def mtu_vlan(lab):
    stalls(lab, "m", 1492, 1485, vlan=120)


def reduced(lab, ip, src, taps="m", mtu=1400, **start):
    lab.start(**start)
    lab.ip("f", "link", "set", "f1", "mtu", str(mtu))
    peers.listen(lab, 8201, peers.http_handler(), ip=ip)
    with lab.capture(taps):
        for _ in range(2):
            s = peers.connect(lab, 8201, ip=ip, src=src)
            ask(s, "/api/v1/upload", b"u" * 6000)
            s.close()
            time.sleep(0.1)


@scenario("mtu-reduced", "a router's link of 1400 bytes says so by ICMP; uploads adapt and succeed")
def mtu_reduced(lab):
    reduced(lab, SERVER, CLIENTS4[0], taps="cm")


@scenario("mtu-reduced6", "IPv6: Packet Too Big, tagged; the sender adapts")
def mtu_reduced6(lab):
    reduced(lab, SERVER6, CLIENT6, ipv6=True, vlan=7, mtu=1480)


# --- options ------------------------------------------------------------------------------------------------------
def two_servers(lab, taps, rule, second=SERVER2, ip=SERVER, sources=CLIENTS4[:2], **start):
    """Three connections of each source to each of two servers; the rule works on the way to the first."""
    lab.start(rule=rule, **start)
    if ":" in ip:
        with_second_address6(lab)
    for address in (ip, second):
        peers.listen(lab, 8201, peers.http_handler(), ip=address)
    with lab.capture(taps):
        for _ in range(3):
            for src in sources:
                for address in (ip, second):
                    s = peers.connect(lab, 8201, ip=address, src=src)
                    ask(s)
                    s.close()
                    time.sleep(0.03)


def on_syns(ip, change, answers=False):
    def rule(f, now):
        wanted = bridge.SYN | bridge.ACK if answers else bridge.SYN
        if f.tcp and f.flags & (bridge.SYN | bridge.ACK) == wanted and ip == (f.src if answers else f.dst):
            return [(0.0, f.direction, with_options(f, change))]
        return None
    return rule


@scenario("scale-stripped", "a firewall overwrites the window scale of every SYN to one server by NOPs")
def scale_stripped(lab):
    two_servers(lab, "s", on_syns(SERVER, overwrite(SCALE)))


@scenario("stamps-stripped", "a firewall overwrites timestamps and SACK in the SYN-ACKs of one server by NOPs")
def stamps_stripped(lab):
    two_servers(lab, "c", on_syns(SERVER, overwrite(STAMPS, SACK), answers=True))


@scenario("scale-stripped6", "IPv6, tagged: the window scale of SYNs to one server is overwritten")
def scale_stripped6(lab):
    two_servers(lab, "m", on_syns(SERVER6, overwrite(SCALE)), second=SERVER26, ip=SERVER6, sources=[CLIENT6],
                ipv6=True, vlan=9)


@scenario("mss-clamped", "a tunnel end clamps the MSS of SYNs to one server to 1360")
def mss_clamped(lab):
    two_servers(lab, "s", on_syns(SERVER, clamp(1360)))


# --- outages, other ways ------------------------------------------------------------------------------------------
def gated(lab):
    return lambda f, now: [] if lab.flag.value else None


def dead(lab, taps, ip=SERVER, sources=CLIENTS4[:3], seconds=3.0, **start):
    """Pools of open connections; everything is swallowed for some seconds, then all goes on."""
    lab.start(rule_far=gated(lab), **start)
    peers.listen(lab, 8201, peers.http_handler(), ip=ip)
    with lab.capture(taps):
        pool = [peers.connect(lab, 8201, ip=ip, src=src, timeout=20) for src in sources for _ in range(3)]
        for s in pool:
            ask(s)
        lab.flag.value = 1
        for s in pool:
            s.sendall(peers.request("/api/v1/reconcile"))
        time.sleep(seconds)
        lab.flag.value = 0
        for s in pool:
            expect(peers.read_answer(s).decode(), "200 OK")
            ask(s)


@scenario("outage", "for 3 s nothing passes between clients and server; nine connections wait, then all go on")
def outage(lab):
    dead(lab, "cm")


@scenario("outage6", "IPv6, tagged: for 2.5 s nothing passes; three connections wait")
def outage6(lab):
    dead(lab, "m", ip=SERVER6, sources=[CLIENT6], seconds=2.5, ipv6=True, vlan=33)


def longer(lab, less, ip):
    return lambda f, now: [(0.004, f.direction, with_ttl(f, less))] if lab.flag.value and f.tcp and f.src == ip else None


def rerouted(lab, taps, ip=SERVER, sources=CLIENTS4[:2], **start):
    """Open connections; the server's packets come over two more routers and 4 ms later from then on."""
    lab.start(rule_far=longer(lab, 2, ip), **start)
    peers.listen(lab, 8201, peers.http_handler(), ip=ip)
    with lab.capture(taps):
        pool = [peers.connect(lab, 8201, ip=ip, src=src) for src in sources for _ in range(2)]
        for step in range(8):
            lab.flag.value = step >= 4
            for s in pool:
                ask(s)
            time.sleep(0.05)


@scenario("rerouted", "the way from the server grows by two hops while four connections are open")
def rerouted4(lab):
    rerouted(lab, "c")


@scenario("rerouted6", "the same over IPv6")
def rerouted6(lab):
    rerouted(lab, "m", ip=SERVER6, sources=[CLIENT6], ipv6=True)


@scenario("flapping", "a server is gone for four seconds, twice; clients try again each time")
def flapping(lab):
    lab.start(rule_far=gated(lab))
    usual(lab)
    with lab.capture("m"):
        for _ in range(2):
            contrast(lab, 1)
            time.sleep(0.3)
            lab.flag.value = 1
            peers.try_connect(lab, 8080, src=CLIENTS4[0], timeout=3.9)
            lab.flag.value = 0
            time.sleep(0.1)
        for _ in range(2):
            contrast(lab, 1)


@scenario("one-way-prefix", "the answers of one server network take another way past the tap")
def one_way_prefix(lab):
    lab.start()
    lab.ip("s", "addr", "add", "203.0.113.20/24", "dev", "s0")
    lab.ip("f", "addr", "add", "203.0.113.1/24", "dev", "f1")
    usual(lab)
    peers.listen(lab, 8201, peers.http_handler(), ip="203.0.113.20")
    with lab.capture("m", expression="not src net 203.0.113.0/24"):
        for src in CLIENTS4:
            s = peers.connect(lab, 8201, ip="203.0.113.20", src=src)
            ask(s)
            s.close()
            contrast(lab, 1)


@scenario("old-stamps", "SYNs with timestamps below those of another machine behind the address are ignored")
def old_stamps(lab):
    def moved(f, now):
        # Odd client ports are another machine behind the NAT: its clock is half a day behind.
        back = 50_000_000
        port = f.sport if f.direction == ">" else f.dport
        if not f.tcp or port % 2 == 0:
            return None

        def change(kind, raw, at, size):
            if kind == STAMPS:
                where, sign = (at + 2, -1) if f.direction == ">" else (at + 6, 1)
                value = struct.unpack_from("!I", raw, where)[0]
                if value:
                    struct.pack_into("!I", raw, where, (value + sign * back) & 0xFFFFFFFF)
        return [(0.0, f.direction, with_options(f, change))]

    def ignored(f, now):
        return [] if f.port(8201) and f.sport % 2 and f.flags & bridge.SYN and f.direction == ">" else None
    lab.start(rule=moved, rule_far=ignored)
    lab.sysctl("c", "net.ipv4.tcp_timestamps", 2)  # one clock for all connections, as older kernels had
    peers.listen(lab, 8201, peers.http_handler())
    with lab.capture("m"):
        for i in range(4):
            ask(peers.connect(lab, 8201, sport=41000 + 2 * i))
        for i in range(3):
            peers.try_connect(lab, 8201, sport=41001 + 2 * i, timeout=3.4)
            ask(peers.connect(lab, 8201, sport=41020 + 2 * i))


def far_server(lab, delay_ms):
    """A bridge of our own between router and server."""
    lab.add_space("d")
    lab.ip("f", "link", "del", "f1")
    lab.link("f", "f1", "52:54:00:c6:64:01", "d", "d0", "52:54:00:c6:64:f0")
    lab.link("s", "s0", "52:54:00:c6:64:14", "d", "d1", "52:54:00:c6:64:f1")
    lab.ip("f", "addr", "add", "198.51.100.1/24", "dev", "f1")
    lab.ip("s", "addr", "add", f"{SERVER}/24", "dev", "s0")
    lab.ip("s", "route", "add", "default", "via", "198.51.100.1")
    lab.bridges.append(bridge.Bridge(lab, "d", "d0", "d1", None, delay_ms))
    lab.touch("c", CLIENTS4[0], SERVER)


@scenario("syn-proxy", "the router answers SYNs in the server's name and connects behind them (nftables synproxy)")
def syn_proxy(lab):
    lab.start()
    far_server(lab, 30)
    lab.sysctl("f", "net.netfilter.nf_conntrack_tcp_loose", 0)
    lab.sysctl("f", "net.ipv4.tcp_syncookies", 1)
    path = f"{lab.work}/nft.synproxy"
    with open(path, "w") as f:
        f.write("""table ip front {
  chain before {
    type filter hook prerouting priority -300; policy accept;
    tcp dport 8443 tcp flags syn notrack
  }
  chain through {
    type filter hook forward priority 0; policy accept;
    tcp dport 8443 ct state invalid,untracked synproxy mss 1400 wscale 9
    tcp dport 8443 ct state invalid drop
  }
}
""")
    lab.exec("f", "nft", "-f", path)
    peers.nginx(lab, peers.tls_server(lab, 8443))
    with lab.capture("cs"):
        for src in CLIENTS4[:2]:
            for _ in range(3):
                expect(peers.https(lab, 8443, src=src), "200")


# --- what looks alike ---------------------------------------------------------------------------------------------
@scenario("quiet-pool", "nine open connections, nobody sends for 5 s, then all go on: no outage, no lost state")
def quiet_pool(lab):
    lab.start()
    peers.listen(lab, 8201, peers.http_handler())
    with lab.capture("m"):
        pool = [peers.connect(lab, 8201, src=src) for src in CLIENTS4[:3] for _ in range(3)]
        for s in pool:
            ask(s)
        time.sleep(5.5)
        for s in pool:
            ask(s)


@scenario("slow-pool", "a server computes 3 s for all of nine connections; its kernel acknowledges: no outage")
def slow_pool(lab):
    lab.start()
    peers.listen(lab, 8201, peers.http_handler(think=2.5))
    with lab.capture("c"):
        pool = [peers.connect(lab, 8201, src=src) for src in CLIENTS4[:3] for _ in range(3)]
        for s in pool:
            s.sendall(peers.request("/api/v1/reconcile"))
        for s in pool:
            expect(peers.read_answer(s).decode(), "200 OK")


@scenario("two-stacks", "two machines behind one address, one without timestamps and scaling: nothing is stripped")
def two_stacks(lab):
    lab.start()
    usual(lab)
    with lab.capture("s"):
        for i in range(8):
            for key in ("tcp_timestamps", "tcp_window_scaling"):
                lab.sysctl("c", f"net.ipv4.{key}", i % 2)
            contrast(lab, 1)


@scenario("cookies", "SYN cookies for clients without timestamps: options are missing, nothing is stripped")
def cookies(lab):
    lab.start()
    lab.sysctl("s", "net.ipv4.tcp_syncookies", 2)
    usual(lab)
    with lab.capture("c"):
        for src, stamps in ((CLIENTS4[0], 1), (CLIENTS4[1], 0), (CLIENTS4[2], 1)):
            lab.sysctl("c", "net.ipv4.tcp_timestamps", stamps)
            for _ in range(3):
                expect(peers.http(lab, src=src), "200")


@scenario("two-backends", "connections go by turns to machines at different distances: no route changed")
def two_backends(lab):
    def rule(f, now):
        return [(0.0, f.direction, with_ttl(f, 3))] if f.tcp and f.src == SERVER and f.dport % 4 < 2 else None
    lab.start(rule_far=rule)
    peers.listen(lab, 8201, peers.http_handler())
    with lab.capture("c"):
        pool = [peers.connect(lab, 8201, sport=42000 + i) for i in range(8)]
        for _ in range(3):
            for s in pool:
                ask(s)
        for s in pool:
            s.close()


@scenario("small-mss", "a server announces an MSS of 536 to everybody: its own setting")
def small_mss(lab):
    lab.start()
    peers.listen(lab, 8201, peers.http_handler(), mss=536)
    with lab.capture("m"):
        for src in CLIENTS4:
            for _ in range(2):
                s = peers.connect(lab, 8201, src=src)
                ask(s, "/api/v1/upload", b"u" * 900)
                s.close()


@scenario("syn-limit", "a limiter drops the first SYNs of some connections, others pass meanwhile: no flapping")
def syn_limit(lab):
    def rule(f, now):
        limited = f.tcp and f.direction == ">" and f.flags & bridge.SYN and f.sport in (43000, 43001)
        return [] if limited else None
    lab.start(rule_far=rule)
    usual(lab)
    with lab.capture("m"):
        for i in range(2):
            contrast(lab, 1)
            lab.thread(lambda port: peers.try_connect(lab, 8080, sport=port, timeout=3.6), 43000 + i)
            for _ in range(4):
                time.sleep(0.9)
                contrast(lab, 1)


@scenario("loss-pool", "single segments of several connections are lost at once and recovered: no outage")
def loss_pool(lab):
    dead(lab, "m", seconds=0.15)
