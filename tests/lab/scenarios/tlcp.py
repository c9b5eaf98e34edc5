"""TLCP (GB/T 38636): healthy sessions, and failures between TLCP and TLS."""
import peers
import tlcp
from net import CLIENTS4, NAME
from peers import expect
from runner import scenario
from scenarios.reach import contrast, usual


def begin(lab, *ports):
    lab.start()
    usual(lab)
    tlcp.make_certificates(lab.pki.dir, NAME)
    for port in ports:
        peers.listen(lab, port, tlcp.server(lab.pki.dir))


@scenario("tlcp", "TLCP sessions with ECC_SM4_CBC_SM3 on 8443, with and without a server name")
def tlcp_healthy(lab):
    begin(lab, 8443)
    with lab.capture("m"):
        contrast(lab)
        expect(tlcp.client(lab, 8443, name=NAME, src=CLIENTS4[0]), "200")
        expect(tlcp.client(lab, 8443, src=CLIENTS4[1]), "200")
        contrast(lab)


@scenario("tlcp-8101", "TLCP sessions on 8101, a port that nobody expects TLS on")
def tlcp_other_port(lab):
    begin(lab, 8101)
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:2]:
            expect(tlcp.client(lab, 8101, src=src), "200")
        contrast(lab)


@scenario("tlcp-cipher", "TLCP clients that offer ECDHE_SM4_CBC_SM3 only before a server of ECC_SM4_CBC_SM3: alert 40")
def tlcp_cipher(lab):
    begin(lab, 8443)
    with lab.capture("m"):
        contrast(lab)
        expect(tlcp.client(lab, 8443, src=CLIENTS4[0]), "200")
        for src in CLIENTS4[:2]:
            expect(tlcp.client(lab, 8443, suites=(tlcp.ECDHE_SM4_CBC_SM3,), src=src), "0228")
        contrast(lab)
        expect(tlcp.client(lab, 8443, src=CLIENTS4[2]), "200")


@scenario("tlcp-unknown-ca", "TLCP clients refuse the server's chain by alert 48")
def tlcp_unknown_ca(lab):
    begin(lab, 8443)
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:2]:
            expect(tlcp.client(lab, 8443, name=NAME, refuse=tlcp.UNKNOWN_CA, src=src), "refused")
        expect(tlcp.client(lab, 8443, name=NAME, src=CLIENTS4[2]), "200")
        contrast(lab)


@scenario("tlcp-to-tls", "TLCP clients before a server that speaks TLS only (nginx)")
def tlcp_to_tls(lab):
    begin(lab)
    with lab.capture("m"):
        contrast(lab)
        for src in CLIENTS4[:2]:
            expect(tlcp.client(lab, 443, src=src), "02", "closed")
        contrast(lab)


@scenario("tlcp-from-tls", "TLS clients before a server that speaks TLCP only: alert 40")
def tlcp_from_tls(lab):
    begin(lab, 8443)
    with lab.capture("m"):
        contrast(lab)
        expect(tlcp.client(lab, 8443, src=CLIENTS4[2]), "200")
        for src in CLIENTS4[:2]:
            peers.https(lab, 8443, src=src)
        contrast(lab)
