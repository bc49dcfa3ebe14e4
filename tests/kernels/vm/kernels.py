# SPDX-License-Identifier: Apache-2.0
"""
Which kernels are tried, and where they are: `python3 -m vm.kernels FOLDER` fetches what is missing
and says what can't be had. Downloads are kept; a suite out of reach leaves its last kernel in use.
"""
import dataclasses
import json
import pathlib
import platform
import re
import sys

from vm.debian import KEYRING, Suite, Unreachable


@dataclasses.dataclass(frozen=True)
class Series:
    """The newest kernel that these suites have; of one release if that is given."""
    name: str
    suites: tuple
    release: tuple = ()


SERIES = (
    Series("6.1", ("bookworm",), (6, 1)),
    # Backports move on; Debian 13 stays.
    Series("6.12", ("bookworm-backports", "trixie"), (6, 12)),
    Series("newest", ("sid",)),
)


@dataclasses.dataclass(frozen=True)
class Kernel:
    series: str
    package: str
    version: str
    path: pathlib.Path


def _number(image):
    """6.12.95-1~bpo12+1: 6, 12, 95, and whether it is of the suite itself."""
    upstream = re.match(r"[\d.]+", image["Version"]).group()
    return (*map(int, upstream.rstrip(".").split(".")), "~" not in image["Version"])


def _newest(series, cache):
    """Its suite and package among the suites that can be reached."""
    found, failures = [], []
    for name in series.suites:
        suite = Suite(name, cache)
        try:
            suite.update()
            found += [(_number(image), suite, image) for image in suite.images()
                      if _number(image)[:len(series.release)] == series.release]
        except Unreachable as failure:
            failures.append(str(failure))
    if found:
        return max(found, key=lambda entry: entry[0])[1:]
    if failures:
        raise Unreachable("; ".join(failures))
    raise AssertionError(f"no package for kernel {series.name} in {series.suites}")


def _fetch(series, cache, may_retry=True):
    suite, image = _newest(series, cache)
    # Rebuilds of a release keep the package's name.
    path = cache / f"vmlinuz-{image['Package'].removeprefix('linux-image-')}_{image['Version']}"
    if not path.exists():
        try:
            suite.fetch_kernel(image, path)
        except Unreachable:
            if not may_retry:
                raise
            suite.forget()
            return _fetch(series, cache, may_retry=False)
    return Kernel(series.name, image["Package"], image["Version"], path)


def _record(series, cache):
    return cache / f"kernel-{series.name}.json"


def _remember(kernel, record):
    former = recall_one(record)
    if former and former.path.name != kernel.path.name:
        former.path.unlink()
    record.write_text(json.dumps({**dataclasses.asdict(kernel), "path": kernel.path.name}))


def recall_one(record):
    """What was fetched before; None if that is gone."""
    if not record.exists():
        return None
    known = json.loads(record.read_text())
    kernel = Kernel(**{**known, "path": record.parent / known["path"]})
    return kernel if kernel.path.exists() else None


def recall(cache):
    """The kernels that there are."""
    kernels = [recall_one(_record(series, cache)) for series in SERIES]
    return [kernel for kernel in kernels if kernel]


def why_not_here():
    """What stands in the way of all of them, None if nothing."""
    if platform.machine() != "x86_64":
        return f"they are for x86_64, and this is {platform.machine()}"
    if not KEYRING.exists():
        return f"{KEYRING} is missing, by which Debian's packages are known to be Debian's"
    return None


def main(folder):
    cache = pathlib.Path(folder).absolute()
    cache.mkdir(parents=True, exist_ok=True)
    obstacle = why_not_here()
    if obstacle:
        print(f"kernels: NOT RUN: {obstacle}")
        return
    for series in SERIES:
        try:
            kernel = _fetch(series, cache)
            _remember(kernel, _record(series, cache))
            print(f"kernels: {series.name}: {kernel.package} {kernel.version}")
        except Unreachable as failure:
            kernel = recall_one(_record(series, cache))
            if kernel:
                print(f"kernels: {series.name}: {kernel.package} {kernel.version}, fetched before: "
                      f"{failure}")
            else:
                print(f"kernels: {series.name}: NOT RUN: cannot be had: {failure}")


if __name__ == "__main__":
    main(sys.argv[1])
