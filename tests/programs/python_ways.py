# SPDX-License-Identifier: Apache-2.0
"""
Allocates one block in each way in which Python code comes to run, and says where that was: the frames
as the interpreter itself has them. Runs under every interpreter from 3.8 on, with its standard
library alone.

Says that it is ready; at "go" goes all ways and prints them: {"ways": [{"name", "bytes", "frames":
[[function, file, line] …]}]}, innermost first; ends with its input.
"""
import asyncio
import collections
import contextlib
import functools
import json
import signal
import sys
import threading

BLOCK_BYTES = 300000
DEEP = 60
TOO_DEEP = 200

kept = []
compiled = []
ways = []


def hold(name):
    """Its block is the way's alone: by its size."""
    size = BLOCK_BYTES + 16 * len(ways); ways.append((name, size, frames())); kept.append(bytearray(size - 1))


def frames():
    found = []
    frame = sys._getframe(1)
    while frame:
        found.append([frame.f_code.co_name, frame.f_code.co_filename, frame.f_lineno])
        frame = frame.f_back
    return found


def plain():
    hold("plain")


def recursion(name, depth):
    if depth:
        return recursion(name, depth - 1)
    return hold(name)


def through_native():
    """Calls that native code makes: each is another call of the evaluation function."""
    list(map(lambda name: hold(name), ["map"]))
    sorted([1], key=lambda item: hold("sort_key"))
    functools.reduce(lambda first, second: hold("reduce"), [1, 2])
    functools.partial(hold, "partial")()
    [
        hold(name)
        for name in ["comprehension"]
    ]


def generator():
    yield 1
    hold("generator")
    yield 2


def outer_generator():
    yield from generator()


async def coroutine():
    await asyncio.sleep(0)
    hold("coroutine")


async def gathered():
    await asyncio.gather(coroutine())


class Things:
    def method(self):
        hold("method")

    @property
    def shown(self):
        return hold("property")

    @classmethod
    def of_class(cls):
        hold("classmethod")

    def __getattr__(self, name):
        return hold("getattr")

    def __add__(self, other):
        return hold("operator")

    def __del__(self):
        hold("del")


def decorated(function):
    @functools.wraps(function)
    def wrapper(*arguments, **named):
        return function(*arguments, **named)

    return wrapper


@decorated
def in_decorator(*, name):
    hold(name)


@contextlib.contextmanager
def context():
    hold("enter")
    yield


def exceptions():
    try:
        raise ValueError
    except ValueError:
        hold("except")
    finally:
        hold("finally")


def executed():
    """Code objects that are gone in a moment can't be read: these stay."""
    for name, source, mode in (("exec", "def made():\n\n    hold('exec')\nmade()\n", "exec"),
                               ("eval", "hold('eval')", "eval")):
        code = compile(source, f"<{name} of a string>", mode)
        compiled.append(code)
        exec(code, globals())


def handled():
    signal.signal(signal.SIGUSR1, lambda *arguments: hold("signal"))
    signal.raise_signal(signal.SIGUSR1)


def in_thread():
    thread = threading.Thread(target=recursion, args=("thread", 3))
    thread.start()
    thread.join()


def subclasses():
    """A class whose body runs code, and one whose making does."""
    class Body:
        hold("class_body")

    class Base:
        def __init_subclass__(cls):
            hold("init_subclass")

    class Derived(Base):
        pass

    collections.namedtuple("Pair", "one two")


def long_lines():
    hold(
        "".join([
            "long",
            "_lines",
        ])
    )


def go_all_ways():
    ways.clear()
    kept.clear()
    plain()
    recursion("deep", DEEP)
    recursion("too_deep", TOO_DEEP)
    through_native()
    list(outer_generator())
    asyncio.run(gathered())
    things = Things()
    things.method()
    things.shown
    things.of_class()
    things.missing
    things + 1
    del things
    in_decorator(name="decorator")
    with context():
        pass
    exceptions()
    executed()
    handled()
    in_thread()
    subclasses()
    long_lines()


def main():
    print(json.dumps({"ready": True, "version": list(sys.version_info[:3])}), flush=True)
    for line in sys.stdin:
        if line == "go\n":
            go_all_ways()
            found = [{"name": name, "bytes": size, "frames": stack} for name, size, stack in ways]
            print(json.dumps({"ways": found}), flush=True)


main()
