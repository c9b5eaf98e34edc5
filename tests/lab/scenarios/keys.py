"""Sessions whose secrets the client logged (SSLKEYLOGFILE), with what they carried."""
import os

import peers
import tls13
from net import CLIENT, NAME, SERVER
from peers import expect
from pki import DAY
from runner import scenario
from scenarios.tls import program


def logged(lab, port, *words, paths=("/api/v1/invoices",), **options):
    """curl with a key log beside the capture; one connection for all paths."""
    log = os.path.join(lab.out, lab.name + ".keylog")
    urls = [f"https://{NAME}:{port}{path}" for path in paths]
    return program(lab, "env", f"SSLKEYLOGFILE={log}", "curl", "-sS", "-i", "--noproxy", "*", "--interface", CLIENT,
                   "--resolve", f"{NAME}:{port}:{SERVER}", "--cacert", lab.pki.path("root.crt"), *words, *urls, **options)


def fresh(lab):
    log = os.path.join(lab.out, lab.name + ".keylog")
    if os.path.exists(log):
        os.remove(log)


@scenario("keys-http", "HTTP/1 and HTTP/2 in TLS 1.2 and 1.3, one answer 503, with the client's key log")
def keys_http(lab):
    lab.start()
    fresh(lab)
    busy = "location /busy { return 503 'busy'; }"
    peers.nginx(lab, peers.tls_server(lab, extra=busy).replace("443 ssl", "443 ssl http2"))
    with lab.capture("m"):
        expect(logged(lab, 443, "--http1.1", "--tlsv1.3", paths=("/api/v1/first", "/busy")), "503")
        expect(logged(lab, 443, "--http2", "--tlsv1.3", paths=("/api/v1/second", "/busy")), "503")
        expect(logged(lab, 443, "--http1.1", "--tls-max", "1.2", paths=("/api/v1/third", "/api/v1/fourth")), "200")
        expect(logged(lab, 443, "--http2", "--tls-max", "1.2", "--ciphers", "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305",
                      paths=("/api/v1/fifth",)), "200")
        expect(logged(lab, 443, "--http1.1", "--tls-max", "1.2", "--ciphers", "ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA256",
                      paths=("/api/v1/sixth",)), "200")


@scenario("keys-refused", "TLS 1.3: the client refuses the server's certificate; its alert can be read with the key log")
def keys_refused(lab):
    lab.start()
    fresh(lab)
    lab.pki.make("k-expired", NAME, names=[NAME], start=-374 * DAY, end=-9 * DAY)
    peers.nginx(lab, peers.tls_server(lab) + peers.tls_server(lab, 8443, cert="k-expired"))
    with lab.capture("m"):
        for _ in range(2):
            expect(logged(lab, 443, "--tlsv1.3"), "200")
        for _ in range(3):
            expect(logged(lab, 8443, "--tlsv1.3"), "certificate")


@scenario("keys-packed", "TLS 1.3 with certificates packed by zlib, brotli and zstd (RFC 8879), one packed wrongly (8446), with the "
          "client's key log")
def keys_packed(lab):
    lab.start()
    fresh(lab)
    for port, algorithm, lie in ((8443, tls13.ZLIB, 0), (8444, tls13.BROTLI, 0), (8445, tls13.ZSTD, 0),
                                 (8446, tls13.ZLIB, 1)):
        peers.listen(lab, port, tls13.server(lab.pki, algorithm, lie=lie))
    with lab.capture("m"):
        for port in range(8443, 8447):
            expect(tls13.client(lab, port, os.path.join(lab.out, lab.name + ".keylog"), path=f"/api/v1/{port}"), "200")
