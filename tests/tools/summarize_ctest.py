"""Turns ctest's log into the closing line; a skip that is not permitted counts as a failure."""
import re
import sys


def main():
    log, permitted_path = sys.argv[1:3]
    with open(permitted_path, encoding="utf-8") as lines:
        permitted = {line.split("#")[0].strip() for line in lines} - {""}
    passed, failed, skipped = [], [], []
    pattern = re.compile(r"Test\s+#\d+:\s+(\S+)\s+\.*\s*(\**\s*[A-Z]\w+)")
    with open(log, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            found = pattern.search(line)
            if not found:
                continue
            name, word = found.group(1), found.group(2).strip("* ")
            if word == "Passed":
                passed.append(name)
            elif word == "Skipped" and name in permitted:
                skipped.append(name)
            else:
                failed.append(name)
    for name in skipped:
        print(f"skipped: {name}")
    for name in failed:
        print(f"failed: {name}")
    if not passed and not failed:
        failed.append("no test ran")
    tail = f", {len(skipped)} skipped" if skipped else ""
    print(f"{len(passed)} passed, {len(failed)} failed{tail}")
    return 1 if failed else 0


sys.exit(main())
