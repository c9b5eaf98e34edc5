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


def mixed(folder, samples, kind, count, v6=False):
    """(path, musts) of a capture of the flood beside the ordinary samples."""
    ordinary, musts, _ = flood.ordinary_traffic(samples)
    path = os.path.join(folder, f"{kind}.{v6}.pcap")
    frames = floods.KINDS[kind].make(random.Random(4), count, v6)
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


CHECKS = [judged_under_a_ceiling, many_findings_alike]


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
