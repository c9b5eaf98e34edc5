"""Clocks that are off (faketime), programs on the wrong port, certificates of another environment."""
import os
import ssl as tls
import subprocess
import time

import peers
from net import CLIENT, CLIENTS4, NAME, SERVER, SERVER2
from peers import expect
from runner import scenario
from scenarios.apps import call, ssh, sshd
from scenarios.names import chrony, dnsmasq
from scenarios.reach import contrast


def ask(lab, count, *places):
    """Requests to (port, address) pairs by turns, more than a second apart."""
    for _ in range(count):
        for port, ip in places:
            expect(peers.http(lab, port, ip=ip), "200")
        time.sleep(1.1)


@scenario("clock-server-ahead", "one of two web servers has a clock that is an hour ahead; the other's is right")
def clock_server_ahead(lab):
    lab.start()
    peers.nginx(lab, peers.http_server(lab, 8080))
    peers.nginx(lab, peers.http_server(lab, 8080, ip=SERVER2), clock="+1h")
    with lab.capture("m"):
        ask(lab, 3, (8080, SERVER), (8080, SERVER2))


@scenario("clock-server-behind", "a web server is 90 s behind, and chrony's answers say that the capture is right")
def clock_server_behind(lab):
    lab.start()
    chrony(lab, "s", f"local stratum 3\nallow all\nbindaddress {SERVER}\n", "server")
    peers.nginx(lab, peers.http_server(lab, 8080, ip=SERVER2), clock="-90s")
    with lab.capture("m"):
        chrony(lab, "c", f"server {SERVER} iburst\nbindacqaddress {CLIENT}\n", "client")
        ask(lab, 3, (8080, SERVER2))


def shifted(path, seconds):
    """The same capture as a machine whose clock is off would have made it."""
    subprocess.run(["editcap", "-F", "pcap", "-t", str(seconds), path, path + ".new"], check=True)
    os.replace(path + ".new", path)


@scenario("clock-capture", "two web servers are right, the capture's own clock is three hours behind; so a certificate that "
                           "began an hour ago seems to begin in two")
def clock_capture(lab):
    lab.start()
    lab.pki.make("young", NAME, names=[NAME], start=-3600)
    peers.nginx(lab, peers.http_server(lab, 8080) + peers.http_server(lab, 8080, ip=SERVER2) +
                peers.tls_server(lab, 443, cert="young", protocols="TLSv1.2"))
    with lab.capture("m"):
        ask(lab, 3, (8080, SERVER), (8080, SERVER2))
        expect(peers.https(lab, context=peers.client_context(lab, high=tls.TLSVersion.TLSv1_2)), "200")
    for _, path in lab.taps:
        shifted(path, -3 * 3600)


@scenario("clock-client", "one client's clock is 8 h behind, as its ntpdig shows: to it a certificate of 3 h has not begun, it refuses it with "
                          "alert 42; others take it")
def clock_client(lab):
    lab.start()
    lab.pki.make("young", NAME, names=[NAME], start=-3 * 3600)
    peers.nginx(lab, peers.tls_server(lab, 443, cert="young", protocols="TLSv1.2"))
    chrony(lab, "s", f"local stratum 3\nallow all\nbindaddress {SERVER2}\n", "server")
    ca = lab.pki.path("root") + ".crt"

    def fetch(src, *before):
        return call(lab, *before, "curl", "-sS", "-m", "9", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", ca, "--interface", src,
                    "--resolve", f"{NAME}:443:{SERVER}", f"https://{NAME}/api/v1/a")
    late = ("faketime", "-f", "-8h")
    with lab.capture("m"):
        for src in CLIENTS4[1:3]:
            expect(fetch(src), "200")
        for _ in range(3):
            call(lab, *late, "ntpdig", "-t", "2", SERVER2)
            time.sleep(0.5)
        for _ in range(2):
            expect(fetch(CLIENTS4[0], *late), "not yet valid")
        expect(fetch(CLIENTS4[1]), "200")


@scenario("clock-python", "Python's http.server on 8091 is six minutes ahead; nginx beside it on another address is right")
def clock_python(lab):
    lab.start()
    peers.nginx(lab, peers.http_server(lab, 8080))
    lab.spawn("s", "faketime", "-m", "-f", "+6m", "python3", "-m", "http.server", "--bind", SERVER2, "8091", log="web")
    peers.wait_listen(lab, 8091)
    with lab.capture("m"):
        for _ in range(3):
            expect(peers.http(lab, 8080), "200")
            expect(peers.http(lab, 8091, "/", ip=SERVER2), "200")
            time.sleep(1.1)


@scenario("clock-cached", "a gateway gives a stored answer with its old Date again and again; two live servers agree")
def clock_cached(lab):
    lab.start()
    stale = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() - 5000))

    def handle(conn, _peer):
        with conn:
            while peers.read_request(conn):
                conn.sendall(peers.answer(extra=f"Date: {stale}\r\n"))
    peers.listen(lab, 8101, handle)
    peers.nginx(lab, peers.http_server(lab, 8080) + peers.http_server(lab, 8080, ip=SERVER2))
    with lab.capture("m"):
        ask(lab, 3, (8080, SERVER), (8080, SERVER2), (8101, SERVER))


@scenario("port-http-on-443", "nginx answers in clear on 443; nobody speaks TLS there")
def port_http_on_443(lab):
    lab.start()
    peers.nginx(lab, peers.http_server(lab, 443) + peers.tls_server(lab, 8443))
    with lab.capture("m"):
        for _ in range(3):
            expect(peers.http(lab, 443), "200")
            expect(peers.https(lab, 8443), "200")


@scenario("port-ssh-on-8080", "sshd listens where orders are expected")
def port_ssh_on_8080(lab):
    lab.start()
    peers.nginx(lab, peers.tls_server(lab))
    sshd(lab, port=8080)
    with lab.capture("m"):
        contrast(lab, 1)
        for _ in range(2):
            ssh(lab, "Port=8080", "PubkeyAuthentication=no", "NumberOfPasswordPrompts=0")
        peers.try_connect(lab, 8080)


@scenario("port-redis-on-8443", "redis listens where HTTPS is expected")
def port_redis_on_8443(lab):
    lab.start()
    peers.nginx(lab, peers.tls_server(lab))
    lab.spawn("s", "redis-server", "--bind", SERVER, "--port", "8443", "--save", "", "--protected-mode", "no")
    peers.wait_listen(lab, 8443)
    with lab.capture("m"):
        contrast(lab, 1)
        for word in ("PING", "INCR"):
            subprocess.run(["ip", "netns", "exec", lab.space("c"), "redis-cli", "-h", SERVER, "-p", "8443", word, "a"],
                           capture_output=True, timeout=20, check=True)
        contrast(lab, 1)


@scenario("port-healthy", "HTTPS on 8080, HTTP/1 health checks on the gRPC port, a plain request that 443 refuses with 400, "
                          "DNS over TCP: nothing on a wrong port")
def port_healthy(lab):
    lab.start()
    dnsmasq(lab, f"--host-record={NAME},{SERVER}")
    peers.nginx(lab, peers.tls_server(lab) + peers.tls_server(lab, 8080) + peers.http_server(lab, 6443) +
                peers.http_server(lab, 8101) + peers.tls_server(lab, 8201))
    with lab.capture("m"):
        for _ in range(2):
            expect(peers.https(lab), "200")
            expect(peers.https(lab, 8080), "200")
            expect(peers.http(lab, 6443), "200")
            expect(peers.http(lab, 8101), "200")
            expect(peers.https(lab, 8201), "200")
        expect(peers.http(lab, 443), "400")
        subprocess.run(["ip", "netns", "exec", lab.space("c"), "dig", f"@{SERVER}", "-b", CLIENT, "+tcp", NAME],
                       capture_output=True, timeout=20, check=True)
