#!/usr/bin/env python3
"""The 19 tampering signatures (SIGCOMM 2023), each in the name of the server and of the client, as captures made here:
over IPv4, IPv6 and inside a VLAN the finding of each names its number; look-alikes of real stacks name none.

    signatures.py BINARY [FOLDER]        FOLDER keeps the captures
"""
import json
import os
import struct
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "lab"))
sys.dont_write_bytecode = True
from bridge import ACK, FIN, PSH, RST, SYN, build_tcp4, build_tcp6  # noqa: E402

START = 1700000000.0
OPTIONS = b"\x02\x04\x05\xb4\x01\x03\x03\x07\x04\x02\x01\x01"
MACS = (b"\x02\0\0\0\0\x02" + b"\x02\0\0\0\0\x01", b"\x02\0\0\0\0\x01" + b"\x02\0\0\0\0\x02")
FORGED_TTL = 41
REQUEST = b"GET /a HTTP/1.1\r\nHost: inv.example.cn\r\nUser-Agent: erp/1\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{\"code\":0}"
CLIENT, SERVER = 0, 1
TO_SERVER, TO_CLIENT = 0.020, 0.005  # round trips from the tap
SETTINGS = {"IPv4": {}, "IPv6": {"ends": ("2001:db8:1::5", "2001:db8:9::9")}, "VLAN": {"vlan": 120}}


class Capture:
    def __init__(self):
        self.frames, self.idents = [], 60000

    def write(self, path):
        self.frames.sort(key=lambda frame: frame[0])
        with open(path, "wb") as out:
            out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
            for time, raw in self.frames:
                us = round(time * 1e6)
                out.write(struct.pack("<IIII", us // 10**6, us % 10**6, len(raw), len(raw)) + raw)


class Connection:
    def __init__(self, capture, time, port, ends=("10.1.0.5", "203.0.113.9"), vlan=None, service=8101):
        self.capture, self.time, self.ends, self.vlan = capture, time, ends, vlan
        self.ports, self.ttl, self.isn = (port, service), (63, 57), (port * 977, port * 1999)
        self.next, self.ident = [0, 0], [port & 0xFFFF, port * 3 & 0xFFFF]

    def send(self, side, flags, after=0.0, data=b"", seq=None, ack=None, ttl=None, window=500):
        """seq and ack count from the initial numbers; without ACK, ack is the raw number that stands there."""
        self.time += after
        peer = 1 - side
        self.ident[side] = (self.ident[side] + 1) & 0xFFFF
        number = self.isn[side] + (self.next[side] if seq is None else seq)
        acknowledged = self.isn[peer] + (self.next[peer] if ack is None else ack) if flags & ACK else ack or 0
        where = (MACS[side], self.ends[side], self.ends[peer], self.ports[side], self.ports[peer], number, acknowledged, flags)
        more = {"payload": data, "ttl": ttl or self.ttl[side], "window": window, "options": OPTIONS if flags & SYN else b""}
        if ":" in self.ends[0]:
            raw = build_tcp6(*where, **more)
        else:
            ident = self.ident[side]
            if ttl is not None:  # of a device that counts by itself
                self.capture.idents = ident = (self.capture.idents + 37) & 0xFFFF
            raw = build_tcp4(*where, ident=ident, **more)
        if self.vlan is not None:
            raw = raw[:12] + struct.pack("!HH", 0x8100, self.vlan) + raw[12:]
        if seq is None and not flags & RST:
            self.next[side] += len(data) + bool(flags & SYN) + bool(flags & FIN)
        self.capture.frames.append((self.time, raw))

    def forge(self, side, flags, after=0.002, **more):
        self.send(side, flags, after, ttl=FORGED_TTL, window=0, **more)

    def again(self, side, flags, pauses, data=b"", seq=1):
        for pause in pauses:
            self.send(side, flags, pause, data, seq=seq)

    def open(self):
        self.send(CLIENT, SYN)
        self.send(SERVER, SYN | ACK, TO_SERVER)
        self.send(CLIENT, ACK, TO_CLIENT)

    def ask(self, after=0.001):
        self.send(CLIENT, PSH | ACK, after, REQUEST)

    def answer(self):
        self.send(SERVER, ACK, TO_SERVER)
        self.send(SERVER, PSH | ACK, 0.005, ANSWER)
        self.send(CLIENT, ACK, TO_CLIENT)

    def close(self):
        self.send(CLIENT, FIN | ACK, 0.01)
        self.send(SERVER, FIN | ACK, TO_SERVER)
        self.send(CLIENT, ACK, TO_CLIENT)


# ---- the signatures ----------------------------------------------------------------------------------------------
PAUSES = (0.3, 0.6, 1.2, 2.4, 4.8)
# Resets, as (flags, acknowledgment number where they have no ACK).
RESETS = {2: [(RST, 0)], 3: [(RST | ACK, 0)], 4: [(RST, 0), (RST | ACK, 0)],
          6: [(RST, 0)], 7: [(RST, 0)] * 2, 8: [(RST | ACK, 0)], 9: [(RST | ACK, 0)] * 2,
          11: [(RST, 0)], 12: [(RST | ACK, 0)], 13: [(RST, 0), (RST | ACK, 0)], 14: [(RST | ACK, 0)] * 2,
          15: [(RST, 77)] * 2, 16: [(RST, 77), (RST, 99)], 17: [(RST, 77), (RST, 0)], 18: [(RST, 0)], 19: [(RST | ACK, 0)]}


def forge_all(c, side, number):
    for i, (flags, ack) in enumerate(RESETS[number]):
        c.forge(side, flags, 0.002 if i == 0 else 0.0005, ack=None if flags & ACK else ack)


def after_syn(c, side, number):
    c.send(CLIENT, SYN)
    if number == 1 and side == SERVER:
        c.again(CLIENT, SYN, (1, 2, 4), seq=0)
    elif number == 1:
        c.send(SERVER, SYN | ACK, TO_SERVER)
        c.again(SERVER, SYN | ACK, (1, 3, 7), seq=0)
    elif side == CLIENT:  # the server gets them, and then knows nothing of what the client goes on with
        forge_all(c, CLIENT, number)
        c.send(SERVER, SYN | ACK, TO_SERVER)
        c.send(CLIENT, ACK, TO_CLIENT)
        c.ask()
        c.send(SERVER, RST, TO_SERVER)
    else:
        for pause in (1, 2, 4) if number == 2 else (None,):  # RFC 9293 3.10.7.3: without ACK it is dropped, and the SYN sent again
            forge_all(c, SERVER, number)
            if pause:
                c.send(CLIENT, SYN, pause, seq=0)


def after_ack(c, side, number):
    c.open()
    if number == 5 and side == SERVER:
        c.again(CLIENT, ACK, (20,) * 4, seq=0)  # keep-alives of a client that waits
    elif number == 5:
        greeting = b"220 mail.example.cn ESMTP ready\r\n"
        c.send(SERVER, PSH | ACK, 0.01, greeting)
        c.again(SERVER, PSH | ACK, PAUSES, greeting)
    else:
        forge_all(c, side, number)
        c.ask(0.03)
        c.send(SERVER, ACK if side == SERVER else RST, TO_SERVER)


def after_data(c, side, number):
    c.open()
    c.ask()
    for _ in range(2 if number >= 18 else 0):
        c.send(CLIENT, PSH | ACK, 0.001, b"x" * 300)
    if number == 10 and side == SERVER:
        c.again(CLIENT, PSH | ACK, PAUSES, REQUEST)
    elif number == 10:
        c.send(SERVER, ACK, TO_SERVER)
        c.send(SERVER, PSH | ACK, 0.01, ANSWER)
        c.again(SERVER, PSH | ACK, PAUSES, ANSWER)
    else:
        forge_all(c, side, number)
        if side == SERVER:  # its true answer meets a closed socket
            c.send(SERVER, ACK, TO_SERVER)
            c.send(SERVER, PSH | ACK, 0.005, ANSWER)
            c.send(CLIENT, RST, TO_CLIENT)
        else:
            c.send(CLIENT, PSH | ACK, 0.3, REQUEST, seq=1)
            c.send(SERVER, RST, TO_SERVER)


def made(number, side, setting):
    capture = Capture()
    healthy(capture, setting)
    for i in range(2):
        c = Connection(capture, START + 3 * i, 40000 + i, **setting)
        (after_syn if number < 5 else after_ack if number < 10 else after_data)(c, side, number)
    return capture


def healthy(capture, setting):
    for i in range(60):
        c = Connection(capture, START - 3 + 1.5 * i, 30000 + i, **setting)
        c.open()
        c.ask()
        c.answer()
        c.close()


def code_of(number, side):
    if number == 1:
        return "conn-syn-timeout" if side == SERVER else "conn-half-open"
    if number in (5, 10):
        return "tcp-vanished"
    if number < 5 and side == SERVER:
        return "conn-syn-timeout" if number == 2 else "conn-rejected-by-middlebox"
    return "tcp-reset-injected"


# ---- look-alikes ---------------------------------------------------------------------------------------------------
def refused(c):
    c.send(CLIENT, SYN)
    c.send(SERVER, RST | ACK, TO_SERVER, window=0)


def race_lost(c):
    """Happy eyeballs: the other address was faster."""
    c.send(CLIENT, SYN)
    c.send(SERVER, SYN | ACK, TO_SERVER)
    c.send(CLIENT, RST, TO_CLIENT)


def health_check(c):
    c.open()
    c.send(CLIENT, RST | ACK, 0.001)


def speculative(c):
    """A browser's socket that nobody needed."""
    c.open()
    c.time += 10
    c.close()


def lingers_not(c):
    """LINGER 0 after a whole answer."""
    c.open()
    c.ask()
    c.answer()
    c.send(CLIENT, RST | ACK, 0.002)


def left_with_data_coming(c):
    """FIN, then a bare RST to what still came."""
    c.open()
    c.ask()
    c.send(SERVER, PSH | ACK, TO_SERVER, ANSWER)
    c.send(CLIENT, FIN | ACK, TO_CLIENT)
    c.send(SERVER, PSH | ACK, 0.001, b"and more")
    c.send(CLIENT, RST, TO_CLIENT)


def idle_expired(c):
    """A balancer ends what was idle for 60 s, towards both sides, with its own TTL."""
    c.open()
    c.ask()
    c.answer()
    c.time += 60
    c.forge(SERVER, RST | ACK)
    c.forge(CLIENT, RST | ACK, 0.0001)


LOOK_ALIKES = [refused, race_lost, health_check, speculative, lingers_not, left_with_data_coming, idle_expired]


def alike(look_alike, setting):
    capture = Capture()
    healthy(capture, setting)
    for i in range(2):
        service = 8102 if look_alike is refused else 8101
        look_alike(Connection(capture, START + 3 * i, 40000 + i, service=service, **setting))
    return capture


# ---- what is said ----------------------------------------------------------------------------------------------------
def findings(binary, path):
    done = subprocess.run([binary, "read", "--db", ":memory:", "--json", path], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=120, check=False)
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return [row for row in rows if row.get("type") == "finding"]


def values_of(finding):
    return finding.get("values") or {}


def check_made(found, number, side):
    code = code_of(number, side)
    key, other = ("client_signature", "server_signature") if side == CLIENT else ("server_signature", "client_signature")
    own = [f for f in found if f["code"] == code]
    numbers = {values_of(f).get(key, "none").split(":")[0] for f in own}
    if numbers != {str(number)}:
        return f"{code} with {key} {number} is missing: {sorted(numbers)} of {[f['code'] for f in found]}"
    if sum(f["count"] for f in own) != 2:
        return f"{code} covers {sum(f['count'] for f in own)} connections, not 2"
    # Who was reset in the other's name answers what still comes; that is no tampering of its own.
    wrong = [values_of(f)[other] for f in own if other in values_of(f)]
    return f"{other} {wrong}" if wrong else None


def main():
    binary, keep = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
    failures, count = [], 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = keep or temporary
        for name, setting in SETTINGS.items():
            cases = [(f"{number}-{('client', 'server')[side]}", made(number, side, setting),
                      lambda found, n=number, s=side: check_made(found, n, s)) for number in range(1, 20) for side in (CLIENT, SERVER)]
            cases += [(f.__name__, alike(f, setting), lambda found: next(
                (f"{row['code']} names a signature" for row in found if any("signature" in v for v in values_of(row))), None))
                for f in LOOK_ALIKES]
            for title, capture, check in cases:
                path = os.path.join(folder, f"{name}-{title}.pcap")
                capture.write(path)
                wrong = check(findings(binary, path))
                count += 1
                if wrong:
                    failures.append(f"{name} {title}: {wrong}")
    print("\n".join(failures + [f"{count} captures, {len(failures)} failures"]))
    return 1 if failures else 0


sys.exit(main())
