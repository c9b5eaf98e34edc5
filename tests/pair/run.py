#!/usr/bin/env python3
"""`invcap pair` on captures of two points. Where nothing translates addresses the truth is made here from the bytes:
a packet passed if the other file has the same one, but for TTL and header checksum. The rest is known from how the
lab made it, and was looked at with tshark.

    run.py BINARY
"""
import collections
import json
import os
import struct
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SAMPLES = os.path.join(ROOT, "samples")
# Untouched ways: name, inside, outside.
UNTOUCHED = [("healthy-tls", "c", "s"), ("healthy-tls", "m", "s"), ("syn-drop", "c", "s"), ("syn-drop", "m", "s"),
             ("syn-drop", "s", "c"), ("syn-drop", "c", "m"), ("refused", "c", "s"), ("reject-reset", "c", "m"),
             ("idle-drop", "c", "m"), ("idle-reset", "c", "m"), ("loss", "c", "s"), ("mtu-upload", "c", "s"),
             ("mtu-download", "c", "s"), ("slow-connect", "c", "s"), ("rst-clients", "c", "s"), ("backlog", "m", "s"),
             ("reset-by-server", "m", "s")]
failures = []
checks = 0


def check(name, what, got, want):
    global checks
    checks += 1
    if got != want:
        failures.append(f"{name}: {what}: {got!r}, not {want!r}")


def packets_of(path):
    """(frame, time in ns, bytes from the IP header on, TTL and checksum zeroed) of TCP over IPv4."""
    data = open(path, "rb").read()
    magic = struct.unpack_from("<I", data)[0]
    tick = {0xa1b2c3d4: 1000, 0xa1b23c4d: 1}[magic]
    at, frame = 24, 0
    while at + 16 <= len(data):
        seconds, part, caplen, _ = struct.unpack_from("<IIII", data, at)
        raw = data[at + 16:at + 16 + caplen]
        at, frame = at + 16 + caplen, frame + 1
        if raw[12:14] == b"\x08\x00" and raw[23] == 6:
            length = struct.unpack_from("!H", raw, 16)[0]
            ip = bytearray(raw[14:14 + length])
            ip[8], ip[10:12] = 0, b"\0\0"
            yield frame, seconds * 10**9 + part * tick, bytes(ip)


def pair(binary, inside, outside, *words):
    done = subprocess.run([binary, "pair", inside, outside, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=120, env={**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC"})
    return done.returncode, done.stdout, done.stderr


def told(binary, inside, outside):
    status, out, err = pair(binary, inside, outside, "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    kinds = collections.defaultdict(list)
    for line in lines:
        kinds[line["type"]].append(line)
    check(inside, "status", (status, err), (0, ""))
    return kinds


def path_of(name, tap):
    return os.path.join(SAMPLES, f"{name}_{tap}.pcap")


def check_untouched(binary, name, inside, outside):
    paths = [path_of(name, inside), path_of(name, outside)]
    label = f"{name} {inside} {outside}"
    points = [list(packets_of(p)) for p in paths]
    counts = [collections.Counter(ip for _, _, ip in point) for point in points]
    kinds = told(binary, *paths)
    head = kinds["pair"][0]
    gone = {"inside": counts[0] - counts[1], "outside": counts[1] - counts[0]}
    passed = sum((counts[0] & counts[1]).values())
    check(label, "passed", head["outward"]["passed"] + head["inward"]["passed"], passed)
    for point, frames in (("inside", points[0]), ("outside", points[1])):
        bytes_of = {frame: ip for frame, _, ip in frames}
        alone = [p for p in kinds["pair_packet"] if p["fate"] != "passed" and f"{point}_frame" in p]
        check(label, f"only {point}", collections.Counter(bytes_of[p[f"{point}_frame"]] for p in alone), gone[point])
    for p in kinds["pair_packet"]:
        if p["fate"] == "passed":
            same = [dict((f, ip) for f, _, ip in points[i])[p[k]]
                    for i, k in ((0, "inside_frame"), (1, "outside_frame"))]
            if same[0] != same[1]:
                check(label, f"frame {p['inside_frame']} passed as", p["outside_frame"], None)
    # One clock stamped both: its offset is 0, and what is stated must allow it.
    check(label, "clock", abs(head["clock_offset_ns"]) <= head["clock_error_ns"], True)
    check(label, "relayed", [s["id"] for s in kinds["pair_session"] if s["relayed"]], [])
    check(label, "modified", [s["modified"] for s in kinds["pair_session"] if "modified" in s], [])
    return kinds


def shifted(path, folder, seconds):
    """The same capture by a clock that is ahead."""
    data = bytearray(open(path, "rb").read())
    at = 24
    while at + 16 <= len(data):
        stamp, _, caplen, _ = struct.unpack_from("<IIII", data, at)
        struct.pack_into("<I", data, at, stamp + seconds)
        at += 16 + caplen
    out = os.path.join(folder, os.path.basename(path))
    with open(out, "wb") as f:
        f.write(data)
    return out


def check_clock(binary, folder):
    for seconds in (3600, -86400, 7):
        for name in ("syn-drop", "loss"):
            inside, outside = path_of(name, "c"), shifted(path_of(name, "s"), folder, seconds)
            plain, late = told(binary, inside, path_of(name, "s"))["pair"][0], told(binary, inside, outside)["pair"][0]
            label = f"{name} {seconds:+} s"
            check(label, "offset", late["clock_offset_ns"] - plain["clock_offset_ns"], seconds * 10**9)
            check(label, "error", late["clock_error_ns"], plain["clock_error_ns"])
            for key in ("joined", "outward", "inward"):
                check(label, key, late[key], plain[key])


def check_errors(binary, folder):
    c, s = path_of("loss", "c"), path_of("loss", "s")
    cut = os.path.join(folder, "cut.pcap")
    with open(cut, "wb") as f:
        f.write(open(s, "rb").read()[:-7])
    for name, words, status in (("same file", (c, c), 2), ("no common time", (c, path_of("mtu-download", "c")), 2),
                                ("no file", (c, os.path.join(folder, "none")), 3), ("one word", (c,), 2),
                                ("cut", (c, cut), 3)):
        done = subprocess.run([binary, "pair", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        check(name, "status", done.returncode, status)
        check(name, "says why", len(done.stderr.splitlines()) > 0, True)
        check(name, "prints", done.stdout != "", name == "cut")


def check_text(binary):
    status, out, _ = pair(binary, path_of("syn-drop", "c"), path_of("syn-drop", "s"), "--lang", "en")
    flat = " ".join(out.split())
    check("text", "status", status, 0)
    for words in ("10 at both points, 3 only inside, 0 only outside", "108 packets: 87 passed, 21 dropped",
                  "frame 26 inside, never outside: SYN to 198.51.100.20:8443 dropped between the points"):
        check("text", words, words in flat, True)
    _, out, _ = pair(binary, path_of("syn-drop", "c"), path_of("syn-drop", "s"), "--lang", "zh")
    check("text", "Chinese", "内侧报文 26 从未到达外侧" in out, True)


def main():
    binary = sys.argv[1]
    seen = {}
    for name, inside, outside in UNTOUCHED:
        seen[name, inside, outside] = check_untouched(binary, name, inside, outside)
    drops = {k: v["pair"][0]["outward"]["dropped"] + v["pair"][0]["inward"]["dropped"] for k, v in seen.items()}
    check("loss", "dropped", drops["loss", "c", "s"], 11)
    check("syn-drop", "dropped", drops["syn-drop", "s", "c"], 21)
    check("mtu-upload", "dropped", drops["mtu-upload", "c", "s"], 14)
    check("healthy-tls", "verdicts", seen["healthy-tls", "c", "s"]["pair_verdict"], [])
    with tempfile.TemporaryDirectory() as folder:
        check_clock(binary, folder)
        check_errors(binary, folder)
    check_text(binary)
    for line in failures:
        print(line)
    print(f"{checks} checks, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
