"""The `truth:` line of an expectation, counted by tshark."""
import subprocess
import sys


def line(path):
    done = subprocess.run(["tshark", "-r", path, "-T", "fields", "-e", "frame.number", "-e", "tcp.stream"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    rows = [r.split("\t") for r in done.stdout.splitlines()]
    # An ICMP error quotes a TCP header, for which tshark names the quoted stream: only its own frames make a stream.
    streams = {r[1] for r in rows if len(r) > 1 and r[1] and "," not in r[1]}
    return f"packets={len(rows)} tcp={len(streams)}"


if __name__ == "__main__":
    for p in sys.argv[1:]:
        print(f"{p}: truth: {line(p)}")
