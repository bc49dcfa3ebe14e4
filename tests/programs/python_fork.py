#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A fork's child, as workers are, which has touched little of its interpreter yet: keeps a block of
2 MiB upon each line from standard input. The pid is the child's."""
import sys

from posix import fork, getpid, waitpid

kept = []


def keep():
    kept.append(bytearray(2 << 20))


def work():
    print('{"pid": %d}' % getpid(), flush=True)
    while sys.stdin.readline().strip() == "keep":
        keep()
        print('{"kept": %d}' % len(kept), flush=True)


child = fork()
if child:
    waitpid(child, 0)
else:
    work()
