#!/usr/bin/env python3
"""Floods and scans beside ordinary traffic: peak memory under --memory, and whether the ordinary verdicts stay.

    flood.py BINARY [--samples DIR] [--count N] [--memory SIZE...] [--only KIND...] [--keep DIR]

Mixes packets of each kind of floods.py, over IPv4 and IPv6, with samples of real faults at the same time, and prints one
line per run: what was mixed in, the ceiling, the peak of resident memory, seconds of processor time, the size of the
database, the findings of medium and above that the samples do not have, and what the samples' expectations miss. Ends
with status 1 when one of them misses anything, a flood is not named, or the peak lies above the ceiling. Runs by hand.
"""
import argparse
import collections
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
import floods  # noqa: E402
import mutate  # noqa: E402

# Dropped by a firewall over IPv4, refused over IPv6: 6 failed connections, 13 good ones.
ORDINARY = ["syn-drop_m", "refused6_s"]
SECOND = 10**9
KEPT = 100


def ordinary_traffic(samples):
    """(packets of all samples in order of time, their musts, their codes); all begin when the first does."""
    packets, musts, codes, start = [], [], set(), None
    for name in ORDINARY:
        e = expectation.parse(os.path.join(samples, name + ".expect"))
        own = mutate.read(captures.find(samples, name + ".pcap"))[1]
        start = own[0].ns if start is None else start
        shift = start - own[0].ns
        packets += [mutate.Packet(p.ns + shift, p.data, p.length) for p in own]
        musts += e["must"]
        codes |= {code for code, _ in e["must"]} | e["allow"]
    return sorted(packets, key=lambda p: p.ns), musts, codes | expectation.DERIVED


def timed(frames, first, last, count):
    for i, frame in enumerate(frames):
        share, data = frame if isinstance(frame, tuple) else (i / count, frame)
        yield first + int(share * (last - first)), data


def write_mixed(path, ordinary, frames):
    """Both in order of time; returns how many packets were mixed in."""
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1))
        at = mixed = 0
        for ns, frame in frames:
            while at < len(ordinary) and ordinary[at].ns <= ns:
                put(out, ordinary[at].ns, ordinary[at].data, ordinary[at].length)
                at += 1
            put(out, ns, frame, len(frame))
            mixed += 1
        for p in ordinary[at:]:
            put(out, p.ns, p.data, p.length)
    return mixed


def put(out, ns, data, length):
    out.write(struct.pack("<IIII", ns // SECOND, ns % SECOND, len(data), length) + data)


def run(binary, path, memory):
    """(findings, peak KiB, CPU seconds, bytes of the database). A child's peak begins with this process's: of each code only
    the first findings are kept."""
    db = path + ".db"
    child = subprocess.Popen([binary, "read", "--db", db, "--memory", memory, path], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"exit status {child.returncode}")
    rows, kept = [], collections.Counter()
    with subprocess.Popen([binary, "findings", "--db", db, "--json"], stdout=subprocess.PIPE) as told:
        for line in told.stdout:
            code = json.loads(line)["code"]
            kept[code] += 1
            if kept[code] <= KEPT:
                rows.append(json.loads(line))
    bytes_kept = os.path.getsize(db)
    os.unlink(db)
    return rows, usage.ru_maxrss, usage.ru_utime + usage.ru_stime, bytes_kept


def missed(musts, told, findings):
    """What the ordinary traffic must show and does not, and floods not named; sums over a service count the flood's, too."""
    codes = {f["code"] for f in findings}
    return ([w.splitlines()[0] for w in expectation._check_must(musts, findings)] +
            [f"missing: {code}" for code in sorted(told - codes)])


def size(text):
    return int(text[:-1]) * {"K": 1, "M": 1024, "G": 1024 * 1024}[text[-1]]


def measure(o, name, path, packets, expected):
    musts, told, codes = expected
    bad = 0
    for memory in o.memory:
        findings, peak, cpu, stored = run(o.binary, path, memory)
        lost = missed(musts, told, findings)
        beside = sorted({f["code"] for f in findings if f["severity"] in ("medium", "high", "critical")} - codes)
        over = peak > size(memory)
        bad += bool(lost) or over
        print(f"{name}\t{packets}\t{memory}\tpeak {peak / 1024:.0f} MiB{' ABOVE' if over else ''}\t{cpu:.2f} s\t"
              f"{stored / 2**20:.0f} MiB\t{' '.join(beside) or '-'}\t{'; '.join(lost) or 'all verdicts'}", flush=True)
    return bad


def main():
    parser = argparse.ArgumentParser(prog="flood.py")
    parser.add_argument("binary")
    parser.add_argument("--samples", default=os.path.join(ROOT, "samples"))
    parser.add_argument("--count", type=int, default=300000)
    parser.add_argument("--memory", nargs="+", default=["128M", "256M"])
    parser.add_argument("--only", nargs="+", default=sorted(floods.KINDS, key=list(floods.KINDS).index))
    parser.add_argument("--family", nargs="+", type=int, default=[4, 6])
    parser.add_argument("--keep", help="a folder for the captures, made once")
    o = parser.parse_args()
    ordinary, musts, codes = ordinary_traffic(o.samples)
    bad = 0
    with tempfile.TemporaryDirectory(prefix="invcap-flood.") as folder:
        for kind in o.only:
            make, seconds, told = floods.KINDS[kind]
            for family in o.family:
                path = os.path.join(o.keep or folder, f"{kind.replace(' ', '_').replace(',', '')}.{family}.pcap")
                last = ordinary[-1].ns if seconds is None else ordinary[0].ns + seconds * SECOND
                if not os.path.exists(path):
                    frames = make(random.Random(family), o.count, family == 6)
                    write_mixed(path, ordinary, timed(frames, ordinary[0].ns, last, o.count))
                bad += measure(o, f"{kind}, IPv{family}", path, o.count, (musts, told, codes))
                if o.keep is None:
                    os.unlink(path)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
