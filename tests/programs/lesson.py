# SPDX-License-Identifier: Apache-2.0
"""
What the programs of the lesson on memory share: the files that they read, how they are told what to
do, and what they know of their own memory.

A program has cases, functions that are called with hold(). A case calls it with all that it keeps
at that moment; "line" is what the line marked "# holds: CASE" alone has made of it, if that is
less. A number stands for so many bytes. serve() runs cases as standard input names them, and waits
in hold() so that somebody may look, before it adds up what is held.
"""
import csv
import gc
import json
import os
import sys
import tempfile
import types

TEXT_LINES = 150_000
ORDERS = 100_000
CITIES = 50

# Objects of up to so many bytes lie in the interpreter's arenas, in places of multiples of 16.
SMALL_BYTES_MAX = 512
SMALL_STEP = 16

# Whose __sizeof__ tells of their parts as well.
_OF_PANDAS = ("DataFrame", "Series", "Categorical")
_SHARED = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.CodeType)


def write_text():
    with open("access.log", "w", encoding="ascii") as file:
        for number in range(TEXT_LINES):
            file.write(f"{number:09} GET /orders/{number % 977}/items HTTP/1.1 200\n")


def write_orders():
    with open("orders.csv", "w", encoding="ascii", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["customer", "price", "count", "city", "note"])
        for number in range(ORDERS):
            writer.writerow([number % 5_003, (number * 37 % 9_973) / 16, number % 19 + 1,
                             f"district {number % CITIES}", f"left at the door, number {number}"])


def _is_array(thing):
    return type(thing).__name__ == "ndarray" and type(thing).__module__ == "numpy"


def _parts(thing):
    """What else it keeps: frames and columns their arrays, all others what the collector sees."""
    name = type(thing).__name__
    if name == "Categorical":
        return [thing.codes, thing.categories.to_numpy()]
    if name in _OF_PANDAS:
        return list(thing._mgr.arrays)
    if _is_array(thing):
        if thing.base is not None:
            return [thing.base]
        return list(thing.flat) if thing.dtype.hasobject else []
    return gc.get_referents(thing)


def _own_bytes(thing):
    if _is_array(thing):
        return thing.nbytes if thing.flags.owndata else 0
    if type(thing).__name__ in _OF_PANDAS:
        return 0
    size = sys.getsizeof(thing)
    return -(-size // SMALL_STEP) * SMALL_STEP if size <= SMALL_BYTES_MAX else size


def held_bytes(*things):
    """
    Of them and all that they lead to, each once: arrays by nbytes, others by getsizeof(). All, and
    those in small objects.
    """
    total, small = sum(thing for thing in things if isinstance(thing, int)), 0
    seen = set()
    left = [thing for thing in things if not isinstance(thing, int)]
    while left:
        thing = left.pop()
        if id(thing) in seen or isinstance(thing, _SHARED):
            continue
        seen.add(id(thing))
        size = _own_bytes(thing)
        total += size
        small += size if size <= SMALL_BYTES_MAX and not _is_array(thing) else 0
        left.extend(_parts(thing))
    return total, small


def truth(things, line=None):
    total, small = held_bytes(*things)
    answer = {"bytes": total, "small_bytes": small,
              "line_bytes": total if line is None else held_bytes(line)[0]}
    frames = [thing for thing in things if type(thing).__name__ == "DataFrame"]
    if frames:
        answer["memory_usage_bytes"] = int(sum(frame.memory_usage(deep=True).sum()
                                               for frame in frames))
    return answer


def _say(answer):
    print(json.dumps(answer), flush=True)


def serve(cases, prepare=None):
    """
    prepare: writes the files that they need. Obeys "prepare", the names of cases, "measure" and "go
    on" within them, and "exit".
    """
    def hold(*things, line=None):
        _say({"holds": True})
        while sys.stdin.readline().strip() == "measure":
            _say(truth(things, line))

    with tempfile.TemporaryDirectory(prefix="memwatch-lesson-") as directory:
        os.chdir(directory)
        _say({"pid": os.getpid()})
        while (command := sys.stdin.readline().strip()) not in ("", "exit"):
            if command == "prepare":
                if prepare:
                    prepare()
            else:
                cases[command](hold)
            _say({"done": command})
