#!/usr/bin/env python3
"""Plants secrets in captures and looks for them in everything that the program writes.

usage: secrets.py INVCAP
Each secret is a word that occurs nowhere else. They stand in headers, URLs, bodies (plain, chunked, split
over segments), cookies, a path, HTTP/2 header fields (plain and Huffman-coded), a late joined connection.
Searched: the database's bytes, every report format and language, tables, extract's pcapng, standard error.
What has to be found instead: that they were exposed.
"""
import base64
import json
import os
import sqlite3
import struct
import subprocess
import sys
import tempfile

JWT_HEADER = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=").decode()
JWT_CLAIMS = base64.urlsafe_b64encode(json.dumps({"iss": "issuer.example", "iat": 1700000000, "exp": 1700003600,
                                                  "sub": "planted-subject"}).encode()).rstrip(b"=").decode()
SECRETS = {
    "basic": "cGxhbnRlZHVzZXI6cGxhbnRlZHBhc3MxMQ==",  # planteduser:plantedpass11
    "bearer": "PLANTEDbearerTokenAbCdEf22",
    "jwt": f"{JWT_HEADER}.{JWT_CLAIMS}.PLANTEDsignature33xyz",
    "url": "PLANTEDurlToken4444444444",
    "userinfo": "planteduser5:plantedpass55",
    "form": "plantedFormPassword66",
    "json": "PLANTEDjsonAccess7777777",
    "chunked": "PLANTEDchunkedToken888888",
    "cookie": f"{JWT_HEADER}.{JWT_CLAIMS}.PLANTEDcookiesignature99",
    "apikey": "PLANTEDapikey1010101010",
    "session": "PLANTEDsessionid1111111111",
    "path": "PLANTEDpathSegmentTokenAbCd12121212",
    "h2": "PLANTEDh2bearer1313131313",
    "h2url": "PLANTEDh2urlToken1414141414",
    "late": "PLANTEDlateToken1515151515",
    "gap": "PLANTEDafterGap1616161616",
}
PARTS = [w for s in SECRETS.values() for w in (s, *s.split("."), *s.split(":")) if len(w) > 8 and w not in
         (JWT_HEADER, JWT_CLAIMS)] + ["planteduser:plantedpass11", "plantedpass11", "planted-subject"]


class Capture:
    def __init__(self, path):
        self.out = open(path, "wb")
        self.out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, 1))
        self.now = 1700010000.0

    def segment(self, talk, side, flags, data=b""):
        ports = (talk["port"], 8080) if side == 0 else (8080, talk["port"])
        ips = (b"\x0a\x01\x01\x05", b"\x0a\x02\x02\x06")
        source, target = (ips[0], ips[1]) if side == 0 else (ips[1], ips[0])
        tcp = struct.pack("!HHIIBBHHH", *ports, talk["seq"][side], talk["seq"][1 - side], 5 << 4, flags, 64000, 0, 0)
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40 + len(data), 1, 0x4000, 64, 6, 0, source, target)
        frame = b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x08\0" + ip + tcp + data
        self.now += 0.002
        self.out.write(struct.pack("<IIII", int(self.now), int(self.now % 1 * 1e6), len(frame), len(frame)) + frame)
        talk["seq"][side] += len(data) + (1 if flags & 3 else 0)

    def say(self, talk, side, data, cut=0):
        data = data.encode() if isinstance(data, str) else data
        size = cut or 1400
        for at in range(0, len(data), size):
            self.segment(talk, side, 0x18, data[at:at + size])

    def begin(self, port, syn=True):
        talk = {"port": port, "seq": [1000, 5000]}
        if syn:
            self.segment(talk, 0, 2)
            self.segment(talk, 1, 0x12)
            self.segment(talk, 0, 0x10)
        return talk

    def end(self, talk):
        self.segment(talk, 0, 0x11)
        self.segment(talk, 1, 0x11)
        self.segment(talk, 0, 0x10)


def literal(name, value):
    """A field without Huffman, never indexed (RFC 7541 6.2.3)."""
    return bytes([0x10, len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def frame(kind, flags, stream, payload):
    return struct.pack("!I", len(payload))[1:] + bytes([kind, flags]) + struct.pack("!I", stream) + payload


OK = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}'


def answer(body):
    return OK.format(len(body), body)


def plant(path, cut):
    s = SECRETS
    c = Capture(path)
    talk = c.begin(40001)
    body = f"user=a&password={s['form']}&x=1"
    token = '{"code":0,"access_token":"%s","n":1}' % s["json"]
    for request, reply in (
            (f"GET /a HTTP/1.1\r\nHost: h\r\nAuthorization: Basic {s['basic']}\r\n\r\n", answer("{}")),
            (f"GET /a HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {s['bearer']}\r\n\r\n", answer("{}")),
            (f"GET /jwt HTTP/1.1\r\nHost: h\r\nauthorization: bearer {s['jwt']}\r\n\r\n",
             "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"),
            (f"GET /a?access_token={s['url']}&b=1 HTTP/1.1\r\nHost: h\r\n\r\n", answer("{}")),
            (f"GET http://{s['userinfo']}@h/b HTTP/1.1\r\nHost: {s['userinfo']}@h\r\n\r\n", answer("{}")),
            (f"GET /x/{s['path']}/y;jsessionid={s['session']} HTTP/1.1\r\nHost: h\r\n"
             f"Cookie: sid={s['session']}; t={s['cookie']}\r\nX-Api-Key: {s['apikey']}\r\n\r\n",
             f"HTTP/1.1 200 OK\r\nSet-Cookie: sid={s['session']}\r\nContent-Length: 0\r\n\r\n"),
            (f"POST /login HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\n"
             f"Content-Length: {len(body)}\r\n\r\n{body}", answer(token)),
            ("GET /c HTTP/1.1\r\nHost: h\r\n\r\n",
             "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
             + "".join(f"{len(p):x}\r\n{p}\r\n" for p in ('{"refresh_to', f'ken":"{s["chunked"][:9]}', s["chunked"][9:],
                                                          '"}')) + "0\r\n\r\n")):
        c.say(talk, 0, request, cut)
        c.say(talk, 1, reply, cut)
    c.end(talk)
    talk = c.begin(40002)
    block = b"\x83\x86" + literal(":path", f"/p?token={s['h2url']}") + literal(":authority", "h") + \
        literal("authorization", f"Bearer {s['h2']}")
    c.say(talk, 0, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") + frame(1, 5, 1, block), cut)
    c.say(talk, 1, frame(4, 0, 0, b"") + frame(1, 5, 1, b"\x88"), cut)
    c.end(talk)
    talk = c.begin(40003, syn=False)
    c.say(talk, 0, f"GET /late HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {s['late']}\r\n\r\n", 0)
    c.say(talk, 1, answer("{}"), cut)
    talk["seq"][0] += 300
    c.say(talk, 0, f"GET /gap?token={s['gap']} HTTP/1.1\r\nHost: h\r\n\r\n", 0)
    c.say(talk, 1, answer("{}"), cut)
    c.end(talk)
    c.out.close()


def run(*words):
    done = subprocess.run(words, capture_output=True, stdin=subprocess.DEVNULL)
    return done.stdout + b"\n" + done.stderr


def look(place, data, problems):
    for part in PARTS:
        if part.encode() in data:
            problems.append(f"{place} holds {part}")


def check(invcap, folder, cut):
    problems = []
    capture, db = os.path.join(folder, f"p{cut}.pcap"), os.path.join(folder, f"p{cut}.db")
    plant(capture, cut)
    look("read", run(invcap, "read", "--db", db, capture), problems)
    outputs = [(f, lang) for f in ("text", "json", "csv", "md") for lang in ("en", "zh")]
    for form, lang in outputs:
        said = run(invcap, "report", "--format", form, "--lang", lang, db)
        look(f"report {form} {lang}", said, problems)
        if form in ("json", "csv") and b"sec-token-exposed" not in said:
            problems.append(f"report {form} {lang} does not tell of the token: {said[:200]}")
    for table in ("findings", "flows"):
        look(table, run(invcap, table, "--json", db), problems)
    look("sql", run(invcap, "sql", db, "select * from http_transactions, secrets"), problems)
    look("a mistaken name", run(invcap, "read", "--db", db + "x", capture + "-none"), problems)
    for flow in ("1", "2", "3"):
        evidence = os.path.join(folder, f"p{cut}.{flow}.pcapng")
        said = run(invcap, "extract", "--db", db, "--flow", flow, "-w", evidence)
        look("extract", said, problems)
        if os.path.exists(evidence):
            with open(evidence, "rb") as f:
                look("extract's pcapng", f.read(), problems)
        else:
            problems.append("extract wrote nothing: " + said.decode()[:300])
    raw = os.path.join(folder, f"p{cut}.raw.pcapng")
    run(invcap, "extract", "--raw", "--db", db, "--flow", "1", "-w", raw)
    with open(raw, "rb") as f: # what is looked for can be found
        if cut == 0 and SECRETS["bearer"].encode() not in f.read():
            problems.append("the planted token is not where it was planted")
    with open(db, "rb") as f:
        look("the database", f.read(), problems)
    base = sqlite3.connect(db)
    kinds = {tuple(r) for r in base.execute("select kind, place from secrets")}
    wanted = {("basic", "header"), ("bearer", "header"), ("jwt", "header"), ("token", "url"), ("userinfo", "url"),
              ("password", "body"), ("token", "body"), ("jwt", "cookie"), ("api-key", "header")}
    if not wanted <= kinds:
        problems.append(f"cut {cut}: not recognised: {sorted(wanted - kinds)}")
    jwt = base.execute("select algorithm, issuer, expires_ns, length(hash) from secrets where kind = 'jwt'").fetchone()
    if jwt != ("HS256", "issuer.example", 1700003600 * 10**9, 16):
        problems.append(f"cut {cut}: the JWT's facts are {jwt}")
    codes = {r[0] for r in base.execute("select code from findings")}
    for code in ("sec-token-exposed", "sec-credentials-exposed", "auth-token-expired"):
        if code not in codes:
            problems.append(f"cut {cut}: {code} is missing")
    total = base.execute("select count(*), sum(length) from secrets").fetchone()
    base.close()
    return problems, total


def main():
    problems, totals = [], set()
    with tempfile.TemporaryDirectory() as folder:
        for cut in (0, 7, 1):
            found, total = check(sys.argv[1], folder, cut)
            problems += found
            totals.add(total)
    if len(totals) != 1:
        problems.append(f"segmentation changes what is found: {totals}")
    print("\n".join(sorted(set(problems))) or f"nothing leaked; {totals}")
    return 1 if problems else 0


sys.exit(main())
