#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Allocates from greenlets, which share the thread's stack: at each switch the stack is copied away
and another one's is copied in. malloc and free are called by name, so that the truth is known to
the byte. Obeys "run ROUNDS", "report" and "exit"; prints what is held after each."""
import ctypes
import json
import os
import sys

import greenlet

GREENLETS = 40
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
held = []
ledger = {"outstanding_bytes": 0, "outstanding_objects": 0, "allocated_bytes": 0,
          "allocated_objects": 0}


def allocate(size):
    held.append((libc.malloc(size), size))
    for kind in ("outstanding", "allocated"):
        ledger[f"{kind}_bytes"] += size
        ledger[f"{kind}_objects"] += 1


def free_oldest():
    address, size = held.pop(0)
    libc.free(address)
    ledger["outstanding_bytes"] -= size
    ledger["outstanding_objects"] -= 1


def descend(depth, number):
    main.switch()
    if depth:
        descend(depth - 1, number)
    allocate(200 + number)
    main.switch()


def work(number):
    while True:
        descend(number % 9, number)
        if len(held) > 100:
            free_oldest()


def report():
    print(json.dumps({"pid": os.getpid(), **ledger}), flush=True)


main = greenlet.getcurrent()
workers = [greenlet.greenlet(work) for _ in range(GREENLETS)]
# What ctypes makes at a function's first call.
libc.free(libc.malloc(1))
report()
for line in sys.stdin:
    command, *arguments = line.split()
    if command == "exit":
        break
    if command == "run":
        for _ in range(int(arguments[0])):
            for index, worker in enumerate(workers):
                worker.switch(index) if not worker else worker.switch()
    report()
