"""HTTP/1 that fails above the connection: refusals, tokens, passwords, limits; and what only looks like it."""
import contextlib
import json
import time

import peers
import web
from net import CLIENTS4, NAME, SERVER, SERVER2
from peers import expect, request
from runner import scenario
from scenarios.reach import contrast, usual

UNAUTHORIZED = peers.answer(b'{"code":401}', "401 Unauthorized", 'WWW-Authenticate: Bearer error="invalid_token"\r\n')


def bearer(token):
    return f"Authorization: Bearer {token}\r\n"


@scenario("basic-clear", "curl sends user and password to nginx by Basic authentication over plain HTTP, and is let in")
def basic_clear(lab):
    lab.start()
    users = web.htpasswd(lab, erp="Invoice2026")
    usual(lab, peers.http_server(lab, 8101, extra=f"location /pay {{ auth_basic pay; auth_basic_user_file {users};"
                                                  " try_files /300.json =404; }"))
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:2]:
            expect(web.curl(lab, "-u", "erp:Invoice2026", "http://@:8101/pay/1", "http://@:8101/pay/2", src=src),
                   "200 200")
        contrast(lab)


@scenario("userinfo-clear", "a proxy is asked for a URL that holds user and password; a form and a document hold one")
def userinfo_clear(lab):
    lab.start()
    usual(lab)
    web.serve(lab, 8088, lambda data: peers.answer())
    form = "Content-Type: application/x-www-form-urlencoded\r\n"
    with lab.capture("m"):
        contrast(lab)
        expect(web.talk(lab, 8088, [request("http://erp:Abc12345@inv.example.cn/export")])[0], "200")
        body = b"user=erp&password=Abc12345"
        expect(web.talk(lab, 8088, [f"POST /login HTTP/1.1\r\nHost: {NAME}\r\n{form}Content-Length: {len(body)}\r\n\r\n"
                                    .encode() + body], src=CLIENTS4[1])[0], "200")
        expect(web.talk(lab, 8088, [request("/api/v1/login", method="POST",
                                            body=b'{"user":"erp","password":"Abc12345"}')], src=CLIENTS4[2])[0], "200")
        contrast(lab)


@scenario("basic-haproxy", "haproxy asks for Basic authentication over plain HTTP; a client passes, one has no account")
def basic_haproxy(lab):
    lab.start()
    usual(lab)
    web.haproxy(lab, f"userlist people\n  user erp insecure-password Invoice2026\nfrontend f\n  bind {SERVER}:8102\n"
                     "  http-request auth realm pay unless { http_auth(people) }\n  http-request return status 200\n",
                8102)
    with lab.capture("m"):
        contrast(lab)
        expect(web.curl(lab, "-u", "erp:Invoice2026", "http://@:8102/pay/1", "http://@:8102/pay/2"), "200 200")
        expect(web.curl(lab, "-u", "guest:guest", "http://@:8102/pay/1", src=CLIENTS4[1]), "401")
        contrast(lab)


@scenario("bearer-clear", "a bearer token, a JWT and an API key cross the wire in clear, and are accepted")
def bearer_clear(lab):
    lab.start()
    usual(lab)
    with lab.capture("m"):
        contrast(lab)
        expect(web.curl(lab, "-H", "Authorization: Bearer 7f3a9c51d0e84b6f", "http://@:8080/api/v1/orders"), "200")
        expect(web.curl(lab, "-H", "Authorization: Bearer " + web.jwt(3600), "http://@:8080/api/v1/orders",
                        "http://@:8080/api/v1/orders", src=CLIENTS4[1]), "200 200")
        expect(web.curl(lab, "-H", "X-Api-Key: 9d20b6617ac34e0d88", "http://@:8080/api/v1/orders", src=CLIENTS4[2]),
               "200")
        contrast(lab)


@scenario("token-grant", "a token is granted in an answer's body over plain HTTP, then used in a URL")
def token_grant(lab):
    lab.start()
    usual(lab)
    token = "1c0f7e52ab994d6c8f31"

    def judge(data):
        if data.startswith(b"POST /oauth/token"):
            return peers.answer(json.dumps({"access_token": token, "expires_in": 3600}).encode())
        return peers.answer()
    web.serve(lab, 8201, judge)
    with lab.capture("m"):
        contrast(lab)
        found = web.talk(lab, 8201, [request("/oauth/token", method="POST", body=b'{"grant_type":"assertion"}'),
                                     request(f"/api/v1/reconcile?access_token={token}&page=1")])
        expect(" ".join(found), "200 OK HTTP/1.1 200")
        contrast(lab)


@scenario("wrong-token", "a client offers a token that the server refuses with 401, on two endpoints; others are served")
def wrong_token(lab):
    lab.start()
    usual(lab)
    web.serve(lab, 8201, lambda d: peers.answer() if b"4be1c07792f84f3e" in d else UNAUTHORIZED)
    with lab.capture("m"):
        contrast(lab)
        good, bad = bearer("4be1c07792f84f3e"), bearer("ffff0000ffff0001")
        expect(web.talk(lab, 8201, [request("/api/v1/reconcile", extra=good)], src=CLIENTS4[1])[0], "200")
        for path in ("/api/v1/reconcile", "/api/v1/balance"):
            expect(web.talk(lab, 8201, [request(path, extra=bad)])[0], "401")
            time.sleep(0.3)
        expect(web.talk(lab, 8201, [request("/api/v1/reconcile", extra=good)], src=CLIENTS4[1])[0], "200")
        contrast(lab)


@scenario("expired-jwt", "a client goes on with a JWT that expired 10 min ago: refused with 401 each time")
def expired_jwt(lab):
    lab.start()
    usual(lab)
    old = web.jwt(-600)
    web.serve(lab, 8201, lambda d: UNAUTHORIZED if old.encode() in d else peers.answer())
    with lab.capture("m"):
        contrast(lab)
        for _ in range(5):
            expect(web.talk(lab, 8201, [request("/api/v1/reconcile", extra=bearer(old))])[0], "401")
            time.sleep(0.2)
        expect(web.talk(lab, 8201, [request("/api/v1/reconcile", extra=bearer(web.jwt(3600)))], src=CLIENTS4[1])[0],
               "200")
        contrast(lab)


@scenario("expired-cookie", "nginx answers 403 to a JWT in a cookie that expired a day ago")
def expired_cookie(lab):
    lab.start()
    old = web.jwt(-86400)
    usual(lab, peers.http_server(lab, 8101, extra=f'location /portal {{ if ($cookie_sso = "{old}") {{ return 403; }}'
                                                  ' return 200 "ok"; }'))
    with lab.capture("m"):
        contrast(lab)
        expect(web.curl(lab, "-H", f"Cookie: lang=zh; sso={old}", "http://@:8101/portal/bills"), "403")
        expect(web.curl(lab, "-H", f"Cookie: lang=zh; sso={web.jwt(7200)}", "http://@:8101/portal/bills",
                        src=CLIENTS4[1]), "200")
        contrast(lab)


@scenario("jwt-refreshed", "a JWT has expired: 401, the client fetches a new one over TLS and is let in at once")
def jwt_refreshed(lab):
    lab.start()
    usual(lab)
    old, new = web.jwt(-5), web.jwt(3600)
    web.serve(lab, 8201, lambda d: UNAUTHORIZED if old.encode() in d else peers.answer())
    with lab.capture("m"):
        contrast(lab)
        with peers.connect(lab, 8201) as s:
            for token, status in ((old, "401"), (new, "200")):
                s.sendall(request("/api/v1/reconcile", extra=bearer(token)))
                expect(peers.read_answer(s).decode(), status)
                expect(peers.https(lab), "200")
        contrast(lab)


@scenario("force-basic", "curl tries five passwords at nginx within seconds, all refused; another client is let in")
def force_basic(lab):
    lab.start()
    users = web.htpasswd(lab, admin="Zk77-correct")
    usual(lab, peers.http_server(lab, 8101, extra=f"location /admin {{ auth_basic admin; auth_basic_user_file {users};"
                                                  " try_files /300.json =404; }"))
    with lab.capture("m"):
        contrast(lab)
        for word in ("admin", "123456", "password", "qwerty", "letmein"):
            expect(web.curl(lab, "-u", "admin:" + word, "http://@:8101/admin/", src=CLIENTS4[2]), "401")
        expect(web.curl(lab, "-u", "admin:Zk77-correct", "http://@:8101/admin/", src=CLIENTS4[1]), "200")
        contrast(lab)


@scenario("force-form", "twelve passwords on a login path in one minute, the last one right")
def force_form(lab):
    lab.start()
    usual(lab)

    def judge(data):
        return peers.answer() if b"Summer2026" in data else peers.answer(b'{"code":401}', "401 Unauthorized")
    web.serve(lab, 8080 + 7, judge)
    with lab.capture("m"):
        contrast(lab)
        for i in range(13):
            word = f"guess{i:02}" if i < 12 else "Summer2026"
            body = json.dumps({"username": "finance", "password": word}).encode()
            expect(web.talk(lab, 8087, [request("/api/v1/login", method="POST", body=body)], src=CLIENTS4[3])[0],
                   "401" if i < 12 else "200")
        contrast(lab)


@scenario("force-haproxy", "haproxy refuses four different accounts of one client on one kept-alive connection")
def force_haproxy(lab):
    lab.start()
    usual(lab)
    web.haproxy(lab, f"userlist people\n  user erp insecure-password Invoice2026\nfrontend f\n  bind {SERVER}:8102\n"
                     "  http-request auth realm pay unless { http_auth(people) }\n  http-request return status 200\n",
                8102)
    with lab.capture("m"):
        contrast(lab)
        for user in ("root", "test", "oracle", "erp"):
            extra = f"Authorization: {web.basic(user, user + '123')}\r\n"
            expect(web.talk(lab, 8102, [request("/pay", extra=extra)], src=CLIENTS4[3])[0], "401")
        contrast(lab)


@scenario("limit-nginx", "nginx answers 429 to what exceeds its limit; slower clients are served")
def limit_nginx(lab):
    lab.start()
    usual(lab, "limit_req_zone $binary_remote_addr zone=z:1m rate=2r/s; limit_req_status 429;\n",
          peers.http_server(lab, 8101, extra="location /pay { limit_req zone=z burst=2 nodelay; "
                                             "try_files /300.json =404; }"))
    with lab.capture("m"):
        contrast(lab)
        expect(" ".join(web.talk(lab, 8101, [request("/pay/1")] * 9)), "429")
        expect(" ".join(web.talk(lab, 8101, [request("/pay/1")] * 2, src=CLIENTS4[1], pause=0.6)), "200 OK HTTP/1.1 200")
        contrast(lab)


@scenario("limit-haproxy", "haproxy denies with 429 by its stick table what comes too often")
def limit_haproxy(lab):
    lab.start()
    usual(lab)
    web.haproxy(lab, f"frontend f\n  bind {SERVER}:8102\n  stick-table type ip size 100 expire 30s store http_req_rate(10s)\n"
                     "  http-request track-sc0 src\n  http-request deny deny_status 429 if { sc_http_req_rate(0) gt 3 }\n"
                     "  http-request return status 200\n", 8102)
    with lab.capture("m"):
        contrast(lab)
        expect(web.curl(lab, *["http://@:8102/pay/1"] * 6), "200 200 200 429 429 429")
        expect(web.curl(lab, "http://@:8102/pay/1", src=CLIENTS4[1]), "200")
        contrast(lab)


@scenario("limit-api", "an application server says 429 with Retry-After; the client waits and is served")
def limit_api(lab):
    lab.start()
    usual(lab)
    times = []

    def judge(_data):
        times.append(time.monotonic())
        near = [t for t in times if times[-1] - t < 1]
        return peers.answer() if len(near) < 3 else peers.answer(b"", "429 Too Many Requests", "Retry-After: 1\r\n")
    web.serve(lab, 8201, judge)
    with lab.capture("m"):
        contrast(lab)
        expect(" ".join(web.talk(lab, 8201, [request("/api/v1/query")] * 4)), "429")
        time.sleep(1.2)
        expect(web.talk(lab, 8201, [request("/api/v1/query")])[0], "200")
        contrast(lab)


@scenario("haproxy-errors", "haproxy has no server (503), an answer that is no HTTP (502), and one that does not come (504)")
def haproxy_errors(lab):
    lab.start()
    usual(lab)

    def silent(conn, _peer):
        peers.read_request(conn)
        time.sleep(3)
        conn.close()

    def noise(conn, _peer):
        peers.read_request(conn)
        conn.sendall(b"+OK nothing here\r\n")
        conn.close()
    peers.listen(lab, 9001, silent, ip="127.0.0.1")
    peers.listen(lab, 9002, noise, ip="127.0.0.1")
    web.haproxy(lab, f"frontend f\n  bind {SERVER}:8102\n  use_backend slow if {{ path /slow }}\n"
                     "  use_backend noise if { path /noise }\n  default_backend gone\n"
                     "backend slow\n  server a 127.0.0.1:9001\nbackend noise\n  server a 127.0.0.1:9002\n"
                     "backend gone\n  server a 127.0.0.1:9003\n", 8102)
    with lab.capture("m"):
        contrast(lab)
        expect(web.curl(lab, "http://@:8102/slow", "http://@:8102/noise", "http://@:8102/gone"), "504 502 503")
        contrast(lab)


@scenario("chunk-cut", "a server ends in the middle of a chunked answer, by FIN and by RST; another through nginx")
def chunk_cut(lab):
    lab.start()

    def handle(conn, _peer):
        data = peers.read_request(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/csv\r\n\r\n"
                     b"64\r\n" + b"044001900111,1280.50\n" * 3)
        time.sleep(0.2)
        if b"/reset" in data:
            peers.linger0(conn)
        conn.close()
    usual(lab, peers.http_server(lab, 8101, extra="location /export { proxy_pass http://127.0.0.1:9001; "
                                                  "proxy_buffering off; proxy_http_version 1.1; }"))
    peers.listen(lab, 9001, handle, ip="127.0.0.1")
    peers.listen(lab, 8201, handle)
    with lab.capture("m"):
        contrast(lab)
        for port, path in ((8201, "/export/a"), (8201, "/reset"), (8101, "/export/b")):
            with peers.connect(lab, port) as s:
                s.sendall(request(path))
                with contextlib.suppress(OSError):
                    while s.recv(4096):
                        pass
        contrast(lab)


@scenario("web-usual", "304, HEAD with a length, 100-continue, 204, redirects, a missing favicon, pipelining: all is well")
def web_usual(lab):
    lab.start()
    usual(lab, peers.http_server(lab, 8101, extra="if_modified_since before; location /up { client_max_body_size 1m; return 204; } "
                                                  "location /old { return 301 https://inv.example.cn/; }"))

    def accept(conn, _peer):
        with conn:
            head = conn.recv(4096)
            conn.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            left = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
            while left > 0:
                left -= len(conn.recv(4096))
            conn.sendall(peers.answer(status="201 Created"))
    peers.listen(lab, 8201, accept)
    with lab.capture("m"):
        contrast(lab)
        expect(web.curl(lab, "-H", "If-Modified-Since: Tue, 01 Jan 2030 00:00:00 GMT", "http://@:8101/300.json", "http://@:8101/2000.json"), "304 304")
        expect(web.curl(lab, "-I", "http://@:8101/20000.json", "http://@:8101/300.json"), "200 200")
        expect(web.curl(lab, "-X", "POST", "-d", "a=b", "http://@:8101/up", "http://@:8101/up"), "204 204")
        expect(web.curl(lab, "http://@:8101/old", "http://@:8101/favicon.ico"), "301 404")
        expect(web.curl(lab, "-H", "Expect: 100-continue", "-d", "x" * 3000, "http://@:8201/api/v1/upload"), "201")
        with peers.connect(lab, 8101) as s:
            s.sendall(request("/300.json") + request("/api/v1/orders") + request("/2000.json"))
            found = b""
            while found.count(b"HTTP/1.1 200") < 3 or len(found) < 2800:
                found += s.recv(8192)
        contrast(lab)


@scenario("web-socket", "an upgrade to WebSocket that then stays quiet for 5 s, and the client leaves")
def web_socket(lab):
    lab.start()
    usual(lab)

    def handle(conn, _peer):
        with conn:
            peers.read_request(conn)
            conn.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x05hello")
            while conn.recv(100):
                conn.sendall(b"\x81\x02ok")
    peers.listen(lab, 8092, handle)
    with lab.capture("m"):
        contrast(lab)
        with peers.connect(lab, 8092) as s:
            s.sendall(request("/ws/notify", extra="Connection: Upgrade\r\nUpgrade: websocket\r\n"
                              "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"))
            s.recv(1000)
            s.sendall(b"\x81\x85\x01\x02\x03\x04igoh\x6e")
            s.recv(100)
            time.sleep(5)
            s.sendall(b"\x88\x80\x01\x02\x03\x04")
        contrast(lab)


@scenario("event-stream", "server-sent events for 6 s, each second one; then the client leaves")
def event_stream(lab):
    lab.start()
    usual(lab)

    def handle(conn, _peer):
        peers.read_request(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(20):
            time.sleep(1)
            conn.sendall(b"0d\r\ndata: paid\n\n\n\r\n")
    peers.listen(lab, 8093, handle)
    with lab.capture("m"):
        contrast(lab)
        with peers.connect(lab, 8093) as s:
            s.sendall(request("/api/v1/feed", extra="Accept: text/event-stream\r\n"))
            until = time.monotonic() + 6
            while time.monotonic() < until:
                s.recv(500)
        contrast(lab)


@scenario("probes", "load balancers ask /health of two services each half second on new connections; one has nothing there")
def probes(lab):
    lab.start(delay_ms=2)
    usual(lab, peers.http_server(lab, 8101, extra="location /health { return 200 up; }"),
          peers.http_server(lab, 8101, ip=SERVER2, extra="location /health { return 200 up; }"))
    with lab.capture("m"):
        contrast(lab)
        for _ in range(8):
            for ip in (SERVER, SERVER2):
                expect(web.talk(lab, 8101, [request("/health", host="lb", close=True)], src=CLIENTS4[3], ip=ip)[0], "200")
            time.sleep(0.5)
        contrast(lab)


@scenario("token-in-tls", "passwords and tokens inside TLS, and cookies, form tokens and page ids in clear: nothing is exposed")
def token_in_tls(lab):
    lab.start()
    usual(lab)
    web.serve(lab, 8201, lambda d: peers.answer(b'<input name="csrf_token" value="8c1f5d20aa">',
                                                extra="Set-Cookie: JSESSIONID=41F0C2D97B; Path=/\r\n"))
    with lab.capture("m"):
        contrast(lab)
        for extra in (bearer(web.jwt(3600)), "Authorization: " + web.basic("erp", "Invoice2026") + "\r\n"):
            context = peers.client_context(lab)
            with context.wrap_socket(peers.connect(lab, 443), server_hostname=NAME) as t:
                t.sendall(request("/api/v1/invoices?access_token=4be1c07792f84f3e", extra=extra))
                expect(peers.read_answer(t).decode(), "200")
        form = b"csrf_token=8c1f5d20aa&title=password+reset&page=token"
        expect(" ".join(web.talk(lab, 8201, [
            request("/form?next=/login&page=3", extra="Cookie: JSESSIONID=41F0C2D97B; theme=dark\r\n"),
            f"POST /form HTTP/1.1\r\nHost: {NAME}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(form)}\r\n\r\n".encode() + form,
            request("/help/password-rules")])), "200 OK HTTP/1.1 200 OK HTTP/1.1 200")
        contrast(lab)


@scenario("token-in-host", "a service and its sidecar on one host pass tokens and passwords over the loopback interface")
def token_in_host(lab):
    lab.start()
    usual(lab)
    web.serve(lab, 8201, lambda d: peers.answer(), ip="127.0.0.1")
    lab.capture_on("s", "lo")
    time.sleep(0.2)
    for extra in (bearer(web.jwt(3600)), "Authorization: " + web.basic("erp", "Invoice2026") + "\r\n"):
        with peers.connect(lab, 8201, ip="127.0.0.1", src="127.0.0.1", ns="s") as s:
            s.sendall(request("/api/v1/reconcile", extra=extra))
            expect(peers.read_answer(s).decode(), "200")
    lab.end_captures()


@scenario("stale-poller", "a poller offers the same refused token twelve times, another asks without any: nobody guesses")
def stale_poller(lab):
    lab.start()
    usual(lab)
    web.serve(lab, 8201, lambda d: UNAUTHORIZED)
    with lab.capture("m"):
        contrast(lab)
        for _ in range(12):
            expect(web.talk(lab, 8201, [request("/api/v1/poll", extra=bearer("90ab12cd34ef56aa"))])[0], "401")
            expect(web.talk(lab, 8201, [request("/api/v1/state")], src=CLIENTS4[1])[0], "401")
        contrast(lab)


@scenario("typing-error", "a user mistypes a password twice and is let in at the third attempt")
def typing_error(lab):
    lab.start()
    usual(lab)

    def judge(data):
        return peers.answer() if b"Summer2026" in data else peers.answer(b'{"code":401}', "401 Unauthorized")
    web.serve(lab, 8087, judge)
    with lab.capture("m"):
        contrast(lab)
        for word, status in (("summer2026", "401"), ("Sumer2026", "401"), ("Summer2026", "200")):
            body = json.dumps({"username": "finance", "password": word}).encode()
            expect(web.talk(lab, 8087, [request("/api/v1/login", method="POST", body=body)])[0], status)
            time.sleep(0.4)
        contrast(lab)


@scenario("counted", "requests that nginx's own log counts, kept alive and not: 200, 204, 302, 404")
def counted(lab):
    lab.start()
    usual(lab, peers.http_server(lab, 8101, extra=f"access_log {lab.work}/counted.log; location /none {{ return 204; }} "
                                                  "location = /go { return 302 /api/v1/orders; }"))
    with lab.capture("m"):
        web.talk(lab, 8101, [request(p) for p in ("/300.json", "/gone", "/none", "/go", "/2000.json")] * 4)
        for _ in range(5):
            web.curl(lab, "-L", "http://@:8101/go", "http://@:8101/300.json")
    with open(f"{lab.work}/counted.log") as f:
        statuses = [line.split('" ')[1].split()[0] for line in f]
    print("nginx counted", " ".join(f"{s}={statuses.count(s)}" for s in sorted(set(statuses))))
