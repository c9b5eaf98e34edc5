#!/usr/bin/env python3
"""Which faults of reaching and of the way the samples hold, and seen how: makes docs/cases.md.

    coverage.py [--check PAGE]      fails when the page promises more than there is, when there are fewer than 40 faults or
                                    25 look-alikes, or when a proven code has no case over IPv6

A case is one run of the lab: samples that differ in capture point (_c, _m, _s, _r), address family (6) or VLAN alone are
one. A fault demands a code of AREA that accuses somebody, a look-alike none at all. Every sample is judged again with
VLAN tags and inside tunnels (run.py), so these have no column.
"""
import argparse
import collections
import os
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
import captures  # noqa: E402
import expectation  # noqa: E402
import mutate  # noqa: E402
import run  # noqa: E402
import tiers  # noqa: E402

AREA = {"conn", "udp", "path", "net", "tcp"}
MORE = {"server-slow-response", "server-slow-tls", "server-degrading", "client-slow", "sec-syn-flood", "sec-port-scan",
        "http-no-response", "http-truncated-response", "http-keepalive-race", "tls-clienthello-dropped"}
ONLY_IPV4 = {"http-keepalive-race"}  # what happens above TCP
WORDS = {"culprit", "category", "severity", "scope", "name", "server", "client", "count", "confidence"}


def of_area(code):
    return code.split("-")[0] in AREA or code in MORE


def six(path):
    """Whether most TCP packets, else most packets, are of IPv6."""
    heads = [mutate.Headers(p) for p in mutate.read(path)[1]]
    heads = [h for h in heads if h.tcp is not None] or heads
    return 2 * sum(h.version == 6 for h in heads) > len(heads)


class Case:
    def __init__(self):
        self.points, self.families, self.codes, self.tagged = set(), set(), set(), False


def point_of(name):
    return name[-1] if name[-2:] in ("_c", "_m", "_s", "_r") else "m"


def base_of(name):
    while tiers.SEEN_OTHERWISE.search(name):
        name = tiers.SEEN_OTHERWISE.sub("", name)
    return name


def accuses(code, codes):
    return codes[code][1] not in ("info",)


def read_cases(root):
    """({base: Case}, {code: {base}}, {code: bases whose numbers are checked})"""
    cases, by_code, numbers = collections.defaultdict(Case), collections.defaultdict(set), collections.defaultdict(set)
    codes = tiers.catalogue(root)
    for name, capture, _ in run.golden_list(os.path.join(root, "tests", "golden", "list.txt")):
        e = expectation.parse(os.path.join(root, "samples", name + ".expect"))
        case, base = cases[base_of(name)], base_of(name)
        case.points.add(point_of(name))
        case.families.add("IPv6" if six(captures.find(os.path.join(root, "samples"), capture)) else "IPv4")
        case.codes |= {code for code, _ in e["must"]}
        for code, attributes in e["must"]:
            if of_area(code) and accuses(code, codes):
                by_code[code].add(base)
                if set(attributes) - WORDS or "count" in attributes:
                    numbers[code].add(base)
    return cases, by_code, numbers, codes


def page(root):
    cases, by_code, numbers, codes = read_cases(root)
    faults = set().union(*by_code.values())
    quiet = {base for base, c in cases.items() if not any(accuses(code, codes) for code in c.codes)}
    both = [b for b in faults if {"IPv4", "IPv6"} <= cases[b].families]
    yield "# Cases of reaching and of the way\n"
    yield ("Made by `python3 tests/golden/coverage.py`. A case is one kind of fault made by the lab (tests/lab/scenarios) with "
           "real stacks; its capture points (c the client's, m on the way, s the server's, r between routers) and address "
           "families are samples of their own. Every sample is a closed world: what it must show with culprit and numbers, "
           "and nothing else of medium or above. Each is judged again with VLAN tags (802.1Q or 802.1ad), inside a tunnel "
           "(VXLAN, GENEVE, NVGRE, GRE, IPIP, GTP-U, MPLS, PPPoE), cut into single bytes, doubled, and from one side.\n")
    yield (f"{len(faults)} cases of a fault, more than {len(quiet) // 50 * 50} in which nobody is to blame. Of the faults "
           f"{sum(len(cases[b].points) > 1 for b in faults)} are seen from several capture points, "
           f"{sum('IPv6' in cases[b].families for b in faults)} over IPv6, {len(both)} over both.\n")
    yield "| code | tier | cases | several capture points | over IPv6 | with numbers |"
    yield "|---|---|---:|---:|---:|---:|"
    for code in codes:
        if not of_area(code) or not accuses(code, codes):
            continue
        mine = by_code.get(code, set())
        yield (f"| {code} | {codes[code][0]} | {len(mine)} | {sum(len(cases[b].points) > 1 for b in mine)} | "
               f"{sum('IPv6' in cases[b].families for b in mine)} | {len(numbers.get(code, ()))} |")


def missing(root):
    """What the samples lack of what they are to hold at least."""
    cases, by_code, numbers, codes = read_cases(root)
    faults = set().union(*by_code.values())
    quiet = [b for b, c in cases.items() if not any(accuses(code, codes) for code in c.codes)]
    if len(faults) < 40 or len(quiet) < 25:
        yield f"{len(faults)} of 40 faults, {len(quiet)} of 25 look-alikes"
    for code, bases in by_code.items():
        if codes[code][0] == "A" and not any("IPv6" in cases[b].families for b in bases) and code not in ONLY_IPV4:
            yield f"{code}: no case over IPv6"


def overstated(page_text, now):
    """Rows of the page that promise more than there is; new samples need not wait for the page."""
    def rows(text):
        return {cells[1]: cells for cells in ([c.strip() for c in line.split("|")] for line in text.splitlines())
                if len(cells) == 8 and cells[3].isdigit()}
    kept, found = rows(page_text), rows(now)
    if not kept:
        yield "the page has no table"
    for code, cells in kept.items():
        if code not in found or any(int(a) > int(b) for a, b in zip(cells[3:7], found[code][3:7])):
            yield f"{code}: the page says {cells[3:7]}, the samples {found.get(code, [''] * 7)[3:7]}"


def main():
    parser = argparse.ArgumentParser(prog="coverage.py")
    parser.add_argument("--check", metavar="PAGE")
    o = parser.parse_args()
    text = "\n".join(page(ROOT)) + "\n"
    if not o.check:
        sys.stdout.write(text)
        return 0
    with open(o.check, encoding="utf-8") as f:
        wrong = list(overstated(f.read(), text)) + list(missing(ROOT))
    print("\n".join(wrong + ([f"remake it: python3 tests/golden/coverage.py > {o.check}"] if wrong else [])))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
