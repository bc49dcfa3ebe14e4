# SPDX-License-Identifier: Apache-2.0
"""A process in mount and PID namespaces of its own, whose root directory is another system's."""
import json
import pathlib
import sys

from harness.program import Program
from harness.wait import eventually

# Where links of a merged /usr lead, which no package of those that are unpacked here has.
LINKS = ("bin", "lib", "lib64")

# Runs in the new namespaces, by the interpreter of the old system: what leads back is gone then.
ENTER = """
import ctypes, json, os, platform, subprocess, sys
root, mounts, command = json.loads(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
def check(result):
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
for mount in mounts:
    subprocess.run(mount, check=True)
os.chdir(root)
for folder in ("proc", "old"):
    os.makedirs(folder, exist_ok=True)
check(libc.mount(b"proc", b"proc", b"proc", 0, None))
check(libc.syscall({"x86_64": 155, "aarch64": 41}[platform.machine()], b".", b"old"))
os.chdir("/")
check(libc.umount2(b"/old", 2))
os.execv(command[0], command)
"""


def _copy(root, folder):
    """Onto a file system of its own."""
    return [["mount", "-t", "tmpfs", "tmpfs", folder],
            ["cp", "-a", f"{root}/.", folder]]


def _overlay(root, folder):
    """As container engines do it: nothing is copied, and what is written lies elsewhere."""
    upper = folder.parent / "upper"
    upper.mkdir()
    return [["mount", "-t", "tmpfs", "tmpfs", upper],
            ["mkdir", upper / "files", upper / "work"],
            ["mount", "-t", "overlay", "overlay", "-o",
             f"lowerdir={root},upperdir={upper}/files,workdir={upper}/work", folder]]


KINDS = {"copy": _copy, "overlay": _overlay}


class Container:
    """
    A program that runs in it, as program.Program, and its pid outside. files: by their paths inside,
    what is copied there from our own system, over what is there already.
    """

    def __init__(self, root, kind, folder, command, files=()):
        inside = folder / "inside"
        inside.mkdir()
        mounts = KINDS[kind](root, inside)
        for name in LINKS:
            mounts.append(["ln", "-sfn", f"usr/{name}", inside / name])
        for path, source in dict(files).items():
            place = inside / path.lstrip("/")
            mounts += [["mkdir", "-p", place.parent], ["cp", source, place]]
        words = json.dumps([str(inside), mounts, command], default=str)
        self.program = Program("/usr/bin/unshare", "--mount", "--pid", "--fork", "--kill-child",
                               sys.executable, "-c", ENTER, words)
        self.pid = eventually(self._child, "it runs in its namespaces")

    def _child(self):
        pid = self.program.pid
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
        return int(children.split()[0]) if children.strip() else None

    @property
    def truth(self):
        return self.program.truth

    @property
    def executable(self):
        return str(pathlib.Path(f"/proc/{self.pid}/exe").readlink())

    def tell(self, line):
        return self.program.tell(line)

    def close(self):
        self.program.close()


def is_overlay_known():
    return "overlay" in pathlib.Path("/proc/filesystems").read_text(encoding="ascii").split()

