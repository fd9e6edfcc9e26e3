"""What the declared meters add to the terms of a plan and demand of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from billing.terms import MeterTerms, Overrides, PlanTerms
from core.errors import FieldError, Invalid, phrase
from core.metering import meters

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def checked_terms(terms: Mapping[str, Any] | PlanTerms) -> PlanTerms:
    """Return the terms of a new version. A meter without an aggregation gets its own.

    Raises:
        Invalid: the terms are not valid, or do not fit the meters.
    """
    checked = complete_terms(terms if isinstance(terms, PlanTerms) else _parsed(terms))
    check_meters([*checked.meters, *(meter for add_on in checked.add_ons.values() for meter in add_on.meters)])
    return checked


def complete_terms(terms: PlanTerms) -> PlanTerms:
    """Return terms with the meter's own aggregation where they name none. Stored versions name all of them."""
    add_ons = {
        code: each.model_copy(update={"meters": tuple(map(_complete, each.meters))})
        for code, each in terms.add_ons.items()
    }
    return terms.model_copy(update={"meters": tuple(map(_complete, terms.meters)), "add_ons": add_ons})


def complete_overrides(overrides: Overrides, present: PlanTerms) -> Overrides:
    """Return overrides with the meter's own aggregation for each meter that they add to the present terms."""
    charged = {each.meter for each in present.meters}
    changes = {
        name: change.model_copy(update={"aggregation": meters()[name].aggregation})
        if change.aggregation is None and name not in charged and name in meters()
        else change
        for name, change in overrides.meters.items()
    }
    return overrides.model_copy(update={"meters": changes}) if changes else overrides


def check_meters(terms: Sequence[MeterTerms]) -> None:
    """Check that the terms fit the meters that rooms declare.

    Raises:
        Invalid: some do not.
    """
    errors = [FieldError(f"meters.{each.meter}", problem) for each in terms if (problem := _problem_of(each))]
    if errors:
        detail = "the terms of the plan are not valid"
        raise Invalid(detail, errors=errors)


def _complete(terms: MeterTerms) -> MeterTerms:
    meter = meters().get(terms.meter)
    if meter is None or "aggregation" in terms.model_fields_set:
        return terms
    return terms.model_copy(update={"aggregation": meter.aggregation})


def _problem_of(terms: MeterTerms) -> str:
    """Return what is wrong with the meter of the terms, or an empty text."""
    meter = meters().get(terms.meter)
    if meter is None:
        return phrase("no feature declares the meter; there are {meters}", meters=", ".join(sorted(meters())))
    dimension = terms.aggregation.removeprefix("unique:")
    if dimension != terms.aggregation and dimension not in meter.dimensions:
        return phrase("the meter has no dimension {dimension}", dimension=dimension)
    if terms.aggregation == "latest" and not meter.gauge:
        return phrase("the meter counts uses, and only measurements have a latest value")
    if terms.aggregation == "max" and not meter.gauge:
        # a counter-entry takes a use off again, but not off the largest value
        return phrase("the meter counts uses, which can be corrected, and only measurements have a largest value")
    return ""


def _parsed(terms: Mapping[str, Any]) -> PlanTerms:
    try:
        return PlanTerms.model_validate(terms)
    except ValidationError as error:
        problems = [
            FieldError(".".join(str(part) for part in each["loc"]) or "terms", each["msg"]) for each in error.errors()
        ]
        detail = "the terms of the plan are not valid"
        raise Invalid(detail, errors=problems) from error
