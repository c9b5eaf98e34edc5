"""More of an ordinary year, nothing of it an attack: balancers before unlike machines, points of presence that take over
from each other, upgrades behind TLS 1.3, clients that change, sites that send browsers on to https:."""
import base64
import os
import socket
import struct
import subprocess
import time

import bridge
import peers
import web
from net import CLIENT, CLIENT6, CLIENTS4, NAME, SERVER, SERVER2, SERVER6
from peers import expect
from runner import scenario
from scenarios.lan import GATEWAY, neighbor, switch
from scenarios.mitm import TLS12, TLS13, ask, false_ca, nginx_bridge, pem, serve
from scenarios.mitm_more import REDIRECT, nft, plain_site
from scenarios.reach import contrast, usual

OTHER = "198.51.100.40"


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


# --- names and redirects ----------------------------------------------------------------------------------------------------
def resolver(lab, ip=SERVER):
    lab.spawn("s", "dnsmasq", "-k", "--no-resolv", "--no-hosts", "--user=root", "--group=root", "--bind-interfaces",
              "--conf-file=/dev/null", "--pid-file=", f"--listen-address={ip}", f"--host-record={NAME},{SERVER},{SERVER6}",
              "--local-ttl=60", log="dns")
    time.sleep(0.4)


def lookup(lab, count=3, kind="A", ip=SERVER, src=CLIENT, pause=0.2):
    for _ in range(count):
        subprocess.run(["ip", "netns", "exec", lab.space("c"), "dig", f"@{ip}", "-b", src, "+noedns", "+tries=1", "+time=2", NAME, kind],
                       capture_output=True, timeout=10)
        time.sleep(pause)


@scenario("dns-dnsspoof", "dnsspoof on the router answers for a name before dnsmasq does")
def dns_dnsspoof(lab):
    lab.start()
    usual(lab)
    resolver(lab)
    hosts = os.path.join(lab.work, "spoofed")
    with open(hosts, "w") as f:
        f.write(f"203.0.113.66 {NAME}\n")
    with lab.capture("m"):
        contrast(lab)
        lookup(lab)
        child = lab.spawn("f", "dnsspoof", "-i", "f0", "-f", hosts)
        time.sleep(2)
        lookup(lab, pause=0.6)
        lab.end(child)
        contrast(lab)


@scenario("dns-conflict-6", "over IPv6 somebody beside the way sees the questions for AAAA records and answers them first")
def dns_conflict_6(lab):
    def rule(f, now):
        if f.direction != ">" or not f.udp or f.dport != 53 or not lab.flag.value:
            return None
        query = f.payload
        end = query.index(b"\0", 12) + 5
        data = query[:2] + b"\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00" + query[12:end] + (
            b"\xc0\x0c\x00\x1c\x00\x01\x00\x00\x01\x2c\x00\x10" + socket.inet_pton(socket.AF_INET6, "2001:db8:66::66"))
        ends = f.raw[38:54] + f.raw[22:38]
        udp = f.raw[56:58] + f.raw[54:56] + struct.pack("!HH", 8 + len(data), 0) + data
        total = bridge.checksum(ends + struct.pack("!II", len(udp), 17) + udp)
        udp = udp[:6] + total.to_bytes(2, "big") + udp[8:]
        answer = f.raw[6:12] + f.raw[:6] + f.raw[12:18] + struct.pack("!HBB", len(udp), 17, 61) + ends + udp
        return [(0, "<", answer), (0, ">", f.raw)]
    lab.start(rule_far=rule, ipv6=True)
    peers.nginx(lab, peers.http_server(lab, ip=SERVER6))
    resolver(lab, SERVER6)
    with lab.capture("m"):
        expect(peers.http(lab, ip=SERVER6), "200")
        lookup(lab, kind="AAAA", ip=SERVER6, src=CLIENT6)
        lab.flag.value = 1
        lookup(lab, kind="AAAA", ip=SERVER6, src=CLIENT6)
        expect(peers.http(lab, ip=SERVER6), "200")


@scenario("strip-haproxy", "haproxy on the router fetches by TLS what a site serves by redirect only, and hands it on in clear")
def strip_haproxy(lab):
    lab.start()
    peers.nginx(lab, plain_site(lab) + peers.tls_server(lab, ip=SERVER2, extra="location / { return 200 '{\"code\":0}'; }"))
    with lab.capture("m"):
        for n in range(2):
            expect(peers.http(lab, 80, path="/api/v1/invoices", src=CLIENTS4[n]), "301")
        lab.ip("f", "addr", "add", SERVER + "/32", "dev", "lo")
        web.haproxy(lab, f"listen in\n  bind {SERVER}:80\n  server s {SERVER2}:443 ssl verify none sni str({NAME})\n", 80, ns="f")
        for n in range(2):
            expect(peers.http(lab, 80, path="/api/v1/invoices", src=CLIENTS4[n]), "200")


@scenario("strip-mitmproxy", "mitmproxy between a client and a site on 8080 that sends pages on to https: keeps the redirect, over IPv6")
def strip_mitmproxy(lab):
    lab.start(ipv6=True)
    site = f"server {{ listen [{SERVER6}]:80; server_name {NAME}; location / {{ {REDIRECT} }} }}\n"
    peers.nginx(lab, site + peers.tls_server(lab, extra="location / { return 200 '{\"code\":0}'; }"))
    with lab.capture("m"):
        for _ in range(2):
            expect(peers.http(lab, 80, ip=SERVER6, path="/api/v1/invoices"), "301")
        lab.ip("f", "-6", "addr", "add", SERVER6 + "/128", "dev", "lo")
        lab.spawn("f", "mitmdump", "--mode", f"reverse:https://{SERVER}:443", "--listen-host", SERVER6, "-p", "80", "--ssl-insecure",
                  "--set", "confdir=" + os.path.join(lab.work, "mitmproxy"), "--set", "keep_host_header=true", "-q")
        for _ in range(6):
            try:
                peers.wait_listen(lab, 80, "f")
                break
            except RuntimeError:
                pass
        for _ in range(2):
            expect(peers.http(lab, 80, ip=SERVER6, path="/api/v1/invoices", timeout=20), "200")
