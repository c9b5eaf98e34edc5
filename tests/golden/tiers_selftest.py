#!/usr/bin/env python3
"""Tests tiers.py and tests/corpus/findings.py themselves: a wrong tier, and a finding that nobody looked at, do fail."""
import os
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "corpus")]
import findings  # noqa: E402
import tiers  # noqa: E402

CODES = {"tcp-loss": ("A", "medium"), "tcp-vanished": ("B", "high"), "tcp-jump": ("B", "low")}
GOOD = (1, 2, 10, 0)
ROW = {"file": "a__b.pcap", "code": "tcp-loss", "severity": "medium", "culprit": "network", "findings": "2", "frame": "7",
       "right": "yes", "why": "three segments came again"}
FOUND = {"a__b.pcap": {("tcp-loss", "medium", "network"): 2}}


def case(must=(), mustnot=(), stack=""):
    return {"stack": stack, "must": [(c, {}) for c in must], "mustnot": set(mustnot), "allow": set(), "later": [],
            "no-double": "", "no-oneway": "", "one-sided-says": "yes", "one-sided-must": [], "one-sided-allow": set()}


def wrong_tiers(loss=GOOD, vanished=(0, 0, 0, 0), kept=None):
    rows = {"tcp-loss": loss, "tcp-vanished": vanished, "tcp-jump": (0, 0, 0, 0)}
    return len(tiers.judge(CODES, rows, kept or {})[0])


def check_tiers(expect):
    line = {"code": "tcp-loss", "tier": "A", "why": "two more are being made"}
    expect(wrong_tiers() == 0, "tiers that fit fail")
    expect(wrong_tiers(loss=(0, 3, 10, 0)) == 1, "tier A without a case of the lab passes")
    expect(wrong_tiers(loss=(2, 0, 10, 0)) == 1, "tier A with two cases passes")
    expect(wrong_tiers(loss=(3, 0, 9, 0)) == 1, "tier A with nine look-alikes passes")
    expect(wrong_tiers(loss=(3, 0, 10, 1)) == 1, "tier A that is wrong on the corpus passes")
    expect(wrong_tiers(vanished=GOOD) == 1, "tier B with its cases passes")
    expect(wrong_tiers(loss=(2, 0, 10, 0), kept={"tcp-loss": line}) == 0, "a written reason does not hold")
    expect(wrong_tiers(loss=(2, 0, 10, 0), kept={"tcp-loss": line | {"why": " "}}) == 1, "an empty reason holds")
    expect(wrong_tiers(kept={"tcp-loss": line | {"tier": "B"}}) == 1, "a reason for the other tier passes")
    expect(wrong_tiers(kept={"tcp-gone": line | {"code": "tcp-gone"}}) == 1, "a reason for no code passes")


def check_counts(expect):
    cases = [("loss_c", case(["tcp-loss"])), ("loss_s", case(["tcp-loss"])), ("loss6", case(["tcp-loss"])),
             ("loss-pool", case(["tcp-loss"], stack="wifi")), ("quiet", case(mustnot=["tcp-loss", "tcp-jump"])),
             ("reset", case(["tcp-vanished"])), ("names", case(["dns-slow"]))]
    musts, lookalikes = tiers.count_samples(CODES, cases)
    expect(musts["tcp-loss"] == {"loss", "wifi"}, "one run seen from two points counts twice")
    expect(lookalikes["tcp-loss"] == {"quiet", "reset"}, "look-alikes are those of the kind")
    expect(lookalikes["tcp-jump"] == {"quiet"}, "what is never told above low has no closed world")


def check_reviewed(expect):
    wrong = lambda found, rows: len(findings.problems_of(found, {"a__b.pcap"}, rows))
    expect(wrong(FOUND, [ROW]) == 0, "a reviewed finding fails")
    expect(wrong(FOUND, []) == 1, "a finding that nobody looked at passes")
    expect(wrong({}, [ROW]) == 1, "a line without its finding passes")
    expect(wrong({"a__b.pcap": {("tcp-loss", "medium", "network"): 3}}, [ROW]) == 1, "one finding more passes")
    expect(wrong({"a__b.pcap": {("tcp-loss", "high", "network"): 2}}, [ROW]) == 2, "another severity passes")
    expect(wrong(FOUND, [ROW, ROW]) == 1, "a line that stands twice passes")
    expect(wrong(FOUND, [ROW | {"why": ""}]) == 1, "a line without a reason passes")
    expect(wrong(FOUND, [ROW | {"frame": ""}]) == 1, "a line without a frame passes")
    expect(wrong(FOUND, [ROW | {"right": "perhaps"}]) == 1, "a line that does not say whether it is right passes")


def check_table(expect):
    rows = findings.reviewed()
    codes = tiers.catalogue(tiers.ROOT)
    expect(rows, "the reviewed table is empty")
    expect(rows == sorted(rows, key=lambda r: [r[c] for c in findings.KEY]), "the reviewed table is not sorted")
    for row in rows:
        expect(row["code"] in codes, f"{row['file']}: there is no {row['code']}")
        expect(findings.worth_a_line(row["severity"]), f"{row['file']}: {row['code']} needs no line at {row['severity']}")


def main():
    wrong = []
    expect = lambda good, sentence: good or wrong.append(sentence)
    for check in (check_tiers, check_counts, check_reviewed, check_table):
        check(expect)
    print("\n".join("FAIL " + sentence for sentence in wrong) or "the tests of the tiers test")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
