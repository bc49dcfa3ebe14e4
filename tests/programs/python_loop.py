#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A Python loop that allocates and frees, some Python calls deep, for the bench. Upon each line "DEPTH
COUNT" prints the nanoseconds of one turn: the 10th percentile of a hundred slices."""
import sys
import time

SLICES = 100
BLOCK_BYTES = 600  # more than Python's own allocator takes


def turns(count):
    make = bytearray
    begin = time.perf_counter_ns()
    for _ in range(count):
        make(BLOCK_BYTES)
    return (time.perf_counter_ns() - begin) / count


def slices(count):
    return sorted(turns(count // SLICES) for _ in range(SLICES))[SLICES // 10]


def call(depth, count):
    return call(depth - 1, count) if depth else slices(count)


def main():
    print("ready", flush=True)
    for line in sys.stdin:
        depth, count = map(int, line.split())
        print(call(depth, count), flush=True)


main()
