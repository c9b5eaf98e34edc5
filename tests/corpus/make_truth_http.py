#!/usr/bin/env python3
"""Writes truth_http.tsv: what tshark says of HTTP in the captures of a folder.

usage: make_truth_http.py CORPUS > truth_http.tsv
A row per file that holds any: requests and final statuses of HTTP/1, requests and final statuses of
HTTP/2 streams. Bodies are not waited for (http.desegment_body), so that an answer counts from its head on.
"""
import collections
import concurrent.futures
import os
import subprocess
import sys

FIELDS = ["http.request.method", "http.response.code", "http2.headers.method", "http2.headers.status"]
OPTIONS = ["-o", "http.desegment_body:FALSE", "-o", "tcp.reassemble_out_of_order:TRUE"]


def bag(values):
    count = collections.Counter(values)
    return " ".join(f"{v}*{n}" if n > 1 else v for v, n in sorted(count.items()))


def final(codes):
    return [c for c in codes if not c.startswith("1") or c == "101"]


def row_of(path):
    out = subprocess.run(["tshark", "-n", "-r", path, *OPTIONS, "-Y", "http.request or http.response or http2.headers",
                          "-T", "fields", *[w for f in FIELDS for w in ("-e", f)]],
                         capture_output=True, text=True, errors="replace").stdout
    columns = [[], [], [], []]
    for line in out.splitlines():
        for at, text in enumerate(line.split("\t")):
            columns[at] += [v for v in text.split(",") if v]
    return [str(len(columns[0])), bag(final(columns[1])), str(len(columns[2])), bag(final(columns[3]))]


def main():
    corpus = sys.argv[1]
    names = sorted(n for n in os.listdir(corpus) if os.path.isfile(os.path.join(corpus, n)))
    print("file\thttp_requests\thttp_status\th2_requests\th2_status")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for name, row in zip(names, pool.map(lambda n: row_of(os.path.join(corpus, n)), names)):
            if row != ["0", "", "0", ""]:
                print("\t".join([name, *row]))


main()
