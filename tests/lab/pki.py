"""Certificates of any dates, names and keys for the lab's servers, made with the openssl program in a work folder.
`openssl x509` of 3.0 cannot set dates, `openssl ca` can."""
import os
import subprocess
import time

DAY = 86400


def _run(*words, cwd):
    done = subprocess.run(["openssl", *words], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {' '.join(words)}: {done.stderr.strip()}")


def _stamp(seconds):
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(seconds))


_CA_CONF = """[ca]
default_ca = d
[d]
database = {d}/index.txt
new_certs_dir = {d}
serial = {d}/serial
default_md = sha256
policy = p
unique_subject = no
copy_extensions = none
[p]
countryName = optional
organizationName = optional
commonName = supplied
[req]
distinguished_name = dn
[dn]
"""


class Pki:
    def __init__(self, folder):
        self.dir = folder
        os.makedirs(folder, exist_ok=True)
        open(os.path.join(folder, "index.txt"), "w").close()
        with open(os.path.join(folder, "serial"), "w") as f:
            f.write("4A3F0C1200000001\n")
        with open(os.path.join(folder, "ca.cnf"), "w") as f:
            f.write(_CA_CONF.format(d=folder))
        self.root = self.make("root", "Example Invoice Root CA", issuer=None, ca=True, start=-900 * DAY, end=3000 * DAY)
        self.inter = self.make("inter", "Example Invoice Issuing CA G2", issuer="root", ca=True, start=-400 * DAY,
                               end=1500 * DAY)
        self.leaf = self.make("leaf", "inv.example.cn", names=["inv.example.cn", "api.inv.example.cn"])

    def path(self, name):
        return os.path.join(self.dir, name)

    def key(self, name, key):
        path = self.path(name + ".key")
        if key.startswith("rsa:"):
            _run("genrsa", "-out", path, key[4:], cwd=self.dir)
        else:
            _run("genpkey", "-algorithm", "EC" if key != "SM2" else "SM2", "-pkeyopt",
                 f"ec_paramgen_curve:{key}", "-out", path, cwd=self.dir)
        return path

    def make(self, name, cn, names=(), issuer="inter", ca=False, start=-60 * DAY, end=300 * DAY, key="P-256",
             org="Example Tax Service", md="sha256", usage=None, client=False, ocsp=False,
             more=()):
        """Writes NAME.key, NAME.crt and NAME.chain (leaf with its intermediates, no root); returns NAME.
        issuer None = self-signed. start and end are seconds from now. more: lines of extensions."""
        now = time.time()
        self.key(name, key)
        _run("req", "-new", "-config", self.path("ca.cnf"), "-key", name + ".key", "-subj",
             f"/C=CN/O={org}/CN={cn}", "-out", name + ".csr", cwd=self.dir)
        ext = ["basicConstraints=critical,CA:" + ("TRUE" if ca else "FALSE"), "subjectKeyIdentifier=hash"]
        if issuer is not None:
            ext.append("authorityKeyIdentifier=keyid")
        if usage or ca:
            ext.append("keyUsage=critical," + (usage or "keyCertSign,cRLSign"))
        if not ca:
            ext.append("extendedKeyUsage=" + ("OCSPSigning" if ocsp else "clientAuth" if client else "serverAuth"))
        ext += more
        if names:
            ext.append("subjectAltName=" + ",".join(("IP:" if n[0].isdigit() else "DNS:") + n for n in names))
        with open(self.path(name + ".ext"), "w") as f:
            f.write("\n".join(ext) + "\n")
        signer = ["-selfsign", "-keyfile", name + ".key"] if issuer is None else \
            ["-cert", issuer + ".crt", "-keyfile", issuer + ".key"]
        _run("ca", "-config", "ca.cnf", "-batch", "-notext", "-in", name + ".csr", "-out", name + ".crt", "-md", md,
             "-startdate", _stamp(now + start), "-enddate", _stamp(now + end), "-extfile", name + ".ext", *signer,
             cwd=self.dir)
        self.chain(name, [name] + ([] if issuer in (None, "root") else [issuer]))
        return name

    def chain(self, name, parts):
        with open(self.path(name + ".chain"), "w") as out:
            for part in parts:
                with open(self.path(part + ".crt")) as f:
                    out.write(f.read())
        return self.path(name + ".chain")
