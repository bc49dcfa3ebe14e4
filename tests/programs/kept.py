# SPDX-License-Identifier: Apache-2.0
"""Keeps what it makes, with built-in modules alone: for interpreters that have few others."""
import sys

try:
    from posix import getpid, listdir
except ImportError:
    from os import getpid, listdir


class Shelf:
    def __init__(self):
        self.items = []

    def fill(self, count):
        for number in range(count):
            self.items.append(bytearray(2000 + number % 100))
            self.items.append([str(number)] * 200)
            self.items.append(sorted(listdir("/"), key=lambda name: name[::-1]))


def answer(shelf):
    print(f'{{"pid": {getpid()}, "items": {len(shelf.items)}}}', flush=True)


def main():
    shelf = Shelf()
    answer(shelf)
    for line in sys.stdin:
        if line.strip() == "exit":
            break
        shelf.fill(int(line))
        answer(shelf)


main()
