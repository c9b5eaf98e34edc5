"""A small TLCP 1.1 client and server (GB/T 38636, suites ECC_SM4_CBC_SM3 and ECDHE_SM4_CBC_SM3), since Debian has no
such stack.

Certificates, the server's signature over its encryption certificate and the encrypted pre-master secret are real SM2,
made by the openssl program. What follows ChangeCipherSpec is random bytes of the right length: no key could open it.
"""
import os
import struct
import subprocess
import time

import peers

CCS, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23
VERSION = b"\x01\x01"
ECC_SM4_CBC_SM3, ECDHE_SM4_CBC_SM3 = 0xE013, 0xE011
SM2_ID = "distid:1234567812345678"
CLIENT_HELLO, SERVER_HELLO, CERTIFICATE, SERVER_KEY, HELLO_DONE, CLIENT_KEY = 1, 2, 11, 12, 14, 16
CERTIFICATE_REQUEST, CERTIFICATE_VERIFY, ECDSA_SIGN, CURVE_SM2 = 13, 15, 64, 41
CLOSE_NOTIFY, HANDSHAKE_FAILURE, UNKNOWN_CA = 0, 40, 48
MAC, BLOCK = 32, 16


# --- keys and certificates --------------------------------------------------------------------------
def _openssl(folder, *words, data=None):
    done = subprocess.run(["openssl", *words], cwd=folder, input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {' '.join(words)}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def make_certificates(folder, name):
    """A root, a signature certificate and an encryption certificate, as DER; with their keys beside them."""
    parts = {"gmroot": ("Example GM Root CA", "critical,CA:TRUE", "keyCertSign,cRLSign"),
             "gmsign": (name, "CA:FALSE", "digitalSignature"),
             "gmenc": (name, "CA:FALSE", "keyEncipherment,dataEncipherment,keyAgreement")}
    for part, (cn, basic, usage) in parts.items():
        with open(os.path.join(folder, part + ".ext"), "w") as f:
            f.write(f"basicConstraints={basic}\nkeyUsage=critical,{usage}\nsubjectKeyIdentifier=hash\n"
                    + ("" if part == "gmroot" else f"subjectAltName=DNS:{name}\n"))
        _openssl(folder, "genpkey", "-algorithm", "SM2", "-out", part + ".key")
        _openssl(folder, "req", "-new", "-config", "ca.cnf", "-key", part + ".key", "-sm3", "-sigopt", SM2_ID, "-subj",
                 f"/C=CN/O=Example Tax Service/CN={cn}", "-out", part + ".csr")
        signer = ["-signkey", "gmroot.key"] if part == "gmroot" else \
            ["-CA", "gmroot.crt", "-CAkey", "gmroot.key", "-set_serial", str(4000 + len(part))]
        _openssl(folder, "x509", "-req", "-in", part + ".csr", "-out", part + ".crt", "-days", "400", "-sm3", "-sigopt",
                 SM2_ID, "-vfyopt", SM2_ID, "-extfile", part + ".ext", *signer)
        _openssl(folder, "x509", "-in", part + ".crt", "-outform", "DER", "-out", part + ".der")
    _openssl(folder, "pkey", "-in", "gmenc.key", "-pubout", "-out", "gmenc.pub")


def _sign(folder, data, key="gmsign"):
    path = os.path.join(folder, f"signed.{os.urandom(4).hex()}")
    with open(path, "wb") as f:
        f.write(data)
    signature = _openssl(folder, "pkeyutl", "-sign", "-inkey", key + ".key", "-rawin", "-digest", "sm3", "-in", path,
                         "-pkeyopt", SM2_ID)
    os.unlink(path)
    return signature


# --- records and messages ---------------------------------------------------------------------------
def record(kind, body):
    return bytes([kind]) + VERSION + struct.pack("!H", len(body)) + body


def message(kind, body):
    return bytes([kind]) + struct.pack("!I", len(body))[1:] + body


def sealed(length):
    """What SM4-CBC with an SM3 MAC makes of so many bytes: IV, then data, MAC and padding in whole blocks."""
    return os.urandom(BLOCK + (length + MAC + 1 + BLOCK - 1) // BLOCK * BLOCK)


def hello_random():
    return struct.pack("!I", int(time.time())) + os.urandom(28)


def client_hello(random, suites, name=None):
    body = VERSION + random + b"\0" + struct.pack(f"!H{len(suites)}H", 2 * len(suites), *suites) + b"\x01\0"
    if name:
        host = name.encode()
        entry = struct.pack("!HBH", len(host) + 3, 0, len(host)) + host
        extension = struct.pack("!HH", 0, len(entry)) + entry
        body += struct.pack("!H", len(extension)) + extension
    return message(CLIENT_HELLO, body)


def vector24(parts):
    inner = b"".join(struct.pack("!I", len(p))[1:] + p for p in parts)
    return struct.pack("!I", len(inner))[1:] + inner


def read_record(conn):
    """(type, body); type None when the peer closed."""
    head = _read_exactly(conn, 5)
    if len(head) < 5:
        return None, b""
    return head[0], _read_exactly(conn, struct.unpack("!H", head[3:5])[0])


def _read_exactly(conn, size):
    data = b""
    while len(data) < size:
        more = conn.recv(size - len(data))
        if not more:
            break
        data += more
    return data


def read_until(conn, kind):
    """Skips records up to the wanted type; None when an alert or the end came first."""
    for _ in range(16):
        found, body = read_record(conn)
        if found == kind:
            return body
        if found in (None, ALERT):
            return None
    return None


def suites_of(hello):
    """The suites of a ClientHello; those of a TLS client too."""
    at = 4 + 2 + 32
    at += 1 + hello[at]
    size = struct.unpack_from("!H", hello, at)[0]
    return struct.unpack_from(f"!{size // 2}H", hello, at + 2)


# --- the two sides ----------------------------------------------------------------------------------
def server(folder, answer_size=180, shown=("gmsign", "gmenc"), suite=ECC_SM4_CBC_SM3, signed="right"):
    """A handler for peers.listen; takes one suite only. shown: the certificates that it sends; signed: how its
    ServerKeyExchange is (key_exchange)."""
    def handle(conn, _peer):
        with conn:
            _, hello = read_record(conn)
            if suite not in suites_of(hello):
                conn.sendall(record(ALERT, bytes([2, HANDSHAKE_FAILURE])))
                return
            conn.sendall(server_flight(folder, hello[6:38], shown, suite, signed))
            if read_until(conn, CCS) is None:
                return
            read_record(conn)
            conn.sendall(record(CCS, b"\x01") + record(HANDSHAKE, sealed(16)))
            if read_until(conn, DATA) is None:
                return
            conn.sendall(record(DATA, sealed(answer_size)))
            read_record(conn)
            conn.sendall(record(ALERT, sealed(2)))
    return handle


def der_of(folder, part):
    with open(os.path.join(folder, part + ".der"), "rb") as f:
        return f.read()


def point(folder):
    """An ephemeral public key on the curve of SM2: ECParameters, then the point behind its length."""
    name = f"ephemeral.{os.urandom(4).hex()}"
    _openssl(folder, "genpkey", "-algorithm", "SM2", "-out", name)
    spki = _openssl(folder, "pkey", "-in", name, "-pubout", "-outform", "DER")
    os.unlink(os.path.join(folder, name))
    return b"\x03" + struct.pack("!HB", CURVE_SM2, 65) + spki[-65:]


def key_exchange(folder, randoms, suite=ECC_SM4_CBC_SM3, signed="right"):
    """The body of ServerKeyExchange. signed: right; certificate (over the signing certificate instead of that for
    encryption), key (by the key for encryption), bare (without the certificate's length), named (behind the
    number of its algorithm, as TLS 1.2 has it), wrong (over the randoms of another session)."""
    shown = der_of(folder, "gmsign" if signed == "certificate" else "gmenc")
    params = point(folder) if suite == ECDHE_SM4_CBC_SM3 else b""
    length = b"" if signed == "bare" else struct.pack("!I", len(shown))[1:]
    covered = params or length + shown
    signature = _sign(folder, (os.urandom(64) if signed == "wrong" else randoms) + covered,
                      "gmenc" if signed == "key" else "gmsign")
    algorithm = b"\x07\x08" if signed == "named" else b""
    return params + algorithm + struct.pack("!H", len(signature)) + signature


def server_flight(folder, client_random, shown, suite=ECC_SM4_CBC_SM3, signed="right"):
    random = hello_random()
    chosen = VERSION + random + b"\x20" + os.urandom(32) + struct.pack("!HB", suite, 0)
    asks = [message(CERTIFICATE_REQUEST, bytes([1, ECDSA_SIGN, 0, 0]))] if suite == ECDHE_SM4_CBC_SM3 else []
    return b"".join(record(HANDSHAKE, m) for m in (
        message(SERVER_HELLO, chosen),
        message(CERTIFICATE, vector24([der_of(folder, part) for part in shown])),
        message(SERVER_KEY, key_exchange(folder, client_random + random, suite, signed)),
        *asks, message(HELLO_DONE, b"")))


def client_flight(lab, suite):
    """The client's certificates, where its suite needs them, and its key exchange. Its CertificateVerify is signed, but
    over other bytes than a server would check."""
    folder = lab.pki.dir
    if suite != ECDHE_SM4_CBC_SM3:
        secret = _openssl(folder, "pkeyutl", "-encrypt", "-pubin", "-inkey", "gmenc.pub", data=VERSION + os.urandom(46))
        return record(HANDSHAKE, message(CLIENT_KEY, struct.pack("!H", len(secret)) + secret))
    proof = _sign(folder, os.urandom(32))
    return b"".join(record(HANDSHAKE, m) for m in (
        message(CERTIFICATE, vector24([der_of(folder, part) for part in ("gmsign", "gmenc")])),
        message(CLIENT_KEY, point(folder)),
        message(CERTIFICATE_VERIFY, struct.pack("!H", len(proof)) + proof)))


def client(lab, port, suites=(ECC_SM4_CBC_SM3, ECDHE_SM4_CBC_SM3), name=None, refuse=None, size=130, **options):
    """One connection with one request; returns "200", the received alert's bytes, or "closed".
    refuse is the alert by which the client answers the server's certificates."""
    conn = peers.connect(lab, port, **options)
    with conn:
        conn.sendall(record(HANDSHAKE, client_hello(hello_random(), suites, name)))
        suite = body = None
        while not body or body[0] != HELLO_DONE:
            kind, body = read_record(conn)
            if kind != HANDSHAKE:
                return "closed" if kind is None else body.hex()
            if body[0] == SERVER_HELLO:
                suite = struct.unpack_from("!H", body, 39 + body[38])[0]
        if refuse:
            conn.sendall(record(ALERT, bytes([2, refuse])))
            return "refused"
        conn.sendall(client_flight(lab, suite) + record(CCS, b"\x01") + record(HANDSHAKE, sealed(16)))
        if read_until(conn, HANDSHAKE) is None:
            return "closed"
        conn.sendall(record(DATA, sealed(size)))
        answer = read_until(conn, DATA)
        conn.sendall(record(ALERT, sealed(2)))
        read_record(conn)
        return "200" if answer else "closed"
