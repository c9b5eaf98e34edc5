"""Faults of the local network."""
import time

import peers
from net import SERVER
from runner import scenario
from scenarios.reach import contrast, usual


@scenario("arp-unresolved", "a service on the client's own network does not answer ARP; seen at the client")
def arp_unresolved(lab):
    lab.start()
    usual(lab)
    with lab.capture("c"):
        contrast(lab)
        for _ in range(2):
            peers.try_connect(lab, 8443, ip="10.20.1.77", timeout=5)
            contrast(lab, 1)


@scenario("ip-conflict", "a cloned machine answers ARP for the server's address too; seen at the router")
def ip_conflict(lab):
    lab.start()
    usual(lab)
    # The clone stands on the same network: a bridge joins it to server and router.
    lab.add_space("x")
    lab.add_space("w")
    lab.ip("f", "link", "del", "f1")
    lab.ip("w", "link", "add", "br0", "type", "bridge")
    lab.ip("w", "link", "set", "br0", "up")
    lab.link("f", "f1", "52:54:00:c6:64:01", "w", "w0", "52:54:00:c6:64:f0")
    lab.link("s", "s0", "52:54:00:c6:64:14", "w", "w1", "52:54:00:c6:64:f1")
    lab.link("x", "x0", "52:54:00:c6:64:9a", "w", "w2", "52:54:00:c6:64:f2")
    for dev in ("w0", "w1", "w2"):
        lab.ip("w", "link", "set", dev, "master", "br0")
    lab.ip("f", "addr", "add", "198.51.100.1/24", "dev", "f1")
    for ns, dev in (("s", "s0"), ("x", "x0")):
        lab.ip(ns, "addr", "add", f"{SERVER}/24", "dev", dev)
        lab.ip(ns, "route", "add", "default", "via", "198.51.100.1")
    lab.sysctl("x", "net.ipv4.ip_default_ttl", 57)
    peers.nginx(lab, peers.tls_server(lab) + peers.http_server(lab, 8080), ns="x")
    lab.capture_on("f", "f1")
    time.sleep(0.15)
    for _ in range(4):
        lab.ip("f", "neigh", "flush", "dev", "f1")
        contrast(lab, 2)
        time.sleep(1.1)
    lab.end_captures()
