"""Faults above TCP: slow answers, gateway errors, a race on a kept-alive connection, TLS without encryption."""
import contextlib
import ssl
import time

import peers
from net import CLIENTS4, NAME
from peers import expect
from runner import scenario
from scenarios.reach import contrast, usual


@scenario("slow-response", "8201 answers six requests at once and then needs 4 s for three; other services stay quick")
def slow_response(lab):
    lab.start()
    usual(lab)
    pause = {"s": 0.02}

    def handle(conn, _peer):
        with conn:
            while peers.read_request(conn):
                time.sleep(pause["s"])
                conn.sendall(peers.answer())
    peers.listen(lab, 8201, handle)
    with lab.capture("ms"):
        contrast(lab)
        for _ in range(6):
            expect(peers.http(lab, 8201, "/api/v1/reconcile"), "200")
        pause["s"] = 4.0
        waiting = [lab.thread(lambda a=a: expect(peers.http(lab, 8201, "/api/v1/reconcile", src=a, timeout=9), "200"))
                   for a in CLIENTS4[:3]]
        for _ in range(3):
            time.sleep(1.5)
            contrast(lab, 1)
        for t in waiting:
            t.join()
        contrast(lab)


@scenario("server-errors", "a gateway answers 502 and 504 for a dead backend, and 500 once; connections are whole")
def server_errors(lab):
    lab.start()
    usual(lab, peers.http_server(lab, 8101, extra="location /a { return 502; } location /b { return 504; } "
                                                   "location /c { return 500; }"))
    with lab.capture("m"):
        contrast(lab)
        for path, status in (("/a/pay", "502"), ("/a/pay", "502"), ("/b/pay", "504"), ("/c/pay", "500")):
            expect(peers.http(lab, 8101, path), status)
        for _ in range(4):
            expect(peers.http(lab, 8101), "200")
        contrast(lab)


@scenario("keepalive-race", "the server closes an idle connection just while the next request is on its way")
def keepalive_race(lab):
    lab.start(delay_ms=40)
    usual(lab, peers.http_server(lab, 8201, extra="keepalive_timeout 2s;"))
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:2]:
            s = peers.connect(lab, 8201, src=src)
            s.sendall(peers.request())
            expect(peers.read_answer(s).decode(), "200 OK")
            # nginx's clock starts when its answer leaves, 40 ms before it is here: the request crosses the FIN.
            s.settimeout(1.975)
            with contextlib.suppress(TimeoutError):
                s.recv(10)
            s.settimeout(3)
            with contextlib.suppress(OSError):
                s.sendall(peers.request())
                peers.read_answer(s)
            s.close()
        contrast(lab)


@scenario("stale-pool", "nginx reloads and closes its idle connections; a client asks on two of them a second later all the same")
def stale_pool(lab):
    lab.start()
    usual(lab)
    with lab.capture("m"):
        contrast(lab)
        pool = [peers.connect(lab, 8080, src=src) for src in CLIENTS4[:3]]
        for s in pool:
            s.sendall(peers.request())
            expect(peers.read_answer(s).decode(), "200 OK")
        with open(f"{lab.work}/nginx.{lab.name}.s/pid") as f:
            lab.exec("s", "kill", "-HUP", f.read().strip())
        time.sleep(1.5)
        for s in pool[:2]:
            with contextlib.suppress(OSError):
                s.sendall(peers.request())
                peers.read_answer(s)
        for s in pool:
            s.close()
        contrast(lab)


@scenario("null-cipher", "8443 negotiates a suite without encryption (NULL-SHA256)")
def null_cipher(lab):
    lab.start()
    lab.pki.make("rsanull", NAME, names=[NAME], key="rsa:2048")
    usual(lab)
    peers.openssl_server(lab, 8443, "-tls1_2", "-cipher", "NULL-SHA256:@SECLEVEL=0", cert="rsanull")
    context = peers.client_context(lab, high=ssl.TLSVersion.TLSv1_2, ciphers="NULL-SHA256:@SECLEVEL=0")
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:2]:
            expect(peers.https(lab, 8443, "/", context=context, src=src), "200")
        contrast(lab)
