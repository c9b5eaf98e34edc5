#!/usr/bin/env python3
"""Seeds of fuzz_decrypt: the session of RFC 8448 3 with all its secrets, with some, and with a wrong one.

usage: make_decrypt_seeds.py DIR
"""
import os
import re
import sys

HEADER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "unit", "data_rfc8448.h")
ORDER = [(0, "CLIENT_HELLO"), (1, "SERVER_HELLO"), (1, "SERVER_FLIGHT"), (0, "CLIENT_FINISHED"), (1, "TICKET"),
         (0, "CLIENT_DATA"), (1, "SERVER_DATA"), (0, "CLIENT_ALERT"), (1, "SERVER_ALERT")]


def defined():
    found = {}
    for name, body in re.findall(r'#define RFC8448_(\w+) \\\n((?:    "[^"]*"[ \\]*\n)+)', open(HEADER).read()):
        found[name] = "".join(re.findall(r'"([^"]*)"', body))
    return found


def seed(log, session):
    """The smallest share of the key log, in 16ths, that holds it, filled up with line ends."""
    for share in range(1, 16):
        for more in range(0, 32):
            size = (len(log) + more) * 16 // share
            for total in range(size, size + 17):
                if total * share // 16 == len(log) + more and total - len(log) - more == len(session):
                    return bytes([share]) + log + b"\n" * more + session
    # the session is filled up instead: a segment of length 0 is two bytes
    return seed(log, session + b"\0\0")


def main():
    words = defined()
    session = b"".join(bytes([side << 7 | len(r) >> 8, len(r) & 255]) + r
                       for side, r in ((s, bytes.fromhex(words[n])) for s, n in ORDER))
    log = words["KEYLOG"].replace("\\n", "\n").encode()
    lines = log.splitlines(keepends=True)
    made = {"whole": log, "handshake": b"".join(lines[:2]), "data": b"".join(lines[2:]),
            "wrong": lines[0] + lines[1][:-3] + b"00\n" + lines[2]}
    os.makedirs(sys.argv[1], exist_ok=True)
    for name, text in made.items():
        with open(os.path.join(sys.argv[1], name), "wb") as out:
            out.write(seed(text, session))


if __name__ == "__main__":
    main()
