"""Runs scenarios one after the other. A scenario is a function with @scenario in tests/lab/scenarios/."""
import argparse
import fnmatch
import importlib
import os
import pkgutil
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

import net
import pki
import truth

SAMPLES = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "samples")
_table = {}
# Few scenarios need longer, and say so; one that hangs is a fault of the lab.
LONGEST_S = 90


def scenario(name, about, longest=LONGEST_S):
    def keep(fn):
        _table[name] = (fn, about, longest)
        return fn
    return keep


def load():
    import scenarios
    for module in pkgutil.iter_modules(scenarios.__path__):
        importlib.import_module("scenarios." + module.name)
    return _table


def _too_long(_signal, _frame):
    raise TimeoutError("longer than it may take")


def keep_form(path):
    """Gzips a capture whose sample is kept so (`gzip -9n`): smaller, and the same bytes each time."""
    if os.path.exists(os.path.join(SAMPLES, os.path.basename(path) + ".gz")):
        subprocess.run(["gzip", "-9nf", path], check=True)
        return path + ".gz"
    return path


def run_one(name, fn, longest, work, out, keys):
    lab = net.Lab(work, out, name)
    lab.pki = keys
    begin = time.monotonic()
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(longest)
    try:
        fn(lab)
        made = [p for _, p in lab.taps]
    finally:
        signal.alarm(0)
        lab.close()
    for path in map(keep_form, made):
        print(f"made {os.path.basename(path)}: {truth.line(path)} {os.path.getsize(path)} bytes "
              f"({time.monotonic() - begin:.1f} s)", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="lab", description="Real captures of real faults, made in network namespaces.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="scenarios (patterns allowed); none = all")
    parser.add_argument("--list", action="store_true", help="list the scenarios and end")
    parser.add_argument("--out", default="build/lab", help="folder for the captures (default build/lab)")
    parser.add_argument("--keep", action="store_true", help="keep the work folder (logs, keys)")
    options = parser.parse_args()
    table = load()
    if options.list:
        for name in sorted(table):
            print(f"{name:28} {table[name][1]}")
        return 0
    chosen = [n for n in sorted(table) if not options.names or any(fnmatch.fnmatch(n, p) for p in options.names)]
    if not chosen:
        print("lab: no such scenario; see --list", file=sys.stderr)
        return 2
    for tool in ("ip", "nft", "tcpdump", "tshark", "nginx", "openssl", "curl", "ethtool", "ss", "editcap", "dumpcap"):
        if not shutil.which(tool):
            print(f"lab: {tool} is missing; run scripts/setup --full", file=sys.stderr)
            return 5
    os.makedirs(options.out, exist_ok=True)
    work = tempfile.mkdtemp(prefix="invcap-lab.")
    failed = []
    for sig in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, lambda *_: sys.exit(130))
    try:
        keys = pki.Pki(os.path.join(work, "pki"))
        for name in chosen:
            try:
                run_one(name, table[name][0], table[name][2], work, os.path.abspath(options.out), keys)
            except Exception:
                traceback.print_exc()
                failed.append(name)
    finally:
        if options.keep:
            print("work folder:", work)
        else:
            shutil.rmtree(work, ignore_errors=True)
    print(f"{len(chosen) - len(failed)} made, {len(failed)} failed" + (": " + " ".join(failed) if failed else ""))
    return 1 if failed else 0
