# SPDX-License-Identifier: Apache-2.0
"""Stacks, frame by frame, against what the program itself knows of them (frames.c)."""
import random
import shutil
import subprocess

import pytest

from harness import paths, process
from harness.compare import assert_exact
from harness.return_probe import ReturnProbe
from harness.wait import eventually
from harness.ways import Ways, physical, places

LEVELS = ["O0", "O2", "O3", "Os"]
BUILDS = [f"{compiler}_{level}{pointer}" for compiler in ("gcc", "clang") for level in LEVELS
          for pointer in ("", "_frame_pointer")]
# The last has its tables for debuggers alone, and those of its libraries for all.
BUILDS += ["gcc_O2_lld", "gcc_O2_gold", "gcc_O2_mold", "gcc_O2_static", "gcc_O2_static_pie",
           "gcc_O2_debug_frame"]
FRAMES_MAX = 127


# Who calls what isn't compiled with the program, or is interrupted: their callees note nothing.
CALLERS_OF_OTHERS = {"sorts", "raises", "faults", "calls_assembly", "_start"}


def assert_same(ways, way):
    site = ways.sites[way["name"]]
    stack, truth = places(site), ways.truth(way["callers"])
    assert site["stack"][0]["function"] == "allocate"
    if way["name"] == "truncated":
        assert stack[1:] == truth[:FRAMES_MAX - 1]
        return
    known = set(truth)
    assert [place for place in stack if place in known] == truth
    rest = [frame["function"] for frame, place in list(zip(physical(site), stack))[1:]
            if place not in known and frame["module"] == ways.executable]
    assert len(rest) == len(set(rest))
    # Without optimisation the jump is a call.
    others = CALLERS_OF_OTHERS | ({"go_all_ways"} if way["name"] == "tail_call" else set())
    assert ways.is_static or set(rest) <= others


def assert_ends_well(way, site):
    ends = {"truncated": "truncated", "assembly_frame_pointer": "guessed_root"}
    assert site["stack_end"] == ends.get(way["name"], "root"), site["stack"][-1]


@pytest.mark.parametrize("build", BUILDS)
def test_every_frame_is_right(daemon, run, build):
    ways = Ways(daemon, run(f"frames_{build}"))
    for way in ways.answer["ways"]:
        print(way["name"])  # shown when it fails
        assert_same(ways, way)
        assert_ends_well(way, ways.sites[way["name"]])


@pytest.mark.parametrize("build", ["musl_O2", "musl_O2_static"])
def test_the_stack_ends_where_a_library_has_no_tables(daemon, run, build):
    """Debian's musl describes none of its code: what it was called by can't be known, and isn't guessed."""
    ways = Ways(daemon, run(f"frames_{build}"))
    assert {"plain", "deep", "realigned", "sort", "thread"} <= ways.sites.keys()
    for way in ways.answer["ways"]:
        site = ways.sites.get(way["name"])
        if not site or way["name"] in ("truncated", "assembly_frame_pointer", "assembly_table"):
            continue
        stack, truth = places(site), ways.truth(way["callers"])
        assert stack[1:] == truth[:len(stack) - 1], way["name"]
        assert site["stack_end"] == "no_table"


@pytest.mark.parametrize("is_second_watch", [False, True])
def test_return_addresses_that_a_probe_has_replaced_are_known(daemon, run, closing,
                                                              is_second_watch):
    """Until it returns, a function whose return is probed has the kernel's address in its frame."""
    program = run("frames_gcc_O2")
    for function in ("plain", "go_all_ways", "with_array"):
        probe = ReturnProbe(program.executable, function)
        closing.callback(probe.close)
    ways = Ways(daemon, program)
    if is_second_watch:
        # Since the first return, the kernel's code is among what the process has mapped.
        assert "[uprobes]" in process.maps(program.pid)
        daemon.ctl("unwatch", "--pid", program.pid)
        ways = Ways(daemon, program)
    for way in ways.answer["ways"]:
        # What the program reads of itself is the kernel's address as well.
        if way["name"] in ("plain", "array", "sort"):
            site = ways.sites[way["name"]]
            assert site["stack_end"] == "root"
            functions = [frame["function"] for frame in physical(site)]
            assert functions[:2] == ["allocate", "plain"]
            assert "go_all_ways" in functions
            assert "main" in functions
            assert functions[-1] == "_start"


def test_stacks_are_whole_in_what_the_program_has_loaded_since(daemon, run):
    program = run("plugins")
    daemon.watch(program)
    program.tell("load")

    def allocates():
        program.tell("allocate 1")
        sites = [site for site in daemon.sites(program.pid)
                 if site["stack"][0]["function"] == "plugin_allocates"]
        # The loader's word may reach memwatch after the plugin's first call: that is said then.
        assert {site["stack_end"] for site in sites} <= {"root", "unknown_code", "guessed_root"}
        return [site for site in sites if site["stack_end"] == "root"]

    whole = eventually(allocates, "its tables are there")
    program.tell("allocate 100")
    after = [site for site in allocates()]
    assert [site["stack"] for site in after] == [site["stack"] for site in whole]
    assert after[0]["outstanding_objects"] >= 100 + whole[0]["outstanding_objects"]
    assert whole[0]["stack"][-1]["function"] == "_start"


def test_an_exec_brings_tables_of_its_own(daemon, run):
    program = run("execs")
    daemon.watch(program)
    program.tell("exec_from_leader")
    eventually(lambda: daemon.ended_targets(program.pid), "the account before the exec has ended")

    def allocates():
        program.tell("allocate")
        return [site for site in daemon.sites(program.pid) if site["stack_end"] == "root"]

    whole = eventually(allocates, "its tables are there")
    assert {site["stack"][-1]["function"] for site in whole} == {"_start"}


# ---- tables within bounds


def test_tables_have_room_for_those_who_are_watched_now(new_daemon, run):
    """1 MiB is less than Python and its libraries need, and more than a small program."""
    one = new_daemon(unwind_tables="1MiB").start()
    large = run(paths.PYTHON, paths.SCRIPTS / "leaky.py")
    one.watch(large)
    unwind = one.get("/api/v1/status")["unwind"]
    assert 0 < unwind["bytes"] <= unwind["bytes_max"] == 1 << 20
    one.ctl("unwatch", "--pid", large.pid)
    ways = Ways(one, run("frames_gcc_O2"))
    assert ways.sites["plain"]["stack_end"] == "root"
    assert one.get("/api/v1/status")["unwind"]["bytes"] <= 1 << 20


# ---- hostile files


def section(path, name):
    """File offset and size."""
    headers = subprocess.run(["readelf", "-SW", path], capture_output=True, text=True,
                             check=True).stdout
    for line in headers.splitlines():
        fields = line.partition("]")[2].split()
        if fields[:1] == [name]:
            return int(fields[3], 16), int(fields[4], 16)
    raise AssertionError(f"{path} has no {name}")


def spoil(path, name, seed):
    """Overwrites some bytes of a section, others with each seed."""
    chance = random.Random(seed)
    start, size = section(path, name)
    content = bytearray(path.read_bytes())
    for _ in range(1 + seed * 4):
        content[start + chance.randrange(size)] = chance.randrange(256)
    path.write_bytes(content)


@pytest.mark.parametrize("seed", range(8))
def test_a_library_with_broken_tables_harms_nobody(daemon, run, tmp_path, seed):
    for name in ("plugins", "plugin.so"):
        shutil.copy(paths.PROGRAMS / name, tmp_path / name)
    spoil(tmp_path / "plugin.so", ".eh_frame", seed)
    program = run(tmp_path / "plugins")
    daemon.watch(program)
    program.tell("load")
    program.tell("allocate 100")
    assert_exact(daemon, program)
    assert program.end() == 0
    ways = Ways(daemon, run("frames_gcc_O2"))
    assert ways.sites["plain"]["stack_end"] == "root"
