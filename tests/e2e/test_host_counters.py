# SPDX-License-Identifier: Apache-2.0
"""Page faults and resident memory of processes that nobody watches."""
from harness import process
from harness.wait import eventually_passes

PAGES = 20_000
PAGE_BYTES = 4096
# The kernel keeps its counters per CPU and adds them up now and then.
RSS_TOLERANCE_BYTES = 512 << 10


def of_process(daemon, pid):
    return daemon.get(f"/api/v1/processes/{pid}")


def assert_as_the_kernel_says(daemon, pid):
    def check():
        found = of_process(daemon, pid)
        assert found["minor_faults"] == process.minor_faults(pid)
        assert found["major_faults"] == process.major_faults(pid)
        assert abs(found["rss_bytes"] - process.rss_bytes(pid)) <= RSS_TOLERANCE_BYTES
        return found

    return eventually_passes(check)


def test_faults_and_rss_of_a_process_are_what_the_kernel_counts(daemon, run):
    program = run("pages")
    before = assert_as_the_kernel_says(daemon, program.pid)
    program.tell(f"touch {PAGES}")
    after = assert_as_the_kernel_says(daemon, program.pid)
    assert PAGES <= after["minor_faults"] - before["minor_faults"] <= PAGES + 100
    grown = after["rss_anon_bytes"] - before["rss_anon_bytes"]
    assert abs(grown - PAGES * PAGE_BYTES) <= RSS_TOLERANCE_BYTES
    program.tell("release")
    released = assert_as_the_kernel_says(daemon, program.pid)
    assert released["rss_anon_bytes"] <= before["rss_anon_bytes"] + RSS_TOLERANCE_BYTES
    assert released["peak_rss_bytes"] >= PAGES * PAGE_BYTES


def test_a_process_from_before_the_daemon_is_counted(new_daemon, run):
    program = run("pages")
    program.tell(f"touch {PAGES}")
    assert_as_the_kernel_says(new_daemon().start(), program.pid)


def test_faults_of_threads_count_for_the_process(daemon, run):
    program = run("threads")
    program.tell("run 2000")
    assert_as_the_kernel_says(daemon, program.pid)


def test_ps_lists_the_largest_first(daemon, run):
    program = run("pages")
    program.tell("touch 100000")

    def check():
        answer = daemon.ctl("ps")
        sizes = [entry["rss_bytes"] for entry in answer["processes"]]
        assert sizes == sorted(sizes, reverse=True)
        (mine,) = (entry for entry in answer["processes"] if entry["pid"] == program.pid)
        assert mine["comm"] == "pages"
        assert mine["threads"] == 1
        assert mine["rss_bytes"] >= 100_000 * PAGE_BYTES
        assert not mine["target"]
        assert answer["processes_total"] >= len(sizes)

    eventually_passes(check)


def test_processes_of_the_whole_host_are_listed(daemon):
    # Kernel threads hold no memory; and sandboxes hide their first process even from root.
    wanted = {pid for pid in process.all_pids()
              if not process.is_kernel_thread(pid) and process.is_open_to_us(pid)}
    found = {entry["pid"] for entry in daemon.get("/api/v1/processes")["processes"]}
    missing = [pid for pid in wanted - found if process.state(pid) not in (None, "Z", "X")]
    assert not missing


def test_host_metrics_go_up(daemon, run):
    before = host_faults(daemon)
    run("pages").tell(f"touch {PAGES}")
    eventually_passes(lambda: _assert_grown(host_faults(daemon) - before))


def _assert_grown(faults):
    assert faults >= PAGES


def host_faults(daemon):
    _, text = daemon.request_tcp("/metrics")
    line = next(line for line in text.splitlines()
                if line.startswith('memwatch_host_page_faults_total{type="minor"}'))
    return float(line.split()[-1])
