# SPDX-License-Identifier: Apache-2.0
"""
A process that reports its own heap samples by USDT probes (otel_memory) is watched by these and
left alone otherwise.
"""
import pytest

from harness import paths, process
from harness.compare import (assert_estimated, assert_exact, assert_nothing_lost,
                             by_direct_caller, site_of)
from harness.wait import eventually, eventually_passes

# The compiler decides where a probe finds its arguments.
BUILDS = ["contract", "contract_O0", "contract_O2", "contract_static",
          "contract_without_semaphores"]
INTERVAL = 65536  # of the program's own sampler
PROBES = {"alloc": 15, "free": 4}  # each place where contract.c reports


def watch(daemon, program):
    return daemon.ctl("watch", "--pid", program.pid)


def semaphores(program):
    counts = program.tell("semaphores")["counts"]
    return counts["alloc_semaphore"], counts["free_semaphore"]


def is_probed_by(daemon, program, allocators):
    target = daemon.target(program.pid)
    return target is not None and target["allocators"] == allocators


def answer_of(daemon, program):
    return daemon.ctl("stacks", "--pid", program.pid)


@pytest.mark.parametrize("build", BUILDS)
def test_the_account_is_what_the_process_reports(daemon, run, build):
    program = run(build)
    answer = watch(daemon, program)
    assert answer["provider"] == "otel_memory"
    assert answer["sampling_interval_bytes"] is None
    program.tell("give 20")
    assert_exact(daemon, program)
    program.tell("free_half")
    assert_exact(daemon, program)
    program.tell("give 3")
    assert_exact(daemon, program)
    assert_nothing_lost(answer_of(daemon, program))
    program.tell("free_all")
    assert_exact(daemon, program)
    answer = answer_of(daemon, program)
    assert answer["outstanding_bytes_stderr"] == 0
    assert answer["provider"] == "otel_memory"
    assert answer["sampling_interval_bytes"] is None


def test_threads_report_at_once(daemon, run):
    program = run("contract")
    watch(daemon, program)
    program.tell("give_in_threads 5000")
    assert_exact(daemon, program)
    assert_nothing_lost(answer_of(daemon, program))
    target = daemon.target(program.pid)
    assert target["unknown_frees"] == target["missed_frees"] == 0


def test_what_the_target_says_of_itself(daemon, run):
    program = run("contract")
    watch(daemon, program)
    program.tell("give 5")
    target = daemon.target(program.pid)
    assert target["provider"] == "otel_memory"
    assert target["provider_reason"] is None
    assert target["allocators"] == "otel_memory"
    assert target["sampling_interval_bytes"] is None
    assert daemon.get("/api/v1/status")["targets_reporting"] >= 1
    text = daemon.try_ctl("stacks", "--pid", program.pid).output
    assert "by the process itself (otel_memory)" in text
    assert "otel_memory" in daemon.try_ctl("watch", "--pid", program.pid).output
    assert "its own" in daemon.try_ctl("targets").output
    assert "otel_memory" in daemon.try_ctl("status").output
    other = run("allocators")
    assert daemon.watch(other)["provider"] == "uprobes"
    assert daemon.target(other.pid)["provider"] == "uprobes"


def test_a_stated_error_follows_from_size_and_weight(daemon, run):
    """Of w and s, w (w - s) is an unbiased estimate of the variance."""
    program = run("contract")
    watch(daemon, program)
    program.tell("give 7")
    blocks = {"by_constants": (100, 655), "by_registers": (48, 1000), "by_the_stack": (320, 201),
              "by_an_indexed_table": (640, 77), "by_narrow_types": (200, 300),
              "one_by_one": (1 << 20, 1)}

    def check():
        found = by_direct_caller(daemon.sites(program.pid))
        for name, (size, stands_for) in blocks.items():
            weight = size * stands_for
            # Kept in units, rounded for each block.
            assert found[name]["variance"] == pytest.approx(7 * weight * (weight - size), rel=1e-4)

    eventually_passes(check)


def test_its_malloc_is_not_counted_and_not_probed(daemon, run):
    program = run("contract")
    watch(daemon, program)
    before = daemon.target(program.pid)
    program.tell("allocate_unreported 10000")
    program.tell("give 4")  # large ones too, for which malloc maps memory
    assert_exact(daemon, program)
    sites = daemon.sites(program.pid)
    assert {site["kind"] for site in sites} == {"block"}
    after = daemon.target(program.pid)
    assert after["allocation_hits"] - before["allocation_hits"] < 1000
    assert after["free_hits"] - before["free_hits"] < 1000
    assert after["allocator_mapping_bytes"] >= 4 << 20
    assert process.changed_text_offsets(program.pid, "contract")
    libc = process.changed_text_offsets(program.pid, "libc.so")
    assert 0 < len(libc) <= 3, "mmap, munmap and mremap"


def test_its_own_mappings_stay_in_the_account(daemon, run):
    program = run("contract")
    watch(daemon, program)
    program.tell("map 5")
    assert_exact(daemon, program, kind="mapping")


def test_semaphores_are_up_while_it_is_watched(daemon, run):
    program = run("contract")
    assert semaphores(program) == (0, 0)
    watch(daemon, program)
    assert semaphores(program) == (PROBES["alloc"], PROBES["free"])
    daemon.ctl("unwatch", "--pid", program.pid)
    assert semaphores(program) == (0, 0)
    program.tell("give 3")
    assert program.truth["sites"] == [], "it reports to nobody"


def test_semaphores_are_down_after_a_sigkill(new_daemon, run):
    one = new_daemon().start()
    program = run("contract")
    watch(one, program)
    assert semaphores(program)[0] > 0
    one.kill()
    # The kernel takes the link down in its own time.
    eventually(lambda: semaphores(program) == (0, 0), "semaphores down")
    assert process.changed_text_offsets(program.pid, "contract") == []


def test_processes_of_one_program_do_not_disturb_each_other(daemon, run):
    """Each has a listener at the same places; nobody's stack may be touched for that."""
    programs = [run("contract") for _ in range(3)]
    for program in programs:
        watch(daemon, program)
    unwatched = run("contract")
    for count, program in enumerate(programs, start=5):
        program.tell(f"give {count}")
    assert unwatched.tell("give 3")["sites"] == []
    assert semaphores(unwatched) == (0, 0)
    for program in programs:
        assert_exact(daemon, program)
        assert_nothing_lost(answer_of(daemon, program))


def test_a_child_is_neither_counted_nor_left_reporting(daemon, run):
    program = run("contract")
    watch(daemon, program)
    program.tell("fork_and_report 100")
    program.tell("give 2")
    assert_exact(daemon, program)


def test_semaphores_that_a_fork_has_copied_go_down(daemon, run):
    program = run("contract")
    watch(daemon, program)
    counts = program.tell("fork_and_stay")["counts"]

    def semaphore_of_child():
        with open(f"/proc/{counts['child']}/mem", "rb", buffering=0) as memory:
            memory.seek(counts["semaphore_address"])
            return int.from_bytes(memory.read(2), "little")

    eventually(lambda: semaphore_of_child() == 0, "the child's copy is swept out")
    assert semaphores(program) == (PROBES["alloc"], PROBES["free"])
    program.tell("give 2")
    assert_exact(daemon, program)


def test_a_real_sampler_lies_within_four_standard_errors(daemon, run):
    program = run("contract")
    watch(daemon, program)
    program.tell("draw 60000")
    eventually_passes(lambda: assert_estimated(daemon, program, INTERVAL))
    program.tell("free_drawn 2")
    eventually_passes(lambda: assert_estimated(daemon, program, INTERVAL))
    assert_nothing_lost(answer_of(daemon, program))
    program.tell("free_drawn 1")

    def all_gone():
        answer = answer_of(daemon, program)
        assert answer["outstanding_bytes"] == 0
        assert answer["outstanding_bytes_stderr"] == 0

    eventually_passes(all_gone)
    assert daemon.target(program.pid)["unknown_frees"] == 0


def test_a_block_reported_twice_was_freed_in_between(daemon, run):
    program = run("contract")
    watch(daemon, program)
    program.tell("report_again 40")
    assert_exact(daemon, program)
    target = daemon.target(program.pid)
    assert target["missed_frees"] == program.truth["counts"]["missed_frees"]


def test_frees_of_unknown_blocks_are_counted(daemon, run):
    program = run("contract")
    watch(daemon, program)
    program.tell("free_unknown 30")
    wanted = program.truth["counts"]["unknown_frees"]
    eventually(lambda: daemon.target(program.pid)["unknown_frees"] == wanted, "all are counted")


def test_samples_that_cannot_be_are_refused_and_counted(daemon, run):
    program = run("contract")
    watch(daemon, program)
    program.tell("report_absurdly")
    wanted = program.truth["counts"]["invalid_samples"]

    def check():
        answer = answer_of(daemon, program)
        assert answer["losses"]["invalid_samples"] == wanted
        assert answer["lost_events"] == wanted
        assert not answer["complete"]
        assert "sizes or weights" in answer["incomplete_reason"]
        assert answer["outstanding_bytes"] == 0

    eventually_passes(check)
    program.tell("give 3")
    assert_exact(daemon, program)


def test_sums_never_overflow(daemon, run):
    """2^47 bytes at a time: from the 2^15th on the sum would be near 64 bits' end."""
    count = 40000
    program = run("contract")
    watch(daemon, program)
    program.tell(f"report_endlessly {count}")

    def check():
        answer = answer_of(daemon, program)
        site = answer["sites"][0]
        accounted = count - answer["losses"]["invalid_samples"]
        assert 0 < accounted < count
        assert site["allocated_bytes"] == accounted << 47
        assert site["allocated_bytes"] <= 1 << 62
        assert site["allocated_objects"] == accounted
        assert site["outstanding_bytes"] == 1 << 47
        assert not answer["complete"]

    eventually_passes(check)


@pytest.mark.parametrize("option", [["--exact"], ["--interval", "4096"]])
def test_sampling_is_not_ours_to_choose(daemon, run, option):
    program = run("contract")
    outcome = daemon.try_ctl("watch", "--pid", program.pid, *option)
    assert outcome.status == 1
    assert "draws its heap samples itself" in outcome.errors
    assert daemon.target(program.pid) is None
    assert semaphores(program) == (0, 0)
    watch(daemon, program)
    outcome = daemon.try_ctl("watch", "--pid", program.pid, *option)
    assert outcome.status == 1
    assert "draws its heap samples itself" in outcome.errors
    assert daemon.target(program.pid)["provider"] == "otel_memory"


def test_probes_that_come_with_a_library_take_over(daemon, run):
    program = run("contract_loader")
    daemon.watch(program)
    program.tell("allocate 10")
    assert_exact(daemon, program)
    ended = program.truth
    assert daemon.target(program.pid)["provider"] == "uprobes"
    program.tell("load")
    eventually(lambda: is_probed_by(daemon, program, "otel_memory"), "its own probes are used")
    program.tell("give 12")
    assert_exact(daemon, program)
    target = daemon.target(program.pid)
    assert target["persistent"]
    before = daemon.ended_targets(program.pid)
    assert [one["end_reason"] for one in before] == ["it reports its own samples now"]
    assert before[0]["provider"] == "uprobes"
    wanted = sum(site["outstanding_bytes"] for site in ended["sites"])
    assert before[0]["outstanding_bytes"] >= wanted


def test_an_observer_outlives_the_switch(daemon, run):
    program = run("contract_loader")
    lease = daemon.put(f"/api/v1/processes/{program.pid}/watch?lease=60")["lease_id"]
    program.tell("load")
    eventually(lambda: is_probed_by(daemon, program, "otel_memory"), "its own probes are used")
    renewed = daemon.put(f"/api/v1/processes/{program.pid}/watch?lease=60&lease_id={lease}")
    assert renewed["lease_id"] == lease
    status, text = daemon.request("DELETE",
                                  f"/api/v1/processes/{program.pid}/watch?lease_id={lease}")
    assert status == 200, text
    assert daemon.target(program.pid) is None


def test_exec_of_a_program_without_probes_goes_back_to_its_malloc(daemon, run):
    program = run("contract", paths.PROGRAMS / "contract_loader")
    watch(daemon, program)
    assert daemon.target(program.pid)["provider"] == "otel_memory"
    program.tell("become")
    eventually(lambda: is_probed_by(daemon, program, "glibc"), "its malloc is probed")
    assert daemon.target(program.pid)["provider"] == "uprobes"
    program.tell("allocate 20000")  # some ninety samples by the default interval
    assert daemon.target(program.pid)["sampling_interval_bytes"] == INTERVAL
    eventually_passes(lambda: site_of(daemon, program.pid, "mallocs"))


def test_exec_of_a_program_with_probes_goes_over_to_them(daemon, run):
    program = run("becomes", paths.PROGRAMS / "contract")
    daemon.watch(program)
    program.tell("become")
    eventually(lambda: is_probed_by(daemon, program, "otel_memory"), "its own probes are used")
    program.tell("give 5")
    assert_exact(daemon, program)
    assert_nothing_lost(answer_of(daemon, program))


def test_probes_that_cannot_be_read_are_named_and_malloc_is_watched(daemon, run):
    """A free that nobody could see would make a leak of each of its blocks."""
    program = run("contract_unusable")
    answer = daemon.watch(program)
    assert answer["provider"] == "uprobes"
    target = daemon.target(program.pid)
    assert "symbol" in target["provider_reason"]
    assert "contract_unusable" in target["provider_reason"]
    assert "is watched in its allocator" in daemon.try_ctl("targets").output
    program.tell("allocate_and_free 100")
    assert_exact(daemon, program)
    assert_nothing_lost(answer_of(daemon, program))


def test_a_place_that_cannot_be_probed_makes_the_account_incomplete(daemon, run):
    program = run("contract_partly_unusable")
    assert watch(daemon, program)["provider"] == "otel_memory"
    program.tell("allocate_and_free 100")
    assert_exact(daemon, program)
    program.tell("report_by_a_name 100")
    assert_exact(daemon, program)
    answer = answer_of(daemon, program)
    assert not answer["complete"]
    assert "1 of the places where it reports its allocations" in answer["incomplete_reason"]
    assert "symbol" in answer["incomplete_reason"]


def test_doctor_tells_of_contract_probes(daemon):
    check = next(check for check in daemon.get("/api/v1/doctor")["checks"]
                 if check["name"] == "contract probes")
    assert check["state"] == "ok"
    assert "otel_memory" in check["detail"]
