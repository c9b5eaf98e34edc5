"""FTP, SSH, databases, caches and brokers: their logs against the store."""
import collections
import os
import re
import signal
import subprocess
import time

from live.case import Found, child_log, lines, live, path
from net import CLIENTS4, SERVER
from scenarios import apps

COMMANDS = """SELECT r.command, r.reply FROM app_commands r WHERE r.reply_ns IS NOT NULL"""


# --- FTP ----------------------------------------------------------------------------------------------------------
def ftp(lab, drive, extra=""):
    """vsftpd logs each command and each reply; 1xx replies are not the last ones."""
    log = path(lab, "transfers")
    apps.vsftpd(lab, extra=f"vsftpd_log_file={log}\nlog_ftp_protocol=YES\nxferlog_enable=YES\n{extra}")
    with lab.capture("m"):
        drive()
    time.sleep(0.3)
    asked, answered = {}, []
    for line in lines(log):
        m = re.search(r'\[pid (\d+)\].* FTP (command|response): Client "[^"]*", "(\S+)', line)
        if not m:
            continue
        pid, kind, word = m.groups()
        word = word.strip('"')
        if kind == "command":
            asked[pid] = word.upper()
        elif word == "230" and pid not in asked:  # by the process that takes over at the login
            answered.append((asked.pop(next(other for other in asked if asked[other] == "PASS")), word))
        elif not word.startswith("1") and asked.get(pid) and re.match(r"\d{3}$", word):
            answered.append((asked.pop(pid), word))
    return Found(answered, COMMANDS, "turns")


@live("vsftpd-usual", "vsftpd, curl")
def vsftpd_usual(lab):
    """passive, extended passive and active transfers, a folder, a file that is not there"""
    lab.start()

    def drive():
        for words in ((), ("--disable-epsv",), ("-P", "-"), ("-P", "-", "--disable-eprt")):
            apps.fetch(lab, *words)
        apps.fetch(lab, path="in/")
        apps.fetch(lab, path="none.csv")
    return ftp(lab, drive)


@live("vsftpd-refused", "vsftpd, curl")
def vsftpd_refused(lab):
    """wrong passwords, then an anonymous login"""
    lab.start()

    def drive():
        for word in ("alpha", "beta"):
            apps.fetch(lab, "-u", f"nobody-here:{word}")
        apps.fetch(lab)
    return ftp(lab, drive)


@live("vsftpd-lftp", "vsftpd, lftp")
def vsftpd_lftp(lab):
    """lftp lists, changes folders and fetches, with its FEAT and OPTS before"""
    lab.start()

    def drive():
        apps.call(lab, "lftp", "-c", f"set net:timeout 5; open ftp://{SERVER}; ls; cd in; ls; cd ..; get invoices.csv "
                  f"-o {path(lab, 'got')}; bye")
    return ftp(lab, drive)


@live("vsftpd-blocked", "vsftpd, curl, nftables")
def vsftpd_blocked(lab):
    """the firewall drops what the server opens: 425"""
    lab.start()
    lab.firewall(f"ip saddr {SERVER} tcp flags & (syn | ack) == syn drop")

    def drive():
        apps.fetch(lab, "-P", "-")
        apps.fetch(lab, "-P", "-", "--disable-eprt", src=CLIENTS4[1])
    return ftp(lab, drive)


# --- SSH ----------------------------------------------------------------------------------------------------------
SESSIONS = """SELECT f.client_port, max(r.result = 'refused' AND r.command = 'KEXINIT') FROM flows f
 JOIN app_commands r ON r.flow_id = f.id WHERE r.protocol = 'ssh' GROUP BY f.id"""


def sshd_log(lab):
    """Connections by port, and whether the key exchange failed."""
    opened = {}
    time.sleep(0.3)
    for line in child_log(lab, "sshd"):
        m = re.search(r"Connection from \S+ port (\d+)", line)
        if m:
            opened[int(m.group(1))] = 0
        m = re.search(r"Unable to negotiate with \S+ port (\d+)", line)
        if m:
            opened[int(m.group(1))] = 1
    return Found(opened.items(), SESSIONS)


def sshd(lab, *words):
    home = apps.folder(lab, "keys")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home + "/id"], check=True)
    os.chmod(lab.work, 0o755)
    os.chmod(home, 0o755)
    apps.sshd(lab, f"AuthorizedKeysFile={home}/id.pub", "StrictModes=no", "PermitRootLogin=yes", "LogLevel=VERBOSE",
              "Subsystem=sftp internal-sftp", *words)
    return home + "/id"


def by_key(lab, program, key, *words):
    return apps.call(lab, program, "-F", "none", "-i", key, "-o", "StrictHostKeyChecking=no", "-o",
                     "UserKnownHostsFile=/dev/null", *words)


@live("sshd-keys", "OpenSSH")
def sshd_keys(lab):
    """four logins by key with a command each"""
    lab.start()
    key = sshd(lab)
    with lab.capture("m"):
        for _ in range(4):
            by_key(lab, "ssh", key, f"root@{SERVER}", "true")
    return sshd_log(lab)


@live("sftp-files", "OpenSSH sftp")
def sftp(lab):
    """files of 1 MB fetched and put by sftp with a key"""
    lab.start()
    key = sshd(lab)
    big = path(lab, "big")
    with open(big, "wb") as f:
        f.write(os.urandom(1000000))
    with lab.capture("m"):
        for i in range(2):
            with open(path(lab, "batch"), "w") as f:
                f.write(f"put {big} {path(lab, f'put{i}')}\nget {big} {path(lab, f'got{i}')}\n")
            by_key(lab, "sftp", key, "-b", path(lab, "batch"), f"root@{SERVER}")
    return sshd_log(lab)


@live("sshd-refused", "OpenSSH, sshpass")
def sshd_refused(lab):
    """passwords that are refused, and a scan of its keys"""
    lab.start()
    sshd(lab)
    with lab.capture("m"):
        apps.call(lab, "ssh-keyscan", "-T", "3", "-t", "ed25519", SERVER)
        for word in ("alpha", "beta", "gamma"):
            apps.ssh(lab, "PubkeyAuthentication=no", "NumberOfPasswordPrompts=1", password=word)
    return sshd_log(lab)


@live("sshd-no-common", "OpenSSH")
def sshd_no_common(lab):
    """no key exchange in common, no cipher in common, then a client that fits"""
    lab.start()
    key = sshd(lab, "KexAlgorithms=curve25519-sha256", "Ciphers=aes256-gcm@openssh.com")
    with lab.capture("m"):
        apps.ssh(lab, "KexAlgorithms=diffie-hellman-group14-sha256")
        apps.ssh(lab, "Ciphers=aes128-ctr")
        by_key(lab, "ssh", key, f"root@{SERVER}", "true")
    return sshd_log(lab)


# --- PostgreSQL ---------------------------------------------------------------------------------------------------
ENTRIES = """SELECT f.client_port, CASE r.command WHEN 'LOGIN' THEN 'LOGIN' ELSE 'QUERY' END, r.reply FROM app_commands r
 JOIN flows f ON f.id = r.flow_id WHERE r.reply_ns IS NOT NULL AND r.command IN ('LOGIN', 'QUERY')"""


def postgres(lab, drive, *words):
    lab.start()
    apps.postgresql(lab, "-c", "log_statement=all", "-c", "log_connections=on", "-c", "log_line_prefix=live %r %e ",
                    *words)
    with lab.capture("m"):
        drive()
    time.sleep(0.3)
    log = []
    for line in child_log(lab, "setpriv"):
        m = re.match(r"live \S*\((\d+)\) (\w{5}) (\w+):  (.*)", line)
        if not m:
            continue
        port, code, level, text = int(m.group(1)), *m.groups()[1:]
        if text.startswith("connection authorized"):
            log.append((port, "LOGIN", "ok"))
        elif text.startswith("statement:"):
            log.append((port, "QUERY", "ok"))
        elif level == "FATAL":
            if (port, "LOGIN", "ok") in log:  # refused behind the password
                log.remove((port, "LOGIN", "ok"))
            log.append((port, "LOGIN", code))
        elif level == "ERROR":
            if (port, "QUERY", "ok") in log:  # what is no statement at all is not logged as one
                log.remove((port, "QUERY", "ok"))
            log.append((port, "QUERY", code))
    return Found(log, ENTRIES, "turns")


@live("postgres-usual", "PostgreSQL, psql")
def postgres_usual(lab):
    """logins by SCRAM, also after SSL was declined, statements with few and many rows"""
    def drive():
        apps.psql(lab, "SELECT generate_series(1, 3000)")
        apps.psql(lab, "SELECT 1", mode="prefer")
        for _ in range(3):
            apps.psql(lab, "CREATE TEMP TABLE t(a INT); INSERT INTO t VALUES (1)")
    return postgres(lab, drive)


@live("postgres-errors", "PostgreSQL, psql")
def postgres_errors(lab):
    """statements that fail: no table, a division by zero, a wrong word"""
    def drive():
        for text in ("SELECT * FROM none", "SELECT 1/0", "SELEC 1", "SELECT 1"):
            apps.psql(lab, text)
    return postgres(lab, drive)


@live("postgres-refused", "PostgreSQL, psql")
def postgres_refused(lab):
    """wrong passwords, an unknown database, then a login that works"""
    def drive():
        for word in ("alpha", "beta"):
            apps.psql(lab, "SELECT 1", password=word)
        apps.psql(lab, "SELECT 1", database="none")
        apps.psql(lab, "SELECT 1")
    return postgres(lab, drive)


@live("postgres-full", "PostgreSQL, psql")
def postgres_full(lab):
    """five connections are allowed, seven come"""
    def drive():
        for _ in range(6):
            lab.thread(apps.psql, lab, "SELECT pg_sleep(2)")
        time.sleep(0.8)
        apps.psql(lab, "SELECT 1")
        time.sleep(2.5)
    return postgres(lab, drive, "-c", "max_connections=5", "-c", "superuser_reserved_connections=0", "-c", "max_wal_senders=0")


@live("postgres-bench", "PostgreSQL, pgbench")
def postgres_bench(lab):
    """pgbench: four clients, simple protocol, some hundred statements"""
    script = path(lab, "script")
    with open(script, "w") as f:
        f.write("SELECT 1;\nSELECT generate_series(1, 20);\n")

    def drive():
        apps.call(lab, "env", "PGPASSWORD=planted-word", "PGSSLMODE=disable", "pgbench", "-n", "-c4", "-t40", "-f", script, "-h", SERVER,
                  "-U", "app", "postgres")
    return postgres(lab, drive)


# --- MariaDB ------------------------------------------------------------------------------------------------------
def mariadb(lab, drive, *words):
    lab.start()
    log = path(lab, "general")
    apps.mariadb(lab, "--general-log=1", f"--general-log-file={log}", "--log-warnings=2", *words)
    open(log, "w").close()
    with lab.capture("m"):
        drive()
    time.sleep(0.5)
    counted = collections.Counter()
    for line in lines(log):
        m = re.search(r"\s(\d+) (Connect|Query)\t(.*)", line)
        if not m:
            continue
        if m.group(2) == "Query":
            counted["QUERY"] += 1
        elif m.group(3).startswith("Access denied"):
            counted["LOGIN refused"] += 1
            counted["LOGIN done"] -= 1
        else:
            counted["LOGIN done"] += 1
    return counted


SQL_ENTRIES = """SELECT CASE r.command WHEN 'LOGIN' THEN 'LOGIN ' || r.result ELSE 'QUERY' END FROM app_commands r
 WHERE r.reply_ns IS NOT NULL AND r.command IN ('LOGIN', 'QUERY') AND r.reply != '1040'"""


def told(counted):
    return Found([(word,) for word, count in counted.items() for _ in range(count)], SQL_ENTRIES, "turns")


@live("mariadb-usual", "MariaDB")
def mariadb_usual(lab):
    """tables, rows, an answer of 9,000 bytes, statements one after the other"""
    def drive():
        apps.sql(lab, "CREATE TABLE t(a INT, b VARCHAR(40)); INSERT INTO t VALUES (1,'x'),(2,'y'); SELECT * FROM t")
        apps.sql(lab, "SELECT REPEAT('z', 9000)")
        apps.sql(lab, "; ".join(["SELECT 1"] * 30))
    return told(mariadb(lab, drive))


@live("mariadb-errors", "MariaDB")
def mariadb_errors(lab):
    """statements that fail among others that do not"""
    def drive():
        for text in ("SELECT * FROM none", "SELECT 1", "INSERT INTO none VALUES (1)", "SELECT 2"):
            apps.sql(lab, text)
    return told(mariadb(lab, drive))


@live("mariadb-refused", "MariaDB")
def mariadb_refused(lab):
    """wrong passwords, then a login that works"""
    def drive():
        for word in ("alpha", "beta"):
            apps.sql(lab, "SELECT 1", password=word)
        apps.sql(lab, "SELECT 1")
    return told(mariadb(lab, drive))


@live("mariadb-pymysql", "MariaDB, PyMySQL")
def mariadb_pymysql(lab):
    """PyMySQL: a transaction with commit and rollback on one connection"""
    program = path(lab, "client.py")
    with open(program, "w") as f:
        f.write(f"import pymysql\nc = pymysql.connect(host='{SERVER}', user='app', password='planted-word', database='inv')\n"
                "k = c.cursor()\nk.execute('CREATE TABLE p(a INT)')\n"
                "for i in range(20):\n    k.execute('INSERT INTO p VALUES (%s)', (i,))\nc.commit()\n"
                "k.execute('DELETE FROM p')\nc.rollback()\nk.execute('SELECT * FROM p')\nc.close()\n")

    def drive():
        apps.call(lab, "/usr/bin/python3", program)
    return told(mariadb(lab, drive))


# --- Redis --------------------------------------------------------------------------------------------------------
REDIS = """SELECT f.client_port, r.command FROM app_commands r JOIN flows f ON f.id = r.flow_id
 WHERE r.reply_ns IS NOT NULL AND r.reply NOT IN ('NOAUTH', 'WRONGPAS')"""


def redis(lab, drive, *words):
    """MONITOR on a socket of its own names each command with its client's port."""
    lab.start()
    sock = path(lab, "redis.sock")
    apps.redis(lab, "--unixsocket", sock, *words)
    log = path(lab, "monitor")
    auth = ["-a", words[words.index("--requirepass") + 1]] if "--requirepass" in words else []
    with open(log, "w") as sink:
        child = subprocess.Popen(["redis-cli", "-s", sock, *auth, "MONITOR"], stdout=sink, stderr=subprocess.DEVNULL)
    time.sleep(0.4)
    with lab.capture("m"):
        drive()
    time.sleep(0.3)
    lab.end(child)
    found = []
    for line in lines(log):
        m = re.match(r'[0-9.]+ \[\d+ [0-9.]+:(\d+)\] "(\w+)"', line)
        if m:
            found.append((int(m.group(1)), m.group(2).upper()))
    return Found(found, REDIS, "turns")


@live("redis-usual", "Redis, redis-cli")
def redis_usual(lab):
    """keys, lists, a wrong type, a blocking pop of 1.5 s"""
    def drive():
        apps.ask_redis(lab, "SET", "invoice:1", "planted-value")
        apps.ask_redis(lab, "GET", "invoice:1")
        apps.ask_redis(lab, "LPUSH", "invoice:1", "x")
        apps.ask_redis(lab, "LPUSH", "queue", "a", "b")
        apps.ask_redis(lab, "LRANGE", "queue", "0", "-1")
        apps.ask_redis(lab, "BLPOP", "nothing", "1.5")
    return redis(lab, drive)


@live("redis-benchmark", "Redis, redis-benchmark")
def redis_benchmark(lab):
    """redis-benchmark: five connections, pipelines of eight, four hundred commands"""
    def drive():
        apps.call(lab, "redis-benchmark", "-h", SERVER, "-c", "5", "-n", "200", "-P", "8", "-t", "set,get", "-q")
    found = redis(lab, drive)
    found.kept, found.times = REDIS + " AND r.command != 'CONFIG'", ""  # MONITOR hides what administers
    return found


@live("redis-refused", "Redis, redis-cli")
def redis_refused(lab):
    """no password, a wrong one, the right one"""
    def drive():
        apps.ask_redis(lab, "GET", "a")
        apps.ask_redis(lab, "AUTH", "alpha")
        apps.ask_redis(lab, "-a", "planted-word", "GET", "a")
    found = redis(lab, drive, "--requirepass", "planted-word")
    found.kept = REDIS.replace(" NOT IN ('NOAUTH', 'WRONGPAS')", " != 'NOAUTH'")
    return found


@live("redis-transaction", "Redis, redis-cli")
def redis_transaction(lab):
    """MULTI, EXEC and DISCARD on one connection"""
    text = path(lab, "commands")
    with open(text, "w") as f:
        f.write("MULTI\nSET a 1\nINCR a\nEXEC\nMULTI\nDISCARD\nGET a\n")

    def drive():
        with open(text) as source:
            subprocess.run(["ip", "netns", "exec", lab.space("c"), "redis-cli", "-h", SERVER], stdin=source,
                           stdout=subprocess.DEVNULL, timeout=20)
    return redis(lab, drive)


# --- RabbitMQ -----------------------------------------------------------------------------------------------------
LOGINS = """SELECT f.client_port, r.result FROM app_commands r JOIN flows f ON f.id = r.flow_id
 WHERE r.protocol = 'amqp' AND r.command = 'LOGIN' AND r.reply_ns IS NOT NULL"""


def rabbit(lab, text):
    """RabbitMQ logs who connects, who is let in and who is not; the client is a program of pika."""
    lab.start()
    home = apps.folder(lab, "rabbit")
    conf = os.path.join(home, "rabbitmq.conf")
    with open(conf, "w") as f:
        f.write(f"listeners.tcp.1 = {SERVER}:5672\nloopback_users = none\nlog.console = true\nlog.file = false\n"
                "log.console.level = info\n")
    lab.spawn("s", "epmd", "-address", "127.0.0.1")
    time.sleep(0.3)
    lab.spawn("s", "env", f"HOME={home}", "RABBITMQ_NODENAME=live@localhost", f"RABBITMQ_MNESIA_BASE={home}",
              f"RABBITMQ_LOG_BASE={home}", f"RABBITMQ_CONFIG_FILE={conf}", f"RABBITMQ_ENABLED_PLUGINS_FILE={home}/plugins",
              f"RABBITMQ_PID_FILE={home}/pid", "ERL_EPMD_ADDRESS=127.0.0.1", "/usr/lib/rabbitmq/bin/rabbitmq-server")
    for _ in range(300):
        if ":5672 " in lab.exec("s", "ss", "-Hltn"):
            break
        time.sleep(0.2)
    else:
        raise RuntimeError("RabbitMQ does not listen")
    time.sleep(1)
    program = path(lab, "client.py")
    with open(program, "w") as f:
        f.write("import pika, time\ndef to(user='guest', word='guest', beat=0):\n    return pika.BlockingConnection("
                f"pika.ConnectionParameters('{SERVER}', credentials=pika.PlainCredentials(user, word), heartbeat=beat))\n" + text)
    with lab.capture("m"):
        apps.call(lab, "/usr/bin/python3", program, timeout=60)
    time.sleep(0.5)
    with open(home + "/pid") as f:
        server = int(f.read())
    os.kill(server, signal.SIGTERM)
    log = []
    for line in child_log(lab, "env"):
        m = re.search(r"connection <(\S+)> \(10[0-9.]+:(\d+) -> .*: user '\w+' authenticated", line)
        if m:
            log.append((int(m.group(2)), "done"))
        m = re.search(r"Error on AMQP connection <(\S+)> \(10[0-9.]+:(\d+) ->", line)
        if m and "authenticated" not in line:
            refused = int(m.group(2))
            if (refused, "done") not in log:
                log.append((refused, "refused"))
    return Found(log, LOGINS, "turns")


@live("rabbitmq-usual", "RabbitMQ, pika")
def rabbit_usual(lab):
    """queues, a hundred messages published, got and acknowledged on three connections, heartbeats"""
    return rabbit(lab, "for turn in range(3):\n    c = to(beat=2)\n    k = c.channel()\n    k.queue_declare('invoices')\n"
                       "    for i in range(100):\n        k.basic_publish('', 'invoices', b'x' * 50)\n"
                       "    for m, _, b in [k.basic_get('invoices', auto_ack=True) for _ in range(100)]:\n        pass\n"
                       "    c.sleep(3 if turn == 0 else 0)\n    c.close()\n")


@live("rabbitmq-refused", "RabbitMQ, pika")
def rabbit_refused(lab):
    """wrong passwords, then a login that works and a queue that does not exist (404)"""
    return rabbit(lab, "for word in ('alpha', 'beta'):\n    try:\n        to(word=word)\n    except Exception as e:\n"
                       "        print(repr(e))\nc = to()\nk = c.channel()\ntry:\n    k.queue_declare('none', passive=True)\n"
                       "except Exception as e:\n    print(repr(e))\nc.close()\n")
