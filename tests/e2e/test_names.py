# SPDX-License-Identifier: Apache-2.0
"""Where the names of native frames come from, when the file itself has few or none."""
import os
import pathlib
import shutil
import subprocess

from harness import paths
from harness.debug_files import build_id, line_of, stripped
from harness.wait import eventually_passes

NODE = "/usr/bin/node"


def innermost(daemon, pid):
    """
    The first frames of the sites whose direct caller is the program itself. Copies of a file are one
    module, which goes by the path of the first.
    """
    return [site["stack"][0] for site in daemon.sites(pid)
            if site["stack"] and site["stack"][0]["module"].endswith("/leaky")]


def assert_leak_is_named(daemon, program):
    """memwatchctl leaks names function, file and line of what leaks."""
    line = line_of("leaky.c", "malloc(SESSION_BYTES)")
    daemon.watch(program)

    def check():
        frames = innermost(daemon, program.pid)
        assert ("session_new", line) in {(frame["function"], frame["line"]) for frame in frames}

    eventually_passes(check)
    report = daemon.try_ctl("leaks", "--pid", str(program.pid), "--for", "0", "--all").output
    assert "session_new" in report
    assert f"leaky.c:{line}" in report


def test_a_stripped_program_without_a_debug_file_has_no_names(daemon, run, tmp_path):
    module, debug = stripped("leaky", tmp_path)
    debug.unlink()
    program = run(module)
    daemon.watch(program)

    def check():
        frames = innermost(daemon, program.pid)
        assert frames
        assert {frame["function"] for frame in frames} == {None}

    eventually_passes(check)


def test_a_stripped_program_is_named_by_the_debug_file_that_it_links_to(daemon, run, tmp_path):
    module, debug = stripped("leaky", tmp_path)
    (tmp_path / ".debug").mkdir()
    linked = shutil.move(debug, tmp_path / ".debug")
    subprocess.run(["objcopy", f"--add-gnu-debuglink={linked}", module], check=True, timeout=60)
    assert_leak_is_named(daemon, run(module))


def test_a_debug_folder_that_only_the_program_sees_is_searched(daemon, run, tmp_path):
    """As in a container: below the root directory of its own mount namespace."""
    module, debug = stripped("leaky", tmp_path)
    number = build_id(module)
    folder = f"/usr/lib/debug/.build-id/{number[:2]}"
    script = (f"mkdir -p /usr/lib/debug && mount -t tmpfs tmpfs /usr/lib/debug && "
              f"mkdir -p {folder} && cp {debug} {folder}/{number[2:]}.debug && exec {module}")
    program = run("/usr/bin/unshare", "--mount", "sh", "-c", script)
    debug.unlink()
    assert_leak_is_named(daemon, program)


def test_inlined_functions_are_frames_of_their_own(daemon, run):
    program = run("inlines")
    daemon.watch(program)
    program.tell("fill 100")
    wanted = [("box_new", line_of("inlines.c", "/* box_new allocates */"), True),
              ("shelf_add", line_of("inlines.c", "/* shelf_add calls */"), True),
              ("shelf_fill", line_of("inlines.c", "/* shelf_fill calls */"), False)]

    def check():
        [site] = [site for site in daemon.sites(program.pid)
                  if site["stack"] and site["stack"][0]["module"] == program.executable]
        frames = site["stack"][:3]
        assert [(frame["function"], frame["line"], frame["inlined"]) for frame in frames] == wanted
        assert len({frame["offset"] for frame in frames}) == 1
        assert site["outstanding_objects"] == 100

    eventually_passes(check)
    report = daemon.try_ctl("stacks", "--pid", str(program.pid)).output
    assert "box_new (inlined)" in report
    assert "shelf_fill (inlined)" not in report
    assert program.end() == 0


def compiled_site(daemon, pid):
    [site] = [site for site in daemon.sites(pid)
              if site["stack"] and site["stack"][0]["module"] is None]
    return site


def test_compiled_code_is_named_by_its_map(daemon, run):
    program = run("jit")
    daemon.watch(program)
    try:
        program.tell("run_named 50")

        def check():
            site = compiled_site(daemon, program.pid)
            assert site["stack"][0]["function"] == "compiled::allocate(int) [tier 2]"
            assert site["outstanding_objects"] == 50

        eventually_passes(check)
    finally:
        pathlib.Path(f"/tmp/perf-{program.pid}.map").unlink(missing_ok=True)
    assert program.end() == 0


def test_compiled_code_is_named_by_its_dump_with_lines(daemon, run):
    """It says more than a map of the same code, which is there too."""
    program = run("jit")
    program.tell("open_dump 1")
    try:
        daemon.watch(program)
        program.tell("run_dumped 50")

        def check():
            site = compiled_site(daemon, program.pid)
            frame = site["stack"][0]
            assert frame["function"] == "dumped::allocate(int) [tier 3]"
            assert (frame["file"], frame["line"]) == ("compiled.script", 42)
            assert site["outstanding_objects"] == 50

        eventually_passes(check)
    finally:
        for name in (f"perf-{program.pid}.map", f"jit-{program.pid}.dump"):
            (pathlib.Path("/tmp") / name).unlink(missing_ok=True)
    assert program.end() == 0


def test_functions_of_node_are_named_by_its_dump(daemon, run, tmp_path):
    """Node writes its dump where it works, and in pieces of two megabytes."""
    program = run("/usr/bin/env", "--chdir", tmp_path, NODE, "--perf-prof",
                  paths.SCRIPTS / "compiled.js")
    daemon.ctl("watch", "--force", "--pid", program.pid, "--exact")
    program.tell("keep")

    def check():
        functions = {frame["function"] for site in daemon.sites(program.pid)
                     for frame in site["stack"] if frame["module"] is None}
        assert any(function and "keepBuffers" in function and "compiled.js" in function
                   for function in functions)

    eventually_passes(check, seconds=20)


def test_a_container_knows_itself_by_another_pid(daemon, run):
    """Its map of compiled code is below its own /tmp, by its own pid, and both pids are told."""
    script = (f"exec 9<{paths.PROGRAMS}/jit && mount -t tmpfs tmpfs /tmp && "
              "exec /proc/self/fd/9")
    outside = run("/usr/bin/unshare", "--mount", "--pid", "--fork", "--kill-child",
                  "--mount-proc", "sh", "-c", script)
    children = pathlib.Path(f"/proc/{outside.pid}/task/{outside.pid}/children")
    pid = int(children.read_text(encoding="ascii").split()[0])
    assert outside.truth["pid"] == 1
    daemon.ctl("watch", "--force", "--pid", pid, "--exact")
    outside.tell("run_named 50")

    def check():
        frame = compiled_site(daemon, pid)["stack"][0]
        assert frame["function"] == "compiled::allocate(int) [tier 2]"

    eventually_passes(check)
    assert daemon.target(pid)["namespace_pid"] == 1
    assert f"{pid} (1 inside)" in daemon.try_ctl("targets").output
    processes = {process["pid"]: process for process in daemon.ctl("ps")["processes"]}
    assert processes[pid]["namespace_pid"] == 1
    assert processes[os.getpid()]["namespace_pid"] is None
    assert outside.end() == 0
