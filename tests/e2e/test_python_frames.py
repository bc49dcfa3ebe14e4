# SPDX-License-Identifier: Apache-2.0
"""Python frames, one by one, against what the interpreter itself says of them (python_ways.py)."""
import pytest

from harness import paths, pythons
from harness.python_ways import assert_every_frame, python_frames
from harness.wait import eventually_passes


@pytest.mark.parametrize("version", pythons.VERSIONS)
def test_every_frame_is_named(daemon, run, version):
    program = run(*pythons.command(version), paths.SCRIPTS / "python_ways.py")
    daemon.watch(program, "--exact")
    ways = program.tell("go")["ways"]
    eventually_passes(lambda: assert_every_frame(daemon, program.pid, ways))


@pytest.fixture(params=["3.11", "3.13", "3.14"])
def threads(request, daemon, run):
    program = run(*pythons.command(request.param), paths.SCRIPTS / "python_threads.py")
    daemon.watch(program, "--exact")
    program.tell("go")
    return program


def functions(site):
    return [frame["function"] for frame in site["stack"]]


def sites_of(daemon, program, size):
    """The sites whose every block has this size."""
    return [site for site in daemon.sites(program.pid)
            if site["allocated_objects"] and
            site["allocated_bytes"] == size * site["allocated_objects"]]


def test_every_thread_is_known(daemon, threads):
    """Whether it holds the interpreter's lock or not, and whoever has started it."""
    def check():
        answer = daemon.ctl("stacks", "--pid", threads.pid)
        assert answer["pending_frames"] == 0
        of_sqlite = [site for site in answer["sites"]
                     if any("libsqlite3" in (frame["module"] or "") for frame in site["stack"])]
        assert len(of_sqlite) > 10
        for site in of_sqlite:
            assert site["python_end"] == "root"
            assert "drops_the_lock" in functions(site)
            assert any(name in functions(site) for name in ("run", "_bootstrap"))
        held = sites_of(daemon, threads, 5001)
        assert held and all(functions(site)[-4:] == ["holds_the_lock", "run", "_bootstrap_inner",
                                                     "_bootstrap"] for site in held)
        called_back = sites_of(daemon, threads, 7001)
        assert called_back
        for site in called_back:
            python = [frame["function"] for frame in site["stack"] if frame["kind"] == "python"]
            assert python == ["calls_back"]
            assert site["python_end"] == "root"
        python = answer["python"]
        assert python["stacks_to_root"] >= 0.99 * python["stacks_taken"]

    eventually_passes(check)


def test_frames_of_two_interpreters_in_one_stack(daemon, threads):
    """The inner one's first, then those that run it."""
    def check():
        sites = sites_of(daemon, threads, 9001)
        assert sites
        for site in sites:
            names = [frame["function"] for frame in site["stack"] if frame["kind"] == "python"]
            names = [name for name in names if name != "<listcomp>"]
            assert names == ["inner", "outer", "<module>", "in_an_interpreter_of_its_own", "main",
                             "<module>"]
            assert site["python_end"] == "root"

    eventually_passes(check)


@pytest.mark.parametrize("version", pythons.VERSIONS)
def test_workers_that_have_touched_little_are_known(daemon, run, version):
    """A fork's child has none of the file's pages at first, not even that with Py_Version."""
    program = run(*pythons.command(version), paths.SCRIPTS / "python_fork.py")
    pid = program.truth["pid"]
    daemon.ctl("watch", "--force", "--exact", "--pid", pid)
    pythons.wait_until_known(daemon, pid)
    program.tell("keep")

    def check():
        site = next(site for site in daemon.sites(pid) if site["outstanding_bytes"] > 2 << 20)
        assert [frame[0] for frame in python_frames(site)] == ["keep", "work", "<module>"]

    eventually_passes(check)
    program.send("exit")
