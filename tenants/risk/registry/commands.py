"""``iit model``: promote, roll back, approve, compare, and sign models, besides the list and the cards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from core.cli.output import ACTOR, json_option, print_json, print_table, tenant
from tenants.risk.commands import model

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from core.database import SessionOpener, TenantRef, TenantSession
    from tenants.risk.models import RiskModel

_NOTE = click.option("--note", default="", help="Why, for the model's history.")


@model.command("promote")
@click.argument("slug")
@click.argument("version")
@_NOTE
@json_option
def promote(slug: str, version: str, note: str, *, as_json: bool) -> None:
    """Let the model VERSION of the tenant SLUG score from now on. It must have passed its gates."""
    from tenants.risk.registry import lifecycle

    owner = tenant(slug)
    row = lifecycle.promote(owner, _opener(owner), _uuid(owner, version), note)
    _tell(row, f"Scores from now on: {row.version}.", as_json=as_json)


@model.command("roll-back")
@click.argument("slug")
@_NOTE
@json_option
def roll_back(slug: str, note: str, *, as_json: bool) -> None:
    """Return to the model of the tenant SLUG that scored before."""
    from tenants.risk.registry import lifecycle

    owner = tenant(slug)
    row = lifecycle.roll_back(owner, _opener(owner), note)
    _tell(row, f"Scores again from now on: {row.version}.", as_json=as_json)


@model.command("approve")
@click.argument("slug")
@click.argument("version")
@_NOTE
@json_option
def approve(slug: str, version: str, note: str, *, as_json: bool) -> None:
    """Record that you looked at the model VERSION of the tenant SLUG, and that it may be promoted."""
    from tenants.risk.registry import lifecycle

    row = _changed(slug, version, lambda session, uuid: lifecycle.approve(session, uuid, note))
    _tell(row, f"Approved: {row.version}.", as_json=as_json)


@model.command("retire")
@click.argument("slug")
@click.argument("version")
@_NOTE
@json_option
def retire(slug: str, version: str, note: str, *, as_json: bool) -> None:
    """Retire the model VERSION of the tenant SLUG, which does not score."""
    from tenants.risk.registry import lifecycle

    row = _changed(slug, version, lambda session, uuid: lifecycle.retire(session, uuid, note))
    _tell(row, f"Retired: {row.version}.", as_json=as_json)


@model.command("compare")
@click.argument("slug")
@click.argument("version")
@click.option("--serve", type=click.FloatRange(0.1, 0.5), help="Serve this share of the facilities, drawn at random.")
@click.option("--effect", type=click.FloatRange(0.005, 0.3), default=0.05, show_default=True,
              help="With --serve: the difference of the share that interrupts that matters.")  # fmt: skip
@json_option
def compare(slug: str, version: str, serve: float | None, effect: float, *, as_json: bool) -> None:
    """Let the model VERSION of the tenant SLUG score beside the champion, at no effect unless it serves a share."""
    from tenants.risk.registry import trials
    from tenants.risk.registry.schemas import ModelTrial

    def start(session: TenantSession, uuid: UUID) -> RiskModel:
        if serve is None:
            return trials.start_shadow(session, uuid)
        return trials.start_serving(session, uuid, trials.Plan(share=serve, smallest_effect=effect))

    row = _changed(slug, version, start)
    trial = ModelTrial.of(row)
    if as_json:
        print_json(trial)
    elif serve is None:
        click.echo(f"{row.version} scores beside {trial.other_version} from the next scoring on, at no effect.")
    else:
        click.echo(
            f"{row.version} serves {trial.facilities} facilities from the next scoring on "
            f"(seed {trial.terms['seed']}). The comparison ends after {trial.terms['planned_decisions']:,} resolved "
            "decisions, or before if the evidence is enough."
        )


@model.command("stop")
@click.argument("slug")
@click.argument("version")
@_NOTE
@json_option
def stop(slug: str, version: str, note: str, *, as_json: bool) -> None:
    """End the comparison of the model VERSION of the tenant SLUG: the champion serves everybody."""
    from tenants.risk.registry import trials

    row = _changed(slug, version, lambda session, uuid: trials.stop(session, uuid, note))
    _tell(row, f"No longer compared: {row.version}.", as_json=as_json)


@model.command("trial")
@click.argument("slug")
@click.option("--look", is_flag=True, help="First look at the outcomes that are known now.")
@json_option
def trial(slug: str, *, look: bool, as_json: bool) -> None:
    """Show how the model of the tenant SLUG that is compared does beside the champion."""
    from tenants.risk.registry import trials
    from tenants.risk.registry.schemas import ModelTrial

    owner = tenant(slug)
    if look:
        trials.watch(_opener(owner))
    with _opener(owner)() as session:
        row = trials.running(session)
    shown = None if row is None else ModelTrial.of(row)
    if as_json:
        print_json({"trial": shown})
        return
    if shown is None:
        click.echo("No model is compared.")
        return
    click.echo(f"{shown.model_version} ({shown.kind}) beside {shown.other_version} since {shown.started_at:%Y-%m-%d}")
    if shown.figures is None:
        click.echo("Too few outcomes are known yet.")
        return
    print_table(_side_by_side(shown.figures), ("figure", "model", "other", "difference"))


@model.command("history")
@click.argument("slug")
@json_option
def history(slug: str, *, as_json: bool) -> None:
    """What happened to the models of the tenant SLUG, the newest first."""
    from tenants.risk.registry import lifecycle
    from tenants.risk.registry.schemas import ModelEventOut

    with _opener(tenant(slug))() as session:
        rows = [ModelEventOut.model_validate(row) for row in lifecycle.events(session)]
    if as_json:
        print_json({"events": rows})
        return
    print_table([row.model_dump() for row in rows], ("happened_at", "version", "action", "actor", "note"))


@model.command("sign")
@click.argument("slug")
@click.argument("version")
@json_option
def sign(slug: str, version: str, *, as_json: bool) -> None:
    """Sign the model VERSION of the tenant SLUG, which you have examined: one from before models were signed."""
    from tenants.risk import repository
    from tenants.risk.registry import artifacts

    def signed(session: TenantSession, uuid: UUID) -> RiskModel:
        row = repository.get_model(session, uuid)
        artifacts.sign_by_hand(session, row)
        return row

    row = _changed(slug, version, signed)
    _tell(row, f"Signed: {row.version}.", as_json=as_json)


def _side_by_side(figures: dict[str, Any]) -> list[dict[str, str]]:
    from tenants.risk.cards import estimate_text

    return [
        {
            "figure": name.replace("_", " "),
            "model": estimate_text(figures["model"][name]),
            "other": estimate_text(figures["other"][name]),
            "difference": estimate_text(figures["difference"].get(name)),
        }
        for name in figures["model"]
    ]


def _opener(owner: TenantRef) -> SessionOpener:
    from core.database import tenant_session

    return lambda: tenant_session(owner, actor=ACTOR)


def _uuid(owner: TenantRef, version: str) -> UUID:
    from tenants.risk import repository

    with _opener(owner)() as session:
        return repository.model_of_version(session, version).uuid


def _changed(slug: str, version: str, act: Callable[[TenantSession, UUID], RiskModel]) -> RiskModel:
    """Do something to a model in a transaction, and return its row."""
    owner = tenant(slug)
    uuid = _uuid(owner, version)
    with _opener(owner)() as session:
        row = act(session, uuid)
        session.flush()
        session.expunge(row)
    return row


def _tell(row: RiskModel, text: str, *, as_json: bool) -> None:
    from tenants.risk.schemas import ModelOut

    if as_json:
        print_json(ModelOut.model_validate(row))
    else:
        click.echo(text)


__all__ = ["model"]
