"""Quantities, supplies and concepts of FHIR resources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tenants.imports.formats.records import BadFieldError, text
from tenants.imports.reading import values
from tenants.imports.reading.values import BadValueError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tenants.imports.formats.records import Fields

_UNITS: dict[str, dict[str, float]] = {
    "weight": {"g": 0.001, "[lb_av]": 0.45359237, "lb": 0.45359237},
    "height": {"m": 100.0, "[in_i]": 2.54, "in": 2.54},
    "cd4": {"10*9/l": 1000.0, "10^9/l": 1000.0, "10*3/ul": 1000.0, "10^3/ul": 1000.0},
}
"""Factors to the platform's units (kg, cm, cells/mm3), by UCUM code or unit in lower case."""
_DAYS = {"d": 1.0, "day": 1.0, "days": 1.0, "wk": 7.0, "week": 7.0, "weeks": 7.0, "mo": 30.0, "month": 30.0}
_DAYS |= {"months": 30.0, "a": 365.0, "year": 365.0, "years": 365.0}
_PERIODS = {"h": 1 / 24, "d": 1.0, "wk": 7.0, "mo": 30.0}
_SUPPLIED = ("whenHandedOver", "whenPrepared")


def display_text(concept: object) -> str | None:
    """The display text of a CodeableConcept (or the first of several, or a Coding), if it can be stored."""
    if isinstance(concept, list):
        concept = concept[0] if concept else None
    if not isinstance(concept, dict):
        return None
    coding = concept.get("coding")
    codings = [item for item in coding if isinstance(item, dict)] if isinstance(coding, list) else []
    candidates = [concept.get("text"), *(item.get("display") for item in codings), concept.get("display")]
    for label in [*candidates, *(item.get("code") for item in codings), concept.get("code")]:
        if isinstance(label, str) and label.strip():
            try:
                return text(label)
            except BadValueError:
                continue
    return None


def measure(variable: str, quantity: object) -> tuple[float | None, str | None, str | None]:
    """Return a Quantity as a number in the platform's unit, its ``<`` or ``>``, and its unit.

    Raises:
        BadValueError: the value is not a number.
    """
    if not isinstance(quantity, dict):
        problem = "not a quantity"
        raise BadValueError(problem, "give value and unit")
    unit = quantity.get("code") if isinstance(quantity.get("code"), str) else quantity.get("unit")
    unit = text(unit) if isinstance(unit, str) else None
    value = quantity.get("value")
    if value is None:
        return None, None, unit
    number = values.number(value)
    folded = (unit or "").casefold()
    if variable == "viral_load" and "log" in folded:
        if not -5 <= number <= 15:  # noqa: PLR2004 - 10^15 copies/mL is not a measurement
            problem = "not a plausible logarithm (base 10)"
            raise BadValueError(problem, "check the unit: log10 copies/mL or copies/mL")
        number, unit = float(10.0**number), "copies/mL"
    elif (factor := _UNITS.get(variable, {}).get(folded)) is not None:
        number, unit = number * factor, {"weight": "kg", "height": "cm", "cd4": "cells/mm3"}[variable]
    comparator = quantity.get("comparator")
    return number, comparator[0] if comparator in ("<", "<=", ">", ">=") else None, unit


def supplied_by(fields: Fields) -> str:
    """Return the name of the field with the day of handing over the drugs, or else of preparing them.

    Raises:
        BadFieldError: neither is there.
    """
    name, value = fields.raw(*_SUPPLIED)
    if value is None:
        raise fields.bad("whenHandedOver", "the date is missing", "fill it in")
    return name


def days_supplied(fields: Fields) -> int | None:
    """Days of treatment: the given supply, else the quantity divided by the daily dose if both are numbers.

    Raises:
        BadFieldError: the given supply is not a plausible number of days.
    """
    supply = fields.record("daysSupply")
    name, value = supply.raw("value")
    if value is not None:
        unit = supply.raw("code", "unit")[1]
        factor = _DAYS.get(unit.casefold().replace("(s)", "").strip(" {}"), 0.0) if isinstance(unit, str) else 1.0
        if not factor:
            raise supply.bad("unit", "an unknown unit of time", "write one of: d, wk, mo")
        try:
            supplied = values.number(value) * factor
            return values.days(supplied if factor == 1 else round(supplied), "days")
        except BadValueError as wrong:
            raise supply.bad(name, wrong.problem, wrong.remedy) from wrong
    dose = _daily_dose(fields)
    quantity = _number(fields.record("quantity").raw("value")[1])
    if not dose or quantity is None:
        return None
    try:
        return values.days(quantity // dose, "days")
    except BadValueError:
        return None


def _daily_dose(fields: Fields) -> float | None:
    """Units per day in the first dosage instruction, if they are numbers."""
    dosage = next((item for _, item in fields.each("dosageInstruction", [])), None)
    if dosage is None:
        return None
    repeat = dosage.record("timing").record("repeat")
    amount = next((item for _, item in dosage.each("doseAndRate", [])), dosage)
    dose = _number(amount.record("doseQuantity").raw("value")[1])
    frequency, period = _number(repeat.raw("frequency")[1]), _number(repeat.raw("period")[1])
    unit: Any = repeat.raw("periodUnit")[1]
    days = (period or 0.0) * _PERIODS.get(unit, 0.0) if isinstance(unit, str) else 0.0
    return dose * frequency / days if dose and frequency and days else None


def _number(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < 1e6:  # noqa: PLR2004 - tablets
        return None
    return float(value)


def whole_moment(fields: Fields, name: str, read: Callable[[str], datetime]) -> datetime:
    """Return a date that has a day: FHIR allows a year or a month alone, which is not a day of care.

    Raises:
        BadFieldError: the day is missing, or it is no date.
    """
    try:
        return read(name)
    except BadFieldError as error:
        value = fields.raw(name)[1]
        if isinstance(value, str) and len(value) in (4, 7) and value[:4].isdecimal():
            raise fields.bad(name, "a year or month without the day", "give the whole date") from error
        raise
