"""The values of the chart: its schema takes the application's settings, and rejects what is wrong."""

from __future__ import annotations

import importlib.util
import json
import tomllib
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml

from core.settings import CHECKOUT, Settings, environment_name
from tests.helm.charts import CHART, REQUIRED, containers, helm, name_of

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def generate() -> Any:
    """The script that writes what follows from other files."""
    spec = importlib.util.spec_from_file_location("chart_generate", CHART.parent / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_settings_are_safe_in_production_and_numbers_stay_whole() -> None:
    own = {"IIT_UPLOAD_MAX_BYTES": 10737418240, "IIT_TRACING_SHARE": 0.5, "IIT_OPERATOR_SECOND_FACTOR": True}
    done = helm("template iit", sets=REQUIRED, more=("--set-json", f"settings={json.dumps(own)}"))
    assert done.returncode == 0, done.stderr
    api = next(each for each in yaml.safe_load_all(done.stdout) if name_of(each) == "Deployment/iit-api")
    values = {each["name"]: each.get("value") for each in containers(api)[0]["env"]}
    assert values["IIT_UPLOAD_MAX_BYTES"] == "10737418240"
    assert (values["IIT_TRACING_SHARE"], values["IIT_OPERATOR_SECOND_FACTOR"]) == ("0.5", "true")
    assert (values["IIT_ENVIRONMENT"], values["IIT_HTTPS_ONLY"]) == ("production", "true")
    assert (values["IIT_HOSTS"], values["IIT_PUBLIC_URL"]) == ("iit.example.org", "https://iit.example.org")


WRONG: tuple[dict[str, Any], ...] = (
    {"host": ""},
    {"host": "https://iit.example.org"},
    {"image.repository": ""},
    {"image.digest": "sha256:12"},
    {"files.url": ""},
    {"files.claim.size": "10Gi"},
    {"files.url": "", "files.claim.size": "10"},
    {"replicas": 3},
    {"api.replica": 3},
    {"api.replicas": 0},
    {"api.replicas": "2"},
    {"api.securityContext": {"runAsUser": 0}},
    {"worker.replicas": 0},
    {"worker.autoscaling.minReplicas": 0},
    {"api.resources.limits": None},
    {"settings.IIT_LOGLEVEL": "info"},
    {"settings.IIT_LOG_LEVEL": "loud"},
    {"settings.IIT_RATE_PERSON": -1},
    {"settings.IIT_PORT": 9000},
    {"settings.IIT_MASTER_KEY": "secret"},
    {"secrets.app.keys": ["DATABASE_URL"]},
    {"secrets.app.keys": ["DATABASE_URL", "REDIS_URL", "IIT_MASTER_KEY", "DATABASE_OWNER_URL"]},
    {"secrets.owner.keys": ["DATABASE_URL"]},
    {"ingress.enabled": True, "edge.proxies": []},
    {"ingress.enabled": True, "edge.proxies": None},
    {"ingress.controller": "traefik"},
    {"gateway.enabled": True},
    {"gateway.enabled": True, "gateway.create": True},
    {"edge.bodySize": "1 GB"},
    {"delivery.mode": "canary"},
    {"delivery.mode": "argo-canary"},
    {"delivery.mode": "argo-canary", "delivery.prometheus": "http://prometheus", "delivery.routing": "nginx"},
    {"delivery.mode": "flagger-blue-green", "delivery.prometheus": "http://prometheus"},
    {"externalSecrets.enabled": True},
    {"externalSecrets.app": {"IIT_LOG_LEVEL": {"key": "iit"}}},
    {"backups.schedule": "daily"},
    {"networkPolicy.postgresql.port": 0},
    {"networkPolicy.edge": [{}]},
    {"toolbox.replicas": 2},
)


def _with(changes: dict[str, Any]) -> dict[str, Any]:
    """Return the chart's values as Helm merges them: what is required, then the changes; None removes."""
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    pairs = {name: yaml.safe_load(text.replace("{", "[").replace("}", "]")) for name, _, text in map(_parted, REQUIRED)}
    for path, value in (pairs | changes).items():
        *folders, last = path.split(".")
        place = values
        for folder in folders:
            place = place[folder]
        if value is None:
            del place[last]
        else:
            place[last] = value
    return values


def _parted(setting: str) -> tuple[str, str, str]:
    return setting.partition("=")


def test_wrong_values_are_rejected() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    assert not [error.message for error in validator.iter_errors(_with({}))]
    assert not [wrong for wrong in WRONG if validator.is_valid(_with(wrong))]


def test_every_object_of_the_schema_is_closed() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    assert schema["additionalProperties"] is False
    assert not list(_open_objects(schema["properties"] | schema["definitions"]))


def _open_objects(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        if value.get("type") == "object" and "properties" in value and value.get("additionalProperties") is not False:
            yield path
        for key, each in value.items():
            yield from _open_objects(each, f"{path}/{key}")


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (("settings.IIT_LOGLEVEL=info",), "IIT_LOGLEVEL"),
        (("ingress.enabled=true", "edge.proxies=null"), "proxies"),
        (
            ("externalSecrets.enabled=true", "externalSecrets.store.name=vault"),
            "externalSecrets.app lacks DATABASE_URL",
        ),
    ],
)
def test_helm_says_which_value_is_wrong(wrong: tuple[str, ...], reason: str) -> None:
    done = helm("template iit", sets=(*REQUIRED, *wrong))
    assert done.returncode != 0
    assert reason in done.stderr


def test_the_chart_belongs_to_this_version_and_its_files_are_up_to_date(generate: Any) -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert chart["appVersion"] == project["project"]["version"]
    assert generate.SCHEMA.read_text(encoding="utf-8") == generate.schema_text(), "run: python helm/generate.py"
    assert generate.README.read_text(encoding="utf-8") == generate.readme_text(), "run: python helm/generate.py"
    whole = {*generate.definitions()["settings"]["properties"], *map(environment_name, generate.SET_BY_CHART)}
    whole |= {environment_name(name) for name in generate.secret_fields()}
    assert whole == {environment_name(name) for name in Settings.model_fields}
