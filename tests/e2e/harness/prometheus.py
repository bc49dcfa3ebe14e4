# SPDX-License-Identifier: Apache-2.0
"""Debian's Prometheus on temporary paths, scraping one memwatchd."""
import json
import pathlib
import shutil
import subprocess
import tempfile
import urllib.parse
import urllib.request

from harness.daemon import free_port
from harness.wait import eventually

READY_SECONDS = 60
END_SECONDS = 20
SCRAPE_INTERVAL = "500ms"


class Prometheus:
    def __init__(self, target_port, rule_files=()):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="memwatch-test-prometheus-"))
        self.port = free_port()
        self.log = self.directory / "log"
        config = self.directory / "prometheus.yml"
        config.write_text(json.dumps({  # which is YAML too
            "global": {"scrape_interval": SCRAPE_INTERVAL, "scrape_timeout": SCRAPE_INTERVAL,
                       "evaluation_interval": SCRAPE_INTERVAL},
            "rule_files": [str(path) for path in rule_files],
            "scrape_configs": [{"job_name": "memwatch", "static_configs": [
                {"targets": [f"127.0.0.1:{target_port}"]}]}]}))
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["prometheus", f"--config.file={config}",
                 f"--storage.tsdb.path={self.directory / 'data'}",
                 f"--web.listen-address=127.0.0.1:{self.port}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def wait_until_ready(self):
        eventually(self._is_ready_or_over, f"Prometheus ready; log: {self.log}", READY_SECONDS)
        assert self.process.poll() is None, self.log.read_text()
        return self

    def _is_ready_or_over(self):
        if self.process.poll() is not None:
            return True
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=5) as ready:
                return ready.status == 200
        except OSError:
            return False

    def get(self, path, **parameters):
        url = f"http://127.0.0.1:{self.port}{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=30) as response:
            answer = json.load(response)
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression):
        """The series of an instant query."""
        return self.get("/api/v1/query", query=expression)["result"]

    def close(self):
        try:
            self.process.terminate()
            self.process.wait(END_SECONDS)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            shutil.rmtree(self.directory)
