"""What the tests of the chart share: Helm, the variants, and the schemas of three versions of Kubernetes."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import yaml
from kubernetes_validate import utils
from referencing import Registry, Resource

from core.settings import CHECKOUT

CHART = CHECKOUT / "helm" / "iit"
VERSIONS = ("1.30", "1.34", "1.37")
"""Versions of Kubernetes: the oldest that the chart accepts, one between, and the newest with a schema."""

REQUIRED = (
    "image.repository=registry.example.org/iit",
    "host=iit.example.org",
    "files.url=s3://bucket/iit",
    "edge.proxies={10.1.0.0/16}",
)
ARGO = ("delivery.prometheus=http://prometheus:9090",)
FLAGGER = (*ARGO, "delivery.flagger.loadTester=http://flagger-loadtester.flagger/")
GATEWAY = ("gateway.enabled=true", "gateway.create=true", "gateway.className=eg")
NGINX = ("ingress.enabled=true", "ingress.controller=ingress-nginx", "delivery.routing=nginx")

VARIANTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "defaults": ((), ()),
    "small": (("small",), ("ingress.enabled=true", "ingress.className=haproxy")),
    "medium": (("medium",), ("ingress.enabled=true", "ingress.className=nginx", "ingress.controller=ingress-nginx")),
    "large": (("large",), (*GATEWAY, "gateway.envoyRateLimit=true")),
    "airgapped": (("small", "airgapped"), ("ingress.enabled=true", "ingress.controller=none")),
    "external-secrets": (
        ("small",),
        (
            "externalSecrets.enabled=true",
            "externalSecrets.store.name=vault",
            *(f"externalSecrets.app.{name}.key=iit" for name in ("DATABASE_URL", "REDIS_URL", "IIT_MASTER_KEY")),
            "externalSecrets.app.REDIS_URL.property=url",
            "externalSecrets.owner.DATABASE_OWNER_URL.key=iit-owner",
        ),
    ),
    "claims": (("small",), ("files.url=", "files.claim.size=100Gi", "image.digest=sha256:" + "0" * 64)),
    "own-claims": (("small",), ("files.url=", "files.claim.existing=files", "backups.claim.existing=backups")),
    "plain": ((), ("backups.enabled=false", "networkPolicy.enabled=false", "disruptions.enabled=false")),
    "argo-canary": (("medium",), ("delivery.mode=argo-canary", *ARGO)),
    "argo-canary-nginx": ((), ("delivery.mode=argo-canary", *ARGO, *NGINX)),
    "argo-canary-gateway": ((), ("delivery.mode=argo-canary", "delivery.routing=gateway-api", *ARGO, *GATEWAY)),
    "argo-blue-green": (("medium",), ("delivery.mode=argo-blue-green", *ARGO)),
    "flagger-canary-nginx": (("medium",), ("delivery.mode=flagger-canary", *FLAGGER, *NGINX)),
    "flagger-canary-gateway": (
        (),
        (
            "delivery.mode=flagger-canary",
            "delivery.routing=gateway-api",
            "gateway.envoyRateLimit=true",
            *FLAGGER,
            *GATEWAY,
        ),
    ),
    "flagger-blue-green": (("medium",), ("delivery.mode=flagger-blue-green", *FLAGGER)),
}
"""Name of a variant -> its files of values, and what is set besides."""


@functools.cache
def program() -> str:
    """Return the path of Helm."""
    own = Path(sys.prefix) / "helm" / "helm"
    path = str(own) if own.exists() else shutil.which("helm")
    assert path, "there is no Helm: run make test, or python .ci/helm.py .venv"
    return path


def helm(
    command: str, *files: str, sets: tuple[str, ...] = (), more: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run ``helm lint`` or ``helm template`` on the chart, with the named files of values."""
    arguments = [program(), *command.split(), str(CHART), "--namespace", "clinic", *more]
    for name in files:
        arguments += ["--values", str(CHART / f"values-{name}.yaml")]
    for each in sets:
        arguments += ["--set", each]
    return subprocess.run(arguments, capture_output=True, text=True, check=False)


@functools.cache
def rendered(variant: str) -> tuple[dict[str, Any], ...]:
    """Return the documents of a variant."""
    files, sets = VARIANTS[variant]
    done = helm("template iit", *files, sets=(*REQUIRED, *sets))
    assert done.returncode == 0, done.stderr
    return tuple(document for document in yaml.load_all(done.stdout, yaml.CSafeLoader) if document)


def every() -> list[tuple[str, dict[str, Any]]]:
    """Return every document of every variant, equal ones once, with the name of its first variant."""
    known: dict[str, tuple[str, dict[str, Any]]] = {}
    for variant in VARIANTS:
        for document in rendered(variant):
            known.setdefault(repr(document), (variant, document))
    return list(known.values())


def name_of(document: dict[str, Any]) -> str:
    """Return kind and name."""
    return f"{document['kind']}/{document['metadata']['name']}"


def pods(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the specifications of the pods in a document, at any depth."""
    if isinstance(document, dict):
        own = [document] if "containers" in document else []
        return own + [pod for value in document.values() for pod in pods(value)]
    return [pod for value in document for pod in pods(value)] if isinstance(document, list) else []


def containers(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the containers of all pods in a document."""
    return [each for pod in pods(document) for each in (*pod.get("initContainers", ()), *pod["containers"])]


def faults(document: dict[str, Any], version: str) -> list[str]:
    """Return what a version of Kubernetes, or the schema of a custom resource, rejects in a document."""
    api, kind = document["apiVersion"], document["kind"]
    crd = _crds().get(f"{api}/{kind}")
    if crd is None:
        return _wrong(_validator(api, kind, version), document)
    problems = _wrong(jsonschema.Draft202012Validator(crd), document["spec"])
    for inner_kind, inner_api, spec in _within(document):
        inner = {"apiVersion": inner_api, "kind": inner_kind, "metadata": document["metadata"], "spec": spec}
        problems += faults(inner, version)
    return problems


def _wrong(validator: jsonschema.Draft202012Validator, value: dict[str, Any]) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def _within(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Return what a custom resource has in it of Kubernetes' own kinds."""
    spec = document["spec"]
    if document["kind"] == "Rollout":
        return [("Deployment", "apps/v1", {key: value for key, value in spec.items() if key != "strategy"})]
    if document["kind"] == "AnalysisTemplate":
        jobs = [metric["provider"]["job"]["spec"] for metric in spec["metrics"] if "job" in metric["provider"]]
        return [("Job", "batch/v1", job) for job in jobs]
    return []


@functools.cache
def _crds() -> dict[str, Any]:
    return yaml.load((Path(__file__).parent / "crds.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader)


@functools.cache
def _validator(api: str, kind: str, version: str) -> jsonschema.Draft202012Validator:
    group, _, number = api.rpartition("/")
    file = f"{kind.lower()}-{group.split('.')[0] + '-' if group else ''}{number}.json"
    folder = f"kubernetes-json-schema/v{version}.0-local-strict"
    schema = utils.schema_contents(f"{folder}/{file}", version)
    return jsonschema.Draft202012Validator(schema, registry=_registry(folder, version))


@functools.cache
def _registry(folder: str, version: str) -> Registry:
    definitions = Resource.from_contents(utils.schema_contents(f"{folder}/_definitions.json", version))
    return (definitions @ Registry()).crawl()
