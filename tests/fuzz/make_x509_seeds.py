#!/usr/bin/env python3
"""Seeds of fuzz_x509: the chains that servers of our own samples showed.

usage: make_x509_seeds.py INVCAP DIR SAMPLE ...
"""
import json
import os
import subprocess
import sys
import tempfile

QUERY = """SELECT t.flow_id AS flow, c.not_before_ns AS since, hex(c.der) AS der
           FROM tls_certificates t JOIN certificates c ON c.id = t.certificate_id
           ORDER BY t.flow_id, t.side, t.position"""


def chains(invcap, sample, folder):
    db = os.path.join(folder, "seeds.db")
    if os.path.exists(db):
        os.unlink(db)
    subprocess.run([invcap, "read", sample, "--db", db, "--quiet"], stdout=subprocess.DEVNULL)
    rows = subprocess.run([invcap, "sql", "--db", db, "--json", QUERY], capture_output=True, text=True)
    flows = {}
    for line in rows.stdout.splitlines():
        row = json.loads(line)
        year = 1970 + row["since"] // 31557600000000000 + 1
        flows.setdefault(row["flow"], [year]).append(bytes.fromhex(row["der"]))
    return flows.values()


def main():
    invcap, out, samples = sys.argv[1], sys.argv[2], sys.argv[3:]
    os.makedirs(out, exist_ok=True)
    seen = set()
    with tempfile.TemporaryDirectory() as folder:
        for sample in samples:
            for year, *ders in chains(invcap, sample, folder):
                body = bytes([(year - 1970) << 1 & 0xFE | 1])
                body += b"".join(len(d).to_bytes(2, "big") + d for d in ders)
                if body in seen:
                    continue
                seen.add(body)
                name = os.path.splitext(os.path.basename(sample))[0]
                with open(os.path.join(out, f"{name}-{len(seen)}"), "wb") as file:
                    file.write(body)


main()
