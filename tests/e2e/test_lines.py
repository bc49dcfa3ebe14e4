# SPDX-License-Identifier: Apache-2.0
"""`lines`, `snapshot` and `diff` of real processes: what they sum up is all that there is."""
import pytest

from harness import paths
from harness.compare import assert_exact
from harness.wait import eventually_passes

SUMS = ["outstanding_bytes", "outstanding_objects", "allocated_bytes", "allocated_objects",
        "freed_bytes", "freed_objects"]


def lines(daemon, pid, query=""):
    return daemon.get(f"/api/v1/processes/{pid}/lines{query}")


def assert_sums_up(answer):
    """Own numbers of all groups and the rests are the total, and that is the account's."""
    for name in SUMS:
        rest = sum(answer[part][name] for part in ("native", "unknown", "left_out"))
        found = sum(line[name] for line in answer["lines"]) + rest
        assert found == pytest.approx(answer["total"][name], abs=1e-6), name
    assert answer["total"]["outstanding_bytes"] == answer["outstanding_bytes"]
    assert answer["current_bytes"] == answer["outstanding_bytes"]
    assert answer["peak_bytes"] >= answer["current_bytes"]


@pytest.mark.parametrize("group_by", ["line", "file", "function", "traceback", "module"])
def test_what_is_summed_up_is_the_whole_account(daemon, run, group_by):
    program = run(paths.PYTHON, paths.SCRIPTS / "leaky.py")
    daemon.watch(program)
    program.tell("run 50")
    for query in ("", "&top=1", "&file=nothing", "&function=run"):
        assert_sums_up(lines(daemon, program.pid, f"?group_by={group_by}{query}"))
    assert program.end() == 0


def test_modules_hold_what_their_code_asked_for(daemon, run):
    program = run(paths.PYTHON, paths.SCRIPTS / "leaky.py")
    daemon.watch(program)
    truth = program.tell("run 50")

    def check():
        answer = lines(daemon, program.pid, "?group_by=module")
        numpy = next(line for line in answer["lines"]
                     if "_multiarray_umath" in (line["module"] or ""))
        assert numpy["kind"] == "native"
        # Some of NumPy's own bookkeeping as well.
        held = numpy["outstanding_bytes"]
        assert truth["outstanding_bytes"] <= held < 1.01 * truth["outstanding_bytes"]

    eventually_passes(check)


def test_the_peak_stays_when_memory_is_freed(daemon, run):
    program = run("allocators")
    daemon.watch(program)
    program.tell("allocate")
    assert_exact(daemon, program)
    held = lines(daemon, program.pid)
    assert held["outstanding_bytes"] > 0
    program.tell("free_all")
    assert_exact(daemon, program)
    freed = lines(daemon, program.pid)
    assert freed["outstanding_bytes"] < held["outstanding_bytes"]
    assert freed["peak_bytes"] == held["outstanding_bytes"]
    assert 0 < freed["peak_seconds"] <= freed["observed_seconds"]
    modules = {line["module"]: line for line in
               lines(daemon, program.pid, "?group_by=module")["lines"]}
    own = next(line for module, line in modules.items() if module.endswith("/allocators"))
    assert own["peak_bytes"] > own["outstanding_bytes"]


def outstanding_by_function(program):
    return {site["function"]: site["outstanding_bytes"] for site in program.truth["sites"]
            if site["allocated_objects"]}


def test_diff_of_snapshots_is_what_came_between(daemon, run, tmp_path):
    program = run("allocators")
    daemon.watch(program)
    held = {}
    for name, command in (("first", "allocate"), ("second", "free_half")):
        program.tell(command)
        assert_exact(daemon, program)
        assert daemon.try_ctl("snapshot", "--pid", program.pid, "-o", tmp_path / name).status == 0
        held[name] = outstanding_by_function(program)
    answer = daemon.ctl("diff", tmp_path / "first", tmp_path / "second", "--group-by", "function")
    changes = {group["function"]: group["outstanding_bytes_change"] for group in answer["groups"]}
    wanted = {name: held["second"][name] - held["first"][name] for name in held["first"]}
    assert {name: changes[name] for name in wanted} == wanted
    assert sum(wanted.values()) < 0


def test_a_process_that_has_ended_can_still_be_asked(daemon, run, tmp_path):
    program = run("allocators")
    daemon.watch(program)
    program.tell("allocate")
    assert_exact(daemon, program)
    program.end()
    eventually_passes(lambda: daemon.ended_targets(program.pid)[0])
    answer = lines(daemon, program.pid)
    assert answer["ended"]
    assert_sums_up(answer)
    assert daemon.try_ctl("snapshot", "--pid", program.pid, "-o", tmp_path / "last").status == 0
    assert daemon.ctl("snapshot", tmp_path / "last")["after"]["ended"]


def test_lines_observes_a_process_and_leaves_it_as_it_was(daemon, run):
    program = run(paths.PYTHON, paths.SCRIPTS / "leaky.py", "0.05")
    answer = daemon.ctl("lines", "--pid", program.pid, "--for", 2)
    assert_sums_up(answer)
    assert answer["observed_seconds"] >= 2
    assert daemon.target(program.pid) is None
