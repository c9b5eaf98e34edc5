"""Certificates with faults, seen in handshakes that work because the clients do not verify, and healthy ones that look odd
(TLS 1.2 shows certificates); certificates of clients; the pairs of certificates of TLCP (GB/T 38636)."""
import ssl

import peers
import tlcp
from net import CLIENTS4, NAME
from peers import expect
from runner import scenario
from scenarios.reach import contrast, usual
from scenarios.tls import TLS13, haproxy, other_ca

HOUR, DAY = 3600, 86400
TLS12 = ssl.TLSVersion.TLSv1_2


def show(lab, cert, name=NAME, verify=False, extra=""):
    """Two TLS 1.2 sessions with a server of its own on 8443 that has this certificate."""
    lab.start()
    usual(lab, peers.tls_server(lab, 8443, cert=cert, name=name, protocols="TLSv1.2", extra=extra))
    context = peers.client_context(lab, verify=verify, high=TLS12, ciphers="DEFAULT" if verify else "DEFAULT@SECLEVEL=0")
    with lab.capture("m"):
        contrast(lab)
        expect(peers.https(lab, context=peers.client_context(lab, high=TLS12)), "200")
        for src in CLIENTS4[:2]:
            expect(peers.https(lab, 8443, name=name, context=context, src=src), "200")
        contrast(lab, 1)


@scenario("cert-expired", "the certificate on 8443 expired 9 days ago; the clients go on")
def cert_expired(lab):
    show(lab, lab.pki.make("c-expired", NAME, names=[NAME], start=-374 * DAY, end=-9 * DAY))


@scenario("cert-expiring", "the certificate on 8443 has 5 of its 365 days left")
def cert_expiring(lab):
    show(lab, lab.pki.make("c-expiring", NAME, names=[NAME], start=-360 * DAY, end=5 * DAY), verify=True)


@scenario("cert-short-lived", "a certificate of 24 hours with 20 hours left: healthy")
def cert_short_lived(lab):
    show(lab, lab.pki.make("c-short", NAME, names=[NAME], start=-4 * HOUR, end=20 * HOUR), verify=True)


@scenario("cert-not-yet", "the certificate on 8443 becomes valid in 3 days")
def cert_not_yet(lab):
    show(lab, lab.pki.make("c-notyet", NAME, names=[NAME], start=3 * DAY, end=368 * DAY))


@scenario("cert-self-signed", "the certificate on 8443 is signed by itself")
def cert_self_signed(lab):
    show(lab, lab.pki.make("c-self", NAME, names=[NAME], issuer=None))


@scenario("cert-name", "the certificate on 8443 covers other names than the one asked for")
def cert_name(lab):
    show(lab, lab.pki.make("c-name", "pay.example.cn", names=["pay.example.cn", "*.pay.example.cn"]))


@scenario("cert-wildcard", "a wildcard covers the one label asked for: healthy")
def cert_wildcard(lab):
    show(lab, lab.pki.make("c-wild", "*.example.cn", names=["*.example.cn"]), verify=True)


@scenario("cert-weak-key", "an RSA key of 1024 bits")
def cert_weak_key(lab):
    show(lab, lab.pki.make("c-weak", NAME, names=[NAME], key="rsa:1024"), extra="ssl_ciphers DEFAULT@SECLEVEL=0;")


@scenario("cert-weak-sha1", "a certificate signed with SHA-1")
def cert_weak_sha1(lab):
    show(lab, lab.pki.make("c-sha1", NAME, names=[NAME], md="sha1"), extra="ssl_ciphers DEFAULT@SECLEVEL=0;")


@scenario("cert-long-chain", "five certificates are sent; all is well otherwise")
def cert_long_chain(lab):
    p = lab.pki
    issuer, parts = "root", []
    for number in range(1, 5):
        parts.insert(0, p.make(f"c-ca{number}", f"Example Invoice Issuing CA L{number}", issuer=issuer, ca=True,
                               start=-400 * DAY, end=1500 * DAY))
        issuer = parts[0]
    p.make("c-long", NAME, names=[NAME], issuer=issuer)
    p.chain("c-long", ["c-long"] + parts)
    show(lab, "c-long", verify=True)


@scenario("cert-idn", "a Chinese name, asked for and covered as an A-label: healthy")
def cert_idn(lab):
    name = "健康.example.cn".encode("idna").decode()
    show(lab, lab.pki.make("c-idn", name, names=[name]), name=name, verify=True)


# --- the server refuses the client ------------------------------------------------------------------
def client_certificate(lab, version, cert=None, wanted=()):
    """haproxy on 8443 and openssl on 8444 demand a client's certificate."""
    lab.start()
    p = other_ca(lab)
    p.make("client", "erp-connector-3", client=True, org="Example Trading")
    p.chain("authorities", ["root", "inter"])
    usual(lab)
    haproxy(lab, 8443, f"verify required ca-file {p.path('authorities.chain')}")
    peers.openssl_server(lab, 8444, "-Verify", "3", "-verify_return_error", "-CAfile", p.path("authorities.chain"))
    low = {"low": version, "high": version}
    with lab.capture("m"):
        contrast(lab)
        for port in (8443, 8444):
            for src in CLIENTS4[:2]:
                context = peers.client_context(lab, cert=cert, **low)
                expect(peers.https(lab, port, context=context, src=src), *wanted)
        for port in (8443, 8444):
            good = peers.client_context(lab, cert="client", **low)
            expect(peers.https(lab, port, context=good, src=CLIENTS4[2]), "200")
        contrast(lab)


@scenario("tls-mtls-missing-12", "TLS 1.2 servers (haproxy, openssl) demand a client's certificate; the clients have none")
def tls_mtls_missing_12(lab):
    client_certificate(lab, TLS12, wanted=("HANDSHAKE_FAILURE", "Reset"))


@scenario("tls-mtls-missing-13", "TLS 1.3 servers (haproxy, openssl) demand a client's certificate; the clients have none")
def tls_mtls_missing_13(lab):
    client_certificate(lab, TLS13, wanted=("CERTIFICATE_REQUIRED", "Reset"))


@scenario("tls-mtls-refused-12", "TLS 1.2 servers refuse a client's certificate from another CA by alert 48")
def tls_mtls_refused_12(lab):
    client_certificate(lab, TLS12, cert="otherclient", wanted=("UNKNOWN_CA", "Reset"))


@scenario("tls-mtls-refused-13", "TLS 1.3 servers refuse a client's certificate from another CA, encrypted")
def tls_mtls_refused_13(lab):
    client_certificate(lab, TLS13, cert="otherclient", wanted=("UNKNOWN_CA", "Reset"))


# --- TLCP ---------------------------------------------------------------------------------------------
def start_tlcp(lab, *ports):
    lab.start()
    usual(lab)
    tlcp.make_certificates(lab.pki.dir, NAME)
    for port in ports:
        peers.listen(lab, port, tlcp.server(lab.pki.dir))


@scenario("tlcp-ecc", "TLCP sessions with ECC_SM4_CBC_SM3 on 8443, with and without a server name")
def tlcp_healthy(lab):
    start_tlcp(lab, 8443)
    with lab.capture("m"):
        contrast(lab)
        expect(tlcp.client(lab, 8443, name=NAME, src=CLIENTS4[0]), "200")
        expect(tlcp.client(lab, 8443, src=CLIENTS4[1]), "200")
        contrast(lab)


@scenario("tlcp-8101", "TLCP sessions on 8101, a port that nobody expects TLS on")
def tlcp_other_port(lab):
    start_tlcp(lab, 8101)
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:2]:
            expect(tlcp.client(lab, 8101, src=src), "200")
        contrast(lab)


@scenario("tlcp-cipher", "TLCP clients that offer ECDHE_SM4_CBC_SM3 only before a server of ECC_SM4_CBC_SM3: alert 40")
def tlcp_cipher(lab):
    start_tlcp(lab, 8443)
    with lab.capture("m"):
        contrast(lab)
        expect(tlcp.client(lab, 8443, src=CLIENTS4[0]), "200")
        for src in CLIENTS4[:2]:
            expect(tlcp.client(lab, 8443, suites=(tlcp.ECDHE_SM4_CBC_SM3,), src=src), "0228")
        contrast(lab)
        expect(tlcp.client(lab, 8443, src=CLIENTS4[2]), "200")


@scenario("tlcp-chain-refused", "TLCP clients refuse the server's chain by alert 48")
def tlcp_chain_refused(lab):
    start_tlcp(lab, 8443)
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:2]:
            expect(tlcp.client(lab, 8443, name=NAME, refuse=tlcp.UNKNOWN_CA, src=src), "refused")
        expect(tlcp.client(lab, 8443, name=NAME, src=CLIENTS4[2]), "200")
        contrast(lab)


@scenario("tlcp-nginx", "TLCP clients before a server that speaks TLS only (nginx)")
def tlcp_nginx(lab):
    start_tlcp(lab)
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:2]:
            expect(tlcp.client(lab, 443, src=src), "02", "closed")
        contrast(lab)


@scenario("tlcp-from-tls", "TLS clients before a server that speaks TLCP only: alert 40")
def tlcp_from_tls(lab):
    start_tlcp(lab, 8443)
    with lab.capture("m"):
        contrast(lab)
        expect(tlcp.client(lab, 8443, src=CLIENTS4[2]), "200")
        for src in CLIENTS4[:2]:
            peers.https(lab, 8443, src=src)
        contrast(lab)


@scenario("tlcp-pair", "TLCP servers whose pair of certificates is swapped (refused by alert 42), one alone, one twice, and right")
def tlcp_pair(lab):
    start_tlcp(lab, 8446)
    for port, shown in ((8443, ("gmenc", "gmsign")), (8444, ("gmsign",)), (8445, ("gmsign", "gmsign"))):
        peers.listen(lab, port, tlcp.server(lab.pki.dir, shown=shown))
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:2]:
            expect(tlcp.client(lab, 8443, name=NAME, refuse=42, src=src), "refused")
            for port in (8444, 8445, 8446):
                expect(tlcp.client(lab, port, name=NAME, src=src), "200")
        contrast(lab)


@scenario("tlcp-signature", "TLCP key exchanges: signed right with ECC (8443) and ECDHE (8447); over the signing certificate "
          "(8444), with the encryption key (8445), refused by alerts 42 and 51; wrong: refused (8446), taken (8448)")
def tlcp_signature(lab):
    start_tlcp(lab, 8443)
    for port, signed in ((8444, "certificate"), (8445, "key"), (8446, "wrong"), (8448, "wrong")):
        peers.listen(lab, port, tlcp.server(lab.pki.dir, signed=signed))
    peers.listen(lab, 8447, tlcp.server(lab.pki.dir, suite=tlcp.ECDHE_SM4_CBC_SM3))
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:2]:
            for port in (8443, 8447, 8448):
                expect(tlcp.client(lab, port, name=NAME, src=src), "200")
            for port, alert in ((8444, 42), (8445, 51), (8446, 51)):
                expect(tlcp.client(lab, port, name=NAME, refuse=alert, src=src), "refused")
        contrast(lab)
