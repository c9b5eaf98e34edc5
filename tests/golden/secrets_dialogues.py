"""Conversations of protocols other than HTTP with planted words, for secrets.py and the seeds of fuzzing."""
import base64
import struct

# Of the other protocols: (port, turns); a side says a text or bytes, {name} is a secret of its own.
WORDS = {name: f"PLANTED{name}{31 + i}xYz" for i, name in enumerate((
    "ftpuser", "ftppass", "ftpfile", "ftperror", "ftpsite", "sshuser", "mysqluser", "mysqlpass", "mysqltext", "mysqlname",
    "mysqlerror", "pguser", "pgpass", "pgtext", "pgerror", "redispass", "rediskey", "redisvalue", "rediserror", "amqpuser",
    "amqppass", "amqphost", "amqperror", "smtpuser", "smtppass", "popuser", "poppass", "imapuser", "imappass"))}


def b64(text):
    return base64.b64encode(text.encode()).decode()


def mysql(number, payload):
    return struct.pack("<I", len(payload))[:3] + bytes([number]) + payload


def postgres(kind, payload):
    return kind + struct.pack("!I", len(payload) + 4) + payload


def amqp(class_id, method, payload):
    body = struct.pack("!HH", class_id, method) + payload
    return struct.pack("!BHI", 1, 0, len(body)) + body + b"\xce"


def short(text):
    return bytes([len(text)]) + text.encode()


def resp(*words):
    return f"*{len(words)}\r\n" + "".join(f"${len(w)}\r\n{w}\r\n" for w in words)


def dialogues():
    w, raw = WORDS, {k: v.encode() for k, v in WORDS.items()}
    sasl = b"\0" + raw["amqpuser"] + b"\0" + raw["amqppass"]
    greeting = b"\x0a8.0.36\0\1\0\0\0aaaaaaaa\0\xff\xf7\xff\2\0\xff\xc1\x15" + b"\0" * 10 + b"bbbbbbbbbbbb\0"
    startup = b"\0\3\0\0user\0" + raw["pguser"] + b"\0\0"
    return [
        (21, [(1, "220 ready\r\n"), (0, f"USER {w['ftpuser']}\r\n"), (1, f"331 {w['ftpuser']}?\r\n"),
              (0, f"PASS {w['ftppass']}\r\n"), (1, "230 in\r\n"), (0, f"SITE {w['ftpsite']}\r\n"), (1, "200 ok\r\n"),
              (0, f"RETR {w['ftpfile']}.xml\r\n"), (1, f"550 {w['ftperror']}: none\r\n")]),
        (22, [(1, "SSH-2.0-srv\r\n"), (0, "SSH-2.0-cli\r\n")]),
        (3306, [(1, mysql(0, greeting)),
                (0, mysql(1, b"\x05\xa6\xff\1\0\0\0\1\x2d" + b"\0" * 23 + raw["mysqluser"] + b"\0" + b"\x14" + b"h" * 20)),
                (1, mysql(2, b"\xfemysql_clear_password\0")), (0, mysql(3, raw["mysqlpass"] + b"\0")),
                (1, mysql(4, b"\0\0\0\2\0\0\0")),
                (0, mysql(0, b"\3SELECT '" + raw["mysqltext"] + b"' FROM " + raw["mysqlname"])),
                (1, mysql(1, b"\xff\x7a\x04#42S02" + raw["mysqlerror"]))]),
        (5432, [(0, struct.pack("!I", len(startup) + 4) + startup), (1, postgres(b"R", b"\0\0\0\3")),
                (0, postgres(b"p", raw["pgpass"] + b"\0")),
                (1, postgres(b"R", b"\0\0\0\0") + postgres(b"Z", b"I")),
                (0, postgres(b"Q", b"SELECT '" + raw["pgtext"] + b"'\0")),
                (1, postgres(b"E", b"SERROR\0C42P01\0M" + raw["pgerror"] + b"\0\0") + postgres(b"Z", b"I"))]),
        (6379, [(0, resp("AUTH", "default", w["redispass"])), (1, f"-WRONGPASS {w['rediserror']}\r\n"),
                (0, resp("SET", w["rediskey"], w["redisvalue"])), (1, "+OK\r\n"),
                (0, resp("GET", w["rediskey"])), (1, f"${len(w['redisvalue'])}\r\n{w['redisvalue']}\r\n")]),
        (5672, [(0, b"AMQP\0\0\x09\1"), (1, amqp(10, 10, b"\0\x09\0\0\0\0\0\0\0\x05PLAIN\0\0\0\5en_US")),
                (0, amqp(10, 11, b"\0\0\0\0" + short("PLAIN") + struct.pack("!I", len(sasl)) + sasl + short("en_US"))),
                (1, amqp(10, 30, b"\0\0\0\2\0\0\0\0")), (0, amqp(10, 40, short(w["amqphost"]) + b"\0\0")),
                (1, amqp(10, 50, struct.pack("!H", 530) + short(w["amqperror"]) + b"\0\0\0\0"))]),
        (25, [(1, "220 mx ESMTP\r\n"), (0, "EHLO a\r\n"), (1, "250-mx\r\n250 AUTH LOGIN PLAIN\r\n"),
              (0, f"AUTH PLAIN {b64(chr(0) + w['smtpuser'] + chr(0) + w['smtppass'])}\r\n"), (1, "235 in\r\n")]),
        (110, [(1, "+OK pop\r\n"), (0, f"USER {w['popuser']}\r\n"), (1, "+OK\r\n"), (0, f"PASS {w['poppass']}\r\n"),
               (1, "-ERR no\r\n")]),
        (143, [(1, "* OK imap\r\n"), (0, f"a LOGIN {w['imapuser']} {w['imappass']}\r\n"), (1, "a OK in\r\n")]),
    ]
