#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Leaks NumPy arrays. With an argument: one every so many seconds, for ever. Without: obeys
"run COUNT", "report" and "exit" from standard input, and prints what is held after each."""
import json
import os
import sys
import time

import numpy as np

ARRAY_BYTES = 1 << 20
kept = []


def load():
    return np.ones(ARRAY_BYTES // 8)


def remember():
    kept.append(load())


def report():
    print(json.dumps({"pid": os.getpid(), "outstanding_bytes": sum(array.nbytes for array in kept),
                      "outstanding_objects": len(kept), "array_bytes": ARRAY_BYTES}), flush=True)


def leak_for_ever(seconds):
    while True:
        remember()
        time.sleep(seconds)


def serve():
    report()
    for line in sys.stdin:
        command, *arguments = line.split()
        if command == "exit":
            break
        if command == "run":
            for _ in range(int(arguments[0])):
                remember()
        report()


if len(sys.argv) > 1:
    report()
    leak_for_ever(float(sys.argv[1]))
serve()
