"""Frames of floods and scans as tools make them: forged sources, wrong or odd openings, no stack behind them.

KINDS: name -> Kind. make(chance, count, v6) yields `count` frames in the order of their time, or (share of the time, frame).
"""
import collections
import ipaddress
import struct

VICTIM = {False: "198.51.100.99", True: "2001:db8:51:100::99"}
ATTACKER = {False: "192.0.2.66", True: "2001:db8:66::66"}
MACS = bytes.fromhex("5254000a0101525400c66401")
TCP, UDP, FRAGMENT = 6, 17, 44
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16

# seconds: None for as long as the ordinary traffic lasts. told: the findings that have to name it.
Kind = collections.namedtuple("Kind", "make seconds told")


# ---- layers ---------------------------------------------------------------------------------------

def checksum(data):
    if len(data) & 1:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF


def packed(address):
    return ipaddress.ip_address(address).packed


def ip(src, dst, protocol, payload, number=0, ttl=52, fragment=0):
    """An Ethernet frame; src and dst are packed. fragment: of IPv4, flags and offset as they stand in the header."""
    if len(src) == 16:
        return MACS + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, len(payload), protocol, ttl) + src + dst + payload
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), number & 0xFFFF, fragment, ttl, protocol, 0) + src + dst
    return MACS + b"\x08\x00" + head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def summed(src, dst, protocol, segment, at):
    total = checksum(src + dst + struct.pack("!IHBB", len(segment), 0, 0, protocol) + segment)
    return segment[:at] + struct.pack("!H", total) + segment[at + 2:]


def tcp(src, dst, sport, dport, seq, ack=0, flags=SYN, payload=b"", number=0):
    options = b"\x02\x04\x05\xb4" if flags & SYN else b""
    head = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, (20 + len(options)) << 2, flags,
                       64240, 0, 0)
    return ip(src, dst, TCP, summed(src, dst, TCP, head + options + payload, 16), number)


def udp(src, dst, sport, dport, payload, number=0):
    head = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0)
    return ip(src, dst, UDP, summed(src, dst, UDP, head + payload, 6), number)


def icmp(src, dst, kind, code, rest, body, number=0, ttl=52):
    message = struct.pack("!BBHI", kind, code, 0, rest) + body
    if len(src) == 16:
        return ip(src, dst, 58, summed(src, dst, 58, message, 2), number, ttl)
    return ip(src, dst, 1, message[:2] + struct.pack("!H", checksum(message)) + message[4:], number, ttl)


def forged(chance, v6):
    if v6:
        return b"\x24\x00" + chance.randbytes(14)
    return struct.pack("!I", chance.randrange(1 << 24, 223 << 24))


def high_port(chance):
    return chance.randrange(1024, 65536)


# ---- handshakes that lead to nothing --------------------------------------------------------------

def syn_flood(chance, count, v6):
    victim = packed(VICTIM[v6])
    for i in range(count):
        yield tcp(forged(chance, v6), victim, high_port(chance), 443, i * 7919)


def syn_answered(chance, count, v6):
    victim = packed(VICTIM[v6])
    for i in range(count // 2):
        src, sport = forged(chance, v6), high_port(chance)
        yield tcp(src, victim, sport, 443, i * 7919)
        yield tcp(victim, src, 443, sport, i * 104729, i * 7919 + 1, SYN | ACK)


def port_scan(chance, count, v6):
    """One source, all ports of as many hosts as it takes."""
    src, first = packed(ATTACKER[v6]), int.from_bytes(packed(VICTIM[v6]), "big") + 1
    for i in range(count):
        dst = (first + (i >> 16)).to_bytes(len(src), "big")
        yield tcp(src, dst, 40000 + i % 7, i & 0xFFFF or 1, i)


def port_scan_refused(chance, count, v6):
    src, first = packed(ATTACKER[v6]), int.from_bytes(packed(VICTIM[v6]), "big") + 1
    for i in range(count // 2):
        dst, port = (first + (i >> 16)).to_bytes(len(src), "big"), i & 0xFFFF or 1
        yield tcp(src, dst, 40000 + i % 7, port, i)
        yield tcp(dst, src, port, 40000 + i % 7, 0, i + 1, RST | ACK)


def host_sweep(chance, count, v6):
    """One source, one port of every address of a large network."""
    src = packed(ATTACKER[v6])
    first = int.from_bytes(packed("2001:db8:64::" if v6 else "10.64.0.0"), "big")
    for i in range(count):
        yield tcp(src, (first + i).to_bytes(len(src), "big"), 40000 + i % 7, 22, i)


# ---- lone packets of connections that nobody began ------------------------------------------------

def lone(flags, payload, from_victim=False):
    def make(chance, count, v6):
        victim = packed(VICTIM[v6])
        for i in range(count):
            src, sport = forged(chance, v6), high_port(chance)
            seq, ack = chance.getrandbits(32), chance.getrandbits(32) if flags & ACK else 0
            if from_victim:
                yield tcp(victim, src, 443, sport, seq, ack, flags, payload)
            else:
                yield tcp(src, victim, sport, 443, seq, ack, flags, payload)
    return make


# ---- datagrams ------------------------------------------------------------------------------------

def udp_flood(chance, count, v6):
    victim = packed(VICTIM[v6])
    for i in range(count):
        yield udp(forged(chance, v6), victim, high_port(chance), chance.randrange(1, 65536), b"\0" * 64, i)


def udp_one_source(chance, count, v6):
    """All ports of one host, from one socket."""
    src, victim = packed(ATTACKER[v6]), packed(VICTIM[v6])
    for i in range(count):
        yield udp(src, victim, 40000 + (i >> 16), i & 0xFFFF or 1, b"\0" * 64, i)


def question(number, name):
    labels = b"".join(bytes([len(l)]) + l.encode() for l in name.split("."))
    return struct.pack("!HHHHHH", number & 0xFFFF, 0x0100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"


def random_name(chance):
    return f"{chance.getrandbits(48):012x}.example.com"


def dns_flood(chance, count, v6):
    """Random names from forged sources, nothing answers."""
    victim = packed(VICTIM[v6])
    for i in range(count):
        yield udp(forged(chance, v6), victim, high_port(chance), 53, question(i, random_name(chance)), i)


def dns_answered(chance, count, v6):
    """Random names of a zone, each told not to exist."""
    victim = packed(VICTIM[v6])
    for i in range(count // 2):
        src, sport, asked = forged(chance, v6), high_port(chance), question(i, random_name(chance))
        yield udp(src, victim, sport, 53, asked, i)
        yield udp(victim, src, 53, sport, asked[:2] + b"\x81\x83" + asked[4:], i)


def dns_resolver(chance, count, v6):
    """The same through one resolver, a new port each time."""
    src, victim = packed(ATTACKER[v6]), packed(VICTIM[v6])
    for i in range(count // 2):
        sport, asked = 1024 + i % 64000, question(i // 64000, random_name(chance))
        yield udp(src, victim, sport, 53, asked, i)
        yield udp(victim, src, 53, sport, asked[:2] + b"\x81\x83" + asked[4:], i)


def dns_reflected(chance, count, v6):
    """Large answers of open resolvers to questions that the victim never asked."""
    victim = packed(VICTIM[v6])
    for i in range(count):
        asked = question(i, "example.com")
        records = b"\xc0\x0c\0\x10\0\1\0\0\x0e\x10\x00\xc8\xc7" + b"x" * 199
        answer = asked[:2] + b"\x81\x80\0\1\0\2\0\0\0\0" + asked[12:] + records * 2
        yield udp(forged(chance, v6), victim, 53, high_port(chance), answer, i)


def ntp_reflected(chance, count, v6):
    victim = packed(VICTIM[v6])
    for i in range(count):
        yield udp(forged(chance, v6), victim, 123, high_port(chance), b"\xd7\x00\x03\x2a" + b"\0\6\0\x48" + b"\0" * 432, i)


def echo_flood(chance, count, v6):
    victim = packed(VICTIM[v6])
    ask, answer = (128, 129) if v6 else (8, 0)
    for i in range(count // 2):
        src, rest = forged(chance, v6), chance.getrandbits(32)
        yield icmp(src, victim, ask, 0, rest, b"\0" * 56, i)
        yield icmp(victim, src, answer, 0, rest, b"\0" * 56, i)


def echo_sweep(chance, count, v6):
    """One machine looks for hosts, and none answers."""
    for i in range(count):
        yield icmp(packed(ATTACKER[v6]), forged(chance, v6), 128 if v6 else 8, 0, i, b"\0" * 56, i)


def unreachable_flood(chance, count, v6):
    """Errors about packets that were never sent."""
    victim = packed(VICTIM[v6])
    for i in range(count):
        quoted = tcp(victim, forged(chance, v6), high_port(chance), 443, i)[14:14 + (40 if v6 else 20) + 8]
        yield icmp(forged(chance, v6), victim, 1 if v6 else 3, 4 if v6 else 3, 0, quoted, i)


# ---- pieces ---------------------------------------------------------------------------------------

def fragments(chance, count, v6):
    """First pieces of datagrams whose rest never comes."""
    victim = packed(VICTIM[v6])
    for i in range(count):
        src, data = forged(chance, v6), struct.pack("!HHHH", high_port(chance), 53, 1480, 0) + b"\0" * 64
        if v6:
            yield ip(src, victim, FRAGMENT, struct.pack("!BBHI", UDP, 0, 1, i) + data)
        else:
            yield ip(src, victim, UDP, data, i, fragment=0x2000)


def late_fragments(chance, count, v6):
    """Last pieces alone."""
    victim = packed(VICTIM[v6])
    for i in range(count):
        src = forged(chance, v6)
        if v6:
            yield ip(src, victim, FRAGMENT, struct.pack("!BBHI", UDP, 0, 1480, i) + b"\0" * 64)
        else:
            yield ip(src, victim, UDP, b"\0" * 64, i, fragment=185)


# ---- connections that a server takes --------------------------------------------------------------

def opened(src, dst, sport, dport, seq):
    """The handshake; the server's first number is twice the client's."""
    yield tcp(src, dst, sport, dport, seq)
    yield tcp(dst, src, dport, sport, 2 * seq, seq + 1, SYN | ACK)
    yield tcp(src, dst, sport, dport, seq + 1, 2 * seq + 1, ACK)


def hello(chance):
    name = b"www.example.com"
    sni = struct.pack("!HHHBH", 0, len(name) + 5, len(name) + 3, 0, len(name)) + name
    versions = b"\0\x2b\0\3\2\3\4"
    body = b"\3\3" + chance.randbytes(32) + b"\0\0\4\x13\1\x13\2\1\0" + struct.pack("!H", len(sni + versions)) + sni + versions
    message = b"\1" + len(body).to_bytes(3, "big") + body
    return b"\x16\3\1" + struct.pack("!H", len(message)) + message


def hello_flood(chance, count, v6):
    """Whole handshakes of TCP, a ClientHello that is acknowledged, and nothing more."""
    victim = packed(VICTIM[v6])
    for i in range(count // 5):
        src, sport, seq, said = forged(chance, v6), high_port(chance), i * 7919, hello(chance)
        yield from opened(src, victim, sport, 443, seq)
        yield tcp(src, victim, sport, 443, seq + 1, 2 * seq + 1, PSH | ACK, said)
        yield tcp(victim, src, 443, sport, 2 * seq + 1, seq + 1 + len(said), ACK)


def request_flood(chance, count, v6):
    """Requests that look like any other, each from an address of its own, all answered."""
    victim = packed(VICTIM[v6])
    asked = b"GET /invoice/list?page=%d HTTP/1.1\r\nHost: www.example.com\r\n\r\n"
    said = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
    for i in range(count // 8):
        src, sport, seq = forged(chance, v6), high_port(chance), i * 7919
        data = asked % i
        yield from opened(src, victim, sport, 80, seq)
        yield tcp(src, victim, sport, 80, seq + 1, 2 * seq + 1, PSH | ACK, data)
        yield tcp(victim, src, 80, sport, 2 * seq + 1, seq + 1 + len(data), PSH | ACK, said)
        yield tcp(victim, src, 80, sport, 2 * seq + 1 + len(said), seq + 1 + len(data), FIN | ACK)
        yield tcp(src, victim, sport, 80, seq + 1 + len(data), 2 * seq + 2 + len(said), FIN | ACK)
        yield tcp(victim, src, 80, sport, 2 * seq + 2 + len(said), seq + 2 + len(data), ACK)


def requests_failing(chance, count, v6):
    """The same at a server that gives up: reset instead of an answer."""
    victim = packed(VICTIM[v6])
    for i in range(count // 5):
        src, sport, seq = forged(chance, v6), high_port(chance), i * 7919
        data = b"GET /invoice/%d HTTP/1.1\r\nHost: www.example.com\r\n\r\n" % i
        yield from opened(src, victim, sport, 80, seq)
        yield tcp(src, victim, sport, 80, seq + 1, 2 * seq + 1, PSH | ACK, data)
        yield tcp(victim, src, 80, sport, 2 * seq + 1, seq + 1 + len(data), RST | ACK)


def slow_requests(chance, count, v6):
    """Connections from sixteen sources that begin a request and add a line to it now and then."""
    victim, first = packed(VICTIM[v6]), int.from_bytes(packed(ATTACKER[v6]), "big")
    rounds = 8
    connections = count // (5 + 2 * rounds)
    ends = [((first + i % 16).to_bytes(len(victim), "big"), 1024 + i // 16, i * 7919) for i in range(connections)]
    start = b"GET / HTTP/1.1\r\nHost: www.example.com\r\n"
    for i, (src, sport, seq) in enumerate(ends):
        at = i / connections / (rounds + 1)
        for frame in opened(src, victim, sport, 80, seq):
            yield at, frame
        yield at, tcp(src, victim, sport, 80, seq + 1, 2 * seq + 1, PSH | ACK, start)
        yield at, tcp(victim, src, 80, sport, 2 * seq + 1, seq + 1 + len(start), ACK)
    line = b"X-a: %04d\r\n"
    for turn in range(rounds):
        for i, (src, sport, seq) in enumerate(ends):
            at = (turn + 1 + i / connections) / (rounds + 1)
            sent = seq + 1 + len(start) + turn * len(line % 0)
            yield at, tcp(src, victim, sport, 80, sent, 2 * seq + 1, PSH | ACK, line % turn)
            yield at, tcp(victim, src, 80, sport, 2 * seq + 1, sent + len(line % 0), ACK)


# ---- neighbours -----------------------------------------------------------------------------------

def neighbours(chance, count, v6):
    """Who has ...: one machine asks for every address of a large network; over IPv6 by solicitations."""
    for i in range(count):
        if v6:
            target = packed("2001:db8:64::")[:8] + chance.randbytes(8)
            group = packed("ff02::1:ff00:0")[:13] + target[13:]
            yield icmp(packed("fe80::66"), group, 135, 0, 0, target + b"\1\1\x52\x54\0\0\x66\x66", i, 255)
        else:
            target = struct.pack("!I", (10 << 24) + (64 << 16) + i)
            yield (b"\xff" * 6 + b"\x52\x54\0\0\x66\x66\x08\6\0\1\x08\0\6\4\0\1\x52\x54\0\0\x66\x66" +
                   packed(ATTACKER[False]) + b"\0" * 6 + target)


KINDS = {
    "SYN flood": Kind(syn_flood, None, {"sec-syn-flood"}),
    "SYN flood, answered": Kind(syn_answered, None, {"sec-syn-flood"}),
    "port scan": Kind(port_scan, None, {"sec-port-scan"}),
    "port scan, refused": Kind(port_scan_refused, None, {"sec-port-scan"}),
    "host sweep": Kind(host_sweep, None, {"sec-port-scan"}),
    "ACK flood": Kind(lone(ACK, b""), None, set()),
    "RST flood": Kind(lone(RST, b""), None, set()),
    "SYN-ACKs reflected": Kind(lone(SYN | ACK, b"", True), None, set()),
    "segments with data": Kind(lone(PSH | ACK, b"\x5a" * 32), None, set()),
    "segments with a request": Kind(lone(PSH | ACK, b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"), None, set()),
    "UDP flood": Kind(udp_flood, None, set()),
    "UDP flood, one source": Kind(udp_one_source, None, set()),
    "DNS flood": Kind(dns_flood, None, set()),
    "DNS flood, answered": Kind(dns_answered, None, set()),
    "DNS flood, one resolver": Kind(dns_resolver, None, set()),
    "DNS answers reflected": Kind(dns_reflected, None, set()),
    "NTP answers reflected": Kind(ntp_reflected, None, set()),
    "echo flood": Kind(echo_flood, None, set()),
    "echo sweep": Kind(echo_sweep, None, set()),
    "ICMP errors": Kind(unreachable_flood, None, set()),
    "first fragments": Kind(fragments, None, set()),
    "last fragments": Kind(late_fragments, None, set()),
    "TLS hello flood": Kind(hello_flood, None, set()),
    "request flood": Kind(request_flood, None, set()),
    "requests, failing": Kind(requests_failing, None, set()),
    "slow requests": Kind(slow_requests, 90, {"sec-slow-requests"}),
    "neighbour sweep": Kind(neighbours, None, set()),
}
