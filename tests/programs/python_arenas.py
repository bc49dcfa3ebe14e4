#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes small objects, and says how many arenas the interpreter has for them. Needs few modules."""
import sys

from posix import close, dup, dup2, fstat, getpid, lseek, open as posix_open, read, unlink, \
    O_CREAT, O_RDWR

try:
    import mmap
except ImportError:
    mmap = None

MAPPING_BYTES = {False: 1 << 20, True: 256 << 10}[sys.version_info < (3, 10)]
kept = []


def statistics(path):
    """What sys._debugmallocstats() says to the C library's standard error."""
    file, before = posix_open(path, O_CREAT | O_RDWR, 0o600), dup(2)
    dup2(file, 2)
    sys._debugmallocstats()
    dup2(before, 2)
    lseek(file, 0, 0)
    text = read(file, fstat(file).st_size).decode()
    close(before)
    close(file)
    unlink(path)
    return text


def arenas(path):
    line = next(line for line in statistics(path).splitlines()
                if line.startswith("# arenas allocated current"))
    return int(line.rpartition("=")[2].replace(",", ""))


def grow():
    for number in range(100_000):
        kept.append(str(number) + "x" * 60)  # makes the arenas grow


def map_memory():
    """As large and as private as an arena, but the program's own."""
    if mmap:
        for _ in range(3):
            kept.append(mmap.mmap(-1, MAPPING_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))


def main(path):
    commands = {"grow": grow, "map": map_memory, "count": lambda: None}
    print('{"pid": %d}' % getpid(), flush=True)
    for line in sys.stdin:
        if line.strip() == "exit":
            break
        commands[line.strip()]()
        print('{"arenas": %d, "can_map": %s}' % (arenas(path), "true" if mmap else "false"),
              flush=True)


main(sys.argv[1])
