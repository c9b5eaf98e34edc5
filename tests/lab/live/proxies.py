"""haproxy and gRPC: their logs against the store."""
import re
import time

import peers
import web
from live.case import Found, child_log, live
from live.nginx import backend
from net import CLIENTS4, SERVER
from peers import request

STATUS = """SELECT f.client_port, r.status FROM http_transactions r JOIN flows f ON f.id = r.flow_id
 WHERE r.status IS NOT NULL"""
FRONT = f"""  log stdout format raw local0
  log-format "live %cp %ST"
frontend f
  bind {SERVER}:8102 {{}}
"""


def haproxy(lab, rules, bind=""):
    return web.haproxy(lab, FRONT.format(bind) + rules, 8102)


def found(lab, times="http"):
    time.sleep(0.3)
    log = [tuple(map(int, m.groups())) for m in
           (re.match(r"live (\d+) (-?\d+)$", line) for line in child_log(lab, "haproxy")) if m]
    return Found([entry for entry in log if entry[1] > 0], STATUS, times)


def urls(count, path="/a"):
    return [f"http://@:8102{path}"] * count


@live("haproxy-balanced", "haproxy, curl")
def balanced(lab):
    """three clients with ten requests each, spread over two backends"""
    lab.start()
    backend(lab, lambda data: peers.answer(), 9001)
    backend(lab, lambda data: peers.answer(), 9002)
    haproxy(lab, "  default_backend b\nbackend b\n  server a 127.0.0.1:9001\n  server b 127.0.0.1:9002\n")
    with lab.capture("s"):
        for src in CLIENTS4[:3]:
            web.curl(lab, *urls(10), src=src)
    return found(lab)


@live("haproxy-errors", "haproxy, curl")
def errors(lab):
    """502 of what is no HTTP, 503 without a server, 504 of one that does not answer"""
    lab.start()

    def judge(data):
        if b"/noise" in data:
            return b"+OK\r\n\r\n"
        time.sleep(2)
        return None
    backend(lab, judge)
    haproxy(lab, "  use_backend gone if { path /gone }\n  default_backend b\nbackend gone\nbackend b\n  server a 127.0.0.1:9001\n")
    with lab.capture("s"):
        for path in ("/noise", "/gone", "/slow"):
            web.curl(lab, *urls(2, path))
    return found(lab)


@live("haproxy-denied", "haproxy, curl")
def denied(lab):
    """403 of a rule, 429 of a stick table, 401 asked and answered"""
    lab.start()
    haproxy(lab, "  stick-table type ip size 100 expire 30s store http_req_rate(10s)\n  http-request track-sc0 src\n"
                 "  http-request deny deny_status 429 if { sc_http_req_rate(0) gt 6 }\n"
                 "  http-request deny if { path /no }\n  http-request return status 200\n")
    with lab.capture("s"):
        web.curl(lab, *urls(2, "/no"), *urls(9))
        web.curl(lab, *urls(3), src=CLIENTS4[1])
    return found(lab)


@live("haproxy-close", "haproxy, curl")
def close(lab):
    """a connection per request (option httpclose)"""
    lab.start()
    backend(lab, lambda data: peers.answer())
    haproxy(lab, "  option httpclose\n  default_backend b\nbackend b\n  server a 127.0.0.1:9001\n")
    with lab.capture("s"):
        web.curl(lab, *urls(12))
    return found(lab)


@live("haproxy-h2", "haproxy, h2load, nghttp")
def h2(lab):
    """HTTP/2 in front, HTTP/1 behind"""
    lab.start(delay_ms=1)
    peers.nginx(lab, "server { listen 127.0.0.1:9001; location / { return 200 'ok'; } }")
    haproxy(lab, "  default_backend b\nbackend b\n  server a 127.0.0.1:9001\n", "proto h2")
    with lab.capture("s"):
        lab.exec("c", "h2load", "-n200", "-c4", "-m5", f"http://{SERVER}:8102/a")
        lab.exec("c", "nghttp", "-n", f"http://{SERVER}:8102/b", f"http://{SERVER}:8102/c")
    return found(lab, "h2")


@live("haproxy-idle", "haproxy, sockets")
def idle(lab):
    """kept-alive connections that haproxy closes after 1 s without a request"""
    lab.start()
    haproxy(lab, "  timeout http-keep-alive 1s\n  http-request return status 200\n")
    with lab.capture("s"):
        for src in CLIENTS4[:3]:
            with peers.connect(lab, 8102, src=src) as s:
                for _ in range(4):
                    s.sendall(request("/a"))
                    s.recv(4096)
                time.sleep(1.3)
    return found(lab)


# --- gRPC ---------------------------------------------------------------------------------------------------------
CALLS = """SELECT r.path, coalesce(r.grpc_status, 0) FROM http_transactions r WHERE r.kind = 'grpc'"""


def grpc(lab, *rounds, words=()):
    lab.start()
    server = web.grpc_server(lab, f"{SERVER}:6443")
    with lab.capture("s"):
        for i, methods in enumerate(rounds):
            web.grpc_call(lab, f"{SERVER}:6443", *methods.split(), *words)
        time.sleep(0.5)
    lab.end(server)
    log = [(m.group(1), int(m.group(2))) for m in
           (re.match(r"live (\S+) (\d+)$", line) for line in child_log(lab, "grpc_peer.py", "grpc6443")) if m]
    return Found(log, CALLS, "h2")


@live("grpc-unary", "python3-grpcio")
def unary(lab):
    """forty calls on two channels"""
    return grpc(lab, "Getx20", "Getx20")


@live("grpc-streams", "python3-grpcio")
def streams(lab):
    """server streams of four messages among single calls"""
    return grpc(lab, "Listx5 Getx3 Listx2")


@live("grpc-statuses", "python3-grpcio")
def statuses(lab):
    """NOT_FOUND, INTERNAL, RESOURCE_EXHAUSTED, UNAVAILABLE, PERMISSION_DENIED among good calls"""
    return grpc(lab, "Missingx2 Get Brokenx3 Get Busy Gonex2 Denied Getx2")


@live("grpc-token", "python3-grpcio")
def token(lab):
    """calls with a good token, and with one that is refused (UNAUTHENTICATED)"""
    return grpc(lab, "Checkx4", words=("--token", "good-7f3a9c"))


@live("grpc-refused", "python3-grpcio")
def refused(lab):
    """calls whose token is refused, on two channels"""
    return grpc(lab, "Checkx3", "Check Get", words=("--token", "bad-7f3a9c"))
