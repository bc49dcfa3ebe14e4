#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A file's lines: all of them in a list, or one at a time."""
import lesson


def whole_file(hold):
    with open("access.log", encoding="ascii") as file:
        lines = file.readlines()  # holds: whole_file
    hold(lines)
    return sum(len(line) for line in lines)


def line_by_line(hold):
    total = 0
    with open("access.log", encoding="ascii") as file:
        for line in file:  # holds: line_by_line
            total += len(line)
        hold(line)
    return total


CASES = {"whole_file": whole_file, "line_by_line": line_by_line}
PREPARE = lesson.write_text

if __name__ == "__main__":
    lesson.serve(CASES, PREPARE)
