"""TLCP (GB/T 38636): no stack of Debian speaks it, so the messages are made by hand over a real TCP connection.
Certificates are real SM2 ones; what follows the key exchange is random bytes of the right lengths."""
import os
import struct
import subprocess
import time

import peers
from net import CLIENTS4, NAME
from peers import expect
from runner import scenario
from scenarios.reach import contrast, usual

ECC_SM4_CBC_SM3, ECC_SM4_GCM_SM3 = 0xE013, 0xE053
HANDSHAKE, ALERT, CCS, DATA = 22, 21, 20, 23


def record(kind, body, version=0x0101):
    return struct.pack("!BHH", kind, version, len(body)) + body


def message(kind, body):
    return bytes([kind]) + struct.pack("!I", len(body))[1:] + body


def hello(suites):
    body = b"\x01\x01" + os.urandom(32) + b"\x00" + struct.pack("!H", 2 * len(suites))
    return message(1, body + b"".join(struct.pack("!H", s) for s in suites) + b"\x01\x00")


def server_hello(suite):
    session = os.urandom(32)
    return message(2, b"\x01\x01" + os.urandom(32) + b"\x20" + session + struct.pack("!H", suite) + b"\x00")


def der(lab, name):
    return subprocess.run(["openssl", "x509", "-in", lab.pki.path(name + ".crt"), "-outform", "DER"],
                          stdout=subprocess.PIPE, check=True).stdout


def vector(data, size):
    return struct.pack("!I", len(data))[4 - size:] + data


def sm2_signature():
    """The DER form of a signature; nobody checks it here."""
    part = b"\x02\x20\x4a" + os.urandom(31)
    return b"\x30\x44" + part + part


def certificates(lab):
    lab.pki.make("gmroot", "Example GM Root CA", issuer=None, ca=True, key="SM2", md="sm3", org="Example GM Trust",
                 start=-900 * 86400, end=3000 * 86400)
    lab.pki.make("gmsign", NAME, names=[NAME], issuer="gmroot", key="SM2", md="sm3", usage="digitalSignature")
    lab.pki.make("gmenc", NAME, names=[NAME], issuer="gmroot", key="SM2", md="sm3",
                 usage="keyEncipherment,dataEncipherment")
    return [der(lab, n) for n in ("gmsign", "gmenc", "gmroot")]


def read_records(conn, count):
    data, found = b"", []
    while len(found) < count:
        more = conn.recv(8192)
        if not more:
            return found
        data += more
        while len(data) >= 5 and len(data) >= 5 + struct.unpack("!H", data[3:5])[0]:
            size = 5 + struct.unpack("!H", data[3:5])[0]
            found.append(data[:size])
            data = data[size:]
    return found


def serve(chain):
    def handle(conn, _peer):
        with conn:
            first = read_records(conn, 1)
            if ECC_SM4_CBC_SM3.to_bytes(2, "big") not in first[0]:
                conn.sendall(record(ALERT, b"\x02\x28"))
                return
            body = vector(b"".join(vector(c, 3) for c in chain), 3)
            conn.sendall(record(HANDSHAKE, server_hello(ECC_SM4_CBC_SM3)) + record(HANDSHAKE, message(11, body))
                         + record(HANDSHAKE, message(12, vector(sm2_signature(), 2)))
                         + record(HANDSHAKE, message(14, b"")))
            kinds = read_records(conn, 3)
            if kinds and kinds[0][0] == ALERT:
                return
            conn.sendall(record(CCS, b"\x01") + record(HANDSHAKE, os.urandom(80)))
            read_records(conn, 1)
            conn.sendall(record(DATA, os.urandom(208)))
            if read_records(conn, 1):
                conn.sendall(record(ALERT, os.urandom(64)))
    return handle


def client(lab, port, suites, src, refuse=None):
    with peers.connect(lab, port, src=src) as s:
        s.sendall(record(HANDSHAKE, hello(suites)))
        flight = read_records(s, 4)
        if len(flight) < 4:
            return flight[0] if flight else b""
        if refuse is not None:
            s.sendall(record(ALERT, bytes([2, refuse])))
            time.sleep(0.02)
            return b"refused"
        # SM2 ciphertext of a 48-byte pre-master secret, in DER.
        secret = b"\x30\x81\x99" + b"\x02\x20\x3b" + os.urandom(31) + b"\x02\x20\x51" + os.urandom(31) + \
                 b"\x04\x20" + os.urandom(32) + b"\x04\x30" + os.urandom(48)
        secret = b"\x30\x81" + bytes([len(secret) - 3]) + secret[3:]
        s.sendall(record(HANDSHAKE, message(16, vector(secret, 2))) + record(CCS, b"\x01")
                  + record(HANDSHAKE, os.urandom(80)))
        read_records(s, 2)
        s.sendall(record(DATA, os.urandom(176)))
        data = read_records(s, 1)
        s.sendall(record(ALERT, os.urandom(64)))
        read_records(s, 1)
        return data[0]


@scenario("tlcp", "TLCP with ECC_SM4_CBC_SM3 and a pair of SM2 certificates on 8443; TLS 1.3 on 443 beside it")
def tlcp(lab):
    lab.start()
    usual(lab)
    peers.listen(lab, 8443, serve(certificates(lab)))
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:2]:
            if client(lab, 8443, [ECC_SM4_GCM_SM3, ECC_SM4_CBC_SM3], src)[:3] != b"\x17\x01\x01":
                raise RuntimeError("no TLCP answer")
        contrast(lab)


@scenario("tlcp-to-tls", "TLCP clients meet a server of plain TLS: alert 70")
def tlcp_to_tls(lab):
    lab.start()
    usual(lab, peers.tls_server(lab, 8443))
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:2]:
            client(lab, 8443, [ECC_SM4_CBC_SM3], src)
        expect(peers.https(lab, 8443), "200")
        contrast(lab)


@scenario("tlcp-unknown-ca", "TLCP clients without the GM root refuse the pair of certificates: alert 48")
def tlcp_unknown_ca(lab):
    lab.start()
    usual(lab)
    peers.listen(lab, 8443, serve(certificates(lab)))
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:2]:
            client(lab, 8443, [ECC_SM4_CBC_SM3], src, refuse=48)
        if client(lab, 8443, [ECC_SM4_CBC_SM3], CLIENTS4[2])[:3] != b"\x17\x01\x01":
            raise RuntimeError("no TLCP answer")
        contrast(lab)
