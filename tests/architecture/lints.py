"""The project's own rules, each a function that gives what breaks it. What people forget, a tool holds.

A rule over text takes a path and its text, and gives one line per breach: ``path:line: what is wrong``.
"""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

Rule = Callable[[str, str], Iterator[str]]

ROOT = Path(__file__).resolve().parents[2]
CODE = ("core", "tenants", "billing", "plugins", "migrations")
LONGEST = 400

MAY_CONNECT = {
    "core/database/": "it is the one that opens connections",
    "core/services/bootstrap.py": "a superuser makes what core.database logs in to",
    "core/services/superuser.py": "a superuser makes base backups of the embedded server",
    "core/services/status.py": "looks at a server that may not be usable, without a pool",
}
OPENS = {
    "asyncpg.connect",
    "asyncpg.create_pool",
    "psycopg.AsyncConnection.connect",
    "psycopg.Connection.connect",
    "psycopg.connect",
    "psycopg2.connect",
    "psycopg_pool.AsyncConnectionPool",
    "psycopg_pool.ConnectionPool",
    "psycopg_pool.NullConnectionPool",
    "sqlalchemy.create_engine",
    "sqlalchemy.engine.create_engine",
    "sqlalchemy.ext.asyncio.AsyncSession",
    "sqlalchemy.ext.asyncio.create_async_engine",
    "sqlalchemy.orm.Session",
    "sqlalchemy.orm.scoped_session",
    "sqlalchemy.orm.sessionmaker",
    "sqlmodel.Session",
    "sqlmodel.create_engine",
}

# Written in pieces, so that the rules do not find themselves.
_UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
_PLACES = (
    (
        re.compile(r"https?://[^\s\"'<>]*(?:py" + r"pi\.org|python" + r"hosted\.org|npm" + r"js\.(?:org|com))"),
        "address of a package index",
    ),
    (re.compile(r"index-" + r"url[ =]+[\"']?https?:"), "address of a package index"),
    (re.compile(r"(?<![\w.~$}*])/(?:wor" + r"k|roo" + r"t|Use" + r"rs|hom" + r"e/\w+)/[\w.]"), "path of one machine"),
    (re.compile(r"\bshar" + r"ed/(?:data|reference|DESIGN|hooks)\b"), "a folder that is not the project's"),
)
_MAKE = re.compile(r"(?:^|[`$(]\s*)make ((?:[\w-]+=\S+ )*)([a-z][\w-]*)", re.MULTILINE)
_IIT = re.compile(r"(?:^|[`$(|]\s*)iit ([a-z][\w-]*)", re.MULTILINE)


def tracked() -> list[str]:
    """The project's files, those not yet committed included."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return sorted(name for name in set(listed) if (ROOT / name).is_file())


def texts(*endings: str) -> Iterator[tuple[str, str]]:
    """Path and text of the project's files, of all that are text when no endings are named."""
    for name in tracked():
        if endings and not name.endswith(endings):
            continue
        try:
            yield name, (ROOT / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def opened_connections(path: str, text: str) -> Iterator[str]:
    """Nothing outside ``core.database`` opens a connection to the database."""
    if not path.startswith(CODE) or path.startswith(tuple(MAY_CONNECT)):
        return
    tree = ast.parse(text)
    names = _imported(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (called := _qualified(node.func, names)) in OPENS:
            yield f"{path}:{node.lineno}: {called} outside core.database: ask it for a tenant_session or node_session"


def _imported(tree: ast.Module) -> Mapping[str, str]:
    """What each imported name stands for."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.asname or alias.name.split(".")[0]
                names[name] = alias.name if alias.asname else name
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
    return names


def _qualified(function: ast.expr, names: Mapping[str, str]) -> str:
    """The full name of what is called, such as ``psycopg.Connection.connect``."""
    parts: list[str] = []
    while isinstance(function, ast.Attribute):
        parts.append(function.attr)
        function = function.value
    if not isinstance(function, ast.Name):
        return ""
    return ".".join([names.get(function.id, function.id), *reversed(parts)])


def length(path: str, text: str) -> Iterator[str]:
    """A file is short enough to be read at once. Rendered migrations are read by machines."""
    lines = text.count("\n")
    if lines > LONGEST and "/versions/" not in path:
        yield f"{path}:{lines}: {lines} lines: it is asking to be two files"


def unfinished(path: str, text: str) -> Iterator[str]:
    """What is left to do is an issue, not a comment."""
    for number, line in enumerate(text.splitlines(), start=1):
        if match := _UNFINISHED.search(line):
            yield f"{path}:{number}: {match[0]}: do it, or file it"


def places(path: str, text: str) -> Iterator[str]:
    """No address of a package index, no path of one machine."""
    for number, line in enumerate(text.splitlines(), start=1):
        for pattern, what in _PLACES:
            if match := pattern.search(line):
                yield f"{path}:{number}: {what}: {match[0]}"


def unknown_tools(targets: set[str], commands: set[str]) -> Rule:
    """The rule that documentation names only targets of the Makefile and commands of ``iit`` that exist."""

    def rule(path: str, text: str) -> Iterator[str]:
        for number, line in enumerate(text.splitlines(), start=1):
            for match in _MAKE.finditer(line):
                if match[2] not in targets:
                    yield f"{path}:{number}: make {match[2]} is no target of the Makefile"
            for match in _IIT.finditer(line):
                if match[1] not in commands:
                    yield f"{path}:{number}: iit {match[1]} is no command"

    return rule


def make_targets(makefile: str) -> set[str]:
    """The targets that a Makefile declares to be no files."""
    return set(" ".join(re.findall(r"^\.PHONY:(.*)$", makefile, re.MULTILINE)).split())


def rooms(tree: Path) -> set[str]:
    """The rooms of ``tenants`` that are there."""
    return {path.parent.name for path in (tree / "tenants").glob("*/__init__.py")}


def unplaced_rooms(tree: Path, project: Mapping[str, object]) -> Iterator[str]:
    """Each room has its place in the order, and is registered; what is registered is there. So for plugins."""
    tools = _table(project, "tool", "importlinter")
    contracts = tools["contracts"]
    assert isinstance(contracts, list)
    of_rooms = [contract for contract in contracts if contract.get("containers") == ["tenants"]]
    layers = [layer for contract in of_rooms for layer in contract["layers"]]
    ordered = {layer.strip("()") for layer in layers}
    required = {layer for layer in layers if not layer.startswith("(")}
    entries = _table(project, "project", "entry-points")
    named = [str(value) for value in _table(entries, "iit.features").values()]
    features = {value.split(".")[1] for value in named if value.startswith("tenants.")}
    present = rooms(tree)
    yield from (f"tenants/{room} has no place in the order of import-linter" for room in sorted(present - ordered))
    yield from (f"tenants/{room} is ordered without brackets, and is not there" for room in sorted(required - present))
    with_feature = {room for room in present if (tree / "tenants" / room / "feature.py").exists()}
    yield from (f"tenants/{room} is not registered in pyproject.toml" for room in sorted(with_feature - features))
    yield from (
        f"tenants/{room} is registered in pyproject.toml, and is not there" for room in sorted(features - present)
    )
    plugins = {f"plugins.{path.parent.name}" for path in (tree / "plugins").glob("*/__init__.py")} - {"plugins.sdk"}
    alone = {name for contract in contracts if contract["type"] == "independence" for name in contract["modules"]}
    yield from (f"{name} is in no independence contract of import-linter" for name in sorted(plugins - alone))
    registered = {str(value).split(":")[0] for value in _table(entries, "iit.plugins").values()}
    yield from (f"{name} is not registered in pyproject.toml" for name in sorted(plugins - registered))


def _table(parent: Mapping[str, object], *names: str) -> Mapping[str, object]:
    for name in names:
        child = parent[name]
        assert isinstance(child, Mapping)
        parent = child
    return parent
