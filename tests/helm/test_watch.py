"""Dashboards, rules and objectives: they ask for what there is, fire when they must, and lead to a runbook."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from core.settings import CHECKOUT
from helm.watch.boards import DASHBOARDS
from helm.watch.objectives import OBJECTIVES
from helm.watch.rules import ALERTS, BURNS, groups, runbooks
from tests.debian import environment, program
from tests.helm.charts import CHART, rendered
from tests.helm.metric_names import metrics
from tests.helm.rule_cases import CASES, OWN, requests, s

if TYPE_CHECKING:
    from pathlib import Path

RULES = CHART / "files" / "rules.yaml"
DOCS = CHECKOUT / "docs"
OF_PROMETHEUS = {"namespace", "le"}
OF_KUBERNETES = re.compile(r"\b(?:kube|kubelet)_[a-z_]+")
SELECTOR = re.compile(r"\b(iit_[a-z_]+)(?:\{([^}]*)\})?")
GROUPED = re.compile(r"\bby \(([^)]*)\)")
MATCH = re.compile(r'([a-z_]+)(?:=~|!~|!=|=)"')


def expressions() -> list[tuple[str, str]]:
    """Every expression of rules and dashboards, with where it stands."""
    rules = [(rule.get("alert") or rule["record"], rule["expr"]) for group in groups() for rule in group["rules"]]
    boards = [
        (f"{each.title}: {panel['title']}", target["expr"])
        for each in DASHBOARDS
        for panel in each.json()["panels"]
        for target in panel["targets"]
    ]
    return rules + boards


def promtool(*arguments: object) -> str:
    done = subprocess.run(
        [program("promtool"), *map(str, arguments)], capture_output=True, text=True, check=False, env=environment()
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(("place", "expr"), expressions(), ids=lambda value: value[:40])
def test_an_expression_asks_for_series_and_labels_that_the_code_has(place: str, expr: str) -> None:
    used = {name: metrics().get(name) for name, _ in SELECTOR.findall(expr)}
    assert None not in used.values(), f"{place} asks for what no code counts: {used}"
    for name, selector in SELECTOR.findall(expr):
        labels = set(MATCH.findall(selector))
        assert labels <= metrics()[name].labels | OF_PROMETHEUS, f"{place}: {name} has no such label"
    if used and not OF_KUBERNETES.search(expr):
        grouped = {label.strip() for labels in GROUPED.findall(expr) for label in labels.split(",")}
        assert grouped <= OF_PROMETHEUS.union(*(metric.labels for metric in used.values() if metric)), place


def test_every_metric_stands_in_the_documentation_and_no_other() -> None:
    page = (DOCS / "how-to" / "watch-the-platform.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"\biit_[a-z_]+", page)) - {"iit_slo"}
    assert documented == {metric.name for metric in metrics().values()}


def test_prometheus_reads_the_rules_and_every_expression_of_the_dashboards(tmp_path: Path) -> None:
    promtool("check", "rules", RULES)
    boards = [
        {"record": f"board:{number}", "expr": expr.replace("$__rate_interval", "5m")}
        for number, (place, expr) in enumerate(expressions())
        if place.startswith("IIT:")
    ]
    file = tmp_path / "boards.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "boards", "rules": boards}]}), encoding="utf-8")
    promtool("check", "rules", file)


def test_an_expression_that_cannot_be_read_is_caught(tmp_path: Path) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text("groups: [{name: g, rules: [{record: a, expr: 'sum by (x)'}]}]", encoding="utf-8")
    with pytest.raises(AssertionError, match="parse error"):
        promtool("check", "rules", file)


def rule_tests(*tests: dict[str, Any]) -> dict[str, Any]:
    return {"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": list(tests)}


def alert_test(name: str, series: dict[str, str], at: str, expected: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "interval": "1m",
        "input_series": [{"series": each, "values": values} for each, values in series.items()],
        "alert_rule_test": [{"eval_time": at, "alertname": name, "exp_alerts": expected}],
    }


def active(rule: dict[str, Any], labels: dict[str, str], annotations: dict[str, str]) -> dict[str, Any]:
    return {"exp_labels": {**rule["labels"], **labels}, "exp_annotations": annotations}


def shown(tmp_path: Path, *tests: dict[str, Any]) -> str:
    file = tmp_path / "tests.yaml"
    file.write_text(yaml.safe_dump(rule_tests(*tests)), encoding="utf-8")
    return promtool("test", "rules", file)


def test_there_is_a_case_for_every_alert_on_a_cause() -> None:
    assert set(CASES) == {alert.name for alert in ALERTS}


def test_each_alert_is_active_on_its_bad_day_and_not_on_a_good_one(tmp_path: Path) -> None:
    without = tmp_path / "rules.yaml"  # annotations have values in them, which the tables would repeat
    whole = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    whole["groups"] = [group for group in whole["groups"] if group["name"] == "iit-alerts"]
    for group in whole["groups"]:
        for rule in group["rules"]:
            rule.pop("annotations", None)
    without.write_text(yaml.safe_dump(whole), encoding="utf-8")
    rules = {alert.name: alert.rule() for alert in ALERTS}
    tests = []
    for name, case in CASES.items():
        tests.append(alert_test(name, case.series, case.at, [active(rules[name], case.labels, {})]))
        tests.append(alert_test(name, case.good or {}, case.at, []))
    file = tmp_path / "tests.yaml"
    file.write_text(yaml.safe_dump({**rule_tests(*tests), "rule_files": [str(without)]}), encoding="utf-8")
    promtool("test", "rules", file)


BAD_HOUR = requests(20, 980, 90)  # 2 % fail: 20 times too fast for 99.9 %
GOOD_DAY = requests(0, 1000, 90)


def test_the_budget_of_availability_pages_within_an_hour_and_not_on_a_good_day(tmp_path: Path) -> None:
    (fast,) = [burn for burn in BURNS if burn[2] == "1h"]
    message = next(
        rule
        for group in groups()
        for rule in group["rules"]
        if rule.get("alert") == "IitBudgetBurnsFast"
        and rule["labels"]["slo"] == "availability"
        and rule["labels"]["window"] == fast[2]
    )
    slow = {**message["labels"], "window": "6h"}
    six = next(
        rule
        for group in groups()
        for rule in group["rules"]
        if rule.get("labels") == slow and rule.get("alert") == "IitBudgetBurnsFast"
    )
    shown(
        tmp_path,
        alert_test(
            "IitBudgetBurnsFast",
            BAD_HOUR,
            "61m",
            [active(message, OWN, message["annotations"]), active(six, OWN, six["annotations"])],
        ),
        alert_test("IitBudgetBurnsFast", GOOD_DAY, "61m", []),
    )


@pytest.mark.parametrize("name", [each.name for each in OBJECTIVES])
def test_an_objective_counts_what_is_bad_as_bad(name: str, tmp_path: Path) -> None:
    route = {"method": "GET", "route": "/v1/patients"}
    half = {
        "availability": requests(5, 5, 80),
        "latency": {
            s("iit_http_request_seconds_count", **route): "0+10x80",
            s("iit_http_request_seconds_bucket", le="1.0", **route): "0+5x80",
        },
        "lists": {
            s("iit_nights_total", outcome="on_time"): "0+1x80",
            s("iit_nights_total", outcome="late"): "0+1x80",
        },
        "imports": {s("iit_import_seconds_count"): "0+2x80", s("iit_import_seconds_bucket", le="900.0"): "0+1x80"},
        "alerts": {
            s("iit_alert_seconds_count", outcome="sent"): "0+1x80",
            s("iit_alert_seconds_count", outcome="failed"): "0+1x80",
            s("iit_alert_seconds_bucket", outcome="sent", le="300.0"): "0+1x80",
            s("iit_alert_seconds_bucket", outcome="failed", le="300.0"): "0+1x80",
        },
    }[name]
    query = f'iit:slo_errors:ratio_1h{{slo="{name}"}}'
    shown(
        tmp_path,
        {
            "interval": "1m",
            "input_series": [{"series": each, "values": values} for each, values in half.items()],
            "promql_expr_test": [
                {
                    "expr": query,
                    "eval_time": "70m",
                    "exp_samples": [
                        {"labels": f'iit:slo_errors:ratio_1h{{namespace="iit",slo="{name}"}}', "value": 0.5}
                    ],
                }
            ],
        },
    )


def test_the_chart_gives_the_rules_the_address_of_the_runbooks_and_grafana_the_dashboards() -> None:
    (rules,) = (each["spec"]["groups"] for each in rendered("medium") if each["kind"] == "PrometheusRule")
    links = {rule["annotations"]["runbook_url"] for group in rules for rule in group["rules"] if "annotations" in rule}
    assert links == {f"docs/operations/runbooks/{name}.md" for name in runbooks()}
    maps = [
        each
        for each in rendered("medium")
        if each["kind"] == "ConfigMap" and "grafana_dashboard" in each["metadata"].get("labels", {})
    ]
    assert {json.loads(text)["uid"] for each in maps for text in each["data"].values()} == {
        each.uid for each in DASHBOARDS
    }


def test_every_alert_leads_to_a_runbook_and_every_runbook_of_an_alert_names_it() -> None:
    folder = DOCS / "operations" / "runbooks"
    assert {name for name in runbooks() if not (folder / f"{name}.md").exists()} == set()
    for alert in ALERTS:
        assert f"`{alert.name}`" in (folder / f"{alert.runbook}.md").read_text(encoding="utf-8"), alert.name


def test_the_objectives_stand_in_the_documentation() -> None:
    page = (DOCS / "operations" / "service-levels.md").read_text(encoding="utf-8")
    for each in OBJECTIVES:
        assert f"| {each.title} | {each.target * 100:g} % |" in page
