#!/usr/bin/env python3
"""What is taken out of a capture may only take away from what is said about it.

    withdrawal.py BINARY [NAME...] [--all] [--samples DIR] [-j N] [-v]

Every sample that golden/run.py holds to its expectation is damaged in these ways and read again:

    loss-SEED   5 % of the packets are not in the capture (seeds 1-5)
    to-server, to-client   one direction alone
    snaplen     every packet cut after 64 bytes
    no-icmp     without ICMP and ICMPv6
    cut-N       the file ends after N elevenths of its bytes, mostly inside a packet (1-10)

What counts as false, closed world. Let W be what is said of the whole capture, D of the damaged one. In D
  - a connection that is "failed" is "failed" in W, too (found by its two endpoints; for questions by datagram,
    which take a new port for every try, by client and server);
  - its verdict is the one that W gives it, or one that WEAKER lists for that: what the same fault looks like to
    somebody who did not see the proof;
  - a finding of medium or above that accuses somebody (category network, server, auth, dependency, security) is
    in W with the same code and server, at the same client if the client is to blame, and the same culprit or
    "unknown", or a middlebox where W knows an attacker; or it is by WEAKER what is left of a finding of W at that server, and blames nobody, or the same one
    and is not surer (network and middlebox are one: what lies between the two hosts; whose probes a port scan
    were is not held against a refusal);
  - it is not surer, not more severe (unless it is a health check that is seen alone) and covers no more connections
    than in W;
  - a finding about the capture of medium or above is in W, or the damage took single packets out or a side away.
Samples without any verdict are damaged, too: there is nothing that may appear.

Without --all every sample is damaged in some of the ways, chosen by its name and always the same.
"""
import argparse
import concurrent.futures
import fnmatch
import os
import random
import sys
import tempfile
import zlib

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import captures  # noqa: E402
import expectation  # noqa: E402
import mutate  # noqa: E402
from run import analyse, golden_list  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(HERE))
SEEDS = range(1, 6)
CUTS = range(1, 11)
LOSS = 0.05
SNAPLEN = 64
# What is left when the proof of the first is gone. Each is true of any connection that the first is true of.
WEAKER = {
    # who refused it is not seen: it is not answered
    "conn-icmp-prohibited": ("conn-syn-timeout", "tcp-vanished"),
    "conn-icmp-unreachable": ("conn-syn-timeout", "tcp-vanished"),
    "conn-syn-timeout": ("conn-syn-timeout",),
    # what was too large, or what the bytes were, is not seen: they are sent again and again in vain
    "path-mtu-blackhole": ("tcp-vanished",),
    "tls-clienthello-dropped": ("tcp-vanished",),
    # the signs that somebody else sent the reset are not seen: it is a reset
    "tcp-reset-injected": ("tcp-reset-by-server", "tcp-reset-by-client", "tls-reset-after-clienthello"),
    # what the client said is not seen: the alert alone; or that the port speaks TLS: it resets what is said there
    "tls-plaintext-on-tls-port": ("tls-alert", "tcp-reset-by-server"),
    # that a client certificate was wanted is not seen: it is the alert
    "tls-client-certificate-missing": ("tls-alert",),
    "tls-client-certificate-refused": ("tls-alert",),
    # that the connection had been idle is not seen
    "tcp-idle-state-lost": ("tcp-reset-by-server", "tcp-reset-by-client"),
    # that the alert was the server's first word is not seen
    "tls-no-shared-cipher": ("tls-alert",),
    # that the datagrams were questions for names is not seen
    "dns-timeout": ("udp-no-answer",),
    # that the client gave up is not seen: it waits
    "http-no-response": ("server-slow-response",),
    # that it was answered, or how, is not seen
    "conn-synack-lost": ("conn-syn-timeout",),
    "conn-stale-tuple": ("conn-syn-timeout",),
    # that the request could not have arrived when the server closed is not seen
    "http-keepalive-race": ("tcp-reset-by-server",),
    # that the tap is next to the server is not seen
    "conn-backlog-overflow": ("conn-syn-timeout",),
    # that there were many is not seen: a probe that was refused was refused
    "sec-port-scan": ("conn-refused", "conn-icmp-unreachable", "conn-icmp-prohibited"),
    # who passed the frames on is not seen: two machines answer for the address
    "mitm-arp-spoof": ("net-ip-conflict",),
    # the hello is not seen
    "tls-reset-after-clienthello": ("tcp-reset-by-server",),
}
BETWEEN = {"network", "middlebox"}
UDP = 17
SCAN = "sec-port-scan"


def lose(packets, seed):
    chance = random.Random(seed)
    return [p for p in packets if chance.random() >= LOSS]


def shorten(packets):
    return [mutate.Packet(p.ns, p.data[:SNAPLEN], p.length) for p in packets]


def without_icmp(packets):
    kept = [p for p in packets if mutate.Headers(p).proto not in (1, 58)]
    return None if len(kept) == len(packets) else kept


def to_client(packets):
    rest = {id(p) for p in mutate.oneway(packets)}
    return [p for p in packets if id(p) not in rest]


def ways(name, everything):
    """The names of the damages of one sample."""
    loss = [f"loss-{s}" for s in SEEDS]
    cuts = [f"cut-{c}" for c in CUTS]
    some = ["to-server", "to-client", "snaplen", "no-icmp"]
    if everything:
        return loss + some + cuts
    pick = zlib.crc32(name.encode())
    return [loss[pick % len(loss)], *some, cuts[pick % len(cuts)], cuts[(pick // 10 + 5) % len(cuts)]]


def damage(way, link, packets, target):
    """Writes the damaged capture; False when there is nothing to take away."""
    word, _, number = way.partition("-")
    if word == "cut":
        mutate.write(target, link, packets)
        size = os.path.getsize(target)
        os.truncate(target, max(24, size * int(number) // (len(CUTS) + 1)))
        return True
    if word == "loss":
        kept = lose(packets, int(number))
    elif way == "to-server":
        kept = mutate.oneway(packets)
    elif way == "to-client":
        kept = to_client(packets)
    elif way == "snaplen":
        kept = shorten(packets)
    else:
        kept = without_icmp(packets)
    if kept is None or not kept:
        return False
    mutate.write(target, link, kept)
    return True


def read(binary, path, arguments):
    """(findings, flows, trouble or None); a file that ends inside a packet is no trouble."""
    findings, flows, _, _, trouble = analyse(binary, path, arguments, (0, 3))
    return findings, flows, trouble


def endpoints(flow):
    client = (str(flow.get("client_ip")), flow.get("client_port"))
    server = (str(flow.get("server_ip")), flow.get("server_port"))
    if flow.get("protocol") == UDP:
        client = (client[0], "*")
    return (flow.get("protocol"), *sorted((client, server), key=str))


def verdicts(flows, findings=()):
    """What was said of every pair of endpoints that failed; of those that are part of a scan, that; of health checks
    in vain what they found: one that is seen alone is an attempt in vain."""
    failed = {}
    scanners = {f.get("client_ip") for f in findings if f["code"] == SCAN}
    checked = {(f.get("server_ip"), f.get("server_port")): f["code"] for f in findings if is_of_checks(f)}
    for f in flows:
        if f.get("outcome") == "failed":
            failed.setdefault(endpoints(f), set()).add(f.get("verdict"))
        elif f.get("outcome") == "unsolicited" and f.get("client_ip") in scanners:
            failed.setdefault(endpoints(f), set()).add(SCAN)
        elif f.get("outcome") == "unsolicited" and (f.get("server_ip"), f.get("server_port")) in checked:
            failed.setdefault(endpoints(f), set()).add(checked[f.get("server_ip"), f.get("server_port")])
    return failed


def is_of_checks(finding):
    return "check_ms" in finding.get("values", {})


def is_same(found, whole):
    """Whether a finding of the whole capture says what this one says."""
    if found["code"] != whole["code"] or found.get("server_ip") != whole.get("server_ip") or \
            found.get("server_port") != whole.get("server_port"):
        return False
    culprits = (found.get("culprit"), whole.get("culprit"))
    if culprits[0] not in (culprits[1], "unknown") and culprits != ("middlebox", "attacker"):
        return False  # an attacker in between is a device in between; it takes more to see that it is more
    return found.get("culprit") != "client" or found.get("client_ip") == whole.get("client_ip")


def is_rest(found, whole):
    """Whether a finding is what is left of one of the whole capture."""
    if whole["code"] == SCAN:  # one finding for many ports or hosts
        return found["code"] in WEAKER[SCAN] and found.get("client_ip") == whole.get("client_ip")
    if found["code"] not in WEAKER.get(whole["code"], ()) or found.get("server_ip") != whole.get("server_ip") or \
            found.get("server_port") != whole.get("server_port"):
        return False
    if found.get("culprit") == "unknown":
        return True
    culprits = {found.get("culprit"), whole.get("culprit")}
    if whole["code"] == "mitm-arp-spoof":  # it is told at the severity of the incident that it is part of
        return found["confidence"] <= whole["confidence"]
    if whole["code"] == "conn-icmp-prohibited":  # which firewall dropped in silence is not seen
        culprits -= {"server"}
    return found["confidence"] <= whole["confidence"] and (len(culprits) <= 1 or culprits <= BETWEEN)


def is_true_of_capture(found, whole, way):
    return way.startswith("loss") or way.startswith("to-") or any(w["code"] == found["code"] for w in whole[0])


def accuses(f):
    return f.get("category") in expectation.ACCUSING


def check_finding(f, whole, way):
    """What is false in one finding of medium or above; None when nothing is."""
    if not accuses(f):
        return None if is_true_of_capture(f, whole, way) else "about the capture"
    same = [w for w in whole[0] if is_same(f, w)]
    if not same:
        return None if any(is_rest(f, w) for w in whole[0]) else "new"
    surest = max(w["confidence"] for w in same)
    if f["confidence"] > surest:
        return f"surer ({surest})"
    if not any(map(is_of_checks, same)) and expectation.SEVERITIES.index(f["severity"]) > max(expectation.SEVERITIES.index(w["severity"]) for w in same):
        return "more severe"
    most = sum(w["count"] for w in same)
    # a probe whose answer the cut took away looks like one in vain
    return f"covers more ({most})" if f["count"] > most + (f["code"] == SCAN) else None


def compare(whole, damaged, way):
    """What is false in the damaged capture's (findings, flows)."""
    wrong = []
    truth = verdicts(whole[1], whole[0])
    for ends, words in verdicts(damaged[1]).items():
        if ends not in truth:
            wrong.append(f"not failed in truth: {ends[1]} {ends[2]}: {' '.join(words)}")
            continue
        weaker = truth[ends] | {w for t in truth[ends] for w in WEAKER.get(t, ())}
        for word in words - weaker:
            wrong.append(f"another verdict: {ends[1]} {ends[2]}: {word}, in truth {' '.join(truth[ends])}")
    for f in damaged[0]:
        fault = check_finding(f, whole, way) if expectation._at_least_medium(f) else None
        if fault is not None:
            wrong.append(f"{fault}: " + expectation._describe(f))
    return wrong


def case(binary, row, samples, everything):
    """[(label, wrong)] of one sample."""
    name, capture, arguments = row
    path = captures.find(samples, capture)
    *whole, trouble = read(binary, path, arguments)
    if trouble:
        return [(f"{name} [whole]", [trouble])]
    link, packets = mutate.read(path)
    done = []
    with tempfile.TemporaryDirectory(prefix="invcap-withdrawal.") as work:
        target = os.path.join(work, "damaged.pcap")
        for way in ways(name, everything):
            if not damage(way, link, packets, target):
                continue
            *found, trouble = read(binary, target, arguments)
            done.append((f"{name} [{way}]", [trouble] if trouble else compare(whole, found, way)))
    return done


def parser_of(program):
    """What this program and damage.py take."""
    parser = argparse.ArgumentParser(prog=program)
    parser.add_argument("binary")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--samples", default=os.path.join(ROOT, "samples"))
    parser.add_argument("--list", default=os.path.join(HERE, "list.txt"))
    parser.add_argument("-v", action="store_true", help="name the cases that pass, too")
    parser.add_argument("-j", type=int, default=2)
    return parser


def main():
    parser = parser_of("withdrawal.py")
    parser.add_argument("--all", action="store_true", help="every sample in every way")
    o = parser.parse_args()
    rows = [r for r in golden_list(o.list) if not o.names or any(fnmatch.fnmatch(r[0], n) for n in o.names)]
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(o.j) as pool:
        for results in pool.map(lambda row: case(o.binary, row, o.samples, o.all), rows):
            for label, wrong in results:
                passed += not wrong
                failed += bool(wrong)
                if wrong or o.v:
                    print(("FAIL " if wrong else "ok   ") + label)
                for line in wrong:
                    print("     " + line)
            sys.stdout.flush()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
