#!/usr/bin/env python3
"""A capture of which much is missing accuses nobody whom the whole one does not.

    damage.py BINARY [NAME...] [--full] [--ways PATTERN] [--seed N] [--corpus DIR [--files N]] [-j N] [-v]

Every sample that golden/run.py holds to its expectation is damaged in these ways and read again:

    loss-N      N % of the packets are missing, each by itself (2 10 20 30 50)
    burst-N     N % are missing, some eight at a time (20 40)
    run-N       N runs of packets, together a third of the capture, are missing (1 3)
    hole        a stretch of time, between a fifth and a half of the capture, is missing
    half-server, half-client     every second packet to that side is missing
    late-server, late-client     from somewhere on all packets to that side are missing
    talks-N     N % of the conversations (both directions of two endpoints) are missing whole (30 60)
    queues      a third of all directions of conversations are missing whole

What counts as false is what withdrawal.py calls false, closed world: of the findings of medium and above and of the
failed connections. What the sample's expectation allows is not. A finding about the capture is none.
--seed N draws other packets. Without --full every sixth sample is damaged, in two of the ways, both chosen by its name
and always the same, and what damage_mended.tsv lists, which was false once. What is known to be false stands in damage_known.tsv, a line for each sample and way; a line too many fails.
At least KEPT of the accusations of all samples have to be left where so few packets are missing: to say nothing
is no way out.

--corpus DIR damages N captures by others (300; chosen by --seed) in all ways; the whole capture is the expectation.
"""
import concurrent.futures
import fnmatch
import os
import random
import struct
import sys
import tempfile
import zlib

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import captures  # noqa: E402
import expectation  # noqa: E402
import mutate  # noqa: E402
import withdrawal  # noqa: E402
from run import golden_list  # noqa: E402

BURST = 8
KEPT = {"loss-2": 0.8}
PART = 6
LARGEST = 3_000_000  # bytes of a capture by others


def lose(packets, chance, percent):
    return [p for p in packets if chance.random() * 100 >= percent]


def lose_bursts(packets, chance, percent):
    begin = percent / (100 - percent) / BURST
    kept, lost = [], False
    for p in packets:
        lost = chance.random() >= 1 / BURST if lost else chance.random() < begin
        if not lost:
            kept.append(p)
    return kept


def lose_runs(packets, chance, number):
    size = max(1, len(packets) // 3 // number)
    lost = set()
    for _ in range(number):
        start = chance.randrange(max(1, len(packets) - size))
        lost.update(range(start, start + size))
    return [p for i, p in enumerate(packets) if i not in lost]


def lose_time(packets, chance, _):
    first, last = packets[0].ns, max(p.ns for p in packets)
    length = int((last - first) * chance.uniform(0.2, 0.5))
    start = first + int((last - first - length) * chance.random())
    return [p for p in packets if not start <= p.ns < start + length]


def lose_half(packets, chance, side):
    lost = of_side(packets, side)
    return [p for p in packets if id(p) not in lost or chance.random() < 0.5]


def lose_late(packets, chance, side):
    lost = of_side(packets, side)
    start = int(len(packets) * chance.uniform(0.1, 0.9))
    return [p for i, p in enumerate(packets) if i < start or id(p) not in lost]


def lose_talks(packets, chance, percent):
    return lose_groups(packets, chance, percent, lambda ends: tuple(sorted(ends)))


def lose_queues(packets, chance, _):
    return lose_groups(packets, chance, 33, lambda ends: ends)


WAYS = {
    **{f"loss-{n}": (lose, n) for n in (2, 10, 20, 30, 50)},
    **{f"burst-{n}": (lose_bursts, n) for n in (20, 40)},
    **{f"run-{n}": (lose_runs, n) for n in (1, 3)},
    "hole": (lose_time, None),
    **{f"half-{s}": (lose_half, s) for s in ("server", "client")},
    **{f"late-{s}": (lose_late, s) for s in ("server", "client")},
    **{f"talks-{n}": (lose_talks, n) for n in (30, 60)},
    "queues": (lose_queues, None),
}


def of_side(packets, side):
    """The packets that go to that side."""
    to_server = {id(p) for p in mutate.oneway(packets)}
    return to_server if side == "server" else {id(p) for p in packets} - to_server


def ends(p):
    """(sender, receiver) of a packet that belongs to a conversation, each with its port where there are any."""
    h = mutate.Headers(p)
    if h.l3 is None:
        return None
    here, there = (h.src, 0), (h.dst, 0)
    first = h.version == 6 or not struct.unpack_from("!H", p.data, h.l3 + 6)[0] & 0x1FFF
    if h.proto in (6, 17) and first and len(p.data) >= h.l4 + 4:
        sport, dport = struct.unpack_from("!HH", p.data, h.l4)
        here, there = (h.src, sport), (h.dst, dport)
    return here, there


def lose_groups(packets, chance, percent, group):
    fate, kept = {}, []
    for p in packets:
        key = ends(p)
        if key is None or fate.setdefault(group(key), chance.random() * 100) >= percent:
            kept.append(p)
    return kept


def ways_of(name, o):
    """The names of the damages of one capture."""
    every = [w for w in WAYS if fnmatch.fnmatch(w, o.ways)]
    if o.full or o.corpus or len(every) < 2:
        return every
    pick = zlib.crc32(name.encode())
    drawn = [every[pick % len(every)], every[(pick // 100) % len(every)]] if o.names or is_drawn(name) else []
    return drawn + [w for n, w in sorted(o.mended) if n == name and w in every and w not in drawn]


def permitted(e, whole, finding):
    """Whether the expectation allows a finding that the whole capture does not give."""
    return finding["code"] in e["allow"] and all(w["code"] != finding["code"] for w in whole[0])


def accusations(findings):
    return [f for f in findings if expectation._at_least_medium(f) and withdrawal.accuses(f)]


def kept_of(whole, found):
    """(accusations of the whole capture, how many of them the damaged one still makes)"""
    said = accusations(whole[0])
    return len(said), sum(any(withdrawal.is_same(f, w) for f in accusations(found[0])) for w in said)


def case(binary, row, o):
    """[(way, wrong, kept)] of one capture."""
    name, path, arguments, e = row
    done = []
    with tempfile.TemporaryDirectory(prefix="invcap-damage.") as work:
        target = os.path.join(work, "damaged.pcap")
        try:
            link, packets = mutate.read(path)
        except (struct.error, ValueError, IndexError, OSError, KeyError, EOFError):
            return []  # a capture by others that no Python reads
        if len(packets) < 2:
            return []
        mutate.write(target, link, packets)
        *whole, trouble = withdrawal.read(binary, target if o.corpus else path, arguments)
        if trouble:
            return [("whole", [trouble], (0, 0))]
        for way in ways_of(name, o):
            change, argument = WAYS[way]
            kept = change(packets, random.Random(f"{name} {way} {o.seed}"), argument)
            if not kept or len(kept) == len(packets):
                continue
            mutate.write(target, link, kept)
            *found, trouble = withdrawal.read(binary, target, arguments)
            found[0] = [f for f in found[0] if not permitted(e, whole, f)]
            wrong = [trouble] if trouble else withdrawal.compare(whole, found, "loss")
            done.append((way, wrong, kept_of(whole, found)))
            if wrong and o.keep:
                mutate.write(os.path.join(o.keep, f"{os.path.basename(name)}.{way}.pcap"), link, kept)
    return done


def is_drawn(name):
    return zlib.crc32(name.encode()) // 10000 % PART == 0


def is_wanted(name, o):
    if o.names:
        return any(fnmatch.fnmatch(name, n) for n in o.names)
    return o.full or is_drawn(name) or any(n == name for n, _ in o.mended)


def samples(o):
    for name, capture, arguments in golden_list(o.list):
        if is_wanted(name, o):
            yield name, captures.find(o.samples, capture), arguments, expectation.parse(os.path.join(o.samples, name + ".expect"))


def by_others(o):
    names = sorted(n for n in os.listdir(o.corpus) if os.path.getsize(os.path.join(o.corpus, n)) <= LARGEST)
    named = [n for n in names if any(fnmatch.fnmatch(n, pattern) for pattern in o.names)]
    chosen = named if o.names else random.Random(o.seed).sample(names, min(o.files, len(names)))
    return [(n, os.path.join(o.corpus, n), [], {"allow": set()}) for n in chosen]


def listed(path):
    with open(path, encoding="utf-8") as f:
        return {tuple(line.strip().split("\t")[:2]) for line in f if line.strip() and not line.startswith("#")}


def figures(table):
    """Prints a line for each way; the ways that said too little."""
    short = []
    print("| way | captures | with a false accusation | accusations kept |")
    print("|---|---:|---:|---:|")
    for way, (count, false, said, kept) in table.items():
        print(f"| {way} | {count} | {false} | " + (f"{100 * kept / said:.0f} % of {said} |" if said else "none |"))
        if kept < KEPT.get(way, 0) * said:
            short.append(way)
    return short


def tell(label, wrong, is_known, verbose):
    """Prints what is wrong with one case; whether it is as it was known to be."""
    good = bool(wrong) == is_known
    if wrong or not good or verbose:
        print(("known " if wrong and good else "ok   " if good else "FAIL ") + label)
    for line in wrong or ([] if good else ["not false any more: its line is one too many"]):
        print("     " + line)
    return good


def main():
    parser = withdrawal.parser_of("damage.py")
    parser.add_argument("--known", default=os.path.join(HERE, "damage_known.tsv"))
    parser.add_argument("--full", action="store_true", help="every sample in every way")
    parser.add_argument("--ways", default="*")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--corpus")
    parser.add_argument("--files", type=int, default=300)
    parser.add_argument("--keep", help="folder for the captures that make a false accusation")
    o = parser.parse_args()
    o.mended = listed(os.path.join(HERE, "damage_mended.tsv"))
    rows = by_others(o) if o.corpus else list(samples(o))
    known = listed(o.known) if not o.corpus and o.seed == 1 else set()
    table, failed, passed = {}, 0, 0
    with concurrent.futures.ThreadPoolExecutor(o.j) as pool:
        for row, results in zip(rows, pool.map(lambda row: case(o.binary, row, o), rows)):
            for way, wrong, (said, kept) in results:
                counts = table.setdefault(way, [0, 0, 0, 0])
                for i, n in enumerate((1, bool(wrong), said, kept)):
                    counts[i] += n
                good = tell(f"{row[0]} [{way}]", wrong, (row[0], way) in known, o.v)
                passed += good
                failed += not good
            sys.stdout.flush()
    short = figures(dict(sorted(table.items())))
    short = [] if o.corpus or o.names else short  # a few captures prove no share
    for way in short:
        print(f"FAIL {way}: fewer than {KEPT[way]:.0%} of the accusations are left")
    print(f"{passed} passed, {failed + len(short)} failed")
    return 1 if failed or short or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
