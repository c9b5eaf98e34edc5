#!/usr/bin/env python3
"""Floods and scans beside ordinary traffic: peak memory under --memory, and whether the ordinary verdicts stay.

    flood.py BINARY [--samples DIR] [--count N] [--memory SIZE...]

Mixes half a million packets of each kind into samples of real faults, at the same time, and prints one line per run:
what was mixed in, the ceiling, the peak of resident memory, seconds of processor time, and what the samples' expectations
miss. Ends with status 1 when one of them misses anything or the peak lies above the ceiling. Runs by hand (some minutes).
"""
import argparse
import ipaddress
import json
import os
import random
import struct
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "golden"))
import captures  # noqa: E402
import expectation  # noqa: E402
import mutate  # noqa: E402

ORDINARY = ["syn-drop_m"]
TARGET = "198.51.100.99"


def syn(src, dst, sport, dport, number, flags=2, ack=0):
    """An Ethernet frame; SYNs of tools carry no options but an MSS."""
    tcp = struct.pack("!HHIIBBHHHHH", sport, dport, number & 0xFFFFFFFF, ack & 0xFFFFFFFF, 0x60, flags, 1024, 0, 0,
                      0x0204, 1460)
    ends = ipaddress.ip_address(src).packed + ipaddress.ip_address(dst).packed
    total = mutate.checksum(ends + struct.pack("!BBH", 0, 6, len(tcp)) + tcp)
    tcp = tcp[:16] + struct.pack("!H", total) + tcp[18:]
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), number & 0xFFFF, 0, 52, 6, 0) + ends
    head = head[:10] + struct.pack("!H", mutate.checksum(head)) + head[12:]
    return bytes.fromhex("5254000a0101525400c664010800") + head + tcp


def forged(chance):
    return str(ipaddress.ip_address(chance.randrange(1 << 24, 223 << 24)))


def flood(chance, count):
    """Forged sources, one port."""
    for i in range(count):
        yield syn(forged(chance), TARGET, chance.randrange(1024, 65536), 443, i * 7919)


def answered(chance, count):
    """The same with a SYN-ACK to each: half of the packets."""
    for i in range(count // 2):
        src, sport = forged(chance), chance.randrange(1024, 65536)
        yield syn(src, TARGET, sport, 443, i * 7919)
        yield syn(TARGET, src, 443, sport, i * 104729, 18, i * 7919 + 1)


def ports(chance, count):
    """One source, all ports of eight hosts."""
    for i in range(count):
        yield syn("192.0.2.66", f"198.51.100.{100 + (i >> 16)}", 40000 + i % 7, i & 0xFFFF or 1, i)


def sweep(chance, count):
    """One source, one port of every address of a /13."""
    for i in range(count):
        yield syn("192.0.2.66", str(ipaddress.ip_address((10 << 24) + (64 << 16) + i)), 40000 + i % 7, 22, i)


KINDS = {"SYN flood": flood, "SYN flood, answered": answered, "port scan": ports, "host sweep": sweep}


def write_mixed(path, ordinary, frames, count):
    """Both in order of time, the frames spread evenly over the ordinary capture's length."""
    first, last = ordinary[0].ns, ordinary[-1].ns
    step = max(1, (last - first) // count)
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1))
        at = 0
        for i, frame in enumerate(frames):
            ns = first + i * step
            while at < len(ordinary) and ordinary[at].ns <= ns:
                put(out, ordinary[at].ns, ordinary[at].data, ordinary[at].length)
                at += 1
            put(out, ns, frame, len(frame))
        for p in ordinary[at:]:
            put(out, p.ns, p.data, p.length)


def put(out, ns, data, length):
    out.write(struct.pack("<IIII", ns // 10**9, ns % 10**9, len(data), length) + data)


def run(binary, path, memory):
    """(findings, peak KiB, CPU seconds). A child's peak begins with this process's: only findings are kept of the rows."""
    child = subprocess.Popen([binary, "read", "--db", os.path.join(os.path.dirname(path), "x.db"), "--json",
                              "--memory", memory, path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    rows = [json.loads(line) for line in child.stdout if line.startswith(b'{"type":"finding"')]
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"exit status {child.returncode}")
    return rows, usage.ru_maxrss, usage.ru_utime + usage.ru_stime


def missed(e, findings):
    """What the ordinary traffic must show and does not; sums over a service count the flood's, too."""
    return [w.splitlines()[0] for w in expectation._check_must(e["must"], findings)]


def size(text):
    return int(text[:-1]) * {"K": 1, "M": 1024, "G": 1024 * 1024}[text[-1]]


def main():
    parser = argparse.ArgumentParser(prog="flood.py")
    parser.add_argument("binary")
    parser.add_argument("--samples", default=os.path.join(ROOT, "samples"))
    parser.add_argument("--count", type=int, default=500000)
    parser.add_argument("--memory", nargs="+", default=["128M", "256M", "512M"])
    o = parser.parse_args()
    bad = 0
    for kind, make in KINDS.items():
        for number, name in enumerate(ORDINARY):
            e = expectation.parse(os.path.join(o.samples, name + ".expect"))
            ordinary = mutate.read(captures.find(o.samples, name + ".pcap"))[1]
            with tempfile.TemporaryDirectory(prefix="invcap-flood.") as folder:
                path = os.path.join(folder, "mixed.pcap")
                write_mixed(path, ordinary, make(random.Random(number), o.count), o.count)
                for memory in o.memory:
                    findings, peak, cpu = run(o.binary, path, memory)
                    lost = missed(e, findings)
                    codes = sorted({f["code"] for f in findings if f["code"].startswith("sec-")})
                    over = peak > size(memory)
                    bad += bool(lost) or over
                    print(f"{kind}\t{name}\t--memory {memory}\tpeak {peak / 1024:.0f} MiB{' ABOVE' if over else ''}\t"
                          f"{cpu:.2f} s\t{' '.join(codes)}\t{'; '.join(lost) or 'all verdicts'}", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
