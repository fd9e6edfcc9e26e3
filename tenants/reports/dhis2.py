"""Indicator counts as a DHIS2 data value set (the body of ``POST /api/dataValueSets``), by a mapping.

Identifiers of data elements, category option combinations and organisation units differ in every DHIS2, so the mapping
names them. A count above zero without a place in the mapping is an error: nothing is dropped silently.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.errors import FieldError, Invalid, phrase
from tenants.cohort.calendar import name_of
from tenants.cohort.indicators import MEASURES
from tenants.cohort.schemas import Dimension
from tenants.cohort.so_far import last_ended
from tenants.reports.group_labels import nearest
from tenants.reports.mer import by_facility

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date
    from typing import Self

    from tenants.cohort.calendar import Period
    from tenants.cohort.service import IndicatorReport

MOST_PROBLEMS: Final = 50
_FINANCIAL: Final = {4: "April", 7: "July", 10: "Oct"}
"""First month of a financial year -> DHIS2's name for such years."""
_IDENTIFIER: Final = r"^[A-Za-z0-9_.:-]{1,230}$"

Identifier = Annotated[str, Field(pattern=_IDENTIFIER)]


class Element(BaseModel):
    """The place of one measure in DHIS2.

    Attributes:
        indicator: one of ``tenants.cohort.indicators.MEASURES``.
        by: the dimensions of its category option combinations; facilities are organisation units.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    indicator: str = Field(description="A measure, such as TX_CURR or TX_ML_died.", examples=["TX_CURR"])
    dataElement: Identifier = Field(description="Its data element in DHIS2.")  # noqa: N815 - DHIS2's name
    by: tuple[Dimension, ...] = Field(default=(), description="Dimensions that split it: sex, age, time_on_art.")
    categoryOptionCombo: Identifier | None = Field(  # noqa: N815
        default=None, description="The combination of a measure without a split. Default: DHIS2's default."
    )
    categoryOptionCombos: dict[str, Identifier] = Field(  # noqa: N815
        default_factory=dict,
        max_length=2000,
        description="The combination of each group, by its labels in the order of `by`, joined by '|'.",
        examples=[{"F|15-19": "aBcDeFgHiJk"}],
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.indicator not in MEASURES:
            message = f"indicator: {self.indicator!r} is not a measure; choose among {', '.join(MEASURES)}"
            raise ValueError(message)
        if "facility" in self.by:
            message = "by: facilities are organisation units (orgUnits), not categories"
            raise ValueError(message)
        if len(set(self.by)) != len(self.by):
            message = "by: a dimension appears twice"
            raise ValueError(message)
        if bool(self.by) != bool(self.categoryOptionCombos):
            message = "give categoryOptionCombos together with by, or neither"
            raise ValueError(message)
        for label in self.categoryOptionCombos:
            if (nearest_label := nearest(label, self.by)) is not None:
                message = f"categoryOptionCombos: no group has the label {label!r}; the nearest is {nearest_label!r}"
                raise ValueError(message)
        return self


class Dhis2Mapping(BaseModel):
    """The mapping of counts to data values."""

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
        description="DATIM id of a facility -> organisation unit. A facility not named here is sent by its DATIM id.",
    )
    elements: tuple[Element, ...] = Field(
        min_length=1, max_length=500, description="The measures to send, each with its data element."
    )
    zeros: bool = Field(
        default=False,
        description="Send 0 for every facility and every combination of the mapping without a count. Otherwise a count"
        " that was corrected to 0 stays in DHIS2.",
    )
    complete: bool = Field(
        default=False,
        description="Mark the data set as complete, unless counts are provisional. DHIS2 completes one organisation"
        " unit at a time: ask for one `facility`.",
    )

    @model_validator(mode="after")
    def _completes_a_set(self) -> Self:
        if self.complete and self.dataSet is None:
            message = "complete: needs dataSet, the data set to complete"
            raise ValueError(message)
        return self


def dhis2_period(period: Period) -> str:
    """DHIS2's name of a month (202608), a calendar quarter (2026Q3), a year (2026) or a financial year (2025Oct).

    Raises:
        Invalid: the period is none of these.
    """
    start, after = period.start, period.end + timedelta(days=1)
    months = (after.year - start.year) * 12 + after.month - start.month
    is_whole_months = start.day == 1 and after.day == 1
    if is_whole_months and months == 1:
        return f"{start:%Y%m}"
    if is_whole_months and months == 3 and start.month % 3 == 1:  # noqa: PLR2004 - a quarter
        return f"{start.year}Q{(start.month + 2) // 3}"
    if is_whole_months and months == 12 and start.month == 1:  # noqa: PLR2004 - a year
        return f"{start.year}"
    if is_whole_months and months == 12 and start.month in _FINANCIAL:  # noqa: PLR2004 - a year
        return f"{start.year}{_FINANCIAL[start.month]}"
    remedy = "give a month (2026-08), a quarter (2026Q3, FY26Q4), a year (2026) or a fiscal year (FY26)"
    problem = [FieldError("period", "is not a month, calendar quarter, year or fiscal year", remedy)]
    raise Invalid("DHIS2 has no name for this period", remedy=remedy, errors=problem)


def check_covered(period: Period, as_of: date) -> None:
    """Check that the records cover a period to its end. DHIS2 has no mark for values that are not final.

    Args:
        period: the period.
        as_of: the day to which its counts run.

    Raises:
        Invalid: they run to a day before the end.
    """
    if as_of >= period.end:
        return
    problem = phrase(
        "the period runs until {end}, and the records until {day}: its values are not final",
        end=period.end,
        day=as_of,
    )
    remedy = phrase(
        "ask for a period that has ended, such as {period}, or import records up to {end} first",
        period=name_of(last_ended(period, as_of)),
        end=period.end,
    )
    raise Invalid(problem, remedy=remedy, errors=[FieldError("period", problem, remedy)])


def groupings(mapping: Dhis2Mapping) -> list[tuple[Dimension, ...]]:
    """The splits that the mapping needs, each with the facility as the first dimension."""
    return list(dict.fromkeys(("facility", *element.by) for element in mapping.elements))


def data_value_set(
    mapping: Dhis2Mapping,
    reports: Mapping[tuple[Dimension, ...], IndicatorReport],
    period: Period,
    facilities: Sequence[str],
) -> dict[str, Any]:
    """Return the data value set of a period.

    Args:
        mapping: the mapping of counts.
        reports: the indicators, by each of ``groupings(mapping)``.
        period: the period of the reports.
        facilities: DATIM ids of the facilities to send.

    Raises:
        Invalid: a count above zero has no category option combination, the period has no name, or a set of several
            organisation units cannot be complete.
    """
    period_name = dhis2_period(period)
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
                "period": period_name,
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
    value_set: dict[str, Any] = {"period": period_name, "dataValues": values, **completed}
    if mapping.dataSet is not None:
        value_set["dataSet"] = mapping.dataSet
    return value_set


def _completed(
    mapping: Dhis2Mapping,
    reports: Mapping[tuple[Dimension, ...], IndicatorReport],
    period: Period,
    units: Mapping[str, str],
) -> dict[str, str]:
    """The organisation unit of a set to complete, and its completion date if its counts are final."""
    if not mapping.complete or not units:
        return {}
    if len(set(units.values())) > 1:
        remedy = "ask for one facility at a time, or leave 'complete' out"
        problem = phrase(
            "DHIS2 completes one organisation unit at a time, and this set has {number}", number=len(units)
        )
        raise Invalid(problem, remedy=remedy, errors=[FieldError("facility", problem, remedy)])
    fields = {"orgUnit": next(iter(units.values()))}
    if not any(report.rebuilding or set(report.provisional) & set(units) for report in reports.values()):
        fields["completeDate"] = period.end.isoformat()
    return fields


def _counts(
    element: Element, place: int, report: IndicatorReport, facilities: Sequence[str], problems: list[FieldError]
) -> Iterator[tuple[str, str | None, int]]:
    """DATIM id, category option combination and count, also of zero; groups without a place go to ``problems``."""
    combos = dict.fromkeys(element.categoryOptionCombos.values()) if element.by else [element.categoryOptionCombo]
    sums: dict[tuple[str, str | None], int] = {(facility, combo): 0 for facility in facilities for combo in combos}
    facility_ids = set(facilities)
    for group, counts in by_facility(report):
        if group["facility"] not in facility_ids:
            continue
        count = counts[element.indicator]
        label = "|".join(_labels(group, element.by))
        combo = element.categoryOptionCombos.get(label) if element.by else element.categoryOptionCombo
        if element.by and combo is None:
            if count:
                field = f"mapping.elements.{place}.categoryOptionCombos"
                problem = phrase(
                    "{indicator} at {facility} has {number} in the group {label!r}",
                    indicator=element.indicator,
                    facility=group["facility"],
                    number=count,
                    label=label,
                )
                problems.append(FieldError(field, problem, phrase("add {label!r}", label=label)))
            continue
        key = (group["facility"], combo)
        sums[key] += count  # several groups may share a combination, such as "all of 50 and older"
    for (facility, combo), total in sums.items():
        yield facility, combo, total


def _labels(group: Mapping[str, str], by: Sequence[str]) -> list[str]:
    return [group[name] for name in by]
