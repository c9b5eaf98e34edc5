"""One way seen at two points, client and server, with something in between that changes, drops, answers or relays."""
import os
import time

import bridge
import peers
import web
from net import CLIENTS4, NAME, ROUTER, SERVER, SERVER2
from peers import expect
from runner import scenario
from scenarios.mitm import TLS12, ask, false_ca, nginx_bridge, serve
from scenarios.mitm_more import authority, mitmdump, nft as more_nft
from scenarios.reach import contrast, usual

NAT = """table ip nat {
  chain out {
    type nat hook postrouting priority 100;
    oifname "f1" masquerade fully-random
  }
}
"""
# What 8080 sends: the first segment with data of each connection, never the second.
DROP_FIRST = """table ip drops {
  set seen {
    type ipv4_addr . inet_service
    flags dynamic
    size 64
  }
  chain forward {
    type filter hook forward priority 0;
    tcp sport 8080 tcp flags & psh == psh ip daddr . tcp dport != @seen add @seen { ip daddr . tcp dport } drop
  }
}
"""


def nft(lab, text):
    path = os.path.join(lab.work, f"{lab.name}.nft")
    with open(path, "w") as f:
        f.write(text)
    lab.exec("f", "nft", "-f", path)


def ask_all(lab, **options):
    for src in CLIENTS4[:3]:
        expect(peers.https(lab, src=src, **options), "200")
        expect(peers.http(lab, src=src, **options), "200")


@scenario("pair-nat", "the router hides three clients behind its own address and draws new ports")
def pair_nat(lab):
    lab.start()
    nft(lab, NAT)
    usual(lab)
    with lab.capture("cs"):
        ask_all(lab)


@scenario("pair-nat-drop", "the same, and the router drops the first segment of every answer of 8080")
def pair_nat_drop(lab):
    lab.start()
    nft(lab, NAT + DROP_FIRST)
    usual(lab)
    with lab.capture("cs"):
        ask_all(lab)


@scenario("pair-balancer", "haproxy on the router hands TCP on to the server: two connections for each")
def pair_balancer(lab):
    lab.start()
    usual(lab)
    path = os.path.join(lab.work, f"haproxy.{lab.name}.cfg")
    with open(path, "w") as f:
        f.write("defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 20s\n  timeout server 20s\n")
        for port in (443, 8080):
            f.write(f"listen p{port}\n  bind {ROUTER}:{port}\n  server s {SERVER}:{port}\n")
    lab.spawn("f", "haproxy", "-f", path, "-db")
    peers.wait_listen(lab, 8080, "f")
    with lab.capture("cs"):
        ask_all(lab, ip=ROUTER)


@scenario("pair-reject", "the router refuses 8443 with a reset in the server's name; the server never sees a SYN")
def pair_reject(lab):
    lab.start()
    lab.firewall("tcp dport 8443 reject with tcp reset")
    usual(lab, peers.tls_server(lab, 8443))
    with lab.capture("cs"):
        contrast(lab)
        for src in CLIENTS4[:3]:
            peers.try_connect(lab, 8443, src=src)
            time.sleep(0.1)
        contrast(lab)


@scenario("pair-reject-icmp", "the router refuses 8443 by ICMP administratively prohibited")
def pair_reject_icmp(lab):
    lab.start()
    lab.sysctl("f", "net.ipv4.icmp_ratelimit", 0)
    lab.firewall("tcp dport 8443 reject with icmpx type admin-prohibited")
    usual(lab, peers.tls_server(lab, 8443))
    with lab.capture("cs"):
        contrast(lab)
        for src in CLIENTS4[:2]:
            peers.try_connect(lab, 8443, src=src)
            time.sleep(0.1)
        contrast(lab)


@scenario("pair-reset-midway", "the router cuts established connections to 8101: it resets what the client sends")
def pair_reset_midway(lab):
    lab.start()
    lab.firewall("tcp dport 8101 tcp flags & psh == psh reject with tcp reset")
    usual(lab, peers.http_server(lab, 8101))
    with lab.capture("cs"):
        contrast(lab)
        for src in CLIENTS4[:2]:
            peers.http(lab, 8101, src=src)
            time.sleep(0.1)
        contrast(lab)


@scenario("pair-mss", "the router clamps the MSS of both SYNs to 1,300")
def pair_mss(lab):
    lab.start()
    lab.firewall("tcp flags & syn == syn tcp option maxseg size set 1300")
    usual(lab)
    with lab.capture("cs"):
        ask_all(lab)


@scenario("pair-options", "the router takes SACK out of the SYNs")
def pair_options(lab):
    lab.start()
    lab.firewall("tcp flags & syn == syn reset tcp option sack-perm")
    usual(lab)
    with lab.capture("cs"):
        ask_all(lab)


@scenario("pair-mitm", "the router opens TLS with nginx, and speaks to the server with its own address")
def pair_mitm(lab):
    false_ca(lab)
    lab.start()
    serve(lab)
    with lab.capture("cs"):
        ask(lab)
        lab.ip("f", "addr", "add", SERVER + "/32", "dev", "lo")
        nginx_bridge(lab)
        ask(lab, first=2)


@scenario("pair-mitm-transparent", "the router opens TLS with nginx, and speaks to the server in the client's name")
def pair_mitm_transparent(lab):
    p = false_ca(lab)
    lab.start()
    serve(lab)
    with lab.capture("cs"):
        ask(lab)
        lab.ip("f", "addr", "add", SERVER + "/32", "dev", "lo")
        lab.ip("f", "route", "add", "local", "0.0.0.0/0", "dev", "lo", "table", "100")
        lab.ip("f", "rule", "add", "iif", "f1", "lookup", "100")
        peers.nginx(lab, f"""server {{ listen {SERVER}:443 ssl; ssl_certificate {p.path("m-leaf")}.chain;
  ssl_certificate_key {p.path("m-leaf")}.key; location / {{ proxy_pass https://{SERVER2}:443; proxy_set_header Host {NAME};
  proxy_bind $remote_addr transparent; proxy_ssl_server_name on; proxy_ssl_name {NAME}; }} }}
""", ns="f")
        ask(lab, first=0)


@scenario("pair-two-uplinks", "one client's TLS leaves by another way while others reach the same name past both points")
def pair_two_uplinks(lab):
    lab.start()
    serve(lab)
    lab.capture_on("c", "c0", "_c")
    lab.capture_on("s", "s0", "_s", expression="not port 40404")
    time.sleep(0.15)
    ask(lab)
    context = peers.client_context(lab, verify=False, high=TLS12)
    expect(peers.https(lab, name=NAME, context=context, src=CLIENTS4[1], sport=40404), "200")
    time.sleep(6)
    ask(lab, first=2)
    lab.end_captures()


@scenario("pair-http", "haproxy on the router reads HTTP and asks the server itself, on connections that it keeps")
def pair_http(lab):
    lab.start()
    usual(lab)
    web.haproxy(lab, f"listen in\n  bind {ROUTER}:8080\n  server s {SERVER}:8080\n", 8080, ns="f")
    with lab.capture("cs"):
        for src in CLIENTS4[:3]:
            expect(peers.http(lab, src=src, ip=ROUTER), "200")
            time.sleep(0.2)


@scenario("pair-terminate", "nginx on the router ends TLS and asks the server in clear")
def pair_terminate(lab):
    lab.start()
    usual(lab)
    peers.nginx(lab, peers.tls_server(lab, ip=ROUTER, extra=f"location / {{ proxy_pass http://{SERVER}:8080; }}").replace(
        "location /api", "location /none"), ns="f")
    with lab.capture("cs"):
        for src in CLIENTS4[:3]:
            expect(peers.https(lab, src=src, ip=ROUTER), "200")
            time.sleep(0.2)


@scenario("pair-synproxy", "the router answers SYNs itself (nftables synproxy) and shifts sequence numbers from then on")
def pair_synproxy(lab):
    lab.start()
    usual(lab)
    for key, value in (("net.netfilter.nf_conntrack_tcp_loose", 0), ("net.ipv4.tcp_syncookies", 2)):
        lab.sysctl("f", key, value)
    nft(lab, """table ip guard {
  chain pre {
    type filter hook prerouting priority -300;
    tcp dport { 443, 8080 } tcp flags syn notrack
  }
  chain forward {
    type filter hook forward priority 0;
    tcp dport { 443, 8080 } ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm
    ct state invalid drop
  }
}
""")
    with lab.capture("cs"):
        ask_all(lab)


@scenario("pair-delay", "what the server sends is held for 80 ms on the way from the fourth session on")
def pair_delay(lab):
    lab.start(rule_far=lambda f, now: [(0.08, "<", f.raw)] if f.direction == "<" and f.tcp and lab.flag.value else None)
    usual(lab)
    with lab.capture("cs"):
        ask_all(lab)
        lab.flag.value = 1
        ask_all(lab)


@scenario("pair-payload", "something on the way writes another amount into the answers of 8080, of the same length")
def pair_payload(lab):
    def rule(f, now):
        if f.direction != "<" or b'"msg":"ok"' not in f.payload:
            return None
        raw = f.raw.replace(b'"msg":"ok"', b'"msg":"no"')
        tcp = bytearray(raw[f.l4:])
        tcp[16:18] = b"\0\0"
        total = bridge.checksum(raw[26:34] + bytes([0, 6]) + len(tcp).to_bytes(2, "big") + bytes(tcp))
        tcp[16:18] = total.to_bytes(2, "big")
        return [(0, "<", raw[:f.l4] + bytes(tcp))]
    lab.start(rule_far=rule)
    usual(lab)
    with lab.capture("cs"):
        ask_all(lab)


@scenario("pair-policy", "an nftables rule drops every segment of 8080 with data for one of three clients, without a word")
def pair_policy(lab):
    lab.start()
    usual(lab)
    lab.firewall(f"ip saddr {CLIENTS4[1]} tcp dport 8080 tcp flags & psh == psh drop")
    with lab.capture("cs"):
        for src in CLIENTS4[:3]:
            peers.http(lab, src=src, timeout=3)


@scenario("pair-mitmproxy", "the router turns 443 to mitmproxy, which speaks to the server with the router's address")
def pair_mitmproxy(lab):
    authority(lab)
    lab.start()
    serve(lab)
    mitmdump(lab, "f", 8443, "--mode", "transparent")
    more_nft(lab, "f", 'table ip nat {\n  chain pre {\n    type nat hook prerouting priority -100;\n'
                       '    iifname "f0" tcp dport 443 redirect to :8443\n  }\n}\n')
    with lab.capture("cs"):
        for src in CLIENTS4[:3]:
            expect(peers.https(lab, src=src, timeout=20, context=peers.client_context(lab, verify=False, high=TLS12)), "200")
            time.sleep(0.3)
