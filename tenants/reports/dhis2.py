"""Indicator counts as a DHIS2 data value set (the JSON that ``POST /api/dataValueSets`` takes), by a mapping.

Identifiers of data elements, category option combinations and organisation units differ in every DHIS2: the mapping
names them. A count that is not zero and that the mapping has no place for is an error, so that nothing is dropped
unseen.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.errors import FieldError, Invalid
from tenants.cohort.indicators import MEASURES
from tenants.cohort.schemas import Dimension
from tenants.reports.group_labels import nearest
from tenants.reports.mer import by_facility

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Self

    from tenants.cohort.calendar import Period
    from tenants.cohort.service import IndicatorReport

MOST_PROBLEMS: Final = 50
_FINANCIAL: Final = {4: "April", 7: "July", 10: "Oct"}
"""First month of a financial year, and how DHIS2 calls years that begin with it."""
_IDENTIFIER: Final = r"^[A-Za-z0-9_.:-]{1,230}$"

Identifier = Annotated[str, Field(pattern=_IDENTIFIER)]


class Element(BaseModel):
    """Where one measure goes.

    Attributes:
        indicator: one of ``tenants.cohort.indicators.MEASURES``.
        by: the dimensions that its category option combinations stand for; facilities are organisation units.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    indicator: str = Field(description="A measure, such as TX_CURR or TX_ML_died.", examples=["TX_CURR"])
    dataElement: Identifier = Field(description="Its data element in DHIS2.")  # noqa: N815 - DHIS2's name
    by: tuple[Dimension, ...] = Field(default=(), description="Dimensions that it is split by: sex, age, time_on_art.")
    categoryOptionCombo: Identifier | None = Field(  # noqa: N815
        default=None, description="Of a measure that is not split; DHIS2's default when left out."
    )
    categoryOptionCombos: dict[str, Identifier] = Field(  # noqa: N815
        default_factory=dict,
        max_length=2000,
        description="Of each group, by its labels in the order of `by`, joined by '|'.",
        examples=[{"F|15-19": "aBcDeFgHiJk"}],
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.indicator not in MEASURES:
            message = f"indicator: {self.indicator!r} is none; choose among {', '.join(MEASURES)}"
            raise ValueError(message)
        if "facility" in self.by:
            message = "by: facilities are organisation units (orgUnits), not categories"
            raise ValueError(message)
        if len(set(self.by)) != len(self.by):
            message = "by: a dimension is named twice"
            raise ValueError(message)
        if bool(self.by) != bool(self.categoryOptionCombos):
            message = "give categoryOptionCombos together with by, or neither"
            raise ValueError(message)
        for label in self.categoryOptionCombos:
            if (meant := nearest(label, self.by)) is not None:
                message = f"categoryOptionCombos: no group is ever called {label!r}; the nearest is {meant!r}"
                raise ValueError(message)
        return self


class Dhis2Mapping(BaseModel):
    """How counts become data values."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "example": {
                "dataSet": "qzVASYuaIey",
                "orgUnits": {"FAC1": "hZ7mJp5xUQq"},
                "elements": [{"indicator": "TX_CURR", "dataElement": "Hyvw9VnZ2ch"}],
            }
        },
    )

    dataSet: Identifier | None = Field(default=None, description="The data set.")  # noqa: N815
    attributeOptionCombo: Identifier | None = Field(  # noqa: N815
        default=None, description="On DATIM the funding mechanism."
    )
    orgUnits: dict[str, Identifier] = Field(  # noqa: N815
        default_factory=dict,
        max_length=20_000,
        description="Organisation unit by the facility's DATIM id; a facility not named here is sent by its DATIM id.",
    )
    elements: tuple[Element, ...] = Field(
        min_length=1, max_length=500, description="Which count goes to which data element."
    )
    zeros: bool = Field(
        default=False,
        description="Send 0 for every facility and every combination of the mapping that has no count: a count that was"
        " corrected to 0 stays in DHIS2 otherwise.",
    )
    complete: bool = Field(
        default=False,
        description="Mark the data set as complete, unless counts are provisional. DHIS2 takes this for one"
        " organisation unit at a time: ask for one `facility`.",
    )

    @model_validator(mode="after")
    def _completes_a_set(self) -> Self:
        if self.complete and self.dataSet is None:
            message = "complete: needs dataSet, which is what is complete"
            raise ValueError(message)
        return self


def dhis2_period(period: Period) -> str:
    """DHIS2's name of a month (202608), a calendar quarter (2026Q3), a year (2026) or a financial year (2025Oct).

    Raises:
        Invalid: the period is none of these.
    """
    start, after = period.start, period.end + timedelta(days=1)
    months = (after.year - start.year) * 12 + after.month - start.month
    whole = start.day == 1 and after.day == 1
    if whole and months == 1:
        return f"{start:%Y%m}"
    if whole and months == 3 and start.month % 3 == 1:  # noqa: PLR2004 - a quarter
        return f"{start.year}Q{(start.month + 2) // 3}"
    if whole and months == 12 and start.month == 1:  # noqa: PLR2004 - a year
        return f"{start.year}"
    if whole and months == 12 and start.month in _FINANCIAL:  # noqa: PLR2004 - a year
        return f"{start.year}{_FINANCIAL[start.month]}"
    remedy = "give a month (2026-08), a quarter (2026Q3, FY26Q4), a year (2026) or a fiscal year (FY26)"
    problem = [FieldError("period", "is no month, calendar quarter, year or fiscal year", remedy)]
    raise Invalid("DHIS2 has no name for this period", remedy=remedy, errors=problem)


def groupings(mapping: Dhis2Mapping) -> list[tuple[Dimension, ...]]:
    """The splits that the mapping needs, each with the facility first."""
    return list(dict.fromkeys(("facility", *element.by) for element in mapping.elements))


def data_value_set(
    mapping: Dhis2Mapping,
    reports: Mapping[tuple[Dimension, ...], IndicatorReport],
    period: Period,
    facilities: Sequence[str],
) -> dict[str, Any]:
    """The data value set of a period.

    Args:
        mapping: where counts go.
        reports: the indicators, by each of ``groupings(mapping)``.
        period: that they are of.
        facilities: DATIM ids of those whose counts are sent.

    Raises:
        Invalid: a count that is not zero has no category option combination, the period has no name, or a set of
            several organisation units is to be complete.
    """
    named = dhis2_period(period)
    units = {facility: mapping.orgUnits.get(facility, facility) for facility in facilities}
    completed = _completed(mapping, reports, period, units)
    problems: list[FieldError] = []
    values: list[dict[str, str]] = []
    for place, element in enumerate(mapping.elements):
        report = reports["facility", *element.by]
        for facility, combo, count in _counts(element, place, report, facilities, problems):
            if not count and not mapping.zeros:
                continue
            value = {
                "dataElement": element.dataElement,
                "period": named,
                "orgUnit": units[facility],
                "value": str(count),
            }
            if combo is not None:
                value["categoryOptionCombo"] = combo
            if mapping.attributeOptionCombo is not None:
                value["attributeOptionCombo"] = mapping.attributeOptionCombo
            values.append(value)
    if problems:
        remedy = "name each group under categoryOptionCombos of its element"
        detail = "counts have no place in the mapping"
        raise Invalid(detail, remedy=remedy, errors=problems[:MOST_PROBLEMS])
    found: dict[str, Any] = {"period": named, "dataValues": values, **completed}
    if mapping.dataSet is not None:
        found["dataSet"] = mapping.dataSet
    return found


def _completed(
    mapping: Dhis2Mapping,
    reports: Mapping[tuple[Dimension, ...], IndicatorReport],
    period: Period,
    units: Mapping[str, str],
) -> dict[str, str]:
    """The organisation unit of a set that is to be complete, and its completion date once its counts are final."""
    if not mapping.complete or not units:
        return {}
    if len(set(units.values())) > 1:
        remedy = "ask for one facility at a time, or leave 'complete' out"
        problem = f"DHIS2 completes one organisation unit at a time, and these are {len(units)}"
        raise Invalid(problem, remedy=remedy, errors=[FieldError("facility", problem, remedy)])
    found = {"orgUnit": next(iter(units.values()))}
    if not any(report.rebuilding or set(report.provisional) & set(units) for report in reports.values()):
        found["completeDate"] = period.end.isoformat()
    return found


def _counts(
    element: Element, place: int, report: IndicatorReport, facilities: Sequence[str], problems: list[FieldError]
) -> Iterator[tuple[str, str | None, int]]:
    """DATIM id, category option combination and count, zeros too; groups without a place go to ``problems``."""
    combos = dict.fromkeys(element.categoryOptionCombos.values()) if element.by else [element.categoryOptionCombo]
    sums: dict[tuple[str, str | None], int] = {(facility, combo): 0 for facility in facilities for combo in combos}
    chosen = set(facilities)
    for group, counts in by_facility(report):
        if group["facility"] not in chosen:
            continue
        count = counts[element.indicator]
        label = "|".join(_labels(group, element.by))
        combo = element.categoryOptionCombos.get(label) if element.by else element.categoryOptionCombo
        if element.by and combo is None:
            if count:
                field = f"elements.{place}.categoryOptionCombos"
                problem = f"{element.indicator} at {group['facility']} has {count} in the group {label!r}"
                problems.append(FieldError(field, problem, f"add {label!r}"))
            continue
        key = (group["facility"], combo)
        sums[key] += count  # groups may share a combination, as "all of 50 and older"
    for (facility, combo), total in sums.items():
        yield facility, combo, total


def _labels(group: Mapping[str, str], by: Sequence[str]) -> list[str]:
    return [group[name] for name in by]
