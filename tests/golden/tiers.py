#!/usr/bin/env python3
"""Tier A is earned: which codes of core/findings.def have their cases, and which have not.

    tiers.py [--table] [--root DIR]

A code may be told above low severity only in tier A; of those that never are the tier does not matter. It belongs there
with at least
  3 must-cases from different stacks   one or more of the lab: samples that demand it (`must:`), counted once per stack,
                                       which is what `stack:` in the expectation says, else the name of the sample without
                                       its capture point (_c, _m, _s, _r), address family (6) and VLAN: these are the same
                                       run seen otherwise. Doubled and one-sided runs count for what they always demand.
                                       Others may be of the collections of captures by others in which its findings were
                                       looked at and are right (tests/corpus/findings_reviewed.tsv), one per collection.
  10 look-alikes that must not         samples that are judged without it and could tempt: they name it in `mustnot:`, or
                                       name a sibling (FAMILIES) in `must:` or `mustnot:`. A closed world forbids what it
                                       does not list where that is told at medium or above; else only `mustnot:` counts.
  no unexplained hit                   every line of findings_reviewed.tsv about it has `yes` under `right`.
tiers.tsv says why a code is where it is although the count says otherwise. The test fails when a code is in the wrong
tier without such a line; it names lines that are not needed any more. --table prints all codes.
"""
import argparse
import collections
import csv
import glob
import os
import re
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
import expectation  # noqa: E402

MUSTS, LOOKALIKES = 3, 10
ENTRY = re.compile(r'FINDING\((\w+), "([\w-]+)",\s*([AB]), (\w+),')
SEEN_OTHERWISE = re.compile(r"(_[cmsr]|-?6|-vlan)$")
MEDIUM = expectation.SEVERITIES.index("medium")
# Codes that one kind of traffic tempts alike.
FAMILIES = [{"conn", "path", "net", "udp", "tcp"}, {"server", "client", "service"}, {"tls", "cert"}, {"mitm"}, {"sec"},
            {"http", "h2", "grpc", "auth"}, {"dns"}, {"ntp", "clock"}, {"ftp", "ssh", "dep"}, {"capture"}]
ALWAYS = {"double": ("capture-duplicates", "no-double"), "oneway": ("capture-one-sided", "no-oneway")}


def catalogue(root):
    """{code: (tier, severity)}"""
    with open(os.path.join(root, "core", "findings.def"), encoding="utf-8") as f:
        return {code: (tier, severity.lower()) for _, code, tier, severity in ENTRY.findall(f.read())}


def family(code):
    word = code.split("-")[0]
    return next((i for i, words in enumerate(FAMILIES) if word in words), word)


def samples(root):
    """(name, expectation) of what the golden list runs."""
    folder = os.path.join(root, "samples")
    names = [os.path.basename(p)[:-len(".expect")] for p in glob.glob(os.path.join(folder, "*.expect"))]
    return [(n, expectation.parse(os.path.join(folder, n + ".expect"))) for n in sorted(names)]


def stack_of(name, e):
    if e["stack"]:
        return e["stack"]
    while SEEN_OTHERWISE.search(name):
        name = SEEN_OTHERWISE.sub("", name)
    return name


def count_samples(codes, cases):
    """({code: stacks that demand it}, {code: samples that must not have it})"""
    musts, lookalikes = collections.defaultdict(set), collections.defaultdict(set)
    for name, e in cases:
        stack, demanded = stack_of(name, e), {code for code, _ in e["must"]}
        for code in demanded:
            musts[code].add(stack)
        for code, skipped in ALWAYS.values():
            if not e[skipped] and not (code == "capture-one-sided" and e["one-sided-says"] == "no"):
                musts[code].add(stack)
        possible = demanded | e["allow"] | {code for code, _ in e["later"]}
        tempting = {family(code) for code in demanded | e["mustnot"]}
        for code, (tier, severity) in codes.items():
            closed = tier == "A" and expectation.SEVERITIES.index(severity) >= MEDIUM
            if code in e["mustnot"] or (closed and code not in possible and family(code) in tempting):
                lookalikes[code].add(name)
    return musts, lookalikes


def corpus(root):
    """{code: (collections where it is right, findings that are not right)}"""
    right, wrong = collections.defaultdict(set), collections.Counter()
    with open(os.path.join(root, "tests", "corpus", "findings_reviewed.tsv"), encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            if row["right"] == "yes":
                right[row["code"]].add(row["file"].split("__")[0])
            else:
                wrong[row["code"]] += int(row["findings"])
    return {code: (len(right[code]), wrong[code]) for code in set(right) | set(wrong)}


def exceptions(root):
    with open(os.path.join(root, "tests", "golden", "tiers.tsv"), encoding="utf-8", newline="") as lines:
        return {row["code"]: row for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)}


def lacking(lab, foreign, lookalikes, wrong):
    """What a code lacks for tier A, in words."""
    words = []
    if lab + foreign < MUSTS:
        words.append(f"{lab + foreign} of {MUSTS} must-cases")
    elif lab == 0:
        words.append("no must-case of the lab")
    if lookalikes < LOOKALIKES:
        words.append(f"{lookalikes} of {LOOKALIKES} look-alikes")
    if wrong:
        words.append(f"{wrong} wrong on the corpus")
    return ", ".join(words)


def judge(codes, rows, kept):
    """rows: {code: arguments of lacking()}; kept: exceptions(). (problems, what the exceptions say)"""
    problems, said = [], []
    for code, (tier, severity) in sorted(codes.items()):
        lack, line = lacking(*rows[code]), kept.get(code)
        should = "B" if lack else "A"
        if expectation.SEVERITIES.index(severity) < MEDIUM:
            should = tier
        if line is not None and line["tier"] != tier:
            problems.append(f"{code}: tiers.tsv speaks of tier {line['tier']}, findings.def has {tier}")
        elif tier != should and line is None:
            problems.append(f"{code}: tier A, but {lack}: add cases, demote it in core/findings.def, or say in "
                            "tests/golden/tiers.tsv why not" if tier == "A" else
                            f"{code}: tier B, but has its cases: promote it in core/findings.def, or say in "
                            "tests/golden/tiers.tsv what holds it back")
        elif tier == should and line is not None:
            said.append(f"{code}: has what tier {tier} needs, its line in tests/golden/tiers.tsv can go")
        elif line is not None:
            said.append(f"{code}: tier {tier}{', ' + lack if lack else ''}: {line['why']}")
    problems += [f"tiers.tsv: there is no {code}" for code in kept if code not in codes]
    problems += [f"tiers.tsv: {code} without a reason" for code, line in kept.items() if not line["why"].strip()]
    return problems, said


def check_names(codes, cases):
    problems = []
    for name, e in cases:
        named = {code for code, _ in e["must"] + e["later"] + e["one-sided-must"]} | e["mustnot"] | e["allow"] | \
            e["one-sided-allow"]
        problems += [f"{name}.expect: there is no {code}" for code in sorted(named - set(codes))]
    return problems


def main():
    parser = argparse.ArgumentParser(prog="tiers.py")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--root", default=ROOT)
    o = parser.parse_args()
    codes, cases = catalogue(o.root), samples(o.root)
    musts, lookalikes = count_samples(codes, cases)
    found = corpus(o.root)
    rows = {}
    for code in codes:
        foreign, wrong = found.get(code, (0, 0))
        rows[code] = (len(musts[code]), foreign, len(lookalikes[code]), wrong)
    if o.table:
        print("code\ttier\tseverity\tcases of the lab\tof others\tlook-alikes\tnot right")
        for code, (tier, severity) in codes.items():
            print("\t".join(map(str, (code, tier, severity, *rows[code]))))
        return 0
    problems, said = judge(codes, rows, exceptions(o.root))
    problems += check_names(codes, cases)
    print("\n".join(said))
    print("\n".join("FAIL " + p for p in problems))
    tiers = collections.Counter(tier for tier, _ in codes.values())
    print(f"{tiers['A']} codes in tier A, {tiers['B']} in tier B, {len(said)} by a written reason, {len(problems)} wrong")
    return 1 if problems or not codes or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
