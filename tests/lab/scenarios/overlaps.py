"""Other bytes for sequence numbers that the real sender uses for its own, at other offsets than its segments have."""
import contextlib

import peers
from net import SERVER6
from runner import scenario
from scenarios import reach6
from scenarios.reach import contrast, usual
from scenarios.resets import BODY, forge

FORGED = b'{"no":"044001900999","amount":"9999.99"},' * 20


def put_in(direction, port, least, ttl, *places):
    """One segment of other bytes in each of as many connections: (delay, shift, size) against the first real one that
    has at least so many bytes."""
    done = set()

    def rule(f, now):
        key = (f.sport, f.dport)
        if f.direction != direction or not f.port(port) or len(f.payload) < least or key in done or len(done) == len(places):
            return None
        delay, shift, size = places[len(done)]
        done.add(key)
        forged = forge(f, False, flags=0x18, seq=f.seq + shift, ttl=ttl, ident=3, payload=FORGED[:size], window=501)
        return [(delay, direction, forged), (0, direction, f.raw)]
    return rule


def export(lab, **where):
    s = peers.connect(lab, 8201, **where)
    s.sendall(peers.request("/api/v1/export"))
    with contextlib.suppress(OSError, ValueError):
        peers.read_answer(s)
    s.close()


def handle(conn, _peer):
    peers.read_request(conn)
    conn.sendall(peers.answer(BODY[:6000]))


@scenario("content-shifted", "somebody between tap and server puts other bytes into three answers of 8201, ahead of the "
          "server's or behind them, never where its segments begin; 443 and 8080 are left alone")
def content_shifted(lab):
    lab.start(rule_far=put_in("<", 8201, 1400, 41, (-0.0004, 300, 700), (0.0004, 500, 600), (0.0004, -400, 800)))
    usual(lab)
    peers.listen(lab, 8201, handle)
    with lab.capture("cm"):
        contrast(lab)
        for _ in range(4):
            export(lab)
        contrast(lab)


@scenario("content-request6", "IPv6, VLAN 60: somebody before the tap puts other bytes into an upload, with the hop limit of "
          "the client's packets")
def content_request6(lab):
    reach6.start(lab, rule=put_in(">", 8201, 1300, 64, (-0.0004, 900, 800)))

    def take(conn, _peer):
        with contextlib.suppress(OSError, ValueError):
            peers.read_request(conn)
            conn.sendall(peers.answer(b"{}"))
    peers.listen(lab, 8201, take, ip=SERVER6)
    with lab.capture("s"):
        reach6.well(lab, 2)
        for _ in range(2):
            s = peers.connect(lab, 8201, ip=SERVER6)
            s.sendall(peers.request("/api/v1/upload", method="POST", body=BODY[:6000]))
            with contextlib.suppress(OSError, ValueError):
                peers.read_answer(s)
            s.close()
        reach6.well(lab, 1)
