# SPDX-License-Identifier: Apache-2.0
"""
The kernels of other Debian suites, fetched by apt without installing anything: apt is given a
folder of its own for its lists, and the sources of one suite.
"""
import pathlib
import re
import subprocess
import tarfile
import time
import urllib.parse

KEYRING = pathlib.Path("/usr/share/keyrings/debian-archive-keyring.gpg")
DEFAULT_MIRROR = "http://deb.debian.org/debian"
LISTS_MAX_AGE_SECONDS = 24 * 3600
APT_SECONDS = 300
# Not those for clouds, for real time, without signature, or with debugging symbols alone.
IMAGE = re.compile(r"linux-image-\d[^-]*(-\d+)?-amd64")
# Newer packages of an image hold nothing; the kernel itself is in one that they depend on.
PARTS = re.compile(r"linux-(?:image|binary)-\S+")
KERNEL_FILE = re.compile(r"(^|/)vmlinuz[^/]*$")


class Unreachable(Exception):
    """A suite that apt can't reach: nothing that a test could be blamed for."""


def _mirror():
    """Where this machine fetches Debian from; the public one if it is no Debian."""
    sources = pathlib.Path("/etc/apt")
    for file in (*sorted(sources.glob("sources.list.d/*.sources")),
                 *sorted(sources.glob("sources.list.d/*.list")), sources / "sources.list"):
        text = file.read_text() if file.exists() else ""
        for address in re.findall(r"^(?:URIs:|deb )[^#\n]*?(\w+://[^\s\]]+)", text, re.MULTILINE):
            if urllib.parse.urlsplit(address).path.rstrip("/").endswith("/debian"):
                return address
    return DEFAULT_MIRROR


class Suite:
    """What apt knows of one suite."""

    def __init__(self, name, cache):
        self.name = name
        self._folder = cache / "apt" / name

    def update(self):
        """Fetches the lists unless they are of today."""
        stamp = self._folder / "updated"
        if stamp.exists() and time.time() - stamp.stat().st_mtime < LISTS_MAX_AGE_SECONDS:
            return
        for folder in ("parts", "lists/partial", "cache/archives/partial"):
            (self._folder / folder).mkdir(parents=True, exist_ok=True)
        (self._folder / "parts/debian.sources").write_text(
            f"Types: deb\nURIs: {_mirror()}\nSuites: {self.name}\nComponents: main\n"
            f"Signed-By: {KEYRING}\n")
        self._apt("apt-get", "--error-on=any", "update")
        stamp.touch()

    def forget(self):
        """Lists may name what the archive has replaced meanwhile: the next update fetches them."""
        (self._folder / "updated").unlink(missing_ok=True)

    def packages(self, *names):
        """By name, the fields of the newest version of each."""
        text = self._apt("apt-cache", "--no-all-versions", "show", *names)
        stanzas = [dict(re.findall(r"^([\w-]+): (.*)$", stanza, re.MULTILINE))
                   for stanza in text.split("\n\n") if stanza.strip()]
        return {stanza["Package"]: stanza for stanza in stanzas}

    def images(self):
        names = self._apt("apt-cache", "pkgnames", "linux-image-").split()
        names = [name for name in names if IMAGE.fullmatch(name)]
        return list(self.packages(*names).values()) if names else []

    def fetch_kernel(self, image, destination):
        """Downloads the package, or what it depends on, and takes the kernel out of it."""
        wanted, seen = [image["Package"]], set()
        while wanted:
            name = wanted.pop()
            if name in seen:
                continue
            seen.add(name)
            if self._take_kernel(name, destination):
                return
            depends = self.packages(name)[name].get("Depends", "")
            wanted += PARTS.findall(depends)
        raise AssertionError(f"no kernel in {image['Package']} of {self.name}: {sorted(seen)}")

    def _take_kernel(self, package, destination):
        archives = self._folder / "cache/archives"
        self._apt("apt-get", "download", package, cwd=archives)
        file = next(archives.glob(f"{package}_*.deb"))
        # It is told to stop once we have what we want, and would complain.
        content = subprocess.Popen(["dpkg", "--fsys-tarfile", str(file)], stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL)
        try:
            return _extract(content.stdout, destination)
        finally:
            content.stdout.close()
            content.wait()
            file.unlink()

    def _apt(self, program, *arguments, cwd=None):
        options = {"Dir::Etc::sourcelist": "/dev/null", "Dir::Etc::sourceparts": "parts",
                   "Dir::Etc::preferences": "/dev/null", "Dir::Etc::preferencesparts": "/dev/null",
                   "Dir::State::lists": "lists", "Dir::Cache": "cache"}
        command = [program, "-q", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Languages=none"]
        for name, value in options.items():
            value = value if value.startswith("/") else self._folder / value
            command += ["-o", f"{name}={value}"]
        try:
            done = subprocess.run([*command, *arguments], stdin=subprocess.DEVNULL, cwd=cwd,
                                  capture_output=True, text=True, timeout=APT_SECONDS, check=False)
        except (FileNotFoundError, subprocess.TimeoutExpired) as failure:
            raise Unreachable(f"suite {self.name}: {failure}") from failure
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[0]
            raise Unreachable(f"suite {self.name}: {program}: {reason}")
        return done.stdout


def _extract(stream, destination):
    """Writes the first kernel of a tar stream to destination; whether there was one."""
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            if member.isreg() and KERNEL_FILE.search(member.name):
                partial = destination.with_name(destination.name + ".partial")
                partial.write_bytes(archive.extractfile(member).read())
                partial.rename(destination)
                return True
    return False
