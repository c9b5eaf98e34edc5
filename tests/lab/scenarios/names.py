"""Name servers and time servers: silent, late, refusing, forged, off; and healthy ones that look odd.

Real servers (dnsmasq, unbound, chrony) and clients (dig of BIND, chrony) where they can be made to do it; a small
responder for what they will not do."""
import os
import socket
import struct
import subprocess
import time

from net import CLIENT, CLIENT6, CLIENTS4, NAME, SERVER, SERVER2, SERVER6
from runner import scenario
from scenarios.reach import contrast, usual

A, NS, CNAME, PTR, AAAA = 1, 2, 5, 12, 28
PAY = "pay.example.cn"


# --- clients ------------------------------------------------------------------------------------------
def dig(lab, name, *words, kind="A", server=SERVER, src=CLIENT, tries=1, wait=2):
    """What dig printed; it asks again with the same id, as libraries do."""
    done = subprocess.run(["ip", "netns", "exec", lab.space("c"), "dig", f"@{server}", "-b", src, f"+tries={tries}",
                           f"+time={wait}", *words, name, kind], capture_output=True, text=True, timeout=40)
    return done.stdout


def wire(name):
    return b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\0"


def ask(lab, name, kind=A, servers=(SERVER,), src=CLIENT, wait=2.0, tries=1):
    """A resolver library in short: each server in turn, the same id and socket again. True when one answered."""
    number = os.urandom(2)
    query = number + struct.pack(">HHHHH", 0x0100, 1, 0, 0, 0) + wire(name) + struct.pack(">HH", kind, 1)
    for _ in range(tries):
        for server in servers:
            s = lab.socket("c", socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM)
            s.bind((src, 0))
            s.settimeout(wait)
            s.sendto(query, (server, 53))
            try:
                s.recv(2000)
                time.sleep(0.05)
                return True
            except OSError:
                pass
            finally:
                s.close()
    return False


# --- servers ------------------------------------------------------------------------------------------
def dnsmasq(lab, *options, ip=SERVER):
    lab.spawn("s", "dnsmasq", "-k", "--no-resolv", "--no-hosts", "--user=root", "--group=root", "--bind-interfaces",
              "--conf-file=/dev/null", "--pid-file=", f"--listen-address={ip}", *options, log=ip)
    time.sleep(0.4)


def unbound(lab, text, ip=SERVER):
    path = os.path.join(lab.work, f"unbound.{ip}.conf")
    with open(path, "w") as f:
        f.write(f'server:\n  interface: {ip}\n  username: ""\n  chroot: ""\n  directory: "{lab.work}"\n  pidfile: ""\n'
                "  use-syslog: no\n  do-daemonize: no\n  num-threads: 1\n  module-config: \"iterator\"\n" + text)
    lab.spawn("s", "unbound", "-d", "-c", path, log=ip)
    time.sleep(0.8)


def address(text):
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def reply(query, *addresses, ttl=60, rcode=0):
    at = 12
    while query[at]:
        at += query[at] + 1
    records = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", A if len(d) == 4 else AAAA, 1, ttl, len(d)) + d
                       for d in map(address, addresses))
    return query[:2] + struct.pack(">HHHHH", 0x8180 | rcode, 1, len(addresses), 0, 0) + query[12:at + 5] + records


def responder(lab, act, ip=SERVER, port=53):
    """act(socket, datagram, peer, number of the datagram from 0)"""
    s = lab.socket("s", socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((ip, port))
    s.settimeout(0.2)

    def serve():
        number = 0
        while not lab.stopping.is_set():
            try:
                data, peer = s.recvfrom(2000)
            except OSError:
                continue
            act(s, data, peer, number)
            number += 1
        s.close()

    lab.thread(serve)


def begin(lab, **options):
    lab.start(**options)
    usual(lab)


# --- names that do not resolve --------------------------------------------------------------------------
@scenario("dns-silent", "the firewall drops DNS: dig asks three times, two clients, two names")
def dns_silent(lab):
    begin(lab)
    dnsmasq(lab, f"--address=/{NAME}/{SERVER}")
    lab.firewall("udp dport 53 drop")
    with lab.capture("cm"):
        contrast(lab)
        dig(lab, NAME, tries=3)
        dig(lab, PAY, tries=3, src=CLIENTS4[1])
        contrast(lab)
        time.sleep(3)
        contrast(lab)


@scenario("dns-silent-6", "a name server on IPv6 is down without a word; the client's library asks three times")
def dns_silent_6(lab):
    begin(lab, ipv6=True)
    lab.firewall("udp dport 53 drop")
    with lab.capture("m"):
        contrast(lab)
        dig(lab, NAME, kind="AAAA", server=SERVER6, src=CLIENT6, tries=3)
        contrast(lab)
        time.sleep(3)
        contrast(lab)


@scenario("dns-silent-once", "behind a VLAN tag the resolver stops answering for one zone only: its forwarder is dead")
def dns_silent_once(lab):
    begin(lab, vlan=210)
    dnsmasq(lab, f"--address=/{NAME}/{SERVER}", "--server=/example.net/127.0.0.1#5399")
    lab.firewall("iif lo udp dport 5399 drop", ns="s", hook="input")
    with lab.capture("m"):
        contrast(lab)
        dig(lab, NAME)
        dig(lab, "gw.example.net", tries=3)
        dig(lab, NAME, src=CLIENTS4[1])
        contrast(lab)
        time.sleep(3)
        contrast(lab)


@scenario("dns-one-dead", "the first of two resolvers is dead: each name takes 2 s longer, then the second answers")
def dns_one_dead(lab):
    begin(lab)
    dnsmasq(lab, f"--address=/{NAME}/{SERVER}", f"--address=/{PAY}/{SERVER}")
    lab.firewall(f"ip daddr {SERVER2} udp dport 53 drop")
    with lab.capture("m"):
        contrast(lab)
        for name in (NAME, PAY):
            if not ask(lab, name, servers=(SERVER2, SERVER)):
                raise RuntimeError("no answer")
        contrast(lab)


def failing(lab, server, words):
    with lab.capture("m"):
        contrast(lab)
        for name in (NAME, PAY):
            out = dig(lab, name, server=server, src=CLIENT6 if ":" in server else CLIENT)
            if words not in out:
                raise RuntimeError(out)
        contrast(lab)


@scenario("dns-servfail", "the server above unbound refuses: SERVFAIL for the clients")
def dns_servfail(lab):
    begin(lab)
    responder(lab, lambda s, q, peer, n: s.sendto(reply(q, rcode=5), peer), ip="127.0.0.1", port=5399)
    unbound(lab, '  access-control: 0.0.0.0/0 allow\n  do-not-query-localhost: no\nforward-zone:\n  name: "."\n'
            "  forward-addr: 127.0.0.1@5399\n")
    failing(lab, SERVER, "SERVFAIL")


@scenario("dns-servfail-6", "a resolver on IPv6 answers SERVFAIL")
def dns_servfail_6(lab):
    begin(lab, ipv6=True)
    responder(lab, lambda s, q, peer, n: s.sendto(reply(q, rcode=2), peer), ip=SERVER6)
    failing(lab, SERVER6, "SERVFAIL")


@scenario("dns-servfail-vlan", "dnsmasq relays a SERVFAIL, behind a VLAN tag")
def dns_servfail_vlan(lab):
    begin(lab, vlan=77)
    responder(lab, lambda s, q, peer, n: s.sendto(reply(q, rcode=2), peer), ip="127.0.0.1", port=5399)
    dnsmasq(lab, "--server=127.0.0.1#5399")
    failing(lab, SERVER, "SERVFAIL")


@scenario("dns-refused", "unbound refuses clients of this network")
def dns_refused(lab):
    begin(lab)
    unbound(lab, "  access-control: 0.0.0.0/0 refuse\n")
    failing(lab, SERVER, "REFUSED")


@scenario("dns-refused-dnsmasq", "dnsmasq without a server above it refuses what it does not know")
def dns_refused_dnsmasq(lab):
    begin(lab)
    dnsmasq(lab)
    failing(lab, SERVER, "REFUSED")


@scenario("dns-refused-6", "an authoritative server on IPv6 refuses to recurse")
def dns_refused_6(lab):
    begin(lab, ipv6=True)
    responder(lab, lambda s, q, peer, n: s.sendto(reply(q, rcode=5), peer), ip=SERVER6)
    failing(lab, SERVER6, "REFUSED")


@scenario("dns-nxdomain", "the clients' setup has a name that does not exist (dnsmasq)")
def dns_nxdomain(lab):
    begin(lab)
    dnsmasq(lab, "--local=/example.cn/", f"--address=/{NAME}/{SERVER}")
    with lab.capture("m"):
        contrast(lab)
        dig(lab, NAME)
        dig(lab, "invoice.example.cn")
        dig(lab, "invoice.example.cn", kind="AAAA")
        contrast(lab)


@scenario("dns-nxdomain-unbound", "unbound denies a name below a local zone, over IPv6")
def dns_nxdomain_unbound(lab):
    begin(lab, ipv6=True)
    unbound(lab, "  access-control: ::/0 allow\n  local-zone: \"example.cn.\" static\n", ip=SERVER6)
    with lab.capture("m"):
        contrast(lab)
        dig(lab, "einvoice.example.cn", server=SERVER6, src=CLIENT6)
        contrast(lab)


@scenario("dns-nxdomain-lost", "a name that another client has just resolved does not exist any more, behind a VLAN tag")
def dns_nxdomain_lost(lab):
    begin(lab, vlan=210)
    responder(lab, lambda s, q, peer, n: s.sendto(reply(q, SERVER) if n < 1 else reply(q, rcode=3), peer))
    with lab.capture("m"):
        contrast(lab)
        dig(lab, NAME, src=CLIENTS4[1])
        time.sleep(1)
        dig(lab, NAME)
        contrast(lab)


@scenario("dns-slow", "the resolver takes 0.9 s for each name")
def dns_slow(lab):
    begin(lab)

    def act(s, q, peer, n):
        time.sleep(0.9)
        s.sendto(reply(q, SERVER), peer)
    responder(lab, act)
    with lab.capture("m"):
        contrast(lab)
        dig(lab, NAME)
        dig(lab, PAY)
        contrast(lab)


@scenario("dns-conflict", "a forged answer overtakes the resolver's: another address, another TTL of its packet")
def dns_conflict(lab):
    begin(lab)

    def act(s, q, peer, n):
        s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 51)
        s.sendto(reply(q, "203.0.113.66", ttl=300), peer)
        s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 57)
        time.sleep(0.03)
        s.sendto(reply(q, SERVER), peer)
    responder(lab, act)
    with lab.capture("cm"):
        contrast(lab)
        for name in (NAME, PAY):
            ask(lab, name)
        contrast(lab)


@scenario("dns-changed", "the address of a name moves from one server to the other")
def dns_changed(lab):
    begin(lab)
    responder(lab, lambda s, q, peer, n: s.sendto(reply(q, SERVER if n < 2 else SERVER2), peer))
    with lab.capture("m"):
        contrast(lab)
        for _ in range(4):
            dig(lab, NAME)
            time.sleep(0.3)
        contrast(lab)


# --- healthy, and tempting ----------------------------------------------------------------------------
@scenario("dns-healthy", "no AAAA but an A, search suffixes, reverse names that are not there, TCP after truncation, short TTLs")
def dns_healthy(lab):
    begin(lab)
    text = "x" * 200
    dnsmasq(lab, "--local=/example.cn/", "--local=/corp.test/", "--local=/in-addr.arpa/", f"--address=/web.corp.test/{SERVER}",
            f"--host-record={NAME},{SERVER},5", f"--host-record=two.example.cn,{SERVER}", f"--host-record=two.example.cn,{SERVER2}",
            *[f"--txt-record=big.example.cn,{i}{text}" for i in range(4)])
    with lab.capture("cms"):
        contrast(lab)
        dig(lab, NAME, kind="AAAA")
        dig(lab, NAME)
        dig(lab, "web.example.cn")               # the first suffix of the search list
        dig(lab, "web.corp.test")
        dig(lab, "web.corp.test.example.cn")     # a name with a suffix that is in vain
        dig(lab, "web.corp.test")
        dig(lab, "20.100.51.198.in-addr.arpa", kind="PTR")
        dig(lab, "big.example.cn", "+noedns", "+bufsize=512", kind="TXT")
        dig(lab, "two.example.cn")
        dig(lab, "two.example.cn")
        contrast(lab)


@scenario("dns-healthy-odd", "a lost query repeated and answered, a pool that turns, an answer twice, a client that asks two resolvers")
def dns_healthy_odd(lab):
    begin(lab)

    def act(s, q, peer, n):
        if n == 0:
            return
        s.sendto(reply(q, f"198.51.100.{30 + n}"), peer)
    responder(lab, act)
    responder(lab, lambda s, q, peer, n: s.sendto(reply(q, SERVER), peer), ip=SERVER2)
    with lab.capture("m"):
        contrast(lab)
        dig(lab, NAME, tries=2, wait=1)
        for _ in range(4):
            dig(lab, "cdn.example.cn")
        dig(lab, PAY)
        dig(lab, PAY, server=SERVER2)
        contrast(lab)


@scenario("dns-ends", "the capture ends right after a query")
def dns_ends(lab):
    begin(lab)
    lab.firewall("udp dport 53 drop")
    with lab.capture("m"):
        contrast(lab)
        ask(lab, NAME, wait=0.05)


@scenario("dns-healthy-6", "dual stack: names over IPv6, behind a VLAN tag")
def dns_healthy_6(lab):
    begin(lab, ipv6=True, vlan=210)
    dnsmasq(lab, "--local=/example.cn/", f"--host-record={NAME},{SERVER},{SERVER6}", ip=SERVER6)
    with lab.capture("m"):
        contrast(lab)
        for kind in ("A", "AAAA", "HTTPS"):
            dig(lab, NAME, kind=kind, server=SERVER6, src=CLIENT6)
        contrast(lab)


# --- time ---------------------------------------------------------------------------------------------
def ntp_reply(query, ahead_s=0.0, leap=0, stratum=2, reference=b"\xc6\x33\x64\x01"):
    def stamp(t):
        return struct.pack(">II", int(t) + 2208988800, int((t % 1) * 2 ** 32))
    now = time.time() + ahead_s
    return (bytes([leap << 6 | 4 << 3 | 4, stratum, 6, 0xE8]) + struct.pack(">II", 0x100, 0x200) + reference + stamp(now - 30) +
            query[40:48] + stamp(now) + stamp(time.time() + ahead_s))


def ntp_server(lab, ip=SERVER, **answer):
    responder(lab, lambda s, q, peer, n: s.sendto(ntp_reply(q, **answer), peer), ip=ip, port=123)


def ntp_ask(lab, server=SERVER, src=CLIENT, random=True):
    now = time.time()
    stamp = os.urandom(8) if random else struct.pack(">II", int(now) + 2208988800, int((now % 1) * 2 ** 32))
    s = lab.socket("c", socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((src, 0))
    s.settimeout(1)
    s.sendto(bytes([4 << 3 | 3]) + bytes(39) + stamp, (server, 123))
    try:
        s.recv(200)
    except OSError:
        pass
    s.close()


def chrony(lab, ns, text, log):
    path = os.path.join(lab.work, f"chrony.{log}.conf")
    with open(path, "w") as f:
        f.write(f"pidfile {lab.work}/chrony.{log}.pid\ndriftfile {lab.work}/drift.{log}\nbindcmdaddress /\ncmdport 0\n" + text)
    lab.spawn(ns, "chronyd", "-x", "-d", "-u", "root", "-f", path, log=log)
    time.sleep(0.5)


@scenario("ntp-healthy", "chrony asks chrony eight times in a row, with random transmit times; a classic client asks too")
def ntp_healthy(lab):
    begin(lab)
    chrony(lab, "s", "local stratum 3\nallow all\n", "server")
    with lab.capture("cms"):
        contrast(lab)
        chrony(lab, "c", f"server {SERVER} iburst\nbindacqaddress {CLIENT}\n", "client")
        time.sleep(7)
        ntp_ask(lab, random=False)
        contrast(lab)


@scenario("ntp-offset", "one of three time servers is 5 s ahead")
def ntp_offset(lab):
    begin(lab)
    lab.ip("s", "addr", "add", "198.51.100.22/24", "dev", "s0")
    ntp_server(lab, ahead_s=5)
    chrony(lab, "s", f"local stratum 3\nallow all\nbindaddress {SERVER2}\n", "server")
    ntp_server(lab, ip="198.51.100.22")
    with lab.capture("m"):
        contrast(lab)
        for server in (SERVER, SERVER2, "198.51.100.22"):
            for _ in range(2):
                ntp_ask(lab, server)
        contrast(lab)


@scenario("ntp-unsynchronised", "chrony without a source of its own: leap indicator 3")
def ntp_unsynchronised(lab):
    begin(lab)
    chrony(lab, "s", "allow all\n", "server")
    with lab.capture("m"):
        contrast(lab)
        for _ in range(2):
            ntp_ask(lab)
        contrast(lab)


@scenario("ntp-kiss", "a time server over IPv6 sends the kiss code RATE")
def ntp_kiss(lab):
    begin(lab, ipv6=True)
    ntp_server(lab, ip=SERVER6, leap=3, stratum=0, reference=b"RATE")
    with lab.capture("m"):
        contrast(lab)
        ntp_ask(lab, SERVER6, src=CLIENT6)
        contrast(lab)


@scenario("ntp-stratum16", "a time server behind a VLAN tag lost its reference: stratum 16")
def ntp_stratum16(lab):
    begin(lab, vlan=210)
    ntp_server(lab, stratum=16)
    with lab.capture("m"):
        contrast(lab)
        ntp_ask(lab)
        contrast(lab)


@scenario("ntp-silent", "the firewall drops NTP: chrony's burst stays unanswered")
def ntp_silent(lab):
    begin(lab)
    lab.firewall("udp dport 123 drop")
    with lab.capture("m"):
        contrast(lab)
        chrony(lab, "c", f"server {SERVER} iburst\nbindacqaddress {CLIENT}\n", "client")
        time.sleep(9)
        contrast(lab)
        time.sleep(3)
        contrast(lab)
