"""Makes seeds of the file reader's fuzz target: usage make_file_seeds.py OUT."""
import gzip
import os
import struct
import sys


def block(order, kind, body, length=None, trailer=None):
    body += b"\0" * (-len(body) % 4)
    total = 12 + len(body) if length is None else length
    return (struct.pack(order + "II", kind, total) + body
            + struct.pack(order + "I", total if trailer is None else trailer))


def section(order, major=1, options=b""):
    return block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, major, 0, -1) + options)


def interface(order, link=1, snaplen=0, options=b""):
    return block(order, 1, struct.pack(order + "HHI", link, 0, snaplen) + options)


def enhanced(order, number=0, data=b"\x55" * 21, caplen=None, options=b""):
    caplen = len(data) if caplen is None else caplen
    fields = struct.pack(order + "IIIII", number, 0x5F000, 1000, caplen, len(data))
    return block(order, 6, fields + data + b"\0" * (-len(data) % 4) + options)


def option(order, code, value):
    return struct.pack(order + "HH", code, len(value)) + value + b"\0" * (-len(value) % 4)


def pcap(order, magic=0xA1B2C3D4, version=(2, 4), records=3, extra=b""):
    out = struct.pack(order + "IHHiIII", magic, *version, 0, 0, 65535, 1)
    for i in range(records):
        out += struct.pack(order + "IIII", 1700000000 + i, i, 20, 60) + extra + b"\x33" * 20
    return out


def pcapngs(order):
    start = section(order) + interface(order)
    packet = enhanced(order)
    yield "plain", start + packet
    yield "options", section(order, options=option(order, 1, b"a comment")) + interface(
        order, options=option(order, 2, b"eth0") + option(order, 9, b"\x8a")
        + option(order, 14, struct.pack(order + "q", -5))) + packet
    yield "simple", section(order) + interface(order, snaplen=8) + block(
        order, 3, struct.pack(order + "I", 60) + b"12345678")
    yield "obsolete", start + block(
        order, 2, struct.pack(order + "HHIIII", 0, 0, 1, 2, 4, 9) + b"abcd")
    yield "statistics", start + block(order, 5, struct.pack(order + "III", 0, 0, 0) + option(
        order, 5, struct.pack(order + "Q", 7)) + option(order, 7, struct.pack(order + "Q", 8)))
    yield "secrets", start + block(
        order, 10, struct.pack(order + "II", 0x544C534B, 8) + b"CLIENT_R") + packet
    yield "custom", start + block(order, 0xBAD, struct.pack(order + "I", 32473)) + packet
    yield "option-over", start + enhanced(order, options=struct.pack(order + "HH", 1, 400))
    yield "no-interface", start + enhanced(order, number=3)
    yield "caplen", start + enhanced(order, caplen=200) + packet
    yield "trailer", start + block(order, 0x777, b"abcd", trailer=20) + packet
    yield "length", start + block(order, 6, b"", length=4)
    yield "version", section(order, major=2)
    yield "cut", (start + packet + packet)[:-9]


def main():
    out = sys.argv[1]
    os.makedirs(out, exist_ok=True)
    seeds = {}
    for order, name in (("<", "le"), (">", "be")):
        seeds[f"pcap-{name}"] = pcap(order)
        seeds[f"pcap-ns-{name}"] = pcap(order, magic=0xA1B23C4D)
        seeds[f"pcap-modified-{name}"] = pcap(order, magic=0xA1B2CD34, extra=b"\0" * 8)
        seeds[f"pcap-old-{name}"] = pcap(order, version=(2, 2))
        seeds[f"pcap-cut-{name}"] = pcap(order)[:-7]
        for kind, data in pcapngs(order):
            seeds[f"pcapng-{kind}-{name}"] = data
    seeds["pcapng-two-orders"] = b"".join(
        section(o) + interface(o) + enhanced(o) for o in ("<", ">"))
    seeds["gzip"] = gzip.compress(pcap("<"), mtime=0)
    seeds["gzip-cut"] = seeds["gzip"][:-12]
    seeds["text"] = b"12:00:00 IP 10.0.0.1 > 10.0.0.2\n"
    for name, data in seeds.items():
        with open(os.path.join(out, name), "wb") as file:
            file.write(data)


if __name__ == "__main__":
    main()
