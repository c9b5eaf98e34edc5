"""Services against their objectives: errors, response times, a switch between backends, uneven load; and what
only looks like a miss."""
import socket
import time

import peers
from net import CLIENTS4, SERVER, SERVER2
from peers import expect
from runner import scenario
from scenarios.reach import contrast, usual


def app(think, status=lambda n: "200 OK", body=b'{"code":0,"msg":"ok"}'):
    """An application that thinks think(n) seconds about its n-th request and answers status(n)."""
    counted = {"n": 0}

    def handle(conn, _peer):
        with conn:
            while peers.read_request(conn):
                counted["n"] += 1
                n = counted["n"]
                time.sleep(think(n))
                conn.sendall(peers.answer(body, status(n)))
    return handle


def ask(lab, port, count, paths=("/api/v1/orders",), clients=3, gap=0.02, ip=SERVER):
    """count requests in turn by the clients, each client on a connection of its own."""
    socks = [peers.connect(lab, port, src=src, ip=ip) for src in CLIENTS4[:clients]]
    for i in range(count):
        s = socks[i % clients]
        s.sendall(peers.request(paths[i % len(paths)]))
        expect(peers.read_answer(s).decode(), "HTTP/1.1")
        time.sleep(gap)
    for s in socks:
        s.close()


@scenario("service-errors", "8081 answers 503 to every seventh of 70 requests of three clients; connections are whole")
def service_errors(lab):
    lab.start()
    usual(lab)
    peers.listen(lab, 8081, app(lambda n: 0.005, lambda n: "503 Busy" if n % 7 == 0 else "200 OK"))
    with lab.capture("m"):
        contrast(lab)
        ask(lab, 8081, 70)
        contrast(lab)


@scenario("service-slow", "8082 thinks 5 ms, but 0.8 s about every fifth of 80 requests to one endpoint")
def service_slow(lab):
    lab.start()
    usual(lab)
    peers.listen(lab, 8082, app(lambda n: 0.8 if n % 5 == 0 else 0.005))
    with lab.capture("m"):
        contrast(lab)
        ask(lab, 8082, 80)
        contrast(lab)


@scenario("service-busy-fine", "8082 answers 90 requests in 5 to 30 ms; 4 of another endpoint take 0.9 s; 3 errors 404")
def service_busy_fine(lab):
    lab.start()
    usual(lab)
    peers.listen(lab, 8082, app(lambda n: 0.9 if n in (21, 42, 63, 84) else 0.005 + n % 6 * 0.005,
                                lambda n: "404 Not Found" if n in (7, 8, 9) else "200 OK"))
    with lab.capture("m"):
        contrast(lab)
        ask(lab, 8082, 94, paths=("/api/v1/orders",) * 20 + ("/api/v1/export",))
        contrast(lab)


@scenario("service-switch", "8083 of one server stops; two clients try it for 36 s, then go to the second server of the name")
def service_switch(lab):
    lab.start()
    usual(lab)
    first = peers.listen(lab, 8083, app(lambda n: 0.005))
    peers.listen(lab, 8083, app(lambda n: 0.005), ip=SERVER2)
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:2]:
            expect(peers.http(lab, 8083, src=src), "200")
        first.shutdown(socket.SHUT_RDWR)  # its accept() is asleep in another thread
        first.close()
        for i in range(6):
            expect(peers.http(lab, 8083, src=CLIENTS4[i % 2]), "no connection")
            contrast(lab, 1)
            time.sleep(6)
        for src in CLIENTS4[:2]:
            expect(peers.http(lab, 8083, src=src, ip=SERVER2), "200")
        contrast(lab)


@scenario("service-uneven", "of 66 connections by four clients to a name, one server gets 60 and the other 6")
def service_uneven(lab):
    lab.start()
    usual(lab)
    for ip in (SERVER, SERVER2):
        peers.listen(lab, 8084, app(lambda n: 0.005), ip=ip)
    with lab.capture("m"):
        contrast(lab)
        for i in range(66):
            ip = SERVER2 if i % 11 == 0 else SERVER
            expect(peers.http(lab, 8084, src=CLIENTS4[i % 4], ip=ip), "200")
            time.sleep(0.02)
        contrast(lab)


@scenario("service-stand-by", "of 66 connections by four clients the second server gets 6, all while the first one rests")
def service_stand_by(lab):
    lab.start()
    usual(lab)
    for ip in (SERVER, SERVER2):
        peers.listen(lab, 8084, app(lambda n: 0.005), ip=ip)
    with lab.capture("m"):
        contrast(lab)
        for i in range(66):
            ip = SERVER2 if 30 <= i < 36 else SERVER
            expect(peers.http(lab, 8084, src=CLIENTS4[i % 4], ip=ip), "200")
            time.sleep(0.02)
        contrast(lab)


