"""``iit model watch``, ``groups`` and ``snapshot``: look for drift and bias at once, audit groups, store features."""

from __future__ import annotations

import csv
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from core.cli.output import ACTOR, json_option, note, print_json, print_table, tenant
from tenants.risk.registry.commands import model

if TYPE_CHECKING:
    from core.database import SessionOpener, TenantRef
    from tenants.risk.bias.groups import DivisionFigures

_COLUMNS = ("division", "group", "decisions", "predicted", "observed", "intercept", "verdict")


@model.command("watch")
@click.argument("slug")
@json_option
def watch(slug: str, *, as_json: bool) -> None:
    """Look for drift, bias and unequal values of the tenant SLUG now, as the schedule risk.watch does each night."""
    from tenants.risk.bias import service as bias
    from tenants.risk.drift import service as drift
    from tenants.risk.feature_store import parity

    owner = tenant(slug)
    comparison = drift.look(owner, _opener(owner))
    divisions = bias.look(_opener(owner))
    values = parity.look(owner, _opener(owner))
    summary: dict[str, Any] = {
        "compared": comparison is not None and comparison.enough,
        "features": [] if comparison is None else [column.name for column in comparison.features],
        "records": [] if comparison is None else [column.name for column in comparison.records],
        "scores": comparison is not None and comparison.scores is not None,
        "facilities": 0 if comparison is None else len({row.facility for row in comparison.facilities}),
        "groups": [
            f"{division.name}: {group.label}" for division in divisions for group in division.groups if not group.passed
        ],
        "parity": None if values is None else values.passed,
    }
    if as_json:
        print_json(summary)
        return
    if not summary["compared"]:
        note("there are too few people or records to compare days")
    for name in ("features", "records", "groups"):
        click.echo(f"{name}: {', '.join(summary[name]) or 'nothing found'}")
    click.echo(f"scores: {'have drifted' if summary['scores'] else 'nothing found'}")
    click.echo(f"facilities that differ: {summary['facilities']}")
    click.echo(f"online and offline values: {_PARITY[summary['parity']]}")


_PARITY = {None: "nobody was scored yet", True: "equal", False: "different"}


@model.command("groups")
@click.argument("slug")
@click.option(
    "--audit",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV with patient_id and group, such as key populations. The setting risk.audit_groups must allow it.",
)
@json_option
def groups(slug: str, audit: Path | None, *, as_json: bool) -> None:
    """Compare predictions with outcomes by group of the tenant SLUG. Neither a file's groups nor figures are stored."""
    from core import audit as audits
    from core.tenancy import settings as tenant_settings
    from tenants.risk.bias import service
    from tenants.risk.settings import RiskSettings

    owner = tenant(slug)
    extra = None
    if audit is not None:
        with _opener(owner)() as session:
            if not tenant_settings.get(session, RiskSettings).audit_groups:
                message = "the tenant does not allow it: set risk.audit_groups first"
                raise click.BadParameter(message, param_hint="--audit")
            extra = _read_groups(audit)
            audits.record(session, "risk:groups:audit", "tenant", owner.id, {"patients": len(extra)})
    divisions = service.look(_opener(owner), extra)
    if as_json:
        print_json({"divisions": [division.to_json() for division in divisions]})
        return
    if not divisions:
        note("no outcome of a prediction is known yet")
    print_table([row for division in divisions for row in _rows(division)], _COLUMNS)


@model.command("snapshot")
@click.argument("slug")
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), help="The day, with what was known then. Default: today.")
@json_option
def snapshot(slug: str, as_of: datetime | None, *, as_json: bool) -> None:
    """Store the features of all patients of the tenant SLUG as known on a day."""
    from tenants.cohort.presenting import as_of_day
    from tenants.risk.feature_store import snapshots

    owner = tenant(slug)
    with _opener(owner)() as session:
        day = as_of_day(session, as_of.date() if as_of else None)
    taken = snapshots.take(owner, _opener(owner), day)
    if as_json:
        print_json({"id": taken.uuid, "as_of": taken.as_of, "patients": taken.patients, "lineage": taken.figures})
        return
    click.echo(f"Stored the features of {taken.patients} patients as known on {taken.as_of}: {taken.uuid}")


def _opener(owner: TenantRef) -> SessionOpener:
    from core.database import tenant_session

    return lambda: tenant_session(owner, actor=ACTOR)


def _read_groups(path: Path) -> dict[UUID, str]:
    """The group of each patient in a file.

    Raises:
        click.BadParameter: a column is missing, or an id is no UUID.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        if not {"patient_id", "group"} <= set(rows.fieldnames or ()):
            message = "the file needs the columns patient_id and group"
            raise click.BadParameter(message, param_hint="--audit")
        group_of = {}
        for number, row in enumerate(rows, start=2):
            try:
                group_of[UUID(row["patient_id"])] = row["group"]
            except ValueError as error:
                message = f"row {number}: patient_id is no UUID"
                raise click.BadParameter(message, param_hint="--audit") from error
    return group_of


def _rows(division: DivisionFigures) -> list[dict[str, str]]:
    return [
        {
            "division": division.name,
            "group": group.label,
            "decisions": str(group.decisions),
            "predicted": f"{group.mean_risk:.1%}",
            "observed": f"{group.observed:.1%}",
            "intercept": f"{group.pooled.value:.2f} ({group.pooled.low:.2f} to {group.pooled.high:.2f})",
            "verdict": group.verdict,
        }
        for group in division.groups
    ]
