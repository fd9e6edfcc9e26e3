"""``iit quality``: reports, people recorded twice, merges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from core.cli.output import ACTOR, json_option, note, print_json, print_table, tenant

if TYPE_CHECKING:
    from tenants.quality.candidates import Candidate
    from tenants.quality.service import Report

SHOWN = 20
_REASON = click.option("--reason", required=True, help="Why. Name no person.")


@click.group()
def quality() -> None:
    """Measure the quality of the records, and find people recorded twice."""


@quality.command()
@click.argument("slug")
@click.option("--import", "import_id", type=click.UUID, help="Measure only the facilities of this import.")
@click.option("--facility", help="Measure only this facility (DATIM id).")
@json_option
def report(slug: str, import_id: UUID | None, facility: str | None, *, as_json: bool) -> None:
    """Measure the records of the tenant SLUG as they are now, and store the report."""
    from core import audit
    from core.database import tenant_session
    from tenants.quality import service

    with tenant_session(tenant(slug), actor=ACTOR) as session:
        if facility is None:
            row = service.make_reports(session, import_id=import_id)
        else:
            row = service.make_facility_report(session, service.facility_uuid(session, facility), import_id)
        audit.record(session, "job:quality:report", "quality_report", row.uuid)
        report_out = service.report_of(session, row)
    if as_json:
        print_json(report_out)
    else:
        _print_report(report_out)


@quality.command()
@click.argument("slug")
@click.option("--facility", help="Only this facility (DATIM id).")
@click.option("--by", type=click.Choice(["quarter", "import"]), default="quarter", show_default=True)
@json_option
def trend(slug: str, facility: str | None, by: str, *, as_json: bool) -> None:
    """Show scores of the tenant SLUG over time, oldest first."""
    from core.database import tenant_session
    from tenants.quality import service

    with tenant_session(tenant(slug), actor=ACTOR, readonly=True) as session:
        points = service.trend(session, facility=facility, by=by)
    if as_json:
        print_json({"by": by, "points": points})
        return
    names = sorted({name for point in points for name in point["dimensions"]})
    print_table([{**point, **point["dimensions"]} for point in points], ("period", "data_date", "score", *names))


@quality.command()
@click.argument("slug")
@json_option
def link(slug: str, *, as_json: bool) -> None:
    """Find people who are in the records of the tenant SLUG twice."""
    from core import audit
    from core.database import tenant_session
    from tenants.quality.linkage import search

    ref = tenant(slug)
    with tenant_session(ref, actor=ACTOR) as session:
        people = search.read(session)
    note(f"comparing {len(people):,} patients by keys of their names and data")
    comparison = search.compare(people)
    with tenant_session(ref, actor=ACTOR) as session:
        outcome = search.keep(session, people, comparison)
        audit.record(session, "job:quality:link", "linkage", None, outcome.to_json())
    for failure in outcome.failed_estimates:
        note(f"an estimate from the records failed; the default shares replace it: {failure}")
    if as_json:
        print_json(outcome)
        return
    print_table([outcome.to_json()], ("patients", "pairs", "new", "reopened", "gone"))


@quality.command()
@click.argument("slug")
@click.option("--state", type=click.Choice(["pending", "merged", "refused", "gone"]), default="pending")
@click.option("--limit", type=click.IntRange(1, 500), default=SHOWN, show_default=True, help="Show at most this many.")
@json_option
def candidates(slug: str, state: str, limit: int, *, as_json: bool) -> None:
    """List pairs of patients of the tenant SLUG who may be one person, the most probable first."""
    from core.database import tenant_session
    from core.web.paging import PageRequest
    from tenants.quality.candidates import MOST_PROBABLE, list_candidates

    with tenant_session(tenant(slug), actor=ACTOR) as session:
        part = list_candidates(session, PageRequest(1, limit, sort=MOST_PROBABLE), state)
    if as_json:
        print_json({"total": part.total, "candidates": part.rows})
        return
    note(f"{part.total:,} {state}")
    print_table([_line(each) for each in part.rows], ("candidate", "probability", "agree", "differ", "care", "at"))


@quality.command()
@click.argument("slug")
@click.argument("candidate", type=click.UUID)
@click.option("--keep", type=click.UUID, help="The canonical patient. Default: the one with the later last contact.")
@_REASON
@json_option
def merge(slug: str, candidate: UUID, keep: UUID | None, reason: str, *, as_json: bool) -> None:
    """Merge the two patients of a CANDIDATE: they are one person."""
    from core.database import tenant_session
    from tenants.quality.candidates import merge_candidate

    with tenant_session(tenant(slug), actor=ACTOR) as session:
        _print_merge(merge_candidate(session, candidate, keep=keep, reason=reason), as_json=as_json)


@quality.command()
@click.argument("slug")
@click.argument("candidate", type=click.UUID)
@_REASON
@json_option
def refuse(slug: str, candidate: UUID, reason: str, *, as_json: bool) -> None:
    """Decide that the two patients of a CANDIDATE are two people."""
    from core.database import tenant_session
    from tenants.quality.candidates import refuse_candidate

    with tenant_session(tenant(slug), actor=ACTOR) as session:
        candidate_out = refuse_candidate(session, candidate, reason)
    if as_json:
        print_json(candidate_out)
    else:
        note("refused; the pair stays refused until its evidence changes")


@quality.command()
@click.argument("slug")
@click.argument("patient", type=click.UUID)
@_REASON
@json_option
def unmerge(slug: str, patient: UUID, reason: str, *, as_json: bool) -> None:
    """End the merge of a PATIENT into another: from now on the patient's facts count for the patient again."""
    from core.database import tenant_session
    from tenants.quality.candidates import unmerge_patient

    with tenant_session(tenant(slug), actor=ACTOR) as session:
        _print_merge(unmerge_patient(session, patient, reason), as_json=as_json)


def _print_merge(merged: Any, *, as_json: bool) -> None:  # noqa: ANN401 - what a merge came to; typed where it is made
    if as_json:
        print_json(merged)
        return
    members = [str(uuid) for uuid in merged.members]
    if members:
        click.echo(f"{', '.join(members)} {'counts' if len(members) == 1 else 'count'} for {merged.canonical_id}")
    else:
        click.echo(f"{merged.canonical_id} counts for itself alone")


def _line(each: Candidate) -> dict[str, object]:
    gap = "" if each.gap_days is None else f", {each.gap_days} days between"
    return {
        "candidate": each.id,
        "probability": f"{each.probability:.4f}",
        "agree": ", ".join(each.agree),
        "differ": ", ".join(each.differ),
        "care": each.care + gap,
        "at": " / ".join(side.facility or "?" for side in each.patients),
    }


def _print_report(report_out: Report) -> None:
    of = f"facility {report_out.facility}" if report_out.facility else f"{len(report_out.facilities)} facilities"
    score = "cannot be measured" if report_out.score is None else f"{report_out.score}%"
    click.echo(f"Quality of the records of {of}, data to {report_out.data_date}: {score}")
    click.echo("  ".join(f"{name} {value}%" for name, value in report_out.dimensions.items()))
    click.echo()
    rows = [
        {
            "dimension": each.dimension,
            "measure": each.about,
            "good": each.numerator,
            "of": each.denominator,
            "percent": "" if each.percent is None else f"{each.percent}%",
            "weight": each.weight,
        }
        for each in report_out.measures
    ]
    print_table(rows, ("dimension", "measure", "good", "of", "percent", "weight"))
    if report_out.rejected:
        click.echo("\nRejected rows")
        print_table(report_out.rejected, ("count", "file", "field", "problem"))
    if len(report_out.facilities) > 1:
        click.echo("\nFacilities, the lowest score first")
        print_table(report_out.facilities[:SHOWN], ("facility", "name", "score"))
