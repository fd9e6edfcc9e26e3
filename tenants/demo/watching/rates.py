"""Count false alarms on undisturbed cohorts, and the days until a planted shift or bias is found."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tenants.cohort.decided import decided_units
from tenants.cohort.timelines import date_of
from tenants.cohort.units import pending_units
from tenants.demo.watching.worlds import SHIFTS, WATCHED_DAYS, make_world
from tenants.risk.accuracy import FEWEST, LARGEST_INTERCEPT
from tenants.risk.bias.groups import compare_groups, gate, top_share
from tenants.risk.drift.comparison import compare_days
from tenants.risk.drift.samples import REFERENCE_LAGS
from tenants.risk.drift.service import signals_of
from tenants.risk.metrics import evaluate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    import numpy.typing as npt

    from core.telemetry.progress import LineCallback
    from tenants.demo.watching.worlds import World
    from tenants.risk.candidates import Fit

SUBJECTS: Final = ("features", "records", "scores", "facilities", "outcomes")
STEP: Final = 7
"""Days between two days of decisions whose outcomes are followed."""
LONGEST: Final = 140
"""Days after a shift for which it is looked for."""
DAYS_PER_MONTH: Final = 30.4
HALVED: Final = 0.5
"""Planted bias: the predicted risk of men is multiplied by this."""
CAPACITY: Final = 0.3


@dataclass(slots=True)
class Rates:
    """What was measured.

    Attributes:
        people, facilities, seeds: the cohorts.
        every: days between two looks.
        months: undisturbed months that were looked at.
        false_alarms: subject -> alarms that began in them.
        delays: name of a shift -> days until it was found in each cohort; None if not within ``LONGEST``.
        bias_looks, bias_false: looks at groups in undisturbed cohorts, and how many failed the gate.
        bias_planted, bias_found: looks at groups with planted bias, and how many named it.
    """

    people: int
    facilities: int
    seeds: list[int]
    every: int
    months: float = 0.0
    false_alarms: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SUBJECTS, 0))
    delays: dict[str, list[int | None]] = field(default_factory=lambda: {shift.name: [] for shift in SHIFTS})
    bias_looks: int = 0
    bias_false: int = 0
    bias_planted: int = 0
    bias_found: int = 0

    def to_json(self) -> dict[str, Any]:
        """The rates as a JSON object."""
        return asdict(self)


def measure_rates(
    *, people: int, facilities: int, seeds: Sequence[int], every: int, data_date: date, fit: Fit, say: LineCallback
) -> Rates:
    """Measure on one cohort for each seed.

    Args:
        people: number of people of each cohort.
        facilities: number of facilities of each.
        seeds: seeds of the cohorts.
        every: days between two looks; the schedule looks each day.
        data_date: the last day of the data.
        fit: fits the additive model.
        say: receives a note before each step.
    """
    rates = Rates(people, facilities, list(seeds), every)
    for seed in seeds:
        say(f"cohort {seed}: training")
        world, cohort = make_world(people=people, facilities=facilities, data_date=data_date, seed=seed, fit=fit)
        say(f"cohort {seed}: a year without disturbance")
        _undisturbed(world, rates)
        say(f"false alarms so far, in {rates.months:.0f} months: {rates.false_alarms}")
        _bias(world, rates)
        say(f"gate failed {rates.bias_false} of {rates.bias_looks}; found {rates.bias_found} of {rates.bias_planted}")
        begin = world.end - LONGEST
        for shift in SHIFTS:
            say(f"cohort {seed}: {shift.name}")
            shifted = world.with_shift(cohort, shift, begin, seed)
            rates.delays[shift.name].append(_days_until(shifted, world, shift.subjects, begin, every))
            say(f"cohort {seed}: {shift.name}: {rates.delays[shift.name][-1]} days")
    return rates


def begun(world: World, day: int) -> set[str]:
    """The subjects that would have a signal on a day."""
    comparison = compare_days(world.sample(day), [world.sample(day - lag) for lag in REFERENCE_LAGS])
    facilities = [str(uuid) for uuid in world.sample(day).facilities]
    return {signal["subject"] for signal in signals_of(comparison, facilities) if not signal["ended"]}


def outcomes_off(world: World, day: int) -> bool:
    """Whether the rule about outcomes would raise an alert on a day: about the newest month with enough of them."""
    for first in _months_before(day):
        days = [each for each in range(first, day) if each % STEP == 0 and _month(each) == _month(first)]
        risk, outcome, patient, _facility = resolved(world, days, day)
        if risk.size >= FEWEST:
            intercept = evaluate(risk, outcome, patient, replicates=100).metrics["calibration_intercept"]
            if intercept.low is None or intercept.high is None:
                return False
            return intercept.low > LARGEST_INTERCEPT or intercept.high < -LARGEST_INTERCEPT
    return False


def resolved(
    world: World, days: Sequence[int], known: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int8], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Decisions of some days whose outcome was known on a later day: risk, outcome, patient and facility.

    Of each person, the first decision about each expected contact counts.
    """
    complete = np.full(len(world.timelines.facilities), known, dtype=np.int32)
    seen: set[tuple[int, int]] = set()
    parts = [(np.zeros(0), np.zeros(0, np.int8), np.zeros(0, np.int64))]
    for day in days:
        pending = pending_units(world.timelines, day, world.rules)
        order = np.lexsort((pending.expected, pending.patient))
        pending = pending.where(order[np.unique(pending.patient[order], return_index=True)[1]])
        sample = world.sample(day)
        pairs = list(zip(pending.patient.tolist(), pending.expected.tolist(), strict=True))
        new = np.array([pair not in seen for pair in pairs], dtype=np.bool_)
        seen.update(pairs)
        patient = pending.patient[new]
        decided, units = decided_units(
            world.timelines,
            world.rules,
            complete,
            patient,
            np.full(patient.size, day, dtype=np.int32),
            pending.expected[new],
        )
        labelled = units.label >= 0
        rows = decided[labelled]
        parts.append((sample.risk[new][rows], units.label[labelled], patient[rows].astype(np.int64)))
    risk, outcome, patients = (np.concatenate(column) for column in zip(*parts, strict=True))
    return risk, outcome, patients, world.timelines.facility[patients].astype(np.int64)


def _undisturbed(world: World, rates: Rates) -> None:
    before: set[str] = set()
    followed = world.end - WATCHED_DAYS
    for day in range(world.end - WATCHED_DAYS, world.end, rates.every):
        now = begun(world, day)
        if day >= followed:
            followed = day + STEP
            now |= {"outcomes"} if outcomes_off(world, day) else set()
        else:
            now |= before & {"outcomes"}
        for subject in now - before:
            rates.false_alarms[subject] += 1
        before = now
    rates.months += WATCHED_DAYS / DAYS_PER_MONTH


def _bias(world: World, rates: Rates) -> None:
    """Look at the groups every two months of a year, as they are and with the risk of men halved."""
    sexes = np.array(["not recorded", "female", "male"])[world.timelines.profiles.sex]
    for known in range(world.end - WATCHED_DAYS, world.end, 61):
        days = [day for day in range(known - WATCHED_DAYS // 2, known) if day % STEP == 0 and day % 28 < STEP]
        risk, outcome, patient, facility = resolved(world, days, known)
        labels = {"sex": sexes[patient], "facility": facility}
        fair = gate(compare_groups(risk, outcome, patient, top_share(risk, facility, CAPACITY), labels, replicates=0))
        rates.bias_looks += 1
        rates.bias_false += not fair["passed"]
        biased = np.where(labels["sex"] == "male", risk * HALVED, risk)
        chosen = top_share(biased, facility, CAPACITY)
        unfair = gate(compare_groups(biased, outcome, patient, chosen, labels, replicates=0))
        rates.bias_planted += 1
        rates.bias_found += "sex male" in unfair["why"]


def _days_until(world: World, undisturbed: World, subjects: frozenset[str], begin: int, every: int) -> int | None:
    """Days from a shift until one of its subjects has a signal that it would not have without the shift."""
    for day in range(begin, min(begin + LONGEST, world.end), STEP if subjects == {"outcomes"} else every):
        if subjects == {"outcomes"}:
            if outcomes_off(world, day) and not outcomes_off(undisturbed, day):
                return day - begin
        elif subjects & (begun(world, day) - begun(undisturbed, day)):
            return day - begin
    return None


def _months_before(day: int) -> list[int]:
    """The first days of the four months that end with a day's month, the newest first."""
    firsts, month = [], -1
    for each in range(day, day - 130, -1):
        if _month(each) != month:
            month = _month(each)
            firsts.append(each)
    return [each - (date_of(each).day - 1) for each in firsts]


def _month(day: int) -> int:
    return date_of(day).year * 12 + date_of(day).month


def page(rates: Rates, command: str) -> str:
    """The rates as a page of the documentation."""
    lines = [
        "# How often the watch over models is wrong, and how soon it is right",
        "",
        f"Measured by `{command}`",
        f"on {len(rates.seeds)} simulated cohorts of {rates.people:,} people at {rates.facilities} facilities",
        f"([the simulated cohort](../reference/simulated-cohort.md)), with a look every {rates.every} days.",
        "The model was trained on what was known 600 days before the end of the data.",
        "",
        "## False alarms",
        "",
        f"Alarms that began in {rates.months:.0f} months of undisturbed data:",
        "",
        "| about | alarms | a month |",
        "|---|---:|---:|",
        *(f"| {name} | {count} | {count / rates.months:.2f} |" for name, count in rates.false_alarms.items()),
        f"| together | {sum(rates.false_alarms.values())} | {sum(rates.false_alarms.values()) / rates.months:.2f} |",
        "",
        "## Planted shifts",
        "",
        f"Days until the alarm about the right subject, within {LONGEST} days:",
        "",
        "| shift | found in | median days | slowest |",
        "|---|---:|---:|---:|",
        *(_row(shift.about, rates.delays[shift.name]) for shift in SHIFTS),
        "",
        "An outcome is known only after the expected contact, 28 days of grace and 7 days of reporting lag, so a",
        "change of outcomes cannot be found sooner.",
        "",
        "## Bias",
        "",
        f"The gate failed in {rates.bias_false} of {rates.bias_looks} looks at undisturbed groups by sex and facility.",
        f"With the risk of men halved, it named men in {rates.bias_found} of {rates.bias_planted}.",
        "",
    ]
    return "\n".join(lines)


def _row(about: str, days: Sequence[int | None]) -> str:
    known = [day for day in days if day is not None]
    middle, slowest = (f"{median(known):.0f}", str(max(known))) if known else ("-", "-")
    return f"| {about} | {len(known)} of {len(days)} | {middle} | {slowest} |"
