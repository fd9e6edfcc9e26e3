"""The chart: every variant is what Kubernetes accepts, and keeps our rules."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from core.app import health
from core.releases.commands import smoke
from core.settings import CHECKOUT, Settings, environment_name
from tests.helm.charts import (
    CHART,
    REQUIRED,
    VARIANTS,
    VERSIONS,
    containers,
    every,
    faults,
    helm,
    name_of,
    pods,
    rendered,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRETS = {"DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "IIT_MASTER_KEY"}
HOOK = "helm.sh/hook"
SERVING = {"Deployment", "Rollout"}


def find(variant: str, kind: str, ending: str = "") -> dict[str, Any]:
    (only,) = (each for each in rendered(variant) if each["kind"] == kind and each["metadata"]["name"].endswith(ending))
    return only


@pytest.mark.parametrize("file", sorted(path.stem for path in CHART.glob("values*.yaml")))
def test_the_linter_has_nothing_against_any_file_of_values(file: str) -> None:
    done = helm("lint --strict", *([file.removeprefix("values-")] if "-" in file else ()), sets=REQUIRED)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("version", VERSIONS)
def test_every_document_of_every_variant_fits_the_schemas(version: str) -> None:
    wrong = {f"{variant}: {name_of(each)}": faults(each, version) for variant, each in every()}
    assert not {name: problems for name, problems in wrong.items() if problems}


def test_a_wrong_document_does_not_fit() -> None:
    api = find("defaults", "Deployment", "-api")
    wrong = {**api, "spec": {**api["spec"], "replica": 2}}
    rollout = find("argo-canary", "Rollout")
    worse = {**rollout, "spec": {**rollout["spec"], "template": {"spec": {"containers": [{"nam": "api"}]}}}}
    assert faults(wrong, VERSIONS[-1])
    assert faults(worse, VERSIONS[-1])


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_two_documents_of_a_variant_have_one_name(variant: str) -> None:
    names = [name_of(each) for each in rendered(variant)]
    assert len(names) == len(set(names))


def test_every_container_has_limits_and_is_restricted() -> None:
    for variant, document in every():
        for container in containers(document):
            where = (variant, name_of(document), container["name"])
            amounts = container["resources"]
            assert {"cpu", "memory"} <= set(amounts["requests"]) & set(amounts["limits"]), where
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] is True, where
            assert security["allowPrivilegeEscalation"] is False, where
            assert security["capabilities"] == {"drop": ["ALL"]}, where
            assert security["seccompProfile"] == {"type": "RuntimeDefault"}, where
            assert "livenessProbe" in container or container["name"] not in {"api", "worker"}, where
        for pod in pods(document):
            where = (variant, name_of(document))
            assert pod["securityContext"]["runAsNonRoot"] is True, where
            assert pod["securityContext"]["runAsUser"] == 10001, where
            assert pod["automountServiceAccountToken"] is False, where
            assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod), where
            assert all("hostPath" not in volume for volume in pod.get("volumes", ())), where


def test_every_pod_runs_as_an_account_without_a_token_that_the_chart_makes() -> None:
    for variant in VARIANTS:
        accounts = {each["metadata"]["name"] for each in rendered(variant) if each["kind"] == "ServiceAccount"}
        used = {pod["serviceAccountName"] for each in rendered(variant) for pod in pods(each)}
        assert used <= accounts
    assert all(each["automountServiceAccountToken"] is False for _, each in every() if each["kind"] == "ServiceAccount")
    assert not [each for _, each in every() if "rbac" in each["apiVersion"]]


def test_the_probes_ask_routes_that_there_are() -> None:
    paths = {route.path for route in health.router.routes}
    (api,) = containers(find("defaults", "Deployment", "-api"))
    asked = {name: api[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert [path.partition("?")[0] for path in asked.values()] == [
        "/health/startup", "/health/live", "/health/ready",
    ]  # fmt: skip
    assert {path.partition("?")[0] for path in asked.values()} <= paths
    (worker,) = containers(find("defaults", "Deployment", "-worker"))
    assert {worker[name]["httpGet"]["port"] for name in asked} == {"metrics"}


def test_a_stopping_pod_has_the_time_that_it_needs() -> None:
    for kind, ending in (("api", "IIT_DRAIN_SECONDS"), ("worker", "IIT_JOBS_GRACE_SECONDS")):
        (pod,) = pods(find("defaults", "Deployment", f"-{kind}"))
        (own,) = (float(each["value"]) for each in pod["containers"][0]["env"] if each["name"] == ending)
        assert pod["terminationGracePeriodSeconds"] >= own + 30, kind


def test_no_document_holds_a_secret_and_every_reference_is_to_one_of_two() -> None:
    secret = {environment_name(name) for name, field in Settings.model_fields.items() if "Secret" in str(field)}
    assert secret >= SECRETS
    for variant, document in every():
        assert document["kind"] != "Secret", variant
        for container in containers(document):
            for each in container.get("env", ()):
                where = (variant, name_of(document), each["name"])
                if each["name"] in secret | {"IIT_DATA_DATABASES"}:
                    assert "value" not in each, where
                    reference = each["valueFrom"]["secretKeyRef"]
                    assert reference["name"] in {"iit-app", "iit-owner"}, where
                    assert reference["key"] == each["name"], where
                else:
                    assert "valueFrom" not in each, where
                assert "envFrom" not in container


def test_only_pods_that_need_it_get_the_owners_login() -> None:
    have = {
        name_of(document)
        for _, document in every()
        for container in containers(document)
        if any(each["name"] == "DATABASE_OWNER_URL" for each in container.get("env", ()))
    }
    assert have == {"Job/iit-migrate", "CronJob/iit-backup", "Deployment/iit-toolbox"}


def test_no_setting_is_given_twice_and_each_is_a_setting() -> None:
    known = {environment_name(name) for name in Settings.model_fields}
    for variant, document in every():
        for container in containers(document):
            names = [each["name"] for each in container.get("env", ())]
            assert len(names) == len(set(names)), (variant, name_of(document))
            assert set(names) - {"HOME", "TMPDIR"} <= known, (variant, name_of(document))


def test_what_a_hook_needs_before_the_rest_exists_is_a_hook_before_it() -> None:
    documents = {name_of(each): each for each in rendered("external-secrets")}
    job = documents["Job/iit-migrate"]["metadata"]["annotations"]
    assert job[HOOK] == "pre-install,pre-upgrade"
    for name in (
        "ServiceAccount/iit-migrate", "NetworkPolicy/iit-migrate", "ExternalSecret/iit-app", "ExternalSecret/iit-owner",
    ):  # fmt: skip
        annotations = documents[name]["metadata"]["annotations"]
        assert annotations[HOOK] == job[HOOK], name
        assert int(annotations["helm.sh/hook-weight"]) < int(job["helm.sh/hook-weight"]), name
    (pod,) = pods(documents["Job/iit-migrate"])
    assert all("emptyDir" in volume for volume in pod["volumes"])  # no claim is there yet
    mounted = [
        volume["configMap"]["name"]
        for _, each in every()
        for pod in pods(each)
        for volume in pod["volumes"]
        if "configMap" in volume
    ]
    assert not mounted


def test_everything_is_denied_and_each_kind_of_pod_has_what_it_needs() -> None:
    policies = {name_of(each): each["spec"] for each in rendered("defaults") if each["kind"] == "NetworkPolicy"}
    deny = policies.pop("NetworkPolicy/iit-default-deny")
    assert deny["policyTypes"] == ["Ingress", "Egress"]
    assert not {"ingress", "egress"} & set(deny)
    ports = {
        name.rpartition("-")[2]: [
            {port["port"] for rule in spec.get(way, ()) for port in rule["ports"]} for way in ("ingress", "egress")
        ]
        for name, spec in policies.items()
    }
    assert ports == {
        "api": [{"http", "metrics"}, {53, 5432, 6379, 443, 465, 587}],
        "worker": [{"metrics"}, {53, 5432, 6379, 443, 465, 587}],
        "toolbox": [set(), {53, 5432, 6379, 443, 465, 587}],
        "migrate": [set(), {53, 5432}],
        "backup": [set(), {53, 5432}],
        "smoke": [set(), {53, "http"}],
    }
    for variant in VARIANTS:
        for document in rendered(variant):
            for labels in _labels_of_pods(document):
                assert deny["podSelector"]["matchLabels"].items() <= labels.items(), (variant, name_of(document))


def _labels_of_pods(value: Any) -> Iterator[dict[str, str]]:
    if isinstance(value, dict):
        if "containers" in value.get("spec", {}):
            yield value["metadata"]["labels"]
        for each in value.values():
            yield from _labels_of_pods(each)


@pytest.mark.parametrize("variant", VARIANTS)
def test_services_budgets_autoscalers_and_routes_name_what_is_there(variant: str) -> None:
    documents = rendered(variant)
    names = {name_of(each) for each in documents}
    labels = [each for document in documents for each in _labels_of_pods(document)]
    services = {each["metadata"]["name"] for each in documents if each["kind"] == "Service"}
    if variant.startswith("flagger"):
        services.add("iit-api")  # Flagger makes it
    for document in documents:
        spec = document.get("spec", {})
        if document["kind"] == "Service":
            assert any(spec["selector"].items() <= each.items() for each in labels), name_of(document)
        if document["kind"] == "PodDisruptionBudget":
            assert any(spec["selector"]["matchLabels"].items() <= each.items() for each in labels), name_of(document)
        if document["kind"] == "HorizontalPodAutoscaler":
            assert f"{spec['scaleTargetRef']['kind']}/{spec['scaleTargetRef']['name']}" in names
        for backend in re.findall(r"'backendRefs': \[(.*?)\]|'service': \{'name': '([^']+)", repr(document)):
            for service in re.findall(r"'name': '([^']+)'", backend[0]) or [backend[1]]:
                assert service in services, name_of(document)
    claims = {each["metadata"]["name"] for each in documents if each["kind"] == "PersistentVolumeClaim"}
    used = set(re.findall(r"'claimName': '([^']+)'", repr(documents)))
    assert used <= claims | {"files", "backups"}


def test_an_autoscaler_sets_the_number_of_pods_alone() -> None:
    for variant in VARIANTS:
        scaled = {
            each["spec"]["scaleTargetRef"]["name"]
            for each in rendered(variant)
            if each["kind"] == "HorizontalPodAutoscaler"
        }
        for document in rendered(variant):
            if document["kind"] in SERVING:
                assert ("replicas" in document["spec"]) is (document["metadata"]["name"] not in scaled)
    metrics = find("medium", "HorizontalPodAutoscaler", "-worker")["spec"]["metrics"]
    assert [each["type"] for each in metrics] == ["Resource", "External"]
    assert metrics[1]["external"]["metric"]["name"] == "iit_job_oldest_seconds"


@pytest.mark.parametrize(
    ("variant", "kind", "expected"),
    [
        ("small", "Ingress", ('"haproxy.org/ssl-redirect": "true"', "max-age=63072000; includeSubDomains", "requests")),
        ("medium", "Ingress", ("force-ssl-redirect", "limit-rps", "limit-connections")),
        ("large", "HTTPRoute", ("max-age=63072000; includeSubDomains", '"scheme": "https"')),
        ("large", "BackendTrafficPolicy", ('"requests": 50',)),
    ],
)
def test_the_edge_redirects_to_https_with_hsts_and_rates(variant: str, kind: str, expected: tuple[str, ...]) -> None:
    text = repr([each for each in rendered(variant) if each["kind"] == kind]).replace("'", '"').replace('\\"', '"')
    assert all(part in text for part in expected), text


def test_what_a_roll_out_asks_prometheus_for_is_documented() -> None:
    page = (CHECKOUT / "docs" / "how-to" / "watch-the-platform.md").read_text(encoding="utf-8")
    asked = " ".join(repr(each) for _, each in every() if each["kind"] in {"AnalysisTemplate", "MetricTemplate"})
    used = {name.removesuffix("_bucket") for name in re.findall(r"\biit_[a-z_]+", asked)}
    assert used
    assert used <= set(re.findall(r"\biit_[a-z_]+", page))


def test_the_gate_of_every_delivery_is_the_smoke_test_with_options_that_it_has() -> None:
    (container,) = containers(find("defaults", "Job", "-smoke"))
    assert container["command"] == ["iit", "smoke"]
    with smoke.make_context("smoke", list(container["args"])) as context:
        assert context.params["url"] == "http://iit-api"
        assert context.params["host"] == "iit.example.org"
        assert context.params["exclude"] == ("data_databases",)
    for variant, service in (("argo-canary", "canary"), ("argo-blue-green", "preview")):
        template = find(variant, "AnalysisTemplate", "-smoke")
        (gate,) = containers(template)
        assert gate["command"] == ["iit", "smoke"]
        assert f"http://iit-api-{service}" in str(find(variant, "Rollout"))
    for variant in ("flagger-canary-gateway", "flagger-blue-green"):
        (gate,) = containers(find(variant, "Job", "-smoke-canary"))
        assert gate["args"][0] == "http://iit-api-canary"
        (webhook,) = find(variant, "Canary")["spec"]["analysis"]["webhooks"]
        assert webhook["metadata"]["type"] == "helmv3"
        assert webhook["metadata"]["cmd"].endswith("--filter name=iit-smoke-canary")


def test_old_backups_are_deleted_once_all_tenants_have_new_ones(tmp_path: Path) -> None:
    (pod,) = pods(find("defaults", "CronJob"))
    assert [each["name"] for each in pod["initContainers"]] == ["backup"]  # it fails first: nothing is deleted then
    (prune,) = pod["containers"]
    for name, age in (("a.iitbackup", 15), ("b.iitbackup", 13), ("notes.txt", 99)):
        (tmp_path / name).touch()
        stamp = (tmp_path / name).stat().st_mtime - age * 86400
        os.utime(tmp_path / name, (stamp, stamp))
    subprocess.run([sys.executable, "-c", prune["args"][0], str(tmp_path), prune["args"][2]], check=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.iitbackup", "notes.txt"]
