"""An error is written for whoever reads it: callers of the API are told of no command line."""

import ast
from pathlib import Path

import pytest

from core.errors import Conflict, FieldError
from core.errors.family import FAMILY
from core.errors.problem import problem, quotes_command

ROOT = Path(__file__).parents[3]
OF_THE_COMMAND_LINE = ("command", "demo")
"""Parts of the names of files that only the command line reads."""
KEPT = {"tenants/imports/confirming.py", "tenants/records/archiving.py"}
"""What only commands call."""


def texts(path):
    """Every text of a module but its docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            yield node.value


@pytest.mark.parametrize("text", ["see `iit tenant list`", "leave out --strict", "(iit services status)"])
def test_a_remedy_for_the_command_line_is_not_sent(text):
    error = Conflict("it is in use", remedy=text, errors=[FieldError("body.slug", "is taken", text)])
    answer = problem(error)
    assert answer["remedy"] == Conflict.hint
    assert answer["errors"] == [{"field": "body.slug", "problem": "is taken", "remedy": ""}]
    assert error.remedy == text  # the command line shows it


def test_a_detail_for_the_command_line_is_not_sent():
    assert problem(Conflict("run iit migrate"))["detail"] == Conflict.title


def test_other_remedies_are_sent_as_they_are():
    assert problem(Conflict("it is in use", remedy="Choose another."))["remedy"] == "Choose another."


@pytest.mark.parametrize("kind", FAMILY)
def test_no_kind_of_error_has_words_of_the_command_line(kind):
    assert not quotes_command(kind.title + kind.hint)


def test_rooms_say_nothing_of_the_command_line():
    found = [
        f"{path.relative_to(ROOT)}: {text}"
        for path in sorted((ROOT / "tenants").rglob("*.py"))
        if not any(part in str(path.relative_to(ROOT)) for part in OF_THE_COMMAND_LINE)
        and str(path.relative_to(ROOT)) not in KEPT
        for text in texts(path)
        if quotes_command(text)
    ]
    assert found == []
