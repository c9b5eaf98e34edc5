"""Faults of the local network."""
import contextlib
import socket
import struct
import time

import peers
from net import SERVER, SERVER6
from peers import expect
from runner import scenario
from scenarios.reach import contrast, usual

GATEWAY, GATEWAY6 = "198.51.100.1", "2001:db8:51:100::1"


@scenario("arp-unresolved", "a service on the client's own network does not answer ARP; seen at the client")
def arp_unresolved(lab):
    lab.start()
    usual(lab)
    with lab.capture("c"):
        contrast(lab)
        for _ in range(2):
            peers.try_connect(lab, 8443, ip="10.20.1.77", timeout=5)
            contrast(lab, 1)


@scenario("gateway-silent", "the server's gateway stops answering ARP; the server reaches its neighbor, nobody else; seen at "
                            "the server")
def gateway_silent(lab):
    lab.start()
    usual(lab)
    switch(lab)
    neighbor(lab, "198.51.100.40")
    peers.listen(lab, 8091, peers.http_handler(), ip="198.51.100.40", ns="x")
    lab.capture_on("s", "s0")
    time.sleep(0.15)
    expect(peers.http(lab, 8080), "200")
    ask_neighbor(lab)
    lab.ip("f", "link", "set", "f1", "arp", "off")
    lab.ip("s", "neigh", "flush", "dev", "s0")
    for _ in range(2):
        peers.try_connect(lab, 443, ip="203.0.113.9", ns="s", timeout=4)
        ask_neighbor(lab)
    lab.end_captures()


@scenario("ndp-unresolved", "a neighbor's IPv6 address does not answer neighbor solicitations; seen at the server")
def ndp_unresolved(lab):
    lab.start(ipv6=True)
    peers.nginx(lab, peers.http_server(lab, 8080, ip=SERVER6))
    lab.capture_on("s", "s0")
    time.sleep(0.15)
    expect(peers.http(lab, 8080, ip=SERVER6), "200")
    for _ in range(2):
        peers.try_connect(lab, 5432, ip="2001:db8:51:100::77", ns="s", timeout=4)
        expect(peers.http(lab, 8080, ip=SERVER6), "200")
    lab.end_captures()


def switch(lab):
    """Server and router on a bridge of their own, with a port to spare (x0)."""
    ipv6 = bool(lab.ip("s", "-6", "addr", "show", "dev", "s0", "scope", "global").strip())
    lab.add_space("x", ipv6=ipv6)
    lab.add_space("w")
    lab.ip("f", "link", "del", "f1")
    lab.ip("w", "link", "add", "br0", "type", "bridge")
    lab.ip("w", "link", "set", "br0", "up")
    lab.link("f", "f1", "52:54:00:c6:64:01", "w", "w0", "52:54:00:c6:64:f0")
    lab.link("s", "s0", "52:54:00:c6:64:14", "w", "w1", "52:54:00:c6:64:f1")
    lab.link("x", "x0", "52:54:00:c6:64:9a", "w", "w2", "52:54:00:c6:64:f2")
    for dev in ("w0", "w1", "w2"):
        lab.ip("w", "link", "set", dev, "master", "br0")
    for ns, dev, four, six in (("f", "f1", GATEWAY, GATEWAY6), ("s", "s0", SERVER, SERVER6)):
        lab.ip(ns, "addr", "add", f"{four}/24", "dev", dev)
        if ipv6:
            lab.ip(ns, "-6", "addr", "add", f"{six}/64", "dev", dev, "nodad")
    lab.ip("s", "route", "add", "default", "via", GATEWAY)
    if ipv6:
        lab.ip("s", "-6", "route", "add", "default", "via", GATEWAY6)
    time.sleep(0.5)


def neighbor(lab, *addresses):
    for address in addresses:
        six = ":" in address
        lab.ip("x", *(["-6"] if six else []), "addr", "add", f"{address}/{64 if six else 24}", "dev", "x0",
               *(["nodad"] if six else []))


def ask_neighbor(lab):
    with contextlib.closing(peers.connect(lab, 8091, ip="198.51.100.40", ns="s")) as s:
        s.sendall(peers.request("/api/v1/config"))
        expect(peers.read_answer(s).decode(), "200 OK")


@scenario("gateway-conflict", "a second machine has the address of the server's gateway; seen at the server")
def gateway_conflict(lab):
    lab.start()
    usual(lab)
    switch(lab)
    neighbor(lab, GATEWAY)
    lab.capture_on("s", "s0")
    time.sleep(0.15)
    for _ in range(4):
        lab.ip("s", "neigh", "flush", "dev", "s0")
        with contextlib.suppress(Exception):
            peers.http(lab, 8080)
        time.sleep(1.1)
    lab.end_captures()


@scenario("ndp-conflict", "two machines answer neighbor solicitations for the server's IPv6 address; seen at the router")
def ndp_conflict(lab):
    lab.start(ipv6=True)
    switch(lab)
    neighbor(lab, SERVER6)
    lab.ip("x", "-6", "route", "add", "default", "via", GATEWAY6)
    peers.nginx(lab, peers.http_server(lab, 8080, ip=SERVER6))
    peers.nginx(lab, peers.http_server(lab, 8080, ip=SERVER6), ns="x")
    lab.capture_on("f", "f1")
    time.sleep(0.15)
    for _ in range(4):
        lab.ip("f", "-6", "neigh", "flush", "dev", "f1")
        with contextlib.suppress(Exception):
            peers.http(lab, 8080, ip=SERVER6)
        time.sleep(1.1)
    lab.end_captures()


@scenario("ip-conflict", "a cloned machine answers ARP for the server's address too; seen at the router")
def ip_conflict(lab):
    lab.start()
    usual(lab)
    switch(lab)
    neighbor(lab, SERVER)
    lab.ip("x", "route", "add", "default", "via", GATEWAY)
    lab.sysctl("x", "net.ipv4.ip_default_ttl", 57)
    peers.nginx(lab, peers.tls_server(lab) + peers.http_server(lab, 8080), ns="x")
    lab.capture_on("f", "f1")
    time.sleep(0.15)
    for _ in range(4):
        lab.ip("f", "neigh", "flush", "dev", "f1")
        contrast(lab, 2)
        time.sleep(1.1)
    lab.end_captures()


@scenario("address-moved", "an address moves to another machine, which says so by gratuitous ARP; the old one falls silent")
def address_moved(lab):
    lab.start()
    switch(lab)
    neighbor(lab, "198.51.100.22")
    lab.ip("x", "route", "add", "default", "via", GATEWAY)
    lab.sysctl("x", "net.ipv4.ip_default_ttl", 57)
    lab.sysctl("x", "net.ipv4.ip_nonlocal_bind", 1)
    for ns in "sx":
        peers.nginx(lab, peers.tls_server(lab) + peers.http_server(lab, 8080), ns=ns)
    lab.capture_on("f", "f1")
    time.sleep(0.15)
    contrast(lab, 2)
    time.sleep(0.5)
    lab.ip("s", "addr", "del", f"{SERVER}/24", "dev", "s0")
    neighbor(lab, SERVER)
    wire = lab.socket("x", socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind(("x0", 0))
    mac, ip = bytes.fromhex("525400c6649a"), socket.inet_aton(SERVER)
    told = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + mac + ip + b"\0" * 6 + ip
    for _ in range(3):
        wire.send(b"\xff" * 6 + mac + b"\x08\x06" + told)
        time.sleep(0.3)
    for _ in range(3):
        contrast(lab, 2)
        time.sleep(0.8)
    lab.end_captures()
