#!/usr/bin/env python3
"""usage: keys.py INVCAP: captures of the lab with their key logs.

What is read with keys equals what tshark reads with them; the same from decryption secrets inside a pcapng file, from
segments cut into single bytes, and from `judge`. Wrong keys read nothing and change nothing. No secret is in anything
that is written: database, reports of every form and language, tables, extracted packets, standard error.
"""
import os
import sqlite3
import struct
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import mutate  # noqa: E402

# (request frame, response frame, version, path, status) by tshark -o tls.keylog_file:...
HTTP = {
    "keys-http": [(11, 15, "1.1", "/api/v1/first", 200), (17, 18, "1.1", "/busy", 503),
                  (32, 36, "2", "/api/v1/second", 200), (39, 41, "2", "/busy", 503),
                  (54, 55, "1.1", "/api/v1/third", 200), (56, 57, "1.1", "/api/v1/fourth", 200),
                  (74, 77, "2", "/api/v1/fifth", 200), (92, 93, "1.1", "/api/v1/sixth", 200)],
    "keys-refused": None,
    "keys-packed": None,
}
ALERTS = {"keys-http": [None] * 5, "keys-refused": [None, None, 45, 45, 45], "keys-packed": [None] * 4}
# By session; the last packed message of keys-packed announces another length than it has.
CERTIFICATES = {"keys-http": [2] * 5, "keys-refused": [2] * 5, "keys-packed": [2, 2, 2, 0]}
PACKED = {"keys-http": [None] * 5, "keys-refused": [None] * 5, "keys-packed": ["zlib", "brotli", "zstd", "zlib"]}
CODES = {"keys-packed": {"http-hsts-missing"},
         "keys-http": {"http-server-error", "http-hsts-missing"},
         "keys-refused": {"cert-expired", "tls-certificate-refused", "http-hsts-missing"}}
JUDGED = ["SELECT * FROM findings ORDER BY id", "SELECT * FROM finding_values ORDER BY finding_id, name",
          "SELECT id, outcome, verdict, stage FROM flows ORDER BY id"]
wrong = []


def check(is_true, what):
    if not is_true:
        wrong.append(what)


def run(binary, *words):
    done = subprocess.run([binary, *words], capture_output=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


class Read:
    """One `read` into a database of its own."""

    def __init__(self, binary, folder, capture, *words):
        self.path = os.path.join(folder, "keys.db")
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.status, self.printed = run(binary, "read", "--db", self.path, *words, capture)
        check(self.status == 0, f"{capture} {words}: exit status {self.status}: {self.printed[-300:]!r}")

    def rows(self, sql):
        db = sqlite3.connect(self.path)
        try:
            return db.execute(sql).fetchall()
        finally:
            db.close()

    def facts(self, frames=True):
        http = self.rows("SELECT request_frame, response_frame, version, path, status FROM http_transactions "
                         "ORDER BY flow_id, number")
        tls = self.rows("SELECT decryption, alert, alert_inferred, certificate_count, alpn, history, established, "
                        "compression "
                        "FROM tls_sessions ORDER BY flow_id")
        codes = {r[0] for r in self.rows("SELECT code FROM findings WHERE state != 'withdrawn'")}
        return [r if frames else r[2:] for r in http], tls, codes


def check_read(name, read, how, frames=True):
    http, tls, codes = read.facts(frames)
    expected = HTTP[name]
    if expected is not None:
        check(http == [r if frames else r[2:] for r in expected], f"{name} {how}: HTTP {http}")
    check([r[1] for r in tls] == ALERTS[name], f"{name} {how}: alerts {tls}")
    check(all(r[0] == "whole" and r[2] == 0 for r in tls), f"{name} {how}: sessions {tls}")
    check([r[3] for r in tls] == CERTIFICATES[name], f"{name} {how}: certificates {tls}")
    check([r[7] for r in tls] == PACKED[name], f"{name} {how}: packed {tls}")
    check(codes == CODES[name], f"{name} {how}: findings {codes}")


def with_secrets(capture, keylog, target):
    """The capture as pcapng, with its key log in a decryption secrets block ahead of the packets."""
    def block(kind, body):
        body += b"\0" * (-len(body) % 4)
        size = struct.pack("<I", len(body) + 12)
        return struct.pack("<I", kind) + size + body + size
    data = open(capture, "rb").read()
    text = open(keylog, "rb").read()
    check(data[:4] == b"\xd4\xc3\xb2\xa1", f"{capture} is another kind of pcap")
    out = block(0x0a0d0d0a, struct.pack("<IHHq", 0x1a2b3c4d, 1, 0, -1)) + block(1, struct.pack("<HHI", 1, 0, 262144))
    out += block(10, struct.pack("<II", 0x544c534b, len(text)) + text)
    at = 24
    while at < len(data):
        seconds, micros, caplen, size = struct.unpack_from("<IIII", data, at)
        stamp = seconds * 1000000 + micros
        out += block(6, struct.pack("<IIIII", 0, stamp >> 32, stamp & 0xffffffff, caplen, size)
                     + data[at + 16:at + 16 + caplen])
        at += 16 + caplen
    open(target, "wb").write(out)


def secrets_of(keylog):
    words = [line.split() for line in open(keylog) if not line.startswith("#") and line.strip()]
    return [w[2] for w in words]


def check_silence(binary, folder, name, capture, keylog, read, words):
    """Everything that is written, against every secret: as bytes, and in hex."""
    written = {"read": read.printed, "database": open(read.path, "rb").read()}
    for lang in ("en", "zh"):
        for form in ("text", "json", "md", "csv"):
            written[f"report {form} {lang}"] = run(binary, "report", "--db", read.path, "--format", form, "--lang",
                                                   lang)[1]
        written[f"read {lang}"] = run(binary, "read", "--db", ":memory:", "--lang", lang, *words, capture)[1]
    written["read json"] = run(binary, "read", "--db", ":memory:", "--json", *words, capture)[1]
    written["tls"] = run(binary, "tls", "--db", read.path)[1]
    packets = os.path.join(folder, "out.pcapng")
    for more in ([], ["--raw"]):
        status, said = run(binary, "extract", "--flow", "1", "--db", read.path, "-w", packets, *more)
        check(status == 0, f"{name}: extract: {said!r}")
        written[f"extract {more}"] = said + open(packets, "rb").read()
        os.unlink(packets)
    check(len(written["database"]) > 10000 and len(written["extract []"]) > 1000, f"{name}: nothing was written")
    for secret in secrets_of(keylog):
        forms = (bytes.fromhex(secret), secret.lower().encode(), secret.upper().encode())
        for where, content in written.items():
            check(not any(f in content for f in forms), f"{name}: a secret stands in {where}")


def check_wrong_keys(binary, folder, name, capture, keylog):
    spoilt = os.path.join(folder, "wrong.keylog")
    with open(spoilt, "w") as out:
        for line in open(keylog):
            words = line.split()
            if len(words) == 3 and not line.startswith("#"):
                words[2] = f"{int(words[2][0], 16) ^ 1:x}" + words[2][1:]
            out.write(" ".join(words) + "\n")
    without, bad = Read(binary, folder, capture).facts(), Read(binary, folder, capture, "--keylog", spoilt)
    http, tls, codes = bad.facts()
    check(http == [] and codes == without[2], f"{name}, wrong keys: {http} {codes}")
    check([r[1:] for r in tls] == [r[1:] for r in without[1]] and {r[0] for r in tls} == {"failed"},
          f"{name}, wrong keys: {tls}")
    check(f"0 of {len(tls)} TLS sessions decrypted".encode() in bad.printed, f"{name}, wrong keys: no count")


def check_sample(binary, folder, name):
    capture, keylog = (os.path.join(HERE, "keys", name + end) for end in (".pcap", ".keylog"))
    words = ("--keylog", keylog)
    read = Read(binary, folder, capture, *words)
    check_read(name, read, "with the key log")
    before = [read.rows(sql) for sql in JUDGED]
    status = run(binary, "judge", read.path)[0]
    check(status == 0 and [read.rows(sql) for sql in JUDGED] == before, f"{name}: judge differs")
    check_silence(binary, folder, name, capture, keylog, read, words)
    inside = os.path.join(folder, name + ".pcapng")
    with_secrets(capture, keylog, inside)
    read = Read(binary, folder, inside)
    check_read(name, read, "with secrets inside")
    check_silence(binary, folder, name, inside, keylog, read, ())
    cut = os.path.join(folder, name + ".cut.pcap")
    mutate.rewrite("cut", capture, cut)
    check_read(name, Read(binary, folder, cut, *words), "in single bytes", frames=False)
    check_wrong_keys(binary, folder, name, capture, keylog)


def main():
    binary = sys.argv[1]
    with tempfile.TemporaryDirectory(prefix="invcap-keys.") as folder:
        for name in HTTP:
            check_sample(binary, folder, name)
        capture = os.path.join(HERE, "keys", "keys-http.pcap")
        status, said = run(binary, "read", "--db", ":memory:", "--keylog", capture, capture)
        check(status == 3 and b"is no key log" in said, f"a capture as key log: {status} {said!r}")
        status, said = run(binary, "read", "--db", ":memory:", "--keylog", os.path.join(folder, "none"), capture)
        check(status == 3, f"a missing key log: {status} {said!r}")
    for line in wrong:
        print(line)
    print(f"{len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
