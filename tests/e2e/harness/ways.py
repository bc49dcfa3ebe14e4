# SPDX-License-Identifier: Apache-2.0
"""Stacks as memwatch has them beside those that a program has noted of itself."""
from harness import process


class Ways:
    """What a program did, each in a way of its own that allocates one block; and memwatch's sites of it."""

    def __init__(self, daemon, program, pid=None):
        """pid: outside, where the program runs in a PID namespace of its own."""
        self.pid = pid or program.pid
        daemon.ctl("watch", "--force", "--exact", "--pid", self.pid)
        self.answer = program.tell("go")
        self.maps = list(process.executable_mappings(self.pid))
        self.executable = program.executable
        self.is_static = "static" in program.executable
        names = {way["bytes"]: way["name"] for way in self.answer["ways"]}
        # Where it can't be told from another way, a way has no site of its own.
        self.sites = {names[site["outstanding_bytes"]]: site for site in daemon.sites(self.pid)
                      if site["outstanding_bytes"] in names and site["outstanding_objects"] == 1}

    def truth(self, addresses):
        """Return addresses as (path, file offset)."""
        return [self.place(address) for address in addresses]

    def place(self, address):
        for start, end, offset, path in self.maps:
            if start <= address - 1 < end:
                return path, address - start + offset
        return None, address


def physical(site):
    """Frames that are on the stack: of inlined functions there are only names."""
    return [frame for frame in site["stack"] if not frame.get("inlined")]


def places(site):
    return [(frame["module"], frame["offset"]) for frame in physical(site)]
