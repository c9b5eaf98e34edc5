#!/usr/bin/env python3
"""usage: artefacts.py INVCAP
What a capture point does to packets must not become somebody's fault: samples are rewritten as if taken on both
sides of a router, by two queues out of step, on a host with offloads, or with a clock that was set. Nothing may
be accused that was not accused before; where nothing is lost but order, every finding stays."""
import json
import os
import struct
import subprocess
import sys
import tempfile

import captures
import mutate

HERE = os.path.dirname(os.path.abspath(__file__))
SAMPLES = os.path.join(HERE, "..", "..", "samples")
NAMES = ["healthy-tls_c.pcap", "healthy-tls_s.pcap", "web-usual.pcap", "refused_c.pcap", "syn-drop_c.pcap",
         "reset-injected.pcap", "reset-by-server_s.pcap", "vanished.pcap", "mtu-download_c.pcap", "zero-window-server.pcap",
         "slow-response_s.pcap", "tls-timeout.pcap", "tls-unknown-ca.pcap", "no-answer-fin.pcap", "ends-after-syn.pcap",
         "idle-drop_c.pcap", "idle-reset_c.pcap", "backlog_s.pcap", "synack-lost.pcap", "reordering.pcap", "arp-unresolved.pcap",
         "ipv6-faults.pcap", "h2-usual.pcap", "keepalives.pcap", "retried.pcap"]
ROUTER_NS = 300_000
QUEUE_NS = 2_000_000
ACCUSING = {"network", "server", "auth", "dependency", "security"}
SEVERE = {"medium", "high", "critical"}
# By the capture's own clock, which went back before the certificates of the lab began.
CLOCK = {"cert-not-yet-valid"}


def _refill(d, h):
    if h.version == 4:
        d[h.l3 + 10:h.l3 + 12] = b"\0\0"
        header = bytes(d[h.l3:h.l3 + (d[h.l3] & 15) * 4])
        d[h.l3 + 10:h.l3 + 12] = struct.pack("!H", mutate.checksum(header))


def routed(packets):
    """Every IP packet again behind a router: other MACs, TTL less one, 0.3 ms later."""
    out = []
    for p in packets:
        out.append((p.ns, 0, p))
        h = mutate.Headers(p)
        ttl = None if h.l3 is None else h.l3 + (8 if h.version == 4 else 7)
        if ttl is None or p.data[ttl] < 2:
            continue
        d = bytearray(p.data)
        d[:12] = b"\x02\xaa\0\0\0\x01\x02\xaa\0\0\0\x02"
        d[ttl] -= 1
        _refill(d, h)
        out.append((p.ns + ROUTER_NS, 1, mutate.Packet(p.ns + ROUTER_NS, bytes(d), p.length)))
    return [p for _, _, p in sorted(out, key=lambda item: item[:2])]


def queues(packets):
    """Two receive queues, one per direction, emptied every 2 ms: true times in a wrong order."""
    def key(p):
        h = mutate.Headers(p)
        return p.ns // QUEUE_NS, h.src > h.dst, p.ns
    return sorted(packets, key=key)


def stamped(packets):
    """The same, and the times are of when the host took them out: in order, though the packets are not."""
    times = sorted(p.ns for p in packets)
    return [mutate.Packet(ns, p.data, p.length) for ns, p in zip(times, queues(packets))]


def offload(packets):
    """One side's TCP checksums are left to its interface."""
    out = []
    for p in packets:
        h = mutate.Headers(p)
        if h.tcp is not None and h.src < h.dst:
            d = bytearray(p.data)
            d[h.tcp + 16:h.tcp + 18] = b"\x12\x34"
            p = mutate.Packet(p.ns, bytes(d), p.length)
        out.append(p)
    return out


def _shift(packets, seconds):
    half = len(packets) // 2
    return [mutate.Packet(p.ns + (seconds * 10**9 if i >= half else 0), p.data, p.length)
            for i, p in enumerate(packets)]


def clock_on(packets):
    return _shift(packets, 7200)


def clock_forth(packets):
    return _shift(packets, 40)


def clock_back(packets):
    return _shift(packets, -5)


# name: how, whether all findings must stay, what the capture itself must be told of
VARIANTS = {"routed": (routed, True, "capture-duplicates"), "queues": (queues, True, None),
            "stamped": (stamped, True, None), "offload": (offload, True, None),
            "clock-forth": (clock_forth, False, None), "clock-on": (clock_on, False, "capture-time"),
            "clock-back": (clock_back, False, "capture-time")}


def judge(binary, path):
    """Findings by code: the JSON objects."""
    done = subprocess.run([binary, "read", "--db", ":memory:", "--json", path], capture_output=True, text=True)
    found = {}
    for line in done.stdout.splitlines():
        item = json.loads(line)
        if item.get("type") == "finding" and item.get("state") != "withdrawn":
            found.setdefault(item["code"], []).append(item)
    return found, done.returncode


def severe(found):
    return {code for code, items in found.items()
            if any(i["severity"] in SEVERE and i["category"] in ACCUSING for i in items)}


def compare(variant, before, after, stays, told):
    wrong = []
    allowed = set(before) | (CLOCK if variant == "clock-back" else set())
    wrong += [f"accuses of {code}" for code in sorted(severe(after) - allowed)]
    if stays:
        wrong += [f"no longer sees {code}" for code in sorted(severe(before) - set(after))]
        wrong += [f"invents {code}" for code in ("capture-loss", "tcp-reordering") if code in after and code not in before]
    if told is not None and told not in after:
        wrong.append(f"is not told of {told}")
    if variant == "routed" and told in after:
        values = after[told][0]["values"]
        if values.get("kind") != "routed" or abs(values.get("delay_ms", 0) - ROUTER_NS / 1e6) > 0.01:
            wrong.append(f"calls the copies {values}")
    return wrong


def farther(packets):
    """From the middle on the server is three hops farther away."""
    server, out = mutate.Headers(packets[0]).dst, []
    for i, p in enumerate(packets):
        h, d = mutate.Headers(p), bytearray(p.data)
        if i >= len(packets) // 2 and h.src == server:
            d[h.l3 + 8] -= 3
            _refill(d, h)
        out.append(mutate.Packet(p.ns, bytes(d), p.length))
    return out


def check_hops(binary, target):
    """A step of the delay names the hops that changed with it, and none where none did."""
    link, packets = mutate.read(os.path.join(SAMPLES, "latency-step.pcap"))
    wrong = []
    for change, ttls in ((list, (None, None)), (farther, (56, 53))):
        mutate.write(target, link, change(packets))
        found, _ = judge(binary, target)
        values = found.get("path-latency-step", [{"values": {}}])[0]["values"]
        told = (values.get("before_ttl"), values.get("after_ttl"))
        if told != ttls or "after_ms" not in values:
            wrong.append(f"latency-step.pcap {change.__name__}: says {values}")
    return wrong


def main():
    binary, failures, cases = sys.argv[1], 0, 0
    with tempfile.TemporaryDirectory() as folder:
        target = os.path.join(folder, "variant.pcap")
        for name in NAMES:
            path = captures.find(SAMPLES, name)
            link, packets = mutate.read(path)
            before, _ = judge(binary, path)
            for variant, (change, stays, told) in VARIANTS.items():
                mutate.write(target, link, change(packets))
                after, status = judge(binary, target)
                wrong = compare(variant, before, after, stays, told)
                if status not in (0, 1):
                    wrong.append(f"ends with status {status}")
                cases += 1
                failures += bool(wrong)
                for sentence in wrong:
                    print(f"{name} {variant}: {sentence}")
        hops = check_hops(binary, target)
        cases += 2
        failures += len(hops)
        print(*hops, sep="\n", end="\n" if hops else "")
    print(f"{cases} cases, {failures} wrong")
    return 1 if failures or cases < 170 else 0


if __name__ == "__main__":
    sys.exit(main())
