"""Gathers the texts of errors that people meet on pages, for the catalogues: those of the modules in ``MODULES``.

A text with values in it is a ``phrase``; any other text is found where an error is made: an argument of a class of
``core.errors``, a ``remedy``, or a variable ``detail``, ``remedy`` or ``problem``.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from core import errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MODULES: Final = (
    "core/access/pages.py",
    "core/access/require.py",
    "core/app/pages.py",
    "core/errors/family.py",
    "core/identity/oidc/domains.py",
    "core/identity/oidc/providers.py",
    "core/identity/people",
    "core/identity/tenant_roles/service.py",
    "core/identity/tenants.py",
    "core/preferences/service.py",
    "core/web/own_address.py",
    "tenants/followup",
    "tenants/imports/confirming.py",
    "tenants/imports/reading/sources.py",
    "tenants/imports/service.py",
    "tenants/imports/uploads.py",
    "tenants/portal",
    "tenants/quality/candidates.py",
    "tenants/reports/files.py",
    "tenants/reports/schedules.py",
)
"""Files and folders, from the root of the repository."""

_KINDS: Final = frozenset(name for name in dir(errors) if name[:1].isupper())
_NAMES: Final = frozenset({"detail", "problem", "remedy"})
_OF_KINDS: Final = frozenset({"title", "hint"})
"""What each class of ``core.errors.family`` says besides."""

_FIELD_ERROR: Final = "FieldError"
_REJECTS: Final = frozenset({"reject", "rejected", "_unreadable"})
"""Functions that make errors from a field or a file, a problem and a remedy."""


def texts_of_errors(root: Path) -> Iterator[str]:
    """Yield the constant texts of errors in ``MODULES``."""
    for name in MODULES:
        place = root / name
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            yield from texts_in(path.read_text(encoding="utf-8"))


def texts_in(source: str) -> Iterator[str]:
    """Yield the constant texts of the errors that a module makes.

    >>> list(texts_in("raise Invalid(detail, errors=[FieldError('email', 'is empty', 'Write one.')])"))
    ['is empty', 'Write one.']
    """
    tree = ast.parse(source)
    constants = dict(_module_constants(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign):
            yield from _assigned(node, constants)
        elif isinstance(node, ast.Call):
            yield from _passed(node, constants)


def _module_constants(tree: ast.Module) -> Iterator[tuple[str, ast.Constant]]:
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name):
                yield target.id, node.value


def _assigned(node: ast.Assign | ast.AnnAssign, constants: Mapping[str, ast.Constant]) -> Iterator[str]:
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    targets = target.elts if isinstance(target, ast.Tuple) else [target]
    values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
    for name, value in zip(targets, values, strict=False):
        if isinstance(name, ast.Name) and name.id in _NAMES | _OF_KINDS and value is not None:
            yield from _constants(value, constants)


def _passed(node: ast.Call, constants: Mapping[str, ast.Constant]) -> Iterator[str]:
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    if name in _KINDS:
        for value in node.args[1:] if name == _FIELD_ERROR else node.args:
            yield from _constants(value, constants)
    elif name in _REJECTS:
        for value in node.args[1:] if name == "reject" else node.args:
            yield from _constants(value, constants)
    for keyword in node.keywords:
        if keyword.arg in _NAMES and (name in _KINDS or keyword.arg == "remedy"):
            yield from _constants(keyword.value, constants)


def _constants(value: ast.expr, constants: Mapping[str, ast.Constant]) -> Iterator[str]:
    """Yield the texts that an expression can be: a constant, one of the module, or either side of a choice."""
    if isinstance(value, ast.Name):
        value = constants.get(value.id, value)
    if isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value:
        yield value.value
    elif isinstance(value, ast.IfExp):
        yield from _constants(value.body, constants)
        yield from _constants(value.orelse, constants)
