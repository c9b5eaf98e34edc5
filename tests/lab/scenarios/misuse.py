"""Scans, sweeps, floods and starved servers; and the busy, broken or curious hosts that resemble them."""
import contextlib
import socket
import ssl
import struct
import subprocess
import time

import bridge
import peers
import web
from net import CLIENT6, CLIENTS4, NAME, SERVER, SERVER6
from peers import expect
from runner import scenario
from scenarios.reach import contrast, usual

ATTACKER = CLIENTS4[3]
EXTRA = [f"198.51.100.{n}" for n in range(30, 60)]


def tool(lab, *words, seconds=60, check=False):
    """A tool on the client's host, bounded in time."""
    done = subprocess.run(["ip", "netns", "exec", lab.space("c"), "timeout", str(seconds), *words],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds + 10)
    if check and done.returncode != 0:
        raise RuntimeError(f"{words[0]}: {done.stdout[-400:]}")
    return done.stdout


def nmap(lab, *words, target=SERVER, source=ATTACKER):
    found = tool(lab, "nmap", "-n", "-Pn", "--max-retries", "0", "--min-rate", "20", "-e", "c0",
                 *(["-S", source] if source else []), *words, target)
    if "scanned in" not in found:
        raise RuntimeError("nmap: " + found[-400:])


PORTS = "21-26,80,110,135,139,143,443,445,993,1433,3306,3389,5432,6379,8000-8010,9200"


# --- scans ------------------------------------------------------------------------------------------------------
@scenario("scan-connect", "nmap opens 31 ports by whole handshakes, after those that answered are known")
def scan_connect(lab):
    lab.start(delay_ms=2)
    usual(lab)
    lab.ip("c", "route", "change", "default", "via", "10.20.1.1", "src", ATTACKER)
    with lab.capture("m"):
        contrast(lab)
        nmap(lab, "-sT", "-p", PORTS, source=None)
        contrast(lab)


def scan(lab, *words, firewall=None):
    lab.start(delay_ms=2)
    usual(lab)
    if firewall:
        lab.firewall(firewall)
    with lab.capture("m"):
        contrast(lab)
        nmap(lab, *words, "-p", PORTS)
        time.sleep(1.5)
        contrast(lab)


@scenario("scan-syn", "nmap sends a SYN to 31 ports; a firewall drops what is not 80, 443 or 8080")
def scan_syn(lab):
    scan(lab, "-sS", firewall="tcp flags & (syn|ack) == syn tcp dport != { 80, 443, 8080 } drop")


@scenario("scan-fin", "nmap sends a lonely FIN to 31 ports: closed ones answer by RST, open ones by nothing")
def scan_fin(lab):
    scan(lab, "-sF")


@scenario("scan-null", "nmap sends segments without any flag to 31 ports")
def scan_null(lab):
    scan(lab, "-sN")


@scenario("scan-xmas", "nmap sends FIN, PSH and URG together to 31 ports")
def scan_xmas(lab):
    scan(lab, "-sX")


@scenario("scan-udp", "nmap asks 31 UDP ports; most are refused by ICMP, some do not answer")
def scan_udp(lab):
    lab.start(delay_ms=2)
    lab.sysctl("s", "net.ipv4.icmp_ratelimit", 0)
    lab.sysctl("s", "net.ipv4.icmp_msgs_per_sec", 10000)
    usual(lab)
    with lab.capture("m"):
        contrast(lab)
        nmap(lab, "-sU", "-p", PORTS)
        contrast(lab)


@scenario("scan-slow", "a port of the server every 2.6 s, 22 in all: never 15 within half a minute")
def scan_slow(lab):
    lab.start(delay_ms=2)
    usual(lab)
    with lab.capture("m"):
        contrast(lab)
        for port in range(7001, 7023):
            peers.try_connect(lab, port, src=ATTACKER, timeout=1)
            time.sleep(2.6)
        contrast(lab)


@scenario("scan-ipv6", "nmap scans 31 ports over IPv6")
def scan_ipv6(lab):
    lab.start(delay_ms=2, ipv6=True)
    peers.nginx(lab, peers.tls_server(lab) + peers.http_server(lab, 8080)
                + peers.http_server(lab, 8080, ip=SERVER6))
    with lab.capture("m"):
        contrast(lab)
        nmap(lab, "-6", "-sS", "-p", PORTS, target=SERVER6, source=CLIENT6)
        expect(peers.http(lab, ip=SERVER6), "200")


def more_servers(lab, count):
    for address in EXTRA[:count]:
        lab.ip("s", "addr", "add", f"{address}/24", "dev", "s0")


@scenario("sweep", "nmap asks 30 addresses for port 445: six refuse, the others are not there")
def sweep(lab):
    lab.start(delay_ms=2)
    usual(lab)
    more_servers(lab, 6)
    lab.firewall("ip daddr 198.51.100.36-198.51.100.59 drop")
    with lab.capture("m"):
        contrast(lab)
        nmap(lab, "-sS", "-p", "445", target="198.51.100.30-59")
        time.sleep(1.5)
        contrast(lab)


@scenario("sweep-ping", "nmap pings 30 addresses: nothing of TCP")
def sweep_ping(lab):
    lab.start(delay_ms=2)
    usual(lab)
    more_servers(lab, 6)
    with lab.capture("m"):
        contrast(lab)
        tool(lab, "nmap", "-n", "-sn", "-PE", "--max-retries", "0", "-S", ATTACKER, "-e", "c0", "198.51.100.30-59")
        contrast(lab)


@scenario("sweep-udp", "nmap asks 30 addresses for UDP 161: twelve refuse, the others are not there")
def sweep_udp(lab):
    lab.start(delay_ms=2)
    usual(lab)
    more_servers(lab, 12)
    lab.sysctl("s", "net.ipv4.icmp_ratelimit", 0)
    lab.firewall("ip daddr 198.51.100.42-198.51.100.59 drop")
    with lab.capture("m"):
        contrast(lab)
        nmap(lab, "-sU", "-p", "161", target="198.51.100.30-59")
        contrast(lab)


@scenario("ping-monitor", "monitoring pings 20 hosts by turns, again and again; three of them are down: healthy")
def ping_monitor(lab):
    lab.start(delay_ms=2)
    usual(lab)
    more_servers(lab, 17)
    lab.firewall("ip daddr 198.51.100.47-198.51.100.49 drop")
    with lab.capture("m"):
        contrast(lab)
        with lab.inside("c"):
            s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        s.bind((ATTACKER, 0))
        for number in range(5):
            for n in range(30, 50):
                echo = struct.pack("!BBHHH", 8, 0, 0, n, number) + b"still there?"
                s.sendto(echo[:2] + struct.pack("!H", bridge.checksum(echo)) + echo[4:], (f"198.51.100.{n}", 0))
                time.sleep(0.01)
            time.sleep(0.6)
        s.close()
        contrast(lab)


@scenario("resolver-barred", "a resolver asks 20 name servers, a time client 16 time servers; the firewall rejects both: no scan")
def resolver_barred(lab):
    lab.start(delay_ms=2)
    usual(lab)
    lab.sysctl("f", "net.ipv4.icmp_ratelimit", 0)
    lab.sysctl("f", "net.ipv4.icmp_msgs_per_sec", 10000)
    lab.firewall("udp dport { 53, 123 } reject")
    with lab.capture("m"):
        contrast(lab)
        for port, count, data in ((53, 20, bytes.fromhex("123401000001000000000000") + b"\x03inv\x07example\x02cn\0\0\1\0\1"),
                                  (123, 16, b"\x23" + bytes(47))):
            for n in range(count):
                s = lab.socket("c", socket.AF_INET, socket.SOCK_DGRAM)
                s.bind((ATTACKER, 0))
                s.sendto(data, (f"198.51.100.{100 + n}", port))
                s.close()
                time.sleep(0.05)
        contrast(lab)


# --- floods -----------------------------------------------------------------------------------------------------
@scenario("flood-hping", "hping3 sends 500 SYNs with invented source addresses to 443 within a second")
def flood_hping(lab):
    lab.start(delay_ms=2)
    usual(lab)
    with lab.capture("m"):
        contrast(lab)
        tool(lab, "hping3", "-q", "-S", "-p", "443", "--rand-source", "-i", "u2000", "-c", "500", SERVER)
        contrast(lab)


@scenario("flood-one-source", "hping3 sends 500 SYNs to 8080 from one address that answers nothing")
def flood_one_source(lab):
    lab.start(delay_ms=2)
    usual(lab)
    lab.ip("f", "route", "add", "203.0.113.9/32", "via", CLIENTS4[0])
    with lab.capture("m"):
        contrast(lab)
        tool(lab, "hping3", "-q", "-S", "-p", "8080", "-a", "203.0.113.9", "-i", "u2000", "-c", "500", SERVER)
        contrast(lab)


@scenario("flood-ipv6", "330 SYNs over IPv6 from invented addresses of one /64 to 8080")
def flood_ipv6(lab):
    lab.start(delay_ms=2, ipv6=True)
    peers.nginx(lab, peers.http_server(lab, 8080) + peers.http_server(lab, 8080, ip=SERVER6))
    eth = bytes.fromhex("5254000a0101" + "5254000a010b")
    with lab.capture("m"):
        expect(peers.http(lab, ip=SERVER6), "200")
        raw = lab.socket("c", socket.AF_PACKET, socket.SOCK_RAW)
        raw.bind(("c0", 0))
        for i in range(330):
            raw.send(bridge.build_tcp6(eth, f"2001:db8:bad::{i * 37 + 1:x}", SERVER6, 1024 + i * 5, 8080, 77000 + i * 977, 0,
                                       bridge.SYN, window=1024, ttl=51, options=b"\x02\x04\x05\xa0"))
            time.sleep(0.002)
        raw.close()
        time.sleep(1.5)
        expect(peers.http(lab, ip=SERVER6), "200")


# --- healthy: many connections ------------------------------------------------------------------------------------
@scenario("load-ab", "ab asks 120 times, 30 at once, each on a new connection: healthy")
def load_ab(lab):
    lab.start(delay_ms=2)
    usual(lab)
    with lab.capture("m", snaplen=160):
        contrast(lab)
        done = tool(lab, "ab", "-n", "120", "-c", "30", "-B", ATTACKER, f"http://{SERVER}:8080/api")
        expect(done, "Failed requests:        0")


@scenario("load-refused", "a load test against a server that stopped: ab gives up, wrk goes on refused; no scan, no flood")
def load_refused(lab):
    lab.start(delay_ms=2)
    usual(lab)
    with lab.capture("m"):
        contrast(lab)
        end = time.monotonic() + 1
        while time.monotonic() < end:
            peers.try_connect(lab, 8091, src=ATTACKER, timeout=1)
            time.sleep(0.01)
        contrast(lab)


@scenario("monitoring", "a monitoring host connects to 24 ports of the server and is served by all but three")
def monitoring(lab):
    lab.start(delay_ms=2)
    ports = [9100 + n for n in range(21)]
    usual(lab, *(peers.http_server(lab, port) for port in ports))
    with lab.capture("m"):
        contrast(lab)
        for port in ports + [9200, 9201, 9202]:
            s = peers.try_connect(lab, port, src=ATTACKER, timeout=1)
            if s:
                s.close()
        contrast(lab)


@scenario("exporters", "a metrics server asks one port of 24 hosts each round; five are down: no sweep")
def exporters(lab):
    lab.start(delay_ms=2)
    more_servers(lab, 24)
    usual(lab, *(peers.http_server(lab, 9100, ip=a) for a in EXTRA[:19]))
    with lab.capture("m"):
        for _ in range(2):
            for address in EXTRA[:24]:
                peers.http(lab, 9100, ip=address, src=ATTACKER, timeout=1)
            time.sleep(1)


@scenario("mesh", "a member of a mesh seeks 24 peers on one port; 19 are gone and silent, its stack insists: no sweep")
def mesh(lab):
    lab.start(delay_ms=2)
    more_servers(lab, 5)
    usual(lab, *(peers.http_server(lab, 8301, ip=a) for a in EXTRA[:5]))
    lab.firewall("ip daddr 198.51.100.35-198.51.100.59 drop")
    with lab.capture("m"):
        contrast(lab)
        waiting = [lab.thread(lambda a=a: peers.http(lab, 8301, ip=a, src=ATTACKER, timeout=16)) for a in EXTRA[:24]]
        for _ in range(8):
            time.sleep(2)
            expect(peers.http(lab), "200")
        for t in waiting:
            t.join()
        contrast(lab)


@scenario("retry-storm", "20 nodes behind one port stop at once; their client tries each again and again: an outage, no sweep")
def retry_storm(lab):
    lab.start(delay_ms=2)
    more_servers(lab, 20)
    child = peers.nginx(lab, "".join(peers.http_server(lab, 8101, ip=a) for a in EXTRA[:20]))
    with lab.capture("m"):
        for address in EXTRA[:20]:
            expect(peers.http(lab, 8101, ip=address, src=ATTACKER), "200")
        lab.end(child)
        for _ in range(4):
            for address in EXTRA[:20]:
                peers.try_connect(lab, 8101, ip=address, src=ATTACKER, timeout=1)
            time.sleep(1)
        peers.nginx(lab, "".join(peers.http_server(lab, 8101, ip=a) for a in EXTRA[:20]))
        for address in EXTRA[:20]:
            expect(peers.http(lab, 8101, ip=address, src=ATTACKER), "200")


@scenario("reconnect-burst", "200 clients of one server reconnect in one second after it came back; its queue drops half: no flood")
def reconnect_burst(lab):
    lab.start(delay_ms=2)
    with lab.capture("m"):
        child = peers.nginx(lab, peers.http_server(lab, 8080))
        expect(peers.http(lab), "200")
        lab.end(child)
        lab.firewall("tcp dport 8080 drop")
        waiting = []
        for n in range(200):
            waiting.append(lab.thread(lambda n=n: peers.http(lab, src=CLIENTS4[n % 4], timeout=9)))
            time.sleep(0.004)
        time.sleep(2.5)
        peers.nginx(lab, peers.http_server(lab, 8080))
        lab.exec("f", "nft", "flush", "ruleset")
        for t in waiting:
            t.join()


# --- starved servers ------------------------------------------------------------------------------------------------
def starve(lab, *words):
    return tool(lab, "slowhttptest", "-c", "11", "-r", "20", "-l", "26", "-p", "3", *words, seconds=40)


@scenario("slow-headers", "slowhttptest trickles request headers on 11 connections to nginx (slowloris)")
def slow_headers(lab):
    lab.start(delay_ms=2)
    usual(lab)
    lab.ip("c", "route", "change", "default", "via", "10.20.1.1", "src", ATTACKER)
    with lab.capture("m"):
        contrast(lab)
        starve(lab, "-H", "-i", "4", "-x", "24", "-u", f"http://{SERVER}:8080/api/v1/orders")
        contrast(lab)


@scenario("slow-body", "slowhttptest trickles POST bodies on 11 connections to haproxy")
def slow_body(lab):
    lab.start(delay_ms=2)
    usual(lab)
    peers.listen(lab, 9301, peers.http_handler())
    web.haproxy(lab, f"listen in\n  bind {SERVER}:8101\n  timeout server 40s\n  server a {SERVER}:9301\n", 8101)
    lab.ip("c", "route", "change", "default", "via", "10.20.1.1", "src", ATTACKER)
    with lab.capture("m"):
        contrast(lab)
        starve(lab, "-B", "-i", "4", "-s", "8192", "-x", "16", "-u", f"http://{SERVER}:8101/api/v1/orders")
        contrast(lab)


def client_hello():
    """A real ClientHello of OpenSSL."""
    out = ssl.MemoryBIO()
    context = ssl.create_default_context()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=NAME).do_handshake()
    return out.read()


@scenario("slow-hello", "12 connections feed a ClientHello to 443 by 40 bytes each second and a half")
def slow_hello(lab):
    lab.start(delay_ms=2)
    usual(lab)
    hello = client_hello()

    def feed():
        s = peers.connect(lab, 443, src=ATTACKER)
        for at in range(0, 400, 40):
            s.sendall(hello[at:at + 40])
            time.sleep(1.5)
        s.close()
    with lab.capture("m"):
        contrast(lab)
        feeding = [lab.thread(feed) for _ in range(12)]
        for t in feeding:
            t.join()
        contrast(lab)


@scenario("slow-headers-6", "12 connections over IPv6 trickle a request line and headers, each a few bytes in 2 s")
def slow_headers_6(lab):
    lab.start(delay_ms=2, ipv6=True)
    peers.nginx(lab, peers.http_server(lab, 8080, ip=SERVER6))

    def feed(n):
        s = peers.connect(lab, 8080, ip=SERVER6)
        text = peers.request(extra=f"X-Session: {n:08d}\r\n")[:-2]
        for at in range(0, 72, 9):
            s.sendall(text[at:at + 9])
            time.sleep(2)
        s.close()
    with lab.capture("m"):
        expect(peers.http(lab, ip=SERVER6), "200")
        feeding = [lab.thread(feed, n) for n in range(12)]
        for t in feeding:
            t.join()
        expect(peers.http(lab, ip=SERVER6), "200")


# --- healthy: long and slow ---------------------------------------------------------------------------------------------
@scenario("thin-uploads", "12 invoices are uploaded over a thin line, each for 13 s, and every one comes through: healthy")
def thin_uploads(lab):
    free = {"at": 0.0}

    def rule(f, now):
        # 9,600 bytes a second for all together, in both directions' order of arrival.
        if f.direction != ">" or not f.payload:
            return None
        free["at"] = max(free["at"], now) + len(f.raw) / 9600
        return [(free["at"] - now, ">", f.raw)]
    lab.start(rule=rule, delay_ms=4)
    usual(lab)
    peers.listen(lab, 8101, peers.http_handler(keep=False))

    def upload():
        s = peers.connect(lab, 8101, src=ATTACKER, timeout=60)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        s.sendall(peers.request("/api/v1/upload", method="POST", body=b"<invoice/>" * 1000))
        expect(peers.read_answer(s).decode(), "200 OK")
        s.close()
    with lab.capture("m", snaplen=128):
        sending = [lab.thread(upload) for _ in range(12)]
        for t in sending:
            t.join()


@scenario("quiet-clients", "10 long polls, 10 idle kept-alive connections and 10 event streams of one host: healthy")
def quiet_clients(lab):
    lab.start(delay_ms=2)
    usual(lab)

    def poll(conn, _peer):
        with conn:
            peers.read_request(conn)
            time.sleep(14)
            conn.sendall(peers.answer())

    def events(conn, _peer):
        with conn:
            peers.read_request(conn)
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
            for n in range(5):
                conn.sendall(b"data: %d\n\n" % n)
                time.sleep(2.8)
    peers.listen(lab, 8101, poll)
    peers.listen(lab, 8102, events)
    peers.listen(lab, 8103, peers.http_handler())

    def ask(port, path, pause):
        s = peers.connect(lab, port, src=ATTACKER, timeout=30)
        s.sendall(peers.request(path))
        while s.recv(4096) and not pause:
            pass
        time.sleep(pause)
        s.close()
    with lab.capture("m"):
        waiting = [lab.thread(ask, port, path, pause) for _ in range(10)
                   for port, path, pause in ((8101, "/poll", 0.1), (8102, "/events", 0), (8103, "/api/v1/orders", 14))]
        for t in waiting:
            t.join()


@scenario("chunk-streams", "12 agents of one host stream their measurements, one whole chunk each second and a half: healthy")
def chunk_streams(lab):
    lab.start(delay_ms=2)
    usual(lab)

    def collect(conn, _peer):
        with conn:
            data = b""
            while b"0\r\n\r\n" not in data:
                more = conn.recv(4096)
                if not more:
                    return
                data += more
            conn.sendall(peers.answer())
    peers.listen(lab, 8101, collect)

    def send():
        s = peers.connect(lab, 8101, src=ATTACKER, timeout=30)
        s.sendall(peers.request("/metrics", method="POST", extra="Transfer-Encoding: chunked\r\n"))
        for n in range(9):
            s.sendall(b'16\r\n{"node":7,"load":%4d}\r\n' % n)
            time.sleep(1.5)
        s.sendall(b"0\r\n\r\n")
        expect(peers.read_answer(s).decode(), "200 OK")
        s.close()
    with lab.capture("m"):
        sending = [lab.thread(send) for _ in range(12)]
        for t in sending:
            t.join()


@scenario("typing-clients", "12 terminals type into a line protocol, a key each second: healthy")
def typing_clients(lab):
    lab.start(delay_ms=2)
    usual(lab)

    def echo(conn, _peer):
        with conn:
            while conn.recv(4096):
                pass
    peers.listen(lab, 8104, echo)

    def type_slowly():
        s = peers.connect(lab, 8104, src=ATTACKER, timeout=30)
        for letter in b"GET INVOICE 12\n":
            s.sendall(bytes([letter]))
            time.sleep(1)
        s.close()
    with lab.capture("m"):
        typing = [lab.thread(type_slowly) for _ in range(12)]
        for t in typing:
            t.join()
