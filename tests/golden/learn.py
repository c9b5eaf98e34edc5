"""What `profile learn` proposes is a profile, and the capture that taught it does not break it.

    learn.py BINARY CAPTURE...
"""
import concurrent.futures
import json
import os
import subprocess
import sys
import tempfile

import captures

# A profile made of what was seen says by itself that nothing else was expected.
NEVER = {"service-protocol-mismatch", "mitm-pin-mismatch", "cert-wrong-environment"}
# What has to be learnt: timers of 30 s, measured as 29.99 s.
MUSTS = {"heartbeat-stopped.pcap": b"\n        every_s: 30\n"}


def run(*words):
    return subprocess.run(words, capture_output=True, timeout=300)


def check(binary, capture, folder):
    path = os.path.join(folder, captures.name_of(capture) + ".yaml")
    zh = len(captures.name_of(capture)) % 2 == 0
    made = run(binary, "profile", "learn", capture, "--lang", "zh" if zh else "en")
    if made.returncode not in (0, 3):
        return f"learn ended with {made.returncode}: {made.stderr.decode(errors='replace')}"
    if MUSTS.get(captures.name_of(capture), b"") not in made.stdout:
        return "learns no heartbeat"
    with open(path, "wb") as f:
        f.write(made.stdout)
    checked = run(binary, "profile", "check", path)
    if checked.returncode != 0:
        return checked.stderr.decode(errors="replace")
    read = run(binary, "read", capture, "--db", ":memory:", "--json", "--profile", path)
    if read.returncode not in (0, 3):
        return f"read ended with {read.returncode}: {read.stderr.decode(errors='replace')}"
    found = [json.loads(line) for line in read.stdout.decode().splitlines()]
    codes = {f["code"] for f in found if f.get("type") == "finding" and f.get("state") != "withdrawn"}
    return f"against its own profile: {sorted(codes & NEVER)}" if codes & NEVER else None


def main():
    binary, captures = sys.argv[1], sys.argv[2:]
    wrong = 0
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(2) as pool:
        starter = os.path.join(folder, "starter.yaml")
        with open(starter, "wb") as f:
            f.write(run(binary, "profile", "init").stdout)
        if run(binary, "profile", "check", starter).returncode != 0:
            print("FAIL profile init: " + run(binary, "profile", "check", starter).stderr.decode())
            wrong += 1
        jobs = {c: pool.submit(check, binary, c, folder) for c in captures}
        for capture, job in jobs.items():
            if job.result() is not None:
                wrong += 1
                print(f"FAIL {captures.name_of(capture)}: {job.result()}")
    print(f"{len(captures) - wrong} proposals are profiles, {wrong} are not")
    return 1 if wrong or not captures else 0


if __name__ == "__main__":
    sys.exit(main())
