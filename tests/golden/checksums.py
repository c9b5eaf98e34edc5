#!/usr/bin/env python3
"""usage: checksums.py BINARY SAMPLES: wrong checksums are counted, told apart from offload, drop nothing."""
import os
import sqlite3
import struct
import subprocess
import sys
import tempfile

import captures

QUERY = "SELECT packets, bad_checksums, offload_checksums, tcp_connections FROM captures"


def counts(binary, capture, folder):
    db = os.path.join(folder, "checksums.db")
    if os.path.exists(db):
        os.unlink(db)
    subprocess.run([binary, "read", "--quiet", "--db", db, capture], check=True, capture_output=True)
    con = sqlite3.connect(db)
    try:
        return con.execute(QUERY).fetchone()
    finally:
        con.close()


def damage_one_payload(source, target):
    """Turns the last byte of the first large packet: its TCP checksum no longer fits."""
    data = bytearray(captures.data(source))
    at = 24
    while at + 16 <= len(data):
        caplen = struct.unpack_from("<I", data, at + 8)[0]
        if caplen > 200:
            data[at + 16 + caplen - 1] ^= 0x55
            break
        at += 16 + caplen
    with open(target, "wb") as f:
        f.write(data)


def main():
    binary, samples = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as folder:
        # tshark with tcp.check_checksum: all 71 are wrong; all hold the pseudo-header's sum alone.
        giants = counts(binary, captures.find(samples, "giants.pcap"), folder)
        whole = captures.find(samples, "healthy-tls_m.pcap")
        damaged = os.path.join(folder, "damaged.pcap")
        damage_one_payload(whole, damaged)
        before, after = counts(binary, whole, folder), counts(binary, damaged, folder)
    problems = []
    if giants[1:3] != (0, 71):
        problems.append(f"giants: bad, offload = {giants[1:3]}, expected (0, 71)")
    if before[1:3] != (0, 0):
        problems.append(f"healthy: bad, offload = {before[1:3]}, expected (0, 0)")
    if after != (before[0], 1, 0, before[3]):
        problems.append(f"one byte damaged: {after}, expected one bad checksum and nothing dropped")
    print("\n".join(problems) or "checksums are counted")
    return 1 if problems else 0


sys.exit(main())
