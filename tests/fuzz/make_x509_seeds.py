#!/usr/bin/env python3
"""Seeds of fuzz_x509: the chains that servers of our own samples showed, with the OCSP answer that came with them,
and the key exchanges of tests/unit/data_tlcp.h.

usage: make_x509_seeds.py INVCAP DIR SAMPLE ...
"""
import json
import os
import re
import subprocess
import sys
import tempfile

QUERY = """SELECT t.flow_id AS flow, c.not_before_ns AS since, hex(c.der) AS der, hex(o.der) AS staple
           FROM tls_certificates t JOIN certificates c ON c.id = t.certificate_id
           JOIN tls_sessions s ON s.flow_id = t.flow_id LEFT JOIN ocsp_staples o ON o.id = s.staple_id
           ORDER BY t.flow_id, t.side, t.position"""
TLCP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "unit", "data_tlcp.h")
CERTIFICATE, EXCHANGE, STAPLE, TIMESTAMPS = range(4)


def part(kind, data):
    return (kind << 14 | len(data)).to_bytes(2, "big") + data


def chains(invcap, sample, folder):
    """The year after the first certificate's begin, and the parts, of each flow."""
    db = os.path.join(folder, "seeds.db")
    if os.path.exists(db):
        os.unlink(db)
    subprocess.run([invcap, "read", sample, "--db", db, "--quiet"], stdout=subprocess.DEVNULL)
    rows = subprocess.run([invcap, "sql", "--db", db, "--json", QUERY], capture_output=True, text=True)
    flows, staples = {}, {}
    for line in rows.stdout.splitlines():
        row = json.loads(line)
        year = 1970 + row["since"] // 31557600000000000 + 1
        flows.setdefault(row["flow"], [year]).append(part(CERTIFICATE, bytes.fromhex(row["der"])))
        staples[row["flow"]] = bytes.fromhex(row["staple"])
    for flow, found in flows.items():
        yield found + ([part(STAPLE, staples[flow])] if staples[flow] else [])


def exchanges():
    with open(TLCP, encoding="ascii") as f:
        arrays = {name: bytes(int(b, 16) for b in re.findall("0x([0-9a-f]{2})", text))
                  for name, text in re.findall(r"(\w+)\[\d+\] = \{(.*?)\};", f.read(), re.S)}
    for name, body in arrays.items():
        if name.startswith("exchange_"):
            yield "tlcp-" + name, [2027, part(CERTIFICATE, arrays["tlcp_sign"]),
                                   part(CERTIFICATE, arrays["tlcp_enc"]), part(EXCHANGE, body)]


def timestamps():
    """Two of version 1 and one of another (RFC 6962 3.2), each with its length before it."""
    each = [bytes([version]) + bytes([log]) * 32 + bytes(8) + bytes(2) + bytes([4, 3, 0, 3, 1, 2, 3])
            for version, log in ((0, 0xa0), (0, 0xa1), (1, 0xa2))]
    text = b"".join(len(one).to_bytes(2, "big") + one for one in each)
    return part(TIMESTAMPS, len(text).to_bytes(2, "big") + text)


def main():
    invcap, out, samples = sys.argv[1], sys.argv[2], sys.argv[3:]
    os.makedirs(out, exist_ok=True)
    found = [*exchanges(), ("timestamps", [1970, timestamps()])]
    with tempfile.TemporaryDirectory() as folder:
        for sample in samples:
            stem = os.path.splitext(os.path.basename(sample).removesuffix(".gz"))[0]
            found += [(f"{stem}-{i}", parts) for i, parts in enumerate(chains(invcap, sample, folder))]
    seen = set()
    for name, (year, *parts) in found:
        body = bytes([(year - 1970) << 1 & 0xFE | 1]) + b"".join(parts)
        if body in seen:
            continue
        seen.add(body)
        with open(os.path.join(out, name), "wb") as file:
            file.write(body)


main()
