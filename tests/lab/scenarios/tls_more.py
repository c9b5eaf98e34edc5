"""More handshakes of real stacks: DTLS, upgrades of mail, GnuTLS with client certificates, renegotiation."""
import ssl
import time

import peers
from net import CLIENTS4, NAME, SERVER
from peers import expect
from runner import scenario
from scenarios.reach import contrast, usual
from scenarios.tls import Client, curl, gnutls, other_ca, program, s_client

MAIL = "mail.example.cn"
OPENSSL = ("openssl", "s_client", "-dtls1_2")


def gnutls_server(lab, port, *words, cert="leaf"):
    lab.spawn("s", "gnutls-serv", "--port", str(port), "--x509certfile", lab.pki.path(cert) + ".chain",
              "--x509keyfile", lab.pki.path(cert) + ".key", *words)
    time.sleep(0.7)


def dtls_client(lab, port, *words, src=CLIENTS4[0], stdin="hello\nQ\n"):
    return program(lab, *OPENSSL, "-connect", f"{SERVER}:{port}", "-bind", f"{src}:0", "-servername", NAME, "-CAfile",
                   lab.pki.path("root.crt"), *words, stdin=stdin)


@scenario("dtls-ok", "DTLS 1.2 of GnuTLS: cookies, handshakes, data")
def dtls_ok(lab):
    lab.start()
    usual(lab)
    gnutls_server(lab, 5684, "--udp", "--echo")
    with lab.capture("m"):
        contrast(lab)
        for _ in range(2):
            expect(program(lab, "gnutls-cli", "--udp", "--port", "5684", "--sni-hostname", NAME, "--verify-hostname", NAME,
                           "--x509cafile", lab.pki.path("root.crt"), SERVER, stdin="hello\n"), "Handshake was completed")
        contrast(lab)


@scenario("dtls-unanswered", "a filter drops UDP to 4433: DTLS hellos of one client, who then reaches 443 by TLS")
def dtls_unanswered(lab):
    lab.start()
    usual(lab)
    lab.firewall("udp dport 4433 drop")
    with lab.capture("m"):
        contrast(lab)
        dtls_client(lab, 4433)
        contrast(lab)
        dtls_client(lab, 4433)
        expect(peers.https(lab), "200")
        contrast(lab)


# --- mail ---------------------------------------------------------------------------------------
def mail_server(lab, port, context=None, answer=True):
    """Speaks SMTP until STARTTLS; then TLS, or nothing any more."""
    def handle(conn, _peer):
        conn.sendall(b"220 mail.example.cn ESMTP\r\n")
        conn.recv(512)
        conn.sendall(b"250-mail.example.cn\r\n250 STARTTLS\r\n")
        conn.recv(512)
        conn.sendall(b"220 go ahead\r\n")
        if not answer:
            conn.recv(4096)
            time.sleep(9)
            return
        tls = context.wrap_socket(conn, server_side=True)
        while True:
            line = tls.recv(512)
            tls.sendall(b"221 bye\r\n" if line.upper().startswith(b"QUIT") else b"250 ok\r\n")
            if not line or line.upper().startswith(b"QUIT"):
                break
    peers.listen(lab, port, handle)


def mail_context(lab):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(lab.pki.path("leaf") + ".chain", lab.pki.path("leaf") + ".key")
    return context


class Mail(Client):
    """A mail client by hand, up to its ClientHello."""

    def hello(self):
        for line in (None, b"EHLO erp.example.cn\r\n", b"STARTTLS\r\n"):
            if line:
                self.socket.sendall(line)
            self.socket.recv(512)
        super().hello()


@scenario("starttls-ok", "SMTP with STARTTLS: three clients are served, by TLS 1.2 and 1.3")
def starttls_ok(lab):
    lab.start()
    usual(lab)
    mail_server(lab, 2525, mail_context(lab))
    with lab.capture("m"):
        contrast(lab)
        for src, version in zip(CLIENTS4[:3], ("-tls1_2", "-tls1_3", "-tls1_3")):
            mail = Mail(lab, 2525, src=src, context=peers.client_context(
                lab, high=ssl.TLSVersion.TLSv1_2 if version == "-tls1_2" else ssl.TLSVersion.TLSv1_3))
            mail.hello()
            mail.step(mail.tls.do_handshake)
            mail.tls.write(b"QUIT\r\n")
            mail.flush()
            expect(mail.step(lambda m=mail: m.tls.read(100)).decode(), "221")
            mail.socket.close()
        contrast(lab)


@scenario("starttls-dropped", "a filter behind the tap drops TLS hellos for mail.example.cn behind STARTTLS; other names pass")
def starttls_dropped(lab):
    lab.start(rule_far=lambda f, now: [] if f.direction == ">" and MAIL.encode() in f.payload else None)
    usual(lab)
    mail_server(lab, 2525, mail_context(lab))
    with lab.capture("m"):
        contrast(lab)
        waiting = [Mail(lab, 2525, name=MAIL, src=src) for src in CLIENTS4[:2]]
        for c in waiting:
            c.hello()
        for _ in range(5):
            time.sleep(1.4)
            contrast(lab, 1)
        for c in waiting:
            c.socket.close()
        time.sleep(0.1)
        contrast(lab)


@scenario("starttls-silent", "a mail server answers STARTTLS, acknowledges the ClientHello and falls silent")
def starttls_silent(lab):
    lab.start()
    usual(lab)
    mail_server(lab, 2525, answer=False)
    with lab.capture("m"):
        contrast(lab)
        waiting = [Mail(lab, 2525, src=src) for src in CLIENTS4[:2]]
        for c in waiting:
            c.hello()
        for _ in range(4):
            time.sleep(1.4)
            contrast(lab, 1)
        for c in waiting:
            c.socket.close()
        time.sleep(0.1)
        contrast(lab)


# --- client certificates, other stacks -------------------------------------------------------------
def gnutls_mtls(lab, priority, client):
    lab.start()
    other_ca(lab)
    lab.pki.make("gclient", "erp-connector-9", client=True, org="Example Trading")
    lab.pki.chain("gclient", ["gclient", "inter"])
    usual(lab)
    gnutls_server(lab, 5556, "--http", "--priority", priority, "--require-client-cert", "--verify-client-cert",
                  "--x509cafile", lab.pki.path("root.crt"))
    own = ("--x509certfile", lab.pki.path("gclient") + ".chain", "--x509keyfile", lab.pki.path("gclient") + ".key")
    bad = ("--x509certfile", lab.pki.path("otherclient") + ".chain", "--x509keyfile", lab.pki.path("otherclient") + ".key")
    with lab.capture("m"):
        contrast(lab)
        for _ in range(3):
            gnutls(lab, 5556, *(bad if client else ()))
        expect(gnutls(lab, 5556, *own), "200 OK")
        contrast(lab)


for _version, _priority in (("12", "NORMAL:-VERS-ALL:+VERS-TLS1.2"), ("13", "NORMAL:-VERS-ALL:+VERS-TLS1.3")):
    scenario(f"gnutls-mtls-missing-{_version}", "GnuTLS asks for a client certificate; three clients send none, one is served")(
        lambda lab, p=_priority: gnutls_mtls(lab, p, False))
    scenario(f"gnutls-mtls-refused-{_version}", "GnuTLS refuses the client's certificate of an unknown CA; another client is served")(
        lambda lab, p=_priority: gnutls_mtls(lab, p, True))


# --- healthy -------------------------------------------------------------------------------------
@scenario("tls-renegotiated", "TLS 1.2 renegotiated once by the client, as RFC 5746 has it; everything works")
def tls_renegotiated(lab):
    lab.start()
    usual(lab)
    peers.openssl_server(lab, 8443, "-tls1_2", "-www", "-client_renegotiation", "-legacy_renegotiation")
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:2]:
            text = program(lab, "sh", "-c", f"(sleep 0.3; echo R; sleep 0.3; printf 'GET / HTTP/1.0\\r\\n\\r\\n'; sleep 0.3) | "
                           f"openssl s_client -connect {SERVER}:8443 -bind {src}:0 -servername {NAME} -tls1_2 "
                           f"-CAfile {lab.pki.path('root.crt')}")
            expect(text, "RENEGOTIATING")
        contrast(lab)


@scenario("tls-mixed-ok", "OpenSSL, GnuTLS, curl and Python against three servers, TLS 1.2 and 1.3: all is well")
def tls_mixed_ok(lab):
    lab.start()
    usual(lab)
    gnutls_server(lab, 5556, "--http")
    peers.openssl_server(lab, 8443, "-www")
    with lab.capture("m"):
        contrast(lab)
        expect(gnutls(lab, 5556), "200 OK")
        expect(gnutls(lab, 443, priority="NORMAL:-VERS-TLS1.3"), "200 OK")
        expect(s_client(lab, 5556, "-tls1_2", src=CLIENTS4[1]), "200 OK")
        expect(curl(lab, 8443, src=CLIENTS4[2]), "200")
        expect(s_client(lab, 8443, "-tls1_3", src=CLIENTS4[1]), "200")
        contrast(lab)
