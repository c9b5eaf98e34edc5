"""The same refusals by servers of several makers (tls_stacks.py): a version, a missing, a bad and a good client certificate, a
name; each beside a handshake that works."""
import tls_stacks as stacks
from net import NAME
from peers import expect
from runner import scenario
from scenarios.reach import contrast, usual
from tls_stacks import TLS12, TLS13

NEW, MUTUAL, STRICT = 8443, 8444, 8445


def ask(lab, port, client="python", low=TLS12, high=TLS13, cert=None, name=NAME):
    return stacks.CLIENTS[client](lab, port, low, high, "root", cert, name)


def refusals(lab, server):
    start, kinds = stacks.SERVERS[server]
    wanted = {kind: port for kind, port in (("only13", NEW), ("mutual", MUTUAL), ("strict", STRICT)) if kind in kinds}
    lab.start()
    usual(lab)
    stacks.prepare(lab)
    for kind, port in wanted.items():
        start(lab, port, kind)
    for port in wanted.values():
        stacks.wait_listen(lab, port)
    with lab.capture("m"):
        contrast(lab)
        expect(ask(lab, NEW), "200")
        for client in ("python", "gnutls"):
            ask(lab, NEW, client, high=TLS12)
        for version in (TLS13, TLS12):
            span = {"low": version, "high": version}
            expect(ask(lab, MUTUAL, cert="client", **span), "200")
            ask(lab, MUTUAL, **span)
            ask(lab, MUTUAL, cert="otherclient", **span)
        if "strict" in wanted:
            expect(ask(lab, STRICT), "200")
            for client in ("python", "gnutls"):
                ask(lab, STRICT, client, name="other.example.cn")
        contrast(lab, 1)


@scenario("stack-java", "JSSE refuses a version, and clients without and with a bad certificate")
def stack_java(lab):
    refusals(lab, "java")


@scenario("stack-gnutls", "GnuTLS refuses a version, a name, and clients without and with a bad certificate")
def stack_gnutls(lab):
    refusals(lab, "gnutls")


@scenario("stack-nss", "NSS refuses a version, and clients without and with a bad certificate")
def stack_nss(lab):
    refusals(lab, "nss")


@scenario("stack-haproxy", "haproxy refuses a version, a name, and clients without and with a bad certificate")
def stack_haproxy(lab):
    refusals(lab, "haproxy")


@scenario("stack-stunnel", "stunnel refuses a version, and clients without and with a bad certificate")
def stack_stunnel(lab):
    refusals(lab, "stunnel")
