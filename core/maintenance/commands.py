"""``iit maintenance``: the notice of maintenance."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from core.cli.output import ACTOR, json_option, note, print_json

if TYPE_CHECKING:
    from core.maintenance.models import Notice


@click.group()
def maintenance() -> None:
    """Announce maintenance on every page and in every answer of the API."""


@maintenance.command()
@click.option("--until", required=True, help="When it is over, with its time zone: 2027-03-01T22:00+02:00.")
@click.option("--message", default="", help="Your own text, in your readers' language.")
@json_option
def on(until: str, message: str, *, as_json: bool) -> None:
    """Show the notice. It is everywhere within seconds, and goes by itself when its time is over."""
    from core.maintenance import service

    try:
        moment = datetime.fromisoformat(until)
    except ValueError:
        text = "write a moment such as 2027-03-01T22:00+02:00"
        raise click.BadParameter(text, param_hint="--until") from None
    _print(service.set_notice(moment, message, actor=ACTOR), as_json=as_json)


@maintenance.command()
@json_option
def off(*, as_json: bool) -> None:
    """Remove the notice before its time is over."""
    from core.maintenance import service

    removed = service.remove_notice(actor=ACTOR)
    if as_json:
        print_json({"removed": removed})
    else:
        note("the notice is removed" if removed else "there was no notice")


@maintenance.command()
@json_option
def status(*, as_json: bool) -> None:
    """Show the notice."""
    from core.maintenance.memory import current_notice, memory

    memory.read()
    _print(current_notice(), as_json=as_json)


def _print(notice: Notice | None, *, as_json: bool) -> None:
    if as_json:
        print_json({"maintenance": notice})
    elif notice is None:
        note("no maintenance is announced")
    else:
        note(f"maintenance until {notice.until.isoformat(timespec='minutes')}: {notice.message or 'no message'}")
