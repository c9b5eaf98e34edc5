#!/usr/bin/env python3
"""What `invcap pair` makes of a way that loses nothing, seen by two captures that do: every capture of a folder is one
point, a copy of it taken 0.3 ms later the other, and each point misses some packets at random. Whatever is then told as
dropped or made in between is wrong. By hand (minutes): the captures are your own, or others'.

    thinned.py BINARY FILE|DIR... [--share 0.01] [--rounds 3] [--both] [--verbose]

Prints the false verdicts by kind, for the whole and for each capture, and ends with status 1 when there are any.
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
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "golden"))
import mutate  # noqa: E402

LATER_NS = 300_000
FALSE = ("dropped", "answered-between", "payload-changed", "intercepted", "intercepted-likely")


def captures(places):
    for place in places:
        if os.path.isfile(place):
            yield place
            continue
        for name in sorted(os.listdir(place)):
            if name.endswith((".pcap", ".pcapng", ".cap", ".pcap.gz")):
                yield os.path.join(place, name)


def thin(chance, packets, share, later_ns):
    kept = [p for p in packets if chance.random() >= share]
    for p in kept:
        p.ns += later_ns
    return kept


def run(binary, path, seed, share, both):
    """Verdicts of a round; None: not a capture that can be written again."""
    chance = random.Random(f"{os.path.basename(path)} {seed}")
    with tempfile.TemporaryDirectory(prefix="invcap-thinned.") as folder:
        points = []
        for point in range(2):
            try:
                link, packets = mutate.read(path)[:2]
            except Exception:  # not one of the formats that the tool reads
                return None
            if not packets:
                return None
            kept = thin(chance, packets, share if both or point == seed % 2 else 0, point * LATER_NS)
            points.append(os.path.join(folder, "io"[point] + ".pcap"))
            try:
                mutate.write(points[point], link, kept)
            except struct.error:  # times before 1970
                return None
        done = subprocess.run([binary, "pair", "--json", *points], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=300)
    if done.returncode == 2:  # nothing in common, or one capture twice
        return None
    if done.returncode not in (0, 3):
        sys.exit(f"{path}, round {seed}: exit status {done.returncode}: {done.stderr}")
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"type":"pair_verdict"')]
    return [v for v in lines if v["verdict"] in FALSE]


def main():
    parser = argparse.ArgumentParser(prog="thinned.py")
    parser.add_argument("binary")
    parser.add_argument("places", nargs="+")
    parser.add_argument("--share", type=float, default=0.01)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--both", action="store_true", help="both points miss packets, not one by turns")
    parser.add_argument("--verbose", action="store_true")
    o = parser.parse_args()
    total, rounds, bad = collections.Counter(), 0, 0
    for path in captures(o.places):
        for seed in range(o.rounds):
            verdicts = run(o.binary, path, seed, o.share, o.both)
            if verdicts is None:
                continue
            rounds += 1
            counts = collections.Counter(v["verdict"] for v in verdicts)
            total.update(counts)
            if counts:
                bad += 1
                print(os.path.basename(path), seed, dict(counts), flush=True)
            for v in verdicts if o.verbose else []:
                print("   ", json.dumps(v))
    print(f"{rounds} rounds, {bad} with false verdicts: {dict(total)}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
