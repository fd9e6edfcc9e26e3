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
from tenants.reports.mer import by_facility

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Self

    from tenants.cohort.calendar import Period
    from tenants.cohort.service import IndicatorReport

MOST_PROBLEMS: Final = 50
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
    elements: tuple[Element, ...] = Field(min_length=1, max_length=500)
    zeros: bool = Field(default=False, description="Send zeros too.")
    complete: bool = Field(default=False, description="Mark the data set as complete, unless counts are provisional.")


def dhis2_period(period: Period) -> str:
    """DHIS2's name of a month (202608), a calendar quarter (2026Q3) or a year.

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
    remedy = "give a month (2026-08), a quarter (2026Q3, FY26Q4) or a year"
    problem = [FieldError("period", "is no month, calendar quarter or year", remedy)]
    raise Invalid("DHIS2 has no name for this period", remedy=remedy, errors=problem)


def groupings(mapping: Dhis2Mapping) -> list[tuple[Dimension, ...]]:
    """The splits that the mapping needs, each with the facility first."""
    return list(dict.fromkeys(("facility", *element.by) for element in mapping.elements))


def data_value_set(
    mapping: Dhis2Mapping, reports: Mapping[tuple[Dimension, ...], IndicatorReport], period: Period
) -> dict[str, Any]:
    """The data value set of a period.

    Args:
        mapping: where counts go.
        reports: the indicators, by each of ``groupings(mapping)``.
        period: that they are of.

    Raises:
        Invalid: a count that is not zero has no category option combination, or the period has no name.
    """
    named = dhis2_period(period)
    problems: list[FieldError] = []
    values: list[dict[str, str]] = []
    for place, element in enumerate(mapping.elements):
        report = reports["facility", *element.by]
        for facility, combo, count in _counts(element, place, report, problems):
            if not count and not mapping.zeros:
                continue
            value = {
                "dataElement": element.dataElement,
                "period": named,
                "orgUnit": mapping.orgUnits.get(facility, facility),
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
    found: dict[str, Any] = {"period": named, "dataValues": values}
    if mapping.dataSet is not None:
        found["dataSet"] = mapping.dataSet
    if mapping.complete and not any(report.provisional or report.rebuilding for report in reports.values()):
        found["completeDate"] = period.end.isoformat()
    return found


def _counts(
    element: Element, place: int, report: IndicatorReport, problems: list[FieldError]
) -> Iterator[tuple[str, str | None, int]]:
    """DATIM id, category option combination and count of each group; groups without a place go to ``problems``."""
    sums: dict[tuple[str, str | None], int] = {}
    for group, counts in by_facility(report):
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
        sums[key] = sums.get(key, 0) + count  # groups may share a combination, as "all of 50 and older"
    for (facility, combo), total in sums.items():
        yield facility, combo, total


def _labels(group: Mapping[str, str], by: Sequence[str]) -> list[str]:
    return [group[name] for name in by]
