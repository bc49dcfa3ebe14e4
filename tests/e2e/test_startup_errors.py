# SPDX-License-Identifier: Apache-2.0
"""Starts that have to fail say what, why, and what would be right."""
import socket

import pytest

from harness import paths
from harness.daemon import READY_SECONDS
from harness.paths import NOBODY
from harness.wait import eventually


def assert_fails(one, *words, **options):
    status, log = one.fail_to_start(**options)
    assert status not in (0, None) and status > 0, (status, log)
    for word in words:
        assert word.lower() in log.lower(), (word, log)


def test_a_second_instance_on_the_same_socket_is_refused(new_daemon):
    first, second = new_daemon().start(), new_daemon()
    second.socket = first.socket
    assert_fails(second, str(first.socket), "another memwatchd")
    assert first.is_ready()


def test_a_second_instance_on_the_same_state_directory_is_refused(new_daemon):
    first, second = new_daemon().start(), new_daemon()
    second.state_dir = first.state_dir
    assert_fails(second, str(first.state_dir), "another")
    assert first.is_ready()


def test_a_port_that_is_taken_is_named(new_daemon):
    one = new_daemon()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        one.port = other.getsockname()[1]
        assert_fails(one, f"127.0.0.1:{one.port}", "another process")


def test_a_file_in_the_sockets_place_is_kept_and_named(new_daemon):
    one = new_daemon()
    one.socket.write_text("precious")
    assert_fails(one, str(one.socket))
    assert one.socket.read_text() == "precious"


@pytest.mark.parametrize("line, words", [
    ("no_such_key = 1", ["no_such_key"]),
    ("sampling_interval = plenty", ["sampling_interval", "plenty"]),
    ("targets_max = 100000", ["targets_max", "1024"]),
    ("attach_backend = magic", ["attach_backend", "magic", "session", "perf"]),
    ("log_level = loud", ["log_level", "loud", "debug"]),
    ("just words", ["="]),
    ("ring_buffer = 100000", ["ring_buffer", "power"]),
])
def test_a_mistake_in_the_configuration_is_named_with_file_line_and_key(new_daemon, line, words):
    one = new_daemon()
    one.config.write_text(f"# first line\n{line}\n")
    assert_fails(one, f"{one.config}:2", *words)


def test_a_configuration_file_that_was_asked_for_must_exist(new_daemon):
    one = new_daemon()
    one.config.unlink()
    assert_fails(one, str(one.config), "no such file")


def test_unknown_options_are_usage_errors(new_daemon):
    one = new_daemon()
    assert one.launch([str(paths.MEMWATCHD), "--no-such-option"]).process.wait(5) == 2
    assert "--no-such-option" in one.log_text


def test_an_attach_backend_that_was_asked_for_and_does_not_work_is_an_error(new_daemon):
    one = new_daemon(attach_backend="perf")
    hide = "mount -t tmpfs -o ro hidden /sys/bus/event_source/devices && exec \"$@\""
    assert_fails(one, "attach_backend = perf", "no such file",
                 command=["unshare", "--mount", "sh", "-c", hide, "sh", *one.command()])


def test_without_privileges_it_says_which_are_missing(new_daemon):
    one = new_daemon()
    one.directory.chmod(0o777)
    assert_fails(one, "not permitted", "CAP_BPF", user=NOBODY, group=NOBODY, extra_groups=[])


def test_without_btf_it_says_so(new_daemon):
    one = new_daemon()
    hide = "mount --bind /dev/null /sys/kernel/btf/vmlinux && exec \"$@\""
    assert_fails(one, "BTF",
                 command=["unshare", "--mount", "sh", "-c", hide, "sh", *one.command()])


def test_in_a_pid_namespace_of_its_own_it_says_so(new_daemon):
    one = new_daemon()
    assert_fails(one, "PID namespace", "host",
                 command=["unshare", "--pid", "--fork", "--mount-proc", *one.command()])


def test_without_tracefs_it_mounts_it_or_says_so(new_daemon):
    one = new_daemon()
    hide = ("for folder in /sys/kernel/tracing /sys/kernel/debug; do"
            " mount -t tmpfs -o ro hidden $folder; done; exec \"$@\"")
    one.launch(["unshare", "--mount", "sh", "-c", hide, "sh", *one.command()])
    eventually(one.is_ready_or_over, "ready or over", READY_SECONDS)
    assert one.is_ready() or "tracefs" in one.log_text, one.log_text


def test_a_state_directory_that_cannot_be_made_is_named(new_daemon):
    one = new_daemon()
    one.state_dir = one.config / "state"
    assert_fails(one, str(one.state_dir), "not a directory")
