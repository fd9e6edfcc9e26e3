"""``iit train``, ``evaluate``, ``score``, ``explain``, ``worklist`` and ``model``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from core.cli.files import output_file
from core.cli.output import ACTOR, Progress, json_option, note, print_json, print_table, tenant

if TYPE_CHECKING:
    from datetime import date

    from core.database import SessionOpener, TenantRef
    from tenants.risk import presenting

_DAY = click.DateTime(["%Y-%m-%d"])
_AS_OF = click.option(
    "--as-of", type=_DAY, help="The day, with what was known then. Default: today in the tenant's zone."
)
_SHOWN = ("base_rate", "roc_auc", "average_precision", "brier", "calibration_slope", "sensitivity_top_30", "ppv_top_10")


def _opener(owner: TenantRef) -> SessionOpener:
    from core.database import tenant_session

    return lambda: tenant_session(owner, actor=ACTOR)


def _day(open_session: SessionOpener, moment: datetime | None) -> date:
    from tenants.cohort.presenting import as_of_day

    with open_session() as session:
        return as_of_day(session, moment.date() if moment else None)


def _day_to_score(open_session: SessionOpener, moment: datetime | None) -> date:
    from tenants.risk.staleness import day_to_score

    with open_session() as session:
        return day_to_score(session, moment.date() if moment else None)


@click.command()
@click.argument("slug")
@json_option
def train(slug: str, *, as_json: bool) -> None:
    """Fit models on the records of the tenant SLUG, measure each on later time, promote the best that passes."""
    from tenants.risk import service

    owner = tenant(slug)
    with Progress("Training") as progress:
        trained = service.train(owner, _opener(owner), progress.update)
    if as_json:
        print_json(trained)
        return
    click.echo(f"Scores from now on: {trained.preferred}. {trained.why[:1].upper()}{trained.why[1:]}.")
    for failure in trained.failures:
        note(f"{failure['kind']} could not be trained: {failure['why']}; the other models were")
    if trained.too_young:
        return
    test = trained.folds["test"]
    click.echo(
        f"Measured on {test['decisions']:,} decisions from {test['first_decision']} to {test['last_decision']}, "
        f"after the {trained.folds['train']['decisions']:,} trained on."
    )
    click.echo("")
    rows = [{"model": m["version"], "state": m["state"], **_figures(m["held_out"])} for m in trained.models]
    rows.append({"model": "late last time", "state": "ranking only", **_figures(trained.naive or {})})
    print_table(rows, ("model", "state", *_SHOWN))


@click.command()
@click.argument("slug")
@json_option
def evaluate(slug: str, *, as_json: bool) -> None:
    """Measure the serving model of the tenant SLUG on decisions that were resolved after its training."""
    from tenants.risk import service

    owner = tenant(slug)
    with Progress("Evaluating") as progress:
        evaluation = service.evaluate(owner, _opener(owner), progress.update)
    if as_json:
        print_json(evaluation)
        return
    held_out = evaluation["held_out"]
    click.echo(
        f"{evaluation['model_version']} on {held_out['decisions']:,} decisions of {held_out['patients']:,} people, "
        f"{evaluation['decisions_from']} to {evaluation['decisions_to']}, all after its training and calibration"
    )
    click.echo("")
    print_table(
        [
            {"score": evaluation["model_version"], **_figures(held_out)},
            {"score": "late last time", **_figures(evaluation["naive_rule"])},
        ],
        ("score", *_SHOWN),
    )


@click.command()
@click.argument("slug")
@_AS_OF
@json_option
def score(slug: str, as_of: datetime | None, *, as_json: bool) -> None:
    """Score everybody of the tenant SLUG as of a day. After an interruption, the same command resumes."""
    from tenants.risk import scoring

    owner = tenant(slug)
    open_session = _opener(owner)
    day = _day_to_score(open_session, as_of)
    with Progress("Scoring") as progress:
        result = scoring.score(owner, open_session, day, progress=progress.update)
    _tell_stale(result.stale)
    if as_json:
        print_json(result)
        return
    click.echo(
        f"As of {result.as_of}, by {result.model_version} on records to {result.data_date}: "
        f"{result.patients:,} people, {result.at_risk:,} at risk ({result.within_capacity:,} "
        f"within {result.capacity_share:.0%} capacity, with reasons), {result.to_trace:,} to be traced."
    )
    click.echo(result.note)


@click.command()
@click.argument("slug")
@click.argument("patient")
@_AS_OF
@json_option
def explain(slug: str, patient: str, as_of: datetime | None, *, as_json: bool) -> None:
    """Explain the risk of PATIENT (UUID or programme identifier) of the tenant SLUG as of a day."""
    from tenants.risk import explain as explaining

    owner = tenant(slug)
    explanation = explaining.explain(owner, _opener(owner), patient, as_of.date() if as_of else None)
    if as_json:
        print_json(explanation)
        return
    click.echo(
        f"Patient {explanation.patient_id} as of {explanation.as_of}: {explanation.status}. {explanation.summary}"
    )
    if explanation.risk is None:
        return
    interval = (
        ""
        if explanation.risk_low is None
        else f" ({explanation.risk_low:.0%} to {explanation.risk_high:.0%} of people scored alike)"
    )
    click.echo(
        f"Risk {explanation.risk:.1%}{interval}; contact expected {explanation.expected_date}; "
        f"by {explanation.model_version}"
    )
    click.echo("")
    print_table(
        [{"log-odds": f"{reason['contribution']:+.3f}", "reason": reason["text"]} for reason in explanation.reasons],
        ("log-odds", "reason"),
    )
    click.echo(
        f"{explanation.base:+.3f} for an average person (risk {explanation.usual_risk:.1%}), "
        f"{explanation.other_contribution:+.3f} for everything else; "
        f"together {explanation.raw_log_odds:+.3f} before calibration"
    )


@click.command()
@click.argument("slug")
@_AS_OF
@click.option("--kind", type=click.Choice(["at-risk", "to-trace", "both"]), default="both", show_default=True)
@click.option("--facility", help="DATIM id. Default: all facilities.")
@click.option(
    "--due-within",
    type=click.IntRange(0, 365),
    help="At risk: only people expected within this many days. Default: the setting risk.horizon_days; 365: everybody.",
)
@click.option(
    "--capacity",
    type=click.IntRange(1, 10_000),
    help="People per facility and list. Default: the setting risk.capacity.",
)
@click.option(
    "--identities", is_flag=True, help="Show names, phones, hospital numbers and programme identifiers (audited)."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "xlsx", "html", "json"]),
    default="table",
    show_default=True,
    help="html prints a page for each clinic.",
)
@click.option("--to", type=click.Path(path_type=Path, dir_okay=False), help="The file. Default: standard output.")
@json_option
def worklist(  # noqa: PLR0913 - one argument per option
    slug: str,
    as_of: datetime | None,
    kind: str,
    facility: str | None,
    due_within: int | None,
    capacity: int | None,
    to: Path | None,
    *,
    identities: bool,
    form: str,
    as_json: bool,
) -> None:
    """Issue the two lists of the tenant SLUG, each cut to its facilities' capacity: at risk, and to be traced."""
    from tenants.risk import list_files, presenting, repository, scoring
    from tenants.risk import worklist as lists

    owner = tenant(slug)
    open_session = _opener(owner)
    day = _day(open_session, as_of)
    with open_session() as session:
        run = repository.run_of(session, day)
        where = presenting.facility_named(session, facility, "--facility")
        is_scored = run is not None and run.state == "done"
    if not is_scored:
        _day_to_score(open_session, as_of)
        note(f"{day} has no scores yet: scoring it first")
        with Progress("Scoring") as progress:
            scoring.score(owner, open_session, day, progress=progress.update)
    kinds = lists.KINDS if kind == "both" else (kind.replace("-", "_"),)
    lists_shown: list[presenting.WorklistView] = []
    for each in kinds:
        with open_session() as session:
            days = due_within if each == "at_risk" else None
            order = lists.order_for(session, each, day, capacity=capacity, facility=where, due_within=days)
        uuid = lists.issue(owner, open_session, order)
        with open_session() as session:
            lists_shown.append(presenting.view(session, uuid, identities=identities))
    _tell_stale(sorted({f["datim_id"] for each in lists_shown for f in each.worklist.facilities if f["stale"]}))
    if as_json:
        form = "json"
    if form in list_files.MEDIA:
        with output_file(to, form) as file:
            file.write(list_files.as_file(form, lists_shown))
    elif form == "json":
        print_json({each.worklist.kind: _list_json(each) for each in lists_shown})
    else:
        for view in lists_shown:
            _print_list(view, identities=identities)


def _list_json(view: presenting.WorklistView) -> dict[str, Any]:
    from tenants.risk import presenting
    from tenants.risk.schemas import WorklistFacility

    worklist = view.worklist
    return {
        "id": worklist.uuid,
        "as_of": worklist.as_of,
        "capacity": worklist.capacity,
        "due_within": worklist.due_within,
        "candidates": worklist.candidates,
        "model_version": worklist.model_version,
        "usual_risk": worklist.usual_risk,
        "meaning": view.meaning,
        "note": worklist.note,
        "facilities": [WorklistFacility.model_validate(facility) for facility in worklist.facilities],
        "people": presenting.rows(view),
    }


@click.group()
def model() -> None:
    """The models of a tenant."""


@model.command("list")
@click.argument("slug")
@json_option
def list_(slug: str, *, as_json: bool) -> None:
    """Models of the tenant SLUG, newest first."""
    from core.web.paging import PageRequest
    from tenants.risk import repository
    from tenants.risk.schemas import ModelOut

    with _opener(tenant(slug))() as session:
        newest = PageRequest(1, 500, sort=repository.NEWEST_MODELS)
        rows = [ModelOut.model_validate(row) for row in repository.list_models(session, newest).rows]
    if as_json:
        print_json({"models": rows})
        return
    print_table(
        [{**row.model_dump(), "passed": row.gates.get("passed")} for row in rows],
        ("version", "state", "trained_at", "trained_through", "passed", "failure"),
    )


@model.command("card")
@click.argument("slug")
@click.argument("version", required=False)
@json_option
def card(slug: str, version: str | None, *, as_json: bool) -> None:
    """Show the card of a model of the tenant SLUG as Markdown. Default: the model that scores now."""
    from tenants.risk import cards, repository

    with _opener(tenant(slug))() as session:
        content = repository.model_of_version(session, version).card
    if as_json:
        print_json(content)
    else:
        click.echo(cards.markdown(content))


def _figures(evaluation: dict[str, Any]) -> dict[str, str]:
    from tenants.risk.cards import estimate_text

    return {name: estimate_text(evaluation.get("metrics", {}).get(name)) for name in _SHOWN}


def _tell_stale(stale: list[str]) -> None:
    if stale:
        names = ", ".join(stale[:5]) + (" and others" if len(stale) > 5 else "")  # noqa: PLR2004 - a line's worth
        note(f"stale: the records of {len(stale)} facilities end too early for this day, their lists stop ({names})")


def _print_list(view: presenting.WorklistView, *, identities: bool) -> None:
    from tenants.risk import presenting

    worklist, people = view.worklist, presenting.rows(view)
    head = presenting.title(worklist.kind, worklist.as_of, worklist.due_within)
    click.echo(f"{head}, by {worklist.model_version}: {len(people)} of {worklist.candidates}")
    identity_columns = ("name", "phone", "hospital_number") if identities else ("patient_id",)
    risk_columns = ("days_late",) if worklist.kind == "to_trace" else ("risk", "risk_level")
    rows = [row | {"risk": f"{row['score']:.0%}"} for row in people]
    print_table(rows, ("clinic", "rank", *identity_columns, "expected_date", *risk_columns, "reasons"))
    click.echo(view.meaning)
    if worklist.note:
        click.echo(worklist.note)
    click.echo("")
