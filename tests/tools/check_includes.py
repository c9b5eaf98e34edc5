"""The include rules of docs/architecture.md: who may include whom, and which library lives where."""
import os
import re
import sys

ALLOWED = {
    "core": set(),
    "capture": {"core"},
    "dissectors": {"core"},
    "store": {"core"},
    "trust": {"core"},
    "diagnosis": {"core", "trust"},
    "sessions": {"core", "dissectors"},
    "pairing": {"core", "dissectors"},
    "reports": {"core", "store", "capture"},
    "service": {"core", "store", "reports"},
    "cli": {"core", "capture", "dissectors", "sessions", "trust", "diagnosis", "store", "reports",
            "pairing", "service"},
}
# header prefix -> paths (regular expressions) that may include it; never a header of ours
WALLS = {
    "pcap": [r"capture/.*\.c"],
    "archive": [r"capture/.*\.c"],
    "openssl/": [r"dissectors/(x509|.*decrypt|quic).*\.c", r"trust/.*\.c", r"core/digest\.c"],
    "ndpi": [r"sessions/ndpi\.c"],
    "sqlite3": [r"store/.*\.c"],
    "cyaml": [r"cli/profile.*\.c"],
    "yaml": [r"cli/profile.*\.c"],
    "zlib": [r"capture/.*\.c", r"dissectors/inflate\.c"],
    "zstd": [r"capture/.*\.c", r"dissectors/inflate\.c"],
    "brotli/": [r"dissectors/inflate\.c"],
    "nghttp2/": [r"dissectors/hpack\.c"],
    "microhttpd": [r"service/.*\.c"],
    "curl/": [r"service/.*\.c"],
    "cap-ng": [r"capture/privdrop\.c"],
    "seccomp": [r"capture/privdrop\.c"],
    "idn2": [r"trust/.*\.c"],
}
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')


def wall_of(header):
    for prefix, places in WALLS.items():
        if header.startswith(prefix):
            return places
    return None


def check_file(root, path, problems):
    folder = path.split("/")[0]
    with open(os.path.join(root, path), encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            found = INCLUDE.match(line)
            if not found:
                continue
            kind, header = found.groups()
            target = header.split("/")[0]
            if kind == '"' and target != folder and target in ALLOWED \
                    and target not in ALLOWED[folder]:
                problems.append(f"{path}:{number}: {folder}/ may not include {header}")
            places = wall_of(header) if kind == "<" else None
            if places is not None and not any(re.fullmatch(p, path) for p in places):
                problems.append(f"{path}:{number}: {header} belongs behind {' or '.join(places)}")


def main():
    root = sys.argv[1]
    problems, count = [], 0
    for folder in ALLOWED:
        for base, _, names in os.walk(os.path.join(root, folder)):
            for name in sorted(names):
                if name.endswith((".c", ".h", ".def")):
                    count += 1
                    check_file(root, os.path.relpath(os.path.join(base, name), root), problems)
    print("\n".join(problems) or f"{count} files keep the rules")
    return 1 if problems or count == 0 else 0


sys.exit(main())
