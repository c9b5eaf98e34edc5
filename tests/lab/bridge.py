"""A bridge of our own between two devices of one namespace: two AF_PACKET sockets, a rule asked per frame, and a
heap of due times. It runs as its own process, so that a busy scenario does not disturb its timing.

A rule is a function rule(frame, now) that returns None (carry on as usual) or a list of (seconds, direction, bytes):
the frames to send instead, `direction` being ">" (towards the server) or "<" (towards the client).
An empty list drops the frame. The usual delay is added to what the rule asks for.
"""
import ctypes
import heapq
import ipaddress
import multiprocessing
import os
import selectors
import signal
import socket
import struct
import time

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
_PACKET_OUTGOING = 4
_SOL_PACKET, _PACKET_AUXDATA = 263, 8
_fork = multiprocessing.get_context("fork")


def new_flag():
    """An integer that the scenario sets and the rule reads."""
    return _fork.Value("i", 0)


class Frame:
    """One Ethernet frame with the fields that rules ask for; `tcp` is False for anything else."""

    def __init__(self, raw, direction):
        self.raw, self.direction = raw, direction
        self.tcp = self.udp = False
        self.src = self.dst = ""
        self.sport = self.dport = self.seq = self.ack = self.flags = self.ttl = 0
        self.payload = b""
        self.ethertype = struct.unpack_from("!H", raw, 12)[0] if len(raw) >= 14 else 0
        self._parse()

    def _parse(self):
        raw = self.raw
        if self.ethertype == 0x0800 and len(raw) >= 34:
            ihl = (raw[14] & 15) * 4
            end = 14 + struct.unpack_from("!H", raw, 16)[0]
            self.proto, self.ttl = raw[23], raw[22]
            self.src = socket.inet_ntoa(raw[26:30])
            self.dst = socket.inet_ntoa(raw[30:34])
            at = 14 + ihl
        elif self.ethertype == 0x86DD and len(raw) >= 54:
            end = 54 + struct.unpack_from("!H", raw, 18)[0]
            self.proto, self.ttl = raw[20], raw[21]
            self.src = str(ipaddress.ip_address(raw[22:38]))
            self.dst = str(ipaddress.ip_address(raw[38:54]))
            at = 54
        else:
            return
        self.l4 = at
        if self.proto == 6 and len(raw) >= at + 20:
            self.tcp = True
            self.sport, self.dport, self.seq, self.ack = struct.unpack_from("!HHII", raw, at)
            self.flags = raw[at + 13]
            self.payload = raw[at + (raw[at + 12] >> 4) * 4:end]
        elif self.proto == 17 and len(raw) >= at + 8:
            self.udp = True
            self.sport, self.dport = struct.unpack_from("!HH", raw, at)
            self.payload = raw[at + 8:end]

    def port(self, number):
        return self.tcp and number in (self.sport, self.dport)


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def build_tcp4(eth, src, dst, sport, dport, seq, ack, flags, payload=b"", ttl=64, ident=0, window=0, options=b""):
    """A whole IPv4 TCP frame with right checksums; eth is the 12 bytes of MAC addresses."""
    tcp = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF,
                      (5 + len(options) // 4) << 4, flags, window, 0, 0) + options + payload
    pseudo = socket.inet_aton(src) + socket.inet_aton(dst) + struct.pack("!BBH", 0, 6, len(tcp))
    tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), ident, 0x4000, ttl, 6, 0,
                     socket.inet_aton(src), socket.inet_aton(dst))
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    return eth + b"\x08\x00" + ip + tcp


def build_tcp6(eth, src, dst, sport, dport, seq, ack, flags, payload=b"", ttl=64, window=0, options=b""):
    """The same over IPv6."""
    ends = socket.inet_pton(socket.AF_INET6, src) + socket.inet_pton(socket.AF_INET6, dst)
    tcp = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF,
                      (5 + len(options) // 4) << 4, flags, window, 0, 0) + options + payload
    tcp = tcp[:16] + struct.pack("!H", checksum(ends + struct.pack("!II", len(tcp), 6) + tcp)) + tcp[18:]
    return eth + b"\x86\xdd" + struct.pack("!IHBB", 0x60000000, len(tcp), 6, ttl) + ends + tcp


def reset_for(frame, to_sender, ttl=64, ident=0):
    """A forged RST,ACK in answer to frame: to its sender, or else to its receiver."""
    eth_dst, eth_src = frame.raw[0:6], frame.raw[6:12]
    end = frame.seq + len(frame.payload) + (1 if frame.flags & (SYN | FIN) else 0)
    if to_sender:
        return build_tcp4(eth_src + eth_dst, frame.dst, frame.src, frame.dport, frame.sport, frame.ack, end,
                          RST | ACK, ttl=ttl, ident=ident)
    return build_tcp4(eth_dst + eth_src, frame.src, frame.dst, frame.sport, frame.dport, frame.seq, frame.ack,
                      RST | ACK, ttl=ttl, ident=ident)


class Bridge:
    def __init__(self, lab, ns, dev_a, dev_b, rule, delay_ms, tag_a=None, tag_b=None):
        with lab.inside(ns):
            a, b = _open(dev_a), _open(dev_b)
        self.process = _fork.Process(target=_carry, args=(a, b, rule, delay_ms / 1000.0, tag_a, tag_b), daemon=True)
        self.process.start()
        a.close()
        b.close()

    def close(self):
        self.process.terminate()
        self.process.join(3)
        if self.process.is_alive():
            self.process.kill()
            self.process.join(3)


def _open(dev):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.bind((dev, 0))
    s.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    s.setblocking(False)
    return s


def _carry(a, b, rule, delay, tag_a, tag_b):
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Ends with the lab, whatever happens to it: PR_SET_PDEATHSIG = 1.
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    parent = os.getppid()
    out = {">": (b, tag_b), "<": (a, tag_a)}
    heap, serial = [], 0
    chooser = selectors.DefaultSelector()
    chooser.register(a, selectors.EVENT_READ, ">")
    chooser.register(b, selectors.EVENT_READ, "<")
    while os.getppid() == parent:
        now = time.monotonic()
        while heap and heap[0][0] <= now:
            _, _, direction, raw = heapq.heappop(heap)
            _send(*out[direction], raw)
        wait = 0.5 if not heap else max(0.0, min(0.5, heap[0][0] - now))
        for key, _ in chooser.select(wait):
            for raw in _receive(key.fileobj):
                now = time.monotonic()
                frame = Frame(raw, key.data)
                acts = rule(frame, now) if rule else None
                if acts is None:
                    acts = [(0.0, key.data, raw)]
                for extra, direction, data in acts:
                    serial += 1
                    heapq.heappush(heap, (now + delay + extra, serial, direction, data))


def _receive(s):
    frames = []
    for _ in range(64):
        try:
            raw, _, _, address = s.recvmsg(65600, 256)
        except (BlockingIOError, OSError):
            break
        # The kernel has taken an 802.1Q tag off already; the far bridge wants it off anyway.
        if address[2] != _PACKET_OUTGOING:
            frames.append(raw)
    return frames


def _send(s, tag, raw):
    if tag is not None:
        raw = raw[:12] + struct.pack("!HH", 0x8100, tag) + raw[12:]
    try:
        s.send(raw)
    except OSError:
        pass  # a device that is down loses frames, as real ones do
