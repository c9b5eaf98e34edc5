#!/usr/bin/env python3
"""Makes the seeds of fuzz_tls, data_tls.def and data_x509.h: handshakes of OpenSSL with itself (both ends in this
process), which the unit tests read, too (handshakes.h), and certificates made by openssl, as C arrays. What the tests expect of the hellos (JA3, JA3S) is what
tshark prints of the same bytes.

usage: make_tls_data.py   (writes beside itself; needs openssl, tshark)
"""
import os
import ssl
import struct
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
BIG = 1 << 20


def run(*words, stdin=None):
    return subprocess.run(words, check=True, capture_output=True, input=stdin).stdout


class Keys:
    """A small authority, a server and client certificates, all EC to keep the arrays short."""

    def __init__(self, folder):
        self.folder = folder
        self.authority("ca", "/O=invcap test/CN=Test CA")
        self.authority("other", "/O=invcap test/CN=Other CA")
        self.issue("server", "ca", "/CN=einvoice.example.com", "DNS:einvoice.example.com")
        self.issue("client", "ca", "/CN=client", "DNS:client.example.com")
        self.issue("stranger", "other", "/CN=stranger", "DNS:stranger.example.com")

    def path(self, name):
        return os.path.join(self.folder, name)

    def authority(self, name, subject):
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "3650", "-subj", subject, "-keyout", self.path(name + ".key"),
            "-out", self.path(name + ".crt"))

    def issue(self, name, authority, subject, san):
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", subject, "-keyout", self.path(name + ".key"), "-out", self.path("req"))
        with open(self.path("ext"), "w", encoding="ascii") as out:
            out.write("subjectAltName=%s\n" % san)
        run("openssl", "x509", "-req", "-in", self.path("req"), "-CA",
            self.path(authority + ".crt"), "-CAkey", self.path(authority + ".key"),
            "-CAcreateserial", "-days", "3650", "-extfile", self.path("ext"), "-out",
            self.path(name + ".crt"))


def contexts(keys, version, **how):
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(keys.path("server.crt"), keys.path("server.key"))
    server.load_verify_locations(keys.path("ca.crt"))
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(keys.path(how.get("trust", "ca") + ".crt"))
    for context in (server, client):
        context.minimum_version = context.maximum_version = version
    if "server_version" in how:
        server.minimum_version = server.maximum_version = how["server_version"]
    if version == ssl.TLSVersion.TLSv1_2:
        client.set_ciphers(how.get("ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256"))
    if "server_ciphers" in how:
        server.set_ciphers(how["server_ciphers"])
    if "alpn" in how:
        client.set_alpn_protocols(how["alpn"])
        server.set_alpn_protocols(how["alpn"][:1])
    if "curve" in how:
        server.set_ecdh_curve(how["curve"])
    if how.get("ask"):
        server.verify_mode = ssl.CERT_REQUIRED
    if "client" in how:
        client.load_cert_chain(keys.path(how["client"] + ".crt"), keys.path(how["client"] + ".key"))
    return server, client


class End:
    def __init__(self, context, is_server, session=None):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        name = None if is_server else "einvoice.example.com"
        self.tls = context.wrap_bio(self.incoming, self.outgoing, is_server, name, session=session)
        self.done = False
        self.failed = False

    def turn(self):
        if self.done or self.failed:
            return
        try:
            self.tls.do_handshake()
            self.done = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            self.failed = True


def exchange(client, server, chunks):
    """Carries what either end wants to send to the other one."""
    for _ in range(20):
        moved = False
        for name, one, other in (("C", client, server), ("S", server, client)):
            data = one.outgoing.read(BIG)
            if data:
                moved = True
                chunks.append((name, data))
                other.incoming.write(data)
        if not moved:
            return


def talk(server_context, client_context, session=None, request=True, close=True):
    """One connection; returns its chunks and the client's session."""
    client = End(client_context, False, session)
    server = End(server_context, True)
    chunks = []
    for _ in range(12):
        client.turn()
        exchange(client, server, chunks)
        server.turn()
        exchange(client, server, chunks)
        if (client.done or client.failed) and (server.done or server.failed):
            break
    ok = client.done and server.done
    if ok and request:
        client.tls.write(b"GET / HTTP/1.1\r\nHost: einvoice.example.com\r\n\r\n")
        exchange(client, server, chunks)
        server.tls.read(BIG)
        server.tls.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        exchange(client, server, chunks)
        client.tls.read(BIG)
    if ok and close:
        for one in (client, server):
            try:
                one.tls.unwrap()
            except ssl.SSLError:
                pass
            exchange(client, server, chunks)
    return chunks, client.tls.session if ok else None


def cases(keys):
    v12, v13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
    plain = {
        "tls12": (v12, {"alpn": ["h2", "http/1.1"]}),
        "tls12_cbc": (v12, {"ciphers": "ECDHE-ECDSA-AES128-SHA256"}),
        "tls12_unknown_ca": (v12, {"trust": "other"}),
        "tls12_no_cipher": (v12, {"server_ciphers": "ECDHE-ECDSA-AES256-GCM-SHA384"}),
        "tls12_old_server": (v13, {"server_version": v12}),
        "tls12_client_certificate": (v12, {"ask": True, "client": "client"}),
        "tls12_client_certificate_missing": (v12, {"ask": True}),
        "tls13": (v13, {"alpn": ["h2", "http/1.1"]}),
        "tls13_retry": (v13, {"curve": "secp384r1"}),
        "tls13_unknown_ca": (v13, {"trust": "other"}),
        "tls13_client_certificate": (v13, {"ask": True, "client": "client"}),
        "tls13_client_certificate_missing": (v13, {"ask": True}),
        "tls13_client_certificate_refused": (v13, {"ask": True, "client": "stranger"}),
    }
    out = {}
    for name, (version, how) in plain.items():
        server, client = contexts(keys, version, **how)
        out[name] = talk(server, client)[0]
    for name, version in (("tls12_resumed", v12), ("tls13_resumed", v13)):
        server, client = contexts(keys, version)
        session = talk(server, client)[1]
        out[name] = talk(server, client, session)[0]
    out["tlcp"] = tlcp(keys)
    return out


# ---- TLCP (GB/T 38636): no library of the system speaks it, so the messages are put together here ----

def vector(size, data):
    return len(data).to_bytes(size, "big") + data


def message(kind, body):
    return bytes([kind]) + vector(3, body)


def record(kind, body):
    return bytes([kind, 1, 1]) + vector(2, body)


def sm2_certificate(keys, name, usage):
    run("openssl", "genpkey", "-algorithm", "SM2", "-out", keys.path(name + ".key"))
    run("openssl", "req", "-new", "-key", keys.path(name + ".key"), "-subj",
        "/C=CN/O=invcap test/CN=einvoice.example.cn", "-out", keys.path("req"), "-sm3", "-sigopt",
        "distid:1234567812345678")
    with open(keys.path("ext"), "w", encoding="ascii") as out:
        out.write("keyUsage=critical,%s\nsubjectAltName=DNS:einvoice.example.cn\n" % usage)
    run("openssl", "x509", "-req", "-in", keys.path("req"), "-CA", keys.path("gmca.crt"), "-CAkey",
        keys.path("gmca.key"), "-CAcreateserial", "-days", "3650", "-sm3", "-vfyopt",
        "distid:1234567812345678", "-sigopt", "distid:1234567812345678", "-extfile",
        keys.path("ext"), "-out", keys.path(name + ".crt"))
    return run("openssl", "x509", "-in", keys.path(name + ".crt"), "-outform", "DER")


def tlcp(keys):
    run("openssl", "genpkey", "-algorithm", "SM2", "-out", keys.path("gmca.key"))
    run("openssl", "req", "-x509", "-key", keys.path("gmca.key"), "-days", "3650", "-sm3",
        "-sigopt", "distid:1234567812345678", "-subj", "/C=CN/O=invcap test/CN=GM CA", "-out",
        keys.path("gmca.crt"))
    sign = sm2_certificate(keys, "sign", "digitalSignature")
    encrypt = sm2_certificate(keys, "encrypt", "keyEncipherment,dataEncipherment")
    suites = struct.pack(">4H", 0xE053, 0xE013, 0xE051, 0xE011)
    random = bytes(range(32))
    hello = message(1, b"\x01\x01" + random + vector(1, b"") + vector(2, suites) + b"\x01\x00")
    server_hello = message(2, b"\x01\x01" + random[::-1] + vector(1, bytes(32)) + b"\xe0\x13\x00")
    certificate = message(11, vector(3, vector(3, sign) + vector(3, encrypt)))
    key_exchange = message(12, vector(2, b"\x30\x44" + bytes(68)))
    client_key = message(16, vector(2, b"\x30\x81\x9a" + bytes(154)))
    noise = bytes((7 * i + 3) % 256 for i in range(96))
    return [("C", record(22, hello)),
            ("S", record(22, server_hello + certificate) + record(22, key_exchange + message(14, b""))),
            ("C", record(22, client_key) + record(20, b"\x01") + record(22, noise[:80])),
            ("S", record(20, b"\x01") + record(22, noise[:80])),
            ("C", record(23, noise)), ("S", record(23, noise)),
            # an encrypted alert whose first byte looks like a fatal one
            ("C", record(21, b"\x02" + noise[:63])), ("S", record(21, b"\x02" + noise[:63]))]


# ---- tshark's word ------------------------------------------------------------------------------------

def write_pcap(path, chunks):
    sequence = {"C": 1, "S": 1}
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 101))
        for i, (name, data) in enumerate(chunks):
            for start in range(0, len(data), 16000):
                part = data[start:start + 16000]
                ends = (40000, 443) if name == "C" else (443, 40000)
                other = "S" if name == "C" else "C"
                tcp = struct.pack(">HHIIBBHHH", *ends, sequence[name], sequence[other], 0x50, 0x18,
                                  65535, 0, 0) + part
                sequence[name] += len(part)
                address = b"\x0a\0\0\1\x0a\0\0\2" if name == "C" else b"\x0a\0\0\2\x0a\0\0\1"
                ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0) + address
                out.write(struct.pack("<IIII", i, 0, len(ip + tcp), len(ip + tcp)) + ip + tcp)


def tshark(keys, chunks):
    path = keys.path("one.pcap")
    write_pcap(path, chunks)
    fields = {}
    for field in ("tls.handshake.ja3", "tls.handshake.ja3s"):
        text = run("tshark", "-n", "-r", path, "-o", "tcp.reassemble_out_of_order:TRUE", "-T",
                   "fields", "-e", field).decode()
        words = [word for word in text.replace(",", "\n").split("\n") if word]
        # the first ClientHello, the last ServerHello
        fields[field] = words[0 if field.endswith("ja3") else -1] if words else ""
    return fields["tls.handshake.ja3"], fields["tls.handshake.ja3s"]


# ---- certificates --------------------------------------------------------------------------------------

def certificates(keys):
    """Name -> DER. Dates through openssl ca, because x509 of OpenSSL 3.0 knows only -days."""
    out = {}
    san = "subjectAltName=DNS:a.example.com,DNS:*.b.example.com,IP:192.0.2.7,IP:2001:db8::7," \
          "email:x@example.com,URI:https://example.com/,otherName:1.2.3.4;UTF8:none"
    kinds = {
        "rsa": ["-newkey", "rsa:2048", "-sha256"],
        "rsa_weak": ["-newkey", "rsa:1024", "-sha1"],
        "ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-sha384"],
        "ed25519": ["-newkey", "ed25519"],
        "sm2": ["-key", keys.path("sm2.key"), "-sm3", "-sigopt", "distid:1234567812345678"],
    }
    extra = {
        "rsa": ["-addext", san, "-addext", "keyUsage=digitalSignature,keyEncipherment", "-addext",
                "basicConstraints=critical,CA:FALSE"],
        "ec": ["-addext", "keyUsage=critical,keyCertSign,cRLSign"],
        "rsa_weak": ["-set_serial", "0x00ABCDEF"],
    }
    run("openssl", "genpkey", "-algorithm", "SM2", "-out", keys.path("sm2.key"))
    for name, words in kinds.items():
        # the subject holds a comma and a character that is not ASCII
        out[name] = run("openssl", "req", "-x509", *words, "-nodes", "-days", "365", "-utf8",
                        "-subj", "/C=CN/O=发票, Ltd/CN=%s.example.com" % name, "-keyout",
                        keys.path("k"), "-outform", "DER", *extra.get(name, []))
    run("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=old.example.com", "-keyout",
        keys.path("old.key"), "-out", keys.path("req"))
    with open(keys.path("ca.cnf"), "w", encoding="ascii") as conf:
        conf.write("[ca]\ndefault_ca=d\n[d]\ndatabase=%s\nserial=%s\nnew_certs_dir=%s\n"
                   "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n"
                   % (keys.path("index"), keys.path("serial"), keys.folder))
    open(keys.path("index"), "w", encoding="ascii").close()
    with open(keys.path("serial"), "w", encoding="ascii") as serial:
        serial.write("1000\n")
    run("openssl", "ca", "-batch", "-config", keys.path("ca.cnf"), "-cert", keys.path("ca.crt"),
        "-keyfile", keys.path("ca.key"), "-in", keys.path("req"), "-out", keys.path("old.crt"),
        "-startdate", "20190102030405Z", "-enddate", "20200102030405Z", "-notext")
    out["expired"] = run("openssl", "x509", "-in", keys.path("old.crt"), "-outform", "DER")
    return out


def facts(keys, der):
    """What openssl says: serial, dates, fingerprint and pin."""
    def ask(*words):
        return run("openssl", "x509", "-inform", "DER", "-noout", *words, stdin=der).decode()

    pin = run("openssl", "pkey", "-pubin", "-outform", "DER",
              stdin=ask("-pubkey").encode())
    digest = run("openssl", "dgst", "-sha256", "-r", stdin=pin).decode().split()[0]
    values = [ask("-serial").strip().split("=")[1].lower()]
    for option in ("-startdate", "-enddate"):
        date = ask(option).strip().split("=")[1]
        values.append(run("date", "-u", "-d", date, "+%s").decode().strip())
    values.append(ask("-fingerprint", "-sha256").strip().split("=")[1].replace(":", "").lower())
    return values + [digest]


# ---- C ---------------------------------------------------------------------------------------------------

def array(name, data):
    lines = ["static const uint8_t %s[%d] = {" % (name, len(data))]
    for start in range(0, len(data), 20):
        lines.append("    " + " ".join("%d," % byte for byte in data[start:start + 20]))
    return "\n".join(lines + ["};", ""])


def write_seed(name, chunks):
    """The form of fuzz_tls.c: side and length in two bytes, then the bytes."""
    folder = os.path.join(HERE, "..", "fuzz", "corpus", "tls")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as out:
        for side, data in chunks:
            for start in range(0, len(data), 16000):
                part = data[start:start + 16000]
                control = (len(part) >> 8) << 2 | (1 if side == "S" else 0)
                out.write(bytes([control, len(part) & 255]) + part)


def write_handshakes(keys):
    table = []
    for name, chunks in cases(keys).items():
        write_seed(name, chunks)
        ja3, ja3s = ("", "") if name == "tlcp" else tshark(keys, chunks)
        table.append('HANDSHAKE("%s", "%s", "%s")\n' % (name, ja3, ja3s))
    with open(os.path.join(HERE, "data_tls.def"), "w", encoding="utf-8") as out:
        out.write("/* Written by make_tls_data.py: name, JA3 and JA3S by tshark. */\n/* clang-format off */\n")
        out.write("".join(table))


def write_certificates(keys):
    body, table = [], []
    for name, der in certificates(keys).items():
        body.append(array("der_" + name, der))
        serial, start, end, fingerprint, pin = facts(keys, der)
        table.append('    {"%s", der_%s, sizeof der_%s, "%s", %s, %s,\n     "%s",\n     "%s"},'
                     % (name, name, name, serial, start, end, fingerprint, pin))
    with open(os.path.join(HERE, "data_x509.h"), "w", encoding="utf-8") as out:
        out.write("/* Written by make_tls_data.py. */\n/* clang-format off */\n")
        out.write("#ifndef INVCAP_TESTS_DATA_X509_H\n#define INVCAP_TESTS_DATA_X509_H\n\n")
        out.write("#include <stddef.h>\n#include <stdint.h>\n\n")
        out.write("struct der {\n    const char *name;\n    const uint8_t *bytes;\n    size_t len;\n"
                  "    const char *serial; /* this and the rest by openssl */\n"
                  "    int64_t not_before, not_after; /* s */\n"
                  "    const char *sha256, *spki_sha256;\n};\n\n")
        out.write("\n".join(body))
        out.write("\nstatic const struct der ders[] = {\n%s\n};\n\n#endif\n" % "\n".join(table))


def main():
    with tempfile.TemporaryDirectory() as folder:
        keys = Keys(folder)
        write_handshakes(keys)
        write_certificates(keys)


main()
