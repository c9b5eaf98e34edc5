#!/usr/bin/env python3
"""`invcap pair` on captures of two points. Where nothing translates addresses the truth is made here from the bytes:
a packet passed if the other file has the same one, but for TTL and header checksum. The rest is known from how the
lab made it, and was looked at with tshark.

    run.py BINARY
"""
import collections
import json
import os
import random
import struct
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "golden"))
import captures  # noqa: E402

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


def packets_of(path, masked=False):
    """(frame, time in ns, bytes from the IP header on, TTL and checksum zeroed) of TCP over IPv4. Masked: without
    what NAT and firewalls write anew, which are addresses, ports, checksums and options."""
    data = captures.data(path)
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
            if masked:
                ip = ip[4:6] + ip[24:32] + ip[33:34] + ip[20 + (ip[32] >> 4) * 4:]
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
    return captures.find(SAMPLES, f"{name}_{tap}.pcap")


def translated_path(name, tap):
    return captures.find(os.path.join(SAMPLES, "pair"), f"{name}_{tap}.pcap")


def check_fates(binary, label, paths, masked=False):
    points = [list(packets_of(p, masked)) for p in paths]
    counts = [collections.Counter(ip for _, _, ip in point) for point in points]
    kinds = told(binary, *paths)
    head = kinds["pair"][0]
    gone = {"inside": counts[0] - counts[1], "outside": counts[1] - counts[0]}
    passed = sum((counts[0] & counts[1]).values())
    check(label, "passed", head["outward"]["passed"] + head["inward"]["passed"], passed)
    for point, frames in (("inside", points[0]), ("outside", points[1])):
        bytes_of = {frame: ip for frame, _, ip in frames}
        alone = [p for p in kinds["pair_packet"] if p["fate"] != "passed" and p.get(f"{point}_frame") in bytes_of]
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
    return kinds


def check_untouched(binary, name, inside, outside):
    label = f"{name} {inside} {outside}"
    kinds = check_fates(binary, label, [path_of(name, inside), path_of(name, outside)])
    check(label, "modified", [s["modified"] for s in kinds["pair_session"] if "modified" in s], [])
    return kinds


# Ways with something on them: how many sessions are joined, only inside, only outside; packets dropped outward and
# inward, made outward and inward; verdicts and how many of each; whether packets can be compared by their bytes.
TOUCHED = [
    ("nat", (6, 0, 0), (0, 0, 0, 0), {"address-changed": 6}, True),
    ("nat-drop", (6, 0, 0), (0, 3, 0, 0), {"address-changed": 6, "dropped": 3}, True),
    ("balancer", (6, 0, 0), (0, 0, 0, 0), {"relayed": 6}, False),
    ("reject", (4, 3, 0), (3, 0, 0, 3), {"answered-between": 3}, True),
    ("reject-icmp", (4, 2, 0), (2, 0, 0, 2), {"answered-between": 2}, True),
    ("reset-midway", (6, 0, 0), (2, 0, 0, 2), {"answered-between": 2, "dropped": 2}, True),
    ("mss", (6, 0, 0), (0, 0, 0, 0), {"mss-changed": 12}, True),
    ("options", (6, 0, 0), (0, 0, 0, 0), {"options-changed": 6}, True),
    # A direct session before the proxy came had its FINs lost and was reset by the router.
    ("mitm", (4, 0, 0), (1, 1, 0, 1), {"intercepted-likely": 2, "answered-between": 1, "dropped": 2}, False),
    ("mitm-transparent", (4, 0, 0), (1, 1, 0, 1), {"intercepted": 2, "answered-between": 1, "dropped": 2}, False),
    # One client's request is never passed on, and five times sent in vain.
    ("policy", (3, 0, 0), (5, 0, 0, 0), {"dropped": 1}, True),
    # The router's proxy answers SYNs itself and sends its own: none was lost. It numbers what the server sends anew.
    ("synproxy", (6, 0, 0), (0, 0, 0, 0), {"sequence-shifted": 6}, False),
    # Requests are read and made anew on other connections: nothing joins them.
    ("http", (0, 3, 3), (0, 0, 0, 0), {"one-point-only": 6}, False),
    # Every session from the first on: whether the router's address is the client's is not known.
    ("mitmproxy", (3, 0, 0), (0, 0, 0, 0), {"intercepted-likely": 3}, False),
    # Nobody sits in the middle: one session leaves elsewhere, others reach the same name.
    ("two-uplinks", (4, 1, 0), (0, 0, 0, 0), {"one-point-only": 1}, True),
]


def check_touched(binary, name, sessions, packets, verdicts, comparable):
    paths = [translated_path(name, "c"), translated_path(name, "s")]
    kinds = check_fates(binary, name, paths, True) if comparable else told(binary, *paths)
    head = kinds["pair"][0]
    check(name, "sessions", (head["joined"], head["inside"]["only_here"], head["outside"]["only_here"]), sessions)
    check(name, "packets", (head["outward"]["dropped"], head["inward"]["dropped"], head["outward"]["made"],
                            head["inward"]["made"]), packets)
    check(name, "verdicts", collections.Counter(v["verdict"] for v in kinds["pair_verdict"]), verdicts)
    if name == "mss":
        check(name, "MSS", {(s["mss_before"], s["mss_after"]) for s in kinds["pair_session"]}, {(1460, 1300)})
    if name == "balancer":
        check(name, "joined by", collections.Counter(s["joined_by"] for s in kinds["pair_session"]),
              {"client-random": 3, "payload": 3})
        check(name, "clock", "clock_offset_ns" in head, False)
    if name == "nat":
        check(name, "hops", {(s["hops_client"], s["hops_server"]) for s in kinds["pair_session"]}, {(1, 1)})


# --- captures as other devices would have left them -------------------------------------------------------------------
def rewritten(path, folder, name, rule):
    """The capture with each packet through rule(number, ethernet bytes) -> list of them."""
    data = captures.data(path)
    out, at, number = bytearray(data[:24]), 24, 0
    while at + 16 <= len(data):
        stamp, part, caplen, _ = struct.unpack_from("<IIII", data, at)
        number += 1
        for raw in rule(number, bytearray(data[at + 16:at + 16 + caplen])):
            out += struct.pack("<IIII", stamp, part, len(raw), len(raw)) + raw
        at += 16 + caplen
    made = os.path.join(folder, name + ".pcap")
    with open(made, "wb") as f:
        f.write(out)
    return made


def is_tcp(raw):
    return raw[12:14] == b"\x08\x00" and raw[23] == 6


def add(raw, at, number):
    struct.pack_into("!I", raw, at, (struct.unpack_from("!I", raw, at)[0] + number) & 0xffffffff)


def payload_at(raw):
    return 14 + 20 + (raw[46] >> 4) * 4


def shift_sequence(renumber):
    """A firewall that draws new numbers for the client's stream, and may translate its address."""
    def rule(_, raw):
        if is_tcp(raw):
            from_client = raw[26] == 10
            if from_client:
                add(raw, 38, 0x9abcdef0)
            elif raw[47] & 0x10:
                add(raw, 42, 0x9abcdef0)
            if renumber:
                raw[26 if from_client else 30] = 172
        return [raw]
    return rule


def halve(_, raw):
    """Data in two segments, as behind a device that puts segments together or apart."""
    start = payload_at(raw) if is_tcp(raw) else len(raw)
    end = 14 + struct.unpack_from("!H", raw, 16)[0] if is_tcp(raw) else 0
    if end - start < 200:
        return [raw]
    middle = start + (end - start) // 2
    first, second = raw[:middle], raw[:start] + raw[middle:end]
    struct.pack_into("!H", first, 16, len(first) - 14)
    struct.pack_into("!H", second, 16, len(second) - 14)
    add(second, 38, middle - start)
    return [first, second]


def check_rewritten(binary, folder):
    c, s = path_of("healthy-tls", "c"), path_of("healthy-tls", "s")
    plain = told(binary, c, s)["pair"][0]
    for renumber in (False, True):
        kinds = told(binary, c, rewritten(s, folder, "shifted", shift_sequence(renumber)))
        label = f"sequence shifted, address {'translated' if renumber else 'kept'}"
        for key in ("joined", "outward", "inward"):
            check(label, key, kinds["pair"][0][key], plain[key])
        check(label, "verdicts", collections.Counter(v["verdict"] for v in kinds["pair_verdict"]),
              {"sequence-shifted": 4, **({"address-changed": 4} if renumber else {})})
    sizes = told(binary, c, rewritten(s, folder, "halved", halve))
    check("halved", "verdicts", sizes["pair_verdict"], [])
    check("halved", "dropped", (sizes["pair"][0]["outward"]["dropped"], sizes["pair"][0]["inward"]["dropped"]), (0, 0))
    check("halved", "resized", sizes["pair"][0]["inward"]["resized"] > 0, True)
    data = [f for f, _, ip in packets_of(s) if len(ip) > 300]
    late = told(binary, c, rewritten(s, folder, "missed", lambda n, raw: [] if n == data[1] else [raw]))
    check("missed", "verdicts", late["pair_verdict"], [])
    check("missed", "count", late["pair"][0]["outward"]["missed"] + late["pair"][0]["inward"]["missed"], 1)

    def spoil(number, raw):
        raw[-1] ^= 0x20 if number == data[1] else 0
        return [raw]
    spoilt = told(binary, c, rewritten(s, folder, "spoilt", spoil))
    check("spoilt", "verdicts", [v["verdict"] for v in spoilt["pair_verdict"]], ["payload-changed"])
    packet = [p for p in spoilt["pair_packet"] if "modified" in p]
    check("spoilt", "packet", [(p["outside_frame"], p["modified"]) for p in packet], [(data[1], ["payload"])])
    # The same interception, but a session of the same client is not outside: two ways are possible.
    c, s = translated_path("mitm-transparent", "c"), translated_path("mitm-transparent", "s")

    direct = [x for x in told(binary, c, s)["pair_session"] if x["inside"]["client_ip"] == "10.20.1.11"][0]
    port = struct.pack("!H", direct["inside"]["client_port"])
    check("two ways", "the direct one", direct["intercepted"], "none")

    def lose_direct(_, raw):
        return [] if is_tcp(raw) and port in (bytes(raw[34:36]), bytes(raw[36:38])) else [raw]
    lost = told(binary, c, rewritten(s, folder, "two-ways", lose_direct))
    check("two ways", "verdicts", {v["verdict"]: v["ends"]["client_ip"] for v in lost["pair_verdict"]
                                   if v["verdict"].startswith("intercepted")},
          {"intercepted-likely": "10.20.1.11", "intercepted": "10.20.1.12"})
    c, s = path_of("healthy-tls", "c"), path_of("healthy-tls", "s")
    twice = told(binary, rewritten(c, folder, "mirror", lambda _, raw: [raw, raw] if is_tcp(raw) and
                                   raw[18:20] != b"\0\0" else [raw]), s)
    check("mirror", "verdicts", twice["pair_verdict"], [])
    for key in ("outward", "inward"):
        check("mirror", key, twice["pair"][0][key], plain[key])


def thinned(seed, share):
    """A capture that loses packets by chance, the same ones each time."""
    chance = random.Random(seed)
    return lambda _, raw: [] if chance.random() < share else [raw]


def tag(_, raw):
    """As a trunk port shows it."""
    return [raw[:12] + b"\x81\x00\x00\x78" + raw[12:]]


def bytes6(path):
    """TCP over IPv6 from the next header on, hop limit left out."""
    data = captures.data(path)
    at, found = 24, []
    while at + 16 <= len(data):
        caplen = struct.unpack_from("<I", data, at + 8)[0]
        raw = data[at + 16:at + 16 + caplen]
        at += 16 + caplen
        if raw[12:14] == b"\x86\xdd" and raw[20] == 6:
            found.append(bytes(raw[22:54 + struct.unpack_from("!H", raw, 18)[0]]))
    return collections.Counter(found)


def check_forms(binary, folder):
    """The same ways behind a VLAN tag, over IPv6, and by a capture with holes."""
    c, s = path_of("healthy-tls", "c"), path_of("healthy-tls", "s")
    plain = told(binary, c, s)["pair"][0]
    tagged = told(binary, c, rewritten(s, folder, "tagged", tag))
    check("tagged", "verdicts", tagged["pair_verdict"], [])
    for key in ("joined", "outward", "inward"):
        check("tagged", key, tagged["pair"][0][key], plain[key])
    c6, s6 = path_of("mtu6", "c"), path_of("mtu6", "s")
    points = [bytes6(c6), bytes6(s6)]
    six = told(binary, c6, s6)
    head = six["pair"][0]
    check("IPv6", "passed", head["outward"]["passed"] + head["inward"]["passed"], sum((points[0] & points[1]).values()))
    check("IPv6", "dropped", sum(head[k]["dropped"] + head[k]["resized"] for k in ("outward", "inward")),
          sum(((points[0] - points[1]) + (points[1] - points[0])).values()))
    # Each seventh packet was missed outside, bare acknowledgments, FINs and resets among them: nobody dropped anything.
    for every in (5, 7, 11):
        holes = told(binary, c, rewritten(s, folder, "holes", lambda n, raw, e=every: [] if n % e == 3 else [raw]))
        head = holes["pair"][0]
        check(f"holes {every}", "verdicts", holes["pair_verdict"], [])
        check(f"holes {every}", "missed", head["outward"]["missed"] + head["inward"]["missed"] > 0, True)
        check(f"holes {every}", "sum", sum(head[k][f] for k in ("outward", "inward")
                                           for f in ("missed", "unproven", "uncovered", "resized")),
              sum(1 for n, _, _ in packets_of(s) if n % every == 3))
        quality = [head[point]["quality"] for point in ("inside", "outside")]
        check(f"holes {every}", "quality", (quality[0]["score"], quality[1]["score"] < 90,
                                            "not captured" in quality[1]["reasons"][0]), (100, True, True))
    # Each point misses a few at random, what was sent again and the ends of connections among them.
    for name in ("loss", "rst-clients", "mtu-upload", "syn-drop", "slow-connect", "healthy-tls"):
        for seed in range(6):
            points = [rewritten(path_of(name, tap), folder, f"thin-{tap}", thinned(f"{name} {tap} {seed}", 0.02))
                      for tap in ("c", "s")]
            truth = told(binary, path_of(name, "c"), path_of(name, "s"))["pair_verdict"]
            check(f"thinned {name} {seed}", "verdicts", {(v["verdict"], v["ends"]["client_port"], v["sender"])
                                                         for v in told(binary, *points)["pair_verdict"]} -
                  {(v["verdict"], v["ends"]["client_port"], v["sender"]) for v in truth}, set())
    # One that misses nothing proves what it lacks.
    fins = [n for n, _, ip in packets_of(s) if ip[33] & 1 and ip[12] == 10]
    gone = told(binary, c, rewritten(s, folder, "fin", lambda n, raw: [] if n == fins[0] else [raw]))
    check("a FIN alone", "missed", gone["pair"][0]["outward"]["missed"], 1)


def check_quality(binary, folder):
    """How far each capture can be trusted heads the report."""
    c, s = path_of("healthy-tls", "c"), path_of("healthy-tls", "s")
    one_way = rewritten(s, folder, "one-way", lambda n, raw: [] if is_tcp(raw) and raw[26] == 10 else [raw])
    for name, path, words in (("whole", s, []), ("one way", one_way, ["one direction only"]),
                              ("mirror", rewritten(s, folder, "twice", lambda n, raw: [raw, raw]), ["copies"]),
                              ("late", shifted(s, folder, 7), [])):
        quality = told(binary, c, path)["pair"][0]["outside"]["quality"]
        check(name, "reasons", [any(w in r for r in quality["reasons"]) for w in words], [True] * len(words))
        check(name, "score", (quality["score"] == 100, quality["grade"] == "good"), (not words, name != "one way"))
    out = pair(binary, c, one_way, "--lang", "zh")[1].splitlines()
    check("one way", "lines", [out[i].split()[:2] for i in (1, 3)], [["抓包质量", "100/100"], ["抓包质量", "60/100"]])


def shifted(path, folder, seconds):
    """The same capture by a clock that is ahead."""
    data = bytearray(captures.data(path))
    at = 24
    while at + 16 <= len(data):
        stamp, _, caplen, _ = struct.unpack_from("<IIII", data, at)
        struct.pack_into("<I", data, at, stamp + seconds)
        at += 16 + caplen
    out = os.path.join(folder, captures.name_of(path))
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
        f.write(captures.data(s)[:-7])
    copy = rewritten(c, folder, "copy", lambda n, raw: [raw] if n % 50 else [])
    for name, words, status in (("same file", (c, c), 2), ("a copy", (c, copy), 2), ("no common time", (c, path_of("mtu-download", "c")), 2),
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
    for row in TOUCHED:
        check_touched(binary, *row)
    with tempfile.TemporaryDirectory() as folder:
        check_rewritten(binary, folder)
        check_forms(binary, folder)
        check_quality(binary, folder)
        check_clock(binary, folder)
        check_errors(binary, folder)
    check_text(binary)
    for line in failures:
        print(line)
    print(f"{checks} checks, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
