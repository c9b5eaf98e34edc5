"""Name servers and time servers: what they log against the store."""
import collections
import os
import re
import subprocess
import time

from live.case import Found, child_log, lines, live, path
from net import CLIENT, CLIENTS4, NAME, SERVER
from scenarios.names import PAY, chrony, dig, dnsmasq, unbound

QUERIES = """SELECT f.client_port, lower(question), question_type, sum(tries) FROM dns_transactions r
 JOIN flows f ON f.id = r.flow_id GROUP BY 1, 2, 3"""
REPLIES = "SELECT r.client_ip, lower(question), question_type, rcode FROM dns_transactions r WHERE rcode IS NOT NULL"
RCODES = ("NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED")


def by_dnsmasq(lab, drive, *options, rules=""):
    """dnsmasq logs each query with its client's port."""
    lab.start()
    log = path(lab, "queries")
    dnsmasq(lab, "--log-queries=extra", f"--log-facility={log}", *options)
    if rules:
        lab.firewall(rules)
    with lab.capture("m"):
        drive()
    counted = collections.Counter()
    for line in lines(log):
        m = re.search(r" \d+ [0-9.]+/(\d+) query\[(\w+)\] (\S+) from ", line)
        if m:
            counted[(int(m.group(1)), m.group(3).lower(), m.group(2))] += 1
    return Found([(*key, count) for key, count in counted.items()], QUERIES, "dns")


def by_unbound(lab, drive, text):
    """unbound logs each reply with its code."""
    lab.start()
    unbound(lab, "  log-replies: yes\n  access-control: 10.20.1.0/24 allow\n  verbosity: 0\n  num-queries-per-thread: 64\n" + text)
    with lab.capture("s"):
        drive()
    time.sleep(0.3)
    log = []
    for line in child_log(lab, "unbound", SERVER):
        m = re.search(r"info: ([0-9.]+) (\S+)\. (\w+) IN (\w+) ", line)
        if m:
            log.append((m.group(1), m.group(2).lower(), m.group(3), RCODES.index(m.group(4))))
    return Found(log, REPLIES, "dns")


@live("dnsmasq-usual", "dnsmasq, dig")
def dnsmasq_usual(lab):
    """A, AAAA without an answer, TXT, CNAME, over UDP"""
    def drive():
        for kind in ("A", "AAAA", "TXT", "A"):
            dig(lab, NAME, kind=kind)
            dig(lab, PAY, kind=kind, src=CLIENTS4[1])
        dig(lab, "www.example.cn")
    return by_dnsmasq(lab, drive, f"--address=/{NAME}/{SERVER}", f"--address=/{PAY}/{SERVER}",
                      f"--cname=www.example.cn,{NAME}", "--local=/example.cn/")


@live("dnsmasq-unknown", "dnsmasq, dig")
def dnsmasq_unknown(lab):
    """names that do not exist, with search suffixes, and REFUSED without an upstream"""
    def drive():
        for name in (NAME + ".corp.local", "nothing.example.cn", NAME, "elsewhere.org"):
            dig(lab, name)
            dig(lab, name, kind="AAAA", src=CLIENTS4[2])
    return by_dnsmasq(lab, drive, f"--address=/{NAME}/{SERVER}", "--local=/example.cn/", "--local=/corp.local/")


@live("dnsmasq-tcp", "dnsmasq, dig")
def dnsmasq_tcp(lab):
    """over TCP: several questions on connections of their own"""
    def drive():
        for _ in range(4):
            dig(lab, NAME, "+tcp")
            dig(lab, PAY, "+tcp", src=CLIENTS4[1])
    return by_dnsmasq(lab, drive, f"--address=/{NAME}/{SERVER}", f"--address=/{PAY}/{SERVER}")


@live("dnsmasq-late", "dnsmasq, dig, nftables")
def dnsmasq_lost(lab):
    """the firewall drops what comes from one client: its tries are in the store, not in the log"""
    def drive():
        dig(lab, NAME)
        dig(lab, NAME, src=CLIENTS4[1], tries=2, wait=1)
        dig(lab, NAME, src=CLIENTS4[2])
    found = by_dnsmasq(lab, drive, f"--address=/{NAME}/{SERVER}", rules=f"ip saddr {CLIENTS4[1]} udp dport 53 drop")
    found.kept = QUERIES.replace("GROUP BY", "WHERE answer_ns IS NOT NULL GROUP BY")
    return found


@live("unbound-usual", "unbound, dig")
def unbound_usual(lab):
    """local data of several types, answers with many records, EDNS off and on"""
    data = "".join(f'  local-data: "many.example.cn. 60 A 10.9.0.{i}"\n' for i in range(1, 40))

    def drive():
        for name in (NAME, "many.example.cn", "alias.example.cn"):
            for words in ((), ("+noedns",), ("+bufsize=1232",)):
                dig(lab, name, *words)
        dig(lab, NAME, kind="AAAA", src=CLIENTS4[1])
    return by_unbound(lab, drive, '  local-zone: "example.cn." static\n'
                      f'  local-data: "{NAME}. 60 A {SERVER}"\n  local-data: "alias.example.cn. 60 CNAME {NAME}."\n' + data)


@live("unbound-codes", "unbound, dig")
def unbound_codes(lab):
    """NXDOMAIN of a static zone, REFUSED of another, SERVFAIL where no server can be reached"""
    def drive():
        for name in ("nothing.example.cn", "no.forbidden.cn", "far.example.org"):
            dig(lab, name, wait=4)
            dig(lab, name, src=CLIENTS4[1], wait=4)
    return by_unbound(lab, drive, '  local-zone: "example.cn." static\n  local-zone: "forbidden.cn." refuse\n'
                      'forward-zone:\n  name: "."\n  forward-addr: 127.0.0.1@5399\n')


@live("unbound-truncated", "unbound, dig")
def unbound_truncated(lab):
    """an answer that is too large for UDP: TC, and again over TCP"""
    data = "".join(f'  local-data: "many.example.cn. 60 TXT \\"{i:03} {"x" * 180}\\""\n' for i in range(12))

    def drive():
        for src in CLIENTS4[:3]:
            dig(lab, "many.example.cn", "+bufsize=512", kind="TXT", src=src)
    return by_unbound(lab, drive, '  local-zone: "example.cn." static\n' + data)


# --- time ---------------------------------------------------------------------------------------------------------
EXCHANGES = "SELECT 'asked' FROM ntp_samples WHERE request_ns IS NOT NULL AND mode IN (3, 4)"


def server_counts(lab):
    """chrony's own count of the packets that it got."""
    done = subprocess.run(["ip", "netns", "exec", lab.space("s"), "chronyc", "-n", "-h", path(lab, "command") + "/sock",
                           "serverstats"], capture_output=True, text=True)
    m = re.search(r"NTP packets received\s*:\s*(\d+)", done.stdout)
    return int(m.group(1)) if m else -1


def chrony_server(lab, text):
    os.mkdir(path(lab, "command"), 0o700)
    chrony(lab, "s", f"bindcmdaddress {path(lab, 'command')}/sock\nbindaddress {SERVER}\n" + text, "server")


def by_ntpdig(lab, count, text, rules="", tap="s", kept=EXCHANGES):
    """ntpdig of NTPsec asks so many times."""
    lab.start()
    chrony_server(lab, text)
    if rules:
        lab.firewall(rules)
    with lab.capture(tap):
        for _ in range(count):
            lab.exec("c", "ntpdig", "-t", "2", SERVER, check=False)
        asked = server_counts(lab)
    return Found([("asked",)] * asked, kept, "ntp")


@live("chrony-burst", "chrony")
def chrony_burst(lab):
    """a chrony client in iburst; the server's own counter of packets"""
    lab.start()
    chrony_server(lab, "local stratum 3\nallow all\n")
    with lab.capture("s"):
        chrony(lab, "c", f"server {SERVER} iburst\nbindacqaddress {CLIENT}\n", "client")
        time.sleep(9)
        asked = server_counts(lab)
    return Found([("asked",)] * asked, EXCHANGES, "ntp")


@live("chrony-several", "chrony, ntpdig")
def chrony_several(lab):
    """ntpdig of NTPsec asks four times"""
    return by_ntpdig(lab, 4, "local stratum 3\nallow all\n")


@live("chrony-unsynchronised", "chrony, ntpdig")
def chrony_unsynchronised(lab):
    """a server without a source: leap indicator 3"""
    return by_ntpdig(lab, 3, "allow all\n")


@live("chrony-lost", "chrony, ntpdig, nftables")
def chrony_lost(lab):
    """the firewall drops every second request"""
    return by_ntpdig(lab, 4, "local stratum 3\nallow all\n", rules="udp dport 123 numgen inc mod 2 == 1 drop", tap="m",
                     kept=EXCHANGES + " AND reply_ns IS NOT NULL")
