"""The tutorial's plugin is written with the SDK alone, and works in the platform for the tenant that set it up."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import zipfile
from doctest import OutputChecker
from importlib.metadata import distribution
from pathlib import Path

import pytest
from click.testing import CliRunner

from core import plugins
from core.database import tenant_session
from core.events import publish
from core.jobs.worker import drain
from core.plugins import catalogue, hosts, secret_commands
from core.plugins.commands import plugin as plugin_command
from tests.core.outgoing.receivers import Receiver
from tests.core.plugins.conftest import site
from tests.docs.examples import FLAGS, ROOT, Example, Shell, run
from tests.keyed import KeyedClient
from tests.tenants.alerts.conftest import awake

PAGE = ROOT / "docs" / "tutorials" / "first-plugin.md"
STEP = re.compile(
    r"<!-- file: (?P<path>\S+) -->\n```python\n(?P<text>.*?)```"
    r"|<!-- executed (?P<who>with the SDK alone|by the operator) -->\n```console\n(?P<block>.*?)```",
    re.DOTALL,
)
NEEDED = ("numpy", "pluggy", "pytest", "iniconfig", "packaging", "pygments", "setuptools")
TOKEN = "board-token-4711"


def repacked(name, folder):
    """Write an installed package as a wheel again: the tests have no index."""
    package = distribution(name)
    tag = re.search(r"^Tag: (\S+)", package.read_text("WHEEL"), re.MULTILINE)[1]
    files = [
        each for each in package.files if each.parts[0] != ".." and each.suffix != ".pyc" and "tests" not in each.parts
    ]
    wheel = folder / f"{package.name.replace('-', '_')}-{package.version}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for each in files:
            if each.name == "RECORD":
                archive.writestr(str(each), "".join(f"{one},,\n" for one in files))
            else:
                archive.write(each.locate(), str(each))


@pytest.fixture(scope="module")
def shell(wheel, tmp_path_factory):
    """A folder with the SDK's wheel, where the tutorial's commands find the packages that an index would have."""
    folder = tmp_path_factory.mktemp("tutorial")
    (folder / "index").mkdir()
    for name in NEEDED:
        repacked(name, folder / "index")
    (folder / "work").mkdir()
    shutil.copy(wheel, folder / "work")
    settings = {
        "HOME": str(folder),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(folder / "index"),
        "PIP_NO_COMPILE": "1",
    }
    return Shell(folder / "work", {"PATH": f"{Path(sys.base_prefix) / 'bin'}:/usr/bin:/bin", **settings})


@pytest.fixture(scope="module")
def steps():
    matches = list(STEP.finditer(PAGE.read_text(encoding="utf-8")))
    assert [step["who"] for step in matches] == [
        "with the SDK alone", "with the SDK alone", None, None, None, "with the SDK alone", "with the SDK alone",
        "by the operator", "by the operator", "by the operator",
    ]  # fmt: skip
    return matches


def examples_of(block):
    for part in filter(None, block.split("$ ")):
        command, _, shown = part.partition("\n")
        yield Example(command, shown)


def must(example, shell):
    good, output = run(example, shell)
    assert good, f"$ {example.command}\n{output}\n--- the page shows ---\n{example.expected}"


@pytest.fixture(scope="module")
def plugin(shell, steps):
    """The wheel that the author's steps make."""
    for step in steps:
        if step["path"]:
            (shell.folder / step["path"]).write_text(step["text"], encoding="utf-8")
        elif step["who"] == "with the SDK alone":
            for example in examples_of(step["block"]):
                must(example, shell)
            if (shell.folder / "env").exists():  # the page says to keep the environment active
                shell.env["PATH"] = f"{shell.folder / 'env' / 'bin'}:/usr/bin:/bin"
    (packed,) = shell.folder.glob("duty-board/dist/*.whl")
    return packed


@pytest.fixture
def board(plugin, steps, tmp_path):
    """A duty board; the operator has installed the plugin beside the platform, with the page's command."""
    server = Receiver()
    with site() as folder, pytest.MonkeyPatch.context() as patch:
        install = next(
            each for step in steps if step["who"] == "by the operator" for each in examples_of(step["block"])
        )
        # pip installs where the platform's packages are in sight, and not among them.
        paths = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(tmp_path)}
        must(install, Shell(plugin.parent, {**paths, "PIP_NO_INDEX": "1", "PIP_PREFIX": str(folder), "PIP_QUIET": "1"}))
        (packages,) = folder.glob("lib/python*/site-packages")
        patch.syspath_prepend(str(packages))
        plugins.reload()
        catalogue.reload()
        yield server
        hosts.end_all()
    plugins.reload()
    catalogue.reload()
    server.close()


def operate(steps, places):
    """Run the operator's commands of the page but the first, with these words in place of those of the page.

    Returns:
        The id of the instance that they set up.
    """
    commands = [each for step in steps if step["who"] == "by the operator" for each in examples_of(step["block"])][1:]
    assert [each.command.split()[:3] for each in commands] == [
        ["iit", "plugin", name] for name in ("check", "allow", "enable", "test", "log")
    ]
    for example in commands:
        command, shown = example.command, example.expected
        for word, value in places.items():
            command, shown = command.replace(word, value), shown.replace(word, value)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(secret_commands, "_at_terminal", lambda: True)
            result = CliRunner().invoke(plugin_command, shlex.split(command)[2:], input=TOKEN, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        assert OutputChecker().check_output(shown.replace("INSTANCE_ID", "..."), result.output, FLAGS), result.output
        if " enable " in command:
            places["INSTANCE_ID"] = result.output.split()[-1]
    return places["INSTANCE_ID"]


def test_the_environment_of_the_tutorial_has_nothing_of_the_platform(plugin, shell):
    for module in ("core", "tenants", "plugins.slack", "sqlmodel"):
        assert not run(Example(f"python -c 'import {module}'", ""), shell)[0]
    assert run(Example("python -c 'import iit_sdk'", ""), shell)[0]


def test_the_plugin_of_the_tutorial_works_for_its_tenant_and_no_other_sees_it(board, steps, application, make_tenant):
    owners = [make_tenant() for _ in range(2)]
    for owner in owners:
        awake(owner.ref)
    with (
        KeyedClient(application, headers={"Authorization": f"Bearer {owners[0].api_key}"}) as api,
        KeyedClient(application, headers={"Authorization": f"Bearer {owners[1].api_key}"}) as neighbour,
    ):
        url = f"{board.url}/cards"
        places = {"my-programme": owners[0].ref.slug, "https://board.example.org/cards": url}
        instance = f"/v1/plugin-instances/{operate(steps, places)}"
        board.requests.clear()  # the test of the instance
        assert api.get(instance).json()["state"] == "ready"
        assert "duty-board" not in {each["name"] for each in neighbour.get("/v1/plugins").json()["plugins"]}
        body = {"kind": "alert-channel", "plugin": "duty-board", "name": "x", "settings": {"url": url, "token": "t"}}
        assert neighbour.post("/v1/plugin-instances", json=body).status_code == 404
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
