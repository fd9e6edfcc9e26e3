"""The rules that a single fact must satisfy, in every format.

The rules are data: the same ones apply to rows read one by one and to blocks read column by column. They include what
can be stored (``tenants.records.storable``), so that the import accepts nothing that it cannot write.
``tenants.imports.staging.checks`` has the rules across facts.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import date, datetime, timedelta
from functools import cache, partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from core.errors import phrase
from tenants.imports.facts import (
    FACT_TYPES,
    FacilityFact,
    Fact,
    ObservationFact,
    PatientBound,
    PatientFact,
    Rejection,
    UnreadContactFact,
)
from tenants.imports.fields import FIELDS
from tenants.imports.reading.values import MOST_DAYS
from tenants.records.storable import field_problem, text_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RANGES: dict[str, tuple[float, float, str]] = {
    "viral_load": (0, 1e9, "copies/mL"),
    "cd4": (0, 10_000, "cells/mm3"),
    "who_stage": (1, 4, "stage"),
    "weight": (0.2, 500, "kg"),
    "height": (20, 260, "cm"),
}
"""Limits of plausible results. A result beyond them is a typing error, or has another unit."""

CODED: dict[str, tuple[str, ...]] = {
    "arv_adherence": ("good", "fair", "poor"),
    "pregnancy": ("pregnant", "breastfeeding", "none"),
}

FIRST_TREATMENT = date(1987, 1, 1)
"""The earliest plausible day of treatment: no antiretroviral existed before."""

OLDEST_YEARS = 120
MOST_AHEAD = timedelta(days=400)
"""The longest plausible time to a next appointment. One further ahead than a year's supply is a typing error."""


class Problem(NamedTuple):
    """The problem of a wrong value, and the remedy."""

    problem: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule for a field of a kind of fact.

    Attributes:
        field: the field that is wrong if a fact breaks the rule.
        judge: what is wrong with the field's value; its arguments are the value, those of ``beside``, and the data
            date. It is called only if all these fields have a value.
        beside: further fields that it reads.
        whole: whether a fact that breaks it is rejected as a whole; else only the field is left out.
    """

    field: str
    judge: Callable[..., Problem | None]
    beside: tuple[str, ...] = ()
    whole: bool = False

    def problem(self, values: tuple[Any, ...], data_date: date) -> Problem | None:
        """The problem of a field, or None. ``values`` are the values of the field and of ``beside``."""
        return None if None in values else self.judge(*values, data_date)


def _day(value: date) -> date:
    return value.date() if isinstance(value, datetime) else value


def _future(value: date, data_date: date) -> Problem | None:
    if _day(value) <= data_date:
        return None
    remedy = phrase("correct the date, or the data date of the import ({data_date})", data_date=data_date)
    return Problem("the date lies after the data date", remedy)


def _before_treatment(value: date, _data_date: date) -> Problem | None:
    if value >= FIRST_TREATMENT:
        return None
    return Problem("the date lies before there was any antiretroviral treatment (1987)", "correct the year")


def _too_old(value: date, data_date: date) -> Problem | None:
    if data_date.year - value.year <= OLDEST_YEARS:
        return None
    return Problem(phrase("nobody is older than {years} years", years=OLDEST_YEARS), "correct the year of birth")


def _birth_after_start(born: date, started: date, _data_date: date) -> Problem | None:
    # An estimated birthdate is 1 January of the year: whoever starts within that year is not before birth.
    if born <= started:
        return None
    return Problem("the date of birth lies after the start of treatment", "correct one of the two dates")


def _earlier_than(other: str, what: str) -> Callable[..., Problem | None]:
    def judge(value: date, against: date, _data_date: date) -> Problem | None:
        return None if value >= against else Problem(what, phrase("correct it, or {what}", what=other))

    return judge


def _appointment(value: date, seen: date, _data_date: date) -> Problem | None:
    if value < seen:
        return Problem("the next appointment lies before the visit", "correct one of the two dates")
    if value - seen > MOST_AHEAD:
        return Problem(
            phrase("the next appointment lies more than {days} days ahead", days=MOST_AHEAD.days), "correct the date"
        )
    return None


def _measurement(value: float, variable: str, _data_date: date) -> Problem | None:
    limits = RANGES.get(variable)
    if limits is None or limits[0] <= value <= limits[1]:
        return None
    return Problem(
        phrase("a value outside {least:g}-{most:g} {unit}", least=limits[0], most=limits[1], unit=limits[2]),
        "correct the value or its unit",
    )


def _coded(value: str, variable: str, _data_date: date) -> Problem | None:
    codes = CODED.get(variable)
    if codes is None or value in codes:
        return None
    return Problem("an unknown code", phrase("map it under 'values' to one of {listed}", listed=", ".join(codes)))


def _supply(value: int, _data_date: date) -> Problem | None:
    if value == 0:
        return Problem("a supply of 0 days", "write how many days of treatment were handed out")
    if not 0 < value <= MOST_DAYS:
        return Problem(
            phrase("a supply outside 1-{most} days", most=MOST_DAYS),
            "correct it, and check the unit: days or months",
        )
    return None


def _outcome(status: str, due: date, data_date: date) -> Problem | None:
    if status not in ("kept", "missed") or due <= data_date:
        return None
    return Problem("it was kept or missed after the data date", "correct the due date or the data date")


RULES: dict[str, tuple[Rule, ...]] = {
    "patients": (
        Rule("birthdate", _future),
        Rule("birthdate", _too_old),
        Rule("art_start_date", _future),
        Rule("art_start_date", _before_treatment),
        Rule("birthdate", _birth_after_start, ("art_start_date",)),
    ),
    "patient_states": (Rule("start_date", _future, whole=True),),
    "visits": (
        Rule("date_started", _future, whole=True),
        Rule(
            "date_stopped",
            _earlier_than(phrase("the day on which the visit began"), phrase("the visit ends before it begins")),
            ("date_started",),
        ),
        Rule("next_appointment", _appointment, ("date_started",)),
    ),
    "encounters": (Rule("encounter_datetime", _future, whole=True),),
    "observations": (
        Rule("obs_datetime", _future, whole=True),
        Rule("value_numeric", _measurement, ("variable_name",), whole=True),
        Rule("value_coded", _coded, ("variable_name",), whole=True),
    ),
    "dispensations": (
        Rule("date_dispensed", _future, whole=True),
        Rule("date_dispensed", _before_treatment, whole=True),
        Rule("days_supplied", _supply),
        Rule("next_appointment", _appointment, ("date_dispensed",)),
    ),
    "appointments": (
        Rule("booked_on", _future, whole=True),
        Rule(
            "due_date",
            _earlier_than(
                phrase("the day on which it was booked"), phrase("the appointment is due before it was booked")
            ),
            ("booked_on",),
            whole=True,
        ),
        Rule("status", _outcome, ("due_date",), whole=True),
    ),
    "snapshots": (Rule("last_pickup", _future), Rule("days_supplied", _supply)),
}
"""Kind of fact -> its rules."""

_RECORD_ONLY = ("value_numeric", "value_text", "value_coded", "value_datetime", "variable_name")


class Judgement(NamedTuple):
    """The accepted part of a fact.

    Attributes:
        fact: the fact without the fields that are left out; None if it is rejected as a whole.
        rejections: why it is rejected as a whole.
        omissions: the fields that are left out, and why.
        wrong: the fields that are rejected or left out.
    """

    fact: Fact | None
    rejections: list[Rejection]
    omissions: list[Rejection]
    wrong: frozenset[str] = frozenset()


def judged(fact: Fact, data_date: date, today: date) -> Judgement:
    """Return the accepted part of a fact, and why the rest cannot be true or cannot be stored.

    If a fact is useful without a wrong field, only the field is rejected. A slip in a date must not reject a person's
    whole history, and a wrong refill must not reject the visit. Fields that are left out keep their known values.

    Args:
        fact: the fact that was read.
        data_date: the day to which the data run: nothing can have happened after it.
        today: nothing can have been written after it (a stamp may well be later than the data date).
    """
    whole, parts = _unstorable(fact)
    # A voided record is often wrong: that is why the source voided it.
    if not fact.voided:
        _implausible(fact, data_date, today, whole, parts)
    if not whole and not parts:
        return Judgement(fact, [], [])
    wrong = frozenset(whole) | frozenset(parts)
    rejections = [Rejection(fact.label(name), *problem) for name, problem in whole.items()]
    omissions = [Rejection(fact.label(name), *problem) for name, problem in parts.items()]
    if whole:
        return Judgement(None, rejections + omissions, [], wrong)
    return Judgement(_without(fact, frozenset(parts)), [], omissions, wrong)


def doubtful(kind: str, facts: Sequence[Fact], data_date: date, today: date) -> set[int]:
    """The places of facts of one kind that may have a wrong field; ``judged`` decides.

    Each distinct value is checked one time.
    """
    places = {at for at, fact in enumerate(facts) if fact.voided} if any(fact.voided for fact in facts) else set()
    if kind == UnreadContactFact.kind:
        return set(range(len(facts)))  # a row may have it twice

    def note(column: Sequence[Any], is_wrong: Callable[[Any], bool]) -> None:
        if wrong := {value for value in set(column) if is_wrong(value)}:
            places.update(at for at, value in enumerate(column) if value in wrong)

    def unfit(name: str, of: str = kind) -> Callable[[Any], bool]:
        return lambda text: text is not None and field_problem(of, name, text) is not None

    note([fact.key if kind == "facilities" else fact.facility for fact in facts], unfit("datim_id", "facilities"))
    if isinstance(facts[0], PatientBound):
        note(
            [fact.patient for fact in facts if isinstance(fact, PatientBound)],
            lambda text: not text.strip() or text_problem(text) is not None,
        )
    for name, _ in _texts(kind):
        note(list(map(attrgetter(name), facts)), unfit(name))
    for rule in RULES.get(kind, ()):
        columns = [_comparable(kind, name, facts) for name in (rule.field, *rule.beside)]
        note(list(zip(*columns, strict=True)), partial(_breaks, rule, data_date))
    latest = today + timedelta(days=1)
    note([fact.known_at and fact.known_at.date() for fact in facts], lambda day: day is not None and day > latest)
    return places


def _breaks(rule: Rule, data_date: date, values: tuple[Any, ...]) -> bool:
    return rule.problem(values, data_date) is not None


def _comparable(kind: str, name: str, facts: Sequence[Fact]) -> list[Any]:
    """Return the values of a field in these facts; for times, only their days."""
    values = list(map(attrgetter(name), facts))
    if FIELDS[kind][name].type == "datetime":
        return [value and _day(value) for value in values]
    return values


def _implausible(
    fact: Fact, data_date: date, today: date, whole: dict[str, Problem], parts: dict[str, Problem]
) -> None:
    for rule in RULES.get(fact.kind, ()):
        if any(name in whole or name in parts for name in (rule.field, *rule.beside)):
            continue
        values = (getattr(fact, rule.field), *(getattr(fact, name) for name in rule.beside))
        if (problem := rule.problem(values, data_date)) is not None:
            (whole if rule.whole else parts)[rule.field] = problem
    # A day's grace: the stamp may be written in a zone where tomorrow has begun.
    if fact.known_at is not None and fact.known_at.date() > today + timedelta(days=1):
        problems = parts if isinstance(fact, PatientFact) and fact.derived_on is None else whole
        problems["stamp"] = Problem("the stamp lies in the future", "correct the stamp")


def _without(fact: Fact, wrong: frozenset[str]) -> Fact:
    empty: dict[str, Any] = {"known_at" if name == "stamp" else name: None for name in wrong}
    if isinstance(fact, PatientFact):
        empty["partial"] = True
        empty["birthdate_estimated"] = fact.birthdate_estimated and "birthdate" not in wrong
    return replace(fact, **empty)


def _unstorable(fact: Fact) -> tuple[dict[str, Problem], dict[str, Problem]]:
    """The fields that no table can store: those that a fact needs, and those that may be left out."""
    whole: dict[str, Problem] = {}
    parts: dict[str, Problem] = {}
    place = fact.key if isinstance(fact, FacilityFact) else fact.facility
    if place is not None and (problem := field_problem("facilities", "datim_id", place)) is not None:
        whole["datim_id"] = Problem(*problem)
    if isinstance(fact, PatientBound):
        if not fact.patient.strip():
            whole["patient"] = Problem("the identifier is missing", "fill it in: a row without it belongs to nobody")
        elif (problem := text_problem(fact.patient)) is not None:
            whole["patient"] = Problem(*problem)
    for name, needed in _texts(fact.kind):
        value = getattr(fact, name)
        if value is None:
            continue
        if (problem := field_problem(fact.kind, name, value)) is not None:
            (whole if needed else parts)[name] = Problem(*problem)
    return whole, parts


@cache
def _texts(kind: str) -> tuple[tuple[str, bool], ...]:
    """The text fields of a kind, and whether a fact needs the field."""
    there = {item.name for item in fields(FACT_TYPES[kind])}
    return tuple(
        (name, spec.required or (kind == ObservationFact.kind and name in _RECORD_ONLY))
        for name, spec in FIELDS[kind].items()
        if name in there and spec.type in ("text", "code")
    )
