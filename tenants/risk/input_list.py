"""The columns of the feature matrix: name, unit, meaning, source and theme.

This is the order of the columns. Reasons are given by theme, because the columns of a theme describe the same thing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from plugins.sdk import FeatureSpec

if TYPE_CHECKING:
    from plugins.sdk.contract import Kind

KENYA: Final = "KenyaEMR IIT feature list (Palladium), adapted"
ESRA: Final = "Esra 2023 (JAIDS 92:42; PLOS Glob Public Health e0002105): attendance history and time on ART"
OWN: Final = "this project"
RECORDS: Final = "records as OpenMRS names them"
FACILITY: Final = "this project, after facility effects in KenyaEMR IIT"

WINDOWS: Final = (3, 5, 10)
LATE_DAYS: Final = (0, 7, 14, 28)
LATENESS_CLIP: Final = 100
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
REGIMENS: Final = ("not recorded", "dolutegravir", "efavirenz or nevirapine", "protease inhibitor", "other")
LINES: Final = ("not recorded", "first", "second", "third")
SEXES: Final = ("not recorded", "female", "male")
PREGNANCIES: Final = ("not recorded", "none", "pregnant", "breastfeeding")
EXPECTED_SOURCES: Final = ("not recorded", "recorded appointment", "days supplied", "the tenant's rule", "booking")


@dataclass(frozen=True, slots=True)
class Theme:
    """Columns that describe one thing and count as one reason."""

    name: str
    title: str
    specs: tuple[FeatureSpec, ...]


def _f(
    name: str,
    kind: Kind,
    unit: str,
    description: str,
    source: str = OWN,
    categories: tuple[str, ...] = (),
    version: int = 1,
) -> FeatureSpec:
    return FeatureSpec(name, kind, unit, description, source, categories, version)


def _lateness() -> tuple[FeatureSpec, ...]:
    specs = [
        _f("days_late_last", "continuous", "days", "Days late at the last contact, 0 to 100.", KENYA),
        _f("days_early_last", "continuous", "days", "Days early at the last contact, 0 to 100."),
    ]
    specs += [
        _f(f"days_late_mean_{n}", "continuous", "days", f"Mean days late over the last {n} contacts.", KENYA)
        for n in WINDOWS
    ]
    specs += [
        _f(f"days_late_max_{n}", "continuous", "days", f"Most days late over the last {n} contacts.", KENYA)
        for n in WINDOWS
    ]
    specs += [
        _f(f"late_{d}_last_{n}", "count", "contacts", f"Contacts more than {d} days late, of the last {n}.", KENYA)
        for d in LATE_DAYS
        for n in WINDOWS
    ]
    specs += [
        _f(
            "days_late_weighted", "continuous", "days", "Mean days late, each contact weighing 0.7 of the one after it."
        ),
        _f("late_weighted", "continuous", "share", "Share of late contacts, each weighing 0.7 of the one after it."),
        _f(
            "late_share", "continuous", "share", "Share of all earlier contacts that were late, drawn towards one half."
        ),
        _f("days_late_trend", "continuous", "days", "Mean days late of the last 3 contacts less that of the last 10."),
    ]
    return tuple(specs)


THEMES: Final[tuple[Theme, ...]] = (
    Theme("lateness", "Lateness at earlier contacts", _lateness()),
    Theme(
        "interruptions",
        "Earlier interruptions",
        (
            _f("interruptions", "count", "interruptions", "Earlier contacts later than the grace period.", ESRA),
            _f(
                "interruption_share",
                "continuous",
                "share",
                "Share of earlier contacts later than the grace period.",
                ESRA,
            ),
            _f(
                "interruption_weighted",
                "continuous",
                "share",
                "The same, each contact weighing 0.7 of the one after it.",
            ),
            _f(
                "days_since_interruption",
                "continuous",
                "days",
                "Days since the return from the last interruption.",
                KENYA,
            ),
            _f("contacts_since_interruption", "count", "contacts", "Contacts since the last interruption."),
            _f("longest_lateness", "continuous", "days", "Most days late ever, 0 to 730."),
        ),
    ),
    Theme(
        "timing",
        "The expected contact",
        (
            _f("days_to_expected", "continuous", "days", "Days from the decision to the expected contact.", KENYA),
            _f("days_since_set", "continuous", "days", "Days since the contact or booking that set the date."),
            _f(
                "lead_days",
                "continuous",
                "days",
                "Days from the contact or booking that set the date to the date.",
                KENYA,
            ),
            _f("other_pending", "count", "bookings", "Other bookings still ahead."),
            _f("same_day_bookings", "count", "bookings", "Other bookings due on the same day."),
            _f("expected_source", "categorical", "", "How the date is known.", OWN, EXPECTED_SOURCES),
        ),
    ),
    Theme(
        "interval",
        "Usual interval between contacts",
        (
            _f("interval_last", "continuous", "days", "Days between the last two contacts, at most 730."),
            _f("interval_median", "continuous", "days", "Median of the last 5 intervals.", KENYA),
            _f(
                "interval_spread",
                "continuous",
                "days",
                "Mean absolute deviation of the last 5 intervals from their median.",
            ),
            _f("interval_max", "continuous", "days", "Longest of the last 5 intervals, at most 730."),
            _f("interval_min", "continuous", "days", "Shortest of the last 5 intervals."),
            _f("interval_irregularity", "continuous", "ratio", "Spread over median of the last 5 intervals."),
            _f("lead_to_usual", "continuous", "ratio", "Days asked for over the median of the last 5 intervals."),
            _f("interval_last_to_usual", "continuous", "ratio", "Last interval over the median of the last 5."),
            _f(
                "intervals_past_grace",
                "continuous",
                "share",
                "Share of the last 10 intervals longer than the time asked for and the grace together, of those "
                "at least as long as the time already gone; drawn towards 0.2 by two intervals.",
            ),
        ),
    ),
    Theme(
        "attendance",
        "How often the person comes",
        (
            _f("contacts", "count", "contacts", "Contacts so far."),
            _f("contacts_90", "count", "contacts", "Contacts in the last 90 days."),
            _f("contacts_365", "count", "contacts", "Contacts in the last 365 days."),
            _f(
                "contact_rate_trend",
                "continuous",
                "contacts",
                "Contacts in the last 180 days less those in the 180 before.",
            ),
            _f("days_since_contact", "continuous", "days", "Days since the last contact."),
            _f("days_since_first_contact", "continuous", "days", "Days since the first contact."),
            _f("bookings_before", "count", "bookings", "Bookings whose day has passed."),
        ),
    ),
    Theme(
        "treatment",
        "Time on treatment",
        (
            _f("days_on_art", "continuous", "days", "Days since the start of ART; missing before it.", ESRA),
            _f(
                "days_on_art_at_first_contact", "continuous", "days", "Days from the first contact to the start of ART."
            ),
            _f("art_not_started", "binary", "", "No start of ART is known on the day."),
            _f("transferred_in", "binary", "", "Came on treatment from another facility.", RECORDS),
        ),
    ),
    Theme(
        "supply",
        "Supply and regimen",
        (
            _f("days_supplied", "continuous", "days", "Days of ARVs given at the last pick-up.", KENYA),
            _f(
                "supply_left", "continuous", "days", "Days of supply left on the day, by the last pick-up; -100 to 366."
            ),
            _f("regimen", "categorical", "", "Kind of the last recorded regimen.", KENYA, REGIMENS),
            _f("regimen_line", "categorical", "", "Line of the last recorded regimen.", RECORDS, LINES),
            _f("regimen_switches", "count", "switches", "Changes of regimen so far.", KENYA),
            _f("days_since_switch", "continuous", "days", "Days since the last change of regimen.", KENYA),
        ),
    ),
    Theme(
        "viral_load",
        "Viral load",
        (
            _f("viral_load_log10", "continuous", "log10 copies/mL", "Last viral load with a result.", KENYA),
            _f("viral_load_age", "continuous", "days", "Days since that result's sample."),
            _f("viral_load_samples", "count", "samples", "Samples taken, with or without a result."),
            _f("viral_load_sample_age", "continuous", "days", "Days since the last sample, with or without a result."),
        ),
    ),
    Theme(
        "cd4",
        "CD4",
        (
            _f("cd4", "continuous", "cells/mm3", "Last CD4 count with a result.", KENYA),
            _f("cd4_age", "continuous", "days", "Days since that result's sample."),
            _f("cd4_samples", "count", "samples", "Samples taken, with or without a result."),
            _f("cd4_sample_age", "continuous", "days", "Days since the last sample, with or without a result."),
        ),
    ),
    Theme(
        "clinical",
        "Clinical state",
        (
            _f("who_stage", "continuous", "stage", "Last WHO stage, 1 to 4.", KENYA),
            _f("adherence", "continuous", "", "Last ARV adherence: 0 poor, 1 fair, 2 good.", KENYA),
            _f("weight_change", "continuous", "kg", "Last weight less the one before it."),
            _f(
                "pregnancy",
                "categorical",
                "",
                "Pregnant or breastfeeding, as recorded within 300 days.",
                KENYA,
                PREGNANCIES,
            ),
        ),
    ),
    Theme(
        "person",
        "Age and sex",
        (
            _f("age", "continuous", "years", "Age on the day.", KENYA),
            _f("sex", "categorical", "", "Sex, as recorded.", KENYA, SEXES),
        ),
    ),
    Theme(
        "facility",
        "The facility",
        (
            _f(
                "facility_rate",
                "continuous",
                "share",
                "Interruptions among the facility's contacts resolved in the 364 days before the last reference day, "
                "drawn towards the tenant's share by 50 contacts.",
                FACILITY,
            ),
        ),
    ),
    Theme(
        "calendar",
        "The calendar",
        (
            _f("expected_weekday", "categorical", "", "Weekday of the expected contact.", KENYA, WEEKDAYS),
            _f("expected_month", "categorical", "", "Month of the expected contact.", OWN, MONTHS),
        ),
    ),
    Theme(
        "records",
        "What is not recorded",
        (
            _f(
                "not_recorded",
                "count",
                "items",
                "Of viral load, CD4, WHO stage, adherence, sex, age, ART start: how many are not recorded.",
            ),
        ),
    ),
)

FEATURES: Final[tuple[FeatureSpec, ...]] = tuple(spec for theme in THEMES for spec in theme.specs)
NAMES: Final[tuple[str, ...]] = tuple(spec.name for spec in FEATURES)
THEME_OF: Final[dict[str, str]] = {spec.name: theme.name for theme in THEMES for spec in theme.specs}


def reference_page() -> str:
    """Return ``docs/reference/features.md``: every column, by theme."""
    lines = [
        "# Features",
        "",
        "Generated from `tenants/risk/input_list.py`; a test keeps both equal. One row of the matrix is one person",
        "with an expected contact still ahead, as known on the day of decision. What is not known is missing (NaN).",
        "A definition has version 1 unless its line names another.",
        "",
    ]
    for theme in THEMES:
        lines += [f"## {theme.title}", "", "| name | kind | unit | meaning | source |", "|---|---|---|---|---|"]
        lines += [
            f"| `{s.name}` | {s.kind} | {s.unit} | {s.description}{_categories(s)}{_version(s)} | {s.source} |"
            for s in theme.specs
        ]
        lines.append("")
    return "\n".join(lines)


def _categories(spec: FeatureSpec) -> str:
    return f" One of: {', '.join(spec.categories)}." if spec.categories else ""


def _version(spec: FeatureSpec) -> str:
    return f" Version {spec.version}." if spec.version > 1 else ""
