# SPDX-License-Identifier: Apache-2.0
"""Stacks of real programs, none of them with frame pointers: nearly all of them are whole."""
import pytest

from harness import paths
from harness.redis import Redis
from harness.wait import eventually_passes

NODE = "/usr/bin/node"
INTERVAL = 4096
WHOLE_MIN = 0.99


def assert_whole(daemon, pid, stacks_min, also=()):
    """Of all stacks that were taken; also: names of losses that count as whole here."""
    def check():
        answer = daemon.ctl("stacks", "--pid", pid)
        whole = answer["stacks_to_root"] + sum(answer["losses"][name] for name in also)
        assert answer["stacks_taken"] >= stacks_min
        assert whole >= WHOLE_MIN * answer["stacks_taken"], answer["losses"]
        # Whatever is not whole was counted by its reason.
        reasons = sum(count for name, count in answer["losses"].items()
                      if name.endswith("_stacks") and name != "delayed_stacks")
        assert reasons == answer["stacks_taken"] - answer["stacks_to_root"]
        return answer

    return eventually_passes(check)


def functions_of(answer):
    return {frame["function"] for site in answer["sites"] for frame in site["stack"]}


def test_python_with_numpy_and_pandas(daemon, run):
    program = run(paths.PYTHON, paths.SCRIPTS / "pipeline.py")
    daemon.watch(program, "--interval", 256)
    program.tell("run")
    answer = assert_whole(daemon, program.pid, 300)
    assert {"_PyEval_EvalFrameDefault", "Py_RunMain", "_start"} <= functions_of(answer)


def test_redis(daemon, closing):
    server = Redis()
    closing.callback(server.close)
    daemon.watch(server, "--interval", INTERVAL)
    server.load(4000)
    answer = assert_whole(daemon, server.pid, 100)
    assert "_start" in functions_of(answer)


def test_node_where_jit_code_lies_between(daemon, run):
    """It is passed by frame pointers, which V8's code has, and said to be."""
    program = run(NODE, paths.SCRIPTS / "works.js")
    daemon.watch(program, "--interval", INTERVAL)
    program.tell("work")
    answer = assert_whole(daemon, program.pid, 100, also=["guessed_root_stacks"])
    assert {"node::Start(int, char**)", "_start"} <= functions_of(answer)


@pytest.mark.parametrize("options", [["--exact"], ["--interval", "64"]])
def test_threads_begin_where_they_were_made(daemon, run, options):
    program = run("threads")
    daemon.watch(program, *options)
    program.tell("run 1000")
    answer = assert_whole(daemon, program.pid, 100)
    beginnings = {site["stack"][-1]["function"] for site in answer["sites"]}
    assert beginnings <= {"_start", "clone3", "__clone3", "clone", None}
