"""Long queues before a slow link, and links that are as slow with short ones."""
import time

import peers
from net import CLIENTS4, SERVER6
from peers import expect, http_handler
from runner import scenario
from scenarios.reach import usual

LINE_BITS = 1e6


def slow_link(direction, fair=False):
    """A line with a queue without end; fair: what is small never waits behind what is large."""
    due = {}

    def rule(f, now):
        if f.direction != direction or not f.tcp or (fair and len(f.raw) < 200):
            return None
        due["at"] = max(due.get("at", 0.0), now) + len(f.raw) * 8 / LINE_BITS
        return [(due["at"] - now, f.direction, f.raw)]
    return rule


def quiet(lab, count, **options):
    for _ in range(count):
        expect(peers.http(lab, **options), "200")
        time.sleep(0.05)


def download(lab, **options):
    """Small requests of one client before, while and after another loads 300 kB."""
    quiet(lab, 5, src=CLIENTS4[1] if not options else None, **options)
    loading = lab.thread(lambda: peers.http(lab, 8201, timeout=20, **options))
    time.sleep(0.5)
    for _ in range(5):
        quiet(lab, 1, src=CLIENTS4[1] if not options else None, **options)
        time.sleep(0.08)
    loading.join()
    time.sleep(1.2)
    quiet(lab, 5, src=CLIENTS4[1] if not options else None, **options)


@scenario("bufferbloat", "a download of 300 kB fills the queue of a line of 1 Mbit/s before the tap: other connections wait in it")
def bufferbloat(lab):
    lab.start(rule_far=slow_link("<"))
    usual(lab)
    peers.listen(lab, 8201, http_handler(body=b"i" * 300000))
    with lab.capture("mc"):
        download(lab)


@scenario("bufferbloat6", "IPv6, tagged: the same")
def bufferbloat6(lab):
    lab.start(rule_far=slow_link("<"), ipv6=True, vlan=210)
    usual(lab, peers.http_server(lab, 8080, ip=SERVER6))
    peers.listen(lab, 8201, http_handler(body=b"i" * 300000), ip=SERVER6)
    with lab.capture("m"):
        download(lab, ip=SERVER6)


@scenario("fair-queue", "the same line, whose small packets pass by the large ones: nobody waits")
def fair_queue(lab):
    lab.start(rule_far=slow_link("<", fair=True))
    usual(lab)
    peers.listen(lab, 8201, http_handler(body=b"i" * 300000))
    with lab.capture("m"):
        download(lab)
