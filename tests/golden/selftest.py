#!/usr/bin/env python3
"""Tests the golden test itself: rewritten captures keep their truth, and a wrong diagnosis does fail.

    selftest.py [CAPTURE...]      default: a few of the samples
"""
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import captures  # noqa: E402
import expectation  # noqa: E402
import mutate  # noqa: E402

SAMPLES = os.path.join(os.path.dirname(os.path.dirname(HERE)), "samples")
NAMES = ["healthy-tls_m.pcap", "healthy-ipv6.pcapng", "healthy-vlan.pcap", "retried.pcap", "giants.pcap"]
WRAPPED = {"tagged", "stacked", *mutate.OVERLAYS, *mutate.TUNNELS}


def streams(packets):
    """The bytes that each direction of each TCP connection carries, in order of sequence numbers."""
    found = {}
    for p in packets:
        h = mutate.Headers(p)
        if h.tcp is not None and h.end > h.body:
            key = (h.src, h.sport, h.dst, h.dport)
            for i, byte in enumerate(p.data[h.body:h.end]):
                found.setdefault(key, {})[h.seq + i] = byte
    return {key: bytes(v for _, v in sorted(part.items())) for key, part in found.items()}


def rewritten(path, wrong):
    link, before = mutate.read(path)
    with tempfile.TemporaryDirectory() as folder:
        target = os.path.join(folder, "x.pcap")
        for kind in mutate.KINDS:
            mutate.rewrite(kind, path, target)
            link_after, after = mutate.read(target)
            check(link_after == link, f"{path} {kind}: link type", wrong)
            times = [p.ns for p in after]
            check(times == sorted(times), f"{path} {kind}: time runs backwards", wrong)
            if kind == "cut":
                check(streams(after) == streams(before), f"{path} cut: other bytes", wrong)
                longest = max((h.end - h.body for h in map(mutate.Headers, after) if h.tcp is not None), default=0)
                check(longest == 1, f"{path} cut: a segment of {longest} bytes", wrong)
                check(sums(after) == sums(before), f"{path} cut: checksums", wrong)
            elif kind == "double":
                check(len(after) == 2 * len(before), f"{path} double: {len(after)} packets", wrong)
            elif kind in WRAPPED:
                check(len(after) == len(before), f"{path} {kind}: {len(after)} packets", wrong)
                check(segments(target) == segments(path), f"{path} {kind}: tshark reads other segments", wrong)
            else:
                parsed = [h for h in map(mutate.Headers, after) if h.tcp is not None]
                back = [h for h in parsed if h.flags & 18 == 18]
                check(not back and len(after) < len(before), f"{path} oneway: answers are left", wrong)


def segments(path):
    """Addresses and numbers of the innermost TCP headers, as tshark reads them."""
    words = [w for name in ("ip.src", "ipv6.src", "tcp.seq_raw", "tcp.ack_raw", "tcp.len") for w in ("-e", name)]
    done = subprocess.run(["tshark", "-r", path, "-Y", "tcp", "-T", "fields", "-E", "occurrence=l", *words],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    rows = [row.split("\t") for row in done.stdout.splitlines()]
    return [(row[1] or row[0], *row[2:]) for row in rows]


def sums(packets):
    """Whether all TCP checksums of what each host sends are right."""
    right = {}
    for p in packets:
        h = mutate.Headers(p)
        if h.tcp is not None and h.end > h.body:
            right[h.src] = right.get(h.src, True) and mutate._tcp_sum_right(p.data, h)
    return right


def check(good, sentence, wrong):
    if not good:
        wrong.append(sentence)


GOOD = {"type": "finding", "code": "conn-refused", "severity": "high", "category": "server", "culprit": "server",
        "confidence": 90, "count": 2, "server_ip": "198.51.100.20", "server_port": 8443, "values": {"attempts": 2},
        "evidence": [{"source": "x", "frame": 3, "note": ""}]}
FLOWS = [{"protocol": 6, "outcome": "failed"}] * 2 + [{"protocol": 6, "outcome": "ok"}]
TEXT = """about: two refused connections
truth: packets=9 tcp=3
outcome: ok=1 failed=2 unknown=0
must: conn-refused culprit=server count=2 server=198.51.100.20:8443 attempts=2±10%
mustnot: conn-half-open
"""


def judgement(wrong):
    with tempfile.NamedTemporaryFile("w", suffix=".expect") as f:
        f.write(TEXT)
        f.flush()
        e = expectation.parse(f.name)

    def verdict(findings, flows=FLOWS, variant="as-captured"):
        return bool(expectation.judge(e, findings, flows, variant))
    other = GOOD | {"code": "tls-alert"}
    check(not verdict([GOOD]), "the right finding fails", wrong)
    check(verdict([]), "a missing finding passes", wrong)
    check(verdict([GOOD, other]), "an unexpected finding passes", wrong)
    check(not verdict([GOOD, other | {"severity": "low"}]), "an observation fails", wrong)
    check(verdict([GOOD, other | {"code": "conn-half-open", "severity": "info"}]), "a forbidden finding passes", wrong)
    for member, value in (("culprit", "client"), ("count", 3), ("server_port", 443), ("values", {"attempts": 3}),
                          ("values", {}), ("evidence", []), ("evidence", [{"frame": 10}])):
        check(verdict([GOOD | {member: value}]), f"{member}={value} passes", wrong)
    check(verdict([GOOD], FLOWS[1:]), "a lost connection passes", wrong)
    check(verdict([GOOD], FLOWS, "double"), "a doubled capture that is not called so passes", wrong)
    one = GOOD | {"code": "capture-one-sided", "category": "capture", "severity": "info"}
    check(not verdict([one], FLOWS, "oneway"), "a withdrawn verdict fails", wrong)
    check(verdict([one, GOOD], FLOWS, "oneway"), "a verdict from one side passes", wrong)


def main():
    wrong = []
    judgement(wrong)
    for path in sys.argv[1:] or [captures.find(SAMPLES, n) for n in NAMES]:
        rewritten(path, wrong)
    for sentence in wrong:
        print("FAIL", sentence)
    print("the golden test tests" if not wrong else f"{len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
