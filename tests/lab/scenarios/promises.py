"""Services and what they promise: heartbeats that end, more than the ceiling, late answers, handshakes in vain, errors;
and beside each what only looks like it."""
import time

import peers
import web
from net import CLIENTS4, NAME, SERVER
from runner import scenario
from scenarios.objectives import app, ask


def beat(lab, count, period, *words, src=CLIENTS4[0]):
    """curl by the clock, as cron or an agent does."""
    begin = time.monotonic()
    for i in range(count):
        time.sleep(max(0.0, begin + i * period - time.monotonic()))
        web.curl(lab, *words, src=src)


# --- heartbeats ------------------------------------------------------------------------------------------------------
@scenario("heartbeat-stopped", "an agent calls nginx each 30 s, over TLS on new connections; after six calls it is dead; another "
                               "client's calls come later and later", longest=420)
def heartbeat_stopped(lab):
    lab.start()
    ca = lab.pki.path("root") + ".crt"
    peers.nginx(lab, peers.tls_server(lab) + peers.http_server(lab, 8081))
    with lab.capture("m"):
        agents = [lab.thread(beat, lab, 6, 30, "--cacert", ca, "--resolve", f"{NAME}:443:{SERVER}", f"https://{NAME}/api/v1/heartbeat"),
                  lab.thread(lambda: beat(lab, 6, 30, "http://@:8081/api/v1/heartbeat", src=CLIENTS4[1]))]
        for t in agents:
            t.join()
        for wait in (37, 23, 41, 9):
            time.sleep(wait)
            web.curl(lab, "http://@:8081/api/v1/orders", src=CLIENTS4[2])
        time.sleep(1)


@scenario("heartbeat-steady", "beats of 30 s that jitter, one left out, two in a restart; and work that comes six times and ends "
                              "without being a beat", longest=420)
def heartbeat_steady(lab):
    lab.start()
    peers.nginx(lab, peers.tls_server(lab) + peers.http_server(lab, 8081) + peers.http_server(lab, 8082))

    def jitter(skip, src):
        begin = time.monotonic()
        for i in range(11):
            time.sleep(max(0.0, begin + i * 30 + (0.0, 1.2, -1.0)[i % 3] - time.monotonic()))
            if i not in skip:
                web.curl(lab, "http://@:8081/api/v1/heartbeat", src=src)

    def work():
        for wait in (14, 47, 22, 61, 33, 19):
            time.sleep(wait)
            web.curl(lab, "http://@:8082/api/v1/report", src=CLIENTS4[2])
    with lab.capture("m"):
        for t in [lab.thread(jitter, (7,), CLIENTS4[0]), lab.thread(jitter, (6, 7), CLIENTS4[1]), lab.thread(work)]:
            t.join()


@scenario("heartbeat-named", "the profile names a beat of 5 s of two haproxy services; one agent pauses for 21 s, the other goes on")
def heartbeat_named(lab):
    lab.start()
    web.haproxy(lab, f"frontend a\n  bind {SERVER}:8081\n  http-request return status 200\n"
                f"frontend b\n  bind {SERVER}:8082\n  http-request return status 200\n", 8081)
    with lab.capture("m"):
        steady = lab.thread(lambda: beat(lab, 10, 5, "http://@:8082/beat", src=CLIENTS4[1]))
        beat(lab, 4, 5, "http://@:8081/beat")
        time.sleep(21)
        beat(lab, 2, 5, "http://@:8081/beat")
        steady.join()


# --- ceilings --------------------------------------------------------------------------------------------------------
def rush(lab, port, count, gap, src, ip=SERVER):
    with peers.connect(lab, port, src=src, ip=ip) as s:
        for _ in range(count):
            s.sendall(b"GET /q HTTP/1.1\r\nHost: a\r\n\r\n")
            s.recv(4096)
            time.sleep(gap)


@scenario("overload", "three services of nginx, haproxy and a program, each promised 6 requests a second: 9 a second for 7 s "
                      "reach two of them, the third gets a burst of 20 and rests")
def overload(lab):
    lab.start(delay_ms=1)
    peers.nginx(lab, peers.http_server(lab, 8081, extra="location /q { return 204; }"))
    web.haproxy(lab, f"frontend a\n  bind {SERVER}:8082\n  http-request return status 204\n"
                f"frontend b\n  bind {SERVER}:8083\n  http-request return status 204\n", 8082)
    with lab.capture("m"):
        runs = [lab.thread(rush, lab, 8081, 62, 0.1, CLIENTS4[0]), lab.thread(rush, lab, 8082, 62, 0.1, CLIENTS4[1]),
                lab.thread(rush, lab, 8083, 20, 0.01, CLIENTS4[2])]
        for t in runs:
            t.join()
        time.sleep(1)


# --- answers ---------------------------------------------------------------------------------------------------------
@scenario("slo-proxied", "haproxy before a program that thinks 0.7 s about each sixth of 62 requests")
def slo_proxied(lab):
    lab.start()
    peers.listen(lab, 8070, app(lambda n: 0.7 if n % 6 == 0 else 0.005), ip="127.0.0.1")
    web.haproxy(lab, f"frontend a\n  bind {SERVER}:8082\n  default_backend b\nbackend b\n  server s 127.0.0.1:8070\n", 8082)
    with lab.capture("m"):
        ask(lab, 8082, 62, gap=0)
