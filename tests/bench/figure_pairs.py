# SPDX-License-Identifier: Apache-2.0
"""A program that does nothing but malloc and free, the worst that a watch can meet.

The stack at malloc has 10 frames, all with frame pointers: about what a server has when it handles
a request; one loop has 40. memwatch takes it on every call in exact mode. The bpftrace script keeps
the same account (outstanding bytes by stack) as an operator would write it, with free probed at its
entry: bpftrace 0.17 refuses any other place."""

import collections
import contextlib
import tempfile
import time
from pathlib import Path

from figure_probes import limit_probes
from harness import START_SECONDS, BenchError, Child, Daemon, EmptyProbes, Loops, cpus_other
from report import Row

NAME = "pairs"
TITLE = "malloc+free loop, per pair"
EXACT_MUST = 2.0
SAMPLED_MUST = 0.9

# (name, loop, whether the musts hold for it)
LOOPS = [
    ("64 bytes", "pairs 64 5", True),
    ("mixed sizes", "mixed 5", True),
    ("64 bytes, 40 frames", "pairs 64 35", False),
]

# (condition, what it is, the condition it is compared with, must)
ROWS = [
    ("limit", "three empty probes", "unprobed", None),
    ("exact", "memwatch exact", "limit", EXACT_MUST),
    ("sampled", "memwatch sampled", "limit", SAMPLED_MUST),
    ("bpftrace", "bpftrace", "limit", None),
]

BPFTRACE = """
uprobe:LIBC:malloc /pid == PID/ { @size[tid] = arg0; }
uretprobe:LIBC:malloc /@size[tid]/ {
	@bytes[retval] = @size[tid];
	@stack[retval] = ustack;
	@outstanding[ustack] = sum((int64)@size[tid]);
	delete(@size[tid]);
}
uprobe:LIBC:free /pid == PID && @bytes[arg0]/ {
	@outstanding[@stack[arg0]] = sum(-(int64)@bytes[arg0]);
	delete(@bytes[arg0]);
	delete(@stack[arg0]);
	if (@is_counting == 0) { printf("counting\\n"); @is_counting = 1; }
}
END { clear(@size); clear(@bytes); clear(@stack); clear(@is_counting); }
"""


class Bpftrace(Child):
    """Runs the script on a looping process. bpftrace needs tracefs: it gets a mount of its own."""

    def __init__(self, loops, libc):
        self.loops = loops
        self.directory = tempfile.TemporaryDirectory(prefix="memwatch-bench-")
        script = Path(self.directory.name) / "outstanding.bt"
        script.write_text(
            BPFTRACE.replace("LIBC", libc).replace("PID", str(loops.pid)), encoding="ascii"
        )
        tracefs = "/sys/kernel/tracing"
        mounted = f"mountpoint -q {tracefs} || mount -t tracefs tracefs {tracefs}"
        command = f"{mounted}; exec bpftrace -B line -p {loops.pid} {script}"
        self.log = Path(self.directory.name) / "log"
        super().__init__(["unshare", "--mount", "sh", "-c", command], cpus_other(), self.log)

    def wait_started(self):
        """It says that it attaches before it does: only the script's own line proves it."""
        deadline = time.monotonic() + START_SECONDS
        try:
            while self.poll_line(0) != "counting":
                self.loops.run("pairs 64 1 0.01")
                if time.monotonic() > deadline:
                    raise BenchError("bpftrace does not attach")
        except BenchError as error:
            words = self.log.read_text(encoding="utf-8", errors="replace").strip()
            raise BenchError(f"{error}: {words}") from error

    def stop(self):
        self.process.terminate()
        super().stop()
        self.directory.cleanup()


def hits_check(daemon, pid, pairs):
    """A watch that saw nothing would be cheap."""
    hits = daemon.target(pid)["allocation_hits"]
    if hits < 0.99 * pairs:
        raise BenchError(f"memwatch saw {hits} of {pairs} allocations")


def frames_at_malloc(daemon, pid):
    """The depths of the stacks that allocated most, one for each loop."""
    answer = daemon.control("stacks", "--pid", pid, "--sort", "allocated", "--top", len(LOOPS))
    return ", ".join(str(len(site["stack"])) for site in answer["sites"])


def measure_conditions(bench):
    """{(loop, condition): [ns per pair]}, and the frames that memwatch took in each loop."""
    libc = bench.libc_path()
    probes = limit_probes(bench.probe_offsets(libc))
    results = collections.defaultdict(list)
    with Loops(bench) as loops, Daemon(bench) as daemon:
        conditions = {
            "unprobed": contextlib.nullcontext,
            "limit": lambda: EmptyProbes(bench, loops.pid, libc, probes),
            "exact": lambda: daemon.watching(loops.pid, "--exact"),
            "sampled": lambda: daemon.watching(loops.pid),
            "bpftrace": lambda: Bpftrace(loops, libc),
        }
        for index in range(bench.rounds):
            bench.progress(f"pairs: round {index + 1} of {bench.rounds}")
            for condition, context in conditions.items():
                pairs = 0
                with context():
                    for name, command, _ in LOOPS:
                        loop = loops.run(f"{command} {bench.seconds}")
                        pairs += loop.count
                        results[name, condition].append(loop.undisturbed_ns)
                    if condition in ("exact", "sampled"):
                        hits_check(daemon, loops.pid, pairs)
                    if condition == "exact":
                        frames = frames_at_malloc(daemon, loops.pid)
    return results, frames


def measure(bench):
    results, frames = measure_conditions(bench)
    rows = [
        Row.compare(
            f"{name}: {label}",
            results[name, condition],
            baseline,
            results[name, baseline],
            must=must if has_musts else None,
        )
        for name, _, has_musts in LOOPS
        for condition, label, baseline, must in ROWS
    ]
    return rows, [f"frames that memwatch took at malloc: {frames}"]
