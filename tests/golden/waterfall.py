"""Every connection's delay terms add up to its length, and its turns lie within it: waterfall.py INVCAP SAMPLE ..."""
import os
import sqlite3
import subprocess
import sys
import tempfile

import captures

TERMS = ("syn_backoff", "connect_server", "connect_client", "tls_server", "tls_client", "upload", "round_trip", "server",
         "download", "retransmission", "zero_window", "ack_stall", "client", "close")


def check(invcap, sample, directory):
    """Returns how many connections were looked at, and what is wrong."""
    database = os.path.join(directory, "w.db")
    done = subprocess.run([invcap, "read", sample, "--db", database, "--lang", "en"], capture_output=True, check=False)
    if done.returncode not in (0, 3):
        return 0, [f"exit status {done.returncode}"]
    total = " + ".join(f"coalesce(d.{t}_ns, 0)" for t in TERMS)
    negative = " OR ".join(f"d.{t}_ns < 0" for t in TERMS)
    with sqlite3.connect(database) as db:
        rows = db.execute(f"SELECT f.id, f.last_ns - f.first_ns, {total}, {negative} FROM flow_delays d"
                          " JOIN flows f ON f.id = d.flow_id").fetchall()
        spoken = db.execute("SELECT count(*) FROM flows WHERE protocol = 6 AND client_payload_bytes > 0"
                            " AND server_payload_bytes > 0 AND last_ns - first_ns >= 1000000000").fetchone()[0]
        odd = db.execute(
            "SELECT t.flow_id, t.number FROM turns t JOIN flows f ON f.id = t.flow_id LEFT JOIN"
            " tls_sessions s ON s.flow_id = f.id WHERE t.wait_ns > t.total_ns"
            " OR t.start_ns < f.first_ns OR t.start_ns + t.total_ns > f.last_ns OR s.finished_ns > t.start_ns"
            " OR t.asked + t.answered > f.client_payload_bytes + f.server_payload_bytes").fetchall()
    db.close()
    wrong = [f"flow {i}: turn {n} does not fit its connection" for i, n in odd]
    wrong += [f"flow {i}: terms add up to {s} ns, it lasts {n} ns" for i, n, s, bad in rows if n != s or bad]
    if len(rows) < spoken:
        wrong.append(f"{spoken} connections of 1 s had words of both sides, {len(rows)} have a waterfall")
    os.remove(database)
    return len(rows), wrong


def main(invcap, samples):
    looked_at, failed = 0, 0
    with tempfile.TemporaryDirectory() as directory:
        for sample in samples:
            count, wrong = check(invcap, sample, directory)
            looked_at += count
            failed += len(wrong)
            for line in wrong:
                print(f"{captures.name_of(sample)}: {line}")
    print(f"{looked_at} connections of {len(samples)} samples")
    return 1 if failed or not looked_at else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
