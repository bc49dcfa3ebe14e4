# SPDX-License-Identifier: Apache-2.0
"""
What must hold on every kernel, with whatever it offers to attach by. To add a step: one more
function here; `run` starts programs that are listed in conftest.py.
"""
from conftest import PYTHON_PROGRAM
from harness import paths
from harness.chance import another_draw_decides
from harness.compare import (assert_estimated, assert_exact, assert_nothing_lost,
                             by_direct_caller, truth_by_function)
from harness.python_ways import assert_every_frame
from harness.resident import (FUNCTIONS, MIB, SHARE_ERROR, START_BYTES, assert_grown_as_touched,
                              by_function, rss_sites)
from harness.wait import eventually, eventually_passes
from vm.remote import is_text_changed

# The best that each kernel has; memwatchd finds it by trying.
BACKENDS = {"6.1": "perf", "6.12": "multi", "newest": "session"}
LIBC = "libc.so"
INTERVAL = 4 << 10
LIMIT_BYTES = 48 << 20
STEP_BYTES = 1 << 20


def test_it_is_watched_by_the_best_that_the_kernel_offers(daemon, kernel):
    assert daemon.ctl("status")["backend"] == BACKENDS[kernel.series]
    doctor = daemon.ctl("doctor")
    assert doctor["healthy"], doctor


def test_every_block_of_every_function_is_counted(daemon, run):
    program = run("allocators")
    daemon.watch(program)
    for command in ("allocate", "free_half", "allocate_huge", "allocate_too_much"):
        program.tell(command)
        assert_exact(daemon, program)
    assert_nothing_lost(daemon.ctl("stacks", "--pid", program.pid))
    assert program.end() == ""


def test_every_stack_is_whole(daemon, run):
    """Unwound by tables: the programs' libc has no frame pointers."""
    program = run("threads")
    daemon.watch(program)
    program.tell("run 10")
    sites = daemon.ctl("stacks", "--pid", program.pid)["sites"]
    assert sites
    assert {site["stack_end"] for site in sites} == {"root"}


def test_blocks_of_all_threads_are_counted(daemon, run):
    """Some kernels' links for one process tell of its first thread alone."""
    program = run("threads")
    daemon.watch(program)
    program.tell("run 200")
    assert_exact(daemon, program)
    program.tell("free_all")
    assert_exact(daemon, program)


def test_every_frame_of_python_is_named(daemon, run):
    program = run(paths.PYTHON, paths.SCRIPTS / PYTHON_PROGRAM)
    daemon.watch(program, "--exact", "--force")
    ways = program.tell("go")["ways"]
    eventually_passes(lambda: assert_every_frame(daemon, program.pid, ways))


@another_draw_decides
def test_estimates_lie_within_four_standard_errors(daemon, run):
    program = run("sampled")
    daemon.watch(program, "--interval", INTERVAL)
    for command in ("allocate 32", "free_half"):
        program.tell(command)
        eventually_passes(lambda: assert_estimated(daemon, program, INTERVAL))
    assert_nothing_lost(daemon.ctl("stacks", "--pid", program.pid))


def test_resident_memory_grows_by_who_touches_it(daemon, run):
    program = run("resident")
    daemon.watch(program, "--force")
    for command in ("touch 200", "take_down", "touch_by_threads 100"):
        program.tell(command)
        assert_grown_as_touched(daemon, program, START_BYTES)
    shrunk = by_function(rss_sites(daemon, program.pid), FUNCTIONS, "rss_shrunk_bytes")
    assert abs(shrunk["take_down"] - 200 * MIB) <= SHARE_ERROR * 200 * MIB


def test_what_an_oom_victim_held_is_kept(daemon, run, memory_cgroup):
    group = memory_cgroup(LIMIT_BYTES)
    victim = run("oom_victim")
    group.add(victim.pid)
    daemon.watch(victim)
    victim.send("grow")
    eventually(lambda: not victim.is_running(), "the kernel kills it")
    truth = truth_by_function(victim.last())

    oom = eventually(lambda: oom_of(daemon, victim.pid), "the kill is listed")
    assert oom["comm"] == "oom_victim"
    assert oom["uid"] == 0
    assert group.name in oom["cgroup"]
    assert oom["was_target"]
    held = by_direct_caller(oom["held"]["sites"])
    for function in ("keep_row", "keep_index"):
        # The victim died in the middle of a step, after the last ledger that it could print.
        difference = held[function]["outstanding_bytes"] - truth[function]["outstanding_bytes"]
        assert 0 <= difference <= STEP_BYTES, function
    assert oom["rss_bytes"] is None or 0.7 * LIMIT_BYTES < oom["rss_bytes"] < 1.1 * LIMIT_BYTES


def oom_of(daemon, pid):
    return next((oom for oom in daemon.ctl("oom")["ooms"] if oom["pid"] == pid), None)


def test_a_process_under_a_seccomp_filter_is_watched_exactly_or_not_at_all(daemon, run):
    """Linux 6.11 to 6.13 kill it at its first probed return."""
    program = run("under_seccomp", "filter")
    checks = {check["name"]: check["state"] for check in daemon.ctl("doctor")["checks"]}
    is_harmless = checks["seccomp filters"] == "ok"
    outcome = daemon.try_ctl("watch", "--pid", program.pid, "--exact")
    assert (outcome.status == 0) == is_harmless, outcome
    program.tell("allocate 100")
    if is_harmless:
        assert_exact(daemon, program)
    assert program.end() == ""


def test_sigkill_of_memwatchd_leaves_no_probe_and_the_next_one_counts(daemon, run):
    program = run("threads")
    daemon.watch(program)
    program.tell("start")
    assert is_text_changed(program.machine, program.pid, LIBC), "it is being watched"
    daemon.kill()
    eventually(lambda: not is_text_changed(program.machine, program.pid, LIBC), "no probe is left")
    # It answers after all of its threads have come to their end.
    program.tell("stop")
    program.tell("free_all")
    assert program.end() == ""

    daemon.start()
    program = run("allocators")
    daemon.watch(program)
    program.tell("allocate")
    assert_exact(daemon, program)
