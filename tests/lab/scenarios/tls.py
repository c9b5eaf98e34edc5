"""Faults of TLS handshakes with real stacks on both ends, and the healthy handshakes that look alike."""
import contextlib
import os
import ssl
import subprocess
import time

import peers
from net import CLIENT, CLIENTS4, NAME, SERVER
from peers import expect
from runner import scenario
from scenarios.reach import contrast, usual

TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
OLD_CIPHERS = "ALL:@SECLEVEL=0"


# --- clients that are programs ------------------------------------------------------------------
def program(lab, *words, stdin="", ns="c"):
    """Runs a client to its end (6 s at most) and returns all that it printed."""
    done = subprocess.run(["ip", "netns", "exec", lab.space(ns), "timeout", "6", *words], input=stdin,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=20)
    return done.stdout


def curl(lab, port, *words, name=NAME, src=CLIENT, ca="root.crt"):
    trust = ["--cacert", lab.pki.path(ca)] if ca else ["-k"]
    return program(lab, "curl", "-sS", "-i", "--noproxy", "*", "--interface", src, "--resolve",
                   f"{name}:{port}:{SERVER}", *trust, *words, f"https://{name}:{port}/api/v1/orders")


def s_client(lab, port, *words, name=NAME, src=CLIENT, ca="root.crt", ask=True):
    trust = ["-CAfile", lab.pki.path(ca), "-verify_return_error"] if ca else []
    text = peers.request(host=name, close=True).decode() if ask else ""
    return program(lab, "openssl", "s_client", "-connect", f"{SERVER}:{port}", "-bind", f"{src}:0", "-servername",
                   name, *trust, *(["-ign_eof"] if ask else []), *words, stdin=text)


def gnutls(lab, port, *words, priority="NORMAL", name=NAME, trust=True):
    ca = ["--x509cafile", lab.pki.path("root.crt")] if trust else ["--insecure"]
    return program(lab, "gnutls-cli", "--port", str(port), "--sni-hostname", name, "--verify-hostname", name, *ca,
                   "--priority", priority, *words, SERVER, stdin=peers.request(host=name, close=True).decode())


# --- clients by hand ----------------------------------------------------------------------------
class Client:
    """A TLS client whose records pass through our hands."""

    def __init__(self, lab, port, context=None, name=NAME, **options):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = context or peers.client_context(lab)
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=name)
        self.socket = peers.connect(lab, port, **options)

    def hello(self):
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
        self.flush()

    def flush(self):
        data = self.outgoing.read()
        if data:
            self.socket.sendall(data)
        return data

    def step(self, call):
        """Repeats call until it needs no more bytes from the server."""
        for _ in range(50):
            try:
                result = call()
                self.flush()
                return result
            except ssl.SSLWantReadError:
                self.flush()
                data = self.socket.recv(16384)
                if not data:
                    raise ConnectionError("closed") from None
                self.incoming.write(data)
        raise RuntimeError("no end of the handshake")


def drain(s, quiet=0.2):
    """Takes what the server sends until it pauses."""
    s.settimeout(quiet)
    with contextlib.suppress(OSError):
        while s.recv(16384):
            pass


# --- servers that nginx cannot be -----------------------------------------------------------------
def haproxy(lab, port, options, cert="leaf"):
    """haproxy before the lab's plain HTTP service on 8080."""
    folder = os.path.join(lab.work, f"haproxy.{lab.name}.{port}")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "server.pem"), "w") as out:
        for part in (".chain", ".key"):
            with open(lab.pki.path(cert) + part) as f:
                out.write(f.read())
    with open(os.path.join(folder, "haproxy.cfg"), "w") as f:
        f.write(f"""global
  maxconn 100
defaults
  mode http
  timeout connect 5s
  timeout client 20s
  timeout server 20s
frontend in
  bind {SERVER}:{port} ssl crt {folder}/server.pem {options}
  http-request return status 200 content-type application/json string '{{"code":0,"msg":"ok"}}'
""")
    lab.spawn("s", "haproxy", "-f", os.path.join(folder, "haproxy.cfg"), "-db")
    peers.wait_listen(lab, port)


def other_ca(lab):
    """A certification authority that nobody in the lab trusts, with a server's and a client's certificate."""
    p = lab.pki
    if not os.path.exists(p.path("otherroot.crt")):
        p.make("otherroot", "Other Trust Root", issuer=None, ca=True, org="Other Trust", start=-86400 * 900,
               end=86400 * 900)
        p.make("otherleaf", NAME, names=[NAME], issuer="otherroot")
        p.make("otherclient", "erp-connector-7", issuer="otherroot", client=True, org="Example Trading")
        p.chain("otherleaf", ["otherleaf"])
        p.chain("otherclient", ["otherclient"])
    return p


# --- versions and ciphers -------------------------------------------------------------------------
@scenario("tls-version", "clients of at most TLS 1.2 before a server of TLS 1.3 only, and TLS 1.1 before one of 1.2 and 1.3")
def tls_version(lab):
    lab.start()
    usual(lab, peers.tls_server(lab, 8443, protocols="TLSv1.3"))
    old = peers.client_context(lab, high=TLS12)
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:3]:
            expect(peers.https(lab, 8443, context=old, src=src), "PROTOCOL_VERSION")
        contrast(lab)
        for src in CLIENTS4[:2]:
            expect(s_client(lab, 443, "-tls1_1", "-cipher", OLD_CIPHERS, src=src, ask=False), "alert number 70")
        expect(peers.https(lab, 8443), "200")
        contrast(lab)


@scenario("tls-cipher", "the server on 8443 takes AES128-SHA only; clients that offer ECDHE with AES-GCM get alert 40")
def tls_cipher(lab):
    lab.start()
    lab.pki.make("rsaleaf", NAME, names=[NAME], key="rsa:2048")
    usual(lab, peers.tls_server(lab, 8443, cert="rsaleaf", protocols="TLSv1.2", extra="ssl_ciphers AES128-SHA;"))
    modern = peers.client_context(lab, high=TLS12, ciphers="ECDHE+AESGCM")
    with lab.capture("m"):
        contrast(lab)
        expect(peers.https(lab, context=modern), "200")
        for src in CLIENTS4[:2]:
            expect(peers.https(lab, 8443, context=modern, src=src), "HANDSHAKE_FAILURE")
        expect(gnutls(lab, 8443, priority="SECURE128:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA"), "fatal alert")
        expect(peers.https(lab, context=modern, src=CLIENTS4[1]), "200")
        contrast(lab)


@scenario("tls-weak-10", "TLS 1.0 with a CBC cipher is negotiated; everything works")
def tls_weak_10(lab):
    lab.start()
    usual(lab, peers.tls_server(lab, 8443, protocols="TLSv1", extra=f"ssl_ciphers {OLD_CIPHERS};"))
    old = peers.client_context(lab, low=ssl.TLSVersion.TLSv1, high=TLS12, ciphers=OLD_CIPHERS)
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:2]:
            expect(peers.https(lab, 8443, context=old, src=src), "200")
        contrast(lab)


@scenario("tls-no-fs", "TLS 1.2 with AES128-GCM-SHA256 and RSA key exchange: no forward secrecy; everything works")
def tls_no_fs(lab):
    lab.start()
    lab.pki.make("rsaleaf", NAME, names=[NAME], key="rsa:2048")
    usual(lab, peers.tls_server(lab, 8443, cert="rsaleaf", protocols="TLSv1.2",
                                extra="ssl_ciphers AES128-GCM-SHA256;"))
    context = peers.client_context(lab, high=TLS12, ciphers="DEFAULT")
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:2]:
            expect(peers.https(lab, 8443, context=context, src=src), "200")
        contrast(lab)


# --- the client refuses the server ------------------------------------------------------------------
@scenario("tls-unknown-ca", "the server's certificate comes from a CA that the clients do not trust: alert 48 of OpenSSL and curl")
def tls_unknown_ca(lab):
    lab.start()
    other_ca(lab)
    usual(lab, peers.tls_server(lab, 8443, cert="otherleaf"))
    with lab.capture("m"):
        contrast(lab)
        expect(s_client(lab, 8443, "-tls1_2"), "verify error")
        expect(curl(lab, 8443, "--tls-max", "1.2", src=CLIENTS4[1]), "SSL certificate problem")
        expect(curl(lab, 8443, src=CLIENTS4[2]), "SSL certificate problem")
        expect(curl(lab, 8443, "--tls-max", "1.2", ca="otherroot.crt", src=CLIENTS4[3]), "200")
        contrast(lab)


@scenario("tls-chain-incomplete", "the server on 8443 does not send its intermediate: alert 48; 443 sends it and works")
def tls_chain_incomplete(lab):
    lab.start()
    lab.pki.make("bare", NAME, names=[NAME])
    lab.pki.chain("bare", ["bare"])
    usual(lab, peers.tls_server(lab, 8443, cert="bare"))
    old = peers.client_context(lab, high=TLS12)
    with lab.capture("m"):
        contrast(lab)
        expect(peers.https(lab, context=old), "200")
        for src in CLIENTS4[:2]:
            expect(peers.https(lab, 8443, context=old, src=src), "unable to get local issuer")
        expect(curl(lab, 8443, "--tls-max", "1.2", src=CLIENTS4[2]), "SSL certificate problem")
        expect(peers.https(lab, context=old), "200")
        contrast(lab)


@scenario("tls-expired", "the certificate on 8443 expired 9 days ago: two clients refuse it by alert 45, one goes on")
def tls_expired(lab):
    lab.start()
    lab.pki.make("expired", NAME, names=[NAME], start=-374 * 86400, end=-9 * 86400)
    usual(lab, peers.tls_server(lab, 8443, cert="expired"))
    with lab.capture("m"):
        contrast(lab)
        expect(peers.https(lab, 8443, context=peers.client_context(lab, high=TLS12)), "certificate has expired")
        expect(curl(lab, 8443, src=CLIENTS4[1]), "certificate has expired")
        careless = peers.client_context(lab, verify=False, high=TLS12)
        expect(peers.https(lab, 8443, context=careless, src=CLIENTS4[2]), "200")
        contrast(lab)


@scenario("tls-bad-name", "the certificate on 8443 is for another name: Python refuses by alert 42, curl closes after the handshake")
def tls_bad_name(lab):
    lab.start()
    lab.pki.make("othername", "pay.example.cn", names=["pay.example.cn"])
    usual(lab, peers.tls_server(lab, 8443, cert="othername"))
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:2]:
            expect(peers.https(lab, 8443, context=peers.client_context(lab, high=TLS12), src=src), "mismatch")
        expect(curl(lab, 8443, "--tls-max", "1.2", src=CLIENTS4[2]), "no alternative certificate subject name")
        contrast(lab)


@scenario("tls-client-rejects-13", "TLS 1.3 clients of GnuTLS and OpenSSL refuse the server's chain, each in its own way")
def tls_client_rejects_13(lab):
    lab.start()
    other_ca(lab)
    usual(lab, peers.tls_server(lab, 8443, cert="otherleaf", protocols="TLSv1.3"))
    with lab.capture("m"):
        contrast(lab)
        for _ in range(2):
            expect(gnutls(lab, 8443), "NOT trusted")
        expect(s_client(lab, 8443, "-tls1_3", src=CLIENTS4[1]), "verify error")
        expect(gnutls(lab, 443), "200 OK")
        contrast(lab)


# --- the server refuses the name ---------------------------------------------------------------------
@scenario("tls-unrecognized-name", "nginx on 8443 rejects handshakes for names that it does not serve: alert 112")
def tls_unrecognized_name(lab):
    lab.start()
    reject = f"server {{ listen {SERVER}:8443 ssl default_server; ssl_reject_handshake on; }}\n"
    usual(lab, reject + peers.tls_server(lab, 8443))
    with lab.capture("m"):
        contrast(lab)
        expect(peers.https(lab, 8443), "200")
        for src in CLIENTS4[:2]:
            expect(peers.https(lab, 8443, name="old.example.cn", src=src), "UNRECOGNIZED_NAME")
        expect(curl(lab, 8443, name="old.example.cn", src=CLIENTS4[2]), "unrecognized name")
        expect(peers.https(lab, 8443, src=CLIENTS4[1]), "200")
        contrast(lab)


# --- nothing that could be read ---------------------------------------------------------------------
@scenario("tls-hello-dropped", "a filter behind the tap drops what holds the SNI pay.example.cn; all else passes")
def tls_hello_dropped(lab):
    lab.start(rule_far=lambda f, now: [] if f.direction == ">" and b"pay.example.cn" in f.payload else None)
    usual(lab)
    with lab.capture("m"):
        contrast(lab)
        waiting = [Client(lab, 443, name="pay.example.cn", src=src) for src in CLIENTS4[:2]]
        for c in waiting:
            c.hello()
        for _ in range(5):
            time.sleep(1.4)
            contrast(lab, 1)
        for c in waiting:
            c.socket.close()
        time.sleep(0.1)
        contrast(lab)


@scenario("tls-timeout", "a server accepts on 8443, acknowledges ClientHellos and never answers")
def tls_timeout(lab):
    lab.start()
    usual(lab)
    hold = []

    def handle(conn, _peer):
        hold.append(conn)
        conn.recv(4096)
    peers.listen(lab, 8443, handle)
    with lab.capture("m"):
        contrast(lab)
        waiting = [Client(lab, 8443, src=src) for src in CLIENTS4[:2]]
        for c in waiting:
            c.hello()
        for _ in range(4):
            time.sleep(1.4)
            contrast(lab, 1)
        waiting[0].socket.close()
        peers.abort(waiting[1].socket)
        time.sleep(0.1)
        contrast(lab)


def after_hello(lab, end):
    lab.start()
    usual(lab)

    def handle(conn, _peer):
        conn.recv(4096)
        time.sleep(0.01)
        end(conn)
    peers.listen(lab, 8443, handle)
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:3]:
            expect(peers.https(lab, 8443, src=src), "Reset", "EOF")
        contrast(lab)


@scenario("tls-reset-after-hello", "the server on 8443 reads the ClientHello and resets")
def tls_reset_after_hello(lab):
    after_hello(lab, peers.abort)


@scenario("tls-fin-after-hello", "the server on 8443 reads the ClientHello and closes")
def tls_fin_after_hello(lab):
    after_hello(lab, lambda conn: conn.close())


@scenario("tls-abort", "clients close after the server's certificate, without an alert: twice by FIN, once by RST")
def tls_abort(lab):
    lab.start()
    usual(lab, peers.tls_server(lab, 8443))
    with lab.capture("m"):
        contrast(lab)
        for number, src in enumerate(CLIENTS4[:3]):
            high = TLS13 if number == 1 else TLS12
            c = Client(lab, 8443, context=peers.client_context(lab, high=high), src=src)
            c.hello()
            drain(c.socket)
            if number == 2:
                peers.abort(c.socket)
            else:
                c.socket.close()
        time.sleep(0.1)
        expect(peers.https(lab, 8443), "200")
        contrast(lab)


# --- clear text and TLS mixed up ----------------------------------------------------------------------
@scenario("tls-plain-on-tls", "clear-text HTTP to TLS ports: nginx answers 400 and says why, openssl in its own way")
def tls_plain_on_tls(lab):
    lab.start()
    usual(lab, peers.tls_server(lab, 8443))
    peers.openssl_server(lab, 8444)
    with lab.capture("m"):
        contrast(lab)
        expect(peers.https(lab, 8444), "200")
        for src in CLIENTS4[:2]:
            expect(peers.http(lab, 8443, src=src), "400")
        for text in (peers.request(), b"HELO erp-connector\r\n"):
            with peers.connect(lab, 8444, src=CLIENTS4[2]) as s:
                s.sendall(text)
                drain(s, 1.0)
        expect(peers.https(lab, 8443), "200")
        contrast(lab)


@scenario("tls-on-plain", "ClientHellos to HTTP ports: nginx and Python's server answer in clear text")
def tls_on_plain(lab):
    lab.start()
    usual(lab)
    lab.spawn("s", "python3", "-m", "http.server", "8101", "--bind", SERVER, "--directory", lab.pki.dir + "/nothing")
    peers.wait_listen(lab, 8101)
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:2]:
            expect(peers.https(lab, 8080, src=src), "WRONG_VERSION_NUMBER")
        expect(peers.https(lab, 8101, src=CLIENTS4[2]), "WRONG_VERSION_NUMBER", "PACKET_LENGTH")
        contrast(lab)


# --- healthy ------------------------------------------------------------------------------------------
@scenario("tls-hrr", "the server takes P-384 only: HelloRetryRequest, then a whole handshake")
def tls_hrr(lab):
    lab.start()
    usual(lab, peers.tls_server(lab, 8443, protocols="TLSv1.3", extra="ssl_ecdh_curve secp384r1;"))
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:2]:
            expect(peers.https(lab, 8443, src=src), "200")
        contrast(lab)


@scenario("tls-big-hello", "ClientHellos of two segments (a long ALPN list); everything works")
def tls_big_hello(lab):
    lab.start()
    usual(lab)
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:2]:
            context = peers.client_context(lab)
            context.set_alpn_protocols(["http/1.1"] + [f"invoice-exchange-{i:03d}" for i in range(80)])
            expect(peers.https(lab, context=context, src=src), "200")
        contrast(lab)


@scenario("tls-gnutls-haproxy", "GnuTLS clients and haproxy: full and resumed handshakes of TLS 1.2 and 1.3; everything works")
def tls_gnutls_haproxy(lab):
    lab.start()
    usual(lab)
    haproxy(lab, 8443, "")
    with lab.capture("m"):
        contrast(lab)
        for priority in ("NORMAL:-VERS-ALL:+VERS-TLS1.3", "NORMAL:-VERS-ALL:+VERS-TLS1.2"):
            for port in (443, 8443):
                expect(gnutls(lab, port, "--resume", "--waitresumption", priority=priority), "resumed session")
        expect(curl(lab, 8443, src=CLIENTS4[1]), "200")
        contrast(lab)


@scenario("tls-0rtt", "TLS 1.3 early data: the request travels with the resumed ClientHello; everything works")
def tls_0rtt(lab):
    lab.start()
    usual(lab, peers.tls_server(lab, 8443, protocols="TLSv1.3", extra="ssl_early_data on;"))
    session = os.path.join(lab.work, "session.pem")
    early = os.path.join(lab.work, "early.txt")
    with open(early, "wb") as f:
        f.write(peers.request(close=True))
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:2]:
            expect(s_client(lab, 8443, "-tls1_3", "-sess_out", session, src=src), "200 OK")
            expect(s_client(lab, 8443, "-tls1_3", "-sess_in", session, "-early_data", early, src=src),
                   "Early data was accepted")
        contrast(lab)


@scenario("tls-close-encrypted", "TLS 1.2 with AES-GCM closed properly; among them alerts whose cipher text begins with the byte 2")
def tls_close_encrypted(lab):
    lab.start(delay_ms=0.2)
    usual(lab, peers.tls_server(lab, 8443, protocols="TLSv1.2"))
    context = peers.client_context(lab, high=TLS12, ciphers="ECDHE+AESGCM")
    kept, session = [], None
    with lab.capture("m"):
        contrast(lab)
        for number in range(1500):
            alert, sport, session = whole_session(lab, context, 20000 + number, session)
            # Byte 0 of the body is the explicit nonce; who takes it for an alert's level reads "fatal".
            if alert[5] == 2 or number < 5:
                kept.append(sport)
            if len(kept) == 6:
                break
        contrast(lab)
    ports = ", ".join(str(p) for p in kept)
    keep_only(lab, f"not tcp.port == 8443 or tcp.port in {{{ports}}}")


def whole_session(lab, context, sport, session):
    """(the client's closing record, its port, a session to resume)"""
    c = Client(lab, 8443, context=context, sport=sport)
    if session:
        c.tls.session = session
    c.step(c.tls.do_handshake)
    c.step(lambda: c.tls.write(peers.request()))
    expect(c.step(lambda: c.tls.read(4096)).decode(), "200 OK")
    with contextlib.suppress(ssl.SSLWantReadError):
        c.tls.unwrap()
    alert = c.flush()
    session = c.tls.session
    drain(c.socket, 1.0)
    c.socket.close()
    return alert, sport, session


def keep_only(lab, display_filter):
    """Leaves only some of the packets in the scenario's captures."""
    for _, path in lab.taps:
        whole = path + ".whole"
        os.replace(path, whole)
        subprocess.run(["tshark", "-r", whole, "-F", "pcap", "-Y", display_filter, "-w", path],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, timeout=60)
        os.unlink(whole)
