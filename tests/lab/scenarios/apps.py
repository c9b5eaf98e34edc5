"""FTP, databases, caches and SSH by the servers and clients that everybody runs, healthy and refused."""
import os
import shutil
import subprocess
import time

import peers
from net import CLIENT, CLIENTS4, SERVER, run
from peers import expect
from runner import scenario

MUTE = ("--max-time", "9", "-sS", "-o", "/dev/null")


def folder(lab, name):
    path = os.path.join(lab.work, f"{name}.{lab.name}")
    os.makedirs(path, exist_ok=True)
    return path


def call(lab, *words, timeout=30):
    """Runs a client; its words on both outputs, whatever its status."""
    done = subprocess.run(["ip", "netns", "exec", lab.space("c"), *words], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=timeout)
    return f"{done.returncode} {done.stdout}"


# --- FTP -----------------------------------------------------------------------------------------------------------
def vsftpd(lab, port=21, extra=""):
    home = folder(lab, "vsftpd")
    root = os.path.join(home, "root")
    os.makedirs(os.path.join(root, "in"), exist_ok=True)
    with open(os.path.join(root, "invoices.csv"), "w") as f:
        f.write("044001900111,1280.50\n" * 200)
    for path in (home, root):
        os.chmod(path, 0o755)
    os.chmod(lab.work, 0o755)
    conf = os.path.join(home, "conf")
    with open(conf, "w") as f:
        f.write(f"""listen=YES
listen_address={SERVER}
listen_port={port}
background=NO
anonymous_enable=YES
no_anon_password=NO
anon_root={root}
local_enable=YES
write_enable=NO
pasv_min_port=40000
pasv_max_port=40010
connect_timeout=4
accept_timeout=4
seccomp_sandbox=NO
isolate=NO
isolate_network=NO
xferlog_enable=NO
{extra}
""")
    child = lab.spawn("s", "vsftpd", conf)
    peers.wait_listen(lab, port)
    return child


def fetch(lab, *words, path="invoices.csv", port=21, src=CLIENT):
    return call(lab, "curl", *MUTE, "--interface", src, *words, f"ftp://{SERVER}:{port}/{path}")


@scenario("ftp-healthy", "vsftpd: passive, extended passive and active transfers, a folder, a file that is not there")
def ftp_healthy(lab):
    lab.start()
    vsftpd(lab)
    with lab.capture("m"):
        expect(fetch(lab), "0 ")
        expect(fetch(lab, "--disable-epsv"), "0 ")
        expect(fetch(lab, "-P", "-"), "0 ")
        expect(fetch(lab, "-P", "-", "--disable-eprt"), "0 ")
        expect(fetch(lab, path="in/"), "0 ")
        expect(fetch(lab, path="none.csv"), "78 ")


@scenario("ftp-passive-blocked", "a firewall drops the SYNs to the passive ports; control works")
def ftp_passive_blocked(lab):
    lab.start()
    vsftpd(lab)
    lab.firewall("tcp dport 40000-40010 drop")
    with lab.capture("m"):
        expect(fetch(lab), "28 ")
        expect(fetch(lab, "--disable-epsv", src=CLIENTS4[1]), "28 ")


@scenario("ftp-passive-rejected", "a firewall resets the connections to the passive ports")
def ftp_passive_rejected(lab):
    lab.start()
    vsftpd(lab, port=2121)
    lab.firewall("tcp dport 40000-40010 reject with tcp reset")
    with lab.capture("m"):
        for src in CLIENTS4[:3]:
            fetch(lab, "--disable-epsv", src=src, port=2121)


@scenario("ftp-active-blocked", "a firewall drops what the server opens towards the client: PORT and EPRT end in 425")
def ftp_active_blocked(lab):
    lab.start()
    vsftpd(lab)
    lab.firewall("ip saddr 198.51.100.20 tcp flags & (syn | ack) == syn drop")
    with lab.capture("m"):
        fetch(lab, "-P", "-")
        fetch(lab, "-P", "-", "--disable-eprt", src=CLIENTS4[1])


@scenario("ftp-private-pasv", "the server behind a translation announces its inner address in 227")
def ftp_private_pasv(lab):
    lab.start()
    vsftpd(lab, extra="pasv_address=192.168.5.20")
    lab.firewall("ip daddr 192.168.5.0/24 drop")
    with lab.capture("m"):
        for src in CLIENTS4[:2]:
            expect(fetch(lab, "--disable-epsv", "--no-ftp-skip-pasv-ip", src=src), "28 ")


@scenario("ftp-login", "logins with a password in clear that the server refuses, then an anonymous one")
def ftp_login(lab):
    lab.start()
    vsftpd(lab)
    with lab.capture("m"):
        for word in ("alpha", "beta", "gamma"):
            expect(fetch(lab, "-u", f"nobody-here:{word}"), "67 ")
        expect(fetch(lab), "0 ")


# --- MariaDB -------------------------------------------------------------------------------------------------------
def mariadb(lab, *words):
    home = folder(lab, "mariadb")
    os.chmod(lab.work, 0o755)
    subprocess.run(["mariadb-install-db", f"--datadir={home}/data", "--user=root", "--skip-test-db",
                    "--auth-root-authentication-method=normal"], stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, check=True, timeout=60)
    init = os.path.join(home, "init.sql")
    with open(init, "w") as f:
        f.write("CREATE DATABASE IF NOT EXISTS inv;\n"
                "CREATE USER IF NOT EXISTS 'app'@'10.20.1.%' IDENTIFIED BY 'planted-word';\n"
                "GRANT ALL ON inv.* TO 'app'@'10.20.1.%';\n")
    child = lab.spawn("s", "mariadbd", "--no-defaults", f"--datadir={home}/data", "--user=root", "--skip-name-resolve",
                      f"--socket={home}/s", f"--pid-file={home}/pid", f"--bind-address={SERVER}", "--port=3306",
                      f"--init-file={init}", "--innodb-buffer-pool-size=16M", *words)
    peers.wait_listen(lab, 3306)
    time.sleep(0.5)
    return child


def sql(lab, text, password="planted-word", database="inv"):
    return call(lab, "mariadb", "--no-defaults", "-h", SERVER, "-u", "app", f"-p{password}", "--skip-ssl", database,
                "-e", text)


@scenario("mysql-healthy", "MariaDB: a login, a table, rows, an error of one statement")
def mysql_healthy(lab):
    lab.start()
    mariadb(lab)
    with lab.capture("m"):
        expect(sql(lab, "CREATE TABLE t(a INT, b VARCHAR(40)); INSERT INTO t VALUES (1,'x'),(2,'y'); SELECT * FROM t"),
               "0 ")
        expect(sql(lab, "SELECT * FROM none"), "1146")
        expect(sql(lab, "SELECT REPEAT('z', 9000)"), "0 ")


@scenario("mysql-refused", "MariaDB refuses a wrong password and a database without rights")
def mysql_refused(lab):
    lab.start()
    mariadb(lab)
    with lab.capture("m"):
        for word in ("alpha", "beta"):
            expect(sql(lab, "SELECT 1", password=word), "1045")
        expect(sql(lab, "SELECT 1", database="none"), "1044")


@scenario("mysql-full", "MariaDB with ten connections, all taken: 1040")
def mysql_full(lab):
    lab.start()
    mariadb(lab, "--max-connections=10")
    with lab.capture("m"):
        for _ in range(11):
            lab.thread(sql, lab, "SELECT SLEEP(2)")
        time.sleep(1)
        expect(sql(lab, "SELECT 1"), "1040")
        time.sleep(3)


@scenario("mysql-slow", "MariaDB: one query of 3.5 s among quick ones")
def mysql_slow(lab):
    lab.start()
    mariadb(lab)
    with lab.capture("m"):
        expect(sql(lab, "SELECT 1; SELECT SLEEP(3.5); SELECT 2"), "0 ")


# --- PostgreSQL ----------------------------------------------------------------------------------------------------
def postgresql(lab, *words):
    home = folder(lab, "postgres")
    os.chmod(lab.work, 0o755)
    shutil.chown(home, "postgres", "postgres")
    tools = sorted(os.listdir("/usr/lib/postgresql"))[-1]
    tools = f"/usr/lib/postgresql/{tools}/bin"
    secret = os.path.join(home, "word")
    with open(secret, "w") as f:
        f.write("planted-word\n")
    os.chmod(secret, 0o644)
    user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    run(*user, tools + "/initdb", "-D", home + "/data", "-U", "app", "--pwfile", secret, "-A", "scram-sha-256",
        timeout=60)
    with open(home + "/data/pg_hba.conf", "a") as f:
        f.write("host all all 10.20.1.0/24 scram-sha-256\n")
    lab.spawn("s", *user, tools + "/postgres", "-D", home + "/data", "-k", home, "-h", SERVER, "-p", "5432", *words)
    peers.wait_listen(lab, 5432)
    time.sleep(0.5)


def psql(lab, text, password="planted-word", database="postgres", mode="disable"):
    return call(lab, "env", f"PGPASSWORD={password}", f"PGSSLMODE={mode}", "psql", "-h", SERVER, "-U", "app", "-d",
                database, "-c", text)


@scenario("postgres-healthy", "PostgreSQL: logins, also after SSLRequest is declined, rows and an error of one statement")
def postgres_healthy(lab):
    lab.start()
    postgresql(lab)
    with lab.capture("m"):
        expect(psql(lab, "SELECT generate_series(1, 300)"), "0 ")
        expect(psql(lab, "SELECT 1", mode="prefer"), "0 ")
        expect(psql(lab, "SELECT * FROM none"), "1 ")


@scenario("postgres-refused", "PostgreSQL refuses a wrong password and an unknown database")
def postgres_refused(lab):
    lab.start()
    postgresql(lab)
    with lab.capture("m"):
        for word in ("alpha", "beta"):
            expect(psql(lab, "SELECT 1", password=word), "2 ")
        expect(psql(lab, "SELECT 1", database="none"), "2 ")


@scenario("postgres-full", "PostgreSQL without a connection left: 53300; and a query of 3.5 s")
def postgres_full(lab):
    lab.start()
    postgresql(lab, "-c", "max_connections=5", "-c", "superuser_reserved_connections=0", "-c", "max_wal_senders=0")
    with lab.capture("m"):
        for _ in range(6):
            lab.thread(psql, lab, "SELECT pg_sleep(3.5)")
        time.sleep(1)
        expect(psql(lab, "SELECT 1"), "2 ")
        time.sleep(3.5)


# --- Redis ---------------------------------------------------------------------------------------------------------
def redis(lab, *words):
    home = folder(lab, "redis")
    lab.spawn("s", "redis-server", "--bind", SERVER, "--port", "6379", "--dir", home, "--save", "",
              "--protected-mode", "no", *words)
    peers.wait_listen(lab, 6379)


def ask_redis(lab, *words):
    return call(lab, "redis-cli", "-h", SERVER, *words)


@scenario("redis-healthy", "Redis: keys, a list, a transaction, an error, a blocking pop of 3.5 s that is no fault")
def redis_healthy(lab):
    lab.start()
    redis(lab)
    with lab.capture("m"):
        expect(ask_redis(lab, "SET", "invoice:1", "planted-value"), "OK")
        expect(ask_redis(lab, "GET", "invoice:1"), "planted-value")
        expect(ask_redis(lab, "LPUSH", "invoice:1", "x"), "WRONGTYPE")
        ask_redis(lab, "BLPOP", "queue", "3.5")


@scenario("redis-refused", "Redis asks for a password: none, then a wrong one")
def redis_refused(lab):
    lab.start()
    redis(lab, "--requirepass", "planted-word")
    with lab.capture("m"):
        expect(ask_redis(lab, "GET", "a"), "NOAUTH")
        expect(ask_redis(lab, "AUTH", "alpha"), "WRONGPASS")


@scenario("redis-full", "Redis with one connection permitted, taken")
def redis_full(lab):
    lab.start()
    redis(lab, "--maxclients", "1")
    with lab.capture("m"):
        lab.thread(ask_redis, lab, "BLPOP", "queue", "2")
        time.sleep(0.7)
        expect(ask_redis(lab, "GET", "a"), "max number of clients")
        time.sleep(2)


# --- SSH -----------------------------------------------------------------------------------------------------------
def sshd(lab, *words, port=22):
    home = folder(lab, "sshd")
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home + "/key")
    os.makedirs("/run/sshd", exist_ok=True)
    options = [x for w in words for x in ("-o", w)]
    lab.spawn("s", "/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", "-h", home + "/key", "-o",
              f"ListenAddress={SERVER}:{port}", "-o", "UsePAM=no", "-o", "PidFile=none", *options)
    peers.wait_listen(lab, port)


def ssh(lab, *words, password=None):
    head = ["sshpass", "-p", password] if password else []
    options = [x for w in ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "ConnectTimeout=5", *words)
               for x in ("-o", w)]
    return call(lab, *head, "ssh", "-F", "none", *options, f"nobody@{SERVER}", "true")


@scenario("ssh-no-common", "a client and a server without a key exchange, then without a cipher in common")
def ssh_no_common(lab):
    lab.start()
    sshd(lab, "KexAlgorithms=curve25519-sha256", "Ciphers=aes256-gcm@openssh.com")
    with lab.capture("m"):
        expect(ssh(lab, "KexAlgorithms=diffie-hellman-group14-sha256"), "no matching key exchange")
        expect(ssh(lab, "Ciphers=aes128-ctr"), "no matching cipher")


@scenario("ssh-refused", "five passwords refused, and keys scanned by ssh-keyscan, which is no fault")
def ssh_refused(lab):
    lab.start()
    sshd(lab, "MaxAuthTries=6")
    with lab.capture("m"):
        call(lab, "ssh-keyscan", "-T", "3", SERVER)
        for word in ("alpha", "beta"):
            ssh(lab, "PubkeyAuthentication=no", "NumberOfPasswordPrompts=3", password=word)


@scenario("ssh-healthy", "a login by key and a command")
def ssh_healthy(lab):
    lab.start()
    home = folder(lab, "keys")
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home + "/id")
    os.chmod(lab.work, 0o755)
    os.chmod(home, 0o755)
    sshd(lab, f"AuthorizedKeysFile={home}/id.pub", "StrictModes=no", "PermitRootLogin=yes")
    with lab.capture("m"):
        done = call(lab, "ssh", "-F", "none", "-i", home + "/id", "-o", "StrictHostKeyChecking=no", "-o",
                    "UserKnownHostsFile=/dev/null", f"root@{SERVER}", "echo", "well")
        expect(done, "well")
