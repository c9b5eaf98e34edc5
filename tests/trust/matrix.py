#!/usr/bin/env python3
"""usage: matrix.py CHAIN_VERDICT: chains made by openssl, each judged by trust/ as `openssl verify -attime` judges it
and each name as `openssl x509 -checkhost` or `-checkip` does."""
import os
import re
import subprocess
import sys
import tempfile

NOW = 1785900000  # 2026-08-05
DAY = 86400
SM2_ID = "distid:1234567812345678"
CONF = """[ca]
default_ca = d
[d]
database = {d}/index.txt
new_certs_dir = {d}
rand_serial = yes
default_md = default
policy = p
unique_subject = no
copy_extensions = none
[p]
countryName = optional
organizationName = optional
commonName = optional
[req]
distinguished_name = dn
[dn]
"""


def stamp(seconds):
    return subprocess.run(["date", "-u", "-d", f"@{seconds}", "+%Y%m%d%H%M%SZ"], check=True, capture_output=True,
                          text=True).stdout.strip()


class Maker:
    def __init__(self, folder):
        self.dir = folder
        self.keys = {}
        self.made = {}
        open(os.path.join(folder, "index.txt"), "w").close()
        with open(os.path.join(folder, "ca.cnf"), "w") as f:
            f.write(CONF.format(d=folder))

    def run(self, *words):
        done = subprocess.run(["openssl", *words], cwd=self.dir, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"openssl {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def key(self, kind, owner):
        """One key per kind and role: making RSA keys is slow."""
        name = f"key.{kind.replace(':', '')}.{owner}"
        if name not in self.keys:
            if kind.startswith("rsa:"):
                self.run("genrsa", "-out", name, kind[4:])
            elif kind == "ed25519":
                self.run("genpkey", "-algorithm", "ED25519", "-out", name)
            else:
                self.run("genpkey", "-algorithm", "SM2" if kind == "SM2" else "EC", "-pkeyopt",
                         f"ec_paramgen_curve:{kind}", "-out", name)
            self.keys[name] = True
        return name

    def make(self, name, cn, issuer=None, kind="P-256", san=None, ca=False, start=-30 * DAY, end=300 * DAY, md=None,
             ext=(), usage="serverAuth", owner=None, ca_flag=None):
        """issuer None: signed by itself. Returns NAME; NAME.crt and NAME.der lie in the folder."""
        key = self.key(kind, owner or ("root" if issuer is None else "ca" if ca else "leaf"))
        signer_kind, signer_key = self.made[issuer] if issuer else (kind, key)
        sm2 = ["-sigopt", SM2_ID] if signer_kind == "SM2" else []
        request_sm2 = ["-sigopt", SM2_ID, "-sm3"] if kind == "SM2" else []
        subject = "/C=CN/O=Example Tax Service" + (f"/CN={cn}" if cn else "")
        self.run("req", "-new", "-utf8", "-config", "ca.cnf", "-key", key, "-subj", subject, "-out", name + ".csr",
                 *request_sm2)
        lines = ["basicConstraints=critical,CA:" + (ca_flag or ("TRUE" if ca else "FALSE")), "subjectKeyIdentifier=hash"]
        if ca:
            lines.append("keyUsage=critical,keyCertSign,cRLSign")
        elif usage:
            lines.append("extendedKeyUsage=" + usage)
        if san:
            lines.append("subjectAltName=" + san)
        with open(os.path.join(self.dir, name + ".ext"), "w") as f:
            f.write("\n".join([*lines, *ext]) + "\n")
        if issuer is None:
            by = ["-selfsign", "-keyfile", key]
        else:
            by = ["-cert", issuer + ".crt", "-keyfile", signer_key]
        digest = md or ("sm3" if signer_kind == "SM2" else "default" if signer_kind == "ed25519" else "sha256")
        request_check = ["-vfyopt", SM2_ID] if kind == "SM2" else []
        self.run("ca", "-config", "ca.cnf", "-batch", "-notext", "-in", name + ".csr", "-out", name + ".crt", "-md", digest,
                 "-startdate", stamp(NOW + start), "-enddate", stamp(NOW + end), "-extfile", name + ".ext", *by, *sm2,
                 *request_check)
        self.run("x509", "-in", name + ".crt", "-outform", "DER", "-out", name + ".der")
        self.made[name] = (kind, key)
        return name


def build(m):
    """(label, sent, name asked for, time)"""
    cases = []

    def add(label, sent, name="inv.example.cn", at=NOW, store="root"):
        cases.append((label, sent, name, at, store))

    families = {"rsa": "rsa:2048", "ec": "P-256", "ed": "ed25519", "sm2": "SM2", "p384": "P-384"}
    m.make("root", "Example Root", kind="P-256", ca=True, start=-900 * DAY, end=3000 * DAY)
    for short, kind in families.items():
        root = m.make(f"root-{short}", f"Root {short}", kind=kind, ca=True, start=-900 * DAY, end=3000 * DAY)
        inter = m.make(f"inter-{short}", f"Issuing {short}", issuer=root, kind=kind, ca=True, start=-400 * DAY,
                       end=1500 * DAY)
        leaf = m.make(f"leaf-{short}", "inv.example.cn", issuer=inter, kind=kind, san="DNS:inv.example.cn")
        late = m.make(f"late-{short}", "inv.example.cn", issuer=inter, kind=kind, san="DNS:inv.example.cn",
                      start=-90 * DAY, end=-2 * DAY)
        early = m.make(f"early-{short}", "inv.example.cn", issuer=inter, kind=kind, san="DNS:inv.example.cn",
                       start=3 * DAY, end=90 * DAY)
        own = m.make(f"own-{short}", "inv.example.cn", kind=kind, san="DNS:inv.example.cn", owner="own")
        add(f"{short} good", [leaf, inter], store=root)
        add(f"{short} with its root", [leaf, inter, root], store=root)
        add(f"{short} expired", [late, inter], store=root)
        add(f"{short} expired, before that", [late, inter], at=NOW - 3 * DAY, store=root)
        add(f"{short} not yet", [early, inter], store=root)
        add(f"{short} missing intermediate", [leaf], store=root)
        add(f"{short} another root", [leaf, inter], store="root")
        add(f"{short} signed by itself", [own], store=root)
        add(f"{short} itself in the store", [own], store=own)
        add(f"{short} wrong order", [leaf, root, inter], store=root)

    inter = m.make("inter", "Issuing CA", issuer="root", ca=True, start=-400 * DAY, end=1500 * DAY)

    def leaf(name, cn="inv.example.cn", asked="inv.example.cn", issuer=inter, more=(inter,), at=NOW, label=None, **kw):
        m.make(name, cn, issuer=issuer, **kw)
        add(label or name, [name, *more], asked, at)

    leaf("wrong-name", cn="pay.example.cn", san="DNS:pay.example.cn")
    leaf("wildcard", san="DNS:*.example.cn")
    leaf("wildcard-two-labels", san="DNS:*.example.cn", asked="a.inv.example.cn")
    leaf("wildcard-bare", san="DNS:*.example.cn", asked="example.cn")
    leaf("wildcard-of-tld", san="DNS:*.cn", asked="example.cn")
    leaf("wildcard-inside", san="DNS:inv.*.cn", asked="inv.example.cn")
    leaf("wildcard-case", san="DNS:*.EXAMPLE.cn", asked="INV.example.CN")
    leaf("ip", san="IP:198.51.100.20", asked="198.51.100.20")
    leaf("ip-other", san="IP:198.51.100.20", asked="198.51.100.21")
    leaf("ip-as-dns", san="DNS:198.51.100.20", asked="198.51.100.20")
    leaf("ip6", san="IP:2001:db8::20", asked="2001:db8::20")
    leaf("ip6-other", san="IP:2001:db8::20", asked="2001:db8::21")
    leaf("idn", san="DNS:xn--nyqy26a.example.cn", asked="健康.example.cn")
    leaf("idn-alabel", san="DNS:xn--nyqy26a.example.cn", asked="xn--nyqy26a.example.cn")
    leaf("idn-wildcard", san="DNS:*.xn--nyqy26a.example.cn", asked="a.健康.example.cn")
    leaf("idn-other", san="DNS:xn--nyqy26a.example.cn", asked="健美.example.cn")
    leaf("cn-alone", san=None)
    leaf("cn-and-san", cn="inv.example.cn", san="DNS:other.example.cn")
    leaf("cn-and-mail", cn="inv.example.cn", san="email:a@example.cn")
    leaf("many-names", san="DNS:a.example.cn,DNS:b.example.cn,DNS:inv.example.cn")
    leaf("trailing-dot", san="DNS:inv.example.cn", asked="inv.example.cn")
    leaf("no-subject", cn=None, san="DNS:inv.example.cn")
    leaf("client-only", san="DNS:inv.example.cn", usage="clientAuth")
    leaf("any-usage", san="DNS:inv.example.cn", usage=None)
    leaf("sha1", san="DNS:inv.example.cn", md="sha1")
    leaf("weak-rsa", san="DNS:inv.example.cn", kind="rsa:1024")
    leaf("critical-unknown", san="DNS:inv.example.cn", ext=["1.2.3.4.5.6=critical,ASN1:UTF8String:x"])
    leaf("last-second", san="DNS:inv.example.cn", end=0, at=NOW - 1)
    leaf("one-second-late", san="DNS:inv.example.cn", end=0, at=NOW + 1)
    leaf("first-second", san="DNS:inv.example.cn", start=0, at=NOW)
    leaf("directly-by-root", san="DNS:inv.example.cn", issuer="root", more=())

    m.make("inter0", "Issuing CA zero", issuer="root", ca=True, ca_flag="TRUE,pathlen:0", start=-400 * DAY, end=1500 * DAY)
    m.make("below0", "Below zero", issuer="inter0", ca=True, start=-400 * DAY, end=1500 * DAY, owner="below")
    leaf("path-length-kept", issuer="inter0", more=("inter0",), san="DNS:inv.example.cn")
    leaf("path-length-exceeded", issuer="below0", more=("below0", "inter0"), san="DNS:inv.example.cn")
    m.make("deep1", "Deep 1", issuer="root", ca=True, owner="d1")
    m.make("deep2", "Deep 2", issuer="deep1", ca=True, owner="d2")
    m.make("deep3", "Deep 3", issuer="deep2", ca=True, owner="d3")
    leaf("deep", issuer="deep3", more=("deep3", "deep2", "deep1"), san="DNS:inv.example.cn")
    leaf("deep-shuffled", issuer="deep3", more=("deep1", "deep3", "deep2"), san="DNS:inv.example.cn")
    leaf("deep-middle-missing", issuer="deep3", more=("deep3", "deep1"), san="DNS:inv.example.cn")
    leaf("stranger-in-between", more=("deep1", "inter"), san="DNS:inv.example.cn")
    leaf("double", more=("inter", "inter"), san="DNS:inv.example.cn")
    for short, rule in (("permitted", "permitted;DNS:example.cn"), ("not-permitted", "permitted;DNS:example.org"),
                        ("excluded", "excluded;DNS:inv.example.cn"), ("excluded-other", "excluded;DNS:example.org")):
        m.make("nc-" + short, "Constrained " + short, issuer="root", ca=True, ext=["nameConstraints=critical," + rule])
        leaf("name-" + short, issuer="nc-" + short, more=("nc-" + short,), san="DNS:inv.example.cn")
    m.make("old-inter", "Old Issuing CA", issuer="root", ca=True, start=-900 * DAY, end=-1 * DAY)
    leaf("expired-intermediate", issuer="old-inter", more=("old-inter",), san="DNS:inv.example.cn")
    m.make("no-ca", "Not an authority", issuer="root", start=-400 * DAY, end=1500 * DAY, owner="ca", usage=None)
    leaf("issuer-is-no-ca", issuer="no-ca", more=("no-ca",), san="DNS:inv.example.cn")
    m.make("client-ca", "Client Issuing CA", issuer="root", ca=True, ext=["extendedKeyUsage=clientAuth"])
    leaf("issuer-for-clients", issuer="client-ca", more=("client-ca",), san="DNS:inv.example.cn")
    # The same name, another key: the signature is not that of the intermediate that is sent.
    m.make("twin", "Issuing CA", issuer="root", ca=True, owner="twin", start=-400 * DAY, end=1500 * DAY)
    leaf("wrong-signature", issuer="twin", more=("inter",), san="DNS:inv.example.cn")
    m.make("sm2-inter", "SM2 Issuing", issuer="root", ca=True, kind="SM2")
    leaf("sm2-below-ec", issuer="sm2-inter", more=("sm2-inter",), kind="SM2", san="DNS:inv.example.cn")
    leaf("rsa-below-ec", kind="rsa:2048", san="DNS:inv.example.cn")
    return cases


def verify_sm2(folder, sent, store, at):
    """The program sets the id that SM2 signatures need on the first certificate only: one link at a time."""
    inter = "inter-sm2"
    if inter not in sent or store != "root-sm2":
        return verify(folder, sent, store, at)
    more = ["-vfyopt", SM2_ID]
    return verify(folder, [inter], store, at, more, purpose="any") or verify(folder, sent[:1], inter, at, more)


def verify(folder, sent, store, at, more=(), purpose="sslserver"):
    """The number of the error, 0 none."""
    untrusted = os.path.join(folder, "untrusted.pem")
    with open(untrusted, "w") as out:
        for part in sent[1:]:
            with open(os.path.join(folder, part + ".crt")) as f:
                out.write(f.read())
    words = ["openssl", "verify", "-no-CApath", "-no-CAstore", "-CAfile", store + ".crt", "-attime", str(at), "-partial_chain",
             "-purpose", purpose, *more]
    if len(sent) > 1:
        words += ["-untrusted", untrusted]
    done = subprocess.run([*words, sent[0] + ".crt"], cwd=folder, capture_output=True, text=True)
    found = re.search(r"error (\d+) at", done.stdout + done.stderr)
    if done.returncode == 0:
        return 0
    return int(found.group(1)) if found else -1


def covers(folder, certificate, name):
    ascii_name = name.encode("idna").decode() if not name.isascii() else name
    is_ip = ":" in name or re.fullmatch(r"[0-9.]+", name) is not None
    done = subprocess.run(["openssl", "x509", "-noout", "-in", certificate + ".crt", "-checkip" if is_ip else "-checkhost",
                           ascii_name], cwd=folder, capture_output=True, text=True)
    return "does match" in done.stdout


def main():
    tool = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="invcap-chains.") as folder:
        m = Maker(folder)
        cases = build(m)
        lines, others = [], {}
        for number, (label, sent, name, at, store) in enumerate(cases):
            lines.append("|".join([str(number), store + ".crt", str(at), name, ",".join(s + ".der" for s in sent), "-"]))
        # Without a named store, and with the intermediate that others showed.
        for short in ("rsa", "ec", "ed", "sm2", "p384"):
            others[f"learnt-{short}"] = "incomplete"
            lines.append(f"learnt-{short}|root-{short}.crt|{NOW}|x|leaf-{short}.der|inter-{short}.der")
            others[f"alone-{short}"] = "consistent"
            lines.append(f"alone-{short}|-|{NOW}|x|leaf-{short}.der,inter-{short}.der|-")
            others[f"single-{short}"] = "not-judged"
            lines.append(f"single-{short}|-|{NOW}|x|leaf-{short}.der|-")
        others["alone-broken"] = "broken"
        lines.append(f"alone-broken|-|{NOW}|x|path-length-exceeded.der,below0.der,inter0.der|-")
        others["alone-name"] = "broken"
        lines.append(f"alone-name|-|{NOW}|x|name-not-permitted.der,nc-not-permitted.der|-")
        done = subprocess.run([tool], cwd=folder, input="\n".join(lines) + "\n", capture_output=True, text=True)
        said = {row.split()[0]: row.split()[1:] for row in done.stdout.splitlines()}
        wrong = [done.stderr] if done.returncode != 0 else []
        good = 0
        for number, (label, sent, name, at, store) in enumerate(cases):
            ask = verify_sm2 if label.startswith("sm2 ") else verify
            more = [["-vfyopt", SM2_ID]] if label == "sm2-below-ec" else []
            expected, match = ask(folder, sent, store, at, *more), covers(folder, sent[0], name)
            status, error, matches = said.get(str(number), ["nothing", "-1", "-1"])[:3]
            if int(error) != expected:
                wrong.append(f"{label}: openssl verify says {expected}, trust/ says {error} ({status})")
            if matches != str(int(match)):
                wrong.append(f"{label}: {name}: openssl says {match}, trust/ says {matches}")
            # The server's own dates have findings of their own and leave the chain's verdict alone.
            dated = expected in (9, 10) and status == "verified"
            if (status == "verified") != (expected == 0) and not dated:
                wrong.append(f"{label}: error {expected} but {status}")
            good += 1
        for label, status in others.items():
            if said.get(label, ["nothing"])[0] != status:
                wrong.append(f"{label}: {said.get(label)}, expected {status}")
        print("\n".join(wrong + [f"{good} chains and {len(others)} more compared, {len(wrong)} differ"]))
        return 1 if wrong or good < 60 else 0


sys.exit(main())
