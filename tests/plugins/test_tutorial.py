"""The tutorial's plugin is written with the SDK alone, and works in the platform for the tenant that set it up."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from core import plugins
from core.database import tenant_session
from core.events import publish
from core.jobs.worker import drain
from core.plugins import catalogue, hosts
from tests.core.outgoing.receivers import Receiver
from tests.core.plugins.conftest import site
from tests.docs.examples import ROOT, Example, Shell, run
from tests.keyed import KeyedClient
from tests.tenants.alerts.conftest import awake

PAGE = ROOT / "docs" / "tutorials" / "first-plugin.md"
STEP = re.compile(
    r"<!-- file: (?P<path>\S+) -->\n```python\n(?P<text>.*?)```|<!-- executed with the SDK alone -->\n```console\n"
    r"(?P<block>.*?)```",
    re.DOTALL,
)
TOOLS = (
    "numpy*",
    "pluggy*",
    "py.py",
    "pytest",
    "pytest-*",
    "_pytest",
    "iniconfig*",
    "packaging*",
    "pygments*",
    "pip",
    "pip-*",
    "setuptools*",
    "_distutils_hack",
    "wheel*",
)
TOKEN = "board-token-4711"


@pytest.fixture(scope="module")
def shell(wheel, tmp_path_factory):
    """An environment with the SDK's wheel, its two libraries and tools to test and pack; nothing of this project."""
    folder = tmp_path_factory.mktemp("tutorial")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True)
    (packages,) = (folder / "env" / "lib").glob("python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    for pattern in TOOLS:
        for path in Path(sysconfig.get_paths()["purelib"]).glob(pattern):
            (packages / path.name).symlink_to(path)
    commands = folder / "env" / "bin"
    (commands / "pip").write_text(f'#!/bin/sh\nexec {commands}/python -m pip --disable-pip-version-check "$@"\n')
    (commands / "pip").chmod(0o755)
    (folder / "work").mkdir()
    return Shell(folder / "work", {"PATH": f"{commands}:/usr/bin:/bin", "HOME": str(folder), "PIP_NO_INDEX": "1"})


@pytest.fixture(scope="module")
def plugin(shell):
    """The wheel that the steps of the tutorial make."""
    steps = list(STEP.finditer(PAGE.read_text(encoding="utf-8")))
    assert len(steps) == 6
    for step in steps:
        if step["path"]:
            (shell.folder / step["path"]).write_text(step["text"], encoding="utf-8")
            continue
        for part in filter(None, step["block"].split("$ ")):
            command, _, shown = part.partition("\n")
            good, output = run(Example(command, shown), shell)
            assert good, f"$ {command}\n{output}\n--- the page shows ---\n{shown}"
    (packed,) = shell.folder.glob("duty-board/dist/*.whl")
    return packed


@pytest.fixture
def board(plugin):
    """A duty board; the plugin is installed."""
    server = Receiver()
    with site() as folder, pytest.MonkeyPatch.context() as patch:
        with zipfile.ZipFile(plugin) as archive:
            archive.extractall(folder)
        patch.syspath_prepend(str(folder))
        plugins.reload()
        catalogue.reload()
        yield server
        hosts.end_all()
    plugins.reload()
    catalogue.reload()
    server.close()


def test_the_environment_of_the_tutorial_has_nothing_of_the_platform(shell):
    for module in ("core", "tenants", "plugins.slack", "sqlmodel"):
        assert not run(Example(f"python -c 'import {module}'", ""), shell)[0]
    assert run(Example("python -c 'import iit_sdk'", ""), shell)[0]


def test_the_plugin_of_the_tutorial_works_for_its_tenant_and_no_other_sees_it(board, application, make_tenant):
    owners = [make_tenant() for _ in range(2)]
    for owner in owners:
        awake(owner.ref)
    with (
        KeyedClient(application, headers={"Authorization": f"Bearer {owners[0].api_key}"}) as api,
        KeyedClient(application, headers={"Authorization": f"Bearer {owners[1].api_key}"}) as neighbour,
    ):
        settings = {"url": f"{board.url}/cards", "token": TOKEN}
        body = {"kind": "alert-channel", "plugin": "duty-board", "name": "Ward 3", "settings": settings}
        answer = api.post("/v1/plugin-instances", json=body)
        assert answer.status_code == 201, answer.text
        instance = f"/v1/plugin-instances/{answer.json()['id']}"
        for owner in owners:
            for ended in (False, True):
                with tenant_session(owner.ref, actor="test:1") as session:
                    publish(session, "models.drift", {"subject": f"of {owner.ref.slug}", "value": 1, "ended": ended})
                drain(owner.ref)
        cards = [(path, headers["Authorization"], body) for path, headers, body in board.requests]
        assert [path for path, *_ in cards] == ["/cards", "/cards"]
        assert {token for _, token, _ in cards} == {f"Bearer {TOKEN}"}
        assert [b'"state":"new"' in cards[0][2].replace(b" ", b""), b'"gone"' in cards[1][2]] == [True, True]
        assert all(owners[1].ref.slug.encode() not in body for *_, body in cards)
        assert neighbour.get("/v1/plugin-instances").json()["items"] == []
        assert neighbour.get(instance).status_code == neighbour.post(f"{instance}/test").status_code == 404
        assert neighbour.delete(instance, headers={"If-Match": "*"}).status_code == 404
        (alert,) = neighbour.get("/v1/alerts").json()["items"]
        assert neighbour.get(f"/v1/alerts/{alert['id']}").json()["deliveries"] == []
