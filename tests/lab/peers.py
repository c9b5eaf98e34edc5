"""Clients and servers of the lab: nginx, openssl, curl, and plain sockets where a fault needs a hand of its own."""
import contextlib
import os
import socket
import ssl
import struct
import time

from net import CLIENT, NAME, SERVER


# --- servers ------------------------------------------------------------------------------------------------------
def nginx(lab, servers, ns="s", clock=None):
    """Starts nginx with the given server blocks and waits until it listens. clock: "+1h" by faketime."""
    folder = os.path.join(lab.work, f"nginx.{lab.name}.{ns}{clock or ''}")
    os.makedirs(os.path.join(folder, "html"), exist_ok=True)
    for size in (300, 2000, 20000, 60000):
        with open(os.path.join(folder, "html", f"{size}.json"), "w") as f:
            f.write(('{"invoice":"044001900111","amount":"1280.50"}\n' * (size // 40))[:size])
    with open(os.path.join(folder, "nginx.conf"), "w") as f:
        f.write(f"""worker_processes 1; pid {folder}/pid; error_log {folder}/error.log; daemon off; user root;
events {{ worker_connections 128; }}
http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; root {folder}/html; server_tokens off;
{servers}
}}
""")
    fake = ["faketime", "-m", "-f", clock] if clock else []
    child = lab.spawn(ns, *fake, "nginx", "-p", folder, "-c", folder + "/nginx.conf")
    for _ in range(100):
        if os.path.exists(folder + "/pid") and os.path.getsize(folder + "/pid"):
            break
        if child.poll() is not None:
            raise RuntimeError("nginx did not start: " + open(folder + "/error.log").read())
        time.sleep(0.05)
    time.sleep(0.1)
    return child


def tls_server(lab, port=443, cert="leaf", name=NAME, extra="", ip=SERVER, protocols="TLSv1.2 TLSv1.3"):
    p = lab.pki
    address = f"[{ip}]" if ":" in ip else ip
    return f"""server {{ listen {address}:{port} ssl; server_name {name}; ssl_certificate {p.path(cert)}.chain;
  ssl_certificate_key {p.path(cert)}.key; ssl_protocols {protocols}; {extra}
  location /api {{ default_type application/json; return 200 '{{"code":0,"msg":"ok"}}'; }} }}
"""


def http_server(lab, port=8080, extra="", ip=SERVER):
    address = f"[{ip}]" if ":" in ip else ip
    return f"""server {{ listen {address}:{port}; server_name {NAME}; {extra}
  location /api {{ default_type application/json; return 200 '{{"code":0,"msg":"ok"}}'; }} }}
"""


def openssl_server(lab, port, *words, cert="leaf", ip=SERVER):
    """openssl s_server -www with any options; for what nginx cannot do."""
    p = lab.pki
    child = lab.spawn("s", "openssl", "s_server", "-accept", f"{ip}:{port}", "-cert", p.path(cert) + ".crt", "-key",
                      p.path(cert) + ".key", "-cert_chain", p.path(cert) + ".chain", "-www", *words, log=f"log{port}")
    wait_listen(lab, port)
    return child


def wait_listen(lab, port, ns="s"):
    for _ in range(100):
        if f":{port} " in lab.exec(ns, "ss", "-Hltn"):
            return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on {port}")


def listen(lab, port, handler=None, ip=SERVER, backlog=16, ns="s", mss=None, rcvbuf=None):
    """A listener whose handler(conn, peer) runs in a thread per connection; without handler it never accepts."""
    s = lab.socket(ns, socket.AF_INET6 if ":" in ip else socket.AF_INET)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if mss:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, mss)
    if rcvbuf:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    s.bind((ip, port))
    s.listen(backlog)

    def serve():
        while not lab.stopping.is_set():
            try:
                conn, peer = s.accept()
            except OSError:
                return
            lab.thread(guarded, handler, conn, peer)
    if handler:
        lab.thread(serve)
    return s


def guarded(handler, conn, peer):
    with contextlib.suppress(OSError):
        handler(conn, peer)


def read_request(conn, limit=65536):
    """Bytes up to the blank line and the announced body."""
    data = b""
    while b"\r\n\r\n" not in data and len(data) < limit:
        more = conn.recv(8192)
        if not more:
            return data
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    want = 0
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            want = int(line.split(b":")[1])
    while len(body) < want:
        more = conn.recv(8192)
        if not more:
            break
        body += more
    return head + b"\r\n\r\n" + body


def answer(body=b'{"code":0,"msg":"ok"}', status="200 OK", extra=""):
    return (f"HTTP/1.1 {status}\r\nServer: invoice-gw\r\nContent-Type: application/json\r\n{extra}"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body


def http_handler(think=0.0, keep=True, body=b'{"code":0,"msg":"ok"}'):
    def handle(conn, _peer):
        with conn:
            while read_request(conn):
                time.sleep(think)
                conn.sendall(answer(body))
                if not keep:
                    break
    return handle


def resets(conn, _peer):
    """Reads a request and resets the connection."""
    read_request(conn)
    time.sleep(0.02)
    abort(conn)


def holds():
    """Takes a request, never answers and keeps the connection."""
    kept = []

    def handle(conn, _peer):
        kept.append(conn)
        read_request(conn)
    return handle


def halves(body):
    """Announces a body, sends half of the answer and closes."""
    def handle(conn, _peer):
        with conn:
            read_request(conn)
            whole = answer(body)
            conn.sendall(whole[:len(whole) // 2])
    return handle


def reads_late(conn, _peer):
    """Begins to read after 3.2 s."""
    with conn:
        time.sleep(3.2)
        read_request(conn)
        conn.sendall(answer())


def swallows(conn, _peer):
    """Reads and says nothing."""
    while conn.recv(4096):
        pass


# --- clients ------------------------------------------------------------------------------------------------------
def request(path="/api/v1/orders", host=NAME, method="GET", body=b"", extra="", close=False):
    head = (f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: erp-connector/3.2\r\nAccept: application/json\r\n"
            f"{extra}")
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    if close:
        head += "Connection: close\r\n"
    return (head + "\r\n").encode() + body


def connect(lab, port, ip=SERVER, src=None, sport=0, timeout=5, ns="c", rcvbuf=None):
    s = lab.socket(ns, socket.AF_INET6 if ":" in ip else socket.AF_INET)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if rcvbuf:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    if src or sport:
        s.bind((src or CLIENT, sport))
    elif ":" not in ip and ns == "c":
        s.bind((CLIENT, 0))
    s.settimeout(timeout)
    try:
        s.connect((ip, port))
    except OSError:
        s.close()
        raise
    return s


def try_connect(lab, port, **options):
    """As connect, but a failure (the fault that we came for) yields None."""
    try:
        return connect(lab, port, **options)
    except OSError:
        return None


def read_answer(s):
    """One whole HTTP answer; b"" when the peer closed."""
    return read_request(s)


def ask(s, path="/api/v1/orders", **more):
    """One request on a connection that is kept, answered by 200."""
    s.sendall(request(path, **more))
    expect(read_answer(s).decode(), "200 OK")


def client_context(lab, verify=True, low=ssl.TLSVersion.TLSv1_2, high=ssl.TLSVersion.TLSv1_3, ciphers=None,
                   cert=None, ca="root.crt"):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.minimum_version, c.maximum_version = low, high
    if ciphers:
        c.set_ciphers(ciphers)
    if verify:
        c.load_verify_locations(lab.pki.path(ca))
    else:
        c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    if cert:
        c.load_cert_chain(lab.pki.path(cert) + ".chain", lab.pki.path(cert) + ".key")
    return c


def https(lab, port=443, path="/api/v1/invoices", name=NAME, context=None, session=None, **options):
    """One HTTPS request; returns the answer's first line, or the error's name when that is what happened."""
    context = context or client_context(lab)
    s = try_connect(lab, port, **options)
    if s is None:
        return "no connection"
    try:
        with context.wrap_socket(s, server_hostname=name, session=session) as t:
            t.sendall(request(path, host=name))
            data = read_answer(t)
            with contextlib.suppress(OSError):
                t.unwrap()
            return data.split(b"\r\n")[0].decode()
    except (OSError, ssl.SSLError) as e:
        s.close()
        return repr(e)


def http(lab, port=8080, path="/api/v1/orders", **options):
    """One HTTP request on its own connection, closed by the client after the answer."""
    s = try_connect(lab, port, **options)
    if s is None:
        return "no connection"
    with s:
        try:
            s.sendall(request(path))
            return read_answer(s).split(b"\r\n")[0].decode()
        except OSError as e:
            return repr(e)


def expect(found, *wanted):
    """The lab's own check that a contrast connection really worked (or really failed)."""
    if not any(w in found for w in wanted):
        raise RuntimeError(f"expected {wanted}, found {found!r}")


def linger0(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def abort(s):
    """Ends a connection by RST."""
    linger0(s)
    s.close()
