"""Somebody between client and server: the router answers in the server's place and opens TLS; and what only looks so:
renewals, changes of supplier, two certificates, machines behind a balancer, boxes that sign themselves."""
import os
import ssl
import time

import peers
from net import CLIENTS4, NAME, SERVER, SERVER2
from peers import expect
from runner import scenario

DAY = 86400
TLS12 = ssl.TLSVersion.TLSv1_2
TLS13 = ssl.TLSVersion.TLSv1_3


def ask(lab, count=2, first=0, ciphers=None, name=NAME, high=TLS12):
    context = peers.client_context(lab, verify=False, high=high, ciphers=ciphers)
    for number in range(count):
        expect(peers.https(lab, name=name, context=context, src=CLIENTS4[(first + number) % 4]), "200")


def serve(lab, cert="leaf", extra=""):
    return peers.nginx(lab, peers.tls_server(lab, cert=cert, extra=extra)
                       + peers.tls_server(lab, ip=SERVER2, cert=cert, extra=extra))


def false_ca(lab, cn="Inspection CA", org="Branch Network", **options):
    p = lab.pki
    p.make("m-root", cn, issuer=None, ca=True, org=org, start=-20 * DAY, end=900 * DAY)
    p.make("m-leaf", NAME, names=[NAME], issuer="m-root", start=-DAY, end=300 * DAY, **options)
    p.chain("m-leaf", ["m-leaf", "m-root"])
    return p


def in_the_middle(lab, proxy, settle=0.3):
    """Two direct sessions, then two that the router answers: its TTL and its distance are its own."""
    lab.start()
    serve(lab)
    with lab.capture("m"):
        ask(lab)
        lab.ip("f", "addr", "add", SERVER + "/32", "dev", "lo")
        proxy(lab)
        time.sleep(settle)
        ask(lab, first=2)


def pem(lab, name="m-leaf"):
    path = os.path.join(lab.work, f"{lab.name}.{name}.pem")
    with open(path, "w") as out:
        for part in (".chain", ".key"):
            with open(lab.pki.path(name) + part) as f:
                out.write(f.read())
    return path


def nginx_bridge(lab):
    p = lab.pki
    peers.nginx(lab, f"""server {{ listen {SERVER}:443 ssl; ssl_certificate {p.path("m-leaf")}.chain;
  ssl_certificate_key {p.path("m-leaf")}.key; location / {{ proxy_pass https://{SERVER2}:443; proxy_set_header Host {NAME};
  proxy_ssl_server_name on; proxy_ssl_name {NAME}; }} }}
""", ns="f")


@scenario("mitm-nginx", "the router bridges TLS with nginx and a certificate of its own authority")
def mitm_nginx(lab):
    false_ca(lab)
    in_the_middle(lab, nginx_bridge)


@scenario("mitm-fortigate", "the same with the authority that a FortiGate comes with")
def mitm_fortigate(lab):
    false_ca(lab, cn="FortiGate CA", org="Fortinet")
    in_the_middle(lab, nginx_bridge)


@scenario("mitm-haproxy", "the router bridges TLS with haproxy")
def mitm_haproxy(lab):
    false_ca(lab, key="rsa:2048")

    def proxy(lab):
        path = os.path.join(lab.work, f"haproxy.{lab.name}.cfg")
        with open(path, "w") as f:
            f.write(f"""defaults
  mode http
  timeout connect 5s
  timeout client 20s
  timeout server 20s
listen in
  bind {SERVER}:443 ssl crt {pem(lab)}
  server s {SERVER2}:443 ssl verify none sni str({NAME})
""")
        lab.spawn("f", "haproxy", "-f", path, "-db")
    in_the_middle(lab, proxy, 0.8)


@scenario("mitm-stunnel", "the router opens TLS with one stunnel service and closes it with another")
def mitm_stunnel(lab):
    false_ca(lab)

    def proxy(lab):
        path = os.path.join(lab.work, f"stunnel.{lab.name}.conf")
        with open(path, "w") as f:
            f.write(f"""foreground = yes
pid =
[in]
accept = {SERVER}:443
cert = {pem(lab)}
connect = 127.0.0.1:9001
[out]
client = yes
accept = 127.0.0.1:9001
connect = {SERVER2}:443
sni = {NAME}
""")
        lab.spawn("f", "stunnel4", path)
    in_the_middle(lab, proxy, 0.8)


@scenario("mitm-mitmproxy", "mitmproxy on the router, with the authority it makes for itself")
def mitm_mitmproxy(lab):
    def proxy(lab):
        lab.spawn("f", "mitmdump", "--mode", f"reverse:https://{SERVER2}:443", "--listen-host", SERVER, "-p", "443",
                  "--ssl-insecure", "--set", "confdir=" + os.path.join(lab.work, "mitmproxy"), "--set",
                  "keep_host_header=true", "--set", "http2=false", "-q")
    in_the_middle(lab, proxy, 8)


def socat_bridge(lab):
    lab.spawn("f", "socat", f"OPENSSL-LISTEN:443,bind={SERVER},reuseaddr,fork,cert={pem(lab)},verify=0",
              f"OPENSSL:{SERVER2}:443,verify=0,snihost={NAME}")


@scenario("mitm-socat", "socat joins two TLS connections on the router")
def mitm_socat(lab):
    false_ca(lab)
    in_the_middle(lab, socat_bridge, 0.8)


@scenario("mitm-zscaler", "the same with an authority of a cloud proxy, from the first session on")
def mitm_zscaler(lab):
    false_ca(lab, cn="Zscaler Intermediate Root CA (zscaler.net)", org="Zscaler Inc.")
    lab.start()
    serve(lab)
    with lab.capture("m"):
        lab.ip("f", "addr", "add", SERVER + "/32", "dev", "lo")
        socat_bridge(lab)
        time.sleep(0.8)
        ask(lab)


@scenario("mitm-openssl", "openssl s_server answers in the server's place")
def mitm_openssl(lab):
    false_ca(lab)

    def proxy(lab):
        p = lab.pki
        lab.spawn("f", "openssl", "s_server", "-accept", f"{SERVER}:443", "-cert", p.path("m-leaf") + ".crt", "-key",
                  p.path("m-leaf") + ".key", "-cert_chain", p.path("m-root") + ".crt", "-www", "-quiet")
    in_the_middle(lab, proxy, 0.8)


@scenario("mitm-dance", "hellos that offer TLS 1.3 vanish on the way until the client asks for TLS 1.2 only")
def mitm_dance(lab):
    lab.start()
    serve(lab)
    with lab.capture("m"):
        ask(lab, high=TLS13)
        lab.firewall("ip saddr 10.20.1.11 tcp dport 443 meta length > 500 drop", ns="f")
        high = peers.client_context(lab, verify=False, high=TLS13)
        low = peers.client_context(lab, verify=False, high=TLS12)
        for _ in range(2):
            peers.https(lab, context=high, src=CLIENTS4[0], timeout=3.5)
        expect(peers.https(lab, context=low, src=CLIENTS4[0]), "200")
        ask(lab, first=1, high=TLS13)


# --- what only looks so ---------------------------------------------------------------------------------------------
def two_times(lab, old, new, extra="", new_extra=""):
    """Two sessions, another certificate is installed, two more."""
    lab.start()
    child = serve(lab, old, extra)
    with lab.capture("m"):
        ask(lab)
        lab.end(child)
        serve(lab, new, new_extra)
        ask(lab, first=2)


@scenario("rotation", "a new certificate and key of the same authority in mid-life: healthy")
def rotation(lab):
    lab.pki.make("r-new", NAME, names=[NAME])
    two_times(lab, "leaf", "r-new")


@scenario("new-supplier", "an old certificate with 20 of 365 days left is replaced by one of another authority: healthy")
def new_supplier(lab):
    lab.pki.make("r-old", NAME, names=[NAME], start=-345 * DAY, end=20 * DAY)
    false_ca(lab, cn="Second Supplier CA", org="Second Supplier")
    two_times(lab, "r-old", "m-leaf")


@scenario("same-key", "another authority certifies the key that was there before: healthy")
def same_key(lab):
    p = false_ca(lab, cn="Second Supplier CA", org="Second Supplier")
    key = p.key
    p.key = lambda name, kind: open(p.path(name + ".key"), "w").write(open(p.path("leaf.key")).read())
    try:
        p.make("r-same", NAME, names=[NAME], issuer="m-root")
    finally:
        p.key = key
    p.chain("r-same", ["r-same", "m-root"])
    two_times(lab, "leaf", "r-same")


@scenario("two-keys", "an RSA and an ECDSA certificate of different authorities, chosen by what the client offers: healthy")
def two_keys(lab):
    p = false_ca(lab, cn="Second Supplier CA", org="Second Supplier", key="rsa:2048")
    lab.start()
    serve(lab, extra=f"ssl_certificate {p.path('m-leaf')}.chain; ssl_certificate_key {p.path('m-leaf')}.key;")
    with lab.capture("m"):
        for ciphers in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256") * 2:
            ask(lab, 1, ciphers=ciphers)


@scenario("two-issuers", "by turns two machines answer, each with a certificate of another authority: healthy")
def two_issuers(lab):
    false_ca(lab, cn="Second Supplier CA", org="Second Supplier")
    lab.start()
    with lab.capture("m"):
        for cert in ("leaf", "m-leaf") * 2:
            child = serve(lab, cert)
            ask(lab, 2)
            lab.end(child)


@scenario("dev-box", "a development box signs itself anew at each start")
def dev_box(lab):
    lab.pki.make("d-one", NAME, names=[NAME], issuer=None)
    lab.pki.make("d-two", NAME, names=[NAME], issuer=None, org="Developer")
    two_times(lab, "d-one", "d-two")


@scenario("hosting", "two names of different owners at one address, each with its own authority: healthy")
def hosting(lab):
    p = lab.pki
    p.make("m-root", "Second Supplier CA", issuer=None, ca=True, org="Second Supplier", start=-20 * DAY, end=900 * DAY)
    p.make("h-two", "erp.example.net", names=["erp.example.net"], issuer="m-root", org="Example Trading")
    p.chain("h-two", ["h-two"])
    lab.start()
    peers.nginx(lab, peers.tls_server(lab) + peers.tls_server(lab, cert="h-two", name="erp.example.net"))
    with lab.capture("m"):
        for name in (NAME, "erp.example.net") * 2:
            ask(lab, 1, name=name)


@scenario("resumed", "sessions are resumed while the certificate is renewed: healthy")
def resumed(lab):
    lab.pki.make("r-new", NAME, names=[NAME])
    lab.start()
    child = serve(lab)
    context = peers.client_context(lab, verify=False, high=TLS12)
    with lab.capture("m"):
        ask(lab, 1)
        for _ in range(3):
            expect(peers.https(lab, context=context), "200")
        lab.end(child)
        serve(lab, "r-new")
        for _ in range(3):
            expect(peers.https(lab, context=context), "200")
