# SPDX-License-Identifier: Apache-2.0
"""Debug information from debuginfod servers: good ones, and every kind of bad."""
import contextlib
import http.server
import pathlib
import shutil
import subprocess
import threading

import pytest

from harness import paths
from harness.debug_files import build_id, line_of, stripped
from harness.wait import eventually_passes

CHUNK = bytes(65536)


class Server:
    """
    Has files by build-id; for others answer() decides. Every request for one is noted, and nothing
    waits for a request that hangs.
    """

    def __init__(self):
        self.files = {}
        self.requests = []
        self.over = threading.Event()
        self.answer = self.say_that_there_is_none
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                _, _, number, kind = self.path.split("/")
                assert kind == "debuginfo"
                server.requests.append(number)
                with contextlib.suppress(ConnectionError):
                    server.give(self, number)

            def log_message(self, *arguments):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        self.thread = threading.Thread(target=self.http.serve_forever)
        self.thread.start()

    def close(self):
        self.over.set()
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()

    def give(self, handler, number):
        if number in self.files:
            self.send(handler, pathlib.Path(self.files[number]).read_bytes())
        else:
            self.answer(handler)

    @staticmethod
    def send(handler, content):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    # ---- what else it may answer

    @staticmethod
    def say_that_there_is_none(handler):
        handler.send_error(404)

    def hang(self, handler):
        self.over.wait()

    def send_without_end(self, handler):
        handler.send_response(200)
        handler.end_headers()
        while not self.over.is_set():
            handler.wfile.write(CHUNK)

    @staticmethod
    def announce_much(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(1 << 50))
        handler.end_headers()
        handler.wfile.write(CHUNK)

    @staticmethod
    def redirect_without_end(handler):
        handler.send_response(302)
        handler.send_header("Location", handler.path)
        handler.end_headers()

    @staticmethod
    def redirect_to_a_file(handler):
        handler.send_response(302)
        handler.send_header("Location", "file:///etc/hostname")
        handler.end_headers()


@pytest.fixture
def server(closing):
    one = Server()
    closing.callback(one.close)
    return one


@pytest.fixture
def module(tmp_path):
    """A program without its debug information, and that."""
    return stripped("leaky", tmp_path)


def innermost(daemon, pid):
    return [site["stack"][0] for site in daemon.sites(pid)
            if site["stack"] and site["stack"][0]["module"].endswith("/leaky")]


def named(daemon, pid):
    return {(frame["function"], frame["line"]) for frame in innermost(daemon, pid)}


def debuginfod(daemon):
    return daemon.ctl("status")["debuginfod"]


def kept(daemon):
    return sorted(path.name for path in (daemon.state_dir / "debuginfo").iterdir())


def assert_unnamed_and_counted(daemon, program, counter):
    daemon.watch(program)

    def check():
        assert named(daemon, program.pid) == {(None, None)}
        status = debuginfod(daemon)
        assert status[counter] >= 1
        assert status["found_total"] == 0
        assert status["queued"] == 0

    eventually_passes(check, seconds=20)
    assert not kept(daemon)


def test_names_improve_once_debug_information_has_arrived(server, new_daemon, run, module):
    program_path, debug = module
    number = build_id(program_path)
    server.files[number] = debug
    daemon = new_daemon(debuginfod_urls=server.url).start()
    program = run(program_path)
    daemon.watch(program)
    line = line_of("leaky.c", "malloc(SESSION_BYTES)")
    eventually_passes(lambda: _assert_in(("session_new", line), named(daemon, program.pid)))
    status = debuginfod(daemon)
    assert status["configured"]
    assert status["found_total"] == 1
    assert status["cache_bytes"] == debug.stat().st_size
    assert status["received_bytes_total"] >= debug.stat().st_size
    assert kept(daemon) == [f"{number}.debug"]
    metrics = daemon.request_tcp("/metrics")[1]
    assert 'memwatch_debuginfod_files_total{result="found"} 1' in metrics
    assert "debuginfod" in daemon.try_ctl("status").output

    # Another daemon on the same state has it already.
    assert daemon.terminate() == 0
    server.files.clear()
    server.requests.clear()
    daemon.start()
    daemon.watch(program)
    eventually_passes(lambda: _assert_in(("session_new", line), named(daemon, program.pid)))
    assert number not in server.requests


def _assert_in(wanted, found):
    assert wanted in found


def test_the_second_server_is_asked_for_what_the_first_has_not(server, new_daemon, run, module,
                                                               closing):
    program_path, debug = module
    second = Server()
    closing.callback(second.close)
    second.files[build_id(program_path)] = debug
    daemon = new_daemon(debuginfod_urls=f"{server.url}/ {second.url}").start()
    program = run(program_path)
    daemon.watch(program)
    line = line_of("leaky.c", "malloc(SESSION_BYTES)")
    eventually_passes(lambda: _assert_in(("session_new", line), named(daemon, program.pid)))
    assert build_id(program_path) in server.requests


def test_what_no_server_has_is_asked_for_once(server, new_daemon, run, module):
    daemon = new_daemon(debuginfod_urls=server.url).start()
    program = run(module[0])
    assert_unnamed_and_counted(daemon, program, "not_found_total")
    other = run(module[0])
    daemon.watch(other)
    eventually_passes(lambda: _assert_in((None, None), named(daemon, other.pid)))
    assert server.requests.count(build_id(module[0])) == 1


def test_a_server_that_hangs_delays_nobody_and_is_given_up(server, new_daemon, run, module):
    server.answer = server.hang
    daemon = new_daemon(debuginfod_urls=server.url, debuginfod_seconds=3600).start()
    program = run(module[0])
    daemon.watch(program)
    eventually_passes(lambda: _assert_in((None, None), named(daemon, program.pid)))

    def check():
        assert server.requests
        assert debuginfod(daemon)["queued"] >= 1

    eventually_passes(check)
    # It waits still, for an hour; but not when it has to end.
    assert daemon.terminate() == 0
    daemon.configure(debuginfod_urls=server.url, debuginfod_seconds=1)
    daemon.start()
    assert_unnamed_and_counted(daemon, program, "failed_total")


@pytest.mark.parametrize("answer", ["send_without_end", "announce_much"])
def test_what_is_too_large_is_refused(server, new_daemon, run, module, answer):
    server.answer = getattr(server, answer)
    daemon = new_daemon(debuginfod_urls=server.url, debuginfod_cache="1MiB",
                        debuginfod_seconds=20).start()
    assert_unnamed_and_counted(daemon, run(module[0]), "refused_total")
    assert debuginfod(daemon)["cache_bytes"] == 0


def test_a_file_of_another_build_id_is_refused(server, new_daemon, run, module):
    server.answer = lambda handler: server.send(handler, paths.MEMWATCHCTL.read_bytes())
    daemon = new_daemon(debuginfod_urls=server.url).start()
    assert_unnamed_and_counted(daemon, run(module[0]), "refused_total")


@pytest.mark.parametrize("content", [b"", b"no ELF file", b"\x7fELF" + bytes(60)])
def test_what_is_no_file_of_code_is_refused(server, new_daemon, run, module, content):
    server.answer = lambda handler: server.send(handler, content)
    daemon = new_daemon(debuginfod_urls=server.url).start()
    assert_unnamed_and_counted(daemon, run(module[0]), "refused_total")


@pytest.mark.parametrize("answer", ["redirect_without_end", "redirect_to_a_file"])
def test_redirections_that_lead_nowhere_fail(server, new_daemon, run, module, answer):
    server.answer = getattr(server, answer)
    daemon = new_daemon(debuginfod_urls=server.url).start()
    assert_unnamed_and_counted(daemon, run(module[0]), "failed_total")


def test_a_server_that_is_not_there_fails(server, new_daemon, run, module):
    server.close()
    daemon = new_daemon(debuginfod_urls=server.url).start()
    assert_unnamed_and_counted(daemon, run(module[0]), "failed_total")
    assert "cannot fetch debug information" in daemon.log_text


def test_without_a_setting_nobody_is_asked(server, new_daemon, run, module, monkeypatch):
    """Whatever the environment says."""
    monkeypatch.setenv("DEBUGINFOD_URLS", server.url)
    daemon = new_daemon().start()
    program = run(module[0])
    daemon.watch(program)
    eventually_passes(lambda: _assert_in((None, None), named(daemon, program.pid)))
    assert not debuginfod(daemon)["configured"]
    assert not server.requests
    assert not (daemon.state_dir / "debuginfo").exists()
    # Nor is anything loaded that could ask.
    assert "libcurl" not in pathlib.Path(f"/proc/{daemon.pid}/maps").read_text(encoding="utf-8")


def test_a_proxy_in_the_environment_is_not_used(server, new_daemon, run, module, monkeypatch):
    proxy = server.url
    other = Server()
    try:
        for name in ("http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy)
        daemon = new_daemon(debuginfod_urls=other.url).start()
        assert_unnamed_and_counted(daemon, run(module[0]), "not_found_total")
    finally:
        other.close()
    assert other.requests
    assert not server.requests


def test_what_debug_files_share_is_fetched_too(server, new_daemon, run, tmp_path):
    """The names of inlined functions, which dwz has moved to another file."""
    program_path, debug = stripped("inlines", tmp_path)
    copy, shared = tmp_path / "copy.debug", tmp_path / "shared.debug"
    shutil.copy(debug, copy)
    subprocess.run(["dwz", "-m", shared, "-M", "/nowhere/shared.debug", debug, copy], check=True,
                   timeout=60)
    server.files[build_id(program_path)] = debug
    server.files[build_id(shared)] = shared
    daemon = new_daemon(debuginfod_urls=server.url).start()
    program = run(program_path)
    daemon.watch(program)
    program.tell("fill 100")

    def check():
        [site] = [site for site in daemon.sites(program.pid)
                  if site["stack"] and site["stack"][0]["module"] == str(program_path)]
        assert [frame["function"] for frame in site["stack"][:3]] == ["box_new", "shelf_add",
                                                                      "shelf_fill"]

    eventually_passes(check)
    assert debuginfod(daemon)["found_total"] == 2
