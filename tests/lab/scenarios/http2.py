"""HTTP/2 in clear and gRPC: connections and streams given up with an error, calls that fail; and what is usual."""
import struct
import subprocess
import time

import peers
import web
from net import CLIENTS4, SERVER
from peers import expect
from runner import scenario
from scenarios.reach import contrast, usual


def h2_server(lab, port, extra=""):
    return peers.http_server(lab, port, extra=extra).replace(f":{port};", f":{port} http2;")


def client(lab, *words):
    done = subprocess.run(["ip", "netns", "exec", lab.space("c"), *words], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=40)
    return done.stdout


def raw_stream(lab, port, path, then, src=None, until=None):
    """One request by hand, then the bytes of `then`; returns the frames that came."""
    with peers.connect(lab, port, src=src) as s:
        s.sendall(web.PREFACE + web.frame(web.SETTINGS, 0, 0))
        s.sendall(web.frame(web.SETTINGS, 1, 0) + web.frame(web.HEADERS, 5, 1, web.block(path)))
        time.sleep(0.1)
        if then:
            s.sendall(then)
        return web.read_frames(s, until or (lambda kind, flags, stream: kind == web.GOAWAY))


@scenario("h2-usual", "nghttp, h2load and curl speak HTTP/2 in clear with nginx: GOAWAY without error, one CANCEL, a 404")
def h2_usual(lab):
    lab.start()
    usual(lab, h2_server(lab, 8105))
    with lab.capture("m"):
        contrast(lab)
        expect(client(lab, "nghttp", "-ns", f"http://{SERVER}:8105/300.json", f"http://{SERVER}:8105/api/v1/a",
                      f"http://{SERVER}:8105/missing"), "404")
        expect(client(lab, "h2load", "-n24", "-c2", "-m4", f"http://{SERVER}:8105/api/v1/b"), "24 succeeded")
        expect(web.curl(lab, "--http2-prior-knowledge", "http://@:8105/300.json"), "200")
        cancel = web.frame(web.RST_STREAM, 0, 1, struct.pack("!I", 8)) + web.frame(web.GOAWAY, 0, 0, bytes(8))
        raw_stream(lab, 8105, "/20000.json", cancel)
        contrast(lab)


@scenario("h2-refused", "HTTP/2 in clear: 401 to a wrong token, 429 and 503 of nginx, on streams of one connection")
def h2_refused(lab):
    lab.start()
    usual(lab, "limit_req_zone $binary_remote_addr zone=z:1m rate=1r/s; limit_req_status 429;\n",
          h2_server(lab, 8105, extra="location /limited { limit_req zone=z; try_files /300.json =404; } "
                                     "location /down { return 503; } location /closed { return 401; }"))
    with lab.capture("m"):
        contrast(lab)
        base = f"http://{SERVER}:8105"
        found = client(lab, "nghttp", "-ns", "-H", "authorization: Bearer ffff0000ffff0002", base + "/closed",
                       base + "/api/v1/a", base + "/down")
        expect(found, "401")
        found = client(lab, "nghttp", "-ns", *[f"{base}/limited?n={i}" for i in range(3)])
        expect(found, "429")
        contrast(lab)


@scenario("h2-goaway", "nginx and nghttpd give up connections of a client that breaks the protocol: GOAWAY with an error")
def h2_goaway(lab):
    lab.start()
    usual(lab, h2_server(lab, 8105))
    lab.spawn("s", "nghttpd", "--no-tls", "-a", SERVER, "-d", lab.work, "8106")
    peers.wait_listen(lab, 8106)
    with lab.capture("m"):
        contrast(lab)
        # DATA on stream 0 and a SETTINGS of odd length (RFC 9113 6.1, 6.5)
        for port, wrong in ((8105, web.frame(web.DATA, 0, 0, b"x")), (8106, web.frame(web.SETTINGS, 0, 0, b"abc"))):
            found = raw_stream(lab, port, "/300.json", wrong, src=CLIENTS4[1])
            print("goaway of", port, [struct.unpack("!II", f[3][:8]) for f in found if f[0] == web.GOAWAY])
        contrast(lab)


@scenario("h2-internal", "a server resets a stream with INTERNAL_ERROR in the middle of its answer")
def h2_internal(lab):
    lab.start()
    usual(lab)

    def handle(conn, _peer):
        with conn:
            conn.recv(4096)
            conn.sendall(web.frame(web.SETTINGS, 0, 0) + web.frame(web.SETTINGS, 1, 0))
            time.sleep(0.2)
            # :status 200 is entry 8 of the static table
            conn.sendall(web.frame(web.HEADERS, 4, 1, b"\x88") + web.frame(web.DATA, 0, 1, b"half ")
                         + web.frame(web.RST_STREAM, 0, 1, struct.pack("!I", 2)))
            time.sleep(0.5)
    peers.listen(lab, 8107, handle)
    with lab.capture("m"):
        contrast(lab)
        found = raw_stream(lab, 8107, "/api/v1/export", b"", src=CLIENTS4[1],
                           until=lambda kind, flags, stream: kind == web.RST_STREAM)
        print("reset", [struct.unpack("!I", f[3]) for f in found if f[0] == web.RST_STREAM])
        contrast(lab)


@scenario("h2-silent", "one of two streams of an HTTP/2 connection never gets an answer; the client leaves after 5 s")
def h2_silent(lab):
    lab.start()
    usual(lab)

    def handle(conn, _peer):
        with conn:
            conn.recv(4096)
            conn.sendall(web.frame(web.SETTINGS, 0, 0) + web.frame(web.SETTINGS, 1, 0))
            time.sleep(0.3)
            conn.sendall(web.frame(web.HEADERS, 5, 3, b"\x88"))
            while conn.recv(4096):
                pass
    peers.listen(lab, 8107, handle)
    with lab.capture("m"):
        contrast(lab)
        with peers.connect(lab, 8107, timeout=9) as s:
            s.sendall(web.PREFACE + web.frame(web.SETTINGS, 0, 0))
            s.sendall(web.frame(web.SETTINGS, 1, 0) + web.frame(web.HEADERS, 5, 1, web.block("/api/v1/stuck"))
                      + web.frame(web.HEADERS, 5, 3, web.block("/api/v1/quick")))
            for _ in range(5):
                time.sleep(1)
                expect(peers.http(lab), "200")
        contrast(lab)


@scenario("grpc-usual", "gRPC: unary calls, streams, one cancelled, one NOT_FOUND, a graceful end of the server")
def grpc_usual(lab):
    lab.start()
    usual(lab)
    server = web.grpc_server(lab, f"{SERVER}:6443", seconds=4)
    with lab.capture("m"):
        contrast(lab)
        print(web.grpc_call(lab, f"{SERVER}:6443", "Getx4", "List", "Missing", "Stop", "Get").split("\n"))
        print(web.grpc_call(lab, f"{SERVER}:6443", "Get", "Pause", "Pause").split("\n"))
        contrast(lab)
    lab.end(server)


@scenario("grpc-failing", "a gRPC server says UNAVAILABLE, INTERNAL, RESOURCE_EXHAUSTED; another method works")
def grpc_failing(lab):
    lab.start()
    usual(lab)
    server = web.grpc_server(lab, f"{SERVER}:6443")
    with lab.capture("m"):
        contrast(lab)
        print(web.grpc_call(lab, f"{SERVER}:6443", "Get", "Gonex3", "Broken", "Busyx2", "Get").split("\n"))
        contrast(lab)
    lab.end(server)


@scenario("grpc-proxied", "nginx passes gRPC on: UNAVAILABLE of the backend, and UNIMPLEMENTED; a 502 where no backend is")
def grpc_proxied(lab):
    lab.start()
    usual(lab, h2_server(lab, 6444, extra="location / { grpc_pass grpc://127.0.0.1:6443; }").replace("location /api", "location /x"),
          h2_server(lab, 6445, extra="location / { grpc_pass grpc://127.0.0.1:6499; }").replace("location /api", "location /x"))
    server = web.grpc_server(lab, "127.0.0.1:6443")
    with lab.capture("m"):
        contrast(lab)
        print(web.grpc_call(lab, f"{SERVER}:6444", "Get", "Gonex2", "Nothing").split("\n"))
        print(web.grpc_call(lab, f"{SERVER}:6445", "Get").split("\n"))
        contrast(lab)
    lab.end(server)


@scenario("grpc-refused", "gRPC: an expired JWT is UNAUTHENTICATED, a permission denied, a deadline that passes")
def grpc_refused(lab):
    lab.start()
    usual(lab)
    server = web.grpc_server(lab, f"{SERVER}:6443")
    with lab.capture("m"):
        contrast(lab)
        print(web.grpc_call(lab, f"{SERVER}:6443", "Checkx2", "--token", web.jwt(-900)).split("\n"))
        print(web.grpc_call(lab, f"{SERVER}:6443", "Denied", "Slow").split("\n"))
        contrast(lab)
    lab.end(server)


@scenario("grpc-pings", "a client sends a gRPC server twelve pings at once: GOAWAY ENHANCE_YOUR_CALM")
def grpc_pings(lab):
    lab.start()
    usual(lab)
    server = web.grpc_server(lab, f"{SERVER}:6443")
    with lab.capture("m"):
        contrast(lab)
        found = raw_stream(lab, 6443, "/invoice.Invoices/Get", web.frame(web.PING, 0, 0, bytes(8)) * 12, src=CLIENTS4[1])
        print("goaway", [struct.unpack("!II", f[3][:8]) for f in found if f[0] == web.GOAWAY])
        contrast(lab)
    lab.end(server)
