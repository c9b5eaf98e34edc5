"""JA4 of every TLS ClientHello in a capture, computed here from the bytes alone, against what invcap tells.

    ja4.py FILE...                 prints client, server, JA4
    ja4.py --compare INVCAP FILE...

Nothing is shared with invcap: own readers of pcap, Ethernet, IP and TCP, own parser of the hello. Written after
FoxIO's description of JA4 (the client's fingerprint, BSD-3)."""
import hashlib
import ipaddress
import json
import os
import struct
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "golden"))
import captures  # noqa: E402

HELLO_MIN = 500  # hellos compared over all samples: fewer means that this looked at nothing
VERSIONS = {0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3", 0x0002: "s2"}


def packets(data):
    """(link type, bytes) of a pcap or pcapng file."""
    magic = data[:4]
    if magic == b"\x0a\x0d\x0d\x0a":
        yield from packets_ng(data)
        return
    order = "<" if magic in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    link = struct.unpack(order + "I", data[20:24])[0] & 0xFFFF
    at = 24
    while at + 16 <= len(data):
        length = struct.unpack(order + "I", data[at + 8:at + 12])[0]
        yield link, data[at + 16:at + 16 + length]
        at += 16 + length


def packets_ng(data):
    order, links, at = "<", [], 0
    while at + 12 <= len(data):
        kind = struct.unpack(order + "I", data[at:at + 4])[0]
        if data[at:at + 4] == b"\x0a\x0d\x0d\x0a":
            order = "<" if data[at + 8:at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            links = []
        length = struct.unpack(order + "I", data[at + 4:at + 8])[0]
        body = data[at + 8:at + length - 4]
        if kind == 1:
            links.append(struct.unpack(order + "H", body[:2])[0])
        elif kind == 6:
            interface, captured = struct.unpack(order + "I", body[:4])[0], struct.unpack(order + "I", body[12:16])[0]
            yield links[interface], body[20:20 + captured]
        at += max(length, 12)


def ip_of(link, frame):
    """The IP packet in a frame, b"" when there is none."""
    if link == 1:
        at = 12
    elif link == 113:
        at = 14
    elif link == 276:
        kind, rest = frame[:2], frame[20:]
        return rest if kind in (b"\x08\x00", b"\x86\xdd") else b""
    else:
        return frame if link in (12, 101, 228, 229) else b""
    while frame[at:at + 2] in (b"\x81\x00", b"\x88\xa8"):
        at += 4
    return frame[at + 2:] if frame[at:at + 2] in (b"\x08\x00", b"\x86\xdd") else b""


def segment_of(ip):
    """(source, destination, source port, destination port, sequence, is SYN, payload) or None."""
    if len(ip) < 20:
        return None
    if ip[0] >> 4 == 4:
        if ip[9] != 6 or struct.unpack(">H", ip[6:8])[0] & 0x1FFF:
            return None
        source, destination = ip[12:16], ip[16:20]
        total = struct.unpack(">H", ip[2:4])[0] or len(ip)
        tcp = ip[(ip[0] & 15) * 4:total]
    else:
        if len(ip) < 40 or ip[6] != 6:
            return None
        source, destination = ip[8:24], ip[24:40]
        tcp = ip[40:40 + (struct.unpack(">H", ip[4:6])[0] or len(ip))]
    if len(tcp) < 20:
        return None
    sport, dport, sequence = struct.unpack(">HHI", tcp[:8])
    return (str(ipaddress.ip_address(source)), str(ipaddress.ip_address(destination)), sport, dport, sequence,
            bool(tcp[13] & 2), tcp[(tcp[12] >> 4) * 4:])


def hellos(path):
    """((client, port, server, port), handshake message) of every whole ClientHello."""
    data = captures.data(path)
    streams, done = {}, set()
    for link, frame in packets(data):
        segment = segment_of(ip_of(link, frame))
        if segment is None:
            continue
        source, destination, sport, dport, sequence, is_syn, payload = segment
        key = (source, sport, destination, dport)
        if is_syn:
            streams.pop(key, None)
            done.discard(key)
        if not payload or key in done:
            continue
        stream = streams.get(key)
        if stream is None and payload[:1] == b"\x16" and payload[5:6] == b"\x01" and payload[1:2] in b"\x01\x03":
            stream = streams[key] = [sequence, {}]
        if stream is None:
            continue
        stream[1].setdefault((sequence - stream[0]) & 0xFFFFFFFF, payload)
        message = whole(stream[1])
        if message is not None:
            done.add(key)
            yield key, message


def whole(parts):
    """The ClientHello that starts at offset 0, out of its records, or None as long as bytes are missing."""
    joined = b""
    for offset in sorted(parts):
        if offset > len(joined):
            break
        joined += parts[offset][len(joined) - offset:]
    body, at = b"", 0
    while at + 5 <= len(joined) and joined[at] == 0x16:
        length = struct.unpack(">H", joined[at + 3:at + 5])[0]
        if at + 5 + length > len(joined):
            break
        body += joined[at + 5:at + 5 + length]
        at += 5 + length
        if len(body) >= 4 and len(body) >= 4 + int.from_bytes(body[1:4], "big"):
            return body[4:4 + int.from_bytes(body[1:4], "big")]
    return None


def grease(value):
    return value & 0x0F0F == 0x0A0A and value >> 8 == value & 0xFF


def shorts(data):
    return [value for (value,) in struct.iter_unpack(">H", data[:len(data) // 2 * 2])]


def cut(text):
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def ja4(hello):
    version = struct.unpack(">H", hello[:2])[0]
    at = 34 + 1 + hello[34]
    length = struct.unpack(">H", hello[at:at + 2])[0]
    ciphers = [c for c in shorts(hello[at + 2:at + 2 + length]) if not grease(c)]
    at += 2 + length
    at += 1 + hello[at]
    types, bodies = [], {}
    end = at + 2 + struct.unpack(">H", hello[at:at + 2])[0] if at + 2 <= len(hello) else at
    at += 2
    while at + 4 <= end:
        kind, length = struct.unpack(">HH", hello[at:at + 4])
        types.append(kind)
        bodies.setdefault(kind, hello[at + 4:at + 4 + length])
        at += 4 + length
    types = [t for t in types if not grease(t)]
    offered = [v for v in shorts(bodies.get(43, b"\0")[1:]) if not grease(v)]
    version = max(offered) if offered else version
    alpn = "00"
    names = bodies.get(16, b"")
    if len(names) > 3 and names[2] > 0:
        first = names[3:3 + names[2]]
        ends = chr(first[0]) + chr(first[-1])
        alpn = ends if ends.isascii() and ends.isalnum() else first.hex()[0] + first.hex()[-1]
    start = "t%s%s%02d%02d%s" % (VERSIONS.get(version, "00"), "d" if 0 in types else "i", min(len(ciphers), 99),
                                 min(len(types), 99), alpn)
    second = cut(",".join("%04x" % c for c in sorted(ciphers))) if ciphers else "0" * 12
    third = "0" * 12
    if types:
        text = ",".join("%04x" % t for t in sorted(types) if t not in (0, 16))
        algorithms = [a for a in shorts(bodies.get(13, b"")[2:]) if not grease(a)]
        if algorithms:
            text += "_" + ",".join("%04x" % a for a in algorithms)
        third = cut(text)
    return f"{start}_{second}_{third}"


def told(invcap, path):
    """(client, port, server, port) -> fingerprints that invcap tells of a capture."""
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        database = os.path.join(folder, "ja4.db")
        subprocess.run([invcap, "read", path, "--db", database], stdout=subprocess.DEVNULL, check=False)
        listing = subprocess.run([invcap, "sql", "SELECT f.client_ip, f.client_port, f.server_ip, f.server_port, t.ja4 "
                                  "FROM tls_sessions t JOIN flows f ON f.id = t.flow_id WHERE t.ja4 <> '' AND f.protocol = 6",
                                  "--json", "--limit", "0", "--db", database], stdout=subprocess.PIPE, text=True, check=True)
    for line in listing.stdout.splitlines():
        row = json.loads(line)
        key = (row["client_ip"], row["client_port"], row["server_ip"], row["server_port"])
        rows.setdefault(key, set()).add(row["ja4"])
    return rows


def compare(invcap, paths):
    seen = wrong = 0
    for path in paths:
        ours = {}
        for key, message in hellos(path):
            ours.setdefault(key, set()).add(ja4(message))
        if not ours:
            continue
        theirs = told(invcap, path)
        for key, prints in ours.items():
            seen += 1
            if not prints & theirs.get(key, set()):
                wrong += 1
                print(f"{os.path.basename(path)}: {key}: {sorted(prints)} here, {sorted(theirs.get(key, []))} told")
    print(f"{seen} hellos, {wrong} differ")
    return 1 if wrong or seen < HELLO_MIN else 0


def main():
    if sys.argv[1:2] == ["--compare"]:
        sys.exit(compare(sys.argv[2], sys.argv[3:]))
    for path in sys.argv[1:]:
        for key, message in hellos(path):
            print(*key, ja4(message))


if __name__ == "__main__":
    main()
