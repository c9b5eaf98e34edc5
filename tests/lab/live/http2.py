"""nginx, HTTP/2, asked by h2load, nghttp, curl and plain sockets: its access log against the store."""
import time

import peers
import web
from live.case import live, path
from live.nginx import PROXY, backend, curl_keys, files, found, serve, slow_for, tls_listen
from net import CLIENTS4, SERVER


def h2load(lab, *words, path_="/300.json"):
    return lab.exec("c", "h2load", *words, f"http://{SERVER}:8080{path_}", check=False)


@live("h2-load", "nginx, h2load")
def h2_load(lab):
    """h2load: 600 requests on five connections, ten streams at once each"""
    lab.start(delay_ms=1)
    serve(lab, listen="http2")
    with lab.capture("s"):
        h2load(lab, "-n600", "-c5", "-m10")
    return found(lab, bytes_too=False, times="h2")


@live("h2-nghttp", "nginx, nghttp")
def h2_nghttp(lab):
    """nghttp fetches a page and what it asks of several paths on one connection, also with padding and weights"""
    lab.start()
    serve(lab, listen="http2")
    urls = [u.replace("@", SERVER) for u in files(8)]
    with lab.capture("s"):
        lab.exec("c", "nghttp", "-n", *urls)
        lab.exec("c", "nghttp", "-n", "-b", "64", "-p", "8", "-p", "200", *urls[:2])
        lab.exec("c", "nghttp", "-n", "--no-dep", "-m", "3", *urls[:2])
    return found(lab, bytes_too=False, times="h2")


@live("h2-curl", "nginx, curl")
def h2_curl(lab):
    """curl with prior knowledge: files, an upload, errors, HEAD"""
    lab.start()
    backend(lab, lambda data: peers.answer(status="201 Created"))
    serve(lab, PROXY + "location /dead { proxy_pass http://127.0.0.1:9099; }", listen="http2")
    with lab.capture("s"):
        h2 = "--http2-prior-knowledge"
        web.curl(lab, h2, *files(6))
        web.curl(lab, h2, "-d", "x" * 40000, "http://@:8080/app/up", "http://@:8080/app/up")
        web.curl(lab, h2, "http://@:8080/none", "http://@:8080/dead/a", src=CLIENTS4[1])
        web.curl(lab, h2, "-I", *files(3))
    return found(lab, bytes_too=False, times="h2")


@live("h2-goaway", "nginx, h2load")
def h2_goaway(lab):
    """nginx ends each connection with GOAWAY after 20 requests; h2load goes on on new ones"""
    lab.start()
    serve(lab, listen="http2", before="keepalive_requests 20;\n")
    with lab.capture("s"):
        for _ in range(4):
            h2load(lab, "-n20", "-c1", "-m4")
        h2load(lab, "-n35", "-c1", "-m1")
    return found(lab, bytes_too=False, times="h2")


@live("h2-tls", "nginx, curl")
def h2_tls(lab):
    """HTTP/2 by ALPN inside TLS 1.3, read with curl's key log"""
    lab.start()
    serve(lab, tls_listen(lab), port=443, listen="ssl http2")
    keylog = path(lab, "keys")
    with lab.capture("s"):
        for src in CLIENTS4[:3]:
            curl_keys(lab, keylog, "--http2", *[u.replace("http:", "https:").replace(":8080", "") for u in files(6)], src=src)
    return found(lab, bytes_too=False, times="h2", keylog=keylog)


@live("h2-left", "nginx, curl")
def h2_left(lab):
    """streams that their client gives up after 0.5 s (499), among others that wait"""
    lab.start()
    backend(lab, slow_for(b"/late", 1.0))
    serve(lab, PROXY, listen="http2")
    with lab.capture("s"):
        for src in CLIENTS4[:3]:
            web.curl(lab, "--http2-prior-knowledge", "-m", "0.5", "http://@:8080/app/late", src=src)
            web.curl(lab, "--http2-prior-knowledge", "http://@:8080/app/a", "http://@:8080/app/late", src=src)
    time.sleep(1)
    return found(lab, bytes_too=False, times="h2")


@live("h2-late", "nginx, h2")
def h2_late(lab):
    """the capture begins when ten requests have gone over the connection: paths unknown, statuses told"""
    lab.start()
    serve(lab, listen="http2")
    with peers.connect(lab, 8080) as s:
        s.sendall(web.PREFACE + web.frame(web.SETTINGS, 0, 0))
        ask = lambda i: s.sendall(web.frame(web.HEADERS, 5, 2 * i + 1, web.block("/300.json")))
        for i in range(10):
            ask(i)
            web.read_frames(s, lambda kind, flags, stream, i=i: stream == 2 * i + 1 and flags & 1)
        time.sleep(0.4)
        open(path(lab, "access"), "w").close()
        with lab.capture("s"):
            for i in range(10, 30):
                ask(i)
                web.read_frames(s, lambda kind, flags, stream, i=i: stream == 2 * i + 1 and flags & 1)
            s.close()
    return found(lab, bytes_too=False, times="h2")
