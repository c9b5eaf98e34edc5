#!/usr/bin/env python3
"""Runs compare on the folder INVCAP_CORPUS names; 77 (skipped) where it names none.

usage: run_or_skip.py BINARY
"""
import os
import sys

SKIPPED = 77


def main():
    corpus = os.environ.get("INVCAP_CORPUS", "")
    if not os.path.isdir(corpus):
        print("skipped: INVCAP_CORPUS names no folder with captures")
        return SKIPPED
    compare = os.path.join(os.path.dirname(os.path.abspath(__file__)), "compare")
    os.execv(sys.executable, [sys.executable, compare, sys.argv[1], corpus, "--tcp"])


sys.exit(main())
