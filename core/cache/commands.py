"""``iit cache``: the answers that Redis stores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from core.cli.output import ACTOR, json_option, note, print_json, print_table
from core.cli.output import tenant as tenant_of

if TYPE_CHECKING:
    from core.cache.service import CacheState


@click.group("cache")
def cache_commands() -> None:
    """See the caches, and empty one."""


@cache_commands.command()
@json_option
def show(*, as_json: bool) -> None:
    """List every cache with its stored answers and the share of reads that found one."""
    from core.cache.service import list_caches

    rows = [_row(cache) for cache in list_caches()]
    if as_json:
        print_json({"caches": rows})
        return
    print_table(rows, ("cache", "answers", "tenants", "hits", "misses", "hit_percent"))


@cache_commands.command()
@click.argument("cache")
@click.option("--tenant", "slug", help="Only the answers of this tenant.")
@json_option
def empty(cache: str, slug: str | None, *, as_json: bool) -> None:
    """Drop the stored answers of CACHE. They are computed again when somebody asks.

    iit cache empty cohort.period_counts --tenant my-programme
    """
    from core.cache import service

    dropped = service.empty(cache, tenant=tenant_of(slug) if slug else None, actor=ACTOR)
    if as_json:
        print_json({"cache": cache, "tenant": slug, "answers": dropped})
        return
    note(f"{cache}: dropped {dropped} answers")


def _row(state: CacheState) -> dict[str, object]:
    counts = state.counts
    return {
        "cache": state.name,
        "answers": None if counts is None else counts.answers,
        "tenants": None if counts is None else counts.tenants,
        "hits": None if counts is None else counts.hits,
        "misses": None if counts is None else counts.misses,
        "hit_percent": state.hit_percent,
    }
