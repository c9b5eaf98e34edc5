"""The changes of an ordinary year, nothing of it an attack: balancers before unlike machines, points of presence that take
over from each other, new certificates, authorities and systems, clients that change, sites that send browsers on to https:."""
import base64
import os
import socket
import subprocess
import time

import peers
import web
from net import CLIENTS4, NAME, SERVER, SERVER6
from peers import expect
from runner import scenario
from scenarios.lan import GATEWAY, neighbor, switch
from scenarios.mitm import DAY, TLS12, TLS13, ask, false_ca, nginx_bridge, pem, serve
from scenarios.mitm_more import OWNERS, REDIRECT, ask_owners, ask_plain, nft, plain_site

OTHER = "198.51.100.40"
STANDBY = "198.51.100.31"


def two_machines(lab, rule):
    """Behind the router's one address stand two machines that have nothing in common: system, distance, certificate."""
    false_ca(lab, cn="Second Supplier CA", org="Second Supplier")
    lab.start()
    switch(lab)
    neighbor(lab, OTHER)
    lab.ip("x", "route", "add", "default", "via", GATEWAY)
    lab.sysctl("x", "net.ipv4.ip_default_ttl", 65)
    lab.sysctl("x", "net.ipv4.tcp_timestamps", 0)
    lab.sysctl("x", "net.ipv4.tcp_window_scaling", 0)
    peers.nginx(lab, peers.tls_server(lab))
    peers.nginx(lab, peers.tls_server(lab, cert="m-leaf", ip=OTHER, protocols="TLSv1.2"), ns="x")
    nft(lab, "f", f"""table ip nat {{
  chain pre {{
    type nat hook prerouting priority -100;
    iifname "f0" ip daddr {SERVER} tcp dport 443 {rule}
  }}
}}
""")


@scenario("balancer", "a balancer hands connections to two unlike machines by turns: other distance, TCP options, version, "
                      "authority and key: healthy")
def balancer(lab):
    two_machines(lab, f"dnat to numgen inc mod 2 map {{ 0 : {SERVER}, 1 : {OTHER} }}")
    with lab.capture("m"):
        for n in range(5):
            ask(lab, 2, first=n)


def move(lab, *targets):
    """The routes of the address lead to each of the machines in turn."""
    two_machines(lab, f"dnat to {SERVER}")
    lab.sysctl("x", "net.ipv4.ip_default_ttl", 63)
    with lab.capture("m"):
        for target in targets:
            lab.exec("f", "nft", "flush", "chain", "ip", "nat", "pre")
            lab.exec("f", "nft", "add", "rule", "ip", "nat", "pre", "iifname", "f0", "ip", "daddr", SERVER, "tcp", "dport",
                     "443", "dnat", "to", target)
            ask(lab, 2)


@scenario("anycast", "the routes of an anycast address move to a nearer point of presence of another authority for a while, and "
                     "back: healthy, but until then like an interception")
def anycast(lab):
    move(lab, SERVER, OTHER, SERVER)


@scenario("anycast-moved", "the same without the way back: whether somebody stepped in between no packet tells")
def anycast_moved(lab):
    move(lab, SERVER, OTHER)


@scenario("many-certificates", "a CDN shows six certificates of three authorities for one name at one address, in no order: healthy")
def many_certificates(lab):
    p = lab.pki
    for n in range(2):
        p.make(f"a-root{n}", f"Edge CA {n}", issuer=None, ca=True, org=f"Edge Authority {n}", start=-20 * 86400, end=900 * 86400)
    for n in range(6):
        issuer = {0: None, 1: "a-root0", 2: "a-root1"}[n % 3]
        p.make(f"a-{n}", NAME, names=[NAME], **({"issuer": issuer} if issuer else {}))
        if issuer:
            p.chain(f"a-{n}", [f"a-{n}", issuer])
    lab.start()
    with lab.capture("m"):
        for n in (0, 1, 2, 3, 1, 4, 0, 5):
            child = serve(lab, f"a-{n}")
            ask(lab, 1, first=n)
            lab.end(child)


@scenario("upgrade-13", "behind TLS 1.3, whose certificates nobody sees, nginx gives way to haproxy with another authority's: healthy")
def upgrade_13(lab):
    false_ca(lab, cn="Second Supplier CA", org="Second Supplier", key="rsa:2048")
    lab.start()
    child = serve(lab)
    with lab.capture("m"):
        ask(lab, 2, high=TLS13)
        lab.end(child)
        lab.sysctl("s", "net.ipv4.tcp_timestamps", 0)
        web.haproxy(lab, f"listen in\n  bind {SERVER}:443 ssl crt {pem(lab)}\n"
                         "  http-request return status 200 content-type application/json string ok\n", 443)
        ask(lab, 2, high=TLS13)


@scenario("resumed-only", "the certificate's authority changes; only sessions that were opened before are resumed from then on: healthy")
def resumed_only(lab):
    false_ca(lab, cn="Second Supplier CA", org="Second Supplier")
    tickets = os.path.join(lab.work, "tickets")
    with open(tickets, "w") as f:
        f.write("".join(base64.b64encode(bytes([n]) * 48).decode() + "\n" for n in range(3)))
    lab.start()

    def front(cert):
        return web.haproxy(lab, f"listen in\n  bind {SERVER}:443 ssl crt {pem(lab, cert)} ssl-max-ver TLSv1.2 tls-ticket-keys {tickets}\n"
                                "  http-request return status 200 content-type application/json string ok\n", 443)
    child = front("leaf")
    saved = os.path.join(lab.work, "session.pem")

    def client(*words):
        done = subprocess.run(["ip", "netns", "exec", lab.space("c"), "openssl", "s_client", "-connect", f"{SERVER}:443",
                               "-servername", NAME, "-tls1_2", *words], input=b"GET /api HTTP/1.0\r\n\r\n",
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=10).stdout.decode()
        return done
    with lab.capture("m"):
        expect(client("-sess_out", saved), "New, TLSv1.2")
        lab.end(child)
        front("m-leaf")
        for _ in range(3):
            expect(client("-sess_in", saved), "Reused, TLSv1.2")


@scenario("client-change", "a client's machine is renewed: other hello (OpenSSL, then GnuTLS), other TTL and TCP options at the same "
                           "address: healthy")
def client_change(lab):
    lab.start()
    serve(lab)
    with lab.capture("m"):
        ask(lab, 1, high=TLS13)
        for _ in range(2):
            expect(peers.https(lab, context=peers.client_context(lab, verify=False)), "200")
        lab.sysctl("c", "net.ipv4.ip_default_ttl", 128)
        lab.sysctl("c", "net.ipv4.tcp_timestamps", 0)
        for _ in range(3):
            subprocess.run(["ip", "netns", "exec", lab.space("c"), "gnutls-cli", "--insecure", "--sni-hostname", NAME, "-p", "443",
                            SERVER], input=b"GET /api HTTP/1.0\r\n\r\n", stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, timeout=10)


@scenario("hsts", "a site sends browsers on from 80 to 443 and asks them to stay there (HSTS); from then on they do, while programs "
                  "fetch the site's open list in clear: healthy")
def hsts(lab):
    lab.start()
    stay = "add_header Strict-Transport-Security 'max-age=31536000' always;"
    peers.nginx(lab, f"server {{ listen {SERVER}:80; location / {{ {REDIRECT} }} location /list {{ return 200 list; }} }}\n"
                + peers.tls_server(lab, extra=stay))
    context = peers.client_context(lab, verify=False, high=TLS12)
    with lab.capture("m"):
        expect(peers.http(lab, 80, path="/list/rates"), "200")
        for _ in range(2):
            expect(peers.http(lab, 80, path="/api/v1/invoices"), "301")
            expect(peers.https(lab, context=context), "200")
        for _ in range(3):
            expect(peers.https(lab, context=context), "200")
            expect(peers.http(lab, 80, path="/list/rates"), "200")


@scenario("own-proxy", "the site's own inspection proxy, named in the profile, opens TLS from some day on: no attack")
def own_proxy(lab):
    false_ca(lab, cn="Head Office TLS Inspection", org="Head Office")
    lab.start()
    serve(lab)
    with lab.capture("m"):
        ask(lab)
        lab.ip("f", "addr", "add", SERVER + "/32", "dev", "lo")
        nginx_bridge(lab)
        ask(lab, 4, first=2)


# --- certificates, systems and ways that change ------------------------------------------------------------------------
def by_turns(lab, states, each=4, settle=0.0):
    """State after state of the server, each asked a few times; a state starts the server and returns its process."""
    lab.start()
    with lab.capture("m"):
        child = None
        for state in states:
            if child:
                lab.end(child)
                time.sleep(settle)
            child = state()
            ask(lab, each)


@scenario("acme", "three certificates of 6 days, a new key each, of one authority, one after the other: healthy")
def acme(lab):
    for n in range(3):
        lab.pki.make(f"s-{n}", NAME, names=[NAME], start=-3 * DAY + n * 3600, end=3 * DAY + n * 3600)
    by_turns(lab, [lambda n=n: serve(lab, f"s-{n}") for n in range(3)], 2)


@scenario("short-other", "certificates of 6 days; at half of it another authority's: healthy")
def short_other(lab):
    p = false_ca(lab, cn="Short CA", org="Short Lived Certificates")
    p.make("s-old", NAME, names=[NAME], start=-3 * DAY - 3600, end=3 * DAY - 3600)
    by_turns(lab, [lambda: serve(lab, "s-old"), lambda: serve(lab, "m-leaf")], 4)


@scenario("terminator", "maintenance: nginx stops, connects are refused, then haproxy with another authority's certificate: healthy")
def terminator(lab):
    false_ca(lab, cn="Second Supplier CA", org="Second Supplier", key="rsa:2048")
    lab.start()
    child = serve(lab)
    with lab.capture("m"):
        ask(lab, 4)
        lab.end(child)
        for n in range(2):
            peers.try_connect(lab, 443, src=CLIENTS4[n])
        time.sleep(0.5)
        web.haproxy(lab, f"listen in\n  bind {SERVER}:443 ssl crt {pem(lab)} ssl-max-ver TLSv1.2\n"
                         "  http-request return status 200 content-type application/json string ok\n", 443)
        ask(lab, 4)


@scenario("config-12", "the server gives up TLS 1.3 by its configuration and keeps its certificate: healthy")
def config_12(lab):
    lab.start()
    child = peers.nginx(lab, peers.tls_server(lab))
    with lab.capture("m"):
        ask(lab, 3, high=TLS13)
        lab.end(child)
        peers.nginx(lab, peers.tls_server(lab, protocols="TLSv1.2"))
        ask(lab, 3, high=TLS13)


@scenario("private-ca", "one private authority certifies three owners' names in three networks, a key each: healthy")
def private_ca(lab):
    p = false_ca(lab, cn="Group Internal CA", org="Group IT")
    for n, (name, _) in enumerate(OWNERS):
        p.make(f"g-{n}", name, names=[name], issuer="m-root", start=-DAY, end=300 * DAY)
        p.chain(f"g-{n}", [f"g-{n}", "m-root"])
    lab.start()
    for _, address in OWNERS[1:]:
        lab.ip("s", "addr", "add", f"{address}/32", "dev", "s0")
        lab.ip("f", "route", "add", f"{address}/32", "via", SERVER)
    peers.nginx(lab, "".join(peers.tls_server(lab, cert=f"g-{n}", name=name, ip=address)
                             for n, (name, address) in enumerate(OWNERS)))
    with lab.capture("m"):
        for _ in range(2):
            ask_owners(lab)


@scenario("front", "one front serves three owners' names by certificates of one authority for one key: healthy")
def front(lab):
    p = false_ca(lab, cn="Hosting CA", org="Hosting")
    key = p.key
    p.key = lambda name, kind: open(p.path(name + ".key"), "w").write(open(p.path("leaf.key")).read())
    try:
        for n, (name, _) in enumerate(OWNERS):
            p.make(f"f-{n}", name, names=[name], issuer="m-root", start=-DAY, end=300 * DAY)
            p.chain(f"f-{n}", [f"f-{n}", "m-root"])
    finally:
        p.key = key
    lab.start()
    peers.nginx(lab, "".join(peers.tls_server(lab, cert=f"f-{n}", name=name) for n, (name, _) in enumerate(OWNERS)))
    with lab.capture("m"):
        for name, _ in OWNERS * 2:
            ask(lab, 1, name=name)


@scenario("wildcard", "one wildcard certificate on four names at three addresses: healthy")
def wildcard(lab):
    lab.pki.make("w-leaf", "*.example.cn", names=["*.example.cn"])
    lab.start()
    for _, address in OWNERS[1:]:
        lab.ip("s", "addr", "add", f"{address}/32", "dev", "s0")
        lab.ip("f", "route", "add", f"{address}/32", "via", SERVER)
    places = list(zip(("inv.example.cn", "pay.example.cn", "sso.example.cn", "api.example.cn"),
                      (SERVER, OWNERS[1][1], OWNERS[2][1], SERVER)))
    peers.nginx(lab, "".join(peers.tls_server(lab, cert="w-leaf", name=name, ip=ip) for name, ip in places))
    with lab.capture("m"):
        for name, ip in places:
            expect(peers.https(lab, name=name, ip=ip, context=peers.client_context(lab, verify=False, high=TLS12)), "200")


@scenario("os-upgrade", "the server restarts with another system: other TTL and TCP options, the same certificate: healthy")
def os_upgrade(lab):
    lab.start()
    child = serve(lab)
    with lab.capture("m"):
        ask(lab, 3)
        lab.end(child)
        lab.sysctl("s", "net.ipv4.ip_default_ttl", 128)
        lab.sysctl("s", "net.ipv4.tcp_timestamps", 0)
        lab.sysctl("s", "net.ipv4.tcp_window_scaling", 0)
        serve(lab)
        ask(lab, 3)


@scenario("dual-stack", "over IPv6 another machine answers: other certificate, authority, TTL and TLS version: healthy")
def dual_stack(lab):
    false_ca(lab, cn="Second Supplier CA", org="Second Supplier")
    lab.start(ipv6=True)
    lab.sysctl("s", "net.ipv6.conf.s0.hop_limit", 120)
    peers.nginx(lab, peers.tls_server(lab) + peers.tls_server(lab, ip=SERVER6, cert="m-leaf", protocols="TLSv1.2"))
    context = peers.client_context(lab, verify=False, high=TLS12)
    with lab.capture("m"):
        for _ in range(3):
            expect(peers.https(lab, context=context), "200")
            expect(peers.https(lab, ip=SERVER6, context=context), "200")


@scenario("captive", "until it is logged in, every name is answered by the portal under its own name; then the servers are there")
def captive(lab):
    p = lab.pki
    p.make("c-root", "Guest CA", issuer=None, ca=True, org="Guest Services", start=-20 * DAY, end=900 * DAY)
    p.make("c-leaf", "portal.guest.example.net", names=["portal.guest.example.net"], issuer="c-root", start=-DAY, end=300 * DAY)
    p.chain("c-leaf", ["c-leaf", "c-root"])
    lab.start()
    serve(lab)
    lab.ip("f", "addr", "add", SERVER + "/32", "dev", "lo")
    child = peers.nginx(lab, peers.tls_server(lab, cert="c-leaf"), ns="f")
    with lab.capture("m"):
        ask(lab, 3)
        lab.end(child)
        lab.ip("f", "addr", "del", SERVER + "/32", "dev", "lo")
        ask(lab, 4)


@scenario("failover", "keepalived's way: the address moves to the standby machine with another certificate of the same authority: healthy")
def failover(lab):
    lab.pki.make("b-leaf", NAME, names=[NAME])
    lab.start()
    serve(lab)
    switch(lab)
    neighbor(lab, STANDBY)
    lab.ip("x", "route", "add", "default", "via", GATEWAY)
    lab.sysctl("x", "net.ipv4.ip_default_ttl", 57)
    lab.sysctl("x", "net.ipv4.ip_nonlocal_bind", 1)
    peers.nginx(lab, peers.tls_server(lab, cert="b-leaf"), ns="x")
    lab.capture_on("f", "f1")
    time.sleep(0.15)
    context = peers.client_context(lab, verify=False, high=TLS12)
    for _ in range(3):
        expect(peers.https(lab, context=context), "200")
    lab.ip("s", "addr", "del", f"{SERVER}/24", "dev", "s0")
    lab.ip("x", "addr", "add", f"{SERVER}/32", "dev", "x0")
    own = bytes.fromhex("525400c6649a")
    raw = lab.socket("x", socket.AF_PACKET, socket.SOCK_RAW)
    raw.bind(("x0", 0))
    for operation in (1, 2):  # gratuitous, as keepalived sends them
        raw.send(b"\xff" * 6 + own + bytes.fromhex("08060001080006040" + f"{operation:03x}") + own + socket.inet_aton(SERVER)
                 + (b"\0" * 6 if operation == 1 else b"\xff" * 6) + socket.inet_aton(SERVER))
    raw.close()
    time.sleep(0.3)
    for _ in range(3):
        expect(peers.https(lab, context=context), "200")
    lab.end_captures()


@scenario("plain-paths", "a site sends pages on to https: and serves its health page and challenges in clear: healthy")
def plain_paths(lab):
    lab.start()
    peers.nginx(lab, f"server {{ listen {SERVER}:80; location / {{ {REDIRECT} }} location /health {{ return 200 up; }} "
                     "location /.well-known/ { return 200 token; } }\n" + peers.tls_server(lab))
    with lab.capture("m"):
        for path, wanted in (("/api/v1/invoices", "301"), ("/health", "200"), ("/.well-known/acme-challenge/x", "200"),
                             ("/api/v1/invoices", "301"), ("/health", "200")):
            ask_plain(lab, wanted, path=path)


@scenario("two-fronts", "of two machines one lacks the redirect to https: pages come in clear by turns: a fault, no attack")
def two_fronts(lab):
    lab.start()
    child = peers.nginx(lab, plain_site(lab))
    with lab.capture("m"):
        for extra in ("return 200 ok;", REDIRECT, "return 200 ok;", REDIRECT):
            lab.end(child)
            child = peers.nginx(lab, plain_site(lab, extra))
            ask_plain(lab, "200" if extra != REDIRECT else "301")
