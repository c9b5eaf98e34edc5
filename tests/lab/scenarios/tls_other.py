"""Other servers that close, hang, crash or hear clear text, and healthy TLS that looks odd."""
import contextlib
import os
import signal
import ssl
import subprocess
import time

import peers
from net import CLIENTS4, NAME, SERVER
from peers import expect
from runner import scenario
from scenarios.reach import contrast, usual
from scenarios.tls import Client, drain, haproxy, program


def relay(lab, port, rules):
    """haproxy that passes TLS on to 443, after these rules."""
    path = os.path.join(lab.work, f"relay.{lab.name}.{port}.cfg")
    with open(path, "w", encoding="ascii") as f:
        f.write(f"global\n  maxconn 50\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 20s\n  timeout server 20s\n"
                f"frontend in\n  bind {SERVER}:{port}\n  tcp-request inspect-delay 3s\n{rules}  default_backend out\n"
                f"backend out\n  server one {SERVER}:443\n")
    lab.spawn("s", "haproxy", "-f", path, "-db")
    peers.wait_listen(lab, port)


@scenario("tls-relay-closes", "haproxy refuses the hellos of 8443 by what it reads in them, and closes; those of 8444 pass")
def tls_relay_closes(lab):
    lab.start()
    usual(lab)
    relay(lab, 8443, "  tcp-request content reject if { req.ssl_hello_type 1 }\n")
    relay(lab, 8444, "  tcp-request content accept if { req.ssl_hello_type 1 }\n")
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:2]:
            expect(peers.https(lab, 8443, src=src), "EOF", "Reset")
        expect(peers.https(lab, 8444), "200")
        contrast(lab)


@scenario("tls-stopped", "the process of openssl s_server on 8443 is stopped: the kernel acknowledges hellos, nobody answers")
def tls_stopped(lab):
    lab.start()
    usual(lab)
    child = peers.openssl_server(lab, 8443)
    with lab.capture("m"):
        contrast(lab)
        expect(peers.https(lab, 8443), "200")
        child.send_signal(signal.SIGSTOP)
        for src in CLIENTS4[:2]:
            expect(program(lab, "timeout", "4", "openssl", "s_client", "-connect", f"{SERVER}:8443", "-bind", f"{src}:0",
                           "-servername", NAME, "-brief"), "")
            contrast(lab, 1)
        child.send_signal(signal.SIGCONT)
        contrast(lab)


@scenario("tls-crashed", "openssl s_server on 8443 is killed with a hello unread: the kernel resets; a new one is started")
def tls_crashed(lab):
    lab.start()
    usual(lab)
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:2]:
            child = peers.openssl_server(lab, 8443)
            expect(peers.https(lab, 8443, src=src), "200")
            child.send_signal(signal.SIGSTOP)
            c = Client(lab, 8443, src=src)
            c.hello()
            time.sleep(0.3)
            child.kill()
            child.wait()
            drain(c.socket, 0.3)
            c.socket.close()
        peers.openssl_server(lab, 8443)
        expect(peers.https(lab, 8443), "200")
        contrast(lab)


@scenario("tls-plain-others", "clear text to TLS ports of haproxy (8443), stunnel (8444) and GnuTLS (8445); hellos to haproxy without TLS (8101)")
def tls_plain_others(lab):
    lab.start()
    usual(lab)
    haproxy(lab, 8443, "")
    path = os.path.join(lab.work, "plain.stunnel.conf")
    with open(path, "w", encoding="ascii") as f:
        f.write(f"foreground = yes\nsyslog = no\npid =\n[in]\naccept = {SERVER}:8444\nconnect = {SERVER}:8080\n"
                f"cert = {lab.pki.path('leaf.both')}\n")
    with open(lab.pki.path("leaf.both"), "w", encoding="ascii") as out:
        for part in (".chain", ".key"):
            with open(lab.pki.path("leaf") + part, encoding="ascii") as f:
                out.write(f.read())
    lab.spawn("s", "stunnel4", path)
    lab.spawn("s", "gnutls-serv", "--http", "-q", "-a", "-p", "8445", "--x509certfile", lab.pki.path("leaf.chain"), "--x509keyfile",
              lab.pki.path("leaf.key"))
    plain = os.path.join(lab.work, "plain.cfg")
    with open(plain, "w", encoding="ascii") as f:
        f.write(f"defaults\n  mode http\n  timeout connect 5s\n  timeout client 20s\n  timeout server 20s\nfrontend in\n"
                f"  bind {SERVER}:8101\n  http-request return status 200 content-type text/plain string ok\n")
    lab.spawn("s", "haproxy", "-f", plain, "-db")
    for port in (8444, 8445, 8101):
        peers.wait_listen(lab, port)
    with lab.capture("m"):
        contrast(lab)
        for port in (8443, 8444, 8445):
            expect(peers.https(lab, port), "200")
            for src in CLIENTS4[:2]:
                with peers.connect(lab, port, src=src) as s:
                    s.sendall(peers.request())
                    drain(s, 0.5)
        for src in CLIENTS4[:2]:
            expect(peers.https(lab, 8101, src=src), "WRONG_VERSION_NUMBER")
        contrast(lab)

def goodbye_by_fin(t, _s):
    t.close()


def goodbye_by_reset(t, s):
    with contextlib.suppress(OSError):
        t.unwrap()
    peers.abort(s)


def odd(lab, port, bye=None, pause=0.0, times=1, session=None, context=None):
    """A connection kept alive for some requests, left in a way of its own."""
    context = context or peers.client_context(lab)
    s = peers.connect(lab, port)
    t = context.wrap_socket(s, server_hostname=NAME, session=session, do_handshake_on_connect=True)
    time.sleep(pause)
    for _ in range(times):
        t.sendall(peers.request())
        expect(peers.read_answer(t).decode(), "200")
    kept = t.session
    if bye:
        bye(t, t)
    else:
        with contextlib.suppress(OSError):
            t.unwrap()
        t.close()
    return kept


def talker(context, script):
    """A server of Python's ssl whose handshake is followed by script(tls)."""
    def handle(conn, _peer):
        with contextlib.suppress(OSError, ssl.SSLError):
            t = context.wrap_socket(conn, server_side=True)
            script(t)
            t.close()
    return handle


def server_context(lab, tickets=2, low=ssl.TLSVersion.TLSv1_2):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.minimum_version = low
    c.num_tickets = tickets
    c.load_cert_chain(lab.pki.path("leaf.chain"), lab.pki.path("leaf.key"))
    return c


def serve_plainly(t):
    while peers.read_request(t):
        t.sendall(peers.answer())


def ask_for_certificate_later(t):
    peers.read_request(t)
    t.verify_client_post_handshake()
    t.sendall(peers.answer())
    serve_plainly(t)


@scenario("tls-odd-ok", "healthy TLS that looks odd: closes by FIN and RST, probes that only shake hands, eight tickets or none, a "
          "certificate asked for later, key updates, half-closed, pauses, resumption by ticket and id")
def tls_odd_ok(lab):
    lab.start()
    usual(lab)
    lab.pki.make("odd-client", "erp-connector-3", client=True)
    many, none, later = server_context(lab, tickets=8), server_context(lab, tickets=0), server_context(lab)
    later.verify_mode = ssl.CERT_OPTIONAL
    later.load_verify_locations(lab.pki.path("root.crt"))
    later.verify_mode = ssl.CERT_REQUIRED
    later.post_handshake_auth = True
    peers.listen(lab, 8443, talker(many, serve_plainly))
    peers.listen(lab, 8444, talker(none, serve_plainly))
    peers.listen(lab, 8445, talker(later, ask_for_certificate_later))
    peers.openssl_server(lab, 8446, "-www")
    asked = peers.client_context(lab, cert="odd-client")
    asked.post_handshake_auth = True
    old = peers.client_context(lab, high=ssl.TLSVersion.TLSv1_2)
    with lab.capture("m"):
        contrast(lab)
        for port in (443, 8443, 8444):
            odd(lab, port)
            odd(lab, port, goodbye_by_fin)
            odd(lab, port, goodbye_by_reset)
        odd(lab, 8445, context=asked)
        odd(lab, 443, pause=4.2)
        odd(lab, 443, times=3)
        session = odd(lab, 443, context=old)
        odd(lab, 443, context=old, session=session)
        for port in (443, 8443):
            c = Client(lab, port)  # a probe: the handshake, and away before the tickets can come
            c.step(c.tls.do_handshake)
            c.socket.close()
            c = Client(lab, port)
            c.step(c.tls.do_handshake)
            with contextlib.suppress(ssl.SSLWantReadError):
                c.tls.unwrap()
            c.flush()
            c.socket.close()
        expect(s_client_updates(lab, 8446), "KEYUPDATE")
        contrast(lab)


def s_client_updates(lab, port):
    """Key updates of both kinds, between requests, by openssl."""
    words = ["openssl", "s_client", "-connect", f"{SERVER}:{port}", "-servername", NAME, "-CAfile", lab.pki.path("root.crt"), "-tls1_3"]
    child = subprocess.Popen(["ip", "netns", "exec", lab.space("c"), "timeout", "8", *words], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    for text in (b"k\n", b"K\n", peers.request(close=True)):
        time.sleep(0.3)
        child.stdin.write(text)
        child.stdin.flush()
    time.sleep(0.5)
    child.stdin.close()
    return child.stdout.read().decode(errors="replace")
