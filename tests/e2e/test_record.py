# SPDX-License-Identifier: Apache-2.0
"""memwatchctl record and plot: the memory of a process over time, as a file and as a picture."""
import json
import signal
import stat
import subprocess
import xml.etree.ElementTree

import pytest

from harness import paths
from harness.memwatchctl import ctl
from harness.recording import Recording
from harness.wait import eventually

STEP_BYTES = 20_000_000
SECONDS = 60
# Grows by a step, or has a child that does, when it is told so.
GROWING = """
import json, os, subprocess, sys
kept = []
def tell(**more):
    print(json.dumps({"pid": os.getpid(), "sites": [], **more}), flush=True)
tell()
for line in sys.stdin:
    words = line.split(None, 1)
    if words[0] == "grow":
        kept.append(b"x" * %d)
        tell()
    elif words[0] == "spawn":
        child = subprocess.Popen([sys.executable, "-c", "kept = b'x' * %d; input()"],
                                 stdin=subprocess.PIPE)
        tell(child=child.pid)
    elif words[0] == "end_child":
        child.communicate(b"\\n")
        tell()
    elif words[0] == "name":
        open("/proc/self/comm", "w").write(json.loads(words[1]))
        tell()
    elif words[0] == "exit":
        break
""" % (STEP_BYTES, STEP_BYTES)
# Names that fit into a process's 15 bytes.
HOSTILE = ["'\n!touch owned", "`touch owned`", "';system(\"id\")", "]]><b>&amp;", "@a{/B x}_y^z%d",
           "\\", "\033[2J\x80\xff"]


@pytest.fixture
def growing(run):
    return run(paths.PYTHON, "-c", GROWING)


@pytest.fixture
def record(daemon, closing, tmp_path):
    """Starts a recording; the process and the file."""
    def start(program, *options, file=tmp_path / "recording"):
        started = daemon.start_ctl("record", "--pid", program.pid, "-o", file, "--interval", "0.05",
                                   *options)
        closing.callback(started.stdout.close)
        closing.callback(started.stderr.close)
        closing.callback(started.wait)
        closing.callback(started.kill)
        eventually(lambda: Recording(file).samples, "a first sample")
        return started, file

    return start


def near(bytes_, wanted):
    return bytes_ is not None and abs(bytes_ - wanted) < 0.1 * STEP_BYTES


def test_steps_of_a_program_are_steps_of_its_recording(daemon, growing, record):
    started, file = record(growing)
    base = Recording(file).last(growing.pid, "rss_bytes")
    eventually(lambda: Recording(file).last(growing.pid, "outstanding_bytes") is not None,
               "it is watched")
    for step in range(1, 4):
        growing.tell("grow")
        eventually(lambda wanted=step * STEP_BYTES:
                   near(Recording(file).last(growing.pid, "rss_bytes") - base, wanted) and
                   near(Recording(file).last(growing.pid, "outstanding_bytes"), wanted) and
                   near(Recording(file).last(growing.pid, "allocated_bytes"), wanted),
                   f"step {step}")
    assert growing.end() == 0
    assert started.wait(SECONDS) == 0
    recording = Recording(file)
    assert recording.end["reason"] == "exited"
    assert recording.start["memwatch_recording"] == 1
    assert recording.start["pid"] == growing.pid
    seconds = [sample["seconds"] for sample in recording.samples]
    assert seconds == sorted(seconds)
    # A sample for each turn of the clock, taken or told to be missing.
    turns = len(seconds) + sum(sample["missed"] for sample in recording.samples)
    assert abs(turns - 1 - seconds[-1] / 0.05) <= 1


def test_children_are_followed_from_birth_to_death(daemon, growing, record):
    _, file = record(growing, "--children")
    child = growing.tell("spawn")["child"]
    eventually(lambda: (Recording(file).last(child, "rss_bytes") or 0) > STEP_BYTES, "the child")
    told = next(told for told in Recording(file).processes.values() if told["pid"] == child)
    assert told["parent_pid"] == growing.pid
    growing.tell("end_child")

    def has_gone():
        recording = Recording(file)
        ids = {value["id"] for value in recording.samples[-1]["values"]}
        return told["id"] not in ids

    eventually(has_gone, "the child is in no further sample")


def test_without_children_the_process_is_alone(growing, record):
    _, file = record(growing)
    growing.tell("spawn")
    count = len(Recording(file).samples)
    eventually(lambda: len(Recording(file).samples) > count + 2, "more samples")
    assert len(Recording(file).processes) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_the_process_is_as_it_was(daemon, growing, record, number):
    started, file = record(growing)
    eventually(lambda: daemon.target(growing.pid), "it is watched")
    started.send_signal(number)
    assert started.wait(SECONDS) == 0
    assert Recording(file).end["reason"] == "interrupted"
    eventually(lambda: daemon.target(growing.pid) is None, "it is watched no more")


def test_it_ends_by_itself(daemon, growing, tmp_path):
    file = tmp_path / "recording"
    outcome = daemon.try_ctl("record", "--pid", growing.pid, "-o", file, "--for", "0.3",
                             "--interval", "0.1", "--no-watch", "--pss")
    assert (outcome.status, outcome.output, outcome.errors) == (0, "", "")
    recording = Recording(file)
    assert recording.end["reason"] == "time"
    assert recording.last(growing.pid, "outstanding_bytes") is None
    assert 0 < recording.last(growing.pid, "pss_bytes") <= recording.last(growing.pid, "rss_bytes")
    assert not daemon.ended_targets(growing.pid)
    assert stat.S_IMODE(file.stat().st_mode) & 0o444 == 0o444


def test_killed_it_has_lost_nothing(growing, record, tmp_path):
    started, file = record(growing)
    growing.tell("grow")
    eventually(lambda: Recording(file).last(growing.pid, "rss_bytes") > STEP_BYTES, "the step")
    started.kill()
    started.wait()
    text = file.read_text()
    assert text.endswith("\n")
    file.write_text(text[:-10])
    done = ctl("/no/daemon", "plot", str(file), "-o", str(tmp_path / "a.svg"))
    assert done.returncode == 0, done.stderr


def test_without_the_daemon_rss_goes_on(new_daemon, growing, tmp_path):
    daemon = new_daemon().start()
    file = tmp_path / "recording"
    started = daemon.start_ctl("record", "--pid", growing.pid, "-o", file, "--interval", "0.05")
    try:
        eventually(lambda: Recording(file).last(growing.pid, "outstanding_bytes") is not None,
                   "it is watched")
        assert daemon.terminate() == 0
        eventually(lambda: Recording(file).last(growing.pid, "outstanding_bytes") is None, "a gap")
        growing.tell("grow")
        eventually(lambda: Recording(file).last(growing.pid, "rss_bytes") > STEP_BYTES, "the step")
        started.send_signal(signal.SIGINT)
        _, errors = started.communicate(timeout=SECONDS)
        assert started.returncode == 0
        assert errors.count("\n") == 1
        assert "is not recorded (its RSS is)" in errors
    finally:
        started.kill()
        started.wait()


def test_run_records_with_children(daemon, tmp_path):
    file = tmp_path / "recording"
    done = subprocess.run(
        daemon.ctl_command("run", "--record", file, paths.PYTHON, "-c", GROWING),
        input="grow\nspawn\nend_child\nexit\n", capture_output=True, text=True, timeout=SECONDS,
        check=False)
    assert done.returncode == 0, done.stderr
    recording = Recording(file)
    assert recording.end["reason"] == "exited"
    assert recording.start["comm"] == "python3"
    # How much of it was seen is a matter of its pace; the first moment always is.
    assert recording.processes[0]["pid"] == json.loads(done.stdout.splitlines()[0])["pid"]


@pytest.mark.parametrize("arguments, status, named", [
    (["--pid", "4194303", "-o", "FILE"], 4, "no process 4194303"),
    (["--pid", "1", "-o", "/no/folder/file", "--no-watch"], 1, "cannot write /no/folder/file"),
    (["--pid", "1"], 2, "-o FILE is missing"),
    (["--pid", "1", "-o", "FILE", "--interval", "0.001"], 2, "0.01 s"),
])
def test_what_cannot_be_recorded_is_told(daemon, tmp_path, arguments, status, named):
    words = [str(tmp_path / "file") if word == "FILE" else word for word in arguments]
    outcome = daemon.try_ctl("record", *words)
    assert outcome.status == status
    assert named in outcome.errors
    assert not (tmp_path / "file").exists()


# ---- plot

def recording_lines(comm="leaky", names=("leaky", "child")):
    yield {"memwatch_recording": 1, "pid": 42, "comm": comm, "began": "2026-01-01T00:00:00Z",
           "interval_seconds": 1}
    for number, name in enumerate(names):
        yield {"process": {"id": number, "pid": 42 + number, "parent_pid": 1, "comm": name,
                           "seconds": 0}}
    for second in range(5):
        yield {"seconds": second, "missed": 1, "values": [
            {"id": number, "rss_bytes": (10 + number + second % 4) << 20,
             "outstanding_bytes": None if number else 5 << 20, "allocated_bytes": None}
            for number in range(len(names))]}


def write_recording(path, **options):
    path.write_text("".join(json.dumps(line) + "\n" for line in recording_lines(**options)))
    return path


def texts(path):
    tree = xml.etree.ElementTree.parse(path)
    return ["".join(element.itertext()) for element in tree.iter()
            if element.tag == "{http://www.w3.org/2000/svg}text"]


def plot(file, picture, **more):
    return ctl("/no/daemon", "plot", str(file), "-o", str(picture), **more)


def test_a_picture_shows_processes_peaks_and_units(tmp_path):
    file = write_recording(tmp_path / "recording")
    done = plot(file, tmp_path / "a.svg")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    words = texts(tmp_path / "a.svg")
    assert "peak RSS 27.0 MiB" in words
    assert "peak outstanding 5.00 MiB" in words
    assert "MiB" in words
    assert "seconds (5 samples were missed)" in words
    assert "RSS of leaky (42)" in words
    assert "RSS of child (43)" in words
    assert any(word.startswith("leaky (pid 42)") for word in words)


def test_a_png_is_one(tmp_path):
    done = plot(write_recording(tmp_path / "recording"), tmp_path / "a.png")
    assert (done.returncode, done.stderr) == (0, "")
    data = (tmp_path / "a.png").read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert data.endswith(b"IEND\xaeB`\x82")


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_names_are_text_and_nothing_else(tmp_path, monkeypatch, locale):
    monkeypatch.chdir(tmp_path)
    names = [*HOSTILE, "x" * 200, "'" * 100, "\u202ereversed", "\"\n\nsystem 'touch owned'\n"]
    for name in names:
        file = write_recording(tmp_path / "recording", comm=name, names=[name, name])
        for picture in ("a.svg", "a.png"):
            done = plot(file, tmp_path / picture, LC_ALL=locale)
            assert (done.returncode, done.stderr) == (0, ""), name
        words = texts(tmp_path / "a.svg")
        assert "peak RSS 27.0 MiB" in words
        assert all(word.isprintable() for word in words)
    assert {path.name for path in tmp_path.iterdir()} == {"recording", "a.svg", "a.png"}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_process_with_such_a_name_is_recorded_and_drawn(record, growing, tmp_path, monkeypatch,
                                                          name):
    monkeypatch.chdir(tmp_path)
    growing.tell("name " + json.dumps(name))
    started, file = record(growing, "--no-watch")
    started.send_signal(signal.SIGINT)
    assert started.wait(SECONDS) == 0
    done = plot(file, tmp_path / "a.svg")
    assert (done.returncode, done.stderr) == (0, "")
    assert any(word.startswith("peak RSS") for word in texts(tmp_path / "a.svg"))
    assert not (tmp_path / "owned").exists()


def test_file_names_are_nothing_but_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = write_recording(tmp_path / "|touch owned; '")
    done = plot(file.name, "|touch owned; '.svg")
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.name for path in tmp_path.iterdir()} == {file.name, "|touch owned; '.svg"}


@pytest.mark.parametrize("text, named", [
    ("", "no recording"), ("root:x:0:0:\n", "line 1"), ('{"memwatch_recording": 2}\n', "version 2"),
    ("\n".join(map(json.dumps, [*recording_lines()][:3])) + "\n", "no sample yet"),
    ("\n".join(map(json.dumps, [*recording_lines()][:4])) + "\n[]\n", "line 5"),
])
def test_foreign_files_are_refused(tmp_path, text, named):
    (tmp_path / "recording").write_text(text)
    (tmp_path / "a.svg").write_text("before")
    done = plot(tmp_path / "recording", tmp_path / "a.svg")
    assert done.returncode == 1
    assert named in done.stderr
    assert (tmp_path / "a.svg").read_text() == "before"


def test_without_gnuplot_its_package_is_named(tmp_path):
    file = write_recording(tmp_path / "recording")
    done = plot(file, tmp_path / "a.svg", PATH=str(tmp_path))
    assert done.returncode == 1
    assert "gnuplot-nox" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["recording"]


@pytest.mark.parametrize("arguments, named", [
    (["-o", "a.svg"], "which recording"), (["file"], "-o PICTURE is missing"),
    (["file", "-o", "a.pdf"], ".svg or .png"), (["file", "-o", "a.svg", "--json"], "--json"),
])
def test_wrong_usage_is_told(tmp_path, arguments, named):
    done = ctl("/no/daemon", "plot", *arguments)
    assert done.returncode == 2
    assert named in done.stderr
