#!/usr/bin/env python3
"""Runs the samples against their expectations, as captured and in five rewritten forms.

    run.py BINARY [NAME...] [--samples DIR] [--remade DIR] [--only VARIANT] [-v]

--remade DIR takes the captures from DIR (made anew by scripts/lab); their `truth:` line then does not apply, nor does
the one-byte variant: one segment lost on a busy machine would become hundreds.
"""
import argparse
import concurrent.futures
import fnmatch
import json
import os
import subprocess
import sys
import tempfile
import zlib

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import captures  # noqa: E402
import expectation  # noqa: E402
import mutate  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(HERE))
VARIANTS = ("as-captured", "cut", "double", "tagged", "tunnelled", "oneway")
SKIP_KEY = {"cut": "no-cut", "double": "no-double", "oneway": "no-oneway"}
LONGEST_S = 120


def golden_list(path):
    """(name, capture, arguments) of every line; {samples} in an argument is the folder of the samples."""
    rows = []
    with open(path, encoding="utf-8") as f:
        for line in f:
            words = line.split("#")[0].split()
            if words:
                rows.append((words[0], words[1], [w.replace("{samples}", os.path.join(ROOT, "samples")) for w in words[2:]]))
    return rows


def analyse(binary, capture, arguments, statuses=(0,)):
    """(findings, flows, rows of flow_tcp, rows of http_transactions, trouble or None)"""
    try:
        done = subprocess.run([binary, "read", "--db", ":memory:", "--json", *arguments, capture],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=LONGEST_S)
    except subprocess.TimeoutExpired:
        return [], [], [], [], f"longer than {LONGEST_S} s"
    if done.returncode not in statuses:
        tail = done.stderr.decode(errors="replace").strip().splitlines()[-6:]
        return [], [], [], [], f"exit status {done.returncode}: " + " | ".join(tail)
    findings, flows, segments, answers = [], [], [], []
    for number, line in enumerate(done.stdout.decode("utf-8", "replace").splitlines(), 1):
        try:
            row = json.loads(line)
        except ValueError:
            return [], [], [], [], f"line {number} of the output is no JSON: {line[:80]}"
        if row.get("type") == "finding":
            findings.append(row)
        elif row.get("type") == "flow":
            flows.append(row)
        elif row.get("type") == "flow_tcp":
            segments.append(row)
        elif row.get("type") == "http":
            answers.append(row)
    return findings, flows, segments, answers, None


def form(name, variant, path):
    """Half of the samples get one VLAN tag, the others two; the tunnels take turns."""
    pick = zlib.crc32(name.encode())
    if variant == "tagged":
        return ("tagged", "stacked")[pick & 1]
    if variant == "tunnelled":
        kinds = sorted(mutate.OVERLAYS if mutate.has_neighbors(path) else {**mutate.OVERLAYS, **mutate.TUNNELS})
        return kinds[pick % len(kinds)]
    return variant


def truth_of(capture):
    done = subprocess.run(["tshark", "-r", capture, "-T", "fields", "-e", "tcp.stream"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    rows = done.stdout.splitlines()
    return {"packets": len(rows), "tcp": len({r for r in rows if r and "," not in r})}


def case(binary, row, variant, folder, remade):
    """(label, "ok"|"FAIL"|"skip", lines)"""
    name, capture, arguments = row
    label = f"{name} [{variant}]"
    try:
        e = expectation.parse(os.path.join(folder, name + ".expect"))
    except (OSError, expectation.Malformed, ValueError) as trouble:
        return label, "FAIL", [str(trouble)]
    if variant in SKIP_KEY and e[SKIP_KEY[variant]]:
        return label, "skip", [e[SKIP_KEY[variant]]]
    path = captures.find(remade or folder, capture)
    if not os.path.exists(path):
        return label, "FAIL", [f"{path} does not exist"]
    with tempfile.TemporaryDirectory(prefix="invcap-golden.") as work:
        if variant != "as-captured":
            target = os.path.join(work, captures.name_of(capture))
            mutate.rewrite(form(name, variant, path), path, target)
            path = target
        findings, flows, segments, answers, trouble = analyse(binary, path, arguments)
    if trouble:
        return label, "FAIL", [trouble]
    if remade:
        e["truth"] = {}
    wrong = expectation.judge(e, findings, flows, variant)
    if variant == "as-captured" and not remade:
        wrong += expectation.check_tcp(e["tcp"], segments)
        wrong += expectation.check_http(e["http"], answers)
    return label, "FAIL" if wrong else "ok", wrong


def later(row, folder):
    e = expectation.parse(os.path.join(folder, row[0] + ".expect"))
    codes = " ".join(code for code, _ in e["later"])
    return f"{row[0]} [{codes}]", "skip" if codes else "none", ["not judged yet"]


def check_truth(row, folder):
    name, capture, _ = row
    e = expectation.parse(os.path.join(folder, name + ".expect"))
    found = truth_of(captures.find(folder, capture))
    wrong = [f"{k}={v} expected, tshark counts {found[k]}" for k, v in e["truth"].items() if found.get(k) != v]
    return f"{name} [truth]", "FAIL" if wrong else "ok", wrong


def main():
    parser = argparse.ArgumentParser(prog="run.py")
    parser.add_argument("binary")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--samples", default=os.path.join(ROOT, "samples"))
    parser.add_argument("--list", default=os.path.join(HERE, "list.txt"))
    parser.add_argument("--remade", help="folder of captures made anew")
    parser.add_argument("--only", choices=VARIANTS)
    parser.add_argument("--truth", action="store_true", help="check only the truth lines, by tshark")
    parser.add_argument("-v", action="store_true", help="name the cases that pass, too")
    parser.add_argument("-j", type=int, default=2)
    o = parser.parse_args()
    rows = [r for r in golden_list(o.list) if not o.names or any(fnmatch.fnmatch(r[0], n) for n in o.names)]
    if o.truth:
        jobs = [(check_truth, (r, o.samples)) for r in rows]
    else:
        jobs = [(case, (o.binary, r, v, o.samples, o.remade)) for r in rows for v in VARIANTS
                if (v == o.only if o.only else not (o.remade and v == "cut"))] + [(later, (r, o.samples)) for r in rows]
    counts = {"ok": 0, "FAIL": 0, "skip": 0, "none": 0}
    with concurrent.futures.ThreadPoolExecutor(o.j) as pool:
        for label, verdict, lines in pool.map(lambda job: job[0](*job[1]), jobs):
            counts[verdict] += 1
            if verdict == "none" or verdict == "ok" and not o.v:
                continue
            print(f"{verdict:4} {label}" + (": " + lines[0] if verdict == "skip" else ""))
            if verdict == "FAIL":
                for line in lines:
                    print("     " + line)
            sys.stdout.flush()
    print(f"{counts['ok']} passed, {counts['FAIL']} failed" + (f", {counts['skip']} skipped" if counts["skip"] else ""))
    return 1 if counts["FAIL"] or not jobs else 0


if __name__ == "__main__":
    sys.exit(main())
