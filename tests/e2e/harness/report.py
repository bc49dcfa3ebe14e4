# SPDX-License-Identifier: Apache-2.0
"""The text of `memwatchctl stacks` and `leaks`, read back: its sites with their stacks, unfolded."""
import dataclasses
import re

SITE = re.compile(r" ?(\d+)  \S")
INDENT = "      "
SHARED = re.compile(r"(?:…|\.\.) (\d+) callers as in site (\d+), from (.+)")
REPEATED = re.compile(r"(?:…|\.\.) (?:this frame|these (\d+) frames) (\d+) times? more")


@dataclasses.dataclass
class Site:
    # The lines as they stand there.
    lines: list = dataclasses.field(default_factory=list)
    # (name, location), innermost first.
    frames: list = dataclasses.field(default_factory=list)
    # The site and the number of its callers that stand for those of this one.
    shared: tuple = None
    # What is said of a stack that isn't whole.
    mark: str = None

    def read(self, line, sites):
        assert self.mark is None, f"{line!r} after {self.mark!r}"
        self.lines.append(line)
        if line.startswith("("):
            self.mark = line
            return
        assert self.shared is None, f"{line!r} after callers of another site"
        if match := SHARED.fullmatch(line):
            count, number = int(match[1]), int(match[2])
            assert number < len(sites), "an earlier site"
            callers = sites[number - 1].frames[-count:]
            assert len(callers) == count
            name, where = callers[0]
            assert match[3] == (f"{name} ({where})" if where else name)
            self.shared = (number, count)
            self.frames += callers
        elif match := REPEATED.fullmatch(line):
            self.frames += self.frames[-int(match[1] or 1):] * int(match[2])
        else:
            name, _, where = line.partition("  ")
            self.frames.append((name, where.strip()))


def read(text):
    """The sites of a report, in its order."""
    sites = []
    for line in text.splitlines():
        if match := SITE.match(line):
            sites.append(Site())
            assert int(match[1]) == len(sites)
        elif sites and line.startswith(INDENT):
            sites[-1].read(line.removeprefix(INDENT), sites)
    return sites


def frame(answer):
    """What a report says of a frame of the JSON: name and location."""
    if answer["file"]:
        where = answer["file"] + (f":{answer['line']}" if answer["line"] else "")
    elif answer["module"]:
        where = f"{answer['module'].rsplit('/', 1)[-1]}+{answer['offset']:#x}"
    else:
        where = f"{answer['offset']:#x} (in no file)"
    function = answer.get("qualified_name") or answer["function"]
    if not function:
        return where, ""
    return function + (" (inlined)" if answer["inlined"] else ""), where


def frames(site):
    return [frame(answer) for answer in site["stack"]]
