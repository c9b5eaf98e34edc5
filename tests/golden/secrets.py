#!/usr/bin/env python3
"""Plants secrets in captures and looks for them in everything that the program writes.

usage: secrets.py INVCAP
Each secret is a word that occurs nowhere else. They stand in headers, URLs, bodies (plain, chunked, split
over segments), cookies, a path, HTTP/2 header fields, behind CONNECT and in WebSocket frames, in a late joined
connection, behind a cut head, in TLS sessions that a key log opens; in FTP, SSH, MySQL, PostgreSQL, Redis, AMQP, SMTP, POP3 and IMAP, in passwords,
statements, keys, names of files and error texts.
Searched, as they are and in base64 and hex: the database's bytes, every report format and language, every table
in every form, explanations and tickets of every finding, extract's pcapng, standard error, names of files.
What has to be found instead: that they were exposed.
"""
import base64
import json
import os
import sqlite3
import ssl
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, HERE)
from secrets_dialogues import WORDS, b64, dialogues  # noqa: E402

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
    "cut": "PLANTEDcutHead1717171717",
    "tunnel": "PLANTEDtunnelToken1818181818",
    "socket": "PLANTEDwebSocketText1919191919",
    "metadata": "PLANTEDgrpcMetadata2020202020",
    "inside13": "PLANTEDinsideTls13Token2121",
    "inside12": "PLANTEDinsideTls12Token2222",
}
PARTS = [w for s in SECRETS.values() for w in (s, *s.split("."), *s.split(":")) if len(w) > 8 and w not in
         (JWT_HEADER, JWT_CLAIMS)] + ["planteduser:plantedpass11", "plantedpass11", "planted-subject", *WORDS.values()]


def forms(part):
    """A word as it is, in hex, and in base64 at each of the three places it may begin at."""
    raw = part.encode()
    yield raw
    yield raw.hex().encode()
    for pad in range(3):
        yield base64.b64encode(b"x" * pad + raw)[4 if pad else 0:-4]


SOUGHT = [(part, form) for part in PARTS for form in forms(part)]


class Capture:
    def __init__(self, path):
        self.out = open(path, "wb")
        self.out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, 1))
        self.now = 1700010000.0

    def segment(self, talk, side, flags, data=b""):
        ports = (talk["port"], talk["server"]) if side == 0 else (talk["server"], talk["port"])
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

    def begin(self, port, syn=True, server=8080):
        talk = {"port": port, "server": server, "seq": [1000, 5000]}
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
    c.say(talk, 0, f"GET /cut?key={s['cut']} HTTP/1.1\r\nHost: h\r\nX-Api-Key: {s['cut']}\r\nCook", 0)
    talk["seq"][0] += 300
    c.say(talk, 1, answer("{}"), cut)
    c.end(talk)
    plant_inside(c, s, cut)
    for number, (name, version) in enumerate((("inside13", ssl.TLSVersion.TLSv1_3), ("inside12", ssl.TLSVersion.TLSv1_2))):
        plant_encrypted(c.begin(40007 + number, server=8443), c, s[name], version, path + ".keys")
    for number, (port, turns) in enumerate(dialogues()):
        talk = c.begin(41000 + number, server=port)
        for side, said in turns:
            c.say(talk, side, said, cut)
        c.end(talk)
    c.out.close()


def plant_encrypted(talk, c, secret, version, keylog):
    """A request and its answer in TLS; the client's secrets are added to keylog."""
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server.load_cert_chain(os.path.join(HERE, "keys", "planted.pem"))
    client.check_hostname, client.verify_mode, client.keylog_filename = False, ssl.CERT_NONE, keylog
    client.minimum_version = client.maximum_version = version
    heard, said = [ssl.MemoryBIO(), ssl.MemoryBIO()], [ssl.MemoryBIO(), ssl.MemoryBIO()]
    ends = [client.wrap_bio(heard[0], said[0], server_hostname="h"), server.wrap_bio(heard[1], said[1], server_side=True)]

    def move(step, side):
        try:
            step()
        except ssl.SSLWantReadError:
            pass
        sent = said[side].read()
        if sent:
            c.say(talk, side, sent)
            heard[1 - side].write(sent)

    for _ in range(3):
        for side in (0, 1):
            move(ends[side].do_handshake, side)
    request = f"GET /inside?token={secret} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {secret}\r\n\r\n"
    move(lambda: ends[0].write(request.encode()), 0)
    move(lambda: ends[1].read(), 1)
    move(lambda: ends[1].write(answer('{"access_token":"%s"}' % secret).encode()), 1)
    c.end(talk)


def plant_inside(c, s, cut):
    """What HTTP leads to: a tunnel, WebSocket frames, a gRPC call."""
    talk = c.begin(40004)
    c.say(talk, 0, f"CONNECT in:80 HTTP/1.1\r\nHost: in:80\r\nProxy-Authorization: Basic {b64(s['tunnel'] + ':x')}\r\n\r\n", cut)
    c.say(talk, 1, "HTTP/1.1 200 Connection established\r\n\r\n", cut)
    c.say(talk, 0, f"GET /t HTTP/1.1\r\nHost: in\r\nAuthorization: Bearer {s['tunnel']}\r\n\r\n", cut)
    c.say(talk, 1, answer("{}"), cut)
    c.end(talk)
    talk = c.begin(40005)
    c.say(talk, 0, "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", cut)
    c.say(talk, 1, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n" +
          bytes([0x81, len(s["socket"])]) + s["socket"].encode(), cut)
    c.end(talk)
    talk = c.begin(40006)
    block = b"\x83\x86" + literal(":path", f"/a.B/{s['metadata']}") + literal(":authority", "h") + \
        literal("content-type", "application/grpc") + literal("x-auth-token", s["metadata"])
    c.say(talk, 0, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") + frame(1, 5, 1, block), cut)
    c.say(talk, 1, frame(4, 0, 0, b"") + frame(1, 5, 1, b"\x88" + literal("grpc-status", "16") +
                                               literal("grpc-message", s["metadata"])), cut)
    c.end(talk)


TABLES = ("findings", "flows", "tls", "certs", "http", "dns", "paths", "incidents", "captures")


def run(*words):
    done = subprocess.run(words, capture_output=True, stdin=subprocess.DEVNULL)
    return done.stdout + b"\n" + done.stderr


def look(place, data, problems):
    for part, form in SOUGHT:
        if form in data:
            problems.append(f"{place} holds {part}" + ("" if form == part.encode() else f" as {form.decode()}"))


def check(invcap, folder, cut):
    problems = []
    capture, db = os.path.join(folder, f"p{cut}.pcap"), os.path.join(folder, f"p{cut}.db")
    plant(capture, cut)
    look("read", run(invcap, "read", "--db", db, "--keylog", capture + ".keys", capture), problems)
    outputs = [(f, lang) for f in ("text", "json", "csv", "md") for lang in ("en", "zh")]
    for form, lang in outputs:
        said = run(invcap, "report", "--format", form, "--lang", lang, db)
        look(f"report {form} {lang}", said, problems)
        if form in ("json", "csv") and b"sec-token-exposed" not in said:
            problems.append(f"report {form} {lang} does not tell of the token: {said[:200]}")
    for table in TABLES if cut == 0 else ():
        for form in ((), ("--json",), ("--csv",)):
            look(f"{table} {form}", run(invcap, table, *form, db), problems)
    names = sqlite3.connect(db)
    tables = [r[0] for r in names.execute("select name from sqlite_schema where type in ('table', 'view')")]
    found = [str(r[0]) for r in names.execute("select id from findings")]
    flows = [str(r[0]) for r in names.execute("select id from flows")]
    names.close()
    for table in tables:
        look(f"sql {table}", run(invcap, "sql", db, f"select * from {table}"), problems)
    for finding in found if cut == 0 else ():
        for words in ((), ("--ticket",), ("--json", "--text", "en"), ("--lang", "zh")):
            look(f"explain {words}", run(invcap, "explain", "--db", db, "--finding", finding, *words), problems)
    look("judge", run(invcap, "judge", db), problems)
    look("a mistaken name", run(invcap, "read", "--db", db + "x", capture + "-none"), problems)
    for flow in flows:
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
    look("a name of a file", "\n".join(os.listdir(folder)).encode(), problems)
    base = sqlite3.connect(db)
    inside = base.execute("select count(*) from http_transactions where path = '/inside' and status = 200").fetchone()[0]
    if inside != 2:
        problems.append(f"cut {cut}: of two encrypted requests {inside} were read")
    kinds = {tuple(r) for r in base.execute("select kind, place from secrets")}
    wanted = {("basic", "header"), ("bearer", "header"), ("jwt", "header"), ("token", "url"), ("userinfo", "url"),
              ("password", "body"), ("token", "body"), ("jwt", "cookie"), ("api-key", "header")}
    if not wanted <= kinds:
        problems.append(f"cut {cut}: not recognised: {sorted(wanted - kinds)}")
    jwt = base.execute("select algorithm, issuer, expires_ns, length(hash) from secrets where kind = 'jwt'").fetchone()
    if jwt != ("HS256", "issuer.example", 1700003600 * 10**9, 16):
        problems.append(f"cut {cut}: the JWT's facts are {jwt}")
    codes = {r[0] for r in base.execute("select code from findings")}
    words = {r[0] for r in base.execute("select distinct protocol from app_commands")}
    if not {"ftp", "mysql", "postgresql", "redis", "amqp"} <= words:
        problems.append(f"cut {cut}: of the dialogues only {sorted(words)} were read")
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
