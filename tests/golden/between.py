#!/usr/bin/env python3
"""Incidents and baselines: what belongs together is one incident with its steps in order of time; a saved baseline is
shown, checked against, and compared with by later reads.

    between.py BINARY
"""
import json
import os
import sqlite3
import subprocess
import sys
import tempfile

import captures

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SAMPLES = os.path.join(ROOT, "samples")
failures = []
checks = 0

# Sample, incidents, and the codes of the first one.
INCIDENTS = [
    ("mitm-arp-tls", 1, {"mitm-arp-spoof", "mitm-issuer-changed"}),
    ("mitm-fortigate", 1, {"mitm-issuer-changed", "mitm-interception-product"}),
    ("mitm-redirect", 1, {"mitm-interception-product"}),
    ("mitm-names", 1, {"mitm-issuer-changed"}),
    ("mitm-strip", 1, {"mitm-https-stripped"}),
    ("rotation", 0, set()), ("captive", 0, set()), ("failover", 0, set()), ("terminator", 0, set()),
    ("two-issuers", 0, set()), ("dev-box", 0, set()), ("ip-conflict", 0, set()),
]


def check(name, what, got, want):
    global checks
    checks += 1
    if got != want:
        failures.append(f"{name}: {what}: {got!r}, not {want!r}")


def run(binary, *words):
    done = subprocess.run([binary, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120,
                          env={**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC"})
    return done.returncode, done.stdout, done.stderr


def sample(name):
    return captures.find(SAMPLES, name + ".pcap")


def check_incidents(binary, folder):
    for name, count, codes in INCIDENTS:
        db = os.path.join(folder, name + ".db")
        run(binary, "read", "-q", "--db", db, sample(name))
        with sqlite3.connect(db) as store:
            check(name, "incidents", store.execute("SELECT count(*) FROM incidents").fetchone()[0], count)
            steps = store.execute("SELECT s.number, s.time_ns, f.code, s.weight FROM incident_steps s JOIN findings f "
                                  "ON f.id = s.finding_id WHERE s.incident_id = 1 ORDER BY s.number").fetchall()
            score = store.execute("SELECT score, findings FROM incidents").fetchone()
        store.close()
        check(name, "codes", codes - {s[2] for s in steps}, set())
        check(name, "order", [s[1] for s in steps], sorted(s[1] for s in steps))
        if count:
            check(name, "score", score, (min(100, sum(s[3] for s in steps)), len(steps)))
            for language, words in (("en", "other explanations: "), ("zh", "其他可能：")):
                check(name, "rivals", words in run(binary, "incidents", "--db", db, "--lang", language)[1], True)


def check_terms(binary, folder):
    """The score of a changed issuer is shown with its terms, in both languages."""
    db = os.path.join(folder, "terms.db")
    run(binary, "read", "-q", "--db", db, sample("mitm-nginx"))
    found = json.loads([line for line in run(binary, "findings", "--db", db, "--json")[1].splitlines()
                        if "mitm-issuer-changed" in line][0])
    for language, words in (("en", "(100): another issuer 30, no proxy of the profile 20, another key 15, server came nearer 25, no router in between any more 10"),
                            ("zh", "（100 分）：签发者不同 30、并非配置中的代理 20、公钥不同 15、服务器距离变近 25、与服务器之间不再有路由器 10")):
        text = run(binary, "explain", "--db", db, "--finding", str(found["id"]), "--lang", language)[1]
        flat = "".join(text.split()) if language == "zh" else " ".join(text.split())
        check("terms", language, ("".join(words.split()) if language == "zh" else words) in flat, True)


def check_baseline(binary, folder):
    db = os.path.join(folder, "baseline.db")
    run(binary, "read", "-q", "--db", db, sample("rotation"))
    check("baseline", "empty", run(binary, "baseline", "check", db)[0], 0)
    status, out, _ = run(binary, "baseline", "save", db, "--lang", "en")
    check("baseline", "save", (status, "rows saved as the baseline." in out), (0, True))
    rows = [json.loads(line) for line in run(binary, "baseline", "show", db, "--json")[1].splitlines()]
    servers = [r for r in rows if r["kind"] == "server"]
    clients = [r for r in rows if r["kind"] == "client"]
    check("baseline", "servers", [(r["ip"], r["port"], r["name"], r["hops"]) for r in servers],
          [("198.51.100.20", 443, "inv.example.cn", 8)] * 2)
    check("baseline", "synack", {r["synack"].split("/")[1] for r in servers}, {"mss,sok,ts,nop,ws"})
    check("baseline", "clients", {(r["ip"], len(r["ja4"])) for r in clients},
          {(f"10.20.1.{n}", 36) for n in (11, 12, 13, 14)})
    check("baseline", "same", run(binary, "baseline", "check", db, "--lang", "en")[1],
          "Nothing is otherwise than in the baseline.\n")
    # The captures go, the baseline stays, and a later read is compared with it.
    with sqlite3.connect(db) as store:
        store.execute("DELETE FROM certificate_chains")
    store.close()
    run(binary, "read", "-q", "--db", db, sample("mitm-zscaler"))
    codes = {json.loads(line)["code"] for line in run(binary, "findings", db, "--json")[1].splitlines()}
    check("baseline", "compared with", "mitm-issuer-changed" in codes, True)
    told = [json.loads(line) for line in run(binary, "baseline", "check", db, "--json")[1].splitlines()]
    check("baseline", "otherwise", {d["what"] for t in told if t["kind"] == "server" for d in t["differences"]}
          >= {"issuer", "key", "hops"}, True)
    check("baseline", "usage", run(binary, "baseline", "keep", db)[0], 2)
    check("baseline", "no file", run(binary, "baseline", "save", os.path.join(folder, "none.db"))[0] in (3, 4), True)


def main():
    binary = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        check_incidents(binary, folder)
        check_terms(binary, folder)
        check_baseline(binary, folder)
    for line in failures:
        print(line)
    print(f"{checks} checks, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
