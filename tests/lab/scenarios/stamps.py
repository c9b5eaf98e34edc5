"""Numbers that went back: TCP timestamps that a device on the way changes while connections are open (RFC 7323 5.3),
and SYNs on ports whose last connection the server still holds in TIME_WAIT (RFC 6191)."""
import struct
import time

import bridge
import peers
from bridge import ACK, SYN
from net import CLIENT6, CLIENTS4, SERVER6
from peers import expect
from runner import scenario
from scenarios import reach6
from scenarios.path import STAMPS, sealed, with_options
from scenarios.reach import contrast, meanwhile, usual

AHEAD = 90_000  # ticks of 1 ms that the device adds to timestamps, until it restarts


def moved(f, ticks, mine):
    """The frame with the timestamps of the side that sends in direction `mine` moved by so many ticks."""
    def change(kind, raw, at, size):
        if kind == STAMPS:
            where, sign = (at + 2, 1) if f.direction == mine else (at + 6, -1)
            value = struct.unpack_from("!I", raw, where)[0]
            if value:
                struct.pack_into("!I", raw, where, (value + sign * ticks) & 0xFFFFFFFF)
    return [(0.0, f.direction, with_options(f, change))]


def modulator(lab, port, mine=">", after=0):
    """A device that adds to the timestamps of one side, and after its restart (the lab's flag) no longer, or `after`."""
    def rule(f, now):
        if not f.port(port):
            return None
        return moved(f, after if lab.flag.value else AHEAD, mine)
    return rule


def wait_for(s, seconds):
    """A second request, and how long its client waits for the answer before it gives up by a reset."""
    s.settimeout(seconds)
    s.sendall(peers.request("/api/v1/reconcile"))
    try:
        s.recv(4096)
    except OSError:
        pass
    peers.abort(s)


@scenario("paws-upload", "a device that adds to timestamps restarts; open connections send lower ones, their server refuses all")
def paws_upload(lab):
    lab.start(rule=modulator(lab, 8201))
    usual(lab)
    peers.listen(lab, 8201, peers.http_handler())
    with lab.capture("cms"):
        contrast(lab)
        pool = [peers.connect(lab, 8201, src=a) for a in CLIENTS4[:2]]
        for s in pool:
            peers.ask(s)
        time.sleep(0.3)
        lab.flag.value = 1
        waiting = [lab.thread(lambda s=s: wait_for(s, 4.5)) for s in pool]
        meanwhile(lab, waiting, 3, 1.4)
        peers.ask(peers.connect(lab, 8201))
        contrast(lab, 1)


@scenario("paws-handshake", "one of two devices adds to the timestamps, and only SYNs pass it: the handshake never ends")
def paws_handshake(lab):
    def rule(f, now):
        if not f.port(8201):
            return None
        if f.flags & SYN:
            return moved(f, AHEAD, ">")
        return None
    lab.start(rule=rule)
    usual(lab)
    peers.listen(lab, 8201, peers.http_handler())
    with lab.capture("m"):
        contrast(lab)
        waiting = []
        for a in CLIENTS4[:2]:
            s = peers.connect(lab, 8201, src=a)
            waiting.append(lab.thread(lambda s=s: wait_for(s, 4.5)))
        meanwhile(lab, waiting, 3, 1.4)


@scenario("paws-download6", "IPv6: a device before the server forgets what it added to timestamps in the middle of answers")
def paws_download6(lab):
    reach6.start(lab, rule_far=modulator(lab, 8201, "<"))
    peers.listen(lab, 8201, peers.http_handler(body=b"invoice " * 4000), ip=SERVER6)
    with lab.capture("ms"):
        reach6.well(lab, 2)
        s = peers.connect(lab, 8201, ip=SERVER6)
        peers.ask(s)
        time.sleep(0.3)
        lab.flag.value = 1
        waiting = [lab.thread(lambda: wait_for(s, 5))]
        meanwhile(lab, waiting, 3, 1.4, well=reach6.well)


@scenario("paws-returns", "the device's other half, with other timestamps, takes over for 1.5 s: a request waits, and is answered")
def paws_returns(lab):
    lab.start(rule=modulator(lab, 8201))
    usual(lab)
    peers.listen(lab, 8201, peers.http_handler())
    with lab.capture("m"):
        contrast(lab)
        s = peers.connect(lab, 8201, timeout=9)
        peers.ask(s)
        lab.flag.value = 1
        s.sendall(peers.request("/api/v1/reconcile"))
        time.sleep(1.5)
        lab.flag.value = 0
        expect(peers.read_answer(s).decode(), "200 OK")
        s.close()
        contrast(lab)


@scenario("stamps-forward", "a device adds more to timestamps after its restart than before, and one client loses segments: nothing is refused")
def stamps_forward(lab):
    lost = []

    def rule(f, now):
        if f.port(8201) and f.direction == ">" and f.payload and lab.flag.value and len(lost) < 3:
            lost.append(now)
            return []
        return modulator(lab, 8201, after=3 * AHEAD)(f, now)
    lab.start(rule=rule)
    usual(lab)
    peers.listen(lab, 8201, peers.http_handler())
    with lab.capture("m"):
        contrast(lab)
        s = peers.connect(lab, 8201, timeout=9)
        peers.ask(s)
        lab.flag.value = 1
        peers.ask(s)
        peers.ask(s)
        s.close()
        contrast(lab)


# --- a port whose last connection is in TIME_WAIT at the server -------------------------------------------------------
def closes_first(conn, _peer):
    """Answers one request and closes: TIME_WAIT is the server's."""
    peers.read_request(conn)
    conn.sendall(peers.answer())
    conn.close()


def behind(lab, port):
    """Once the flag is set, another machine with a lower clock uses the port of the same translated address."""
    def rule(f, now):
        if not f.port(port) or not lab.flag.value:
            return None
        return moved(f, -50_000_000, ">")
    return rule


def once(lab, port, sport, timeout=5):
    s = peers.connect(lab, port, sport=sport, timeout=timeout)
    peers.ask(s)
    s.recv(1)
    s.close()


@scenario("time-wait-held", "a second machine gets the port of one whose connection is in TIME_WAIT: its SYNs are refused until it gives up")
def time_wait_held(lab):
    lab.start(rule=behind(lab, 8201))
    usual(lab)
    lab.sysctl("s", "net.ipv4.tcp_rfc1337", 1)
    lab.sysctl("c", "net.ipv4.tcp_timestamps", 2)
    peers.listen(lab, 8201, closes_first)
    with lab.capture("ms"):
        contrast(lab)
        for sport in (41000, 41002):
            once(lab, 8201, sport)
        time.sleep(0.3)
        lab.flag.value = 1
        waiting = [lab.thread(lambda p=p: peers.try_connect(lab, 8201, sport=p, timeout=6)) for p in (41000, 41002)]
        meanwhile(lab, waiting, 4, 1.4)


@scenario("time-wait-reuse", "the same, and the reset ends the old connection: the second SYN gets through")
def time_wait_reuse(lab):
    lab.start(rule=behind(lab, 8201))
    usual(lab)
    lab.sysctl("c", "net.ipv4.tcp_timestamps", 2)
    peers.listen(lab, 8201, closes_first)
    with lab.capture("m"):
        contrast(lab)
        once(lab, 8201, 41000)
        time.sleep(0.3)
        lab.flag.value = 1
        once(lab, 8201, 41000)
        contrast(lab)


@scenario("time-wait-leaves", "the same, and the client leaves after the first refusal")
def time_wait_leaves(lab):
    lab.start(rule=behind(lab, 8201))
    usual(lab)
    lab.sysctl("c", "net.ipv4.tcp_timestamps", 2)
    peers.listen(lab, 8201, closes_first)
    with lab.capture("m"):
        contrast(lab)
        once(lab, 8201, 41000)
        time.sleep(0.3)
        lab.flag.value = 1
        peers.try_connect(lab, 8201, sport=41000, timeout=0.6)
        contrast(lab)
        time.sleep(2)
        contrast(lab)


def lower(lab, port, by=2_000_000_000):
    """Once the flag is set, initial sequence numbers of the client lie far lower."""
    def rule(f, now):
        if not f.port(port) or not lab.flag.value:
            return None
        raw = bytearray(f.raw)
        if f.direction == ">":
            struct.pack_into("!I", raw, f.l4 + 4, (f.seq - by) & 0xFFFFFFFF)
        elif f.flags & ACK:
            struct.pack_into("!I", raw, f.l4 + 8, (f.ack + by) & 0xFFFFFFFF)
        return [(0.0, f.direction, sealed(f, bytes(raw)))]
    return rule


@scenario("time-wait-plain6", "IPv6, no timestamps: a SYN whose sequence number lies below the old connection's is refused until the client gives up")
def time_wait_plain6(lab):
    reach6.start(lab, rule=lower(lab, 8201))
    lab.sysctl("s", "net.ipv4.tcp_rfc1337", 1)
    lab.sysctl("c", "net.ipv4.tcp_timestamps", 0)
    peers.listen(lab, 8201, closes_first, ip=SERVER6)
    with lab.capture("m"):
        reach6.well(lab, 2)
        s = peers.connect(lab, 8201, ip=SERVER6, src=CLIENT6, sport=41000)
        peers.ask(s)
        s.recv(1)
        s.close()
        time.sleep(0.3)
        lab.flag.value = 1
        waiting = [lab.thread(lambda: peers.try_connect(lab, 8201, ip=SERVER6, src=CLIENT6, sport=41000, timeout=6))]
        meanwhile(lab, waiting, 4, 1.4, well=reach6.well)
