"""What the scenarios of HTTP share: tokens, haproxy, HTTP/2 frames, clients that send what they are told."""
import base64
import hashlib
import json
import os
import signal
import struct
import subprocess
import time

import peers
from net import SERVER

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
HERE = os.path.dirname(os.path.abspath(__file__))


def _part(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwt(expires_in, subject="erp", issuer="sso.inv.example.cn"):
    """A JWT that expires so many seconds from now; its signature is nobody's."""
    now = int(time.time())
    claims = {"iss": issuer, "sub": subject, "iat": now + expires_in - 3600, "exp": now + expires_in}
    head = _part(json.dumps({"alg": "HS256", "typ": "JWT"}).encode()) + "." + _part(json.dumps(claims).encode())
    return head + "." + _part(hashlib.sha256(head.encode()).digest())


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def htpasswd(lab, **users):
    path = os.path.join(lab.work, f"htpasswd.{lab.name}")
    with open(path, "w") as f:
        for user, password in users.items():
            f.write(f"{user}:{{PLAIN}}{password}\n")
    os.chmod(path, 0o644)
    return path


def curl(lab, *words, src=None, address=SERVER):
    """curl on the client; returns its output with the status of each answer."""
    asked = [w.replace("@", address, 1) if w.startswith("http") else w for w in words]
    for _ in [w for w in asked if w.startswith("http")]:
        asked += ["-o", "/dev/null"]
    done = subprocess.run(["ip", "netns", "exec", lab.space("c"), "curl", "-sS", "-w", "%{http_code} ",
                           *(["--interface", src] if src else []), *asked],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30)
    return done.stdout


def haproxy(lab, text, port, ns="s"):
    path = os.path.join(lab.work, f"haproxy.{lab.name}.cfg")
    with open(path, "w") as f:
        f.write("global\n  maxconn 100\ndefaults\n  mode http\n  timeout connect 1s\n  timeout client 20s\n"
                "  timeout server 1s\n  retries 0\n" + text)
    child = lab.spawn(ns, "haproxy", "-db", "-f", path)
    peers.wait_listen(lab, port, ns)
    return child


def talk(lab, port, requests, src=None, pause=0.0, ip=SERVER):
    """Requests on one kept-alive connection, one after the other; returns their status lines."""
    found = []
    with peers.connect(lab, port, src=src, ip=ip) as s:
        for r in requests:
            s.sendall(r)
            found.append(peers.read_answer(s).split(b"\r\n")[0].decode())
            time.sleep(pause)
    return found


def serve(lab, port, judge, ip=SERVER):
    """A server that answers what judge(request bytes) returns."""
    def handle(conn, _peer):
        with conn:
            while data := peers.read_request(conn):
                conn.sendall(judge(data))
    peers.listen(lab, port, handle, ip=ip)


# --- HTTP/2 -----------------------------------------------------------------------------------------------------
def frame(kind, flags, stream, payload=b""):
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


def field(name, value):
    """A literal header field without indexing (RFC 7541 6.2.2), lengths below 127."""
    return b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def block(path, method="GET", **more):
    fields = {":method": method, ":scheme": "http", ":authority": "inv.example.cn", ":path": path, **more}
    return b"".join(field(k.replace("_", "-"), v) for k, v in fields.items())


def read_frames(s, until=lambda kind, flags, stream: False):
    """(kind, flags, stream, payload) of what comes, until one fits or the peer closes."""
    found, data = [], b""
    while True:
        while len(data) >= 9:
            size = int.from_bytes(data[:3], "big")
            if len(data) < 9 + size:
                break
            one = (data[3], data[4], int.from_bytes(data[5:9], "big") & 0x7fffffff, data[9:9 + size])
            data = data[9 + size:]
            found.append(one)
            if until(*one[:3]):
                return found
        try:
            more = s.recv(16384)
        except OSError:
            return found
        if not more:
            return found
        data += more


def grpc_server(lab, address, seconds=60, port=6443):
    child = lab.spawn("s", os.path.join(HERE, "grpc_peer.py"), "serve", address, str(seconds), log=f"grpc{port}")
    peers.wait_listen(lab, port)
    return child


def grpc_call(lab, address, *words):
    done = subprocess.run(["ip", "netns", "exec", lab.space("c"), os.path.join(HERE, "grpc_peer.py"), "call", address,
                           *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=40)
    return done.stdout


def stop(child):
    child.send_signal(signal.SIGTERM)
    child.wait(5)
