# SPDX-License-Identifier: Apache-2.0
"""Checks which room includes which: a room depends only on rooms to its left.

    record.h < probe, unwind, symbol < python < target < account < view < serve < main

Rooms with a comma between them are peers, and do not know each other. log.h, clock.h and procfs.h
are for all. config.h is for main alone: rooms are given values. The BPF side knows only itself; the
CLI knows only itself, for it speaks to the daemon in JSON; but one of its files plans probes without a
daemon, with the caller's own rights, and may see how; and one sums up snapshots as the daemon does.

usage: room_order.py [ROOT]; prints each include that breaks the order, and exits 1 if there is any.
"""
import pathlib
import re
import sys

RANKS = [["bpf"], ["probe", "unwind", "symbol"], ["python"], ["target"], ["account"], ["view"],
         ["serve"], ["main"]]
RANK = {room: rank for rank, rooms in enumerate(RANKS) for room in rooms}
FOR_ALL = {f"daemon/{name}" for name in ("log.h", "log.c", "clock.h", "procfs.h", "procfs.c")}
# The BPF objects, and the room that owns them.
GENERATED = {"memwatch.skel.h": "probe", "trial.skel.h": "probe"}
# What else a file may include, and nobody else in its place.
EXCEPTIONS = {("cli/allocators.c", "daemon/probe/plan.h"),
              ("cli/groups.h", "daemon/view/line_groups.h"),
              ("daemon/unwind/table.c", "daemon/symbol/elf_file.h")}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.MULTILINE)


def room_of(path):
    """The room of a source file, given relative to the root; None if any room may use it."""
    if path.as_posix() in FOR_ALL:
        return None
    if path.parts[0] != "daemon":
        return path.parts[0]
    return path.parts[1] if len(path.parts) > 2 else "main"


def resolve(root, source, name):
    """The file that an include names, relative to the root, or None: not one of ours."""
    for directory in (source.parent, pathlib.Path("bpf"), pathlib.Path("daemon")):
        candidate = root / directory / name
        if candidate.is_file():
            return candidate.resolve().relative_to(root.resolve())
    return None


def is_allowed(source, source_room, target, target_room):
    if source_room == target_room or (source.as_posix(), target.as_posix()) in EXCEPTIONS:
        return True
    if "bpf" in (source_room, target_room) or "cli" in (source_room, target_room):
        return source_room in RANK and target.as_posix() == "bpf/record.h"
    return RANK[target_room] < RANK[source_room]


def violations_of(root, source):
    source_room = room_of(source)
    for name in INCLUDE.findall((root / source).read_text(encoding="utf-8")):
        if name in GENERATED:
            if source_room != GENERATED[name]:
                yield f"{source}: includes {name}, which only {GENERATED[name]}/ may"
            continue
        target = resolve(root, source, name)
        if target is None:
            yield f'{source}: includes "{name}", which is no file of ours'
            continue
        target_room = room_of(target)
        if target_room is None:
            continue
        if source_room is None or not is_allowed(source, source_room, target, target_room):
            yield f"{source}: {source_room or 'what is for all'} must not depend on {target}"


def violations(root):
    """Every include that breaks the order, and every folder that is no room, as text."""
    root = pathlib.Path(root)
    found = []
    for top in ("bpf", "daemon", "cli"):
        for path in sorted((root / top).rglob("*.[ch]")):
            source = path.relative_to(root)
            room = room_of(source)
            if top == "daemon" and room is not None and room not in RANK:
                found.append(f"{source}: {room}/ is no room; add it to the order")
                continue
            found.extend(violations_of(root, source))
    return found


def main(arguments):
    found = violations(arguments[0] if arguments else ".")
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
