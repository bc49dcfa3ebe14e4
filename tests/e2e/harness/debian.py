# SPDX-License-Identifier: Apache-2.0
"""Packages of any Debian suite, unpacked under the build folder and never installed."""
import pathlib
import re
import subprocess
import urllib.parse

from harness import paths

KEYRING = pathlib.Path("/usr/share/keyrings/debian-archive-keyring.gpg")
DEFAULT_MIRROR = "http://deb.debian.org/debian"
APT_SECONDS = 300


class Unreachable(Exception):
    """A suite that apt can't reach: nothing that a test could be blamed for."""


def _mirror():
    """Where this machine fetches Debian from; the public one if it is no Debian."""
    sources = pathlib.Path("/etc/apt")
    for file in (*sorted(sources.glob("sources.list.d/*.sources")),
                 *sorted(sources.glob("sources.list.d/*.list")), sources / "sources.list"):
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        for address in re.findall(r"^(?:URIs:|deb )[^#\n]*?(\w+://[^\s\]]+)", text, re.MULTILINE):
            if urllib.parse.urlsplit(address).path.rstrip("/").endswith("/debian"):
                return address
    return DEFAULT_MIRROR


def _apt(folder, *arguments):
    options = {"Dir::Etc::sourcelist": "/dev/null", "Dir::Etc::sourceparts": folder / "parts",
               "Dir::Etc::preferences": "/dev/null", "Dir::Etc::preferencesparts": "/dev/null",
               "Dir::State::lists": folder / "lists", "Dir::Cache": folder / "cache",
               "APT::Sandbox::User": "root", "Acquire::Languages": "none"}
    command = ["apt-get", "-q"]
    for name, value in options.items():
        command += ["-o", f"{name}={value}"]
    try:
        done = subprocess.run([*command, *arguments], stdin=subprocess.DEVNULL, text=True,
                              cwd=folder / "cache/archives", capture_output=True,
                              timeout=APT_SECONDS, check=False)
    except (FileNotFoundError, subprocess.TimeoutExpired) as failure:
        raise Unreachable(f"apt-get: {failure}") from failure
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[0]
        raise Unreachable(f"apt-get {arguments[0]}: {reason}")


def _fetch(folder, suite, packages):
    for part in ("parts", "lists/partial", "cache/archives/partial"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "parts/debian.sources").write_text(
        f"Types: deb\nURIs: {_mirror()}\nSuites: {suite}\nComponents: main\n"
        f"Signed-By: {KEYRING}\n", encoding="utf-8")
    _apt(folder, "--error-on=any", "update")
    _apt(folder, "download", *packages)


def unpacked(suite, packages, name=None):
    """
    The folder with the contents of the packages; Unreachable when they have to be fetched and can't
    be. Once unpacked they stay until the build folder is cleaned. All in one folder are fetched
    together, so that they fit each other; name: of a folder for these packages, where others of the
    suite aren't wanted beside them.
    """
    folder = paths.BUILD / "packages" / (name or suite)
    root = folder / "root"
    stamp = folder / "unpacked"
    known = set(stamp.read_text(encoding="utf-8").split()) if stamp.exists() else set()
    if known.issuperset(packages):
        return root
    wanted = sorted(known.union(packages))
    _fetch(folder, suite, wanted)
    for package in wanted:
        file = next((folder / "cache/archives").glob(f"{package}_*.deb"))
        subprocess.run(["dpkg", "-x", file, root], check=True)
        file.unlink()
    stamp.write_text(" ".join(wanted), encoding="utf-8")
    return root
