"""Ways that close in one direction only, and what separates the packets that pass from those that do not: bytes counted by a
firewall, sizes, source ports, a TTL that is too small, a second machine with the gateway's address. And clients that leave a
call that waits."""
import contextlib
import socket
import struct
import time

import peers
from net import CLIENT, CLIENTS4, ROUTER, SERVER
from peers import expect
from runner import scenario
from scenarios.reach import contrast, meanwhile, usual


def after_bytes(lab, verdict):
    """The firewall takes 20 kB of an answer of 60 kB; the clients wait 5 s for the rest and close."""
    lab.start()
    lab.firewall(f"tcp sport 8201 ct bytes > 20000 {verdict}\nct state established accept")
    lab.sysctl("f", "net.netfilter.nf_conntrack_acct", 1)
    usual(lab)
    peers.listen(lab, 8201, peers.http_handler(body=b"i" * 60000))
    with lab.capture("cs"):
        contrast(lab)
        for a in CLIENTS4[:2]:
            s = peers.connect(lab, 8201, src=a)
            s.sendall(peers.request("/api/v1/export"))
            s.settimeout(5)
            with contextlib.suppress(OSError):
                peers.read_answer(s)
            s.close()
        for _ in range(4):
            time.sleep(1)
            contrast(lab, 1)


@scenario("cut-after-bytes", "a firewall drops what a server sends on 8201 once a connection has carried 20 kB")
def cut_after_bytes(lab):
    after_bytes(lab, "drop")


@scenario("prohibited-after-bytes", "a firewall answers what a server sends on 8201 by ICMP once a connection has carried 20 kB")
def prohibited_after_bytes(lab):
    after_bytes(lab, "reject with icmp type admin-prohibited")


@scenario("size-drop", "a device drops the IP packets of 8201 that have 500 to 600 bytes; smaller and larger ones pass")
def size_drop(lab):
    lab.start(rule_far=lambda f, now: [] if f.port(8201) and 500 <= len(f.raw) - 14 <= 600 else None)
    usual(lab)

    def sized(conn, _peer):
        with conn:
            while True:
                asked = peers.read_request(conn)
                if not asked:
                    break
                conn.sendall(peers.answer(b"k" * (400 if b"/mid" in asked else 2000 if b"/big" in asked else 20)))
    peers.listen(lab, 8201, sized)
    with lab.capture("cs"):
        contrast(lab)
        waiting = []
        for a in CLIENTS4[:3]:
            s = peers.connect(lab, 8201, src=a)
            peers.ask(s)
            peers.ask(s, "/big")
            s.sendall(peers.request("/mid"))
            waiting.append(lab.thread(lambda s=s: (time.sleep(7), s.close())))
        meanwhile(lab, waiting, 8, 1)


@scenario("port-range", "a device drops SYNs to 8201 from source ports 50000 to 59999")
def port_range(lab):
    lab.start()
    lab.firewall("tcp dport 8201 tcp sport 50000-59999 tcp flags syn drop")
    usual(lab)
    peers.listen(lab, 8201, peers.http_handler())
    with lab.capture("cm"):
        for port in (40001, 51000, 61000, 55555, 47000, 33000, 59000, 60100, 52345, 49000, 44000, 57000, 36000, 53000, 62000):
            if 50000 <= port < 60000:
                peers.try_connect(lab, 8201, sport=port, timeout=3.5)
            else:
                expect(peers.http(lab, 8201, sport=port), "200")


@scenario("server-ttl", "what the server sends from 8201 has a TTL of 1: its SYN-ACKs die at the router")
def server_ttl(lab):
    lab.start()
    usual(lab)
    peers.listen(lab, 8201, peers.http_handler())
    for words in ("add table ip t", "add chain ip t o { type filter hook output priority 0; }",
                  "add rule ip t o tcp sport 8201 ip ttl set 1"):
        lab.exec("s", "nft", *words.split(" "))
    with lab.capture("s"):
        contrast(lab)
        waiting = [lab.thread(lambda a=a: peers.try_connect(lab, 8201, src=a, timeout=5)) for a in CLIENTS4[:3]]
        meanwhile(lab, waiting, 6, 1)


@scenario("double-gateway", "a second machine says that it has the gateway's address; SYNs that go to it are never answered")
def double_gateway(lab):
    right, wrong = bytes.fromhex("5254000a0101"), bytes.fromhex("520000000099")
    own = bytes.fromhex("5254000a010b")
    lab.start()
    usual(lab)

    def say(mac):
        arp = own + mac + b"\x08\x06" + struct.pack("!HHBBH", 1, 0x800, 6, 4, 2) + mac + socket.inet_aton(ROUTER) + own + \
            socket.inet_aton(CLIENT)
        with lab.inside("m"):
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            s.bind(("m0", 0))
        s.send(arp)
        s.close()
        time.sleep(0.1)
    with lab.capture("c"):
        contrast(lab)
        for _ in range(3):
            # A table of neighbours does not let itself be changed twice within a second.
            time.sleep(1.2)
            say(wrong)
            peers.try_connect(lab, 443, timeout=4)
            say(right)
            contrast(lab)


@scenario("poll-left", "clients leave a poll that waits for news after four seconds, and ask again")
def poll_left(lab):
    lab.start()
    usual(lab)
    peers.listen(lab, 8201, peers.holds())
    with lab.capture("m"):
        for _ in range(3):
            s = peers.connect(lab, 8201)
            s.sendall(peers.request("/poll?timeout=30"))
            for _ in range(4):
                time.sleep(1)
                contrast(lab, 1)
            s.close()
