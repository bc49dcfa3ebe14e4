# SPDX-License-Identifier: Apache-2.0
"""Every allocator that Debian ships, linked or preloaded: exact, sampled, and through exceptions."""
import pytest

from harness.chance import another_draw_decides
from harness.compare import assert_estimated, assert_exact, assert_nothing_lost
from harness.wait import eventually_passes

# A build of the program, or a library that is preloaded into the one linked with libc alone; and
# the allocators that the process then has.
LINKED = [
    ("families_jemalloc", None, {"jemalloc", "glibc"}),
    ("families_jemalloc_static", None, {"jemalloc", "glibc"}),
    # With other names: upstream's, and those of Rust's tikv-jemalloc-sys.
    ("families_jemalloc_je", None, {"jemalloc", "glibc"}),
    ("families_jemalloc_rjem", None, {"jemalloc", "glibc"}),
    ("families_tcmalloc", None, {"tcmalloc", "glibc"}),
    ("families_tcmalloc_static", None, {"tcmalloc", "glibc"}),
    ("families_mimalloc", None, {"mimalloc", "glibc"}),
    ("families_musl", None, {"musl"}),
    ("families_musl_static", None, {"musl"}),
    ("families", None, {"glibc"}),
]
PRELOADED = [
    ("families", "libjemalloc.so.2", {"jemalloc", "glibc"}),
    ("families", "libtcmalloc_minimal.so.4", {"tcmalloc", "glibc"}),
    ("families", "libtcmalloc.so.4", {"tcmalloc", "glibc"}),
    ("families", "libmimalloc.so.2", {"mimalloc", "glibc"}),
    # Its malloc calls libc's: the outer one owns the block.
    ("families", "libc_malloc_debug.so.0", {"other", "glibc"}),
]
FAMILIES = LINKED + PRELOADED
OPERATORS = [
    ("operators_jemalloc", None), ("operators_jemalloc_static", None),
    ("operators_tcmalloc", None), ("operators_tcmalloc_static", None),
    ("operators_mimalloc", None),
    ("operators", "libjemalloc.so.2"), ("operators", "libtcmalloc_minimal.so.4"),
    # It ends a program that frees what new has returned, and the like: not for the families.
    ("operators", "libtcmalloc_minimal_debug.so.4"),
    ("operators", "libmimalloc.so.2"),
]
# Debian's mimalloc is C: its operator new ends the program instead of throwing.
THROWING = [(program, library) for program, library in OPERATORS
            if "mimalloc" not in f"{program} {library}"]
INTERVAL_BYTES = 16384


@pytest.fixture
def start(run, daemon):
    """Runs a program under an allocator and watches it."""
    def watched(program, library, interval=None):
        environment = {"LD_PRELOAD": library} if library else None
        one = run(program, environment=environment)
        daemon.watch(one, *(["--interval", interval] if interval else []))
        return one

    return watched


def parametrize(cases):
    return pytest.mark.parametrize("case", cases, ids=lambda case: "-".join(filter(None, case[:2])))


def assert_all_gone(daemon, program):
    assert all(site["outstanding_bytes"] == 0 for site in program.truth["sites"])
    assert_exact(daemon, program)


def assert_no_mapping_beside(daemon, program):
    """What the allocator maps on its own behalf is no mapping of the program."""
    mappings = [site for site in daemon.sites(program.pid) if site["kind"] == "mapping"]
    assert sum(site["outstanding_bytes"] for site in mappings) == 0, mappings


@parametrize(FAMILIES)
def test_every_function_of_an_allocator_is_exact(daemon, start, case):
    program, library, allocators = case
    program = start(program, library)
    assert set(daemon.target(program.pid)["allocators"].split(",")) == allocators
    program.tell("allocate")
    assert_exact(daemon, program)
    program.tell("free_half")
    assert_exact(daemon, program)
    program.tell("free_all")
    assert_all_gone(daemon, program)
    target = daemon.target(program.pid)
    assert target["unknown_frees"] == 0
    assert target["missed_frees"] == 0
    assert_nothing_lost(daemon.ctl("stacks", "--pid", program.pid))
    assert program.end() == 0


@parametrize(FAMILIES)
def test_a_block_that_is_resized_is_the_resizing_calls(daemon, start, case):
    program = start(*case[:2])
    program.tell("resize")
    assert_exact(daemon, program)
    program.tell("free_all")
    assert_all_gone(daemon, program)
    assert daemon.target(program.pid)["unknown_frees"] == 0


@parametrize(FAMILIES)
def test_a_block_that_cannot_be_resized_stays(daemon, start, case):
    program = start(*case[:2])
    program.tell("allocate")
    truth = program.tell("fail_to_resize")
    assert_exact(daemon, program)
    assert daemon.target(program.pid)["failed_allocations"] == (
        truth["counts"]["failed_allocations"])
    program.tell("free_all")
    assert_all_gone(daemon, program)


@parametrize(FAMILIES)
def test_a_large_block_is_counted_once(daemon, start, case):
    program = start(*case[:2])
    program.tell("allocate_large")
    assert_exact(daemon, program)
    assert_no_mapping_beside(daemon, program)
    program.tell("free_all")
    assert_all_gone(daemon, program)


@parametrize(FAMILIES)
@another_draw_decides
def test_samples_of_every_function_estimate_it(daemon, start, case):
    program = start(*case[:2], interval=INTERVAL_BYTES)
    program.tell("allocate_many 20000")
    eventually_passes(lambda: assert_estimated(daemon, program, INTERVAL_BYTES))
    assert_no_mapping_beside(daemon, program)
    program.tell("free_half")
    eventually_passes(lambda: assert_estimated(daemon, program, INTERVAL_BYTES))
    program.tell("free_all")

    def check():
        assert daemon.get(f"/api/v1/processes/{program.pid}/stacks")["outstanding_bytes"] == 0

    eventually_passes(check)


def test_several_allocators_in_one_process_are_exact(daemon, start):
    program = start("heaps", None)
    assert set(daemon.target(program.pid)["allocators"].split(",")) == {
        "jemalloc", "mimalloc", "tcmalloc", "glibc"}
    for command in ("allocate", "free_half", "free_all"):
        program.tell(command)
        assert_exact(daemon, program)
    target = daemon.target(program.pid)
    assert target["unknown_frees"] == 0
    assert target["missed_frees"] == 0
    assert program.end() == 0


@parametrize(OPERATORS)
def test_every_operator_new_is_exact(daemon, start, case):
    program = start(*case)
    program.tell("allocate")
    assert_exact(daemon, program)
    program.tell("free_all")
    assert_all_gone(daemon, program)
    target = daemon.target(program.pid)
    assert target["unknown_frees"] == 0
    assert target["missed_frees"] == 0
    assert program.end() == 0


@parametrize(OPERATORS)
@another_draw_decides
def test_samples_of_every_operator_new_estimate_it(daemon, start, case):
    program = start(*case, interval=INTERVAL_BYTES)
    program.tell("allocate_many 5000")
    eventually_passes(lambda: assert_estimated(daemon, program, INTERVAL_BYTES))
    program.tell("free_all")
    eventually_passes(lambda: assert_estimated(daemon, program, INTERVAL_BYTES))


@parametrize(THROWING)
@pytest.mark.parametrize("scenario", ["run_out", "run_out_with_handler"])
@pytest.mark.parametrize("interval", [None, INTERVAL_BYTES], ids=["exact", "sampled"])
def test_an_exception_leaves_a_watched_operator_new(daemon, start, case, scenario, interval):
    program = start(*case, interval=interval)
    truth = program.tell(f"{scenario} 100")
    assert truth["counts"]["thrown"] == 100
    if not interval:
        assert_exact(daemon, program)
    program.tell("allocate")
    program.tell("free_all")
    if not interval:
        assert_all_gone(daemon, program)
    assert program.end() == 0


@pytest.mark.parametrize("backend", ["multi", "perf"])
def test_exits_are_seen_by_the_other_back_ends(new_daemon, run, backend):
    daemon = new_daemon(attach_backend=backend).start()
    program = run("operators_jemalloc")
    daemon.watch(program)
    assert program.tell("run_out 100")["counts"]["thrown"] == 100
    assert_exact(daemon, program)
    program.tell("allocate")
    assert_exact(daemon, program)
    program.tell("free_all")
    assert_all_gone(daemon, program)
    assert daemon.target(program.pid)["unknown_frees"] == 0
    assert program.end() == 0
