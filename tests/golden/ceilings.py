#!/usr/bin/env python3
"""usage: ceilings.py BINARY SAMPLES: what a flood beside ordinary traffic leaves of a database when memory is short.

The floods are those of tests/bench/floods.py, small. Each check says what must still be told of the samples mixed in.
"""
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))
import flood  # noqa: E402
import floods  # noqa: E402


def run(*command):
    done = subprocess.run(command, capture_output=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.decode(errors='replace')[:300]}")
    return done.stdout


def findings(binary, db):
    return [json.loads(line) for line in run(binary, "findings", "--json", "--db", db).splitlines()]


def mixed(folder, samples, kind, count, make=None):
    """(path, musts) of a capture of the flood beside the ordinary samples."""
    ordinary, musts, _ = flood.ordinary_traffic(samples)
    path = os.path.join(folder, kind + ".pcap")
    frames = (make or floods.KINDS[kind].make)(random.Random(4), count, False)
    flood.write_mixed(path, ordinary, flood.timed(frames, ordinary[0].ns, ordinary[-1].ns, count))
    return path, musts


def judged_under_a_ceiling(binary, samples, folder):
    """`judge` leaves out what does not fit, says how many, and judges what is beside the flood as before."""
    path, musts = mixed(folder, samples, "requests, failing", 20000)
    db = path + ".db"
    run(binary, "read", "-q", "--db", db, path)
    yield from (f"read: {w}" for w in flood.missed(musts, set(), findings(binary, db)))
    run(binary, "judge", "-q", "--memory", "8M", db)
    told = findings(binary, db)
    yield from (f"judge: {w}" for w in flood.missed(musts, {"capture-limits"}, told))
    limits = [f["values"] for f in told if f["code"] == "capture-limits"]
    rows = sqlite3.connect(db).execute("SELECT outcome, count(*) FROM flows GROUP BY 1").fetchall()
    outcomes = dict(rows)
    if not limits or limits[0]["limit"] != "judging" or limits[0]["given_up"] != outcomes.get("unknown"):
        yield f"capture-limits tells {limits}, flows are {outcomes}"
    if not 1000 < outcomes.get("unknown", 0) < 4000:
        yield f"of 4,000 failed connections {outcomes.get('unknown')} were left out"


def many_findings_alike(binary, samples, folder):
    """Names that do not exist, each asked for by another client: the worst findings and one for the rest."""
    path, musts = mixed(folder, samples, "DNS flood, answered", 6000)
    db = path + ".db"
    run(binary, "read", "-q", "--db", db, path)
    told = findings(binary, db)
    alike = [f for f in told if f["code"] == "dns-nxdomain"]
    joined = [f for f in alike if "joined" in f]
    yield from flood.missed(musts, set(), told)
    if len(alike) != 101 or len(joined) != 1 or len(alike) + joined[0]["joined"] != 3000:
        yield f"{len(alike)} findings, {[f['joined'] for f in joined]} joined, of 3,000 names"
        return
    if sum(f["count"] for f in alike) != 3000:
        yield f"they count {sum(f['count'] for f in alike)} of 3,000"
    number = f"{joined[0]['joined']:,}"
    for language, words in (("en", f"(and {number} alike)"), ("zh", f"（另有 {number} 项同类）")):
        shown = run(binary, "findings", "--db", db, "--lang", language).decode()
        page = run(binary, "explain", "--finding", str(joined[0]["id"]), "--db", db, "--lang", language).decode()
        if shown.count(words) != 1 or "".join(words.split()) not in "".join(page.split()):
            yield f"{language}: nothing says {words}"


def resolvers_asked(chance, count, v6):
    """Three clients ask as many resolvers as there are questions, and each answers; the first 500 are asked twice."""
    for i in range(count // 2):
        server = floods.packed("10.80.0.0")[:2] + (i if i < 3000 else i - 3000).to_bytes(2, "big")
        client, sport = floods.packed(f"10.20.7.{i % 3 + 1}"), 20000 + i
        asked = floods.question(i, "inv.example.cn")
        yield floods.udp(client, server, sport, 53, asked, i)
        yield floods.udp(server, client, 53, sport, asked[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + asked[12:] +
                         b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x0a\0\0\1", i)


def dependencies_of(binary, db):
    return [json.loads(line) for line in run(binary, "dependencies", "--json", "--db", db).splitlines()]


def many_dependencies(binary, samples, folder):
    """Of more servers than have rows of their own those used least are one row, which says how many."""
    path, _ = mixed(folder, samples, "resolvers", 7000, resolvers_asked)
    db = path + ".db"
    run(binary, "read", "-q", "--db", db, path)
    told = dependencies_of(binary, db)
    joined = [d for d in told if "others" in d]
    if len(told) != 2049 or [d["others"] for d in joined] != [952] or joined[0]["clients"] != 3:
        yield f"{len(told)} rows, {joined} of 3,000 resolvers"
    if sum(d["attempts"] for d in told) != 3500 or sum(d["requests"] for d in told) != 3500:
        yield "attempts or questions do not add up to 3,500"
    if sum(d["attempts"] == 2 for d in told if "others" not in d) != 500:
        yield "a resolver that was asked twice has no row of its own"
    if "… (952)" not in run(binary, "dependencies", "--db", db).decode():
        yield "the table does not say how many"


def reflected_to_a_service(chance, count, v6):
    """As floods.dns_reflected, some of them to a port where the profile expects datagrams."""
    for i, frame in enumerate(floods.dns_reflected(chance, count, v6)):
        yield frame
        if i % 100 == 0:
            yield floods.udp(floods.forged(chance, v6), floods.packed(floods.VICTIM[v6]), 123, 54321,
                             b"\xd7\x00\x03\x2a" + b"\0\6\0\x48" + b"\0" * 432, i)


def reflected_answers(binary, samples, folder):
    """Answers to nobody's questions: their senders are no dependencies, and their victim leaves none unanswered."""
    path, musts = mixed(folder, samples, "reflected", 6060,
                        lambda chance, count, v6: reflected_to_a_service(chance, 6000, v6))
    victim = floods.VICTIM[False]
    db = path + ".db"
    run(binary, "read", "-q", "--db", db, path)
    told = findings(binary, db)
    yield from flood.missed(musts, set(), told)
    yield from (f"{f['code']} of {f.get('server_ip')}" for f in told if victim in (f.get("server_ip"), f.get("client_ip"))
                and f["severity"] in ("medium", "high", "critical"))
    if any(d["server_port"] == 53 for d in dependencies_of(binary, db)):
        yield "a forged sender is a dependency"


CHECKS = [judged_under_a_ceiling, many_findings_alike, many_dependencies, reflected_answers]


def main():
    binary, samples = sys.argv[1:3]
    problems = []
    with tempfile.TemporaryDirectory(prefix="invcap-ceilings.") as folder:
        for check in CHECKS:
            problems += [f"{check.__name__}: {p}" for p in check(binary, samples, folder)]
    print("\n".join(problems) or f"{len(CHECKS)} checks")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
