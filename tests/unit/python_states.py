# SPDX-License-Identifier: Apache-2.0
"""
What a Python process states of itself, for test_python_interpreter.c and test_python_code.c: run as
`python_states.py codes`, `threads` or `busy`. It then waits for its input to end.

codes, for each of many code objects:
    code ADDRESS FIRST_LINE
    text FILE / text NAME / text QUALIFIED_NAME, in hexadecimal UTF-8
    lines OFFSET:LINE …  (0: none)
    end
threads, for each thread, innermost frame first:
    thread IDENT
    frame NAME LINE
    end
busy: nothing but an end; its threads call and return all the time.
"""
import dis
import os
import sys
import threading
import time
import types

SOURCES = {
    # Lines far apart, forwards and backwards.
    "jumps": "def f(a):\n" + "\n" * 200 + "    x = (a +\n" + "\n" * 70000 + "      a.b(\n 1))\n"
             + "    return [a\n\n for a in x\n if a]\n",
    "lambda": "f = lambda a: (a,\n  lambda: a)\n",
    "tries": "def f():\n try:\n  with a as b, c:\n   yield b\n except E as e:\n  raise\n finally:\n"
             "  g()\n  for i in x:\n   if i: continue\n   del i\n  else:\n   pass\n",
    "async": "async def f():\n async with a as b:\n  async for c in d:\n   await c\n"
             "  return [x async for x in b]\n",
    "names": "class Großer:\n def é(self): pass\n def 名前(self): pass\n def 𐐀𐐁(self):\n"
             "  def inner(): return self\n  return inner\n",
    "empty": "",
    # Its table is long, of every kind of entry.
    "data": "x = {\n" + "".join(f" {i}: f({i}, a.b[{i}],\n  c),\n" for i in range(500)) + "}\n",
}
FILES = ["made up", "/tmp/caf\u00e9.py", "/tmp/\u540d\u524d.py", "/tmp/\U0001f40d.py",
         "/tmp/not-utf8-\udcff\udc80.py", "", "x" * 4000, type("Text", (str,), {})("subclass"),
         type("Text", (str,), {})("subclass \u540d")]
# They have code of every kind, and import little.
MODULES = ["argparse", "ast", "collections", "contextlib", "dataclasses", "enum", "functools",
           "heapq", "inspect", "os", "posixpath", "re", "shutil", "string", "tempfile", "textwrap",
           "threading", "tokenize", "traceback", "types", "typing"]


def text(string):
    escaped = string.encode("utf-8", "backslashreplace").replace(b"\0", b"\\x00")
    return escaped.hex() or "-"


def lines_of(code):
    """(offset, line) of every instruction: as co_lines() has it, from 3.10, else as dis does."""
    if hasattr(code, "co_lines"):
        for start, end, line in code.co_lines():
            for offset in range(start, end, 2):
                yield offset, line or 0
        return
    starts = dict(dis.findlinestarts(code))
    line = code.co_firstlineno
    for offset in range(0, len(code.co_code), 2):
        line = starts.get(offset, line)
        yield offset, line


def nested(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from nested(constant)


def codes_of(module):
    for value in list(vars(module).values()):
        for inner in [value, *(vars(value).values() if isinstance(value, type) else ())]:
            if isinstance(inner, types.FunctionType):
                yield from nested(inner.__code__)


def all_codes():
    kept = {}
    for name in MODULES:
        for code in codes_of(__import__(name)):
            kept[id(code)] = code
    for number, source in enumerate(SOURCES.values()):
        for code in nested(compile(source, FILES[number % len(FILES)], "exec")):
            kept[id(code)] = code
    sample = compile(SOURCES["tries"], "sample", "exec")
    for file in FILES + ["nul\0nul"]:
        code = sample.replace(co_filename=file, co_firstlineno=123456)
        kept[id(code)] = code
    return kept


def show_codes():
    kept = all_codes()
    for address, code in kept.items():
        print("code", address, code.co_firstlineno)
        print("text", text(code.co_filename))
        print("text", text(code.co_name))
        print("text", text(getattr(code, "co_qualname", code.co_name)))
        print("lines", *(f"{offset}:{line}" for offset, line in lines_of(code)))
        print("end")
    return kept


def stack_text(frame):
    """The frames of a stack, innermost first."""
    words = []
    while frame:
        words.append(f"frame {frame.f_code.co_name} {frame.f_lineno}\n")
        frame = frame.f_back
    return "".join(words)


class Threads:
    """Threads that stand still in stacks of several kinds."""

    def __init__(self):
        self.started = threading.Semaphore(0)
        self.ends = threading.Event()

    def stand(self):
        self.started.release()
        self.ends.wait()

    def deep(self, depth):
        if depth:
            return self.deep(
                depth - 1)
        return self.stand()

    def entered_key(self, value):
        """Called by C: by sorted()."""
        return self.deep(value)

    def through_c(self):
        return sorted([3],
                      key=self.entered_key)

    def generator(self):
        yield 1
        yield self.through_c()

    def through_generator(self):
        return [value
                for value in self.generator()]

    async def awaited(self):
        self.through_generator()

    async def coroutine(self):
        await self.awaited()

    def through_coroutine(self):
        try:
            self.coroutine().send(None)
        except StopIteration:
            pass

    def start(self):
        targets = [lambda: self.deep(40), self.through_c, self.through_generator,
                   self.through_coroutine]
        threads = [threading.Thread(target=target, daemon=True) for target in targets]
        for thread in threads:
            thread.start()
            self.started.acquire()
        return threads


def in_other_interpreter():
    """A thread that waits in an interpreter of its own. What keeps it there."""
    try:
        import _interpreters as interpreters
    except ImportError:
        import _xxsubinterpreters as interpreters
    reader, writer = os.pipe()
    told, tell = os.pipe()
    number = interpreters.create()
    thread = threading.Thread(target=interpreters.run_string, daemon=True, args=(
        number, f"import os\ndef inside():\n os.write({tell}, b'x')\n os.read({reader}, 1)\ninside()"))
    thread.start()
    assert os.read(told, 1) == b"x"
    return writer, thread


def settled_stack(ident):
    """Its stack once the thread stands: in wait(), at the lock's acquire()."""
    former = None
    while True:
        stack = stack_text(sys._current_frames()[ident])
        if stack == former and stack.startswith("frame wait "):
            return stack
        former = stack
        time.sleep(0.05)


def show_threads():
    threads = Threads()
    shown = threads.start()
    other = in_other_interpreter()
    for thread in shown:
        print("thread", thread.ident)
        print(settled_stack(thread.ident), end="end\n")
    print("thread", threading.get_ident())
    return threads, other


def work():
    def called(depth):
        return called(depth - 1) + sum(value for value in range(3)) if depth else 0
    while True:
        called(30)
        exec(compile("def passing():\n return 1\npassing()", "passing", "exec"))


def start_working():
    for _ in range(3):
        threading.Thread(target=work, daemon=True).start()


def main():
    kept = {"codes": show_codes, "threads": show_threads, "busy": start_working}[sys.argv[1]]()
    # On one line, which is the one that it then stands at.
    print(stack_text(sys._getframe()), end="end\n", flush=True); sys.stdin.read()
    os._exit(0)
    return kept


main()
