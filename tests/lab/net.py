"""The lab's ground: network namespaces, links, captures, processes; all of it bounded and removed at exit.

      c  c0 --- m0  m: bridge, t0 --- t1, bridge  m1 --- f0  f  f1 --- s0  s
    client               (the tap m is t1)                router,         server
                                                          firewall

c, f and s are real Linux stacks. m holds no address: bridge.py carries its frames, so that delay, loss,
duplication, injection and VLAN tags are ours to decide. Offloads are off everywhere, or captures would hold
64 KiB segments with unfilled checksums.
"""
import atexit
import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import threading
import time

import bridge

CLIENTS4 = ["10.20.1.11", "10.20.1.12", "10.20.1.13", "10.20.1.14"]
CLIENT = CLIENTS4[0]
ROUTER = "10.20.1.1"
SERVER = "198.51.100.20"
SERVER2 = "198.51.100.21"
CLIENT6 = "2001:db8:20:1::11"
SERVER6 = "2001:db8:51:100::20"
NAME = "inv.example.cn"
# What a server some hops away looks like: its packets reach the tap with 56, the firewall's own with 64.
SERVER_TTL = 57

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000


def run(*words, check=True, timeout=30):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


class Lab:
    def __init__(self, work, out, name):
        self.work, self.out, self.name = work, out, name
        self.tag = f"iv{os.getpid() % 100000}"
        self.spaces, self.children, self.taps, self.threads = [], [], [], []
        self.bridges = []
        self.flag = bridge.new_flag()
        self.pki = None
        self.stopping = threading.Event()
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY)
        atexit.register(self.close)

    # --- namespaces and links -------------------------------------------------------------------
    def space(self, ns):
        return f"{self.tag}{ns}"

    def add_space(self, ns, ipv6=False):
        run("ip", "netns", "add", self.space(ns))
        self.spaces.append(ns)
        self.sysctl(ns, "net.ipv6.conf.all.disable_ipv6", 0 if ipv6 else 1)
        self.sysctl(ns, "net.ipv6.conf.default.disable_ipv6", 0 if ipv6 else 1)
        # Neither duplicate address detection nor router solicitations: they would only delay each start.
        if ipv6:
            for key in ("accept_dad", "dad_transmits", "router_solicitations"):
                self.sysctl(ns, f"net.ipv6.conf.default.{key}", 0)
        self.ip(ns, "link", "set", "lo", "up")

    def ip(self, ns, *words, check=True):
        return run("ip", "-n", self.space(ns), *words, check=check)

    def sysctl(self, ns, key, value):
        with self.inside(ns):
            with open("/proc/sys/" + key.replace(".", "/"), "w") as f:
                f.write(str(value))

    def link(self, ns_a, if_a, mac_a, ns_b, if_b, mac_b, mtu=1500, offload=False):
        run("ip", "link", "add", if_a, "netns", self.space(ns_a), "type", "veth",
            "peer", "name", if_b, "netns", self.space(ns_b))
        for ns, dev, mac in ((ns_a, if_a, mac_a), (ns_b, if_b, mac_b)):
            self.ip(ns, "link", "set", dev, "address", mac, "mtu", str(mtu), "up")
            if not offload:
                self.exec(ns, "ethtool", "-K", dev, "gro", "off", "gso", "off", "tso", "off", "tx", "off",
                          "rx", "off", "rxvlan", "off", "txvlan", "off", check=False)

    @contextlib.contextmanager
    def inside(self, ns):
        """The calling thread works in namespace ns; sockets made here stay there."""
        fd = os.open(f"/run/netns/{self.space(ns)}", os.O_RDONLY)
        try:
            if _libc.setns(fd, _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            yield
        finally:
            _libc.setns(self.home, _CLONE_NEWNET)
            os.close(fd)

    # --- the usual picture ----------------------------------------------------------------------
    # rule sees frames between client and tap m, rule_far between tap m and the router.
    def start(self, rule=None, rule_far=None, delay_ms=6.0, vlan=None, ipv6=False, offload=False, server_ttl=SERVER_TTL):
        for ns in "cmfs":
            self.add_space(ns, ipv6=ipv6 and ns != "m")
        self.link("c", "c0", "52:54:00:0a:01:0b", "m", "m0", "52:54:00:0a:01:fe", offload=offload)
        self.link("m", "m1", "52:54:00:0a:01:fd", "f", "f0", "52:54:00:0a:01:01", offload=offload)
        self.link("f", "f1", "52:54:00:c6:64:01", "s", "s0", "52:54:00:c6:64:14", offload=offload)
        self.sysctl("f", "net.ipv4.ip_forward", 1)
        for address in CLIENTS4:
            self.ip("c", "addr", "add", f"{address}/24", "dev", "c0")
        self.ip("f", "addr", "add", f"{ROUTER}/24", "dev", "f0")
        self.ip("f", "addr", "add", "198.51.100.1/24", "dev", "f1")
        for address in (SERVER, SERVER2):
            self.ip("s", "addr", "add", f"{address}/24", "dev", "s0")
        self.ip("c", "route", "add", "default", "via", ROUTER)
        self.ip("s", "route", "add", "default", "via", "198.51.100.1")
        self.sysctl("s", "net.ipv4.conf.all.promote_secondaries", 1)
        self.sysctl("s", "net.ipv4.ip_default_ttl", server_ttl)
        if ipv6:
            self.start_ipv6(server_ttl)
        if offload:
            # Giants do not fit through our own bridge.
            self.ip("m", "link", "add", "br0", "type", "bridge")
            for dev in ("br0", "m0", "m1"):
                self.ip("m", "link", "set", dev, "up")
                if dev != "br0":
                    self.ip("m", "link", "set", dev, "master", "br0")
        else:
            self.start_bridges(rule, rule_far, delay_ms, vlan)
        if ipv6:
            self.touch("c", CLIENT6, SERVER6)
        # Warm neighbour tables: a capture should show ARP only where ARP is the matter.
        for address in CLIENTS4:
            self.touch("c", address, SERVER)
        return self

    def start_bridges(self, rule, rule_far, delay_ms, vlan):
        # Two bridges with a wire between them, half the delay each: the tap m sits in the middle of the way.
        # The wire carries the VLAN tag, if any (VLAN devices may be missing in the kernel).
        self.link("m", "t0", "52:54:00:0a:02:01", "m", "t1", "52:54:00:0a:02:02")
        self.bridges.append(bridge.Bridge(self, "m", "m0", "t0", rule, delay_ms / 2, tag_b=vlan))
        self.bridges.append(bridge.Bridge(self, "m", "t1", "m1", rule_far, delay_ms / 2, tag_a=vlan))

    def touch(self, ns, source, address, port=9):
        """One refused connection, before the capture begins."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        for _ in range(8):
            s = self.socket(ns, family)
            s.settimeout(1)
            try:
                s.bind((source, 0))
                s.connect((address, port))
            except ConnectionRefusedError:
                return
            except OSError:
                time.sleep(0.2)
            finally:
                s.close()
        raise RuntimeError(f"{address} cannot be reached in the lab")

    def start_ipv6(self, server_ttl):
        self.sysctl("f", "net.ipv6.conf.all.forwarding", 1)
        for ns, dev, address in (("c", "c0", CLIENT6), ("f", "f0", "2001:db8:20:1::1"),
                                 ("f", "f1", "2001:db8:51:100::1"), ("s", "s0", SERVER6)):
            self.ip(ns, "-6", "addr", "add", f"{address}/64", "dev", dev, "nodad")
        self.ip("c", "-6", "route", "add", "default", "via", "2001:db8:20:1::1")
        self.ip("s", "-6", "route", "add", "default", "via", "2001:db8:51:100::1")
        self.sysctl("s", "net.ipv6.conf.all.hop_limit", server_ttl)
        self.sysctl("s", "net.ipv6.conf.s0.hop_limit", server_ttl)

    def firewall(self, rules, ns="f", hook="forward", extra=""):
        """nftables rules, one a line, in one chain of the router (or of another namespace's hook)."""
        body = "\n".join("    " + r.strip() for r in rules.strip().splitlines())
        text = (f"table inet {hook}_{ns} {{\n{extra}\n  chain {hook} {{\n    type filter hook {hook} priority 0;"
                f" policy accept;\n{body}\n  }}\n}}\n")
        path = os.path.join(self.work, f"nft.{hook}.{ns}")
        with open(path, "w") as f:
            f.write(f"table inet {hook}_{ns}\ndelete table inet {hook}_{ns}\n" + text)
        self.exec(ns, "nft", "-f", path)

    # --- processes ------------------------------------------------------------------------------
    def exec(self, ns, *words, check=True, timeout=30):
        return run("ip", "netns", "exec", self.space(ns), *words, check=check, timeout=timeout)

    def spawn(self, ns, *words, stdin=subprocess.DEVNULL, log="log"):
        sink = open(os.path.join(self.work, f"{self.name}.{os.path.basename(words[0])}.{log}"), "ab")
        child = subprocess.Popen(["ip", "netns", "exec", self.space(ns), *words], stdin=stdin, stdout=sink, stderr=sink)
        sink.close()
        self.children.append(child)
        return child

    def thread(self, fn, *args):
        t = threading.Thread(target=fn, args=args, daemon=True)
        t.start()
        self.threads.append(t)
        return t

    def end(self, child, sig=signal.SIGTERM):
        if child.poll() is None:
            child.send_signal(sig)
            try:
                child.wait(4)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait(4)

    # --- captures -------------------------------------------------------------------------------
    def capture_on(self, ns, dev, suffix="", snaplen=0, expression=""):
        path = os.path.join(self.out, self.name + suffix + ".pcap")
        if os.environ.get("INVCAP_LAB_USERNS"):
            # tcpdump insists on setting groups, which a user namespace forbids.
            words = ["dumpcap", "-P", "-q", "-B", "8", "-s", str(snaplen), "-i", dev, "-w", path, "-f", expression]
        else:
            words = ["tcpdump", "-i", dev, "-n", "-U", "-Z", "root", "-B", "8192", "--immediate-mode", "-w", path,
                     "-s", str(snaplen), *expression.split()]
        child = subprocess.Popen(["ip", "netns", "exec", self.space(ns), *words],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.children.append(child)
        for _ in range(20):
            line = child.stderr.readline()
            if "listening on" in line or line.startswith("File:"):
                break
            if not line:
                raise RuntimeError(f"{words[0]} did not start")
        self.taps.append((child, path))

    TAPS = {"c": ("c", "c0"), "m": ("m", "t1"), "s": ("s", "s0")}

    @contextlib.contextmanager
    def capture(self, taps="m", **options):
        """Captures at each place of taps; several places give NAME_c, NAME_m, NAME_s."""
        for tap in taps:
            ns, dev = self.TAPS[tap]
            self.capture_on(ns, dev, f"_{tap}" if len(taps) > 1 else "", **options)
        time.sleep(0.15)
        yield
        self.end_captures()

    def end_captures(self):
        time.sleep(0.5)
        for child, _ in self.taps:
            self.end(child, signal.SIGINT)
            child.stderr.close()

    def as_pcapng(self):
        """The finished captures in the other format."""
        for i, (child, path) in enumerate(self.taps):
            run("editcap", "-F", "pcapng", path, path + "ng")
            os.unlink(path)
            self.taps[i] = (child, path + "ng")

    # --- sockets --------------------------------------------------------------------------------
    def socket(self, ns, family=socket.AF_INET, kind=socket.SOCK_STREAM):
        with self.inside(ns):
            return socket.socket(family, kind)

    def close(self):
        """Takes everything away; safe to call twice and after any failure."""
        self.stopping.set()
        for child in reversed(self.children):
            with contextlib.suppress(Exception):
                self.end(child)
        for b in self.bridges:
            with contextlib.suppress(Exception):
                b.close()
        self.bridges = []
        for ns in self.spaces:
            subprocess.run(["ip", "netns", "del", self.space(ns)], stderr=subprocess.DEVNULL)
        self.spaces = []
        atexit.unregister(self.close)
