# SPDX-License-Identifier: Apache-2.0
"""A memwatchd that serves recorded JSON (docs/api.md) over a Unix socket."""

import copy
import http.server
import json
import os
import socketserver
import threading

FRAMES = [
    {"kind": "native", "function": "cache::Store::remember(std::string const&)",
     "module": "/srv/leaky", "build_id": "ab12", "offset": 0x1234,
     "file": "/srv/src/cache/store.cc", "line": 42},
    {"kind": "native", "function": "handle_request",
     "module": "/usr/lib/x86_64-linux-gnu/libweb.so.2", "build_id": "cd34", "offset": 0x2000, "file": None, "line": None},
    {"kind": "native", "function": None, "module": "/usr/lib/x86_64-linux-gnu/libc.so.6",
     "build_id": "ef56", "offset": 0x2724A, "file": None, "line": None},
    {"kind": "native", "function": None, "module": None, "build_id": None,
     "offset": 0x7F0000001000, "file": None, "line": None},
]


def python_frame(function, file, line, qualified_name=None):
    return {"kind": "python", "function": function, "qualified_name": qualified_name or function,
            "module": None, "build_id": None, "offset": 24, "file": file, "line": line,
            "inlined": False, "pending": False}


NATIVE_LEAF = {"kind": "native", "function": "array_new", "module": "/usr/lib/_multiarray.so",
               "build_id": "ab", "offset": 0x40, "file": None, "line": None, "inlined": False,
               "pending": False}
PYTHON_STACK = [NATIVE_LEAF, python_frame("load", "/srv/train.py", 3, "Loader.load"),
                python_frame("<module>", "/srv/train.py", 9)]


def line_sum(outstanding_bytes, **more):
    return {"outstanding_bytes": outstanding_bytes, "outstanding_bytes_stderr": 0.0,
            "outstanding_objects": 117, "allocated_bytes": 2 * outstanding_bytes,
            "allocated_objects": 200, "freed_bytes": outstanding_bytes, "freed_objects": 83,
            **more}


def line(file, number, function, own_bytes, cumulative_bytes, **more):
    """One of `lines`; its peak is twice what it holds."""
    def whole(outstanding_bytes):
        return line_sum(outstanding_bytes, peak_bytes=2 * outstanding_bytes, rss_growth_bytes=None)

    return {"file": file, "line": number, "function": function, "qualified_name": function,
            **whole(own_bytes), "source": None, "cumulative": whole(cumulative_bytes), **more}


def site(verdict, outstanding_bytes, **more):
    return {"verdict": verdict, "kind": "block", "outstanding_bytes": outstanding_bytes,
            "outstanding_bytes_stderr": 1258291, "outstanding_objects": 1117,
            "allocated_bytes": 3 * outstanding_bytes, "allocated_objects": 3351,
            "freed_bytes": 2 * outstanding_bytes, "freed_objects": 2234,
            "growth_bytes_per_second": 20971520.0, "oldest_age_seconds": 30.0,
            "reason": "outstanding bytes rose by 20.0 MiB/s over 30 s, in 15 of 15 generations, "
                      "and no block of the first 10 s has been freed",
            "stack_end": "frame_pointer_guess", "stack": copy.deepcopy(FRAMES), **more}


def account(sites, **more):
    return {"pid": 4242, "comm": "leaky", "start_time": "2026-01-01T00:00:00Z",
            "observed_seconds": 30.1, "provider": "uprobes", "sampling_interval_bytes": 65536,
            "complete": True,
            "lost_events": 0, "outstanding_bytes": 123456789, "outstanding_bytes_stderr": 1258291,
            "outstanding_objects": 1117, "peak_bytes": 234567890, "peak_seconds": 12.5,
            "sites_total": 14, "ended": False,
            "overhead_share": 0.012, "losses": {"map_full": 0}, "sites": sites, **more}


def lines(listed, **more):
    """An answer of `lines`."""
    answer = {**account([]), "current_bytes": 123456789, "group_by": "line",
              "lines_total": len(listed), "lines_full": False, "lines": listed,
              "left_out": line_sum(0), "native": line_sum(4096), "unknown": line_sum(0),
              "total": line_sum(123456789), **more}
    del answer["sites"]
    return answer


LEAKS = account([site("leak", 122683392), site("growing", 524288, growth_bytes_per_second=2048.0)])
TARGET = {"pid": 4242, "comm": "leaky", "uid": 0, "start_time": "2026-01-01T00:00:00Z",
          "watched_seconds": 95.0, "provider": "uprobes", "provider_reason": None,
          "sampling_interval_bytes": 65536, "ended": False,
          "end_reason": None, "allocators": "glibc", "backend": "session", "leases": 1,
          "persistent": True, "outstanding_bytes": 123456789, "outstanding_bytes_stderr": 0,
          "outstanding_objects": 1117, "sites": 14, "blocks": 1117, "mappings": 0,
          "mapping_bytes": 0, "allocator_mapping_bytes": 0, "allocation_hits": 1, "free_hits": 1,
          "return_hits": 1, "failed_allocations": 0, "unknown_frees": 0, "missed_frees": 0,
          "abandoned_calls": 0, "nested_calls": 0, "probes": 12, "probes_single_stepped": 0,
          "overhead_share": 0.012, "recent_overhead_share": 0.021, "budget_share": 0.3,
          "forced": False, "over_budget": False, "end_detail": None, "retried": False,
          "sampling_interval_asked_bytes": 16384, "sampling_interval_raises": 1,
          "losses": {"map_full": 3}}
PROCESS = {"pid": 4242, "parent_pid": 1, "uid": 0, "comm": "leaky", "threads": 1,
           "start_time": "2026-01-01T00:00:00Z", "rss_bytes": 130000000,
           "rss_anon_bytes": 125000000, "rss_file_bytes": 5000000, "rss_shmem_bytes": 0,
           "swap_bytes": 0, "peak_rss_bytes": 130000000, "total_vm_bytes": 200000000,
           "minor_faults": 31234, "major_faults": 2}
OOM = {"id": 1, "time": "2026-01-01T03:04:05Z", "pid": 4242, "uid": 33, "comm": "leaky",
       "cgroup": "/system.slice/leaky.service", "rss_bytes": 130000000,
       "rss_anon_bytes": 125000000, "rss_file_bytes": 5000000, "rss_shmem_bytes": 0,
       "swap_bytes": 0, "total_vm_bytes": 200000000, "page_tables_bytes": 409600,
       "oom_score_adj": 0, "was_target": True, "held": LEAKS}

ANSWERS = {
    "GET /api/v1/status": {
        "version": "0.1.0", "start_time": "2026-01-01T00:00:00Z", "uptime_seconds": 93784.0,
        "backend": "session",
        "attach_backends_tried": [{"name": "session", "works": True, "reason": None}],
        "targets": 1, "targets_max": 64, "targets_reporting": 0, "cpu_seconds": 12.5,
        "rss_bytes": 20000000, "bpf_memory_bytes": 30000000, "symbol_cache_bytes": 1000000,
        "naming": {"waiting_frames": 12, "named_frames_total": 345, "dropped_frames_total": 0,
                   "pending_frames_total": 6, "cpu_seconds_total": 0.25},
        "unwind": {"modules": 12, "bytes": 3000000, "bytes_max": 67108864, "builds_total": 14,
                   "build_seconds_total": 0.12, "refused_modules_total": 1},
        "debuginfod": {"configured": True, "queued": 3, "found_total": 7, "not_found_total": 5,
                       "failed_total": 2, "refused_total": 1, "dropped_total": 0,
                       "received_bytes_total": 40000000, "cache_bytes": 30000000,
                       "cache_bytes_max": 1073741824},
        "oom_kills_total": 1, "ended_over_budget_total": 2, "intervals_raised_total": 3,
        "events_total": 123456,
        "maps": {"blocks": {"used": 950000, "max": 1000000}, "sites": {"used": 14, "max": 32768}},
        "losses": {"map_full": 0}},
    "GET /api/v1/doctor": {
        "healthy": True, "checks": [
            {"name": "btf", "state": "ok", "detail": "/sys/kernel/btf/vmlinux", "remedy": None},
            {"name": "attach back end", "state": "degraded",
             "detail": "multi; session: attaching fails: Invalid argument",
             "remedy": "a kernel from 6.13 makes sampling cheaper"}],
        "costs_ns": {"allocation_exact": 1700.0, "free": None}},
    "GET /api/v1/processes": {
        "processes_total": 80, "rss_bytes": 2000000000, "minor_faults": 1000000,
        "major_faults": 300, "processes": [{**PROCESS, "target": True}]},
    "GET /api/v1/processes/4242": {**PROCESS, "target": TARGET},
    "GET /api/v1/processes/4242/leaks": LEAKS,
    "GET /api/v1/processes/4242/stacks": account(
        [{key: value for key, value in site("", 122683392).items()
          if key not in ("verdict", "growth_bytes_per_second", "reason")}]),
    "GET /api/v1/processes/4242/lines": lines([
        line("/srv/train.py", 3, "load", 122683392, 122683392),
        line("/srv/train.py", 9, "<module>", 0, 122699776),
        line("/usr/lib/python3/json/decoder.py", 353, "raw_decode", 16384, 16384)]),
    "GET /api/v1/targets": {"targets": [
        TARGET, {**TARGET, "pid": 77, "ended": True, "end_reason": "exited", "losses": {},
                 "sampling_interval_bytes": 1, "sampling_interval_raises": 0}],
        "waiting": [{"pid": 78, "comm": "busy", "uid": 0, "due_seconds": 40.0, "retries": 2,
                     "overhead_share": 0.84, "budget_share": 0.03}]},
    "PUT /api/v1/processes/4242/watch": {
        "pid": 4242, "lease_id": 7, "was_watched": False, "provider": "uprobes",
        "sampling_interval_bytes": 65536, "watched_seconds": 0.0, "budget_share": 0.3,
        "forced": False},
    "DELETE /api/v1/processes/4242/watch": {"pid": 4242, "watched": False},
    "GET /api/v1/ooms": {"oom_kills_total": 1, "ooms": [OOM]},
    "GET /api/v1/ooms/1": OOM,
}


def error(status, code, message):
    """An answer of the API's error kind."""
    return status, {"error": {"code": code, "message": message}}


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def address_string(self):
        return "unix"

    def log_message(self, *_):
        pass

    def _answer(self):
        status, body = self.server.daemon_.answer(self.command, self.path)
        if not isinstance(body, bytes):
            body = json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogateescape")
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except BrokenPipeError:
            self.close_connection = True

    do_GET = do_PUT = do_DELETE = _answer


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


class FakeDaemon:
    """Answers by `answers`: "METHOD path" to an object, a (status, object), or a function of the
    query string that returns one of them. `requests` lists what was asked, in order."""

    def __init__(self, socket_path):
        self.socket_path = str(socket_path)
        self.answers = copy.deepcopy(ANSWERS)
        self.requests = []
        self._changed = threading.Condition()
        self._server = _Server(self.socket_path, _Handler)
        self._server.daemon_ = self
        os.chmod(self.socket_path, 0o666)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,),
                                        daemon=True)
        self._thread.start()

    def answer(self, method, path):
        path, _, query = path.partition("?")
        with self._changed:
            self.requests.append(f"{method} {path}" + (f"?{query}" if query else ""))
            self._changed.notify_all()
        answer = self.answers.get(f"{method} {path}", error(404, "not_found", "no such path"))
        if callable(answer):
            answer = answer(query)
        return answer if isinstance(answer, tuple) else (200, answer)

    def wait_for_request(self, start, timeout_seconds=20):
        """Returns once a request that starts so has come."""
        with self._changed:
            came = self._changed.wait_for(
                lambda: any(request.startswith(start) for request in self.requests),
                timeout_seconds)
        assert came, f"no {start} among {self.requests}"

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
