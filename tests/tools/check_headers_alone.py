"""Every header compiles on its own."""
import os
import subprocess
import sys

FOLDERS = ["core", "capture", "dissectors", "sessions", "trust", "diagnosis", "store", "reports",
           "service", "cli"]


def main():
    root, compiler = sys.argv[1:3]
    headers = []
    for folder in FOLDERS:
        for base, _, names in os.walk(os.path.join(root, folder)):
            headers += [os.path.relpath(os.path.join(base, n), root) for n in names
                        if n.endswith(".h")]
    failed = 0
    for header in sorted(headers):
        source = f'#include "{header}"\n#include "{header}"\nint main(void) {{ return 0; }}\n'
        run = subprocess.run([compiler, "-std=c17", "-D_GNU_SOURCE", "-Wall", "-Wextra",
                              "-Wpedantic", "-Werror", "-fsyntax-only", "-I", root, "-x", "c", "-"],
                             input=source, text=True, capture_output=True)
        if run.returncode != 0:
            failed += 1
            print(f"{header}:\n{run.stderr}")
    print(f"{len(headers)} headers, {failed} do not stand alone")
    return 1 if failed or not headers else 0


sys.exit(main())
