#!/usr/bin/env python3
"""usage: tls_matrix.py INVCAP [--out FILE.pcap] [--servers a,b] [--clients a,b]

Handshakes of every client of tls_stacks.py with every server of it, with one fault each or none, on one capture; what
`invcap read` says of each connection against what was done. Needs root and scripts/setup --full; by hand, it takes
some minutes. A verdict is right when it names what was done; where the deciding alert is encrypted (TLS 1.3 of all but
OpenSSL), `aborted by that side` is right, too, and counted apart. Fails below 98 % right, or when a wrong one is told with
confidence 80 or more.
"""
import argparse
import collections
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import net  # noqa: E402
import peers  # noqa: E402
import pki  # noqa: E402
import tls_stacks as stacks  # noqa: E402
from net import NAME  # noqa: E402
from tls_stacks import TLS12, TLS13  # noqa: E402

REFUSED = {"tls-unknown-ca", "tls-certificate-refused"}
# fault: (kind of server, what the client does, verdicts that name it, the side that refuses)
CASES = {
    "ok 1.3": ("both", {}, None, None),
    "ok 1.2": ("both", {"high": TLS12}, None, None),
    "first of 1.3 only": ("only13", {}, None, None),
    "first of 1.2 only": ("only12", {}, None, None),
    "server of 1.3 only, client up to 1.2": ("only13", {"high": TLS12}, {"tls-version-mismatch"}, None),
    "server of 1.2 only, client from 1.3": ("only12", {"low": TLS13}, {"tls-version-mismatch"}, None),
    "unknown authority 1.3": ("both", {"ca": "otherroot", "low": TLS13}, REFUSED, "client"),
    "unknown authority 1.2": ("both", {"ca": "otherroot", "high": TLS12}, REFUSED, "client"),
    "expired 1.3": ("expired", {"low": TLS13}, REFUSED, "client"),
    "expired 1.2": ("expired", {"high": TLS12}, REFUSED, "client"),
    "wrong name 1.2": ("both", {"high": TLS12, "name": "other.example.cn"}, REFUSED, "client"),
    "no client certificate 1.3": ("mutual", {"low": TLS13}, {"tls-client-certificate-missing"}, "server"),
    "no client certificate 1.2": ("mutual", {"high": TLS12}, {"tls-client-certificate-missing"}, "server"),
    "bad client certificate 1.3": ("mutual", {"low": TLS13, "cert": "otherclient"}, {"tls-client-certificate-refused"},
                                   "server"),
    "bad client certificate 1.2": ("mutual", {"high": TLS12, "cert": "otherclient"}, {"tls-client-certificate-refused"},
                                   "server"),
    "good client certificate 1.3": ("mutual", {"low": TLS13, "cert": "client"}, None, None),
    "good client certificate 1.2": ("mutual", {"high": TLS12, "cert": "client"}, None, None),
    "refused name": ("strict", {"name": "other.example.cn"}, {"tls-unrecognized-name", "tls-closed-after-clienthello"},
                     "server"),
    "served name": ("strict", {}, None, None),
}


# A client that completes the handshake and leaves without a word: what it found is told by the certificate.
SHOWN = {"wrong name 1.2": "cert-name-mismatch", "expired 1.2": "cert-expired"}


def plan(server, label, client):
    """(verdicts, side) where a stack has its own way."""
    _, _, verdicts, side = CASES[label]
    if server == "nginx" and label.startswith(("no client", "bad client")):
        return None, None  # it completes the handshake and answers 400
    if client == "java" and label.startswith("bad client"):
        return {"tls-client-certificate-missing"}, side  # it sends none that the server does not ask for
    return verdicts, side


def start_servers(lab, chosen):
    """{(server, kind): port}"""
    ports, blocks, port = {}, "", 8300
    for server in chosen:
        start, kinds = stacks.SERVERS[server]
        for kind in kinds:
            port += 1
            ports[server, kind] = port
            blocks += start(lab, port, kind) or ""
    if blocks:
        lab.name += ".2"
        peers.nginx(lab, blocks)
    for port in ports.values():
        stacks.wait_listen(lab, port)
    return ports


def talk(lab, ports, clients):
    """(port, (begin, end), label, client, verdicts, side, what the client said)"""
    rows = []
    for (server, kind), port in ports.items():
        for label, (wanted, words, _, _) in CASES.items():
            for client in clients if wanted == kind else ():
                how = {"low": TLS12, "high": TLS13, "ca": "root", "cert": None, "name": NAME} | words
                begin = time.time()
                said = stacks.CLIENTS[client](lab, port, how["low"], how["high"], how["ca"], how["cert"], how["name"])
                rows.append((port, (begin, time.time()), f"{server}: {label}", client, *plan(server, label, client), said))
    return rows


def judge(binary, capture):
    """{port: [connection, ...]} in the order of their first packets."""
    lines = subprocess.run([binary, "read", "--db", ":memory:", "--json", capture], stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL, text=True, check=True).stdout.splitlines()
    objects = [json.loads(line) for line in lines]
    flows = [o for o in objects if o["type"] == "flow" and o.get("server_port", 0) > 8300]
    findings = [o for o in objects if o["type"] == "finding"]
    by_port = collections.defaultdict(list)
    for flow in sorted(flows, key=lambda f: f["first_ns"]):
        by_port[flow["server_port"]].append(flow)
    return by_port, findings


def confidence_of(flow, findings):
    return max([f["confidence"] for f in findings if f["code"] == flow.get("verdict")
                and f.get("server_port") in (None, flow["server_port"])] or [0])


def compare(rows, by_port, findings):
    right, hidden, wrong, loud = 0, 0, [], 0
    for port, (begin, end), label, client, verdicts, side, said in rows:
        flow = next((f for f in by_port[port] if begin <= f["first_ns"] / 1e9 <= end), None)
        if flow is None or said == "":
            print(f"no connection: {label}, {client}")
            continue
        worked = any(w in said for w in (" 200", "200 OK", "400 Bad Request")) or said.endswith("ok\n")
        if worked != (verdicts is None):
            print(f"not what was planned: {label}, {client}: {said[-160:]!r}")
            continue
        code, outcome = flow.get("verdict"), flow.get("outcome")
        shown = SHOWN.get(label.split(": ")[1])
        if verdicts is None and outcome == "ok" and code is None:
            right += 1
        elif shown and outcome == "ok" and any(f["code"] == shown and f.get("server_port") == port for f in findings):
            right += 1
        elif verdicts is not None and code in verdicts:
            right += 1
        elif verdicts is not None and side and code == "tls-handshake-aborted":
            right, hidden = right + 1, hidden + 1
        else:
            sure = confidence_of(flow, findings)
            loud += sure >= 80
            wrong.append(f"{label}, {client}: {outcome} {code} ({sure}); client said {said.strip()[-100:]!r}")
    return right, hidden, wrong, loud


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--out", default="")
    parser.add_argument("--servers", default=",".join(stacks.SERVERS))
    parser.add_argument("--clients", default=",".join(stacks.CLIENTS))
    args = parser.parse_args()
    work = tempfile.mkdtemp(prefix="invcap-lab.")
    lab = net.Lab(work, work, "tls-matrix")
    try:
        lab.pki = pki.Pki(os.path.join(work, "pki"))
        lab.start(delay_ms=2.0)
        stacks.prepare(lab)
        ports = start_servers(lab, args.servers.split(","))
        with lab.capture("m"):
            rows = talk(lab, ports, args.clients.split(","))
        capture = lab.taps[0][1]
        if args.out:
            shutil.copy(capture, args.out)
            json.dump([[r[0], r[1], r[2], r[3], sorted(r[4]) if r[4] else None, r[5], r[6]] for r in rows],
                      open(args.out + ".json", "w"))
        by_port, findings = judge(args.binary, capture)
    finally:
        lab.close()
        shutil.rmtree(work, ignore_errors=True)
    right, hidden, wrong, loud = compare(rows, by_port, findings)
    print("\n".join(wrong))
    told = right + len(wrong)
    print(f"{told} handshakes as planned, {right} verdicts right ({hidden} of them by who broke off: the alert is encrypted), "
          f"{len(wrong)} wrong, {loud} of these at confidence 80 or more")
    return 1 if told < 80 or right < 0.98 * told or loud else 0


sys.exit(main())
