"""Healthy conversations of unusual shapes, by the programs that everybody runs: tunnels, pushes, subscriptions, long
silences, encrypted FTP and databases, views of a name. Nothing is wrong in any of them."""
import os
import subprocess
import time

import peers
import web
from net import CLIENTS4, NAME, SERVER, SERVER2
from peers import expect
from runner import scenario
from scenarios import apps, names
from scenarios.http2 import client, h2_server
from scenarios.reach import usual


def mitmdump(lab, port, *words):
    """A proxy that only passes on."""
    home = apps.folder(lab, "proxy")
    lab.spawn("s", "env", f"HOME={home}", "mitmdump", "-q", "--listen-host", SERVER, "-p", str(port), "--ignore-hosts", ".*",
              "--set", f"confdir={home}", *words)
    peers.wait_listen(lab, port)


@scenario("connect-proxy", "curl goes through a proxy's CONNECT on 8081 to two TLS servers, through another with a password that it sends at once")
def connect_proxy(lab):
    lab.start()
    usual(lab, peers.tls_server(lab, 9443))
    mitmdump(lab, 8081)
    mitmdump(lab, 8082, "--proxyauth", "erp:planted-word")
    ca = lab.pki.path("root") + ".crt"

    def fetch(proxy, port, *words, src=CLIENTS4[0]):
        return apps.call(lab, "curl", "-sS", "-m", "9", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", ca, "--interface", src,
                         "--connect-to", f"{NAME}:{port}:{SERVER}:{port}", "-x", f"http://{SERVER}:{proxy}", *words,
                         f"https://{NAME}:{port}/300.json")
    with lab.capture("m"):
        for port in (443, 9443):
            for src in CLIENTS4[:2]:
                expect(fetch(8081, port, src=src), "200")
        expect(fetch(8082, 443, "-U", "erp:planted-word"), "200")


@scenario("ftp-tls", "vsftpd with AUTH TLS and TLS from the first byte: passive transfers by curl, a folder by lftp")
def ftp_tls(lab):
    p = lab.pki
    lab.start()
    tls = f"""ssl_enable=YES
allow_anon_ssl=YES
rsa_cert_file={p.path('leaf')}.chain
rsa_private_key_file={p.path('leaf')}.key
require_ssl_reuse=NO
ssl_ciphers=HIGH
"""
    apps.vsftpd(lab, extra=tls)
    with lab.capture("m"):
        print(apps.fetch(lab, "--ssl-reqd", "-k"))
        print(apps.fetch(lab, "--ssl-reqd", "-k", "--disable-epsv"))
        print(apps.call(lab, "lftp", "-e", f"set ssl:verify-certificate no; set ftp:ssl-force yes; set ftp:ssl-protect-data yes; open -u anonymous,a@b {SERVER}; ls; bye"))


@scenario("ftp-tls-implicit", "vsftpd on 990, TLS from the first byte")
def ftp_tls_implicit(lab):
    p = lab.pki
    lab.start()
    apps.vsftpd(lab, port=990, extra=f"ssl_enable=YES\nimplicit_ssl=YES\nallow_anon_ssl=YES\nrsa_cert_file={p.path('leaf')}.chain\n"
                f"rsa_private_key_file={p.path('leaf')}.key\nrequire_ssl_reuse=YES\nssl_ciphers=HIGH\n")
    with lab.capture("m"):
        for _ in range(2):
            print(apps.call(lab, "curl", *apps.MUTE, "-k", f"ftps://{SERVER}:990/invoices.csv"))


@scenario("mysql-tls", "MariaDB speaks TLS after its greeting: logins, rows, a pool's connection that rests for 7 s")
def mysql_tls(lab):
    p = lab.pki
    lab.start()
    apps.mariadb(lab, f"--ssl-cert={p.path('leaf')}.chain", f"--ssl-key={p.path('leaf')}.key")
    words = ["mariadb", "--no-defaults", "-h", SERVER, "-u", "app", "-pplanted-word", "--ssl", "inv", "-N"]
    with lab.capture("m"):
        print(apps.call(lab, *words, "-e", "SELECT 1; SHOW STATUS LIKE 'Ssl_version'"))
        print(apps.call(lab, *words, "-e", "CREATE TABLE t(a INT); INSERT INTO t VALUES (1),(2); SELECT * FROM t"))
        child = subprocess.Popen(["ip", "netns", "exec", lab.space("c"), *words, "-n"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                 text=True)
        for n in range(3):
            child.stdin.write(f"SELECT {n};\n")
            child.stdin.flush()
            time.sleep(7 if n == 1 else 0.5)
        child.stdin.close()
        child.wait(5)


@scenario("redis-subscribed", "Redis: a subscriber that waits 8 s for each message, a reader of a stream, a replica, MONITOR")
def redis_subscribed(lab):
    lab.start()
    apps.redis(lab)

    def wait(*words, seconds=17):
        lab.spawn("c", "timeout", str(seconds), "redis-cli", "-h", SERVER, *words)
    with lab.capture("m"):
        wait("SUBSCRIBE", "invoices")
        wait("PSUBSCRIBE", "none.*")
        wait("XREAD", "BLOCK", "0", "STREAMS", "queue", "$")
        wait("MONITOR", seconds=12)
        wait("--replica", seconds=12)
        for _ in range(2):
            time.sleep(7)
            expect(apps.ask_redis(lab, "PUBLISH", "invoices", "paid"), "1")
        apps.ask_redis(lab, "XADD", "queue", "*", "a", "b")
        time.sleep(4)


@scenario("postgres-listening", "PostgreSQL: LISTEN waits 9 s for its word, a transaction rests, a query is cancelled by its user")
def postgres_listening(lab):
    lab.start()
    apps.postgresql(lab)
    with lab.capture("m"):
        words = ["psql", f"host={SERVER} user=app password=planted-word dbname=postgres sslmode=disable", "-q"]
        child = subprocess.Popen(["ip", "netns", "exec", lab.space("c"), *words], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL, text=True)
        child.stdin.write("LISTEN paid;\nBEGIN;\n")
        child.stdin.flush()
        time.sleep(9)
        print(apps.psql(lab, "NOTIFY paid, 'x'"))
        child.stdin.write("COMMIT;\nSELECT 1;\n")
        child.stdin.flush()
        time.sleep(1)
        child.stdin.close()
        child.wait(5)


@scenario("dns-views", "a name has an inner address at one resolver and an outer at another; a client with a tunnel asks both at once")
def dns_views(lab):
    names.begin(lab)
    names.dnsmasq(lab, f"--address=/{NAME}/10.20.1.80", "--local-ttl=60")
    names.dnsmasq(lab, f"--address=/{NAME}/{SERVER}", "--local-ttl=60", ip=SERVER2)
    with lab.capture("m"):
        for src in CLIENTS4[:2]:
            names.ask(lab, NAME, servers=(SERVER, SERVER2), src=src)
            names.dig(lab, NAME, src=src)
            names.dig(lab, NAME, server=SERVER2, src=src)


@scenario("h2-push", "nginx and nghttpd push what was not asked for; the client takes it, and refuses it once")
def h2_push(lab):
    lab.start()
    usual(lab, h2_server(lab, 8105, extra="location /page { http2_push /300.json; http2_push /2000.json; default_type text/html; return 200 page; }"))
    with open(os.path.join(lab.work, "page.html"), "w") as f:
        f.write("<html>page</html>\n")
    lab.spawn("s", "nghttpd", "--no-tls", "-a", SERVER, "-d", lab.work, "-p", "/page.html=/page.html?2", "8106")
    peers.wait_listen(lab, 8106)
    with lab.capture("m"):
        print(client(lab, "nghttp", "-ns", f"http://{SERVER}:8105/page"))
        print(client(lab, "nghttp", "-ns", "--no-push", f"http://{SERVER}:8105/page"))
        print(client(lab, "nghttp", "-ns", f"http://{SERVER}:8106/page.html"))
        print(client(lab, "curl", "-s", "--http2-prior-knowledge", f"http://{SERVER}:8105/page"))


@scenario("grpc-idle", "gRPC: a stream that says its word after 9 s, one that its client ends after 12 s without any, pings, calls beside them")
def grpc_idle(lab):
    lab.start()
    usual(lab)
    server = web.grpc_server(lab, f"{SERVER}:6443", seconds=30)
    with lab.capture("m"):
        waits = [lab.thread(lambda w=w: print(web.grpc_call(lab, f"{SERVER}:6443", *w))) for w in (["Get", "Watch"], ["Get", "Idle"], ["Open"])]
        for _ in range(4):
            time.sleep(3)
            print(web.grpc_call(lab, f"{SERVER}:6443", "Get"))
        for t in waits:
            t.join()
    lab.end(server)


@scenario("events-resumed", "server-sent events behind nginx: the server ends each stream after 4 s without a word, the client comes again")
def events_resumed(lab):
    lab.start()

    def events(conn, _peer):
        with conn:
            peers.read_request(conn)
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(2):
                conn.sendall(b"c\r\ndata: paid\n\n\r\n")
                time.sleep(2)
    peers.listen(lab, 8070, events, ip="127.0.0.1", ns="s")
    usual(lab, peers.http_server(lab, 8083, extra="location /events { proxy_pass http://127.0.0.1:8070; proxy_http_version 1.1; proxy_buffering off; }"))
    peers.listen(lab, 8084, events)
    with lab.capture("m"):
        for port in (8083, 8084):
            for _ in range(3):
                print(client(lab, "curl", "-sN", "-m", "9", f"http://{SERVER}:{port}/events"))
                time.sleep(1)
