"""More of somebody in between: false ARP and DNS, proxies for all names, redirects kept back, hellos made worse."""
import contextlib
import os
import socket
import struct
import subprocess
import time

import bridge
import peers
import web
from net import CLIENT, CLIENT6, CLIENTS4, NAME, ROUTER, SERVER, SERVER2, SERVER6, run
from peers import expect
from runner import scenario
from scenarios.mitm import DAY, TLS12, TLS13, ask, false_ca
from scenarios.reach import contrast, usual

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
