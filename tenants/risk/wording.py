"""Reasons in plain words: one sentence per theme, with its contribution to the log-odds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isnan
from typing import TYPE_CHECKING, Any, Final

from tenants.risk.input_list import (
    EXPECTED_SOURCES,
    LATENESS_CLIP,
    LINES,
    MONTHS,
    NAMES,
    PREGNANCIES,
    REGIMENS,
    SEXES,
    THEMES,
    WEEKDAYS,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

Row = Mapping[str, float]
_BOOKING: Final = EXPECTED_SOURCES.index("booking")
MONTH_DAYS: Final = 30.4375
LEAST: Final = 0.1
"""The least log-odds of a reason: a smaller contribution changes the odds by less than a tenth."""
NOTHING: Final = "no single reason stands out"
SUPPRESSED_LOG10: Final = 3.0
"""A viral load below 1,000 copies/mL."""
LOW_CD4, GOOD_CD4 = 200, 350
ADVANCED_STAGE: Final = 3
REGULAR, IRREGULAR = 0.2, 0.5
EARLIER_LATE: Final = 7
"""The least days late at one of the last ten contacts that a sentence mentions."""
ADHERENCES: Final = ("poor", "fair", "good")


def raising(row: Floats, themes: Floats, most: int) -> list[dict[str, Any]]:
    """Return the themes that raise one person's risk most, strongest first.

    It leaves out contributions below :data:`LEAST`, and sentences that contradict themselves, such as "no earlier
    interruption" as a reason for a high risk. Models find such effects, but to readers they look wrong.
    """
    contributions = themes.tolist()
    order = sorted(
        (index for index, value in enumerate(contributions) if value >= LEAST), key=lambda index: -contributions[index]
    )
    values = _values(row) if order else {}
    shown_themes = [index for index in order if _reads(values, index) >= 0]
    return [_reason_of(values, index, contributions[index]) for index in shown_themes[:most]]


def changing(row: Floats, themes: Floats) -> list[dict[str, Any]]:
    """The themes that change one person's risk in either direction, strongest first; left out as in :func:`raising`."""
    values = _values(row)
    contributions = themes.tolist()
    order = sorted(
        (i for i, value in enumerate(contributions) if abs(value) >= LEAST),
        key=lambda index: -abs(contributions[index]),
    )
    return [
        _reason_of(values, index, contributions[index])
        for index in order
        if _reads(values, index) * contributions[index] >= 0
    ]


def summary(risk: float, usual: float | None, reasons: Sequence[Mapping[str, Any]]) -> str:
    """One line with the risk beside the usual one, and why.

    Args:
        risk: the person's risk.
        usual: the model's risk of an average person; None where unknown.
        reasons: the reasons that change the risk, strongest first.
    """
    raised = sentence([reason for reason in reasons if reason["contribution"] > 0])
    lowered = sentence([reason for reason in reasons if reason["contribution"] < 0])
    if usual is None:
        return raised or NOTHING
    if f"{risk:.0%}" == f"{usual:.0%}":
        text = f"about the usual risk of {usual:.0%}"
        return f"{text}, though raised by: {raised}" if raised else text
    if risk > usual:
        return raised or f"above the usual risk of {usual:.0%}: {NOTHING}"
    text = f"below the usual risk of {usual:.0%}"
    if lowered:
        return f"{text}: {lowered}"
    return f"{text}, though raised by: {raised}" if raised else text


def strongest(reasons: Sequence[Mapping[str, Any]], most: int = 3) -> list[Mapping[str, Any]]:
    """The strongest reasons in each direction."""
    up = [reason for reason in reasons if reason["contribution"] > 0]
    down = [reason for reason in reasons if reason["contribution"] < 0]
    return [*up[:most], *down[:most]]


def _reason_of(values: Row, index: int, contribution: float) -> dict[str, Any]:
    theme = THEMES[index]
    return {"theme": theme.name, "text": _WORDS[theme.name](values), "contribution": round(contribution, 6)}


def _values(row: Floats) -> Row:
    """The values of the features of today, which are the first columns of the matrix, by name."""
    return dict(zip(NAMES, row[: len(NAMES)].tolist(), strict=True))


def _reads(values: Row, index: int) -> int:
    """Whether a reader takes the sentence of a theme as bad news (1), good news (-1) or neither (0)."""
    reading = _READINGS.get(THEMES[index].name)
    return 0 if reading is None else reading(values)


def sentence(reasons: Sequence[Mapping[str, Any]]) -> str:
    """The reasons in one line."""
    return "; ".join(str(reason["text"]) for reason in reasons)


def _is_known(value: float) -> bool:
    return not isnan(value)


def _count(number: float, what: str) -> str:
    rounded = round(number)
    return f"{rounded} {what}" if rounded == 1 else f"{rounded} {what}s"


def _occasion(row: Row) -> str:
    if row["expected_source"] == _BOOKING:
        return "appointment"
    return "refill" if _is_known(row["days_supplied"]) else "visit"


def _span(days: float) -> str:
    if days < 2 * MONTH_DAYS:
        return _count(days, "day")
    if days < 24 * MONTH_DAYS:
        return _count(days / MONTH_DAYS, "month")
    return _count(days / 365.25, "year")


def _lateness(row: Row) -> str:
    occasion = _occasion(row)
    late = row["days_late_last"]
    if not _is_known(late):
        return f"lateness at earlier {occasion}s is not known"
    parts = [f"{_late(late)} late at the last {occasion}" if late > 0 else f"on time at the last {occasion}"]
    window = "5" if _is_known(row["late_0_last_5"]) else "3"
    before = row[f"late_0_last_{window}"]
    if before > (late > 0):
        parts.append(f"late at {round(before)} of the last {window}")
    elif row["days_late_max_10"] > max(late, EARLIER_LATE):
        parts.append(f"{_late(row['days_late_max_10'])} late at worst of the last 10")
    return ", ".join(parts)


def _late(days: float) -> str:
    return f"{LATENESS_CLIP} days or more" if days >= LATENESS_CLIP else _count(days, "day")


def _interruptions(row: Row) -> str:
    if not row["interruptions"] > 0:
        return "no earlier interruption"
    text = _count(row["interruptions"], "earlier interruption")
    since = row["days_since_interruption"]
    return f"{text}, back for {_span(since)}" if _is_known(since) and since > 0 else text


def _timing(row: Row) -> str:
    to = row["days_to_expected"]
    expectation = f"expected in {_span(to)}" if to > 0 else "expected on the day"
    extra = f", {_count(row['other_pending'], 'other booking')} ahead" if row["other_pending"] > 0 else ""
    return f"{expectation}, {_span(row['lead_days'])} after it was set{extra}"


def _interval(row: Row) -> str:
    if not _is_known(row["interval_median"]):
        return "no usual interval yet"
    steady = row["interval_irregularity"]
    text = f"usually comes every {_span(row['interval_median'])}"
    if _is_known(steady):
        kind = "regularly" if steady < REGULAR else "irregularly" if steady > IRREGULAR else "fairly regularly"
        text = f"{text}, {kind}"
    return f"{text}; now asked for {_span(row['lead_days'])}"


def _attendance(row: Row) -> str:
    if not row["contacts"] > 0:
        return "no contact so far"
    return f"{_count(row['contacts_365'], 'contact')} in the last year, {_count(row['contacts'], 'contact')} in all"


def _treatment(row: Row) -> str:
    if not _is_known(row["days_on_art"]):
        return "start of ART not known"
    text = f"{_span(row['days_on_art'])} on ART"
    return f"{text}, came from another facility" if row["transferred_in"] else text


def _supply(row: Row) -> str:
    parts = []
    if _is_known(row["days_supplied"]):
        parts.append(f"{_count(row['days_supplied'], 'day')} of ARVs given last")
    if row["regimen"]:
        parts.append(f"regimen: {REGIMENS[int(row['regimen'])]}")
    if row["regimen_line"]:
        parts.append(f"{LINES[int(row['regimen_line'])]} line")
    if row["regimen_switches"] > 0:
        parts.append(_count(row["regimen_switches"], "change") + " of regimen")
    return ", ".join(parts) or "supply and regimen not recorded"


def _viral_load(row: Row) -> str:
    if _is_known(row["viral_load_log10"]):
        copies = 10 ** row["viral_load_log10"]
        return f"last viral load {copies:,.0f} copies/mL, {_span(row['viral_load_age'])} ago"
    if row["viral_load_samples"] > 0:
        return f"viral load sample {_span(row['viral_load_sample_age'])} ago, no result"
    return "no viral load"


def _cd4(row: Row) -> str:
    if _is_known(row["cd4"]):
        return f"last CD4 {row['cd4']:.0f} cells/mm3, {_span(row['cd4_age'])} ago"
    if row["cd4_samples"] > 0:
        return f"CD4 sample {_span(row['cd4_sample_age'])} ago, no result"
    return "no CD4"


def _clinical(row: Row) -> str:
    parts = []
    if _is_known(row["who_stage"]):
        parts.append(f"WHO stage {row['who_stage']:.0f}")
    if _is_known(row["adherence"]):
        parts.append(f"adherence {ADHERENCES[int(row['adherence'])]}")
    if _is_known(row["weight_change"]):
        parts.append(f"weight {row['weight_change']:+.1f} kg")
    if row["pregnancy"] > 1:
        parts.append(PREGNANCIES[int(row["pregnancy"])])
    return ", ".join(parts) or "clinical state not recorded"


def _person(row: Row) -> str:
    age = f"{int(row['age'])} years old" if _is_known(row["age"]) else "age not recorded"
    return f"{age}, {SEXES[int(row['sex'])]}" if row["sex"] else age


def _facility(row: Row) -> str:
    if not _is_known(row["facility_rate"]):
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


def _lateness_reads(row: Row) -> int:
    if not _is_known(row["days_late_last"]):
        return 0
    window = "5" if _is_known(row["late_0_last_5"]) else "3"
    late = row["days_late_last"] > 0 or row[f"late_0_last_{window}"] > 0 or row["days_late_max_10"] > EARLIER_LATE
    return 1 if late else -1


def _interval_reads(row: Row) -> int:
    steady = row["interval_irregularity"]
    if not _is_known(row["interval_median"]) or not _is_known(steady):
        return 0
    return -1 if steady < REGULAR else 1 if steady > IRREGULAR else 0


def _viral_load_reads(row: Row) -> int:
    if not _is_known(row["viral_load_log10"]):
        return 0
    return -1 if row["viral_load_log10"] < SUPPRESSED_LOG10 else 1


def _cd4_reads(row: Row) -> int:
    if not _is_known(row["cd4"]):
        return 0
    return 1 if row["cd4"] < LOW_CD4 else -1 if row["cd4"] >= GOOD_CD4 else 0


def _clinical_reads(row: Row) -> int:
    stage, adherence = row["who_stage"], row["adherence"]
    bad = (_is_known(stage) and stage >= ADVANCED_STAGE) or (_is_known(adherence) and adherence == 0)
    good = _is_known(adherence) and adherence == len(ADHERENCES) - 1
    return 0 if bad and good else 1 if bad else -1 if good else 0


_READINGS: Final[Mapping[str, Callable[[Row], int]]] = {
    "lateness": _lateness_reads,
    "interruptions": lambda row: 1 if row["interruptions"] > 0 else -1,
    "interval": _interval_reads,
    "viral_load": _viral_load_reads,
    "cd4": _cd4_reads,
    "clinical": _clinical_reads,
}
"""Themes whose sentences are good or bad news in themselves; the others are neither."""
