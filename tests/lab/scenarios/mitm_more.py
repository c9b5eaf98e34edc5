"""More of somebody in between: false ARP and DNS, proxies for all names, redirects kept back, hellos made worse; and the
changes of an ordinary year that resemble them."""
import contextlib
import os
import socket
import subprocess
import time

import bridge
import peers
import web
from net import CLIENT, CLIENTS4, NAME, ROUTER, SERVER, SERVER2, SERVER6, run
from peers import expect
from runner import scenario
from scenarios.mitm import DAY, TLS12, TLS13, ask, false_ca, pem, serve

# Three owners in three networks.
OWNERS = (("inv.example.cn", SERVER), ("pay.example-bank.com", "203.0.113.40"), ("erp.trading.example.org", "192.0.2.60"))


def own_authority(lab, name, number, key="P-256"):
    """A certificate of an authority that nobody else has."""
    p = lab.pki
    p.make(f"o-root{number}", f"Owner {number} Root", issuer=None, ca=True, org=f"Owner {number}", start=-90 * DAY, end=900 * DAY)
    p.make(f"o-leaf{number}", name, names=[name], issuer=f"o-root{number}", start=-30 * DAY, end=330 * DAY, key=key)
    p.chain(f"o-leaf{number}", [f"o-leaf{number}", f"o-root{number}"])
    return f"o-leaf{number}"


def three_owners(lab):
    """The servers of three owners, in three networks behind the router, each with its own authority."""
    for _, address in OWNERS[1:]:
        lab.ip("s", "addr", "add", f"{address}/32", "dev", "s0")
        lab.ip("f", "route", "add", f"{address}/32", "via", SERVER)
    peers.nginx(lab, "".join(peers.tls_server(lab, cert=own_authority(lab, name, n), name=name, ip=address)
                             for n, (name, address) in enumerate(OWNERS)))


def ask_owners(lab, first=0, **options):
    for n, (name, address) in enumerate(OWNERS):
        expect(peers.https(lab, name=name, ip=address, context=peers.client_context(lab, verify=False, high=TLS12),
                           src=CLIENTS4[(first + n) % 4], **options), "200")


def mitmdump(lab, ns, port, *words, ca="m-root"):
    """mitmproxy with an authority of ours instead of its own name."""
    folder = os.path.join(lab.work, f"mitmproxy.{lab.name}")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "mitmproxy-ca.pem"), "w") as out:
        for part in (".key", ".crt"):
            with open(lab.pki.path(ca) + part) as f:
                out.write(f.read())
    lab.spawn(ns, "mitmdump", "--ssl-insecure", "--set", "confdir=" + folder, "--set", "http2=false", "--set",
              "upstream_cert=false", "-q", "-p", str(port), *words)
    for _ in range(10):
        with contextlib.suppress(RuntimeError):
            peers.wait_listen(lab, port, ns)
            return
    raise RuntimeError("mitmdump does not listen")


def authority(lab, cn="Branch Gateway CA", org="Branch Network"):
    lab.pki.make("m-root", cn, issuer=None, ca=True, org=org, start=-20 * DAY, end=900 * DAY, key="rsa:2048")


def nft(lab, ns, text):
    path = os.path.join(lab.work, f"{lab.name}.{ns}.nft")
    with open(path, "w") as f:
        f.write(text)
    lab.exec(ns, "nft", "-f", path)


# --- proxies for all names ------------------------------------------------------------------------------------------
@scenario("mitm-connect", "an explicit proxy (mitmproxy) answers CONNECT to three owners' names and opens TLS under one key")
def mitm_connect(lab):
    lab.start()
    authority(lab)
    three_owners(lab)
    hosts = os.path.join("/etc/netns", lab.space("f"))
    os.makedirs(hosts, exist_ok=True)
    with open(os.path.join(hosts, "hosts"), "w") as f:
        f.write("".join(f"{address} {name}\n" for name, address in OWNERS))
    try:
        mitmdump(lab, "f", 3128, "--listen-host", ROUTER)
        with lab.capture("m"):
            for name, _ in OWNERS:
                s = peers.connect(lab, 3128, ip=ROUTER, timeout=20)
                s.sendall(f"CONNECT {name}:443 HTTP/1.1\r\nHost: {name}:443\r\n\r\n".encode())
                expect(s.recv(4096).decode(), "200")
                with peers.client_context(lab, verify=False, high=TLS12).wrap_socket(s, server_hostname=name) as t:
                    t.sendall(peers.request("/api/v1/invoices", host=name))
                    expect(peers.read_answer(t).decode(), "200 OK")
    finally:
        os.unlink(os.path.join(hosts, "hosts"))
        os.rmdir(hosts)


@scenario("mitm-redirect", "the router turns all of 443 to mitmproxy (nft redirect): three owners' names under one key, from the first session on")
def mitm_redirect(lab):
    lab.start()
    authority(lab)
    three_owners(lab)
    mitmdump(lab, "f", 8443, "--mode", "transparent")
    nft(lab, "f", 'table ip nat {\n  chain pre {\n    type nat hook prerouting priority -100;\n'
                  '    iifname "f0" tcp dport 443 redirect to :8443\n  }\n}\n')
    with lab.capture("m"):
        ask_owners(lab, timeout=20)


@scenario("mitm-names", "three owners' names, first direct, then all by certificates of one authority that none of them had; nothing else differs")
def mitm_names(lab):
    lab.start()
    three_owners(lab)
    p = false_ca(lab, cn="Gateway CA", org="Gateway Operations")
    for n, (name, _) in enumerate(OWNERS):
        p.make(f"n-leaf{n}", name, names=[name], issuer="m-root", start=-DAY, end=300 * DAY)
        p.chain(f"n-leaf{n}", [f"n-leaf{n}", "m-root"])
    with lab.capture("m"):
        ask_owners(lab)
        lab.end(lab.children[0])
        peers.nginx(lab, "".join(peers.tls_server(lab, cert=f"n-leaf{n}", name=name, ip=address)
                                 for n, (name, address) in enumerate(OWNERS)))
        ask_owners(lab, first=2)


@scenario("mitm-gnutls", "GnuTLS answers in the server's place on the router: TLS 1.2 where there was TLS 1.3 with h2")
def mitm_gnutls(lab):
    false_ca(lab)
    lab.start()
    peers.nginx(lab, peers.tls_server(lab) + peers.tls_server(lab, ip=SERVER2))
    with lab.capture("m"):
        ask(lab)
        lab.ip("f", "addr", "add", SERVER + "/32", "dev", "lo")
        lab.spawn("f", "gnutls-serv", "--http", "-p", "443", "--x509certfile", lab.pki.path("m-leaf") + ".chain",
                  "--x509keyfile", lab.pki.path("m-leaf") + ".key", "--priority", "NORMAL:-VERS-TLS1.3", "-q")
        peers.wait_listen(lab, 443, "f")
        for n in (2, 3):
            expect(peers.https(lab, context=peers.client_context(lab, verify=False, high=TLS12), src=CLIENTS4[n]), "200")


# --- below TLS --------------------------------------------------------------------------------------------------------
def switched(lab, ipv6=False):
    """Client, router and a third host on one switch; its frames are captured once each, where they come in."""
    lab.start(ipv6=ipv6)
    lab.add_space("w")
    lab.add_space("a", ipv6=ipv6)
    for ns, dev in (("c", "c0"), ("f", "f0")):
        lab.ip(ns, "link", "del", dev)
    for b in lab.bridges:
        b.close()
    lab.bridges = []
    lab.ip("w", "link", "add", "br0", "type", "bridge")
    lab.ip("w", "link", "set", "br0", "up")
    lab.link("c", "c0", "52:54:00:0a:01:0b", "w", "w0", "52:54:00:0a:01:f0")
    lab.link("f", "f0", "52:54:00:0a:01:01", "w", "w1", "52:54:00:0a:01:f1")
    lab.link("a", "a0", "52:54:00:0a:01:66", "w", "w2", "52:54:00:0a:01:f2")
    for dev in ("w0", "w1", "w2"):
        lab.ip("w", "link", "set", dev, "master", "br0")
    lab.ip("f", "addr", "add", f"{ROUTER}/24", "dev", "f0")
    for address in CLIENTS4:
        lab.ip("c", "addr", "add", f"{address}/24", "dev", "c0")
    lab.ip("a", "addr", "add", "10.20.1.66/24", "dev", "a0")
    for ns in "ca":
        lab.ip(ns, "route", "add", "default", "via", ROUTER)
    for name in ("all", "a0"):
        lab.sysctl("a", f"net.ipv4.conf.{name}.send_redirects", 0)
    lab.sysctl("a", "net.ipv4.ip_forward", 1)
    lab.touch("c", CLIENT, SERVER)
    lab.touch("a", "10.20.1.66", SERVER)


def capture_switch(lab):
    for dev in ("w0", "w1", "w2"):
        lab.capture_on("w", dev, f".{dev}", expression="-Q in")
    time.sleep(0.2)


def merge_switch(lab):
    lab.end_captures()
    paths = [p for _, p in lab.taps]
    whole = os.path.join(lab.out, lab.name + ".pcap")
    run("mergecap", "-F", "pcap", "-w", whole, *paths)
    for p in paths:
        os.unlink(p)
    lab.taps = [(lab.taps[0][0], whole)]


def arpspoof(lab):
    return [lab.spawn("a", "arpspoof", "-i", "a0", "-t", target, host, log=target)
            for target, host in ((CLIENT, ROUTER), (ROUTER, CLIENT))]


@scenario("mitm-arp", "arpspoof stands between client and router and passes everything on, untouched")
def mitm_arp(lab):
    switched(lab)
    peers.nginx(lab, peers.tls_server(lab) + peers.http_server(lab, 8080))
    capture_switch(lab)
    expect(peers.http(lab), "200")
    spoofing = arpspoof(lab)
    time.sleep(3)
    for _ in range(3):
        expect(peers.http(lab), "200")
        time.sleep(1.2)
    for child in spoofing:
        lab.end(child)
    merge_switch(lab)


@scenario("mitm-arp-tls", "the same, and the third host opens TLS with mitmproxy: one incident")
def mitm_arp_tls(lab):
    switched(lab)
    authority(lab)
    peers.nginx(lab, peers.tls_server(lab))
    mitmdump(lab, "a", 8443, "--mode", "transparent")
    nft(lab, "a", 'table ip nat {\n  chain pre {\n    type nat hook prerouting priority -100;\n'
                  '    iifname "a0" tcp dport 443 redirect to :8443\n  }\n}\n')
    capture_switch(lab)
    context = peers.client_context(lab, verify=False, high=TLS12)
    for _ in range(2):
        expect(peers.https(lab, context=context), "200")
    spoofing = arpspoof(lab)
    time.sleep(3)
    for _ in range(2):
        expect(peers.https(lab, context=context, timeout=20), "200")
        time.sleep(1.2)
    for child in spoofing:
        lab.end(child)
    merge_switch(lab)


# --- kept back and made worse -------------------------------------------------------------------------------------------
REDIRECT = "return 301 https://$host$request_uri;"


def plain_site(lab, extra=REDIRECT, ip=SERVER, port=80):
    return f"server {{ listen {ip}:{port}; server_name {NAME}; location / {{ {extra} }} }}\n"


def ask_plain(lab, wanted, src=CLIENT, path="/api/v1/invoices"):
    expect(peers.http(lab, 80, path=path, src=src), wanted)


@scenario("mitm-strip", "the site sends the client on to https:; then the router answers for it in clear and keeps the redirect (sslstrip)")
def mitm_strip(lab):
    lab.start()
    peers.nginx(lab, plain_site(lab) + plain_site(lab, ip=SERVER2) + peers.tls_server(lab)
                + peers.tls_server(lab, ip=SERVER2, extra="location / { return 200 '{\"code\":0}'; }"))
    with lab.capture("m"):
        for _ in range(2):
            ask_plain(lab, "301")
        lab.ip("f", "addr", "add", SERVER + "/32", "dev", "lo")
        peers.nginx(lab, f"server {{ listen {SERVER}:80; location / {{ proxy_pass https://{SERVER2}:443; "
                         f"proxy_set_header Host {NAME}; proxy_ssl_server_name on; proxy_ssl_name {NAME}; }} }}\n", ns="f")
        for _ in range(2):
            ask_plain(lab, "200")


@scenario("mitm-sentinel", "somebody behind the tap takes TLS 1.3 out of the hello: the server marks the session, the client gives up")
def mitm_sentinel(lab):
    def rule(f, now):
        if f.direction != ">" or b"\x00\x2b\x00\x05\x04\x03\x04\x03\x03" not in f.payload:
            return None
        raw = f.raw.replace(b"\x00\x2b\x00\x05\x04\x03\x04\x03\x03", b"\x00\x2b\x00\x05\x04\x03\x03\x03\x03")
        ends, tcp = raw[26:34], bytearray(raw[f.l4:])
        tcp[16:18] = b"\0\0"
        total = bridge.checksum(ends + bytes([0, 6]) + len(tcp).to_bytes(2, "big") + bytes(tcp))
        tcp[16:18] = total.to_bytes(2, "big")
        return [(0, ">", raw[:f.l4] + bytes(tcp))]
    lab.start(rule_far=rule)
    peers.nginx(lab, peers.tls_server(lab))
    with lab.capture("m"):
        for n in range(3):
            found = peers.https(lab, src=CLIENTS4[n], context=peers.client_context(lab, verify=False))
            expect(found, "ILLEGAL", "illegal", "DOWNGRADE", "INAPPROPRIATE", "Error")


@scenario("mitm-fallback", "a client that came down to TLS 1.2 says so (TLS_FALLBACK_SCSV), and the server, which knows TLS 1.3, refuses")
def mitm_fallback(lab):
    lab.start()
    peers.nginx(lab, peers.tls_server(lab))
    with lab.capture("m"):
        ask(lab, 1, high=TLS13)
        for _ in range(2):
            subprocess.run(["ip", "netns", "exec", lab.space("c"), "openssl", "s_client", "-connect", f"{SERVER}:443",
                            "-servername", NAME, "-tls1_2", "-fallback_scsv"], stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=10)
        ask(lab, 1, high=TLS13)


# --- an ordinary year: nothing of it is an attack -----------------------------------------------------------------------
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
    # The standby stands on the same network: a bridge joins it to server and router.
    lab.add_space("x")
    lab.add_space("w")
    lab.ip("f", "link", "del", "f1")
    lab.ip("w", "link", "add", "br0", "type", "bridge")
    lab.ip("w", "link", "set", "br0", "up")
    lab.link("f", "f1", "52:54:00:c6:64:01", "w", "w0", "52:54:00:c6:64:f0")
    lab.link("s", "s0", "52:54:00:c6:64:14", "w", "w1", "52:54:00:c6:64:f1")
    lab.link("x", "x0", "52:54:00:c6:64:9a", "w", "w2", "52:54:00:c6:64:f2")
    for dev in ("w0", "w1", "w2"):
        lab.ip("w", "link", "set", dev, "master", "br0")
    lab.ip("f", "addr", "add", "198.51.100.1/24", "dev", "f1")
    lab.ip("s", "addr", "add", f"{SERVER}/24", "dev", "s0")
    lab.ip("x", "addr", "add", "198.51.100.31/24", "dev", "x0")
    for ns in "sx":
        lab.ip(ns, "route", "add", "default", "via", "198.51.100.1")
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
