# SPDX-License-Identifier: Apache-2.0
"""Stacks of real programs, none of them with frame pointers: nearly all of them are whole."""
import pathlib
import re

import pytest

from harness import paths
from harness.redis import Redis
from harness.wait import eventually_passes

NODE = "/usr/bin/node"
INTERVAL = 4096
WHOLE_MIN = 0.99
# Of what is asked for; node has 15,000.
SITES = 1000


def assert_whole(daemon, pid, stacks_min):
    """Of all stacks that were taken."""
    def check():
        answer = daemon.ctl("stacks", "--pid", pid, "--top", SITES)
        whole = answer["stacks_to_root"]
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
    assert {"fit", "run", "main", "<module>"} <= functions_of(answer)
    assert answer["python"]["stacks_to_root"] >= WHOLE_MIN * answer["python"]["stacks_taken"] > 0


def test_redis(daemon, closing):
    server = Redis()
    closing.callback(server.close)
    daemon.watch(server, "--interval", INTERVAL)
    server.load(4000)
    answer = assert_whole(daemon, server.pid, 100)
    assert "_start" in functions_of(answer)


def test_node_and_the_code_that_it_makes(daemon, run):
    """V8 describes none of its code, but keeps its frames in one form, which is checked."""
    program = run(NODE, paths.SCRIPTS / "works.js")
    daemon.watch(program, "--interval", INTERVAL)
    program.tell("work")
    answer = assert_whole(daemon, program.pid, 100)
    assert {"node::Start(int, char**)", "_start"} <= functions_of(answer)
    assert any(frame["module"] is None for site in answer["sites"] for frame in site["stack"])


def test_no_call_of_javascript_is_left_out(daemon, run, closing, tmp_path):
    """By V8's own names for its code, of which each interpreted function has a copy here."""
    program = run(NODE, "--perf-basic-prof", "--interpreted-frames-native-stack",
                  "--no-logfile-per-isolate", f"--logfile={tmp_path}/v8.log",
                  paths.SCRIPTS / "calls.js")
    closing.callback(pathlib.Path(f"/tmp/perf-{program.pid}.map").unlink, missing_ok=True)
    truth = program.truth
    daemon.watch(program, "--exact")
    program.tell("hold")

    def check():
        answer = daemon.ctl("stacks", "--pid", program.pid, "--top", SITES)
        [site] = [site for site in answer["sites"]
                  if site["outstanding_bytes"] == truth["buffer_bytes"]]
        calls = re.findall(r"\b(innermost|turn|outermost)\b",
                           "\n".join(frame["function"] or "" for frame in site["stack"]))
        assert calls == ["innermost"] + ["turn"] * truth["turns"] + ["outermost"]
        assert site["stack_end"] == "root"

    eventually_passes(check)


@pytest.mark.parametrize("options", [["--exact"], ["--interval", "64"]])
def test_threads_begin_where_they_were_made(daemon, run, options):
    program = run("threads")
    daemon.watch(program, *options)
    program.tell("run 1000")
    answer = assert_whole(daemon, program.pid, 100)
    beginnings = {site["stack"][-1]["function"] for site in answer["sites"]}
    assert beginnings <= {"_start", "clone3", "__clone3", "clone", None}
