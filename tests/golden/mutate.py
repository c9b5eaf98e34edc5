"""Rewrites a capture so that the truth stays and the form changes: `cut` (every TCP payload in one-byte segments),
`double` (every packet twice, 10 us apart), `tagged` (an 802.1Q tag more in every frame), `stacked` (an 802.1ad tag and an
802.1Q tag more), `oneway` (what goes from servers to clients taken away); and inside a tunnel: whole frames by `vxlan`,
`geneve` and `nvgre`, IP packets alone (what is no IP stays as it is) by `gre`, `ipip`, `gtp`, `mpls` and `pppoe`.

    mutate.py KIND IN.pcap OUT.pcap

Reads classic pcap of both byte orders and resolutions and pcapng, also gzipped; writes classic pcap with nanoseconds.
"""
import ipaddress
import os
import struct
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import captures  # noqa: E402

ETH_8021Q = (0x8100, 0x88A8)


class Packet:
    __slots__ = ("ns", "data", "length")

    def __init__(self, ns, data, length):
        self.ns, self.data, self.length = ns, data, length


def read(path):
    """(link type, packets) of a capture with one link type."""
    raw = captures.data(path)
    if raw[:4] == b"\x0a\x0d\x0d\x0a":
        return _read_ng(raw)
    magic = struct.unpack("<I", raw[:4])[0]
    order = "<" if magic in (0xA1B2C3D4, 0xA1B23C4D) else ">"
    unit = 1 if struct.unpack(order + "I", raw[:4])[0] == 0xA1B23C4D else 1000
    link = struct.unpack(order + "I", raw[20:24])[0] & 0xFFFF
    packets, at = [], 24
    while at + 16 <= len(raw):
        sec, frac, caplen, length = struct.unpack_from(order + "IIII", raw, at)
        packets.append(Packet(sec * 10**9 + frac * unit, raw[at + 16:at + 16 + caplen], length))
        at += 16 + caplen
    return link, packets


def _read_ng(raw):
    at, order, link, packets, units = 0, "<", 1, [], []
    while at + 12 <= len(raw):
        kind = struct.unpack_from("<I", raw, at)[0]
        if kind == 0x0A0D0D0A:
            order = "<" if struct.unpack_from("<I", raw, at + 8)[0] == 0x1A2B3C4D else ">"
            units = []
        kind, size = struct.unpack_from(order + "II", raw, at)
        if kind == 1:
            link = struct.unpack_from(order + "H", raw, at + 8)[0]
            units.append(_resolution(raw[at + 16:at + size - 4], order))
        elif kind == 6:
            iface, high, low, caplen, length = struct.unpack_from(order + "IIIII", raw, at + 8)
            packets.append(Packet(((high << 32) | low) * 10**9 // units[iface],
                                  raw[at + 28:at + 28 + caplen], length))
        at += size
    return link, packets


def _resolution(options, order):
    at = 0
    while at + 4 <= len(options):
        code, size = struct.unpack_from(order + "HH", options, at)
        if code == 9:
            return 2 ** (options[at + 4] & 127) if options[at + 4] & 128 else 10 ** options[at + 4]
        at += 4 + (size + 3) // 4 * 4
    return 10**6


def write(path, link, packets):
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, link))
        for p in packets:
            f.write(struct.pack("<IIII", p.ns // 10**9, p.ns % 10**9, len(p.data), p.length) + p.data)


class Headers:
    """Where the headers of a packet lie; l3 is None for what is not IP, tcp None for what is not TCP."""

    def __init__(self, p):
        d = p.data
        self.l3 = self.tcp = None
        self.version = self.proto = 0
        self.src = self.dst = ""
        at = 12
        if len(d) < 14:
            return
        while struct.unpack_from("!H", d, at)[0] in ETH_8021Q and len(d) >= at + 6:
            at += 4
        kind = struct.unpack_from("!H", d, at)[0]
        self.kind = kind
        at += 2
        if kind == 0x0800 and len(d) >= at + 20:
            self._ip4(p, d, at)
        elif kind == 0x86DD and len(d) >= at + 40:
            self._ip6(p, d, at)

    def _ip4(self, p, d, at):
        self.l3, self.version, self.proto = at, 4, d[at + 9]
        self.l4 = at + (d[at] & 15) * 4
        total = struct.unpack_from("!H", d, at + 2)[0]
        self.end = at + total if total else p.length
        self.src, self.dst = str(ipaddress.ip_address(d[at + 12:at + 16])), str(ipaddress.ip_address(d[at + 16:at + 20]))
        fragment = struct.unpack_from("!H", d, at + 6)[0] & 0x3FFF
        if self.proto == 6 and not fragment:
            self._tcp(d)

    def _ip6(self, p, d, at):
        self.l3, self.version, self.proto, self.l4 = at, 6, d[at + 6], at + 40
        self.end = at + 40 + struct.unpack_from("!H", d, at + 4)[0]
        self.src, self.dst = str(ipaddress.ip_address(d[at + 8:at + 24])), str(ipaddress.ip_address(d[at + 24:at + 40]))
        if self.proto == 6:
            self._tcp(d)

    def _tcp(self, d):
        if len(d) < self.l4 + 20:
            return
        self.tcp = self.l4
        self.sport, self.dport, self.seq, self.ack = struct.unpack_from("!HHII", d, self.tcp)
        self.flags = d[self.tcp + 13]
        self.body = self.tcp + (d[self.tcp + 12] >> 4) * 4


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _pseudo(d, h, size):
    if h.version == 4:
        return d[h.l3 + 12:h.l3 + 20] + struct.pack("!BBH", 0, 6, size)
    return d[h.l3 + 8:h.l3 + 40] + struct.pack("!IHBB", size, 0, 0, 6)


def _tcp_sum_right(d, h):
    return checksum(_pseudo(d, h, h.end - h.tcp) + d[h.tcp:h.end]) == 0


def cut(packets):
    """Every captured TCP payload in one-byte segments, spread over the time until the next packet (1 us at most)."""
    out, extra = [], {}
    for i, p in enumerate(packets):
        h = Headers(p)
        size = h.end - h.body if h.tcp is not None else 0
        whole = h.tcp is not None and len(p.data) >= h.end
        key = (h.src, h.dst) + ((h.sport, h.dport) if h.tcp is not None else ())
        if size <= 1 or not whole or h.flags & 6:
            out.append(Packet(p.ns, _renumber(p.data, h, extra.get(key, 0)), p.length))
            continue
        following = packets[i + 1].ns if i + 1 < len(packets) else p.ns + size * 1000
        step = max(0, min(1000, (following - p.ns) // size))
        right = _tcp_sum_right(p.data, h)
        for k in range(size):
            piece = _piece(p.data, h, k, k == size - 1, extra.get(key, 0) + k, right)
            out.append(Packet(p.ns + k * step, piece, len(piece)))
        extra[key] = extra.get(key, 0) + size - 1
    return out


def _renumber(d, h, add):
    """IP IDs go on counting, so that no later packet looks older than the pieces before it. 0 stays 0."""
    if h.version != 4 or not add or d[h.l3 + 4:h.l3 + 6] == b"\0\0":
        return d
    ident = (struct.unpack_from("!H", d, h.l3 + 4)[0] + add) & 0xFFFF
    head = bytearray(d[h.l3:h.l4])
    head[4:6] = struct.pack("!H", ident)
    head[10:12] = b"\0\0"
    head[10:12] = struct.pack("!H", checksum(bytes(head)))
    return d[:h.l3] + bytes(head) + d[h.l4:]


def _piece(d, h, k, last, add, right):
    part = bytearray(d[:h.body] + d[h.body + k:h.body + k + 1])
    size = len(part) - h.tcp
    struct.pack_into("!I", part, h.tcp + 4, (h.seq + k) & 0xFFFFFFFF)
    if not last:
        part[h.tcp + 13] &= ~9 & 0xFF  # PSH and FIN belong to the last piece
    if h.version == 4:
        struct.pack_into("!H", part, h.l3 + 2, len(part) - h.l3)
        part[h.l3 + 10:h.l3 + 12] = b"\0\0"
        struct.pack_into("!H", part, h.l3 + 10, checksum(bytes(part[h.l3:h.l4])))
    else:
        struct.pack_into("!H", part, h.l3 + 4, size)
    if right:  # a checksum that the sender's card had still to fill stays unfilled
        part[h.tcp + 16:h.tcp + 18] = b"\0\0"
        struct.pack_into("!H", part, h.tcp + 16, checksum(_pseudo(bytes(part), h, size) + bytes(part[h.tcp:])))
    return _renumber(bytes(part), h, add)


def double(packets):
    """Every packet once more 10 us later, in order of time."""
    out = []
    for i, p in enumerate(packets):
        out.append((p.ns, 2 * i, p))
        out.append((p.ns + 10000, 2 * i + 1, Packet(p.ns + 10000, p.data, p.length)))
    out.sort(key=lambda row: (row[0], row[1]))
    return [p for _, _, p in out]


def _pushed(packets, tags):
    return [Packet(p.ns, p.data[:12] + tags + p.data[12:], p.length + len(tags)) if len(p.data) >= 14 else p for p in packets]


def tagged(packets):
    """Every frame with a VLAN tag more, as a trunk carries it; a capture cut short kept as many bytes of the packet."""
    return _pushed(packets, struct.pack("!HH", 0x8100, 0x6000 | 117))


def stacked(packets):
    """Every frame with a provider's tag and a customer's."""
    return _pushed(packets, struct.pack("!HHHH", 0x88A8, 0x2000 | 1009, 0x8100, 117))


OUTER = bytes.fromhex("02000a00000202000a0000010800")  # MAC addresses of the tunnel's ends, IPv4
TUNNEL_ENDS = bytes([192, 0, 2, 1, 192, 0, 2, 2])


def _outer(number, size, proto):
    head = bytearray(struct.pack("!BBHHHBBH", 0x45, 0, (20 + size) & 0xFFFF, number & 0xFFFF, 0, 62, proto, 0) + TUNNEL_ENDS)
    struct.pack_into("!H", head, 10, checksum(bytes(head)))
    return OUTER + bytes(head)


def _udp(number, size, port, head):
    return _outer(number, 8 + len(head) + size, 17) + struct.pack("!HHHH", 40000, port, (8 + len(head) + size) & 0xFFFF, 0) + head


def _framed(packets, around):
    """Whole frames inside something: around(number, length) is what stands before each."""
    out = []
    for i, p in enumerate(packets):
        head = around(i, p.length)
        out.append(Packet(p.ns, head + p.data, len(head) + p.length))
    return out


def _inner(p):
    """(IP version, packet without its Ethernet header, length) or None for what is no IP."""
    h = Headers(p)
    return (h.version, p.data[h.l3:], p.length - h.l3) if h.l3 is not None else None


def _bare(packets, around):
    """IP packets inside something that carries no Ethernet; the rest (ARP) stays as it is."""
    out = []
    for i, p in enumerate(packets):
        inner = _inner(p)
        if inner is None:
            out.append(p)
            continue
        head = around(i, inner[0], inner[2])
        out.append(Packet(p.ns, head + inner[1], len(head) + inner[2]))
    return out


def vxlan(packets):
    return _framed(packets, lambda i, n: _udp(i, n, 4789, struct.pack("!II", 0x08000000, 5001 << 8)))


def geneve(packets):
    return _framed(packets, lambda i, n: _udp(i, n, 6081, struct.pack("!BBHI", 0, 0, 0x6558, 5001 << 8)))


def nvgre(packets):
    return _framed(packets, lambda i, n: _outer(i, 8 + n, 47) + struct.pack("!HHI", 0x2000, 0x6558, 5001 << 8))


def gre(packets):
    return _bare(packets, lambda i, v, n: _outer(i, 4 + n, 47) + struct.pack("!HH", 0, 0x86DD if v == 6 else 0x0800))


def ipip(packets):
    return _bare(packets, lambda i, v, n: _outer(i, n, 41 if v == 6 else 4))


def gtp(packets):
    return _bare(packets, lambda i, v, n: _udp(i, n, 2152, struct.pack("!BBHI", 0x30, 255, n & 0xFFFF, 77)))


def mpls(packets):
    return _bare(packets, lambda i, v, n: OUTER[:12] + struct.pack("!HII", 0x8847, (16001 << 12) | 62, (24 << 12) | 0x100 | 62))


def pppoe(packets):
    return _bare(packets, lambda i, v, n: OUTER[:12] + struct.pack("!HBBHHH", 0x8864, 0x11, 0, 9, (2 + n) & 0xFFFF,
                                                                   0x57 if v == 6 else 0x21))


def oneway(packets):
    """Only what goes from clients to servers."""
    parsed = [(p, Headers(p)) for p in packets]
    servers, clients = set(), set()
    for _, h in parsed:
        if h.tcp is not None and h.flags & 2:
            here, there = (h.src, h.sport), (h.dst, h.dport)
            servers.add(here if h.flags & 16 else there)
            clients.add(h.dst if h.flags & 16 else h.src)
    for _, h in parsed:  # connections without a SYN: the lower port serves
        if h.tcp is not None and (h.src, h.sport) not in servers and (h.dst, h.dport) not in servers:
            servers.add((h.src, h.sport) if h.sport < h.dport else (h.dst, h.dport))
            clients.add(h.dst if h.sport < h.dport else h.src)
    return [p for p, h in parsed if not _to_client(p, h, servers, clients)]


def _to_client(p, h, servers, clients):
    if h.tcp is not None:
        return (h.src, h.sport) in servers and (h.dst, h.dport) not in servers
    if h.l3 is not None:
        return h.dst in clients
    if len(p.data) >= 42 and getattr(h, "kind", 0) == 0x0806:
        return str(ipaddress.ip_address(p.data[38:42])) in clients
    return False


def has_neighbors(path):
    """Whether frames other than IPv4, or messages of neighbor discovery, are in there: only a tunnel of frames keeps them."""
    heads = [Headers(p) for p in read(path)[1]]
    return any(h.l3 is None or (h.version == 6 and h.proto == 58) for h in heads)


OVERLAYS = {f.__name__: f for f in (vxlan, geneve, nvgre)}
TUNNELS = {f.__name__: f for f in (gre, ipip, gtp, mpls, pppoe)}
KINDS = {"cut": cut, "double": double, "tagged": tagged, "stacked": stacked, "oneway": oneway,
         **OVERLAYS, **TUNNELS}


def rewrite(kind, source, target):
    link, packets = read(source)
    if link != 1:
        raise ValueError(f"{source}: only Ethernet is rewritten")
    changed = KINDS[kind](packets)
    write(target, link, changed)
    return len(changed)


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in KINDS:
        sys.exit(__doc__)
    print(rewrite(*sys.argv[1:]), "packets")
