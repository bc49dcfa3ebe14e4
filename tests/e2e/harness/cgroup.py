# SPDX-License-Identifier: Apache-2.0
"""A small memory cgroup, under either version of the interface."""
import itertools
import os
import pathlib

from harness.wait import eventually

V1 = pathlib.Path("/sys/fs/cgroup/memory")
V2 = pathlib.Path("/sys/fs/cgroup")
_numbers = itertools.count()


class MemoryCgroup:
    def __init__(self, limit_bytes):
        is_v1 = (V1 / "memory.limit_in_bytes").exists()
        self.name = f"memwatch-test-{os.getpid()}-{next(_numbers)}"
        self._path = (V1 if is_v1 else V2) / self.name
        if not is_v1:
            (V2 / "cgroup.subtree_control").write_text("+memory")
        self._path.mkdir()
        limit = "memory.limit_in_bytes" if is_v1 else "memory.max"
        (self._path / limit).write_text(str(limit_bytes))

    def add(self, pid):
        (self._path / "cgroup.procs").write_text(str(pid))

    def close(self):
        """Processes that have just been killed leave it in their own time."""
        eventually(self._is_removed, "the cgroup is empty")

    def _is_removed(self):
        try:
            self._path.rmdir()
        except OSError:
            return False
        return True
