"""Kills parts of a small installation at random moments, under load, and says what was lost."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.faults.storm.checks import ended_jobs, losses, wait_until_settled
from tests.faults.storm.load import Load
from tests.faults.storm.victims import Installation

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.tenancy import CreatedTenant

LONGEST_DELAY = 0.8
"""Seconds from an acknowledged write to the next kill, at most."""

BREATH, MORE = 4, 3
"""After each fourth kill, all live until three more jobs are done."""

PATIENCE = 90.0
"""Seconds after a kill within which a write is acknowledged again."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a storm did and found.

    Attributes:
        seed: repeats the order and the delays of the kills; not the moments, which depend on the machine.
        kills: by victim.
        acknowledged: writes by kind.
        repeated: requests that a writer repeated.
        jobs: ended jobs by state.
        away: seconds from each kill to the next acknowledged write.
        settled: seconds from the last write until no job waited.
        problems: broken promises, a sentence each.
    """

    seed: int
    seconds: float
    kills: dict[str, int]
    acknowledged: dict[str, int]
    repeated: int
    jobs: dict[str, int]
    away: list[float]
    settled: float
    problems: list[str] = field(default_factory=list)


def storm(
    partner: CreatedTenant,
    *,
    rounds: int,
    seed: int,
    isolating: bool = True,
    tell: Callable[[str], None] = lambda _: None,
) -> Report:
    """Kill ``rounds`` times while writers write, let all jobs end, and check every promise.

    Args:
        partner: the tenant that is written to, on servers that may be killed.
        rounds: number of kills.
        seed: of the order of victims and of the delays.
        isolating: see ``Installation``.
        tell: gets a line per kill.
    """
    chance, began = random.Random(seed), time.monotonic()  # noqa: S311 - no secret
    installation = Installation(isolating=isolating)
    load = Load(partner, installation.address)
    kills: dict[str, int] = dict.fromkeys(installation.victims, 0)
    away: list[float] = []
    try:
        load.start()
        _await_more(load, 1)
        for number, victim in enumerate(_order(installation.victims, rounds, chance), start=1):
            time.sleep(chance.uniform(0, LONGEST_DELAY))
            before, killed = load.ledger.count, time.monotonic()
            installation.kill(victim)
            kills[victim] += 1
            _await_more(load, before + 1)
            away.append(time.monotonic() - killed)
            if number % BREATH == 0:
                enough = ended_jobs().get("done", 0) + MORE
                _await(lambda enough=enough: ended_jobs().get("done", 0) >= enough, "no job is done any more")
            tell(f"{number}/{rounds}: {victim}, {away[-1]:.1f} s, {load.ledger.count} writes acknowledged")
        load.stop()
        settled = wait_until_settled()
    finally:
        load.stop()
        installation.stop()
    return Report(
        seed=seed,
        seconds=time.monotonic() - began,
        kills=kills,
        acknowledged={kind: len(names) for kind, names in sorted(load.ledger.acknowledged.items())},
        repeated=load.ledger.again,
        jobs=ended_jobs(),
        away=away,
        settled=settled,
        problems=[*load.problems, *losses(partner.ref, load.ledger)],
    )


def _order(victims: tuple[str, ...], rounds: int, chance: random.Random) -> list[str]:
    """Return the victims in random order, each about as often as the others."""
    order: list[str] = []
    while len(order) < rounds:
        order += chance.sample(victims, len(victims))
    return order[:rounds]


def _await_more(load: Load, count: int) -> None:
    _await(lambda: load.ledger.count >= count, "no write is acknowledged any more")


def _await(condition: Callable[[], bool], otherwise: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, otherwise
        time.sleep(0.01)
