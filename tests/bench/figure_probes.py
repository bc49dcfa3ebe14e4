# SPDX-License-Identifier: Apache-2.0
"""What this kernel charges for a probe that does nothing, at the addresses that memwatch chooses
and at the one it avoids. Nothing of memwatch runs: this is what its cost is compared with."""

from harness import EmptyProbes, Loops
from report import Row

NAME = "probes"
TITLE = "Empty probes on malloc and free, 64 bytes, per malloc+free pair"

LOOP = "pairs 64 5"


def limit_probes(offsets):
    """The three probes that no account of malloc and free can do without."""
    malloc, free = offsets["malloc"][1], offsets["free"][1]
    return [f"entry:{malloc}", f"return:{malloc}", f"entry:{free}"]


def measure(bench):
    libc = bench.libc_path()
    offsets = bench.probe_offsets(libc)
    conditions = {
        "one on malloc": [f"entry:{offsets['malloc'][1]}"],
        "one on malloc's return": [f"return:{offsets['malloc'][1]}"],
        "one on free, where memwatch puts it": [f"entry:{offsets['free'][1]}"],
        "one on free's entry": [f"entry:{offsets['free'][0]}"],
        "three (the limit)": limit_probes(offsets),
    }
    command = f"{LOOP} {bench.seconds}"
    unprobed = []
    probed = {name: [] for name in conditions}
    with Loops(bench) as loops:
        for index in range(bench.rounds):
            bench.progress(f"probes: round {index + 1} of {bench.rounds}")
            unprobed.append(loops.run(command).undisturbed_ns)
            for name, probes in conditions.items():
                with EmptyProbes(bench, loops.pid, libc, probes):
                    probed[name].append(loops.run(command).undisturbed_ns)
    rows = [Row.compare(name, values, "unprobed", unprobed) for name, values in probed.items()]
    notes = [
        f"{name}: probed at {probe - entry:+d}: {reason}"
        for name, (entry, probe, reason) in offsets.items()
    ]
    return rows, notes
