"""Static reading of a script's source: its literal values, and the names that it imports."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

OPERATIONS = "migrations.operations"
_SEEN = {"__future__", "collections.abc", "datetime", "pgvector.sqlalchemy", "re", "textwrap", "typing", "uuid"}
"""Modules that change nothing in a database."""
_PASSED_ON = {"bindparams", "columns", "execution_options"}
"""Methods of a clause that leave its text unchanged."""

_WRAPPERS = {"f", "literal_column", "text"}
"""Calls that return their text unchanged: of Alembic, and of SQLAlchemy."""
_DEEPEST = 12


class Source:
    """A parsed script."""

    def __init__(self, text: str) -> None:
        self.lines = text.splitlines()
        self.tree = ast.parse(text)
        self.calls = calls(self.tree)
        self._set_once = _set_once(self.tree)

    def node(self, expression: ast.expr | None) -> ast.expr | None:
        """Return the expression behind a name with one plain assignment; any other expression unchanged."""
        seen: set[str] = set()
        while isinstance(expression, ast.Name) and expression.id in self._set_once and expression.id not in seen:
            seen.add(expression.id)
            expression = self._set_once[expression.id]
        return expression

    def text(self, expression: ast.expr | None, depth: int = 0) -> str | None:
        """Return the text of an expression; None if the source does not contain all of it."""
        node = self.node(expression)
        if isinstance(node, ast.Constant):
            return str(node.value)
        parts = _parts(node)
        if not parts or depth > _DEEPEST:
            return None
        texts = [self.text(part, depth + 1) for part in parts]
        return None if None in texts else "".join(one for one in texts if one is not None)

    def argument(self, call: ast.Call, at: int, keyword: str) -> ast.expr | None:
        """The argument at a position, or by its name."""
        if len(call.args) > at:
            return call.args[at]
        return self.option(call, keyword)

    def option(self, call: ast.Call, keyword: str) -> ast.expr | None:
        """The argument with this name."""
        return next((one.value for one in call.keywords if one.arg == keyword), None)

    def word(self, call: ast.Call, at: int, keyword: str) -> str:
        """The text of an argument; empty where it is missing or unknown."""
        return self.text(self.argument(call, at, keyword)) or ""

    def is_(self, value: object, expression: ast.expr | None) -> bool:
        """Return whether an expression is this constant."""
        node = self.node(expression)
        return isinstance(node, ast.Constant) and node.value is value

    def constant(self, wanted: str) -> object:
        """The value of a name at the top of the script."""
        for one in self.tree.body:
            if (
                isinstance(one, ast.Assign)
                and any(isinstance(target, ast.Name) and target.id == wanted for target in one.targets)
                and isinstance(one.value, ast.Constant)
            ):
                return one.value.value
        return None

    def blocks(self, manager: str) -> Iterator[ast.With]:
        """The blocks ``with manager(...)``."""
        for one in ast.walk(self.tree):
            if isinstance(one, ast.With) and any(
                isinstance(item.context_expr, ast.Call) and name(item.context_expr) == manager for item in one.items
            ):
                yield one

    def unseen(self, operations: set[str]) -> Iterator[tuple[int, str]]:
        """Yield line and problem of each use of code that the lint does not check."""
        called = {id(call.func) for call in self.calls}
        bases = {id(one.value) for one in ast.walk(self.tree) if isinstance(one, ast.Attribute) and id(one) in called}
        for one in ast.walk(self.tree):
            if isinstance(one, ast.Import | ast.ImportFrom):
                if not all(_is_seen(one, alias, operations) for alias in one.names):
                    yield one.lineno, "imports code that the lint does not check"
            elif isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load):
                used = (one.id == "op" and id(one) not in bases) or (one.id in operations and id(one) not in called)
                if used:
                    yield one.lineno, f"passes `{one.id}` on, so the lint cannot see what it is called with"


def calls(tree: ast.AST) -> list[ast.Call]:
    """The calls within a tree, in the order of their lines."""
    nodes = (one for one in ast.walk(tree) if isinstance(one, ast.Call))
    return sorted(nodes, key=lambda call: (call.lineno, call.col_offset))


def name(call: ast.Call) -> str:
    """The name of the called function, without its owner."""
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _parts(node: ast.expr | None) -> list[ast.expr]:
    """The parts of a text; empty where they are unknown."""
    if isinstance(node, ast.JoinedStr):
        return node.values
    if isinstance(node, ast.FormattedValue) and node.conversion == -1 and node.format_spec is None:
        return [node.value]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [node.left, node.right]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and name(node) in _PASSED_ON:
        return [node.func.value]
    if isinstance(node, ast.Call) and name(node) in _WRAPPERS and len(node.args) == 1:
        return node.args
    return []


def _set_once(tree: ast.Module) -> dict[str, ast.expr]:
    """Return the names with exactly one plain assignment -> value."""
    values: dict[str, ast.expr] = {}
    bound: list[str] = []
    for one in ast.walk(tree):
        if isinstance(one, ast.Name) and not isinstance(one.ctx, ast.Load):
            bound.append(one.id)
        elif isinstance(one, ast.arg):
            bound.append(one.arg)
        elif isinstance(one, ast.Global | ast.Nonlocal):
            bound.extend(2 * one.names)
        elif isinstance(one, ast.Assign) and len(one.targets) == 1 and isinstance(one.targets[0], ast.Name):
            values[one.targets[0].id] = one.value
        elif isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name) and one.value is not None:
            values[one.target.id] = one.value
    return {key: value for key, value in values.items() if bound.count(key) == 1}


def _is_seen(statement: ast.Import | ast.ImportFrom, alias: ast.alias, operations: set[str]) -> bool:
    if isinstance(statement, ast.Import):
        return alias.name in _SEEN or alias.name.split(".")[0] == "sqlalchemy"
    module = statement.module or ""
    if statement.level or alias.name == "*":
        return False
    if module == "alembic":
        return alias.name == "op" and alias.asname in {None, "op"}
    if module == OPERATIONS:
        return alias.name in operations and alias.asname in {None, alias.name}
    return module in _SEEN or module.split(".")[0] == "sqlalchemy"
