# SPDX-License-Identifier: Apache-2.0
"""
A process in mount and PID namespaces of its own, whose files nobody outside can see: those of our own
system, and those of another one with another libc.
"""
import pathlib
import re
import shlex
import subprocess

import pytest

from harness import debian, paths
from harness.container import KINDS, Container, is_overlay_known
from harness.program import Program
from harness.wait import eventually
from harness.ways import Ways, physical, places

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


# ---- another system, with another libc

SYSTEM = ["libc6", "python3.13-minimal", "libpython3.13-minimal", "zlib1g", "libexpat1"]
DEBUG = ["libc6-dbg"]
LIBC = "/usr/lib/x86_64-linux-gnu/libc.so.6"
SOURCES = ["dynamic_symbols", "debug_file", "packed_symbols"]


def unpacked(packages, name):
    try:
        return debian.unpacked("trixie", packages, name)
    except debian.Unreachable as failure:
        pytest.skip(f"the packages of Debian trixie cannot be fetched: {failure}")


def output_of(*command):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          check=True, timeout=60).stdout


def build_id(file):
    return re.search(r"Build ID: ([0-9a-f]+)", output_of("readelf", "-n", file)).group(1)


def functions_of(file, table):
    """Of one symbol table, as readelf has it: start, end, and name without its version."""
    found = []
    for line in output_of("readelf", "-sW", f"--{table}", file).splitlines():
        fields = line.split()
        if len(fields) >= 8 and fields[3] in ("FUNC", "IFUNC") and fields[6] != "UND":
            start = int(fields[1], 16)
            found.append((start, start + int(fields[2], 0), fields[7].partition("@")[0]))
    return found


def code_shift(file):
    """What link addresses of its code are above file offsets."""
    [fields] = [line.split() for line in output_of("readelf", "-lW", file).splitlines()
                if line.split()[:1] == ["LOAD"] and " R E " in line]
    return int(fields[2], 16) - int(fields[1], 16)


def pack_symbols(library, debug, folder):
    """A copy of a library with its functions' names packed in .gnu_debugdata, as Fedora has it."""
    symbols, packed = folder / "symbols", folder / "libc.so.6"
    keep = folder / "keep"
    keep.write_text("".join(f"{name}\n" for _, _, name in functions_of(debug, "syms")),
                    encoding="utf-8")
    output_of("objcopy", "-S", f"--keep-symbols={keep}", debug, symbols)
    output_of("xz", symbols)
    output_of("objcopy", "--add-section", f".gnu_debugdata={symbols}.xz", library, packed)
    return packed


@pytest.fixture(params=SOURCES)
def libc_names(request, tmp_path):
    """Files to be added to the system, so that its libc's names come from there; and these names."""
    library = unpacked(SYSTEM, "trixie-container") / LIBC.lstrip("/")
    if request.param == "dynamic_symbols":
        return {}, functions_of(library, "dyn-syms")
    number = build_id(library)
    path = f"/usr/lib/debug/.build-id/{number[:2]}/{number[2:]}.debug"
    debug = unpacked(DEBUG, "trixie-debug") / path.lstrip("/")
    names = functions_of(debug, "syms")
    if request.param == "debug_file":
        return {path: debug}, names
    return {LIBC: pack_symbols(library, debug, tmp_path)}, names


@pytest.fixture(params=KINDS)
def enter(request, closing, tmp_path):
    """Runs commands in the other system."""
    if request.param == "overlay" and not is_overlay_known():
        pytest.skip("this kernel has no overlay file system")

    def run(command, files):
        root = unpacked(SYSTEM, "trixie-container")
        container = Container(root, request.param, tmp_path, command, files)
        closing.callback(container.close)
        return container

    return run


def assert_libc_names(frames, names, shift):
    """Each is what the symbol table has for the place of the call, and nothing where it has nothing."""
    seen = 0
    for frame in frames:
        address = frame["offset"] - 1 + shift
        wanted = {name for start, end, name in names if start <= address < end}
        assert (frame["function"] in wanted) if wanted else not frame["function"], (frame, wanted)
        seen += bool(wanted)
    assert seen


def of_libc(sites):
    return [frame for site in sites for frame in physical(site) if frame["module"] == LIBC]


def test_stacks_are_right_under_another_libc(new_daemon, enter, libc_names):
    files, names = libc_names
    container = enter(["/app/program"], {"/app/program": paths.PROGRAMS / "frames_gcc_O2", **files})
    daemon = new_daemon().start()
    ways = Ways(daemon, container, container.pid)
    for way in ways.answer["ways"]:
        print(way["name"])  # shown when it fails
        site, truth = ways.sites[way["name"]], ways.truth(way["callers"])
        if way["name"] == "truncated":
            assert site["stack_end"] == "truncated"
            continue
        assert [place for place in places(site) if place in set(truth)] == truth
        assert site["stack_end"] == ("guessed_root" if way["name"] == "assembly_frame_pointer"
                                     else "root")
    shift = code_shift(unpacked(SYSTEM, "trixie-container") / LIBC.lstrip("/"))
    assert_libc_names(of_libc(ways.sites.values()), names, shift)


def test_another_interpreter_is_known_by_both_pids_and_its_stacks_are_whole(new_daemon, enter):
    container = enter(["/usr/bin/python3.13", "/app/kept.py"],
                      {"/app/kept.py": paths.SCRIPTS / "kept.py"})
    assert container.truth["pid"] == 1
    daemon = new_daemon().start()
    daemon.ctl("watch", "--force", "--exact", "--pid", container.pid)
    container.tell("100")
    answer = daemon.ctl("stacks", "--pid", container.pid)
    assert answer["stacks_to_root"] == answer["stacks_taken"] > 300
    assert {site["stack_end"] for site in answer["sites"]} == {"root"}
    assert {site["stack"][-1]["function"] for site in answer["sites"]} == {"<module>"}
    functions = {frame["function"] for site in answer["sites"] for frame in site["stack"]}
    assert "<module>" in functions
    # Two of its three objects a number come from bytearray and list, each of a known size at least.
    assert answer["outstanding_bytes"] >= 100 * (2000 + 200 * 8)
    assert daemon.target(container.pid)["namespace_pid"] == 1
    assert f"{container.pid} (1 inside)" in daemon.try_ctl("targets").output
    [listed] = [one for one in daemon.ctl("ps")["processes"] if one["pid"] == container.pid]
    assert listed["namespace_pid"] == 1
    # And whoever asks by the pid inside means another process.
    assert daemon.target(1) is None
