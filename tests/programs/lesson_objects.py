#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Objects that stay: deleted and collected, in cycles, in caches, in lists of listeners."""
import functools
import gc
import sys

import lesson

RECORDS = 60_000
NODES = 24
NODE_BYTES = 1 << 20
ANSWERS = 6_000
ANSWERS_KEPT = 128
WIDGETS = 400
WIDGET_BYTES = 1 << 16


def deleted(hold):
    records = [{"id": number, "name": str(number)} for number in range(RECORDS)]  # holds: deleted
    hold(records)
    del records
    gc.collect()
    hold()


class Node:
    def __init__(self, has_cycle):
        self.payload = bytearray(NODE_BYTES)  # holds: cycles, no_cycles
        self.me = self if has_cycle else None


def cycles(hold):
    gc.disable()
    for _ in range(NODES):
        Node(True)
    hold(NODES * sys.getsizeof(bytearray(NODE_BYTES)))
    gc.enable()
    gc.collect()
    hold()


def no_cycles(hold):
    gc.disable()
    for _ in range(NODES):
        Node(False)
    hold()
    gc.enable()


CACHE = {}


def answer(key):
    if key not in CACHE:
        CACHE[key] = str(key) * 1000  # holds: unbounded_cache
    return CACHE[key]


@functools.lru_cache(maxsize=ANSWERS_KEPT)
def bounded_answer(key):
    return str(key) * 1000  # holds: bounded_cache


def unbounded_cache(hold):
    for key in range(ANSWERS):
        answer(key)
    hold(CACHE)


def bounded_cache(hold):
    kept = [bounded_answer(key) for key in range(ANSWERS)][-ANSWERS_KEPT:]
    hold(kept)


class Bus:
    def __init__(self):
        self.listeners = []


class Widget:
    def __init__(self, bus):
        self.bus = bus
        self.pixels = bytearray(WIDGET_BYTES)  # holds: listeners, removed_listeners
        bus.listeners.append(self.redraw)

    def redraw(self):
        return len(self.pixels)

    def close(self):
        self.bus.listeners.remove(self.redraw)


BUS = Bus()


def listeners(hold):
    for _ in range(WIDGETS):
        Widget(BUS)
    hold(BUS.listeners)


def removed_listeners(hold):
    bus = Bus()
    for _ in range(WIDGETS):
        Widget(bus).close()
    hold(bus.listeners)


CASES = {function.__name__: function
         for function in (deleted, cycles, no_cycles, unbounded_cache, bounded_cache, listeners,
                          removed_listeners)}
PREPARE = None

if __name__ == "__main__":
    lesson.serve(CASES, PREPARE)
