"""Devices that change packets and leave their checksum as it was: every copy is dropped by its receiver."""
import time

import bridge
import peers
from net import CLIENT6, SERVER6
from peers import expect
from runner import scenario
from scenarios import reach6
from scenarios.path import MSS
from scenarios.reach import contrast, meanwhile, usual
from scenarios.stamps import wait_for


def turned(f, at):
    """The frame with one byte of it changed, checksum as before."""
    raw = bytearray(f.raw)
    raw[at] ^= 0x20
    return [(0.0, f.direction, bytes(raw))]


@scenario("damaged-syn", "a device lowers the MSS in SYNs to 8201 and does not repair their checksum; 443 works")
def damaged_syn(lab):
    def rule(f, now):
        if not f.port(8201) or f.direction != ">" or not f.flags & bridge.SYN:
            return None
        at, end = f.l4 + 20, f.l4 + (f.raw[f.l4 + 12] >> 4) * 4
        while at < end and f.raw[at] != MSS:
            at += 1 if f.raw[at] == 1 else f.raw[at + 1]
        return turned(f, at + 3)
    lab.start(rule=rule)
    usual(lab)
    peers.listen(lab, 8201, peers.http_handler())
    with lab.capture("m"):
        contrast(lab)
        waiting = [lab.thread(lambda: peers.try_connect(lab, 8201, timeout=3.6)) for _ in range(2)]
        meanwhile(lab, waiting, 3, 1.2)


@scenario("damaged-hello6", "IPv6: a device changes a byte of every ClientHello to 8443 and does not repair the checksum; 443 works")
def damaged_hello6(lab):
    def rule(f, now):
        hello = f.port(8443) and f.direction == ">" and f.payload[:1] == b"\x16"
        return turned(f, f.l4 + 120) if hello else None
    reach6.start(lab, peers.tls_server(lab, 8443, ip=SERVER6), rule=rule)
    with lab.capture("m"):
        reach6.well(lab, 2)
        waiting = [lab.thread(lambda: tls_in_vain(lab))]
        meanwhile(lab, waiting, 4, 1.3, well=reach6.well)


def tls_in_vain(lab):
    try:
        peers.https(lab, 8443, ip=SERVER6, src=CLIENT6, timeout=4.8)
    except OSError:
        pass


@scenario("damaged-request", "a device changes a byte of each request for one path and does not repair the checksum; others on the same connection pass")
def damaged_request(lab):
    def rule(f, now):
        named = f.port(8201) and f.direction == ">" and b"/reconcile" in f.payload
        return turned(f, len(f.raw) - 8) if named else None
    lab.start(rule=rule)
    usual(lab)
    peers.listen(lab, 8201, peers.http_handler())
    with lab.capture("m"):
        contrast(lab)
        s = peers.connect(lab, 8201)
        for _ in range(24):
            peers.ask(s)
        time.sleep(0.3)
        waiting = [lab.thread(lambda: wait_for(s, 5))]
        meanwhile(lab, waiting, 4, 1.3)
