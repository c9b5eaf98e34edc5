"""TLS servers and clients of different makers behind one face: start(lab, port, kind) and ask(lab, port, ...).

A kind of server: both (TLS 1.2 and 1.3), only13, only12, mutual (a client's certificate is demanded), expired, strict
(refuses names that it does not serve), rsa (TLS 1.2, RSA suites alone).
"""
import contextlib
import os
import ssl
import subprocess
import time

import peers
from net import CLIENT, NAME, SERVER

TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
PASSWORD = "changeit"
JAVA = r"""
import javax.net.ssl.*; import java.io.*; import java.net.*; import java.security.*; import java.util.*;
public class Peer {
  static SSLContext context(String keys, String trust) throws Exception {
    char[] w = "changeit".toCharArray();
    KeyManager[] km = null;
    if (!keys.equals("-")) { KeyStore k = KeyStore.getInstance("PKCS12"); k.load(new FileInputStream(keys), w);
      KeyManagerFactory f = KeyManagerFactory.getInstance("NewSunX509"); f.init(k, w); km = f.getKeyManagers(); }
    KeyStore t = KeyStore.getInstance("PKCS12"); t.load(new FileInputStream(trust), w);
    TrustManagerFactory f = TrustManagerFactory.getInstance("PKIX"); f.init(t);
    SSLContext c = SSLContext.getInstance("TLS"); c.init(km, f.getTrustManagers(), null); return c;
  }
  public static void main(String[] a) throws Exception {
    SSLContext c = context(a[4], a[5]); int port = Integer.parseInt(a[2]); String[] versions = a[3].split(",");
    if (a[0].equals("server")) {
      SSLServerSocket s = (SSLServerSocket) c.getServerSocketFactory().createServerSocket(port, 16, InetAddress.getByName(a[1]));
      s.setEnabledProtocols(versions); s.setNeedClientAuth(a[6].equals("mutual"));
      while (true) { Socket k = s.accept(); new Thread(() -> { try (k) {
        BufferedReader r = new BufferedReader(new InputStreamReader(k.getInputStream()));
        String line = r.readLine(); while (line != null && !line.isEmpty()) line = r.readLine();
        k.getOutputStream().write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok".getBytes());
        k.getOutputStream().flush();
      } catch (IOException e) { } }).start(); }
    }
    try (Socket p = new Socket()) {
      p.bind(new InetSocketAddress(a[7], 0)); p.connect(new InetSocketAddress(a[1], port), 5000); p.setSoTimeout(5000);
      SSLSocket s = (SSLSocket) c.getSocketFactory().createSocket(p, a[6], port, true);
      SSLParameters q = s.getSSLParameters(); q.setEndpointIdentificationAlgorithm("HTTPS"); s.setSSLParameters(q);
      s.setEnabledProtocols(versions); s.startHandshake();
      s.getOutputStream().write(("GET /api/v1/orders HTTP/1.1\r\nHost: " + a[6] + "\r\nConnection: close\r\n\r\n").getBytes());
      System.out.println(new BufferedReader(new InputStreamReader(s.getInputStream())).readLine()); s.close();
    } catch (IOException e) { System.out.println(e); }
  }
}
"""


def versions_of(kind):
    return {"only13": (TLS13, TLS13), "only12": (TLS12, TLS12), "rsa": (TLS12, TLS12)}.get(kind, (TLS12, TLS13))


def names(low, high, form):
    """The range in the words of a stack."""
    number = {TLS12: "1.2", TLS13: "1.3"}
    both = [v for v in (TLS12, TLS13) if low <= v <= high]
    return form(number[low], number[high], [number[v] for v in both])


def cert_of(kind):
    return "m-expired" if kind == "expired" else "m-rsa" if kind == "rsa" else "leaf"


def prepare(lab):
    """Certificates, key stores and programs, once; and the service in clear behind those that need one."""
    p, day = lab.pki, 86400
    peers.nginx(lab, "server { listen 127.0.0.1:8080; location / { return 200 ok; } }\n")
    if os.path.exists(p.path("Peer.class")):
        return
    p.make("m-expired", NAME, names=[NAME], start=-374 * day, end=-9 * day)
    p.make("m-rsa", NAME, names=[NAME], key="rsa:2048")
    p.make("client", "erp-connector-3", client=True, org="Example Trading")
    p.make("otherroot", "Other Trust Root", issuer=None, ca=True, org="Other Trust", start=-900 * day, end=900 * day)
    p.make("otherclient", "erp-connector-7", issuer="otherroot", client=True, org="Example Trading")
    p.chain("otherclient", ["otherclient"])
    p.chain("authorities", ["root", "inter"])
    for name in ("leaf", "m-expired", "m-rsa", "client", "otherclient"):
        run(p.dir, "openssl", "pkcs12", "-export", "-in", name + ".chain", "-inkey", name + ".key", "-name", name,
            "-passout", "pass:" + PASSWORD, "-out", name + ".p12")
        with open(p.path(name + ".pem"), "w") as out:
            for part in (".chain", ".key"):
                out.write(open(p.path(name) + part).read())
    for name in ("root", "otherroot"):
        run(p.dir, "keytool", "-importcert", "-noprompt", "-file", name + ".crt", "-keystore", name + ".trust",
            "-storetype", "PKCS12", "-storepass", PASSWORD, "-alias", "ca")
    # One data base per server: NSS gives all certificates of a subject one nickname.
    for name, ca, certs in (("root", "root", ("client", "otherclient")), ("root.none", "root", ()), ("otherroot", "otherroot", ()),
                            *((c, "root", (c,)) for c in ("leaf", "m-expired", "m-rsa"))):
        db = p.path("nss." + name)
        os.makedirs(db)
        run(p.dir, "certutil", "-N", "-d", "sql:" + db, "--empty-password")
        run(p.dir, "certutil", "-A", "-d", "sql:" + db, "-n", "ca", "-t", "CT,,", "-i", ca + ".crt")
        for cert in certs:
            run(p.dir, "pk12util", "-i", cert + ".p12", "-d", "sql:" + db, "-W", PASSWORD, "-K", "")
    with open(p.path("Peer.java"), "w") as out:
        out.write(JAVA)
    run(p.dir, "javac", "Peer.java")


def run(folder, *words):
    done = subprocess.run(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {done.stdout.strip()}")


def wait_listen(lab, port):
    deadline = time.monotonic() + 150
    while f":{port} " not in lab.exec("s", "ss", "-Hltn"):
        if time.monotonic() > deadline:
            raise RuntimeError(f"nothing listens on {port}")
        time.sleep(0.1)


# --- servers ----------------------------------------------------------------------------------------------------
def openssl_server(lab, port, kind):
    p, (low, high), cert = lab.pki, versions_of(kind), cert_of(kind)
    more = ["-Verify", "3", "-verify_return_error", "-CAfile", p.path("authorities.chain")] if kind == "mutual" else []
    if low == high:
        more.append("-tls1_3" if low == TLS13 else "-tls1_2")
    lab.spawn("s", "openssl", "s_server", "-accept", f"{SERVER}:{port}", "-cert", p.path(cert) + ".crt", "-key",
              p.path(cert) + ".key", "-cert_chain", p.path(cert) + ".chain", "-www", *more, log=f"log{port}")


def priority(low, high):
    return "NORMAL:-VERS-ALL:" + names(low, high, lambda a, b, both: ":".join("+VERS-TLS" + v for v in both))


def gnutls_server(lab, port, kind):
    p, cert = lab.pki, cert_of(kind)
    more = ["-r", "--verify-client-cert", "--x509cafile", p.path("authorities.chain")] if kind == "mutual" else ["-a"]
    if kind == "strict":
        more += ["--sni-hostname", NAME, "--sni-hostname-fatal"]
    lab.spawn("s", "gnutls-serv", "--http", "-q", "-p", str(port), "--x509certfile", p.path(cert) + ".chain",
              "--x509keyfile", p.path(cert) + ".key", "--priority", priority(*versions_of(kind)), *more, log=f"log{port}")


def nss_server(lab, port, kind):
    p, cert = lab.pki, cert_of(kind)
    span = names(*versions_of(kind), lambda a, b, both: f"tls{a}:tls{b}")
    lab.sysctl("s", "net.ipv6.conf.all.disable_ipv6", 0)  # it binds to ::
    lab.spawn("s", "selfserv", "-d", "sql:" + p.path("nss." + cert), "-n" if kind == "rsa" else "-e", cert, "-p", str(port),
              "-V", span, *(["-r", "-r"] if kind == "mutual" else []), log=f"log{port}")


def nginx_server(lab, port, kind):
    p = lab.pki
    words = names(*versions_of(kind), lambda a, b, both: " ".join("TLSv" + v for v in both))
    extra = f"ssl_verify_client on; ssl_verify_depth 3; ssl_client_certificate {p.path('authorities.chain')};" if kind == "mutual" else ""
    refuse = f"server {{ listen {SERVER}:{port} ssl default_server; ssl_reject_handshake on; }}\n" if kind == "strict" else ""
    return refuse + peers.tls_server(lab, port, cert=cert_of(kind), extra=extra, protocols=words)


def haproxy_server(lab, port, kind):
    p, folder = lab.pki, os.path.join(lab.work, f"haproxy.{port}")
    os.makedirs(folder)
    options = names(*versions_of(kind), lambda a, b, both: f"ssl-min-ver TLSv{a} ssl-max-ver TLSv{b}")
    if kind == "mutual":
        options += f" verify required ca-file {p.path('authorities.chain')}"
    if kind == "strict":
        options += " strict-sni"
    with open(folder + "/haproxy.cfg", "w") as f:
        f.write(f"global\n  maxconn 50\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 20s\n"
                f"  timeout server 20s\nfrontend in\n  bind {SERVER}:{port} ssl crt {p.path(cert_of(kind))}.pem {options}\n"
                f"  http-request return status 200 content-type text/plain string ok\n")
    lab.spawn("s", "haproxy", "-f", folder + "/haproxy.cfg", "-db", log=f"log{port}")


def stunnel_server(lab, port, kind):
    p, path = lab.pki, os.path.join(lab.work, f"stunnel.{port}.conf")
    low, high = versions_of(kind)
    with open(path, "w") as f:
        f.write(f"foreground = yes\nsyslog = no\npid =\n[in]\naccept = {SERVER}:{port}\nconnect = 127.0.0.1:8080\n"
                f"cert = {p.path(cert_of(kind))}.pem\n"
                + names(low, high, lambda a, b, both: f"sslVersionMin = TLSv{a}\nsslVersionMax = TLSv{b}\n"))
        if kind == "mutual":
            f.write(f"verifyChain = yes\nrequireCert = yes\nCAfile = {p.path('authorities.chain')}\n")
    lab.spawn("s", "stunnel4", path, log=f"log{port}")


def python_server(lab, port, kind):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version, context.maximum_version = versions_of(kind)
    context.load_cert_chain(lab.pki.path(cert_of(kind)) + ".chain", lab.pki.path(cert_of(kind)) + ".key")
    if kind == "mutual":
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(lab.pki.path("authorities.chain"))

    def handle(conn, _peer):
        with contextlib.suppress(OSError), context.wrap_socket(conn, server_side=True) as t:
            if peers.read_request(t):
                t.sendall(peers.answer(extra="Connection: close\r\n"))
                with contextlib.suppress(OSError):
                    t.unwrap()
    peers.listen(lab, port, handle)


def java_server(lab, port, kind):
    p = lab.pki
    words = names(*versions_of(kind), lambda a, b, both: ",".join("TLSv" + v for v in both))
    lab.spawn("s", "java", "-cp", p.dir, "Peer", "server", SERVER, str(port), words, p.path(cert_of(kind)) + ".p12",
              p.path("root.trust"), "mutual" if kind == "mutual" else "-", log=f"log{port}")


def mitmproxy_server(lab, port, kind):
    p, (low, high) = lab.pki, versions_of(kind)
    lab.spawn("s", "mitmdump", "-q", "--mode", "reverse:http://127.0.0.1:8080", "--listen-host", SERVER, "--listen-port",
              str(port), "--certs", p.path(cert_of(kind)) + ".pem", "--set", "confdir=" + os.path.join(lab.work, f"mitm.{port}"),
              "--set", "tls_version_client_min=" + ("TLS1_3" if low == TLS13 else "TLS1_2"), "--set",
              "tls_version_client_max=" + ("TLS1_3" if high == TLS13 else "TLS1_2"), log=f"log{port}")


USUAL = ("both", "only13", "only12", "mutual", "expired")
# name: (start, kinds); nginx gets all its kinds in one configuration
SERVERS = {
    "openssl": (openssl_server, USUAL + ("rsa",)), "gnutls": (gnutls_server, USUAL + ("strict",)),
    "nss": (nss_server, USUAL), "nginx": (nginx_server, USUAL + ("strict", "rsa")),
    "haproxy": (haproxy_server, USUAL + ("strict",)), "stunnel": (stunnel_server, USUAL + ("rsa",)),
    "python": (python_server, USUAL), "java": (java_server, USUAL), "mitmproxy": (mitmproxy_server, ("both", "only13")),
}


# --- clients ----------------------------------------------------------------------------------------------------
def program(lab, *words, stdin=""):
    done = subprocess.run(["ip", "netns", "exec", lab.space("c"), "timeout", "8", *words], input=stdin,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=30)
    return done.stdout


def openssl_client(lab, port, low, high, ca, cert, name):
    p = lab.pki
    more = ["-cert", p.path(cert) + ".crt", "-key", p.path(cert) + ".key", "-cert_chain", p.path(cert) + ".chain"] if cert else []
    if low == high:
        more.append("-tls1_3" if low == TLS13 else "-tls1_2")
    return program(lab, "openssl", "s_client", "-connect", f"{SERVER}:{port}", "-bind", f"{CLIENT}:0", "-servername", name,
                   "-CAfile", p.path(ca + ".crt"), "-verify_return_error", "-verify_hostname", name, "-ign_eof", *more,
                   stdin=peers.request(host=name, close=True).decode())


def curl_client(lab, port, low, high, ca, cert, name):
    p = lab.pki
    more = ["--cert", p.path(cert) + ".chain", "--key", p.path(cert) + ".key"] if cert else []
    return program(lab, "curl", "-sS", "-i", "--noproxy", "*", "--interface", CLIENT, "--resolve", f"{name}:{port}:{SERVER}",
                   "--cacert", p.path(ca + ".crt"), "--tlsv1.3" if low == TLS13 else "--tlsv1.2", "--tls-max",
                   "1.3" if high == TLS13 else "1.2", *more, f"https://{name}:{port}/api/v1/orders")


def gnutls_client(lab, port, low, high, ca, cert, name):
    p = lab.pki
    more = ["--x509certfile", p.path(cert) + ".chain", "--x509keyfile", p.path(cert) + ".key"] if cert else []
    return program(lab, "gnutls-cli", "--port", str(port), "--sni-hostname", name, "--verify-hostname", name, "--x509cafile",
                   p.path(ca + ".crt"), "--priority", priority(low, high), *more, SERVER,
                   stdin=peers.request(host=name, close=True).decode())


def nss_client(lab, port, low, high, ca, cert, name):
    p = lab.pki
    ask = os.path.join(lab.work, "ask")
    with open(ask, "wb") as f:
        f.write(peers.request(host=name, close=True))
    span = names(low, high, lambda a, b, both: f"tls{a}:tls{b}")
    return program(lab, "tstclnt", "-h", SERVER, "-a", name, "-p", str(port), "-d", "sql:" + p.path("nss." + ca + (".none" if ca == "root" and cert is None else "")), "-V", span,
                   "-A", ask, *(["-n", cert] if cert else []))


def python_client(lab, port, low, high, ca, cert, name):
    return peers.https(lab, port, name=name,
                       context=peers.client_context(lab, low=low, high=high, cert=cert, ca=ca + ".crt"))


def java_client(lab, port, low, high, ca, cert, name):
    p = lab.pki
    words = names(low, high, lambda a, b, both: ",".join("TLSv" + v for v in both))
    return program(lab, "java", "-cp", p.dir, "Peer", "client", SERVER, str(port), words,
                   p.path(cert) + ".p12" if cert else "-", p.path(ca + ".trust"), name, CLIENT)


CLIENTS = {"openssl": openssl_client, "curl": curl_client, "gnutls": gnutls_client, "nss": nss_client,
           "python": python_client, "java": java_client}
