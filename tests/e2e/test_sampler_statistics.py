# SPDX-License-Identifier: Apache-2.0
"""
The sampler in the kernel against probability: the same known allocations over and over, each time
an independent draw. Means are unbiased, the stated error is the true one, and the interval of 1.96
stated errors to either side covers the truth as often as it says.

How likely a right sampler fails here. A mean may be off by 5.5 of its standard errors (two-sided
4e-8). Coverage of a nominal 95% interval must be 93% to 97%: for the mixes below it is 95.0% to
95.3% (simulated with 100,000 ideal draws each), which 4,000 draws measure to 0.34%, so that the
bounds lie at least 5 standard errors away (3e-7). All of it together: about 2e-6 a run.
"""
import dataclasses
import math

import pytest

from harness.compare import assert_nothing_lost, direct_caller
from harness.wait import eventually_passes

DRAWS = 4000
PATHS = 16
SIGMAS = 5.5
NOMINAL = 1.96
# What daemon/account/estimate.c adds to the variance, in squares of the interval.
SAMPLES_ADDED = 2


def log_uniform(count, low, high):
    return [round(low * (high / low) ** ((i + 0.5) / count)) for i in range(count)]


def heavy_tailed(count, low, high, exponent):
    """Quantiles of a Pareto distribution: most blocks are small, few hold most of the bytes."""
    return [min(high, round(low * (count / (i + 0.5)) ** (1 / exponent))) for i in range(count)]


MIXES = {
    "small": (log_uniform(500, 16, 128), 512),
    "16 bytes to 64 MiB": (log_uniform(270, 16, 64 << 10) + log_uniform(20, 64 << 10, 64 << 20),
                           64 << 10),
    "heavy-tailed": (heavy_tailed(400, 16, 64 << 20, 1.1), 1024),
    "around the interval": (log_uniform(160, 32 << 10, 128 << 10), 64 << 10),
    "short interval": (log_uniform(200, 1, 127), 128),
}
# Blocks of one size: so many samples expected, and the coverage by the Poisson distribution.
FEW_SAMPLES = [(1, 0.9999), (4, 0.9808), (8, 0.9539)]


@dataclasses.dataclass
class Mix:
    """Sizes that are all allocated in each round, and what sampling them does to the estimates."""
    sizes: list
    interval: int

    def __post_init__(self):
        self.bytes = sum(self.sizes)
        # Weights are whole bytes, of about an interval each: what that may make of the sum.
        self.rounding = 0.5 * self.bytes / self.interval
        self.variance = self.objects_variance = 0
        self.variance_of_square = self.variance_of_stated = 0
        for size in self.sizes:
            if size >= self.interval:
                continue  # always taken
            taken = -math.expm1(-size / self.interval)
            weight, missed = size / taken, 1 - taken
            self.variance += weight * (weight - size) * taken
            self.objects_variance += missed / taken
            # Of a sum of independent terms the fourth cumulants add up.
            self.variance_of_square += taken * missed * (1 - 6 * taken * missed) * weight ** 4
            self.variance_of_stated += taken * missed * (weight * (weight - size)) ** 2
        self.variance_of_square += 2 * self.variance ** 2


@dataclasses.dataclass
class Draw:
    """How far off the account was, and what it said of that."""
    error: float
    stated: float
    objects_error: float

    @property
    def is_covered(self):
        return abs(self.error) <= NOMINAL * self.stated


def assert_mean(values, wanted, variance, what, rounding=0):
    mean = sum(values) / len(values)
    error = math.sqrt(variance / len(values))
    assert abs(mean - wanted) <= SIGMAS * error + rounding, (what, mean, wanted, error)


def assert_unbiased(mix, draws):
    """The sums, and what is said of their error: against the truth, and against probability."""
    assert_mean([one.error for one in draws], 0, mix.variance, "bytes", mix.rounding)
    assert_mean([one.objects_error for one in draws], 0, mix.objects_variance, "objects")
    assert_mean([one.error ** 2 for one in draws], mix.variance, mix.variance_of_square,
                "square of the error")
    assert_mean([one.stated ** 2 - SAMPLES_ADDED * mix.interval ** 2 for one in draws],
                mix.variance, mix.variance_of_stated, "stated variance")


def coverage(draws):
    return sum(one.is_covered for one in draws) / len(draws)


class Player:
    """One program whose rounds are read out before the next begins."""

    def __init__(self, daemon, program, mix):
        self.daemon, self.program, self.mix = daemon, program, mix
        for size in mix.sizes:
            program.tell(f"size {size}")
        daemon.watch(program, "--interval", mix.interval)

    def stacks(self):
        return self.daemon.get(f"/api/v1/processes/{self.program.pid}/stacks")

    def draws_of_sites(self, command, count, paths=PATHS):
        """Each path is a site and a draw of its own."""
        found = []
        while len(found) < count:
            truth = self.program.tell(f"{command} {paths}")["sites"][0]
            assert truth["outstanding_bytes"] == paths * self.mix.bytes
            # Numbers are there at once, but the first time a site's stack comes with an event.
            found += eventually_passes(lambda: self._read_sites(truth["function"], paths))
        assert_nothing_lost(self.stacks())
        return found

    def _read_sites(self, function, paths):
        sites = [site for site in self.stacks()["sites"] if direct_caller(site) == function]
        assert len(sites) == paths
        return [self._draw(site) for site in sites]

    def draws_of_account(self, command, count):
        """The whole account is one draw: it has nothing else in it."""
        found = []
        for _ in range(count):
            truth = self.program.tell(f"{command} 1")["sites"][0]
            assert truth["outstanding_bytes"] == self.mix.bytes
            found.append(self._draw(self.stacks()))
        return found

    def _draw(self, entry):
        return Draw(error=entry["outstanding_bytes"] - self.mix.bytes,
                    stated=entry["outstanding_bytes_stderr"],
                    objects_error=entry["outstanding_objects"] - len(self.mix.sizes))

    def assert_totals(self, truth):
        """What was ever allocated is as good an estimate, and all of it is freed in the end."""
        rounds = truth["allocated_bytes"] / self.mix.bytes
        self.program.tell("forget")
        answer = self.stacks()
        allocated = freed = 0
        for site in answer["sites"]:
            assert site["outstanding_bytes"] == site["outstanding_objects"] == 0
            if direct_caller(site) == truth["function"]:
                allocated += site["allocated_bytes"]
                freed += site["freed_bytes"]
        assert freed == allocated
        assert abs(allocated - truth["allocated_bytes"]) <= \
            SIGMAS * math.sqrt(self.mix.variance * rounds) + self.mix.rounding * rounds


@pytest.fixture
def play(daemon, run):
    return lambda mix: Player(daemon, run("known_blocks"), mix)


@pytest.mark.parametrize("name", MIXES)
def test_estimates_are_unbiased_and_their_stated_errors_honest(play, name):
    mix = Mix(*MIXES[name])
    player = play(mix)
    draws = player.draws_of_sites("by_malloc", DRAWS)
    assert_unbiased(mix, draws)
    assert 0.93 <= coverage(draws) <= 0.97
    player.assert_totals(player.program.truth["sites"][0])


@pytest.mark.parametrize("samples, share", FEW_SAMPLES)
def test_few_samples_are_no_excuse_for_a_small_stated_error(play, samples, share):
    interval, size, count = 64 << 10, 4 << 10, 600
    taken = -math.expm1(-size / interval)
    mix = Mix([size] * round(samples / taken), interval)
    draws = play(mix).draws_of_account("by_malloc", count)
    assert_unbiased(mix, draws)
    assert coverage(draws) >= share - SIGMAS * math.sqrt(share * (1 - share) / count)
    assert min(one.stated for one in draws) >= math.sqrt(SAMPLES_ADDED) * interval


def test_blocks_that_grow_and_shrink_on_their_way_are_drawn_like_any_other(play):
    mix = Mix(log_uniform(150, 16, 32 << 10), 8 << 10)
    assert_unbiased(mix, play(mix).draws_of_sites("by_realloc", 1600))


def test_threads_that_live_for_one_block_are_drawn_like_any_other(play):
    """A thread's first distance is as random as its later ones, or its only block is favoured."""
    mix = Mix(log_uniform(150, 64, 4 << 10), 4 << 10)
    assert_unbiased(mix, play(mix).draws_of_sites("by_threads", 150, paths=1))


def test_where_every_block_counts_the_stated_error_is_0(daemon, run):
    program = run("known_blocks")
    program.tell("size 100")
    daemon.watch(program, "--exact")
    program.tell("by_malloc 1")
    answer = daemon.ctl("stacks", "--pid", program.pid)
    assert answer["outstanding_bytes_stderr"] == 0
    assert [site["outstanding_bytes_stderr"] for site in answer["sites"]] == [0]


def test_a_site_of_blocks_of_an_interval_or_more_is_exact(daemon, run):
    interval = 64 << 10
    program = run("known_blocks")
    program.tell(f"size {interval}")
    daemon.watch(program, "--interval", interval)
    program.tell("by_malloc 1")
    answer = daemon.ctl("stacks", "--pid", program.pid)
    assert [site["outstanding_bytes_stderr"] for site in answer["sites"]] == [0]
    # Elsewhere in the process there may be smaller ones, of which none was drawn yet.
    floor = math.sqrt(SAMPLES_ADDED) * interval
    assert answer["outstanding_bytes_stderr"] == pytest.approx(floor)
