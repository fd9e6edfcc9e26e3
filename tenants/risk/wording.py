"""Reasons in plain words: the columns of one theme, told as one sentence, with what they add to the log-odds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isnan
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tenants.risk.feature_list import (
    EXPECTED_SOURCES,
    LATENESS_CLIP,
    LINES,
    MONTHS,
    NAMES,
    PREGNANCIES,
    REGIMENS,
    SEXES,
    THEME_OF,
    THEMES,
    WEEKDAYS,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

Row = Mapping[str, float]
_MEMBER: Final = np.array([[THEME_OF[name] == theme.name for theme in THEMES] for name in NAMES], dtype=np.float64)
_BOOKING: Final = EXPECTED_SOURCES.index("booking")
MONTH_DAYS: Final = 30.4375


def by_theme(contributions: Floats) -> Floats:
    """Contributions (n, p) of columns added up by theme (n, themes): the row sums stay the same."""
    return np.asarray(contributions @ _MEMBER, dtype=np.float64)


def raising(row: Floats, themes: Floats, most: int) -> list[dict[str, Any]]:
    """The themes that raise one person's risk most, strongest first."""
    added = themes.tolist()
    order = sorted((index for index, value in enumerate(added) if value > 0), key=lambda index: -added[index])[:most]
    values = dict(zip(NAMES, row.tolist(), strict=True)) if order else {}
    return [_told(values, index, added[index]) for index in order]


def told(row: Floats, index: int, contribution: float) -> dict[str, Any]:
    """One theme as a reason: name, words, contribution in log-odds."""
    return _told(dict(zip(NAMES, row.tolist(), strict=True)), index, contribution)


def _told(values: Row, index: int, contribution: float) -> dict[str, Any]:
    theme = THEMES[index]
    return {"theme": theme.name, "text": _WORDS[theme.name](values), "contribution": round(contribution, 6)}


def sentence(reasons: list[dict[str, Any]]) -> str:
    """Reasons in one line."""
    return "; ".join(str(reason["text"]) for reason in reasons)


def _known(value: float) -> bool:
    return not isnan(value)


def _count(number: float, what: str) -> str:
    whole = round(number)
    return f"{whole} {what}" if whole == 1 else f"{whole} {what}s"


def _occasion(row: Row) -> str:
    if row["expected_source"] == _BOOKING:
        return "appointment"
    return "refill" if _known(row["days_supplied"]) else "visit"


def _span(days: float) -> str:
    if days < 2 * MONTH_DAYS:
        return _count(days, "day")
    if days < 24 * MONTH_DAYS:
        return _count(days / MONTH_DAYS, "month")
    return _count(days / 365.25, "year")


def _lateness(row: Row) -> str:
    occasion = _occasion(row)
    late = row["days_late_last"]
    if not _known(late):
        return f"no earlier {occasion} to judge by"
    parts = [f"{_late(late)} late at the last {occasion}" if late > 0 else f"on time at the last {occasion}"]
    window = "5" if _known(row["late_0_last_5"]) else "3"
    before = row[f"late_0_last_{window}"]
    if before > (late > 0):
        parts.append(f"late at {round(before)} of the last {window}")
    elif row["days_late_max_10"] > max(late, 7):
        parts.append(f"{_late(row['days_late_max_10'])} late at worst of the last 10")
    return ", ".join(parts)


def _late(days: float) -> str:
    return f"{LATENESS_CLIP} days or more" if days >= LATENESS_CLIP else _count(days, "day")


def _interruptions(row: Row) -> str:
    if not row["interruptions"] > 0:
        return "no earlier interruption"
    text = _count(row["interruptions"], "earlier interruption")
    since = row["days_since_interruption"]
    return f"{text}, back since {_span(since)}" if _known(since) and since > 0 else text


def _timing(row: Row) -> str:
    to = row["days_to_expected"]
    when = f"expected in {_span(to)}" if to > 0 else "expected on the day"
    extra = f", {_count(row['other_pending'], 'other booking')} ahead" if row["other_pending"] > 0 else ""
    return f"{when}, {_span(row['lead_days'])} after it was set{extra}"


def _interval(row: Row) -> str:
    if not _known(row["interval_median"]):
        return "no usual interval yet"
    steady = row["interval_irregularity"]
    text = f"usually comes every {_span(row['interval_median'])}"
    if _known(steady):
        regular, irregular = 0.2, 0.5
        kind = "regularly" if steady < regular else "irregularly" if steady > irregular else "fairly regularly"
        text = f"{text}, {kind}"
    return f"{text}; now asked for {_span(row['lead_days'])}"


def _attendance(row: Row) -> str:
    if not row["contacts"] > 0:
        return "no contact so far"
    return f"{_count(row['contacts_365'], 'contact')} in the last year, {_count(row['contacts'], 'contact')} in all"


def _treatment(row: Row) -> str:
    if not _known(row["days_on_art"]):
        return "start of ART not known"
    text = f"{_span(row['days_on_art'])} on ART"
    return f"{text}, came from another facility" if row["transferred_in"] else text


def _supply(row: Row) -> str:
    parts = []
    if _known(row["days_supplied"]):
        parts.append(f"{_count(row['days_supplied'], 'day')} of ARVs given last")
    if row["regimen"]:
        parts.append(f"regimen: {REGIMENS[int(row['regimen'])]}")
    if row["regimen_line"]:
        parts.append(f"{LINES[int(row['regimen_line'])]} line")
    if row["regimen_switches"] > 0:
        parts.append(_count(row["regimen_switches"], "change") + " of regimen")
    return ", ".join(parts) or "supply and regimen not recorded"


def _viral_load(row: Row) -> str:
    if _known(row["viral_load_log10"]):
        copies = 10 ** row["viral_load_log10"]
        return f"last viral load {copies:,.0f} copies/mL, {_span(row['viral_load_age'])} ago"
    if row["viral_load_samples"] > 0:
        return f"viral load sample {_span(row['viral_load_sample_age'])} ago, no result"
    return "no viral load"


def _cd4(row: Row) -> str:
    if _known(row["cd4"]):
        return f"last CD4 {row['cd4']:.0f} cells/mm3, {_span(row['cd4_age'])} ago"
    if row["cd4_samples"] > 0:
        return f"CD4 sample {_span(row['cd4_sample_age'])} ago, no result"
    return "no CD4"


def _clinical(row: Row) -> str:
    parts = []
    if _known(row["who_stage"]):
        parts.append(f"WHO stage {row['who_stage']:.0f}")
    if _known(row["adherence"]):
        parts.append(f"adherence {('poor', 'fair', 'good')[int(row['adherence'])]}")
    if _known(row["weight_change"]):
        parts.append(f"weight {row['weight_change']:+.1f} kg")
    if row["pregnancy"] > 1:
        parts.append(PREGNANCIES[int(row["pregnancy"])])
    return ", ".join(parts) or "clinical state not recorded"


def _person(row: Row) -> str:
    age = f"{int(row['age'])} years old" if _known(row["age"]) else "age not recorded"
    return f"{age}, {SEXES[int(row['sex'])]}" if row["sex"] else age


def _facility(row: Row) -> str:
    if not _known(row["facility_rate"]):
        return "the facility's history is not known"
    return f"{row['facility_rate']:.0%} interrupted at the facility in the year before"


def _calendar(row: Row) -> str:
    return f"expected on a {WEEKDAYS[int(row['expected_weekday'])]} in {MONTHS[int(row['expected_month'])]}"


def _records(row: Row) -> str:
    return f"{round(row['not_recorded'])} of 7 facts not recorded"


_WORDS: Final[Mapping[str, Callable[[Row], str]]] = {
    "lateness": _lateness,
    "interruptions": _interruptions,
    "timing": _timing,
    "interval": _interval,
    "attendance": _attendance,
    "treatment": _treatment,
    "supply": _supply,
    "viral_load": _viral_load,
    "cd4": _cd4,
    "clinical": _clinical,
    "person": _person,
    "facility": _facility,
    "calendar": _calendar,
    "records": _records,
}
