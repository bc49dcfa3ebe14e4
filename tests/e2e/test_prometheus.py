# SPDX-License-Identifier: Apache-2.0
"""What an operator imports works on a real Prometheus: the metrics, the dashboard, the alerts."""
import json
import math
import subprocess

import pytest

from harness import paths
from harness.prometheus import Prometheus
from harness.wait import eventually

DASHBOARD = paths.ROOT / "deploy/grafana/memwatch.json"
RULES = paths.ROOT / "deploy/prometheus/memwatch.rules.yml"
RULES_TEST = paths.ROOT / "tests/e2e/memwatch.rules.test.yml"
SCRAPE_CONFIG = paths.ROOT / "deploy/prometheus/scrape.yml"
DATA_SECONDS = 60


def dashboard_queries():
    """(panel, query) of each query, with Grafana's variables as it would fill them in."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [(panel["title"], target["expr"].replace("$__rate_interval", "5s")
             .replace("$instance", ".*"))
            for panel in panels for target in panel.get("targets", [])]


def promtool(*arguments, **options):
    done = subprocess.run(["promtool", *(str(word) for word in arguments)], capture_output=True,
                          text=True, check=False, **options)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def watched(daemon, run):
    program = run("leaky")
    daemon.watch(program)
    return program


@pytest.fixture
def prometheus(daemon, closing):
    one = Prometheus(daemon.port, [RULES])
    closing.callback(one.close)
    return one.wait_until_ready()


def test_every_query_of_the_dashboard_returns_data(watched, prometheus):
    def without_data():
        return [(panel, query) for panel, query in dashboard_queries()
                if not any(math.isfinite(float(series["value"][1]))
                           for series in prometheus.query(query))]

    queries = dashboard_queries()
    assert len(queries) > 30 and not any("$" in query for _, query in queries)
    eventually(lambda: not without_data() or watched.process.poll() is not None,
               f"data for each of {len(queries)} queries", DATA_SECONDS)
    assert without_data() == []


def test_the_alerts_evaluate_on_real_metrics(watched, prometheus):
    def rules():
        groups = prometheus.get("/api/v1/rules")["groups"]
        return [rule for group in groups for rule in group["rules"]]

    eventually(lambda: rules() and all(rule["health"] != "unknown" for rule in rules()),
               "each rule evaluated", DATA_SECONDS)
    assert [(rule["name"], rule["lastError"]) for rule in rules()
            if rule["health"] != "ok"] == []


def test_promtool_finds_nothing_in_the_metrics(daemon, watched):
    status, metrics = daemon.request_tcp("/metrics")
    assert status == 200
    assert f'pid="{watched.pid}"' in metrics
    assert promtool("check", "metrics", input=metrics) == (0, "")


def test_each_alert_fires_in_trouble_and_is_silent_in_peace():
    status, output = promtool("test", "rules", RULES_TEST)
    assert status == 0, output


def test_promtool_accepts_the_rules_and_the_scrape_example():
    for check, file in (("rules", RULES), ("config", SCRAPE_CONFIG)):
        status, output = promtool("check", check, file)
        assert status == 0, output
