# SPDX-License-Identifier: Apache-2.0
"""Whatever attach back end brings the probes, the account is the same, and they go again."""
import pytest

from harness import paths, process
from harness.chance import another_draw_decides
from harness.compare import (assert_estimated, assert_exact, assert_nothing_lost,
                             by_direct_caller, direct_caller)
from harness.daemon import Daemon
from harness.wait import eventually, eventually_passes

BACKENDS = ["session", "multi", "perf"]
# By perf the kernel removes one probe after the other, each within 0.1 s, and a process that ends
# waits for its own: some twenty for each process that was watched. Whoever attaches by perf meanwhile
# has to wait for each, also another memwatchd that starts.
PERF_END_SECONDS = 120
PERF_READY_SECONDS = 120
RESTORE_SECONDS = 30
LIBC = "libc.so"
LIBC_PROBES_MIN = 10
INTERVAL = 4096
UNSAMPLED_INTERVAL = 1 << 30


def make_daemon(backend):
    one = Daemon(attach_backend=backend)
    if backend == "perf":
        one.end_seconds = PERF_END_SECONDS
        one.ready_seconds = PERF_READY_SECONDS
    return one


@pytest.fixture(scope="module", params=BACKENDS)
def backend(request):
    return request.param


@pytest.fixture(scope="module")
def daemon(backend):
    one = make_daemon(backend)
    try:
        yield one.start()
    finally:
        one.close()


@pytest.fixture
def another_daemon(closing, backend):
    one = make_daemon(backend)
    closing.callback(one.close)
    return one.start()


def assert_text_restored(program):
    eventually(lambda: not process.changed_text_offsets(program.pid, LIBC), "no probe is left",
               RESTORE_SECONDS)


# ---- choice

def test_the_forced_backend_is_used_and_shown(daemon, backend, run):
    status = daemon.ctl("status")
    assert status["backend"] == backend
    assert status["attach_backends_tried"] == [{"name": backend, "works": True, "reason": None}]
    check = next(check for check in daemon.ctl("doctor")["checks"]
                 if check["name"] == "attach back end")
    assert check["state"] == "ok"
    assert backend in check["detail"]
    assert backend in daemon.try_ctl("status").output
    program = run("allocators")
    daemon.watch(program)
    assert daemon.target(program.pid)["backend"] == backend


def test_costs_are_those_of_the_backend(daemon):
    costs = daemon.ctl("doctor")["costs_ns"]
    assert all(cost > 0 for cost in costs.values()), costs


# ---- the account

def test_every_allocation_function_is_exact_to_the_byte(daemon, run):
    program = run("allocators")
    daemon.watch(program)
    for command in ("allocate", "free_half", "free_all"):
        program.tell(command)
        assert_exact(daemon, program)
    assert_nothing_lost(daemon.ctl("stacks", "--pid", program.pid))


def test_threads_that_begin_after_the_watch_are_exact(daemon, run):
    program = run("threads")
    daemon.watch(program)
    program.tell("run 2000")
    assert_exact(daemon, program)
    target = daemon.target(program.pid)
    assert target["missed_frees"] == 0
    assert target["abandoned_calls"] == 0


def test_threads_that_run_when_the_watch_begins_are_seen(daemon, run):
    program = run("threads")
    program.tell("start")
    daemon.watch(program)

    def check():
        functions = {direct_caller(site) for site in daemon.sites(program.pid)}
        assert {"thread_mallocs", "thread_callocs", "thread_reallocs", "thread_aligns",
                "thread_leaks"} <= functions

    eventually_passes(check)
    program.tell("stop")


@another_draw_decides
def test_estimates_lie_within_four_standard_errors(daemon, run):
    program = run("sampled")
    daemon.watch(program, "--interval", INTERVAL)
    program.tell("allocate")
    eventually_passes(lambda: assert_estimated(daemon, program, INTERVAL))
    program.tell("free_half")
    eventually_passes(lambda: assert_estimated(daemon, program, INTERVAL))


def test_only_a_session_skips_the_returns_of_what_is_not_sampled(daemon, backend, run):
    program = run("frees")
    daemon.watch(program, "--interval", UNSAMPLED_INTERVAL)
    program.tell("allocate")
    target = daemon.target(program.pid)
    assert target["allocation_hits"] > 0
    if backend == "session":
        assert target["return_hits"] < target["allocation_hits"] / 2
    else:
        assert target["return_hits"] == target["allocation_hits"]


@pytest.mark.parametrize("scenario", ["jump_out", "allocate_in_handler", "free_in_handler",
                                      "allocate_on_alternate_stack", "end_threads"])
def test_calls_that_a_handler_interrupts_or_leaves_are_known(daemon, run, scenario):
    program = run("midcall")
    daemon.watch(program)
    truth = program.tell(scenario)
    assert_exact(daemon, program)
    target = daemon.target(program.pid)
    assert target["abandoned_calls"] == truth["counts"].get("abandoned_calls", 0)


def test_exceptions_pass_through_watched_code(daemon, run):
    program = run("cxx")
    daemon.watch(program)
    program.tell("throw_and_catch 1000")
    assert_exact(daemon, program)
    program.tell("run_out 100")
    assert_exact(daemon, program)
    assert program.end() == 0


def test_a_library_loaded_after_the_watch_began_is_exact(daemon, run):
    program = run("plugins")
    daemon.watch(program)
    program.tell("load")
    program.tell("allocate 100")
    wanted = program.truth["sites"][0]

    def check():
        found = by_direct_caller(daemon.sites(program.pid))["plugin_allocates"]
        assert found["outstanding_bytes"] == wanted["outstanding_bytes"]
        assert found["outstanding_objects"] == wanted["outstanding_objects"]

    eventually_passes(check)


@pytest.mark.parametrize("command", ["exec_from_leader", "exec_from_thread"])
def test_the_watch_follows_an_exec(daemon, run, command):
    program = run("execs")
    daemon.watch(program)
    program.tell("allocate")
    assert_exact(daemon, program)
    program.tell(command)
    eventually(lambda: daemon.ended_targets(program.pid), "the account before the exec has ended")
    eventually(lambda: (daemon.target(program.pid) or {}).get("probes", 0) >= LIBC_PROBES_MIN,
               "watched again")
    program.tell("allocate")
    assert_exact(daemon, program)


# ---- other processes

def test_a_neighbour_gets_no_probe(daemon, run):
    watched, neighbour = run("threads"), run("threads")
    daemon.watch(watched)
    late = run("threads")
    for other in (neighbour, late):
        other.tell("run 100")
        assert not process.changed_text_offsets(other.pid, LIBC)
    assert process.changed_text_offsets(watched.pid, LIBC)


def test_a_forked_child_loses_the_probes_it_inherits(daemon, backend, run):
    """With perf one by one, at the first hit of each, unless somebody else listens there too."""
    program = run("forks")
    daemon.watch(program)
    program.tell("allocate")
    child = program.tell("fork_and_serve")["pid"]
    inherited = process.changed_text_offsets(program.pid, LIBC)
    program.tell("free_inherited")
    program.tell("allocate_as_child")
    if backend == "perf":
        assert set(process.changed_text_offsets(child, LIBC)) < set(inherited)
    else:
        eventually(lambda: not process.changed_text_offsets(child, LIBC), "no probe is left")
    assert process.changed_text_offsets(program.pid, LIBC) == inherited
    program.tell("exit")
    assert_exact(daemon, program)


# ---- the end

def test_unwatch_restores_the_text(daemon, run):
    program = run("threads")
    program.tell("start")
    daemon.watch(program)
    assert process.changed_text_offsets(program.pid, LIBC)
    daemon.ctl("unwatch", "--pid", program.pid)
    assert_text_restored(program)
    program.tell("stop")
    assert program.end() == 0


def test_watched_again_at_once_it_is_exact(daemon, run):
    """Although the probes from before may not all be gone yet."""
    program = run("allocators")
    for _ in range(3):
        daemon.watch(program)
        daemon.ctl("unwatch", "--pid", program.pid)
    daemon.watch(program)
    program.tell("allocate")
    assert_exact(daemon, program)
    program.tell("free_all")
    assert_exact(daemon, program)
    daemon.ctl("unwatch", "--pid", program.pid)
    assert_text_restored(program)


def test_sigkill_leaves_no_probe(another_daemon, run):
    program = run("threads")
    program.tell("start")
    another_daemon.watch(program)
    assert process.changed_text_offsets(program.pid, LIBC)
    another_daemon.kill()
    assert_text_restored(program)
    program.tell("stop")
    assert program.end() == 0


def test_a_program_that_is_run_is_exact_from_its_first_block(daemon, run):
    executable = str(paths.PROGRAMS / "allocators")
    program = run(*daemon.ctl_command("run", "--exact", "--force", executable))
    program.tell("allocate")
    program.executable = executable
    assert_exact(daemon, program)
    assert program.end() == 0
