#!/usr/bin/env python3
"""Seeds of fuzz_decrypt: the session of RFC 8448 3 with all its secrets, with some, and with a wrong one; the same hello
and those of fuzz_tls before records that are their own text: certificates packed in three ways, requests.

usage: make_decrypt_seeds.py DIR   (needs python3-brotli, python3-zstandard)
"""
import os
import re
import sys
import zlib

import brotli
import zstandard

HERE = os.path.dirname(os.path.abspath(__file__))
HEADER = os.path.join(HERE, "..", "unit", "data_rfc8448.h")
ORDER = [(0, "CLIENT_HELLO"), (1, "SERVER_HELLO"), (1, "SERVER_FLIGHT"), (0, "CLIENT_FINISHED"), (1, "TICKET"),
         (0, "CLIENT_DATA"), (1, "SERVER_DATA"), (0, "CLIENT_ALERT"), (1, "SERVER_ALERT")]


def defined():
    found = {}
    for name, body in re.findall(r'#define RFC8448_(\w+) \\\n((?:    "[^"]*"[ \\]*\n)+)', open(HEADER).read()):
        found[name] = "".join(re.findall(r'"([^"]*)"', body))
    return found


def seed(log, session, flag=0):
    """The smallest share of the key log, in 16ths, that holds it, filled up with line ends."""
    for share in range(1, 16):
        for more in range(0, 32):
            size = (len(log) + more) * 16 // share
            for total in range(size, size + 17):
                if total * share // 16 == len(log) + more and total - len(log) - more == len(session):
                    return bytes([share | flag]) + log + b"\n" * more + session
    # the session is filled up instead: a segment of length 0 is two bytes
    return seed(log, session + b"\0\0", flag)


def segment(side, record):
    return bytes([side << 7 | len(record) >> 8, len(record) & 255]) + record


def long(data):
    return len(data).to_bytes(3, "big") + data


def short(data):
    return len(data).to_bytes(2, "big") + data


def message(kind, body):
    return bytes([kind]) + long(body)


def inner(kind, text):
    """A record whose text ends in its type, as that of TLS 1.3 does."""
    return b"\x17\3\3" + short(text + bytes([kind]))


def certificate():
    """A certificate with a list of timestamps and an OCSP answer beside it (RFC 8446 4.4.2)."""
    parts = {}
    for name in ("staple-good-0", "timestamps"):
        data = open(os.path.join(HERE, "corpus", "x509", name), "rb").read()[1:]
        while data:
            size = int.from_bytes(data[:2], "big")
            parts.setdefault(size >> 14, data[2:2 + (size & 0x3FFF)])
            data = data[2 + (size & 0x3FFF):]
    beside = b"\0\5" + short(b"\1" + long(parts[2])) + b"\0\x12" + short(parts[3])
    return b"\0" + long(long(parts[0]) + short(beside))


def flights():
    """What the server and the client say behind the hellos of TLS 1.3, by the way the certificate is packed."""
    body = certificate()
    packed = {"plain": message(11, body)}
    for number, (name, pack) in enumerate((("zlib", zlib.compress), ("brotli", brotli.compress),
                                       ("zstd", zstandard.ZstdCompressor(level=19).compress)), 1):
        packed[name] = message(25, number.to_bytes(2, "big") + long(body)[:3] + long(pack(body)))
    for name, said in packed.items():
        names = message(8, short(b"\0\x10" + short(short(b"\2h2"))))
        asked = message(13, b"\0" + short(b"\0\x0d" + short(short(b"\4\3"))))
        verified = message(15, b"\4\3" + short(bytes(70)))
        yield name, [(1, inner(22, names + asked)), (1, inner(22, said[:900])), (1, inner(22, said[900:] + verified)),
                     (1, inner(22, message(20, bytes(32)))), (0, inner(22, message(11, b"\0" + long(b"")))),
                     (0, inner(22, message(20, bytes(32)))), (1, inner(22, message(4, bytes(24)))),
                     (0, inner(23, b"GET / HTTP/1.1\r\n\r\n")), (1, inner(22, message(24, b"\0"))),
                     (1, inner(23, b"HTTP/1.1 200 OK\r\n\r\n")), (1, inner(21, b"\1\0")), (0, inner(21, b"\1\0"))]


def older(name):
    """A handshake of fuzz_tls with a master secret for it."""
    data = open(os.path.join(HERE, "corpus", "tls", name), "rb").read()
    session, random = b"", None
    while len(data) > 2:
        size = (data[0] >> 2) << 8 | data[1]
        said = data[2:2 + size]
        if random is None and not data[0] & 1:
            random = said[11:43]
        for at in range(0, len(said), 2000):
            session += segment(data[0] & 1, said[at:at + 2000])
        data = data[2 + size:]
    return b"CLIENT_RANDOM " + random.hex().encode() + b" " + bytes(48).hex().encode() + b"\n", session


def main():
    words = defined()
    said = [(side, bytes.fromhex(words[name])) for side, name in ORDER]
    session = b"".join(segment(*one) for one in said)
    log = words["KEYLOG"].replace("\\n", "\n").encode()
    lines = log.splitlines(keepends=True)
    made = {"whole": log, "handshake": b"".join(lines[:2]), "data": b"".join(lines[2:]),
            "wrong": lines[0] + lines[1][:-3] + b"00\n" + lines[2]}
    os.makedirs(sys.argv[1], exist_ok=True)
    for name, text in made.items():
        with open(os.path.join(sys.argv[1], name), "wb") as out:
            out.write(seed(text, session))
    plain = {"plain-" + name: (log, b"".join(segment(*one) for one in said[:2] + flight)) for name, flight in flights()}
    for name in ("tls12", "tls12_cbc", "tlcp"):
        plain["plain-" + name] = older(name)
    for name, (text, told) in plain.items():
        with open(os.path.join(sys.argv[1], name), "wb") as out:
            out.write(seed(text, told, 16))


if __name__ == "__main__":
    main()
