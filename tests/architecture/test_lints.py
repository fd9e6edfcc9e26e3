"""The tree keeps the project's own rules; and each rule catches what breaks it."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import grimp
import pytest

from core.cli.main import commands
from tests.architecture import cycles, lints

PROJECT = tomllib.loads((lints.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
TARGETS = lints.make_targets((lints.ROOT / "Makefile").read_text(encoding="utf-8"))


def broken(rule: lints.Rule, *endings: str) -> list[str]:
    return [breach for path, text in lints.texts(*endings) for breach in rule(path, text)]


class TestTheTree:
    def test_nothing_outside_core_database_opens_a_connection(self) -> None:
        assert broken(lints.opened_connections, ".py") == []

    def test_no_file_is_longer_than_can_be_read_at_once(self) -> None:
        assert broken(lints.length, ".py") == []

    def test_no_modules_import_each_other(self) -> None:
        graph = grimp.build_graph("core", "tenants", "billing", "plugins")
        imported = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
        assert cycles.cycles(imported) == []

    def test_nothing_is_left_unfinished_in_a_comment(self) -> None:
        assert broken(lints.unfinished) == []

    def test_no_address_of_a_package_index_and_no_path_of_one_machine(self) -> None:
        assert broken(lints.places) == []

    def test_the_documentation_names_only_what_exists(self) -> None:
        assert broken(lints.unknown_tools(TARGETS, set(commands())), ".md") == []

    def test_every_room_and_plugin_has_its_place(self) -> None:
        assert list(lints.unplaced_rooms(lints.ROOT, PROJECT)) == []

    def test_every_exception_to_the_connection_rule_still_exists(self) -> None:
        assert [path for path in lints.MAY_CONNECT if not (lints.ROOT / path).exists()] == []

    def test_the_lint_rules_are_all_on_and_each_exception_says_why(self) -> None:
        text = (lints.ROOT / "pyproject.toml").read_text(encoding="utf-8")
        assert PROJECT["tool"]["ruff"]["lint"]["select"] == ["ALL"]
        section = re.search(r"^ignore = \[\n(.*?)^\]", text, re.DOTALL | re.MULTILINE)
        assert section is not None
        unreasoned = [line for line in section[1].splitlines() if "#" not in line]
        per_file = text.split("[tool.ruff.lint.per-file-ignores]")[1].split("\n[")[0]
        unreasoned += [line for line in per_file.splitlines() if line.strip() not in ("", "]") and "#" not in line]
        assert [line for line in unreasoned if not line.endswith("= [")] == []

    def test_starting_the_api_loads_none_of_the_learning_libraries(self) -> None:
        heavy = ("lightgbm", "numba", "openpyxl", "pandas", "scipy", "shap", "sklearn")
        code = (
            "import sys\n"
            "from core.feature_registry import features, resolve\n"
            "for feature in features():\n"
            "    for router in feature.routers: resolve(router)\n"
            "import core.app.factory\n"
            f"sys.stdout.write(' '.join(name for name in {heavy!r} if name in sys.modules))"
        )
        done = subprocess.run([sys.executable, "-c", code], cwd=lints.ROOT, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.mark.parametrize(
    "code",
    [
        "import psycopg\npsycopg.connect('x')",
        "import psycopg as pg\npg.Connection.connect('x')",
        "from psycopg import connect as link\nlink('x')",
        "def f():\n    from sqlalchemy import create_engine\n    return create_engine('x')",
        "import sqlalchemy.orm\nsqlalchemy.orm.Session(bind=None)",
        "from sqlmodel import Session\nwith Session(engine) as s: ...",
        "from psycopg_pool import ConnectionPool\npool = ConnectionPool('x')",
    ],
)
def test_an_opened_connection_is_caught(code: str) -> None:
    assert len(list(lints.opened_connections("tenants/records/repository.py", code))) == 1
    assert list(lints.opened_connections("core/database/engines.py", code)) == []


@pytest.mark.parametrize(
    "code",
    [
        "from sqlmodel import Session\ndef f(session: Session) -> None: session.connection()",
        "from core.database import tenant_session\nwith tenant_session(tenant) as s: ...",
        "from redis import Redis\nRedis().connect()",
    ],
)
def test_what_opens_no_connection_is_left_alone(code: str) -> None:
    assert list(lints.opened_connections("tenants/records/repository.py", code)) == []


def test_a_long_file_is_caught_and_a_rendered_one_is_not() -> None:
    assert list(lints.length("core/long.py", "x\n" * 401))
    assert not list(lints.length("core/long.py", "x\n" * 400))
    assert not list(lints.length("migrations/tenant/versions/0001_initial.py", "x\n" * 2000))


@pytest.mark.parametrize("word", ["TO" + "DO", "FIX" + "ME", "XX" + "X"])
def test_an_unfinished_line_is_caught(word: str) -> None:
    assert list(lints.unfinished("core/a.py", f"x = 1  # {word}: later")) == [f"core/a.py:1: {word}: do it, or file it"]
    assert not list(lints.unfinished("core/a.py", "a methodology of todos"))


@pytest.mark.parametrize(
    "text",
    [
        "see https://py" + "pi.org/simple/x",
        "url = 'https://files.python" + "hosted.org/x'",
        "https://registry.npm" + "js.org/left-pad",
        "--index-" + "url https://mirror.example/simple",
        "cd /wor" + "k/main",
        "open('/roo" + "t/.cache')",
        "/hom" + "e/someone/project",
        "make results DATA=../shar" + "ed/data",
    ],
)
def test_a_place_that_is_not_the_projects_is_caught(text: str) -> None:
    assert list(lints.places("docs/a.md", text))


@pytest.mark.parametrize("text", ["/v1/worklists", "tests/work/x", "~/work/x", "make demo DATA=folder", "/var/lib/x"])
def test_other_places_are_left_alone(text: str) -> None:
    assert not list(lints.places("docs/a.md", text))


def test_a_tool_that_does_not_exist_is_caught() -> None:
    rule = lints.unknown_tools({"test", "demo"}, {"import", "score"})
    text = "run `make tset`, `make demo SERVE=0`, `make PYTHON=3.12 demo`\n\n    $ iit scroe abc\n$ iit import abc\n"
    assert list(rule("a.md", text)) == [
        "a.md:1: make tset is no target of the Makefile",
        "a.md:3: iit scroe is no command",
    ]
    assert not list(rule("a.md", "they make lists; with iit everything fits"))


def test_a_room_or_plugin_without_its_place_is_caught(tmp_path: Path) -> None:
    for package in ("tenants/records", "tenants/stray", "plugins/sdk", "plugins/stray"):
        (tmp_path / package).mkdir(parents=True)
        (tmp_path / package / "__init__.py").touch()
        (tmp_path / package / "feature.py").touch()
    project = {
        "project": {"entry-points": {"iit.features": {"gone": "tenants.gone.feature:feature"}, "iit.plugins": {}}},
        "tool": {
            "importlinter": {
                "contracts": [
                    {"type": "layers", "containers": ["tenants"], "layers": ["missing", "(later)", "records"]},
                    {"type": "independence", "modules": []},
                ]
            }
        },
    }
    assert list(lints.unplaced_rooms(tmp_path, project)) == [
        "tenants/stray has no place in the order of import-linter",
        "tenants/missing is ordered without brackets, and is not there",
        "tenants/records is not registered in pyproject.toml",
        "tenants/stray is not registered in pyproject.toml",
        "tenants/gone is registered in pyproject.toml, and is not there",
        "plugins.stray is in no independence contract of import-linter",
        "plugins.stray is not registered in pyproject.toml",
    ]


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("core/cli/breach.py", "tenants.records"),
        ("tenants/records/breach.py", "tenants.risk"),
        ("core/database/breach.py", "core.tenancy"),
        ("plugins/additive/breach.py", "core.errors"),
        ("plugins/sdk/breach.py", "core.errors"),
        ("plugins/additive/breach.py", "plugins.boosting"),
        ("tenants/records/breach.py", "billing"),
        ("core/cli/breach.py", "billing"),
    ],
)
def test_import_linter_catches_an_import_in_the_wrong_direction(module: str, imported: str, tmp_path: Path) -> None:
    for name in lints.tracked():
        if name.endswith(".py") and name.startswith(("core/", "tenants/", "billing/", "plugins/")):
            copy = tmp_path / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.touch()  # contracts ask only who imports whom
    (tmp_path / module).write_text(f"import {imported}\n")
    (tmp_path / "pyproject.toml").write_text((lints.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 broken" in done.stdout
    (tmp_path / module).write_text("")
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0


def test_a_cycle_of_modules_is_found_however_long() -> None:
    imported = {"a": ["b"], "b": ["c"], "c": ["a", "d"], "d": ["outside"], "e": ["f"], "f": ["e"]}
    assert cycles.cycles(imported) == [["a", "b", "c"], ["e", "f"]]
