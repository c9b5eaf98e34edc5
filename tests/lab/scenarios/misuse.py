"""Scans, sweeps and floods; and the busy, broken or curious hosts that resemble them."""
import socket
import struct
import subprocess
import time

import bridge
import peers
from net import CLIENT6, CLIENTS4, SERVER, SERVER6
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
