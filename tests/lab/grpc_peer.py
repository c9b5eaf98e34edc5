#!/usr/bin/python3
"""A gRPC server and client without generated code: methods take and give bytes.

usage: grpc_peer.py serve ADDRESS SECONDS
       grpc_peer.py call ADDRESS METHOD[xN]... [--token TOKEN]
METHOD is of /invoice.Invoices/: Get, List (a stream), Missing, Broken, Busy, Gone, Denied, Slow (with a short
deadline), Stop (a stream the client cancels), Check (with a token), Nothing (the server has none), Pause
(3 s in which nothing is asked), Watch (a stream that says its word after 9 s), Idle (one that says none in the 12 s
that its client waits), Open (12 s in which the connection is kept open by pings). Prints a status per call.
"""
import sys
import time
from concurrent import futures

import grpc

CODES = {"Missing": grpc.StatusCode.NOT_FOUND, "Broken": grpc.StatusCode.INTERNAL,
         "Busy": grpc.StatusCode.RESOURCE_EXHAUSTED, "Gone": grpc.StatusCode.UNAVAILABLE,
         "Denied": grpc.StatusCode.PERMISSION_DENIED}


def note(name, code):
    """What the server did, one line a call, for whoever compares."""
    print(f"live /invoice.Invoices/{name} {code.value[0]}", flush=True)


def answer(name):
    def handle(request, context):
        if name in CODES:
            note(name, CODES[name])
            context.abort(CODES[name], "as asked")
        if name == "Slow":
            time.sleep(1)
        if name == "Check":
            token = dict(context.invocation_metadata()).get("authorization", "")
            if "good" not in token:
                note(name, grpc.StatusCode.UNAUTHENTICATED)
                context.abort(grpc.StatusCode.UNAUTHENTICATED, "token refused")
        note(name, grpc.StatusCode.OK)
        return b"\x0a\x05paid!"
    return handle


def stream(_request, context):
    for _ in range(4):
        yield b"\x0a\x05line!"
        time.sleep(0.05)
    note("List", grpc.StatusCode.OK)


def watch(_request, _context):
    time.sleep(9)
    yield b"\x0a\x05paid!"


def idle(_request, context):
    context.send_initial_metadata(())
    while context.is_active():
        time.sleep(0.2)
    yield b""


class Methods(grpc.GenericRpcHandler):
    def service(self, details):
        name = details.method.rsplit("/", 1)[-1]
        if name in ("List", "Stop"):
            return grpc.unary_stream_rpc_method_handler(stream)
        if name in ("Watch", "Idle"):
            return grpc.unary_stream_rpc_method_handler(watch if name == "Watch" else idle)
        if name == "Nothing":
            return None
        return grpc.unary_unary_rpc_method_handler(answer(name))


def serve(address, seconds):
    server = grpc.server(futures.ThreadPoolExecutor(8), handlers=[Methods()])
    server.add_insecure_port(address)
    server.start()
    time.sleep(float(seconds))
    server.stop(1).wait()


def call(channel, name, token):
    path = "/invoice.Invoices/" + name
    metadata = [("authorization", "Bearer " + token)] if token else None
    try:
        if name == "Pause":
            time.sleep(3)
            return "PAUSED"
        if name == "Open":
            time.sleep(12)
            return "OPEN"
        if name == "Idle":
            answers = channel.unary_stream(path)(b"", metadata=metadata)
            time.sleep(12)
            answers.cancel()
            return "CANCELLED"
        if name in ("List", "Stop", "Watch"):
            answers = channel.unary_stream(path)(b"", metadata=metadata, timeout=20)
            next(answers)
            if name == "Stop":
                answers.cancel()
                return "CANCELLED"
            return f"OK {1 + len(list(answers))}"
        channel.unary_unary(path)(b"\x08\x01", metadata=metadata, timeout=0.3 if name == "Slow" else 5)
        return "OK"
    except grpc.RpcError as error:
        return error.code().name


def main():
    if sys.argv[1] == "serve":
        return serve(*sys.argv[2:4])
    words = sys.argv[3:]
    options, token = [("grpc.enable_retries", 0)], None
    if "Open" in words:
        options += [("grpc.keepalive_time_ms", 5000), ("grpc.keepalive_permit_without_calls", 1)]
    if len(words) > 1 and words[-2] == "--token":
        token = words[-1]
        words = words[:-2]
    with grpc.insecure_channel(sys.argv[2], options=options) as channel:
        for word in words:
            name, _, count = word.partition("x")
            for _ in range(int(count or 1)):
                print(name, call(channel, name, token), flush=True)
        time.sleep(0.2)
    return None


main()
