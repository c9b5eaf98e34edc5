"""Makes seeds of the engine's fuzz target from small captures: usage make_seeds.py OUT CAPTURE..."""
import os
import struct
import sys

LINKS = {1: 0, 101: 1, 113: 2, 276: 3, 0: 4, 108: 5, 228: 6, 229: 7}


def packets(path):
    with open(path, "rb") as f:
        data = f.read()
    if data[:4] not in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1"):
        return None, []
    link = struct.unpack("<I", data[20:24])[0] & 0xFFFF
    at, out = 24, []
    while at + 16 <= len(data):
        caplen = struct.unpack("<I", data[at + 8:at + 12])[0]
        out.append(data[at + 16:at + 16 + caplen])
        at += 16 + caplen
    return link, out


def main():
    folder = sys.argv[1]
    for path in sys.argv[2:]:
        link, found = packets(path)
        if link not in LINKS:
            continue
        seed = b"".join(bytes([LINKS[link] | 2 << 3, 0]) + struct.pack(">H", len(p)) + p
                        for p in found[:40])
        name = os.path.splitext(os.path.basename(path))[0]
        with open(os.path.join(folder, name), "wb") as f:
            f.write(seed[:20000])


main()
