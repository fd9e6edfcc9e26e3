"""An error has a remedy for each reader: callers of the API have no command line."""

import ast
import re
from pathlib import Path

import pytest

from core.cli.main import explain
from core.errors import Conflict, FieldError
from core.errors.family import FAMILY
from core.errors.problem import problem

ROOT = Path(__file__).parents[3]
COMMAND = re.compile(r"\biit [a-z]|(?<![\w-])--[a-z]")
OPTION = re.compile(r"--[a-z-]+(=\S*)?")
"""An argument of another program, alone in its text."""
OF_THE_COMMAND_LINE = ("commands", "_command", "core/cli/", "tenants/demo/")
"""Parts of the names of files whose texts reach only those who run the installation."""
NO_ERRORS = {
    "core/access/matrix.py",
    "core/audit/chain.py",
    "core/feature.py",
    "core/preferences/reference.py",
    "core/settings/flagging.py",
    "core/settings/model.py",
    "core/settings/observing.py",
    "core/settings/pools.py",
    "core/settings/serving.py",
    "core/settings/working.py",
    "plugins/sdk/new_plugin.py",
    "tenants/messages/covert.py",
}
"""Files that quote a command in a description, a page or a line of a journal, or list words."""


def quotes_command(text):
    return COMMAND.search(text) is not None and OPTION.fullmatch(text) is None


def meant_for_commands(node):
    """Whether the texts in a node are for the command line: its name says so."""
    if isinstance(node, ast.keyword):
        return node.arg == "command"
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = [name for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]
        return any("command" in name.id.lower() for name in names)
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)  # a docstring


def texts(node):
    """Every text below a node that is not meant for the command line."""
    if meant_for_commands(node):
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    for child in ast.iter_child_nodes(node):
        yield from texts(child)


def quoted(source):
    return [text for text in texts(ast.parse(source)) if quotes_command(text)]


def test_no_error_of_the_platform_quotes_a_command_to_callers_of_the_api():
    commands = {}
    for room in ("core", "tenants", "plugins"):
        for path in sorted((ROOT / room).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            if name not in NO_ERRORS and not any(part in name for part in OF_THE_COMMAND_LINE):
                commands[name] = quoted(path.read_text(encoding="utf-8"))
    assert {name: texts for name, texts in commands.items() if texts} == {}


@pytest.mark.parametrize(
    "source",
    [
        'raise NotFound(detail, remedy="see `iit tenant list`")',
        'remedy = f"run `iit migrate` for {name}"\nraise Conflict(detail, remedy=remedy)',
        'FieldError("slug", "is taken", "choose another with --slug")',
        'reasons = {"a": "leave out --strict"}',
    ],
)
def test_a_command_outside_its_place_is_noticed(source):
    assert quoted(f"def f():\n    {source.replace(chr(10), chr(10) + '    ')}\n")


def test_a_command_in_its_place_is_none():
    assert quoted('raise NotFound(detail, remedy="See GET /v1/keys.", command="see `iit key list`")') == []
    assert quoted('command, rest = "see `iit tenant list`", 1') == []
    assert quoted('run(["pg_dump", "--no-owner", "--format=custom"])') == []


@pytest.fixture
def error():
    field = FieldError("body.slug", "is taken", "Choose another.", "see `iit tenant list`")
    return Conflict("it is in use", remedy="Wait.", command="see `iit tenant show`", errors=[field])


def test_callers_of_the_api_get_the_remedy(error):
    answer = problem(error)
    assert answer["remedy"] == "Wait."
    assert answer["errors"] == [{"field": "body.slug", "problem": "is taken", "remedy": "Choose another."}]


def test_the_command_line_gets_the_command(error, capsys):
    explain(error)
    shown = capsys.readouterr().err
    assert "what to do: see `iit tenant show`" in shown
    assert "body.slug: is taken (see `iit tenant list`)" in shown


def test_who_runs_the_installation_gets_the_command(error):
    answer = problem(error, at_terminal=True)
    assert (answer["remedy"], answer["errors"][0]["remedy"]) == ("see `iit tenant show`", "see `iit tenant list`")


def test_where_no_command_helps_both_get_the_remedy(capsys):
    error = Conflict("it is in use", remedy="Wait.")
    explain(error)
    assert "what to do: Wait." in capsys.readouterr().err
    assert problem(error, at_terminal=True)["remedy"] == problem(error)["remedy"] == "Wait."


def test_where_only_a_command_helps_callers_get_the_hint_of_the_kind():
    assert problem(Conflict("it is in use", command="run `iit migrate`"))["remedy"] == Conflict.hint


@pytest.mark.parametrize("kind", FAMILY)
def test_no_kind_of_error_has_words_of_the_command_line(kind):
    assert not quotes_command(kind.title + kind.hint)
