"""OCSP staples of four stacks, seen in TLS 1.2: good ones, and each way in which they are wrong."""
import contextlib
import os
import shutil
import ssl

import peers
import staple
from net import CLIENTS4, SERVER
from runner import scenario
from scenarios.reach import contrast, usual
from scenarios.tls import gnutls, s_client

TLS12 = ssl.TLSVersion.TLSv1_2
NGINX, OPENSSL, HAPROXY, GNUTLS = 8443, 8444, 8445, 8446


def haproxy_with(lab, port, cert, response):
    """haproxy staples what lies beside its certificate as NAME.ocsp."""
    folder = os.path.join(lab.work, f"haproxy.{lab.name}.{port}")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "server.pem"), "w") as out:
        for part in (".chain", ".key"):
            with open(lab.pki.path(cert) + part) as f:
                out.write(f.read())
    shutil.copy(response, os.path.join(folder, "server.pem.ocsp"))
    with open(os.path.join(folder, "haproxy.cfg"), "w") as f:
        f.write(f"global\n  maxconn 50\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 20s\n"
                f"  timeout server 20s\nfrontend in\n  bind {SERVER}:{port} ssl crt {folder}/server.pem\n"
                f"  http-request return status 200 content-type text/plain string ok\n")
    lab.spawn("s", "haproxy", "-f", os.path.join(folder, "haproxy.cfg"), "-db")
    peers.wait_listen(lab, port)


def show(lab, response, stacks=(NGINX, OPENSSL, HAPROXY, GNUTLS), cert="leaf", strict=False):
    """Each of these servers staples the response to two clients that ask for it."""
    p = lab.pki
    lab.start()
    extra = f"ssl_stapling on; ssl_stapling_file {response};"
    usual(lab, peers.tls_server(lab, NGINX, cert=cert, protocols="TLSv1.2", extra=extra) if NGINX in stacks else "")
    if OPENSSL in stacks:
        peers.openssl_server(lab, OPENSSL, "-status_file", response, cert=cert)
    if HAPROXY in stacks:
        haproxy_with(lab, HAPROXY, cert, response)
    if GNUTLS in stacks:
        lab.spawn("s", "gnutls-serv", "--http", "-q", "-a", "-p", str(GNUTLS), "--x509certfile", p.path(cert) + ".chain",
                  "--x509keyfile", p.path(cert) + ".key", "--ocsp-response", response, "--ignore-ocsp-response-errors")
        peers.wait_listen(lab, GNUTLS)
    with lab.capture("m"):
        contrast(lab)
        for port in stacks:
            for src in CLIENTS4[:2]:
                s_client(lab, port, "-status", "-tls1_2", src=src)
            if strict:
                with contextlib.suppress(Exception):
                    gnutls(lab, port, priority="NORMAL:-VERS-ALL:+VERS-TLS1.2")
        contrast(lab, 1)


@scenario("staple-good", "nginx, openssl, haproxy and gnutls staple good responses: healthy")
def staple_good(lab):
    show(lab, staple.make(lab.pki, "good.ocsp", "leaf"))


@scenario("staple-delegated", "a responder that the authority named signs the staple: healthy")
def staple_delegated(lab):
    lab.pki.make("responder", "OCSP of Example Invoice", usage="digitalSignature", ocsp=True)
    show(lab, staple.make(lab.pki, "delegated.ocsp", "leaf", signer="responder"), stacks=(OPENSSL, GNUTLS))


def revoked(lab, port):
    show(lab, staple.make(lab.pki, "revoked.ocsp", "leaf", revoked=True), stacks=(port,), strict=True)


@scenario("staple-revoked-nginx", "nginx staples that its certificate is revoked")
def staple_revoked_nginx(lab):
    revoked(lab, NGINX)


@scenario("staple-revoked-openssl", "openssl staples that its certificate is revoked")
def staple_revoked_openssl(lab):
    revoked(lab, OPENSSL)


@scenario("staple-revoked-gnutls", "gnutls staples that its certificate is revoked")
def staple_revoked_gnutls(lab):
    revoked(lab, GNUTLS)


@scenario("staple-stale", "nginx, openssl and gnutls staple a response that expired 4 days ago")
def staple_stale(lab):
    show(lab, staple.make(lab.pki, "stale.ocsp", "leaf", days=(-11, -4)), stacks=(NGINX, OPENSSL, GNUTLS))


@scenario("staple-other", "openssl and nginx staple a response about another certificate")
def staple_other(lab):
    lab.pki.make("other", "pay.example.cn", names=["pay.example.cn"])
    show(lab, staple.make(lab.pki, "other.ocsp", "other"), stacks=(NGINX, OPENSSL))


@scenario("staple-forged", "openssl and nginx staple a response that a server's own key signed")
def staple_forged(lab):
    show(lab, staple.make(lab.pki, "forged.ocsp", "leaf", signer="leaf"), stacks=(NGINX, OPENSSL))
