"""A small TLS 1.3 client and server (RFC 8446, TLS_AES_128_GCM_SHA256 over X25519) that pack certificates (RFC 8879), since
no stack in Debian does. Records and keys are real: what they say can be read with the key log that the client writes."""
import hashlib
import hmac
import os
import ssl
import struct
import zlib

import peers
from net import NAME

HANDSHAKE, DATA, CCS = 22, 23, 20
CLIENT_HELLO, SERVER_HELLO, ENCRYPTED_EXTENSIONS, CERTIFICATE, VERIFY, FINISHED, PACKED = 1, 2, 8, 11, 15, 20, 25
ZLIB, BROTLI, ZSTD = 1, 2, 3
PEM_END = "-----END CERTIFICATE-----"
SUITE, X25519, ECDSA_P256 = 0x1301, 29, 0x0403


def pack(algorithm, data):
    if algorithm == ZLIB:
        return zlib.compress(data, 9)
    if algorithm == BROTLI:
        import brotli
        return brotli.compress(data)
    import zstandard
    return zstandard.ZstdCompressor().compress(data)


def vector(size, data):
    return len(data).to_bytes(size, "big") + data


def extension(kind, body):
    return struct.pack("!H", kind) + vector(2, body)


def message(kind, body):
    return bytes([kind]) + vector(3, body)


def record(kind, body):
    return bytes([kind]) + b"\x03\x03" + vector(2, body)


# --- key schedule (RFC 8446 7.1) --------------------------------------------------------------------
def _hmac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def expand(secret, label, context, size):
    info = struct.pack("!H", size) + vector(1, b"tls13 " + label) + vector(1, context)
    return _hmac(secret, info + b"\x01")[:size]


def derive(secret, label, transcript):
    return expand(secret, label, hashlib.sha256(transcript).digest(), 32)


class Keys:
    """Of one direction in one epoch."""

    def __init__(self, secret):
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        self.secret, self.count = secret, 0
        self.gcm, self.iv = AESGCM(expand(secret, b"key", b"", 16)), expand(secret, b"iv", b"", 12)

    def _nonce(self):
        self.count += 1
        return bytes(a ^ b for a, b in zip(self.iv, (self.count - 1).to_bytes(12, "big")))

    def seal(self, kind, body):
        head = b"\x17\x03\x03" + struct.pack("!H", len(body) + 17)
        return head + self.gcm.encrypt(self._nonce(), body + bytes([kind]), head)

    def open(self, head, body):
        text = self.gcm.decrypt(self._nonce(), body, head).rstrip(b"\0")
        return text[-1], text[:-1]

    def finished(self, transcript):
        return message(FINISHED, _hmac(expand(self.secret, b"finished", b"", 32), hashlib.sha256(transcript).digest()))


class Schedule:
    def __init__(self, shared, transcript):
        early = _hmac(b"\0" * 32, b"\0" * 32)
        self.base = _hmac(derive(early, b"derived", b""), shared)
        self.hello = transcript

    def handshake(self):
        return derive(self.base, b"c hs traffic", self.hello), derive(self.base, b"s hs traffic", self.hello)

    def traffic(self, transcript):
        master = _hmac(derive(self.base, b"derived", b""), b"\0" * 32)
        return derive(master, b"c ap traffic", transcript), derive(master, b"s ap traffic", transcript)


def exchange():
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    key = X25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return public, lambda other: key.exchange(X25519PublicKey.from_public_bytes(other))


# --- records ----------------------------------------------------------------------------------------
class Wire:
    def __init__(self, conn):
        self.conn, self.keys = conn, None

    def _exactly(self, size):
        data = b""
        while len(data) < size:
            piece = self.conn.recv(size - len(data))
            if not piece:
                raise OSError("closed")
            data += piece
        return data

    def read(self):
        """Kind and body of the next record that is not ChangeCipherSpec; opened once there are keys."""
        while True:
            head = self._exactly(5)
            body = self._exactly(int.from_bytes(head[3:], "big"))
            if head[0] != CCS:
                return self.keys.open(head, body) if self.keys and head[0] == DATA else (head[0], body)


def find(extensions, wanted):
    at = 2
    while at < len(extensions):
        kind, size = struct.unpack_from("!HH", extensions, at)
        if kind == wanted:
            return extensions[at + 4:at + 4 + size]
        at += 4 + size
    return None


def hello_parts(body):
    """(session id, extensions) of a hello message with its head."""
    at = 4 + 34
    session = body[at + 1:at + 1 + body[at]]
    at += 1 + len(session)
    if body[0] == CLIENT_HELLO:
        at += 2 + int.from_bytes(body[at:at + 2], "big")
        at += 1 + body[at]
    else:
        at += 3
    return session, body[at:]


# --- the two sides ----------------------------------------------------------------------------------
def certificate_body(pki, cert):
    with open(pki.path(cert + ".chain"), encoding="ascii") as f:
        ders = [ssl.PEM_cert_to_DER_cert(part.strip() + "\n" + PEM_END) for part in f.read().split(PEM_END)[:-1]]
    return b"\0" + vector(3, b"".join(vector(3, der) + b"\0\0" for der in ders))


def sign(pki, cert, transcript):
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    with open(pki.path(cert + ".key"), "rb") as f:
        key = serialization.load_pem_private_key(f.read(), None)
    covered = b" " * 64 + b"TLS 1.3, server CertificateVerify\0" + hashlib.sha256(transcript).digest()
    return message(VERIFY, struct.pack("!H", ECDSA_P256) + vector(2, key.sign(covered, ec.ECDSA(hashes.SHA256()))))


def packed(algorithm, body, lie=0):
    return message(PACKED, struct.pack("!H", algorithm) + (len(body) + lie).to_bytes(3, "big")
                   + vector(3, pack(algorithm, body)))


def server(pki, algorithm, cert="leaf", lie=0, answer=b"<ok/>"):
    """A handler for peers.listen. lie: what is added to the length that the packed message announces."""
    def handle(conn, _peer):
        with conn:
            wire = Wire(conn)
            _, hello = wire.read()
            session, extensions = hello_parts(hello)
            public, shared_with = exchange()
            chosen = extension(43, b"\x03\x04") + extension(51, struct.pack("!H", X25519) + vector(2, public))
            answer_hello = message(SERVER_HELLO, b"\x03\x03" + os.urandom(32) + vector(1, session)
                                   + struct.pack("!HB", SUITE, 0) + vector(2, chosen))
            transcript = hello + answer_hello
            schedule = Schedule(shared_with(find(extensions, 51)[6:38]), transcript)
            theirs, ours = (Keys(secret) for secret in schedule.handshake())
            flight = message(ENCRYPTED_EXTENSIONS, b"\0\0") + packed(algorithm, certificate_body(pki, cert), lie)
            flight += sign(pki, cert, transcript + flight)
            flight += ours.finished(transcript + flight)
            transcript += flight
            conn.sendall(record(HANDSHAKE, answer_hello) + record(CCS, b"\x01") + ours.seal(HANDSHAKE, flight))
            wire.keys = theirs
            wire.read()
            wire.keys, ours = (Keys(secret) for secret in schedule.traffic(transcript))
            wire.read()
            conn.sendall(ours.seal(DATA, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer))
            wire.read()
            conn.sendall(ours.seal(21, b"\x01\x00"))
    return handle


def client_hello(name, public, algorithms, random):
    offered = vector(1, b"".join(struct.pack("!H", a) for a in algorithms))
    server_name = vector(2, b"\0" + vector(2, name.encode()))
    extensions = b"".join((
        extension(0, server_name), extension(10, b"\0\x02\0\x1d"), extension(13, b"\0\x02\x04\x03"),
        extension(27, offered), extension(43, b"\x02\x03\x04"),
        extension(51, vector(2, struct.pack("!H", X25519) + vector(2, public)))))
    return message(CLIENT_HELLO, b"\x03\x03" + random + vector(1, os.urandom(32)) + vector(2, struct.pack("!H", SUITE))
                   + b"\x01\0" + vector(2, extensions))


def log_secrets(path, random, names, secrets):
    with open(path, "a", encoding="ascii") as log:
        for name, secret in zip(names, secrets):
            log.write(f"{name} {random.hex()} {secret.hex()}\n")


def client(lab, port, log, algorithms=(BROTLI, ZLIB, ZSTD), name=NAME, path="/api/v1/invoices", **options):
    """One request; takes whatever certificate comes; the secrets go to log. Returns the answer's first line."""
    random, (public, shared_with) = os.urandom(32), exchange()
    hello = client_hello(name, public, algorithms, random)
    conn = peers.connect(lab, port, **options)
    with conn:
        wire = Wire(conn)
        conn.sendall(record(HANDSHAKE, hello))
        _, answer = wire.read()
        transcript = hello + answer
        schedule = Schedule(shared_with(find(hello_parts(answer)[1], 51)[4:]), transcript)
        secrets = schedule.handshake()
        log_secrets(log, random, ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET"), secrets)
        ours, wire.keys = (Keys(secret) for secret in secrets)
        transcript += wire.read()[1]
        conn.sendall(record(CCS, b"\x01") + ours.seal(HANDSHAKE, ours.finished(transcript)))
        secrets = schedule.traffic(transcript)
        log_secrets(log, random, ("CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"), secrets)
        ours, wire.keys = (Keys(secret) for secret in secrets)
        conn.sendall(ours.seal(DATA, f"GET {path} HTTP/1.1\r\nHost: {name}\r\n\r\n".encode()))
        line = wire.read()[1].split(b"\r\n")[0].decode()
        conn.sendall(ours.seal(21, b"\x01\x00"))
        wire.read()
    return line
