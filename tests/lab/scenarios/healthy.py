"""Healthy traffic, and captures whose own shape tempts to accuse somebody."""
import socket
import ssl
import struct
import time

import bridge
import peers
from net import CLIENT, CLIENTS4, NAME, SERVER, SERVER6
from peers import expect
from runner import scenario
from scenarios.reach import contrast, usual
from scenarios.way import bulk


def tls_sessions(lab, **options):
    expect(peers.https(lab, **options), "200")
    expect(peers.https(lab, context=peers.client_context(lab, high=ssl.TLSVersion.TLSv1_2), **options), "200")


@scenario("healthy-tls", "TLS 1.3 and TLS 1.2 sessions with nginx, each with a request and an answer")
def healthy_tls(lab):
    lab.start()
    usual(lab, peers.tls_server(lab, 8443))
    with lab.capture("cms"):
        tls_sessions(lab)
        tls_sessions(lab, port=8443, src=CLIENTS4[1])


@scenario("healthy-ipv6", "TLS and HTTP over IPv6")
def healthy_ipv6(lab):
    lab.start(ipv6=True)
    peers.nginx(lab, peers.tls_server(lab, ip=SERVER6) + peers.http_server(lab, ip=SERVER6))
    with lab.capture("m"):
        tls_sessions(lab, ip=SERVER6)
        expect(peers.http(lab, ip=SERVER6), "200")
        expect(peers.http(lab, ip=SERVER6), "200")
    lab.as_pcapng()


@scenario("healthy-vlan", "TLS and HTTP behind an 802.1Q tag (VLAN 210)")
def healthy_vlan(lab):
    lab.start(vlan=210)
    usual(lab)
    with lab.capture("m"):
        tls_sessions(lab)
        contrast(lab)


@scenario("resumption", "TLS 1.3 and 1.2 sessions, each resumed once")
def resumption(lab):
    lab.start()
    usual(lab)
    with lab.capture("m"):
        for high in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
            context = peers.client_context(lab, high=high)
            session = None
            for _ in range(2):
                with context.wrap_socket(peers.connect(lab, 443), server_hostname=NAME, session=session) as t:
                    t.sendall(peers.request())
                    expect(peers.read_answer(t).decode(), "200 OK")
                    if session is not None and not t.session_reused:
                        raise RuntimeError("not resumed")
                    session = t.session


@scenario("rst-after-answer", "the client ends keep-alive connections by RST after complete answers (LINGER 0)")
def rst_after_answer(lab):
    lab.start()
    usual(lab)
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:3]:
            s = peers.connect(lab, 8080, src=src)
            for _ in range(2):
                s.sendall(peers.request())
                expect(peers.read_answer(s).decode(), "200 OK")
            peers.abort(s)
        contrast(lab)


@scenario("server-linger0", "the server sends complete answers and closes by RST instead of FIN")
def server_linger0(lab):
    lab.start()
    usual(lab)

    def handle(conn, _peer):
        peers.read_request(conn)
        conn.sendall(peers.answer(extra="Connection: close\r\n"))
        time.sleep(0.1)
        peers.abort(conn)
    peers.listen(lab, 8101, handle)
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:3]:
            expect(peers.http(lab, 8101, src=src), "200")
            time.sleep(0.15)
        contrast(lab)


@scenario("tls-close-rst", "TLS clients close while the server's close_notify is on its way: bare RSTs after their FIN")
def tls_close_rst(lab):
    lab.start()
    usual(lab)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(lab.pki.path("leaf.chain"), lab.pki.path("leaf.key"))

    def handle(conn, _peer):
        with server.wrap_socket(conn, server_side=True) as t:
            peers.read_request(t)
            t.sendall(peers.answer())
            time.sleep(0.05)
            t.unwrap()
    peers.listen(lab, 8443, handle)
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:3]:
            t = peers.client_context(lab).wrap_socket(peers.connect(lab, 8443, src=src), server_hostname=NAME)
            t.sendall(peers.request())
            expect(peers.read_answer(t).decode(), "200 OK")
            t.close()
            time.sleep(0.15)
        contrast(lab)


@scenario("health-checks", "a load balancer opens 8080 every second and closes by RST without a byte (SYN, SYN-ACK, RST)")
def health_checks(lab):
    lab.start(delay_ms=2)
    usual(lab)
    eth = bytes.fromhex("5254000a0101" + "5254000a010b")
    # A half-open probe: the probing host's kernel knows nothing of it and resets by itself.
    with lab.capture("m"):
        contrast(lab)
        raw = lab.socket("c", socket.AF_PACKET, socket.SOCK_RAW)
        raw.bind(("c0", 0))
        for i in range(6):
            raw.send(bridge.build_tcp4(eth, CLIENTS4[3], SERVER, 52000 + i, 8080, 900000 + 4099 * i, 0, bridge.SYN,
                                       window=1024, ident=4711 + i, options=b"\x02\x04\x05\xb4"))
            time.sleep(0.5)
            s = peers.connect(lab, 8080, src=CLIENTS4[2])
            peers.abort(s)
            time.sleep(0.5)
        raw.close()
        contrast(lab)


@scenario("happy-eyeballs", "the client races IPv6 and IPv4; IPv6 answers late, loses and is reset without data")
def happy_eyeballs(lab):
    def rule(f, now):
        return [(0.4, f.direction, f.raw)] if f.tcp and ":" in f.dst and f.flags & bridge.SYN else None
    lab.start(ipv6=True, rule=rule)
    peers.nginx(lab, peers.tls_server(lab) + peers.tls_server(lab, ip=SERVER6))
    with lab.capture("m"):
        for _ in range(2):
            loser = lab.socket("c", socket.AF_INET6)
            loser.setblocking(False)
            loser.connect_ex((SERVER6, 443))
            time.sleep(0.25)
            expect(peers.https(lab), "200")
            loser.close()
            time.sleep(0.6)
        expect(peers.https(lab), "200")


@scenario("midstream", "the capture starts and ends in the middle of long connections")
def midstream(lab):
    lab.start()
    usual(lab)
    peers.listen(lab, 8201, peers.http_handler())
    context = peers.client_context(lab)
    pool = [peers.connect(lab, 8201, src=src) for src in CLIENTS4[:2]]
    pool.append(context.wrap_socket(peers.connect(lab, 443), server_hostname=NAME))

    def ask():
        for s in pool:
            s.sendall(peers.request())
            expect(peers.read_answer(s).decode(), "200 OK")
    ask()
    with lab.capture("m"):
        for _ in range(3):
            ask()
            time.sleep(0.3)
        contrast(lab)


@scenario("ends-after-syn", "the capture ends right after a SYN to 8443, which was answered later: accuse nobody")
def ends_after_syn(lab):
    def rule(f, now):
        return [(3.0, f.direction, f.raw)] if f.port(8443) else None
    lab.start(rule=rule)
    usual(lab, peers.tls_server(lab, 8443))
    with lab.capture("c"):
        expect(peers.https(lab), "200")
        s = lab.socket("c")
        s.setblocking(False)
        s.connect_ex((SERVER, 8443))
        time.sleep(0.2)


@scenario("giants", "captured on hosts with offloading: segments larger than the MTU, unfilled checksums")
def giants(lab):
    lab.start(offload=True)
    peers.nginx(lab, peers.tls_server(lab) + peers.http_server(lab))
    with lab.capture("s"):
        for path in ("/60000.json", "/20000.json", "/300.json"):
            expect(peers.http(lab, 8080, path), "200")
        contrast(lab)


@scenario("long-poll", "a long poll that the server answers after 4 s, four times; the others at once")
def long_poll(lab):
    lab.start()
    usual(lab)

    def handle(conn, _peer):
        with conn:
            while True:
                data = peers.read_request(conn)
                if not data:
                    return
                time.sleep(4 if b"/notifications/poll" in data else 0)
                conn.sendall(peers.answer(extra="Cache-Control: no-store\r\n"))
    peers.listen(lab, 8081, handle)
    with lab.capture("m"):
        contrast(lab)
        s = peers.connect(lab, 8081)
        for _ in range(4):
            s.sendall(peers.request("/api/v1/notifications/poll?timeout=4"))
            expect(peers.read_answer(s).decode(), "200 OK")
        s.close()
        contrast(lab)


@scenario("keepalives", "idle connections kept open by TCP keep-alive probes for 8 s, then used again")
def keepalives(lab):
    lab.start()
    usual(lab)
    peers.listen(lab, 8201, peers.http_handler())
    with lab.capture("m"):
        contrast(lab)
        pool = [peers.connect(lab, 8201, src=src) for src in CLIENTS4[:2]]
        for s in pool:
            for option, value in ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1), (socket.TCP_KEEPCNT, 5)):
                s.setsockopt(socket.IPPROTO_TCP, option, value)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for pause in (8, 0):
            for s in pool:
                s.sendall(peers.request())
                expect(peers.read_answer(s).decode(), "200 OK")
            time.sleep(pause)
        for s in pool:
            s.close()
        contrast(lab)


@scenario("server-closes-idle", "the server closes idle keep-alive connections with FIN after 2 s; the client follows")
def server_closes_idle(lab):
    lab.start()
    usual(lab, peers.http_server(lab, 8201, extra="keepalive_timeout 2s;"))
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:2]:
            s = peers.connect(lab, 8201, src=src)
            s.sendall(peers.request())
            expect(peers.read_answer(s).decode(), "200 OK")
            if s.recv(10) != b"":
                raise RuntimeError("data instead of FIN")
            s.close()
        contrast(lab)


@scenario("retried", "a connection is refused while the service restarts; the retry a second later succeeds")
def retried(lab):
    lab.start()
    usual(lab)
    with lab.capture("m"):
        contrast(lab)
        peers.try_connect(lab, 8201)
        peers.listen(lab, 8201, peers.http_handler())
        time.sleep(1)
        expect(peers.http(lab, 8201), "200")
        expect(peers.http(lab, 8201), "200")
        contrast(lab)


@scenario("challenge-401", "HTTP 401 challenges, each followed by a request with credentials and a 200")
def challenge_401(lab):
    lab.start()
    usual(lab)

    def handle(conn, _peer):
        with conn:
            while True:
                data = peers.read_request(conn)
                if not data:
                    return
                if b"\r\nAuthorization: Digest" in data:
                    conn.sendall(peers.answer())
                else:
                    conn.sendall(peers.answer(b"", "401 Unauthorized", 'WWW-Authenticate: Digest realm="invoice", '
                                              'nonce="5f1c", qop="auth"\r\n'))
    peers.listen(lab, 8091, handle)
    login = 'Authorization: Digest username="erp", realm="invoice", nonce="5f1c", uri="/", response="0a1b"\r\n'
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:2]:
            s = peers.connect(lab, 8091, src=src)
            for extra in ("", login, login):
                s.sendall(peers.request(extra=extra))
                peers.read_answer(s)
            s.close()
        contrast(lab)


@scenario("snaplen", "a capture with 96 bytes a packet: TLS and HTTP are cut, nothing is wrong")
def snaplen(lab):
    lab.start()
    usual(lab)
    with lab.capture("m", snaplen=96):
        tls_sessions(lab)
        contrast(lab, 4)


@scenario("one-sided", "only the packets towards the server were captured")
def one_sided(lab):
    lab.start()
    usual(lab)
    with lab.capture("m", expression=f"dst host {SERVER}"):
        tls_sessions(lab)
        contrast(lab, 4)


@scenario("mirror", "a mirror port that delivers every packet twice")
def mirror(lab):
    lab.start()
    usual(lab)
    # A wire that nobody uses but for the copies: the bridge puts each frame of the way on it twice.
    lab.link("m", "p0", "52:54:00:0a:03:01", "m", "p1", "52:54:00:0a:03:02")
    with lab.inside("m"):
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    tap.bind(("t1", 0))
    out.bind(("p0", 0))

    def copy():
        tap.settimeout(0.2)
        while not lab.stopping.is_set():
            try:
                raw = tap.recv(65600)
            except OSError:
                continue
            out.send(raw)
            out.send(raw)
    lab.thread(copy)
    lab.capture_on("m", "p1")
    time.sleep(0.2)
    tls_sessions(lab)
    contrast(lab)
    lab.end_captures()


def missed(path, keep):
    """Takes frames out of a finished capture, as a tap that was too slow would."""
    with open(path, "rb") as f:
        raw = f.read()
    out, at, number = raw[:24], 24, 0
    while at < len(raw):
        size = struct.unpack_from("<I", raw, at + 8)[0]
        number += 1
        data = raw[at + 16:at + 16 + size]
        if keep(number, bridge.Frame(data, ">")):
            out += raw[at:at + 16 + size]
        at += 16 + size
    with open(path, "wb") as f:
        f.write(out)


@scenario("synack-missed", "the network is well, the capture missed the SYN-ACKs of two connections")
def synack_missed(lab):
    lab.start()
    usual(lab)
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[1:3]:
            expect(peers.https(lab, src=src), "200")
        contrast(lab)
    missed(lab.taps[0][1], lambda n, f: not (f.tcp and f.flags & bridge.SYN and f.flags & bridge.ACK
                                             and f.dst in CLIENTS4[1:3]))


@scenario("capture-loss", "the network is well, the capture missed one frame in ten of a transfer")
def capture_loss(lab):
    bulk(lab, "m", size=40000)
    seen = {"n": 0}

    def keep(_n, f):
        if f.tcp and f.sport == 8201 and f.payload:
            seen["n"] += 1
            return seen["n"] % 10 != 5
        return True
    missed(lab.taps[0][1], keep)


@scenario("upload-continue", "a large upload with Expect: 100-continue, answered after the upload")
def upload_continue(lab):
    lab.start()
    usual(lab)

    def handle(conn, _peer):
        with conn:
            head = conn.recv(4096)
            conn.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            got = 0
            while got < 12000:
                got += len(conn.recv(8192))
            conn.sendall(peers.answer())
            if b"Expect" not in head:
                raise OSError
    peers.listen(lab, 8201, handle)
    with lab.capture("m"):
        for src in CLIENTS4[:2]:
            s = peers.connect(lab, 8201, src=src)
            head = peers.request("/api/v1/upload", method="POST", extra="Expect: 100-continue\r\nContent-Length: 12000\r\n")
            s.sendall(head)
            expect(s.recv(4096).decode(), "100 Continue")
            for _ in range(6):
                s.sendall(b"u" * 2000)
                time.sleep(0.7)
            expect(peers.read_answer(s).decode(), "200 OK")
            s.close()
        contrast(lab)


@scenario("curl-h2", "curl with HTTP/2 and HTTP/1.1 keep-alive against nginx, several requests each")
def curl_h2(lab):
    lab.start()
    peers.nginx(lab, peers.tls_server(lab).replace("443 ssl", "443 ssl http2") + peers.http_server(lab))
    with lab.capture("m"):
        for words in (["--http2"], ["--http1.1"]):
            url = f"https://{NAME}/api/v1/invoices"
            lab.exec("c", "curl", "-sS", *words, "--interface", CLIENT, "--resolve", f"{NAME}:443:{SERVER}", "--cacert",
                     lab.pki.path("root.crt"), url, url + "/2", f"https://{NAME}/2000.json")
        lab.exec("c", "curl", "-sS", "--interface", CLIENT, "--resolve", f"{NAME}:8080:{SERVER}",
                 f"http://{NAME}:8080/api/a", f"http://{NAME}:8080/20000.json")
