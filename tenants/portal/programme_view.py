"""Collect the content of the programme's page, from the services that the API calls."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import numpy as np
from markupsafe import Markup

from core.web.texts import gettext as _
from core.web.texts import shown_number
from tenants.cohort import radet_repository, repository, service
from tenants.cohort.calendar import Period, name_of, period_of, preceding, quarter_of
from tenants.cohort.indicators import IN_TERMS, LISTED, MEASURES, OUT_TERMS
from tenants.cohort.selection import AGES, SEXES, Selection, selection_of
from tenants.cohort.so_far import data_date, last_ended
from tenants.portal import programme_words as words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from core.database import TenantSession
    from tenants.cohort.repository import FacilityRow

PERIODS: Final = 6
_QUARTERS, _MONTHS = 8, 12
_GROUPS: Final = ("facility", "sex", "age")
Counts = Counter[str]


@dataclass(frozen=True, slots=True)
class View:
    """The part of the programme that an address names; empty texts select everything."""

    period: str = ""
    facility: str = ""
    sex: str = ""
    age: str = ""
    show: str = "TX_ML"

    def address(self, path: str = "/programme", **changes: object) -> str:
        """The address of the view, with changes."""
        values = {"period": self.period, "facility": self.facility, "sex": self.sex, "age": self.age, "show": self.show}
        shown = {name: value for name, value in (values | changes).items() if value not in ("", None, 1)}
        return f"{path}?{urlencode(shown)}"

    def selection(self, facilities: Sequence[FacilityRow]) -> Selection:
        """The selected people.

        Raises:
            Invalid: a label is unknown.
        """
        return selection_of(
            self.facility or None, self.sex or None, self.age or None, [row.datim_id for row in facilities]
        )

    @property
    def narrowed(self) -> bool:
        """Whether a filter selects a part of the people."""
        return bool(self.facility or self.sex or self.age)


@dataclass(frozen=True, slots=True)
class Stat:
    """One of the numbers at the top of the page."""

    number: str
    label: str
    note: str
    href: str | None


@dataclass(frozen=True, slots=True)
class Programme:
    """The page of a period; texts and rows are ready to show.

    Attributes:
        clinics: rows of the table by clinic.
        ages: rows of the shown indicator by age and sex, with the columns ``age_columns``.
        trend: points of the shown indicator: label, value, text; ``top`` is the value at the top of the chart.
        covered_to: the day to which the counts run: the end of the period, or the data date if that is earlier.
        complete: the number of clinics whose records are complete through that day.
        list_day: the day of the partner's newest list of statuses; None where there is none.
    """

    period: Period
    previous: Period
    coverage: service.Coverage
    stats: Sequence[Stat]
    clinics: Sequence[Mapping[str, Any]]
    ages: Sequence[Mapping[str, Any]]
    age_columns: Sequence[tuple[str, str, bool]]
    trend: Sequence[tuple[str, float, str]]
    history: Sequence[Mapping[str, Any]]
    top: float
    parts: Sequence[tuple[str, Any]]
    flows: Sequence[tuple[str, Any]]
    covered_to: date
    complete: int
    list_day: date | None


class Opener:
    """Makes numbers that open the list behind them, for readers who may see it."""

    def __init__(self, view: View, *, may_open: bool) -> None:
        self._view = view
        self._may_open = may_open

    def address(self, indicator: str, **labels: str) -> str | None:
        """The address of the people behind a count."""
        if not self._may_open or indicator not in LISTED:
            return None
        return replace(self._view, **labels).address("/programme/people", show=indicator)

    def number(self, indicator: str, count: int, text: str | None = None, **labels: str) -> str:
        """A count, as a link where it has people."""
        shown, href = text or shown_number(count), self.address(indicator, **labels)
        return Markup('<a href="{}">{}</a>').format(href, shown) if href and count else shown


def read_programme(session: TenantSession, view: View, *, may_open: bool) -> tuple[View, Programme | None]:
    """The view with its period, and its page; no page before the first facility.

    Raises:
        Invalid: the address names an unknown period or group.
    """
    facilities = repository.facilities(session)
    if not facilities:
        return view, None
    selection = view.selection(facilities)
    period = period_of(view.period) if view.period else default_period(session)
    view = replace(view, period=name_of(period))
    periods = preceding(period, PERIODS)
    report, counted = service.indicators_over_time(session, periods, _GROUPS, selection)
    trend = [Counter(counts) for counts in counted]
    opener = Opener(view, may_open=may_open)
    lists = radet_repository.listed_days(session)
    sexes = [sex for sex in SEXES if any(group["sex"] == sex for group, _counts in report.rows)]
    values = [_plotted(view.show, counts) for counts in trend]
    return view, Programme(
        period=period,
        previous=periods[-2],
        coverage=report,
        stats=_stats(opener, trend[-1], trend[-2]),
        clinics=_clinics(opener, view, report.rows, facilities),
        ages=_ages(opener, view.show, report.rows, sexes),
        age_columns=[
            ("age", _("Age in years"), False),
            *((sex, words.label_of(sex), True) for sex in sexes),
            ("total", _("All"), True),
        ],
        trend=[
            (words.month_label(min(each.end, report.as_of)), value, words.value_of(view.show, counts))
            for each, value, counts in zip(periods, values, trend, strict=True)
        ],
        history=_history(view, periods, trend, report.as_of, may_open=may_open),
        top=_scale(max(values)),
        parts=_parts(opener, view.show, trend[-1]),
        flows=_flows(opener, trend[-1], words.at_end(period, report.as_of)),
        covered_to=report.as_of,
        complete=sum(
            row.complete_through is not None and row.complete_through >= report.as_of
            for row in facilities
            if selection.facility in (None, row.datim_id)
        ),
        list_day=lists[0].data_date if lists else None,
    )


def default_period(session: TenantSession) -> Period:
    """The latest quarter that the records cover to its end."""
    until = data_date(session)
    return last_ended(quarter_of(until), until)


def period_choices(until: date) -> list[tuple[str, str]]:
    """The periods to choose from, to the data date: quarters, then months, the latest first."""
    quarters = preceding(quarter_of(until), _QUARTERS)[::-1]
    months = preceding(period_of(f"{until:%Y-%m}"), _MONTHS)[::-1]
    return [(name_of(period), words.period_choice(period, until)) for period in (*quarters, *months)]


def newest_periods(session: TenantSession) -> list[tuple[str, str]]:
    """The latest quarter that the records cover, then the one that they reach so far, if they end within it."""
    until = data_date(session)
    current = quarter_of(until)
    shown = dict.fromkeys((last_ended(current, until), current))
    return [(name_of(period), words.period_title(period, until)) for period in shown]


def clinic_choices(facilities: Iterable[FacilityRow]) -> list[tuple[str, str]]:
    """The clinics to choose from, by name."""
    named = sorted((row.name, row.datim_id) for row in facilities)
    return [("", _("All clinics")), *((datim_id, name) for name, datim_id in named)]


def group_choices() -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The sexes and the age bands to choose from."""
    sexes = [("", _("All")), *((sex, words.label_of(sex)) for sex in SEXES)]
    return sexes, [("", _("All")), *((age, words.label_of(age)) for age in AGES)]


def _stats(opener: Opener, now: Counts, before: Counts) -> list[Stat]:
    was = {name: _("was {number}").format(number=words.value_of(name, before)) for name in words.HEADLINES}
    notes = {
        **was,
        "TX_CURR": _("{change} on the period before").format(change=words.signed(now["TX_CURR"] - before["TX_CURR"])),
        "TX_ML": _("{share}, was {before}").format(share=words.left_share(now), before=words.left_share(before)),
        words.PVLS: _("{part} of {whole} with a result").format(
            part=shown_number(now["TX_PVLS_N"]), whole=shown_number(now["TX_PVLS_D"])
        ),
    }
    return [
        Stat(
            number=words.value_of(name, now),
            label=_("{words} ({code})").format(words=_(text), code=name),
            note=notes[name],
            href=opener.address(_counted(name)) if now[_counted(name)] else None,
        )
        for name, text in words.HEADLINES.items()
    ]


def _counted(indicator: str) -> str:
    """The count whose people an indicator's number opens."""
    return "TX_PVLS_D" if indicator == words.PVLS else indicator


def _plotted(indicator: str, counts: Counts) -> float:
    if indicator == words.PVLS:
        return 100 * counts["TX_PVLS_N"] / counts["TX_PVLS_D"] if counts["TX_PVLS_D"] else 0.0
    return float(counts[indicator])


def _scale(most: float) -> float:
    """A round number that is not below ``most``."""
    step = 10 ** max(0, len(str(int(most))) - 1)
    return float(next(step * factor for factor in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if step * factor >= most))


def _grouped(rows: Sequence[tuple[Mapping[str, str], Mapping[str, int]]], *names: str) -> dict[tuple[str, ...], Counts]:
    """The counts summed by some of the labels."""
    places: dict[tuple[str, ...], int] = {}
    owners = [places.setdefault(tuple(group[name] for name in names), len(places)) for group, _counts in rows]
    sums = np.zeros((len(places), len(MEASURES)), dtype=np.int64)
    if rows:
        np.add.at(sums, owners, np.array([[counts[name] for name in MEASURES] for _group, counts in rows]))
    return {key: Counter(dict(zip(MEASURES, sums[place].tolist(), strict=True))) for key, place in places.items()}


def _clinics(
    opener: Opener,
    view: View,
    rows: Sequence[tuple[Mapping[str, str], Mapping[str, int]]],
    facilities: Sequence[FacilityRow],
) -> list[dict[str, Any]]:
    names = {row.datim_id: row.name for row in facilities}
    table = []
    for (datim_id,), counts in _grouped(rows, "facility").items():
        clinic = Markup('<a href="{}">{}</a>').format(view.address(facility=datim_id), names[datim_id])
        numbers = {
            name: opener.number(_counted(name), counts[_counted(name)], words.value_of(name, counts), facility=datim_id)
            for name in words.HEADLINES
        }
        table.append(
            {
                "clinic": clinic,
                **numbers,
                "share": words.left_share(counts),
                "order": (-counts["TX_ML"], names[datim_id]),
            }
        )
    return sorted(table, key=lambda row: row["order"])


def _ages(
    opener: Opener,
    indicator: str,
    rows: Sequence[tuple[Mapping[str, str], Mapping[str, int]]],
    sexes: Sequence[str],
) -> list[dict[str, Any]]:
    counted, table = _counted(indicator), []
    sums = _grouped(rows, "age", "sex")
    for age in AGES:
        cells = {sex: sums.get((age, sex), Counter()) for sex in sexes}
        total = sum(cells.values(), Counter())
        if total[counted]:
            numbers = {
                sex: opener.number(counted, counts[counted], _cell(indicator, counts), age=age, sex=sex)
                for sex, counts in cells.items()
            }
            everybody = opener.number(counted, total[counted], _cell(indicator, total), age=age)
            table.append({"age": words.label_of(age), **numbers, "total": everybody})
    return table


def _cell(indicator: str, counts: Counts) -> str:
    if indicator == words.PVLS and counts["TX_PVLS_D"]:
        return _("{part} of {whole}").format(
            part=shown_number(counts["TX_PVLS_N"]), whole=shown_number(counts["TX_PVLS_D"])
        )
    return shown_number(counts[_counted(indicator)])


def _history(
    view: View,
    periods: Sequence[Period],
    trend: Sequence[Counts],
    as_of: date,
    *,
    may_open: bool,
) -> list[dict[str, Any]]:
    table = []
    for period, counts in zip(reversed(periods), reversed(trend), strict=True):
        opener = Opener(replace(view, period=name_of(period)), may_open=may_open)
        title = words.period_title(period, as_of)
        name = Markup('<a href="{}">{}</a>').format(view.address(period=name_of(period)), title)
        counted = _counted(view.show)
        table.append(
            {"period": name, "value": opener.number(counted, counts[counted], words.value_of(view.show, counts))}
        )
    return table


def _parts(opener: Opener, indicator: str, counts: Counts) -> list[tuple[str, Any]]:
    """The parts of an indicator; empty if it has none."""
    names = {"TX_ML": words.LEFT_AS, "TX_RTT": words.AWAY_FOR, words.PVLS: words.TESTED}.get(indicator, ())
    values = Counter({**counts, "TX_PVLS_not_suppressed": counts["TX_PVLS_D"] - counts["TX_PVLS_N"]})
    return [(_(words.COUNTS[name]), opener.number(name, values[name])) for name in names if values[name]]


def _flows(opener: Opener, counts: Counts, end: str) -> list[tuple[str, Any]]:
    """How TX_CURR at the start became TX_CURR at the end, term by term, without those that are zero."""
    rows = [(_(words.COUNTS["TX_CURR_start"]), opener.number("TX_CURR_start", counts["TX_CURR_start"]))]
    for terms, sign in ((IN_TERMS, 1), (OUT_TERMS, -1)):
        rows += [
            (_(words.COUNTS[name]), opener.number(name, counts[name], words.signed(sign * counts[name])))
            for name in terms
            if counts[name]
        ]
    return [*rows, (end, opener.number("TX_CURR", counts["TX_CURR"]))]
