"""SYNs that are lost for what they carry, and the look-alike: each first SYN is lost."""
import socket
import time

import peers
from net import CLIENTS4, SERVER
from peers import expect
from runner import scenario
from scenarios.reach import first_syn_lost


def echo(conn, _peer):
    with conn:
        conn.sendall(conn.recv(200))


def plain(lab, src):
    """A line and its echo: small, so that the samples stay so."""
    with peers.connect(lab, 8201, src=src) as s:
        s.sendall(b"stock 7\n")
        expect(s.recv(200).decode(), "stock")


def by_turns(lab, odd, src):
    """One connection with what is odd, then plain ones; nine in all."""
    for i in range(4):
        odd(lab)
        for _ in range(2 if i == 0 else 1):
            plain(lab, src)


def with_ecn(lab):
    lab.sysctl("c", "net.ipv4.tcp_ecn", 1)
    plain(lab, CLIENTS4[0])
    lab.sysctl("c", "net.ipv4.tcp_ecn", 2)


@scenario("ecn-syn-drop", "the firewall drops SYNs that ask for ECN; one client does, its retry leaves ECN out and passes")
def ecn_syn_drop(lab):
    lab.start()
    lab.firewall("tcp dport 8201 tcp flags & (syn | ecn | cwr) == (syn | ecn | cwr) drop")
    peers.listen(lab, 8201, echo)
    with lab.capture("m"):
        by_turns(lab, with_ecn, CLIENTS4[1])


def fast(lab):
    """One request in the SYN, to a server that gave its cookie before."""
    s = lab.socket("c")
    s.bind((CLIENTS4[0], 0))
    with s:
        s.sendto(b"stock 7\n", socket.MSG_FASTOPEN, (SERVER, 8201))
        expect(s.recv(200).decode(), "stock")


def fast_server(lab):
    for ns in "cs":
        lab.sysctl(ns, "net.ipv4.tcp_fastopen", 3)
    s = peers.listen(lab, 8201, echo)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)


@scenario("tfo-syn-drop", "the firewall drops SYNs with the Fast Open option and their data; the retry is plain and passes")
def tfo_syn_drop(lab):
    lab.start()
    fast_server(lab)
    fast(lab)
    lab.firewall("tcp dport 8201 tcp flags syn tcp option 34 exists drop")
    with lab.capture("m"):
        by_turns(lab, fast, CLIENTS4[0])


@scenario("first-syn-test", "a device drops the first SYN of each connection to test its client; all of them ask for ECN")
def first_syn_test(lab):
    lab.start(rule_far=first_syn_lost(8201))
    peers.listen(lab, 8201, echo)
    with lab.capture("m"):
        for _ in range(3):
            with_ecn(lab)
            time.sleep(0.1)
