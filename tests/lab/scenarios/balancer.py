"""A real load balancer in front of servers of which some are down: its checks go on, its users notice nothing."""
import os
import time

import peers
import web
from net import CLIENT6, CLIENTS4, SERVER, SERVER2, SERVER6
from peers import expect, request
from runner import scenario
from scenarios.reach import usual

BALANCER = CLIENTS4[3]


def balance(lab, pools, source=BALANCER, inter="500ms"):
    """pools: (front port, check, backends); each backend an address and port."""
    text = ""
    for front, check, backends in pools:
        text += f"listen f{front}\n  bind 127.0.0.1:{front}\n  source {source}\n  option redispatch 1\n  {check}\n"
        for i, backend in enumerate(backends):
            text += f"  server b{i} {backend} check inter {inter} fall 2 rise 2\n"
    return web.haproxy(lab, text, pools[0][0], "c")


def ask_for(lab, port, seconds, strict=True):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            expect(web.talk(lab, port, [request(close=True)], src="127.0.0.1", ip="127.0.0.1")[0], "200")
        except (OSError, RuntimeError):
            if strict:
                raise
        time.sleep(0.37)


@scenario("lb-drained", "a balancer checks three servers of one pool and two of another by bare connects; one of each has nothing there")
def lb_drained(lab):
    lab.start(delay_ms=2)
    usual(lab, peers.http_server(lab, 8101), peers.http_server(lab, 8102, ip=SERVER2))
    with lab.capture("m"):
        balance(lab, [(7001, "mode tcp", [f"{SERVER}:8101", f"{SERVER2}:8101"]),
                      (7002, "mode tcp", [f"{SERVER2}:8102", f"{SERVER}:8103"])])
        ask_for(lab, 7001, 4)
        ask_for(lab, 7002, 1)


@scenario("lb-httpchk", "IPv6, tagged: a balancer asks GET /health of two servers and one that is down, on new connections")
def lb_httpchk(lab):
    lab.start(delay_ms=2, ipv6=True, vlan=210)
    usual(lab, peers.http_server(lab, 8101, extra="location /health { return 200 up; }", ip=SERVER6))
    lab.ip("s", "addr", "add", "2001:db8:51:100::21/64", "dev", "s0", "nodad")
    with lab.capture("m"):
        balance(lab, [(7001, "option httpchk GET /health",
                       [f"ipv6@{SERVER6}:8101", "ipv6@2001:db8:51:100::21:8101"])], source=f"{CLIENT6}:0")
        ask_for(lab, 7001, 4)


@scenario("lb-goes-down", "a balancer checks two servers by bare connects; one of them ends after two seconds")
def lb_goes_down(lab):
    lab.start(delay_ms=2)
    usual(lab, peers.http_server(lab, 8101))
    folder = os.path.join(lab.work, "www")
    os.makedirs(folder + "/api/v1")
    with open(folder + "/api/v1/orders", "w") as f:
        f.write('{"code":0,"msg":"ok"}')
    child = lab.spawn("s", "python3", "-m", "http.server", "8101", "--bind", SERVER2, "--directory", folder)
    time.sleep(1)
    with lab.capture("m"):
        balance(lab, [(7001, "mode tcp", [f"{SERVER}:8101", f"{SERVER2}:8101"])])
        ask_for(lab, 7001, 2)
        web.stop(child)
        ask_for(lab, 7001, 4, strict=False)


@scenario("retry-every-second", "a program tries again each second, the same second in which others are polled: its tries are no checks")
def retry_every_second(lab):
    lab.start(delay_ms=2)
    usual(lab, peers.http_server(lab, 8101))
    with lab.capture("m"):
        for _ in range(6):
            expect(web.talk(lab, 8101, [request("/api/v1/status", close=True)], src=BALANCER)[0], "200")
            peers.try_connect(lab, 8103, src=BALANCER)
            time.sleep(0.6)
