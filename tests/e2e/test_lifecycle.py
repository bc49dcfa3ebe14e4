# SPDX-License-Identifier: Apache-2.0
"""How memwatchd begins and ends, and what it leaves behind: nothing."""
import signal

from harness import process
from harness.compare import assert_exact, direct_caller
from harness.wait import eventually

KILLS = 20
LIBC = "libc.so"


def test_sigkill_leaves_the_target_unharmed_and_its_text_as_in_the_file(new_daemon, run):
    program = run("threads")
    for _ in range(KILLS):
        one = new_daemon().start()
        program.tell("start")
        one.watch(program)
        assert process.changed_text_offsets(program.pid, LIBC), "it is being watched"
        one.kill()
        eventually(lambda: not process.changed_text_offsets(program.pid, LIBC),
                   "no probe is left")
        # It answers after all of its threads have come to their end.
        program.tell("stop")
    program.tell("free_all")
    assert program.end() == 0


def test_sigkill_in_the_middle_of_a_thousand_calls_of_handlers(new_daemon, run):
    """Return addresses that the kernel has replaced lead home although memwatchd is gone."""
    program = run("midcall")
    one = new_daemon().start()
    one.watch(program)
    program.send("jump_out")
    one.kill()
    program.read()
    for scenario in ("allocate_in_handler", "end_threads", "jump_out"):
        program.tell(scenario)
    assert program.end() == 0


def test_sigterm_ends_it_and_restores_the_text(new_daemon, run):
    programs = [run("threads") for _ in range(3)]
    one = new_daemon().start()
    for program in programs:
        program.tell("start")
        one.watch(program)
    assert one.terminate() == 0, one.log_text
    for program in programs:
        eventually(lambda: not process.changed_text_offsets(program.pid, LIBC),
                   "no probe is left")
        program.tell("stop")
    assert not one.socket.exists()


def test_sigterm_ends_it_while_somebody_observes(new_daemon, run):
    program = run("leaky")
    one = new_daemon().start()
    observation = one.start_ctl("leaks", "--pid", program.pid, "--for", 30)
    eventually(lambda: one.target(program.pid), "observed")
    assert one.terminate() == 0, one.log_text
    _, errors = observation.communicate(timeout=40)
    assert observation.returncode == 3, errors


def test_sigint_ends_it_too(new_daemon):
    one = new_daemon().start()
    one.process.send_signal(signal.SIGINT)
    assert one.process.wait(5) == 0


def test_unwatch_restores_the_text(daemon, run):
    program = run("threads")
    program.tell("start")
    daemon.watch(program)
    assert process.changed_text_offsets(program.pid, LIBC)
    daemon.ctl("unwatch", "--pid", program.pid)
    eventually(lambda: not process.changed_text_offsets(program.pid, LIBC), "no probe is left")
    program.tell("stop")
    assert daemon.target(program.pid) is None


def test_the_text_of_an_unwatched_process_stays_untouched(daemon, run):
    watched, neighbour = run("threads"), run("threads")
    daemon.watch(watched)
    late = run("threads")
    for other in (neighbour, late):
        other.tell("run 100")
        assert not process.changed_text_offsets(other.pid, LIBC)
    assert process.changed_text_offsets(watched.pid, LIBC)


def test_a_target_that_ends_keeps_its_names_and_numbers(daemon, run):
    program = run("allocators")
    daemon.watch(program)
    truth = program.tell("allocate")
    assert_exact(daemon, program)
    assert program.end() == 0
    eventually(lambda: daemon.target(program.pid) is None, "it is no target any more")
    answer = daemon.ctl("stacks", "--pid", program.pid)
    assert answer["ended"]
    assert answer["end_reason"] == "exited"
    allocated = {direct_caller(site): site["allocated_bytes"]
                 for site in answer["sites"]}
    for site in truth["sites"]:
        assert allocated[site["function"]] == site["allocated_bytes"]


def test_sighup_reads_the_configuration_again(new_daemon, run):
    one = new_daemon(sampling_interval="16KiB").start()

    def default_interval():
        program = run("allocators")
        return one.ctl("watch", "--pid", program.pid)["sampling_interval_bytes"]

    assert default_interval() == 16 << 10
    one.configure(sampling_interval="128KiB")
    one.process.send_signal(signal.SIGHUP)
    eventually(lambda: default_interval() == 128 << 10, "the new interval")


def test_sighup_with_a_bad_configuration_keeps_the_old_one(new_daemon, run):
    one = new_daemon(sampling_interval="16KiB").start()
    one.configure(sampling_interval="plenty")
    one.process.send_signal(signal.SIGHUP)
    eventually(lambda: "plenty" in one.log_text, "the mistake is in the log")
    program = run("allocators")
    assert one.ctl("watch", "--pid", program.pid)["sampling_interval_bytes"] == 16 << 10


def test_a_socket_left_by_a_killed_daemon_is_taken_over(new_daemon, run):
    one = new_daemon().start()
    one.kill()
    assert one.socket.exists()
    one.start()
    program = run("allocators")
    one.watch(program)
    program.tell("allocate")
    assert_exact(one, program)


def test_two_daemons_may_watch_the_same_process(new_daemon, run):
    program = run("allocators")
    daemons = [new_daemon().start() for _ in range(2)]
    for one in daemons:
        one.watch(program)
    program.tell("allocate")
    for one in daemons:
        assert_exact(one, program)
    daemons[0].terminate()
    program.tell("free_half")
    assert_exact(daemons[1], program)
