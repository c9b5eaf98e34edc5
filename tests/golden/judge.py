#!/usr/bin/env python3
"""usage: judge.py BINARY CAPTURE...: `judge` from the store says what `read` said, row by row, and it adds up."""
import os
import sqlite3
import subprocess
import sys
import tempfile

import captures
import sums

TABLES = {
    "findings": "SELECT * FROM findings ORDER BY id",
    "finding_values": "SELECT * FROM finding_values ORDER BY finding_id, name",
    "finding_evidence": "SELECT * FROM finding_evidence ORDER BY finding_id, number",
    "finding_flows": "SELECT * FROM finding_flows ORDER BY finding_id, flow_id",
    "certificate_chains": "SELECT * FROM certificate_chains ORDER BY capture_id, number",
    "incidents": "SELECT * FROM incidents ORDER BY id",
    "incident_steps": "SELECT * FROM incident_steps ORDER BY incident_id, number",
    "fault_domains": "SELECT * FROM fault_domains ORDER BY capture_id, number",
    "stories": "SELECT * FROM stories ORDER BY capture_id, number",
    "path_samples": "SELECT * FROM path_samples ORDER BY id",
    "dependencies": "SELECT * FROM dependencies ORDER BY capture_id, number",
    "services": "SELECT * FROM services ORDER BY capture_id, number",
    "service_minutes": "SELECT * FROM service_minutes ORDER BY capture_id, number",
    "endpoints": "SELECT * FROM endpoints ORDER BY capture_id, number",
    "flows": "SELECT id, outcome, verdict, stage FROM flows ORDER BY id",
    "v_causes": "SELECT * FROM v_causes",
    "v_path_services": "SELECT * FROM v_path_services",
}


def rows(path):
    db = sqlite3.connect(path)
    try:
        return {name: db.execute(sql).fetchall() for name, sql in TABLES.items()}
    finally:
        db.close()


def check(binary, capture, folder):
    path = os.path.join(folder, "judge.db")
    if os.path.exists(path):
        os.unlink(path)
    read = subprocess.run([binary, "read", "--db", path, capture], capture_output=True)
    if read.returncode not in (0, 3):
        return [f"read: exit {read.returncode}: {read.stderr.decode(errors='replace')[:300]}"]
    before = rows(path)
    judge = subprocess.run([binary, "judge", path], capture_output=True)
    if judge.returncode not in (0, 3):
        return [f"judge: exit {judge.returncode}: {judge.stderr.decode(errors='replace')[:300]}"]
    after = rows(path)
    db = sqlite3.connect(path)
    problems = list(sums.check(db))
    db.close()
    for name in TABLES:
        lost = [r for r in before[name] if r not in after[name]]
        new = [r for r in after[name] if r not in before[name]]
        if lost or new:
            problems.append(f"{name}: read said {lost[:2]}, judge says {new[:2]}")
    return problems


def main():
    binary, captures = sys.argv[1], sys.argv[2:]
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for capture in captures:
            problems = check(binary, capture, folder)
            passed += not problems
            failed += bool(problems)
            for problem in problems:
                print(f"{captures.name_of(capture)}: {problem}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


sys.exit(main())
