#!/usr/bin/env python3
"""Writes the seeds of fuzz_http, fuzz_h2 and fuzz_dialogues (whole conversations in the format of fuzz_stream.h),
and of fuzz_hpack (header blocks behind their lengths)."""
import os
import struct
import sys


def segment(side, data):
    return bytes([side | (len(data) >> 8) << 2, len(data) & 255]) + data


def gap(side, length):
    return bytes([side | 2 | (length >> 8) << 2, length & 255])


def frame(kind, flags, stream, payload=b""):
    return struct.pack("!I", len(payload))[1:] + bytes([kind, flags]) + struct.pack("!I", stream) + payload


GET = b"GET /invoice/123?token=abcdefghijklmnopqrstuv HTTP/1.1\r\nHost: a\r\nAuthorization: Basic YTpi\r\n\r\n"
POST = (b"POST /login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"10\r\n{\"password\":\"pw1\r\n2\r\n\"}\r\n0\r\nT: v\r\n\r\n")
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\n<a/> \r\n0\r\n\r\n"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
REQUEST = b"\x83\x86\x44\x06/a/b/c\x41\x01h\x5f\x10application/grpc\x40\x02te\x08trailers"
HTTP = {
    "plain": segment(0, GET) + segment(1, OK) + segment(0, POST) + segment(1, CHUNKED),
    "pipelined": segment(0, GET * 3) + segment(1, OK * 3),
    "interim": segment(0, POST) + segment(1, b"HTTP/1.1 100 Continue\r\n\r\n" + OK),
    "close": segment(0, GET) + segment(1, b"HTTP/1.0 200 OK\r\nContent-Type: text/xml\r\n\r\n<token>abc</token>"),
    "gap": segment(0, GET) + segment(1, OK[:40]) + gap(1, 30) + segment(0, GET) + segment(1, OK),
    "websocket": segment(0, GET) + segment(1, b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\n\r\n\x81\x02hi"),
    "connect": segment(0, b"CONNECT a:443 HTTP/1.1\r\n\r\n") + segment(1, b"HTTP/1.1 200 OK\r\n\r\n"),
}
H2 = {
    "grpc": segment(0, PREFACE + frame(4, 0, 0, b"\0\3\0\0\0\x64") + frame(1, 4, 1, REQUEST) + frame(0, 1, 1, b"\0\0\0\0\0"))
    + segment(1, frame(4, 0, 0) + frame(1, 4, 1, b"\x88\x5f\x10application/grpc") + frame(0, 0, 1, b"\0\0\0\0\2hi")
              + frame(1, 5, 1, b"\x40\x0bgrpc-status\x0214")),
    "reset": segment(0, PREFACE + frame(1, 5, 1, REQUEST)) + segment(1, frame(3, 0, 1, b"\0\0\0\7")
                                                                   + frame(7, 0, 0, b"\0\0\0\1\0\0\0\x0b")),
    "continuation": segment(0, PREFACE + frame(1, 1, 1, REQUEST[:9]) + frame(9, 4, 1, REQUEST[9:]))
    + segment(1, frame(1, 0x0d, 1, b"\3\x88\0\0\0")),
    "gap": segment(0, PREFACE + frame(1, 5, 1, REQUEST)) + gap(0, 50) + segment(0, frame(1, 5, 3, b"\x82\xbe\x7f\x00\1x"))
    + segment(1, frame(1, 4, 3, b"\x88") + frame(0, 1, 3, b"abc")),
    "padded": segment(0, PREFACE + frame(1, 0x2d, 1, b"\2\0\0\0\0\1" + REQUEST + b"\0\0"))
    + segment(1, frame(1, 4, 1, b"\x89") + frame(0, 9, 1, b"\1a\0") + frame(8, 0, 0, b"\0\0\1\0") + frame(6, 0, 0, b"12345678")),
}


HPACK = {
    "request": b"".join(bytes([len(b)]) + b for b in (REQUEST, b"\x82\x86\x84\xbf\xbe", b"\x3f\xe1\x1f\x88")),
    "huffman": b"\x11\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff",  # RFC 7541 C.4.1
    "unseen": b"\x04\x82\xc8\x7f\x00\x08\x40\x01a\x01b\xbe\xbf\xff",
    "resized": b"\x02\x20\x88\x05\x3f\xff\xff\xff\x0f\x01\x80",
}


def dialogues():
    """The conversations in which golden/secrets.py plants its words, and a listing of FTP."""
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden"))
    import secrets_dialogues
    which = {21: 0, 22: 1, 3306: 2, 5432: 3, 6379: 4, 5672: 5, 25: 6, 110: 6, 143: 6}
    seeds = {}
    for port, turns in secrets_dialogues.dialogues():
        said = ((side, text.encode() if isinstance(text, str) else text) for side, text in turns)
        seeds[f"port{port}"] = bytes([which[port]]) + b"".join(segment(side, data) for side, data in said)
    name = b"\7example\3com\0\0\1\0\1"
    query, answer = (struct.pack("!6H", 7, flags, 1, n, 0, 0) + name for flags, n in ((0x100, 0), (0x8180, 1)))
    answer += b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\1\2\3\4"
    seeds["dns"] = b"\7" + segment(0, struct.pack("!H", len(query)) + query) + \
        segment(1, struct.pack("!H", len(answer)) + answer)
    seeds["ftp-gap"] = b"\0" + segment(1, b"220 a\r\n") + segment(0, b"USER a\r\n") + gap(1, 20) + \
        segment(1, b"x\r\n") + segment(0, b"PASV\r\n") + segment(1, b"227 (1,2,3,4,5,6)\r\n")
    return seeds


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    for subject, seeds in (("http", HTTP), ("h2", H2), ("hpack", HPACK), ("dialogues", dialogues())):
        folder = os.path.join(here, "corpus", subject)
        os.makedirs(folder, exist_ok=True)
        for name, data in seeds.items():
            with open(os.path.join(folder, name), "wb") as f:
                f.write(data)


sys.exit(main())
