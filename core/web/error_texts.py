"""Gathers the texts of errors that people meet on pages, for the catalogues.

A text with values in it is a ``phrase``, which is gathered by its name. Any other text is found where an error is made:
an argument of a class of ``core.errors`` or of one of the functions and classes in ``_MAKERS``, a ``remedy``, or a
variable of which such an argument takes its text.
"""

from __future__ import annotations

import ast
import builtins
from typing import TYPE_CHECKING, Final

from core import errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    Bindings = Mapping[str, Sequence[ast.expr]]

FOLDERS: Final = ("core", "tenants", "plugins")

_TERMINAL = "its errors answer a command"
_START = "its errors end a start of the server or a worker, before there are pages"
_HEALTH = "the page of health shows its findings to operators, with their commands, in English"
_AUTHOR = "its errors are for the author of a feature or a plugin, and for operators"
_API = "a page sends no such header or parameter"
_SDK = "a plugin imports the SDK alone, and its errors are for the author of the plugin"

NOT_ON_PAGES: Final[Mapping[str, str]] = {
    "core/access/explain.py": _TERMINAL,
    "core/app/commands.py": _TERMINAL,
    "core/app/entrance.py": _START,
    "core/app/health.py": _HEALTH,
    "core/app/proxies.py": _START,
    "core/app/readiness.py": _HEALTH,
    "core/app/server.py": _START,
    "core/app/status_command.py": _TERMINAL,
    "core/audit/anchors.py": _TERMINAL,
    "core/cli": _TERMINAL,
    "core/connections": _AUTHOR,
    "core/database": _TERMINAL,
    "core/installation": _TERMINAL,
    "core/jobs/queue.py": _AUTHOR,
    "core/maintenance": _TERMINAL,
    "core/metrics": _AUTHOR,
    "core/plugins": _AUTHOR,
    "core/privacy": _TERMINAL,
    "core/releases": _TERMINAL,
    "core/resilience": _AUTHOR,
    "core/services": _TERMINAL,
    "core/settings": _START,
    "core/startup": _START,
    "core/tenancy": _TERMINAL,
    "core/web/cursors.py": _API,
    "core/web/etag.py": _API,
    "core/web/idempotency.py": _API,
    "plugins": _SDK,
    "tenants/demo": _TERMINAL,
    "tenants/imports/lock_wait.py": _TERMINAL,
    "tenants/records/archiving.py": _TERMINAL,
}
"""Modules and folders whose errors no page shows: path from the root of the repository -> the reason.

Besides, the errors of each module ``commands`` answer a command.
"""

_COMMANDS: Final = "commands.py"
_MAKERS: Final[Mapping[str, int]] = {
    **{name: 0 for name in dir(errors) if name[:1].isupper()},
    **dict.fromkeys(("BadValueError", "Problem", "Unreadable", "WrongCell", "_unreadable"), 0),
    **dict.fromkeys(("FieldError", "Rejection", "bad", "reject", "rejected"), 1),
}
"""What makes an error -> the number of its first arguments that are no texts: a field or a file."""

_NAMES: Final = frozenset({"detail", "problem", "remedy"})
_OF_KINDS: Final = frozenset({"title", "hint"})
"""What each class of ``core.errors.family`` says besides."""

_NOTES: Final = "notes"
"""The list of the notes of an import."""


def texts_of_errors(root: Path) -> Iterator[str]:
    """Yield the constant texts of errors in ``FOLDERS``, without the modules of ``NOT_ON_PAGES``."""
    for path in modules(root):
        yield from texts_in(path.read_text(encoding="utf-8"))


def modules(root: Path) -> Iterator[Path]:
    """Yield the modules whose errors pages may show."""
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*.py")):
            place = path.relative_to(root)
            if place.name != _COMMANDS and not any(str(one) in NOT_ON_PAGES for one in (place, *place.parents)):
                yield path


def texts_in(source: str) -> Iterator[str]:
    """Yield the constant texts of the errors that a module makes.

    >>> list(texts_in("raise Invalid(detail, errors=[FieldError('email', 'is empty', 'Write one.')])"))
    ['is empty', 'Write one.']
    """
    for value in _values_in(ast.parse(source)):
        if isinstance(value, ast.Constant) and isinstance(value.value, str) and not _is_code(value.value):
            yield value.value


def lines_without_template(source: str) -> list[int]:
    """Return the lines of errors and notes with values in them that are not a ``phrase``.

    >>> lines_without_template("raise Invalid(f'has {count} rows')")
    [1]
    """
    return sorted({value.lineno for value in _values_in(ast.parse(source)) if _is_filled(value)})


def _is_code(text: str) -> bool:
    """Whether a text is the name of a kind of error, which no page shows, or empty."""
    return not text or (text.isascii() and text.isidentifier())


def _is_filled(value: ast.expr) -> bool:
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Attribute) and value.func.attr == "format"
    return isinstance(value, ast.JoinedStr | ast.BinOp)


def _values_in(tree: ast.Module) -> Iterator[ast.expr]:
    """Yield each expression that can be the text of an error or a note."""
    yield from _in_scope(tree, _bindings(tree.body))


def _in_scope(scope: ast.AST, bindings: Bindings) -> Iterator[ast.expr]:
    for node in ast.iter_child_nodes(scope):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _in_scope(node, {**bindings, **_bindings(node.body)})
            continue
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            yield from _assigned(node, bindings)
        elif isinstance(node, ast.Raise):
            yield from _raised(node, bindings)
        elif isinstance(node, ast.Call):
            yield from _passed(node, bindings)
        yield from _in_scope(node, bindings)


def _bindings(body: Sequence[ast.stmt]) -> Bindings:
    """The values of each variable that statements bind, without those of functions within."""
    bound: dict[str, list[ast.expr]] = {}
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            continue
        for name, value in _pairs(node):
            bound.setdefault(name, []).append(value)
        waiting.extend(ast.iter_child_nodes(node))
    return bound


def _pairs(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Yield each name that an assignment binds, with its value."""
    if not isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) or node.value is None:
        return
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
        pairs = zip(target.elts, node.value.elts, strict=False)
    else:
        pairs = zip([target], [node.value], strict=True)
    for one, value in pairs:
        if isinstance(one, ast.Name):
            yield one.id, value


def _assigned(node: ast.AST, bindings: Bindings) -> Iterator[ast.expr]:
    for name, value in _pairs(node):
        if name in _NAMES | _OF_KINDS:
            yield from _texts_of(value, bindings)
        elif name == _NOTES:
            yield from _listed(value, bindings)


def _passed(node: ast.Call, bindings: Bindings) -> Iterator[ast.expr]:
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    if name in _MAKERS:
        # The function ``reject`` of the formats takes the reading before the field.
        before = _MAKERS[name] + (name == "reject" and isinstance(node.func, ast.Name))
        for value in node.args[before:]:
            yield from _texts_of(value, bindings)
    elif name == "append" and isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == _NOTES:
        yield from _texts_of(node.args[0], bindings)
    for keyword in node.keywords:
        if keyword.arg in _NAMES and (name in _MAKERS or keyword.arg == "remedy"):
            yield from _texts_of(keyword.value, bindings)


def _raised(node: ast.Raise, bindings: Bindings) -> Iterator[ast.expr]:
    """Yield the texts of an error of a class that a module adds to the family."""
    if (
        isinstance(node.exc, ast.Call)
        and isinstance(node.exc.func, ast.Name)
        and not hasattr(builtins, node.exc.func.id)
    ):
        for value in node.exc.args if node.exc.func.id not in _MAKERS else ():
            yield from _texts_of(value, bindings)


def _listed(value: ast.expr, bindings: Bindings) -> Iterator[ast.expr]:
    if isinstance(value, ast.List):
        for one in value.elts:
            yield from _texts_of(one, bindings)
    elif isinstance(value, ast.ListComp):
        yield from _texts_of(value.elt, bindings)


def _texts_of(value: ast.expr, bindings: Bindings) -> Iterator[ast.expr]:
    """Yield the expressions that a value can be: those of a variable, and either side of a choice."""
    if isinstance(value, ast.Name):
        without = {name: values for name, values in bindings.items() if name != value.id}
        for one in bindings.get(value.id, ()):
            yield from _texts_of(one, without)
    elif isinstance(value, ast.IfExp):
        yield from _texts_of(value.body, bindings)
        yield from _texts_of(value.orelse, bindings)
    else:
        yield value
