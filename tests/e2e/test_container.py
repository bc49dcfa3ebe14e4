# SPDX-License-Identifier: Apache-2.0
"""A process in mount and PID namespaces of its own, whose files nobody outside can see."""
import pathlib
import shlex

from harness import paths
from harness.program import Program
from harness.wait import eventually

# What it takes to run a program there: itself, its libraries, its loader.
SCRIPT = """
set -eu
mount -t tmpfs none {root}
mkdir -p {root}/app
cp {program} {root}/app/program
for file in $(ldd {program} | grep -o '/[^ )]*'); do
    mkdir -p "{root}$(dirname "$file")"
    cp "$file" "{root}$file"
done
exec chroot {root} /app/program
"""


def child_of(pid):
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return int(children[0]) if children else None


def test_functions_and_stacks_are_known_in_a_container(daemon, closing, tmp_path):
    script = SCRIPT.format(root=shlex.quote(str(tmp_path)),
                           program=shlex.quote(str(paths.PROGRAMS / "frames_gcc_O2")))
    program = Program("/usr/bin/unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c",
                      script)
    closing.callback(program.close)
    assert program.truth["pid"] == 1
    pid = eventually(lambda: child_of(program.pid), "it runs in its namespaces")
    assert not (tmp_path / "app").exists()
    daemon.ctl("watch", "--force", "--exact", "--pid", pid)
    program.tell("go")
    sites = {site["outstanding_bytes"]: site for site in daemon.sites(pid)}
    for way in program.truth["ways"]:
        if way["name"] in ("plain", "sort", "signal", "thread"):
            stack = sites[way["bytes"]]["stack"]
            assert sites[way["bytes"]]["stack_end"] == "root"
            assert [frame["function"] for frame in stack[:2]] == ["allocate", "plain"]
            assert stack[0]["module"].endswith("/app/program")
            assert stack[0]["file"].endswith("frames.c")
