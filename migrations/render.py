"""Rendering of the next migration of each tree, and the tenants' script, from the features' tables.

``python -m migrations.render`` writes one unreleased migration per tree: the difference between the last release and
the models. It can be run repeatedly. ``--release`` freezes the present scripts: they are never edited again, and the
next run begins the next revision. ``--title words_of_it`` names a new migration's file.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from migrations import snapshot, steps
from migrations.snapshot import TREES, privileges_of, tables_of, tenant_privileges

if TYPE_CHECKING:
    from sqlalchemy import Table

ROOT = Path(__file__).resolve().parents[1]
_VERSION_TABLE = (
    "CREATE TABLE alembic_version"
    " (version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num));"
)


def unreleased(tree: str) -> list[Path]:
    """Return the unreleased scripts of a tree: none or one."""
    released_scripts = snapshot.released(tree)["scripts"]
    return [script for script in snapshot.scripts_of(tree) if script.name not in released_scripts]


def newest(tree: str) -> str:
    """The newest revision of a tree."""
    return snapshot.scripts_of(tree)[-1].name.split("_")[0]


def migration(tree: str) -> str | None:
    """Return the text of the next migration of a tree; None if the models equal the last release.

    Raises:
        UnsafeChangeError: the models changed in a way that is not an expansion.
    """
    before = snapshot.released(tree)
    change = steps.difference(tree, before["tables"], before["prelude"])
    if not change.items:
        return None
    last = max(before["scripts"]).split("_")[0]
    revision = f"{int(last) + 1:04}"
    body = "\n".join(_lines(step) for step in change.items)
    return "\n".join(
        [
            f'"""Additions to {tree} after {last}: rendered by ``python -m migrations.render``."""',
            "",
            *(["import pgvector.sqlalchemy"] if "pgvector." in body else []),
            *(["import sqlalchemy as sa"] if "sa." in body else []),
            *(["from alembic import op"] if "op." in body else []),
            *(["from sqlalchemy.dialects import postgresql"] if "postgresql." in body else []),
            "",
            *([f"from migrations.operations import {', '.join(sorted(change.imports))}"] if change.imports else []),
            "",
            f'revision = "{revision}"',
            f'down_revision = "{last}"',
            "branch_labels = None",
            "depends_on = None",
            "",
            "",
            "def upgrade() -> None:",
            f'    """Take {len(change.items)} steps."""',
            body,
            "",
        ]
    )


def _lines(step: steps.Step) -> str:
    """Return a step as it is written in ``upgrade()``, with its reason in a comment above it."""
    reason = [f"    # allow: {step.allow}"] if step.allow else []
    return "\n".join([*reason, *(f"    {line}" for line in step.lines.splitlines())])


def script(revision: str) -> str:
    """The tenants' schema as one script, run within the schema; ``:"tenant"`` stands for its role, as in psql."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    tables = tables_of("tenant")
    before = snapshot.released("tenant")["tables"]
    parts = [
        "-- A tenant's schema at head, rendered by `python -m migrations.render`. Run with search_path on the schema.",
        _VERSION_TABLE,
        f"INSERT INTO alembic_version VALUES ('{revision}');",  # noqa: S608 - a revision's name
    ]
    for table in tables:
        create = _as_grown(table, list(before[table.name]["columns"]) if table.name in before else [])
        parts.append(f"{str(create.compile(dialect=dialect)).strip()};")
        parts.extend(
            f"{str(CreateIndex(index).compile(dialect=dialect)).strip()};"
            for index in sorted(table.indexes, key=lambda one: str(one.name))
        )
    for privileges in privileges_of(tables):
        names = ", ".join(table.name for table in tables if tenant_privileges(table) == privileges)
        if names:
            parts.append(f'GRANT {privileges} ON {names} TO :"tenant";')
    return "\n".join(parts).replace("\t", "    ") + "\n"


def _as_grown(table: Table, order: list[str]) -> CreateTable:
    """Return CREATE TABLE with the columns in the order in which migrations would have added them."""
    create = CreateTable(table)
    create.columns.sort(key=lambda one: order.index(one.element.name) if one.element.name in order else len(order))
    return create


def formatted(source: str) -> str:
    """The source with imports sorted and formatted by ``ruff``."""
    name = ["--stdin-filename", "migrations/tenant/versions/0002_rendered.py", "-"]
    for words in (["check", "--fix-only", "--quiet", "--select", "I"], ["format"]):
        command = [sys.executable, "-m", "ruff", *words, *name]
        done = subprocess.run(command, input=source, capture_output=True, text=True, check=True, cwd=ROOT)  # noqa: S603
        source = done.stdout
    return source


def render(title: str | None) -> None:
    """Write the unreleased migration of each tree, and the tenants' script."""
    rendered = {tree: formatted(source) if (source := migration(tree)) else None for tree in TREES}
    for tree, source in rendered.items():
        before = unreleased(tree)
        name = before[0].name.split("_", 1)[1] if before else f"{title or 'next'}.py"
        for one in before:
            one.unlink()
        if source is not None:
            revision = f"{int(newest(tree)) + 1:04}"
            (snapshot.ROOT / tree / "versions" / f"{revision}_{name}").write_text(source, encoding="utf-8")
    (snapshot.ROOT / "tenant" / "schema.sql").write_text(script(newest("tenant")), encoding="utf-8")


def release() -> None:
    """Freeze the present scripts: their checksums and tables are the base of the next migration."""
    for tree in TREES:
        before = snapshot.released(tree)["tables"]
        facts = snapshot.facts_of(tree)
        for table, earlier in before.items():
            columns = facts[table]["columns"]
            facts[table]["columns"] = {name: columns[name] for name in [*earlier["columns"], *columns]}
        snapshot.write_released(
            tree,
            {
                "scripts": {one.name: snapshot.checksum(one) for one in snapshot.scripts_of(tree)},
                "prelude": snapshot.prelude_of(tree),
                "tables": facts,
            },
        )


def main(arguments: list[str] | None = None) -> int:
    """Render, and release on request."""
    parser = argparse.ArgumentParser(prog="python -m migrations.render", description=__doc__)
    parser.add_argument("--title", help="words_of_it, which name the file of a new migration")
    parser.add_argument("--release", action="store_true", help="freeze what is rendered")
    options = parser.parse_args(arguments)
    if wrong := [f"{tree}/{name}" for tree in TREES for name in snapshot.edited(tree)]:
        sys.stderr.write(f"released scripts were edited, restore them from version control: {', '.join(wrong)}\n")
        return 1
    try:
        render(options.title)
    except steps.UnsafeChangeError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if options.release:
        release()
    return 0


if __name__ == "__main__":
    sys.exit(main())
