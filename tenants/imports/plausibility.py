"""What a fact by itself must satisfy, whatever format it came in. Across facts: ``tenants.imports.staging.checks``."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from tenants.imports.facts import (
    AppointmentFact,
    DispensationFact,
    EncounterFact,
    Fact,
    ObservationFact,
    PatientFact,
    PatientStateFact,
    Rejection,
    VisitFact,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

_Found = list[tuple[str, Rejection]]
"""Fields of ours that are wrong, and why."""

RANGES: dict[str, tuple[float, float, str]] = {
    "viral_load": (0, 1e9, "copies/mL"),
    "cd4": (0, 10_000, "cells/mm3"),
    "who_stage": (1, 4, "stage"),
    "weight": (0.2, 500, "kg"),
    "height": (20, 260, "cm"),
}
"""Beyond these a result is a slip of the pen or another unit."""

CODED: dict[str, tuple[str, ...]] = {
    "arv_adherence": ("good", "fair", "poor"),
    "pregnancy": ("pregnant", "breastfeeding", "none"),
}


def implausible(fact: Fact, data_date: date, today: date) -> list[Rejection]:
    """Why the fact cannot be true by itself; empty when it can.

    Args:
        fact: as read.
        data_date: the day to which the data run: nothing can have happened after it.
        today: nothing can have been written after it (a stamp may well be later than the data date).
    """
    return [rejection for _, rejection in _found(fact, data_date, today)]


def judged(fact: Fact, data_date: date, today: date) -> tuple[Fact | None, list[Rejection]]:
    """What is taken of a fact, and why the rest cannot be true; the arguments as for ``implausible``.

    A row's person stays without what is wrong: a slip in a date must not cost a whole history. What is left out is not
    said, so that what was known of it before stays. Of any other fact nothing is taken where something is wrong.
    """
    found = _found(fact, data_date, today)
    rejections = [rejection for _, rejection in found]
    if not found:
        return fact, rejections
    if not isinstance(fact, PatientFact) or fact.derived_on is not None:
        return None, rejections
    wrong = {field for field, _ in found}
    born = None if "birthdate" in wrong else fact.birthdate
    kept = replace(
        fact,
        birthdate=born,
        birthdate_estimated=fact.birthdate_estimated and born is not None,
        art_start_date=None if "art_start_date" in wrong else fact.art_start_date,
        known_at=None if "stamp" in wrong else fact.known_at,
        partial=True,
    )
    return kept, rejections


def _found(fact: Fact, data_date: date, today: date) -> _Found:
    found: _Found = []
    if fact.voided:
        # Often the very reason why the source took it back.
        return found
    check = _CHECKS.get(type(fact))
    if check is not None:
        check(fact, data_date, found)
    # A day's grace: the stamp may be written in a zone where tomorrow has begun.
    if fact.known_at is not None and fact.known_at.date() > today + timedelta(days=1):
        found.append(_bad(fact, "stamp", "the stamp lies in the future", "correct the stamp"))
    return found


def _bad(fact: Fact, field: str, problem: str, remedy: str) -> tuple[str, Rejection]:
    return field, Rejection(fact.label(field), problem, remedy)


def _past(fact: Fact, field: str, day: date | None, data_date: date, found: _Found) -> None:
    if day is not None and day > data_date:
        remedy = f"correct the date, or the data date of the import ({data_date})"
        found.append(_bad(fact, field, "the date lies after the data date", remedy))


def _patient(fact: Fact, data_date: date, found: _Found) -> None:
    if not isinstance(fact, PatientFact):
        return
    _past(fact, "birthdate", fact.birthdate, data_date, found)
    _past(fact, "art_start_date", fact.art_start_date, data_date, found)
    # An estimated birthdate is 1 January of the year: whoever starts within that year is not before birth.
    born = fact.birthdate
    if born and fact.art_start_date and fact.art_start_date < born <= data_date:
        found.append(
            _bad(fact, "art_start_date", "treatment starts before the date of birth", "correct one of the two dates")
        )


def _state(fact: Fact, data_date: date, found: _Found) -> None:
    if isinstance(fact, PatientStateFact):
        _past(fact, "start_date", fact.start_date, data_date, found)


def _visit(fact: Fact, data_date: date, found: _Found) -> None:
    if not isinstance(fact, VisitFact):
        return
    _past(fact, "date_started", fact.date_started, data_date, found)
    if fact.date_stopped is not None and fact.date_stopped < fact.date_started:
        found.append(_bad(fact, "date_stopped", "the visit ends before it begins", "correct one of the two dates"))


def _encounter(fact: Fact, data_date: date, found: _Found) -> None:
    if isinstance(fact, EncounterFact):
        _past(fact, "encounter_datetime", fact.encounter_datetime.date(), data_date, found)


def _observation(fact: Fact, data_date: date, found: _Found) -> None:
    if not isinstance(fact, ObservationFact):
        return
    _past(fact, "obs_datetime", fact.obs_datetime.date(), data_date, found)
    limits = RANGES.get(fact.variable_name)
    if limits is not None and fact.value_numeric is not None and not limits[0] <= fact.value_numeric <= limits[1]:
        problem = f"a value outside {limits[0]:g}-{limits[1]:g} {limits[2]}"
        found.append(_bad(fact, "value_numeric", problem, "correct the value or its unit"))
    codes = CODED.get(fact.variable_name)
    if codes is not None and fact.value_coded is not None and fact.value_coded not in codes:
        found.append(
            _bad(fact, "value_coded", "a code that is not known", f"map it under 'values' to one of {', '.join(codes)}")
        )


def _dispensation(fact: Fact, data_date: date, found: _Found) -> None:
    if isinstance(fact, DispensationFact):
        _past(fact, "date_dispensed", fact.date_dispensed, data_date, found)


def _appointment(fact: Fact, data_date: date, found: _Found) -> None:
    if not isinstance(fact, AppointmentFact):
        return
    _past(fact, "booked_on", fact.booked_on, data_date, found)
    if fact.due_date < fact.booked_on:
        found.append(
            _bad(fact, "due_date", "the appointment is due before it was booked", "correct one of the two dates")
        )
    if fact.status in ("kept", "missed") and fact.due_date > data_date:
        found.append(
            _bad(fact, "status", "it was kept or missed after the data date", "correct the due date or the data date")
        )


_CHECKS: dict[type[Fact], Callable[[Fact, date, _Found], None]] = {
    PatientFact: _patient,
    PatientStateFact: _state,
    VisitFact: _visit,
    EncounterFact: _encounter,
    ObservationFact: _observation,
    DispensationFact: _dispensation,
    AppointmentFact: _appointment,
}
