# SPDX-License-Identifier: Apache-2.0
"""Statistics of alternating conditions, the table of figures, and build/bench.json."""

import contextlib
import json
import os
import platform
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median


def percentile(values, share):
    """Linear interpolation between the closest ranks."""
    ordered = sorted(values)
    position = (len(ordered) - 1) * share
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def pairwise(measured, baseline):
    """The ratio within each round: what drifts from round to round cancels out."""
    return [after / before for after, before in zip(measured, baseline, strict=True)]


@dataclass
class Row:
    """One line of the table.

    A row with ratios compares two conditions, and `must` bounds the median ratio; a row without
    them is an absolute figure, and `must` bounds its median. Without `must`: stated only.
    """

    name: str
    measured: list
    unit: str = "ns"
    baseline_name: str = ""
    baseline: list = field(default_factory=list)
    ratios: list = field(default_factory=list)
    must: float | None = None

    @classmethod
    def compare(cls, name, measured, baseline_name, baseline, unit="ns", must=None):
        ratios = pairwise(measured, baseline)
        return cls(name, measured, unit, baseline_name, baseline, ratios, must)

    @property
    def judged(self):
        return self.ratios or self.measured

    @property
    def is_met(self):
        return self.must is None or median(self.judged) <= self.must

    def cells(self):
        low, high = percentile(self.judged, 0.1), percentile(self.judged, 0.9)
        baseline = ""
        if self.baseline:
            baseline = f"{self.baseline_name} {quantity(median(self.baseline), self.unit)}"
        form = ratio if self.ratios else number
        must = verdict = ""
        if self.must is not None:
            must = f"<= {form(self.must)}" + ("" if self.ratios else f" {self.unit}")
            verdict = "ok" if self.is_met else "NOT MET"
        return [
            self.name,
            baseline,
            quantity(median(self.measured), self.unit),
            ratio(median(self.ratios)) if self.ratios else "",
            f"{form(low)} - {form(high)}" if len(self.judged) > 1 else "",
            must,
            verdict,
        ]

    def as_json(self):
        judged = self.judged
        return asdict(self) | {
            "median": median(judged),
            "percentile_10": percentile(judged, 0.1),
            "percentile_90": percentile(judged, 0.9),
            "is_met": self.is_met,
        }


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def quantity(value, unit):
    return f"{number(value)} {unit}"


def ratio(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.3f}"


HEADINGS = ["figure", "baseline", "measured", "ratio", "10%-90%", "must", ""]


def table(rows):
    """Aligned text: words to the left, numbers to the right."""
    lines = [HEADINGS] + [row.cells() for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    text = []
    for line in lines:
        cells = [
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths))
        ]
        text.append("  ".join(cells).rstrip())
    return "\n".join(text)


def probing_processes():
    """Who may have probes on the same libc: each hit then runs theirs too, the limit's as well."""
    names = {}
    for comm in Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):
            names[int(comm.parent.name)] = comm.read_text(encoding="utf-8").strip()
    return {pid: name for pid, name in names.items() if name in ("memwatchd", "bpftrace")}


def machine():
    """What the figures are worth depends on it."""
    with open("/proc/cpuinfo", encoding="ascii") as cpuinfo:
        models = [line.split(":")[1].strip() for line in cpuinfo if line.startswith("model name")]
    return {
        "kernel": platform.release(),
        "machine": platform.machine(),
        "cpu_model": models[0] if models else "",
        "cpus": os.cpu_count(),
        "libc": " ".join(platform.libc_ver()),
        "load_average": os.getloadavg()[0],
        "probing_processes": probing_processes(),
    }


def write_json(path, machine_before, results, rounds, is_quick):
    document = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": machine_before,
        "rounds": rounds,
        "is_quick": is_quick,
        "figures": {
            name: {"title": title, "rows": [row.as_json() for row in rows], "notes": notes}
            for name, title, rows, notes in results
        },
    }
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    temporary.replace(path)
