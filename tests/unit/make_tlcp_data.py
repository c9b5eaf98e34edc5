#!/usr/bin/env python3
"""Makes tests/unit/data_tlcp.h: key exchanges of TLCP, signed by the openssl program as the standard says, and otherwise.

    tests/unit/make_tlcp_data.py > tests/unit/data_tlcp.h
"""
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))
import tlcp  # noqa: E402

RANDOMS = bytes(range(64))
CASES = [("valid", tlcp.ECC_SM4_CBC_SM3, "right"), ("other_certificate", tlcp.ECC_SM4_CBC_SM3, "certificate"),
         ("other_key", tlcp.ECC_SM4_CBC_SM3, "key"), ("bare", tlcp.ECC_SM4_CBC_SM3, "bare"),
         ("named", tlcp.ECC_SM4_CBC_SM3, "named"), ("wrong", tlcp.ECC_SM4_CBC_SM3, "wrong"),
         ("ephemeral", tlcp.ECDHE_SM4_CBC_SM3, "right"), ("ephemeral_key", tlcp.ECDHE_SM4_CBC_SM3, "key"),
         ("ephemeral_wrong", tlcp.ECDHE_SM4_CBC_SM3, "wrong")]


def array(name, data):
    lines = [", ".join(f"0x{b:02x}" for b in data[at:at + 16]) for at in range(0, len(data), 16)]
    return f"static const uint8_t {name}[{len(data)}] = {{\n    " + ",\n    ".join(lines) + "};\n"


def main():
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "ca.cnf"), "w", encoding="ascii") as f:
            f.write("[req]\ndistinguished_name=d\n[d]\n")
        tlcp.make_certificates(folder, "einvoice.example.cn")
        print("/* Made by tests/unit/make_tlcp_data.py. */\n#ifndef INVCAP_TESTS_DATA_TLCP_H\n#define "
              "INVCAP_TESTS_DATA_TLCP_H\n\n#include <stdint.h>\n")
        for part in ("sign", "enc"):
            print(array("tlcp_" + part, tlcp.der_of(folder, "gm" + part)))
        for name, suite, signed in CASES:
            print(array("exchange_" + name, tlcp.key_exchange(folder, RANDOMS, suite, signed)))
        print("#endif")


main()
