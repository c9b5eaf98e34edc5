"""The findings of medium severity and above on captures by others, against the reviewed table beside this file.

A line says why a finding is right, by the frame that decides it ("-": a block of the file), or, with `no`, why it is
not, which keeps its code out of tier A (tests/golden/tiers.py). A finding without its line fails, and so does a line
without its finding: whoever changes a rule looks at the packets again.
"""
import collections
import csv
import os

HERE = os.path.dirname(os.path.abspath(__file__))
TABLE = os.path.join(HERE, "findings_reviewed.tsv")
COLUMNS = ["file", "code", "severity", "culprit", "findings", "frame", "right", "why"]
KEY = COLUMNS[:4]
SEVERITIES = ["info", "low", "medium", "high", "critical"]
QUERY = "SELECT code, severity, culprit, count(*) FROM findings GROUP BY code, severity, culprit"


def worth_a_line(severity):
    return severity in SEVERITIES[SEVERITIES.index("medium"):]


def of(db):
    """{(code, severity, culprit): number of findings} of one capture, from medium on."""
    return {tuple(row[:3]): row[3] for row in db.execute(QUERY) if worth_a_line(row[1])}


def reviewed(path=TABLE):
    with open(path, encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def problems_of(found, selected, rows):
    """found: {file: of(db)}; what is wrong with the findings or the table, as lines."""
    table = {}
    problems = []
    for row in rows:
        key = tuple(row[c] for c in KEY)
        if key in table:
            problems.append(f"reviewed twice: {' '.join(key)}")
        if not row["why"] or not (row["frame"].isdigit() or row["frame"] == "-"):
            problems.append(f"reviewed without frame or reason: {' '.join(key)}")
        if row["right"] not in ("yes", "no"):
            problems.append(f"reviewed as neither right nor wrong: {' '.join(key)}")
        table[key] = row
    for name, codes in sorted(found.items()):
        for rest, count in sorted(codes.items()):
            row = table.get((name, *rest))
            if row is None:
                problems.append(f"not reviewed: {name} {' '.join(rest)}, {count} findings")
            elif int(row["findings"]) != count:
                problems.append(f"reviewed {row['findings']} findings, now {count}: {name} {' '.join(rest)}")
    for key in table:
        if key[0] in selected and key[1:] not in found.get(key[0], {}):
            problems.append(f"reviewed, but no longer found: {' '.join(key)}")
    return problems


def summary(found):
    """'code findings files' of every code, the most frequent first."""
    findings, files = collections.Counter(), collections.Counter()
    for codes in found.values():
        for (code, _, _), count in codes.items():
            findings[code] += count
        files.update({code for code, _, _ in codes})
    return [f"{code} {count} in {files[code]} files" for code, count in findings.most_common()]
