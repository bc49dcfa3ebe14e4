# SPDX-License-Identifier: Apache-2.0
"""
Where probes go in every allocator library that Debian 12 and 13 ship, checked against objdump, which
knows nothing of how the address was chosen.
"""
import json
import re
import subprocess

import pytest

from harness import debian, paths

PACKAGES = {
    "bookworm": ["libc6", "musl", "libjemalloc2", "libgoogle-perftools4", "libtcmalloc-minimal4",
                 "libmimalloc2.0"],
    "trixie": ["libc6", "musl", "libjemalloc2", "libgoogle-perftools4t64",
               "libtcmalloc-minimal4t64", "libmimalloc3"],
}
# What the packages bring, by the part of the path that no version changes.
LIBRARIES = {
    "libc.so.6": "glibc", "libc_malloc_debug.so": "other", "x86_64-linux-musl/libc.so": "musl",
    "libjemalloc.so": "jemalloc", "libtcmalloc.so": "tcmalloc",
    "libtcmalloc_minimal.so": "tcmalloc", "libtcmalloc_debug.so": "tcmalloc",
    "libtcmalloc_minimal_debug.so": "tcmalloc", "libtcmalloc_and_profiler.so": "tcmalloc",
    "libmimalloc.so": "mimalloc",
}
CASES = [(suite, library) for suite in PACKAGES for library in LIBRARIES]

# By their prototypes: how many arguments say what is allocated or freed.
ARGUMENTS = {"calloc": 2, "realloc": 2, "reallocarray": 3, "posix_memalign": 3, "aligned_alloc": 2,
             "memalign": 2, "mallocx": 1, "rallocx": 2, "xallocx": 2, "malloc": 1, "free": 1,
             "valloc": 1, "pvalloc": 1}
REGISTERS = [("rdi", "edi", "di", "dil"), ("rsi", "esi", "si", "sil"), ("rdx", "edx", "dx", "dl")]

EMULATED = re.compile(r"(push|nop|jmp|call|j[a-z]+)[wlq]?$")
PREFIXES = {"notrack", "bnd", "data16", "cs", "rex.W", "addr32"}


@pytest.fixture(scope="module", params=CASES, ids=lambda case: "-".join(case))
def library(request):
    suite, name = request.param
    try:
        root = debian.unpacked(suite, PACKAGES[suite])
    except debian.Unreachable as failure:
        pytest.skip(f"the packages of Debian {suite} cannot be fetched: {failure}")
    found = libraries(root, name)
    assert found, f"{name} of {suite}"
    return suite, name, found[0]


def libraries(root, name):
    """Files whose path has this part, without the links to them."""
    return [path for path in root.rglob("*.so*")
            if f"/{name}" in str(path) and path.is_file() and not path.is_symlink()]


def functions_of(path):
    done = subprocess.run([paths.MEMWATCHCTL, "--json", "doctor", "--allocators", path], text=True,
                          capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def code_shift(path):
    """What an offset in the file lacks to be an address in a listing."""
    headers = subprocess.run(["readelf", "-lW", path], text=True, capture_output=True, check=True)
    for line in headers.stdout.splitlines():
        words = line.split()
        if words[:1] == ["LOAD"] and "E" in words[6:-1]:
            return int(words[2], 16) - int(words[1], 16)
    raise AssertionError(f"no code in {path}")


class Listing:
    """The instructions of a file by address."""

    def __init__(self, path):
        text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", "-w", path], text=True,
                              capture_output=True, check=True).stdout
        self.instructions = {}
        for line in text.splitlines():
            place, colon, rest = line.partition(":\t")
            if not colon:
                continue
            words = rest.split("#")[0].split(None, 1)
            while words and words[0] in PREFIXES:
                words = words[1].split(None, 1) if len(words) > 1 else []
            if words:
                self.instructions[int(place, 16)] = (words[0],
                                                     words[1].strip() if len(words) > 1 else "")
        self.addresses = sorted(self.instructions)
        self.place = {address: i for i, address in enumerate(self.addresses)}
        self.branches = {}
        for address, (mnemonic, operands) in self.instructions.items():
            target = re.match(r"([0-9a-f]+) <", operands)
            if mnemonic.startswith("j") and target:
                self.branches.setdefault(int(target.group(1), 16), []).append(address)

    def next(self, address):
        return self.addresses[self.place[address] + 1]

    def way(self, entry, probe):
        """
        The instructions from the entry up to the probe: in a straight line, or over one jump that
        leads there (a null check that jumps when there is something to free).
        """
        passed, address = [], entry
        while address < probe:
            passed.append((address, *self.instructions[address]))
            mnemonic, operands = self.instructions[address]
            if mnemonic == "jne" and self.leads_to(operands, probe):
                address = int(operands.split()[0], 16)
                continue
            address = self.next(address)
        assert address == probe, "the probe is at the beginning of an instruction"
        return passed

    def leads_to(self, operands, probe):
        """Whether the probe lies within reach of a jump's target and not before the jump."""
        target = int(operands.split()[0], 16)
        return target <= probe and self.place[probe] - self.place[target] < 8


def written(mnemonic, operands):
    """The register that the instruction writes, in AT&T order the last operand."""
    if mnemonic.startswith(("cmp", "test", "push", "nop", "bt", "j")) or mnemonic == "endbr64":
        return None
    last = operands.rsplit(",", 1)[-1].strip()
    return last[1:] if last.startswith("%") else None


def check_way(listing, function, way):
    """Nothing that the probe needs is lost on the way, and nobody leaves it or joins it."""
    name = re.sub(r"^(tc_|mi_|je_)", "", function["function"])
    frees = function["return"] == "none"
    count = ARGUMENTS.get(name, 1)
    for i, (_, mnemonic, operands) in enumerate(way):
        assert mnemonic not in ("call", "ret", "syscall", "ud2", "hlt", "leave"), mnemonic
        if mnemonic.startswith("j"):
            assert frees and mnemonic in ("je", "jne"), mnemonic
            assert "null check" in function["reason"]
            assert way[i - 1][1] in ("test", "cmp")
        register = written(mnemonic, operands)
        if not frees:
            assert not mnemonic.startswith(("push", "pop")), mnemonic
            assert register != "rsp"
        for argument, names in enumerate(REGISTERS[:count]):
            if register in names:
                assert f"%{names[0]} is in %" in function["reason"], (mnemonic, operands)
    for address, *_ in way[1:]:
        assert not listing.branches.get(address) or all(
            way[0][0] <= source <= way[-1][0] for source in listing.branches[address])


def test_every_probe_of_a_library_is_where_it_may_be(library):
    suite, name, path = library
    answer = functions_of(path)
    assert LIBRARIES[name] in answer["allocators"].split(",")
    assert answer["shortcoming"] is None
    shift, listing = code_shift(path), Listing(path)
    probed = [function for function in answer["functions"] if function["probe_offset"]]
    assert {"malloc", "free", "realloc"} <= {function["function"] for function in
                                             answer["functions"] if function["probed"]}
    for function in probed:
        entry = function["function_offset"] + shift
        probe = function["probe_offset"] + shift
        assert entry in listing.instructions, function
        way = listing.way(entry, probe)
        assert bool(EMULATED.match(listing.instructions[probe][0])) == function["emulated"], (
            function, listing.instructions[probe])
        if function["function"] not in ("mmap", "munmap", "mremap"):
            check_way(listing, function, way)


def test_functions_that_begin_with_endbr64_have_emulated_probes():
    """Debian 13 builds with them; the probe goes behind."""
    try:
        root = debian.unpacked("trixie", PACKAGES["trixie"])
    except debian.Unreachable as failure:
        pytest.skip(f"the packages of Debian trixie cannot be fetched: {failure}")
    behind = 0
    for path in [path for name in LIBRARIES for path in libraries(root, name)]:
        shift, listing = code_shift(path), Listing(path)
        for function in functions_of(path)["functions"]:
            entry = function["function_offset"] + shift
            if not function["probe_offset"] or listing.instructions[entry][0] != "endbr64":
                continue
            behind += function["emulated"]
            assert function["emulated"] == (function["probe_offset"] > function["function_offset"])
    assert behind
