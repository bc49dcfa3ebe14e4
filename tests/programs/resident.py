# SPDX-License-Identifier: Apache-2.0
"""
Makes memory resident by known lines, and says how much each did: what the kernel has counted page by
page before and after. Obeys "grow", "drop" and "exit" from standard input; prints {"lines":
[{"function", "bytes"}]} after each, which are sums since its start.
"""
import collections
import json
import sys
import threading

import numpy as np

MIB = 1 << 20
held = {}
lines = collections.Counter()


def resident_bytes():
    with open("/proc/self/smaps_rollup", encoding="ascii") as rollup:
        return next(int(line.split()[1]) << 10 for line in rollup if line.startswith("Rss:"))


def book(function):
    """Runs it by itself, and books what it changed."""
    before = resident_bytes()
    function()
    lines[function.__name__] += resident_bytes() - before


def fills_whole_array():
    held["whole"] = np.ones(120 * MIB // 8)


def fills_small_arrays():
    held["small"] = [np.zeros(16384) + 1 for _ in range(480)]


def makes_bytes():
    held["bytes"] = [b"x" * 4000 + bytes([number & 255]) for number in range(20000)]


def makes_objects():
    held["objects"] = [float(number) for number in range(1500000)]


def extends_in_thread():
    thread = threading.Thread(target=in_thread)
    thread.start()
    thread.join()


def in_thread():
    held["thread"] = bytearray(40 * MIB)
    held["thread"][::4096] = b"x" * len(held["thread"][::4096])


def drops_whole_array():
    del held["whole"]


def drops_small_arrays():
    held["small"].clear()


COMMANDS = {"grow": (fills_whole_array, fills_small_arrays, makes_bytes, makes_objects,
                     extends_in_thread),
            "drop": (drops_whole_array, drops_small_arrays)}


def report():
    print(json.dumps({"lines": [{"function": name, "bytes": size}
                                for name, size in lines.items()]}), flush=True)


def serve():
    report()
    for line in sys.stdin:
        if line.strip() == "exit":
            break
        for function in COMMANDS[line.strip()]:
            book(function)
        report()


serve()
