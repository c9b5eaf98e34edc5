"""nginx, HTTP/1, asked by curl, wrk and plain sockets: its access log against the store."""
import os
import socket
import subprocess
import time

import peers
import web
from live.case import Found, lines, live, path
from net import CLIENT, CLIENTS4, SERVER

LOG = "log_format live '$remote_port $connection_requests $status $body_bytes_sent $request_method';\n"
ROWS = """SELECT f.client_port, r.number, r.status, r.response_bytes FROM http_transactions r
 JOIN flows f ON f.id = r.flow_id WHERE r.status IS NOT NULL"""
PLAIN = """SELECT f.client_port, r.status FROM http_transactions r JOIN flows f ON f.id = r.flow_id
 WHERE r.status IS NOT NULL"""


def serve(lab, inside="", port=8080, listen="", before="", **options):
    """nginx with a log of its own; location / serves files of 300 to 60000 bytes."""
    server = (f"server {{ listen {SERVER}:{port} {listen}; access_log {path(lab, 'access')} live; "
              f"location /api {{ default_type application/json; return 200 '{{}}'; }} {inside} }}\n")
    return peers.nginx(lab, LOG + before + server, **options)


def found(lab, kept=ROWS, times="http", bytes_too=True, unanswered=("499",), **more):
    """Entries of the access log in the form of the query: port, number on the connection, status, bytes."""
    time.sleep(0.3)
    log = []
    for line in lines(path(lab, "access")):
        port, number, status, sent, _ = line.split()
        if status not in unanswered:
            log.append((int(port), int(number), int(status), int(sent)) if bytes_too else (int(port), int(status)))
    return Found(log, kept if bytes_too else PLAIN, times, **more)


def backend(lab, judge, port=9001):
    """An application behind nginx: judge(request) gives the bytes to send, or None to close."""
    def handle(conn, _peer):
        with conn:
            while data := peers.read_request(conn):
                answer = judge(data)
                if answer is None:
                    return
                conn.sendall(answer)
    peers.listen(lab, port, handle, ip="127.0.0.1")


def slow_for(word, seconds):
    """A judge that needs so long for paths with the word in them, and 10 ms for others."""
    def judge(data):
        time.sleep(seconds if word in data else 0.01)
        return peers.answer()
    return judge


PROXY = "location /app { proxy_pass http://127.0.0.1:9001; proxy_http_version 1.1; proxy_set_header Connection ''; }"
CHUNKED = (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nfirst\r\n6;a=b\r\nsecond\r\n0\r\n"
           b"X-Sum: 9\r\n\r\n")


def files(count=8, host="@:8080"):
    return [f"http://{host}/{(300, 2000, 20000, 60000)[i % 4]}.json" for i in range(count)]


@live("nginx-keep-alive", "nginx, curl")
def keep_alive(lab):
    """two clients with eight requests each on one connection, files of 300 to 60,000 bytes"""
    lab.start()
    serve(lab)
    with lab.capture("s"):
        for src in CLIENTS4[:2]:
            web.curl(lab, *files(), src=src)
    return found(lab)


@live("nginx-http10", "nginx, curl")
def http10(lab):
    """HTTP/1.0 without keep-alive; a chunked answer of the application ends with the connection"""
    lab.start()
    backend(lab, lambda data: CHUNKED)
    serve(lab, PROXY)
    with lab.capture("s"):
        for url in [*files(3), "http://@:8080/app/a"]:
            web.curl(lab, "--http1.0", url)
    return found(lab)


@live("nginx-pipelined", "nginx, sockets")
def pipelined(lab):
    """sixty requests in one piece on one connection, then twenty byte by byte"""
    lab.start()
    serve(lab)
    with lab.capture("s"):
        with peers.connect(lab, 8080) as s:
            s.sendall(peers.request("/300.json") * 60)
            data = b""
            while data.count(b"HTTP/1.1 200") < 60 or len(data.rpartition(b"\r\n\r\n")[2]) < 300:
                data += s.recv(65536)
        with peers.connect(lab, 8080, src=CLIENTS4[1]) as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for i in range(20):
                data = peers.request("/api")
                for at in range(0, len(data), 40):
                    s.sendall(data[at:at + 40])
                    time.sleep(0.001)
                peers.read_answer(s)
    return found(lab)


@live("nginx-no-body", "nginx, curl")
def no_body(lab):
    """HEAD, 204, 304 with a length, redirects"""
    lab.start()
    serve(lab, "if_modified_since before; location /gone { return 204; } location /old { return 301 /api; }")
    with lab.capture("s"):
        web.curl(lab, "-I", *files(4))
        web.curl(lab, "-H", "If-Modified-Since: Tue, 01 Jan 2030 00:00:00 GMT", *files(4))
        web.curl(lab, "http://@:8080/gone", "http://@:8080/old", "http://@:8080/gone")
        web.curl(lab, "-L", "http://@:8080/old")
    return found(lab)


@live("nginx-chunked", "nginx, curl")
def chunked(lab):
    """chunked answers with extensions and trailers, passed on by nginx, on kept-alive connections"""
    lab.start()
    backend(lab, lambda data: CHUNKED)
    serve(lab, PROXY)
    with lab.capture("s"):
        for src in CLIENTS4[:3]:
            web.curl(lab, *["http://@:8080/app/a"] * 5, src=src)
    return found(lab, bytes_too=False)


@live("nginx-continue", "nginx, curl")
def continues(lab):
    """uploads of 200,000 bytes with Expect: 100-continue, and one that is refused by 413 before its body"""
    lab.start()
    backend(lab, lambda data: peers.answer(status="201 Created"))
    serve(lab, PROXY + "client_max_body_size 300k;")
    big, huge = path(lab, "big"), path(lab, "huge")
    for file, size in ((big, 200000), (huge, 500000)):
        with open(file, "w") as f:
            f.write("x" * size)
    with lab.capture("s"):
        for _ in range(3):
            web.curl(lab, "-H", "Expect: 100-continue", "--data-binary", "@" + big, "http://@:8080/app/up")
        web.curl(lab, "-H", "Expect: 100-continue", "--data-binary", "@" + huge, "http://@:8080/app/up")
        web.curl(lab, "-H", "Expect:", "--data-binary", "@" + big, "http://@:8080/app/up", "http://@:8080/app/up")
    return found(lab, bytes_too=False)  # nginx counts "100 Continue" among the bytes of the body


@live("nginx-client-errors", "nginx, curl")
def client_errors(lab):
    """401, 403, 404, 405, 416, and a request line that is none (400)"""
    lab.start()
    users = web.htpasswd(lab, erp="Invoice2026")
    serve(lab, f"location /in {{ auth_basic a; auth_basic_user_file {users}; }} location /no {{ deny all; }}")
    with lab.capture("s"):
        web.curl(lab, "http://@:8080/in/a", "http://@:8080/no/b", "http://@:8080/none")
        web.curl(lab, "-X", "POST", "http://@:8080/300.json")
        web.curl(lab, "-H", "Range: bytes=900000-", "http://@:8080/300.json")
        with peers.connect(lab, 8080) as s:
            s.sendall(b"GET /a b c HTTP/1.1\r\nHost: x\r\n\r\n")
            peers.read_answer(s)
    return found(lab)


@live("nginx-server-errors", "nginx, curl")
def server_errors(lab):
    """500, 502 of a dead and of a broken backend, 503, 504 of one that does not answer"""
    lab.start()

    def judge(data):
        if b"/broken" not in data:
            time.sleep(1.6)
    backend(lab, judge)
    serve(lab, PROXY.replace("location /app {", "location /app { proxy_read_timeout 1s;") +
          "location /dead { proxy_pass http://127.0.0.1:9099; } location /a { return 500; } location /b { return 503; }")
    with lab.capture("s"):
        web.curl(lab, "http://@:8080/app/slow", "http://@:8080/app/broken", "http://@:8080/dead/a", "http://@:8080/a",
                 "http://@:8080/b", "http://@:8080/api")
    return found(lab)


@live("nginx-slow", "nginx, curl")
def slow(lab):
    """an application that needs 20 ms to 1.3 s"""
    lab.start()
    waits = iter([0.02, 0.3, 1.3, 0.05, 0.7, 0.02] * 3)

    def judge(data):
        time.sleep(next(waits))
        return peers.answer()
    backend(lab, judge)
    serve(lab, PROXY)
    with lab.capture("s"):
        for src in CLIENTS4[:3]:
            web.curl(lab, *["http://@:8080/app/a"] * 6, src=src)
    return found(lab)


@live("nginx-left", "nginx, curl")
def left(lab):
    """clients that give up after 0.5 s (499 in the log, nothing answered), among others that wait"""
    lab.start()
    backend(lab, slow_for(b"/late", 1.0))
    serve(lab, PROXY)
    with lab.capture("s"):
        for src in CLIENTS4[:3]:
            web.curl(lab, "-m", "0.5", "http://@:8080/app/late", src=src)
            web.curl(lab, "http://@:8080/app/a", "http://@:8080/app/late", src=src)
    time.sleep(1)
    kept = """SELECT f.client_port, r.number, ifnull(r.status, 499), r.response_bytes FROM http_transactions r
 JOIN flows f ON f.id = r.flow_id"""
    return found(lab, kept, unanswered=())


@live("nginx-limited", "nginx, curl")
def limited(lab):
    """429 of a rate limit in a burst of forty"""
    lab.start()
    serve(lab, "location /lim { limit_req zone=z burst=3 nodelay; try_files /300.json =404; }",
          before="limit_req_zone $binary_remote_addr zone=z:1m rate=5r/s; limit_req_status 429;\n")
    with lab.capture("s"):
        web.curl(lab, *["http://@:8080/lim/a"] * 40)
        web.curl(lab, *["http://@:8080/lim/a"] * 3, src=CLIENTS4[1])
    return found(lab)


@live("nginx-ranges", "nginx, curl")
def ranges(lab):
    """206 of parts of a large file, several parts in one answer (multipart), and the whole of 3 MB"""
    lab.start()
    serve(lab)
    with open(os.path.join(lab.work, f"nginx.{lab.name}.s", "html", "big.bin"), "wb") as f:
        f.write(os.urandom(3000000))
    with lab.capture("s"):
        web.curl(lab, "-r", "0-99999", "http://@:8080/big.bin", "http://@:8080/20000.json")
        web.curl(lab, "-r", "0-99,500-599", "http://@:8080/big.bin")
        web.curl(lab, "http://@:8080/big.bin", src=CLIENTS4[1])
    return found(lab)


@live("nginx-backend-dies", "nginx, curl")
def backend_dies(lab):
    """the application closes in the middle of its answers: by length, and chunked"""
    lab.start()

    def handle(conn, _peer):
        data = peers.read_request(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n" + b"x" * 4000 if b"/len" in data else
                     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n" + b"x" * 60)
        time.sleep(0.1)
        conn.close()
    peers.listen(lab, 9001, handle, ip="127.0.0.1")
    serve(lab, PROXY)
    with lab.capture("s"):
        for url in ("len", "chunk"):
            web.curl(lab, f"http://@:8080/app/{url}", "http://@:8080/api")
    return found(lab, bytes_too=False)


@live("nginx-websocket", "nginx, sockets")
def websocket(lab):
    """an upgrade to WebSocket passed on (101), frames both ways, then requests on other connections"""
    lab.start()

    def handle(conn, _peer):
        peers.read_request(conn)
        conn.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x05hello")
        while conn.recv(1000):
            conn.sendall(b"\x81\x02ok")
    peers.listen(lab, 9001, handle, ip="127.0.0.1")
    serve(lab, "location /ws { proxy_pass http://127.0.0.1:9001; proxy_http_version 1.1; proxy_set_header Upgrade "
               "$http_upgrade; proxy_set_header Connection Upgrade; }")
    with lab.capture("s"):
        with peers.connect(lab, 8080) as s:
            s.sendall(b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                      b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
            for _ in range(5):
                s.recv(1000)
                s.sendall(b"\x81\x85\0\0\0\0hello")
                time.sleep(0.05)
        web.curl(lab, *files(4))
    time.sleep(0.5)
    return found(lab, bytes_too=False, times="")


@live("nginx-wrk", "nginx, wrk")
def by_wrk(lab):
    """some thousand requests on twenty connections within two seconds"""
    lab.start(delay_ms=0.2)
    serve(lab)
    with lab.capture("s"):
        lab.exec("c", "wrk", "-t1", "-c20", "-d2s", f"http://{SERVER}:8080/300.json")
        time.sleep(0.5)
    return found(lab)


@live("nginx-reload", "nginx, sockets")
def reload(lab):
    """nginx is told to reload while connections are kept alive: old workers finish and close them"""
    lab.start()
    child = serve(lab)
    with lab.capture("s"):
        socks = [peers.connect(lab, 8080, src=src) for src in CLIENTS4[:3]]
        for turn in range(6):
            for i, s in enumerate(socks):
                try:
                    s.sendall(peers.request("/2000.json"))
                    if not peers.read_answer(s):
                        raise OSError
                except OSError:
                    s.close()
                    socks[i] = peers.connect(lab, 8080, src=CLIENTS4[i])
            if turn == 2:
                subprocess.run(["nginx", "-p", os.path.join(lab.work, f"nginx.{lab.name}.s"), "-c",
                                os.path.join(lab.work, f"nginx.{lab.name}.s", "nginx.conf"), "-s", "reload"],
                               stderr=subprocess.DEVNULL, check=False)
                time.sleep(0.4)
        for s in socks:
            s.close()
    assert child.poll() is None
    return found(lab)


@live("nginx-killed", "nginx, curl")
def killed(lab):
    """the worker is killed with requests open; what it had answered is in its log"""
    lab.start()
    backend(lab, slow_for(b"/late", 3))
    serve(lab, PROXY)
    with lab.capture("s"):
        web.curl(lab, *["http://@:8080/app/a"] * 4)
        waiting = [lab.thread(web.curl, lab, "http://@:8080/app/late") for _ in range(3)]
        time.sleep(0.7)
        with open(os.path.join(lab.work, f"nginx.{lab.name}.s", "pid")) as f:
            master = f.read().strip()
        workers = subprocess.run(["ps", "-o", "pid=", "--ppid", master], capture_output=True, text=True).stdout.split()
        subprocess.run(["kill", "-9", *workers], check=True)
        for t in waiting:
            t.join()
    return found(lab)


@live("nginx-firewall", "nginx, curl, nftables")
def firewall(lab):
    """half of the clients are dropped by the firewall: the log knows nothing of them, the store has no request"""
    lab.start()
    serve(lab)
    lab.firewall(f"ip saddr {CLIENTS4[1]} tcp dport 8080 drop")
    with lab.capture("m"):
        for src in CLIENTS4[:3]:
            web.curl(lab, "-m", "2", *files(3), src=src)
    return found(lab)


def lossy(every):
    """A rule of the bridge that drops each so manieth frame."""
    counted = {"n": 0}

    def rule(frame, _now):
        counted["n"] += frame.tcp
        return [] if frame.tcp and counted["n"] % every == 0 else None
    return rule


@live("nginx-loss", "nginx, curl")
def loss(lab):
    """every 40th packet each way is lost behind the tap, and sent again"""
    lab.start(rule_far=lossy(40))
    serve(lab)
    with lab.capture("m"):
        for src in CLIENTS4[:3]:
            web.curl(lab, *files(12), src=src)
    return found(lab)


@live("nginx-late", "nginx, sockets")
def late(lab):
    """the capture begins on connections that have had five requests"""
    lab.start()
    serve(lab)
    socks = [peers.connect(lab, 8080, src=src) for src in CLIENTS4[:3]]
    for s in socks:
        for _ in range(5):
            s.sendall(peers.request("/300.json"))
            peers.read_answer(s)
    time.sleep(0.5)
    open(path(lab, "access"), "w").close()
    with lab.capture("s"):
        for i in range(8):
            for s in socks:
                s.sendall(peers.request("/2000.json"))
                peers.read_answer(s)
        for s in socks:
            s.close()
    return found(lab, bytes_too=False)


def tls_listen(lab):
    p = lab.pki
    return f"ssl_certificate {p.path('leaf')}.chain; ssl_certificate_key {p.path('leaf')}.key; ssl_protocols TLSv1.2 TLSv1.3;"


@live("nginx-tls", "nginx, curl")
def over_tls(lab):
    """HTTPS (TLS 1.2 and 1.3), read with curl's key log"""
    lab.start()
    serve(lab, tls_listen(lab), port=443, listen="ssl")
    keylog = path(lab, "keys")
    with lab.capture("s"):
        for version in ("--tls-max 1.2", "--tlsv1.3"):
            for src in CLIENTS4[:2]:
                curl_keys(lab, keylog, *version.split(), *[u.replace("http:", "https:").replace(":8080", "")
                                                           for u in files(5)], src=src)
    return found(lab, keylog=keylog)


def curl_keys(lab, keylog, *words, src=CLIENT):
    asked = [w.replace("@", SERVER, 1) if w.startswith("http") else w for w in words]
    for _ in [w for w in asked if w.startswith("http")]:
        asked += ["-o", "/dev/null"]
    subprocess.run(["ip", "netns", "exec", lab.space("c"), "env", f"SSLKEYLOGFILE={keylog}", "curl", "-sSk", "--interface",
                    src, *asked], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=30, check=False)
