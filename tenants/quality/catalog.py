"""The measures, with their definitions and weights: the one table behind reports, API and documentation.

Dimensions follow WHO's data-quality framework: completeness and timeliness, internal consistency, plausibility (WHO's
outliers); uniqueness is our addition. A measure is a share: of ``denominator`` things, ``numerator`` are right. The
weights are judgements, all of them in this file; nothing else enters a score.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from core.web.texts import marked

VERSION: Final = "1"
"""The version of these definitions. Compare only scores with the same version."""

WINDOW_DAYS: Final = 365
"""Days before the facility's data date that count for events. Measures of patients count all patients."""

COVERED_DAYS: Final = 90
WEEKS: Final = 52
BINS: Final = 12
BIN_DAYS: Final = 28
LAG_DAYS: Final = 30
SUPPLY: Final = (1, 200)
AHEAD_DAYS: Final = 400
VIRAL_LOAD: Final = (0, 10_000_000)
WEIGHT: Final = (1.0, 200.0)
ADULT_AGE: Final = 15
ADULT_WEIGHT: Final = 25.0
OLDEST: Final = 100
STEADY: Final = (0.5, 2.0)
HEAPS: Final = 2.0
"""Standard deviations by which a heap must exceed chance before it counts."""
AFTER_TRANSFER_DAYS: Final = 28


@dataclass(frozen=True, slots=True)
class Dimension:
    """A dimension of quality and its weight in the score."""

    name: str
    weight: int
    about: str


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure.

    Attributes:
        weight: weight within its dimension.
        about: the subject, in a few words.
        numerator, denominator: what each counts.
        of_import: whether only the report of an import has it.
    """

    name: str
    dimension: str
    weight: int
    about: str
    numerator: str
    denominator: str
    of_import: bool = False


DIMENSIONS: Final = (
    Dimension("completeness", 3, "what matters is filled in, and every week is reported"),
    Dimension("timeliness", 2, "records come soon and reach to the data date"),
    Dimension("plausibility", 3, "values can be true"),
    Dimension("consistency", 3, "records do not contradict each other or the facility's own past"),
    Dimension("uniqueness", 2, "one person and one event are recorded once"),
)

_PATIENTS = "patients on record"
_YEAR = f"of the last {WINDOW_DAYS} days"

MEASURES: Final = (
    Measure("birthdate_filled", "completeness", 2, marked("date of birth"), "with a date of birth", _PATIENTS),
    Measure("sex_filled", "completeness", 2, marked("sex"), "with a sex", _PATIENTS),
    Measure("art_start_filled", "completeness", 2, marked("start of ART"), "with a start of ART", _PATIENTS),
    Measure(
        "identifier_filled", "completeness", 1, marked("identifier"),
        "with a programme identifier or hospital number", _PATIENTS,
    ),
    Measure("phone_filled", "completeness", 1, marked("phone"), "with a phone", _PATIENTS),
    Measure(
        "next_date_filled", "completeness", 3, marked("when the next contact is due"),
        "with a next appointment or days supplied", f"contacts {_YEAR}",
    ),
    Measure(
        "days_supplied_filled", "completeness", 2, marked("days supplied"), "with days supplied", f"pick-ups {_YEAR}"
    ),
    Measure("regimen_filled", "completeness", 1, marked("regimen"), "with a regimen", f"pick-ups {_YEAR}"),
    Measure(
        "result_filled", "completeness", 1, marked("viral-load result"), "with a result", f"viral-load samples {_YEAR}"
    ),
    Measure(
        "weeks_reported", "completeness", 2, marked("expected reports"),
        "with a contact", f"weeks to the data date since the first contact, at most {WEEKS}",
    ),
    Measure(
        "complete_to_data_date", "timeliness", 3, marked("reporting reaches the data date"),
        "up to the complete-through date", f"the {COVERED_DAYS} days to the data date",
    ),
    Measure(
        "data_to_today", "timeliness", 2, marked("days since the last data"),
        "up to the data date", f"the {COVERED_DAYS} days to the day of the report",
    ),
    Measure(
        "known_in_time", "timeliness", 1, marked("lag of recording"),
        f"known within {LAG_DAYS} days of the day", f"contacts {_YEAR} whose time of recording is known",
    ),
    Measure(
        "rows_accepted", "plausibility", 3, marked("rows accepted whole"), "accepted", "rows read by the import",
        of_import=True,
    ),
    Measure(
        "supply_plausible", "plausibility", 2, marked("days supplied in range"),
        f"{SUPPLY[0]} to {SUPPLY[1]} days", f"dispensations {_YEAR} with days supplied",
    ),
    Measure(
        "next_not_far", "plausibility", 2, marked("next appointment not too far"),
        f"less than {AHEAD_DAYS} days ahead", f"contacts {_YEAR} with a next appointment",
    ),
    Measure(
        "viral_load_plausible", "plausibility", 1, marked("viral load in range"),
        f"{VIRAL_LOAD[0]} to {VIRAL_LOAD[1]:,} copies/mL", f"viral loads {_YEAR} with a number",
    ),
    Measure(
        "weight_plausible", "plausibility", 1, marked("weight in range"),
        f"{WEIGHT[0]:g} to {WEIGHT[1]:g} kg, and from {ADULT_WEIGHT:g} kg at {ADULT_AGE} years and more",
        f"weights {_YEAR}",
    ),
    Measure(
        "age_plausible", "plausibility", 1, marked("age in range"),
        f"0 to {OLDEST} years old at the data date", "patients with a date of birth",
    ),
    Measure(
        "days_not_heaped", "plausibility", 1, marked("contacts not heaped on two days of the month"),
        f"less those on the 1st and 15th beyond chance (expected share and {HEAPS:g} standard deviations)",
        f"contacts {_YEAR}",
    ),
    Measure(
        "birthdates_not_heaped", "plausibility", 1, marked("dates of birth not heaped on 1 January"),
        "less those on 1 January beyond chance", "patients with a date of birth that is not marked as estimated",
    ),
    Measure(
        "weights_not_heaped", "plausibility", 1, marked("weights not heaped on round numbers"),
        "less those in whole kg ending in 0 or 5 beyond chance", f"weights {_YEAR}",
    ),
    Measure(
        "events_of_patients", "consistency", 3, marked("events belong to a patient"),
        "of a patient on record", f"visits and dispensations {_YEAR}",
    ),
    Measure(
        "next_after_contact", "consistency", 2, marked("next appointment lies after the contact"),
        "after the day of the contact", f"contacts {_YEAR} with a next appointment",
    ),
    Measure(
        "start_before_pickup", "consistency", 2, marked("treatment starts no later than the first pick-up"),
        "with a start of ART on or before the first pick-up", "patients with a start of ART and a pick-up",
    ),
    Measure(
        "dead_stay_away", "consistency", 2, marked("no contact after death"),
        "without a contact after the death", "patients recorded as died",
    ),
    Measure(
        "transferred_stay_away", "consistency", 1, marked("no contact soon after a transfer out"),
        f"without a contact in the {AFTER_TRANSFER_DAYS} days after it", "transfers out",
    ),
    Measure(
        "line_fits_regimen", "consistency", 1, marked("regimen line fits the regimen"),
        "without contradiction: no protease inhibitor (LPV, ATV, DRV) in first line, no NNRTI (EFV, NVP) later",
        f"dispensations {_YEAR} with regimen and line, to people of {ADULT_AGE} years and more",
    ),
    Measure(
        "volume_steady", "consistency", 2, marked("volume like the facility's usual"),
        f"with {STEADY[0]:g} to {STEADY[1]:g} times the median of them",
        f"the {BINS} four-week periods to the complete-through date, since the first contact",
    ),
    Measure(
        "pepfar_id_unique", "uniqueness", 2, marked("programme identifier used once"),
        "whose identifier no other patient has, here or elsewhere", "patients with a programme identifier",
    ),
    Measure(
        "hospital_number_unique", "uniqueness", 1, marked("hospital number used once in the facility"),
        "whose number no other patient of the facility has", "patients with a hospital number",
    ),
    Measure(
        "supply_once", "uniqueness", 1, marked("one dispensation a day"),
        "that are not the second or later of their patient on their day", f"dispensations {_YEAR}",
    ),
    Measure(
        "not_twice", "uniqueness", 2, marked("no candidate for the same person"),
        "in no pending candidate", f"{_PATIENTS}, once candidates have been looked for",
    ),
)  # fmt: skip

FORMER_NAMES: Final = {"next_date_told": "next_date_filled"}
"""Names of measures in stored reports -> their present names."""

BY_NAME: Final = {measure.name: measure for measure in MEASURES}


def score(shares: dict[str, tuple[int, int]]) -> tuple[int | None, dict[str, int]]:
    """Return the whole score and each dimension's score, in percent, from the measures that have data.

    A dimension's score is the weighted mean of its measures' shares. The whole score is the weighted mean of the
    dimensions, before rounding. A measure with denominator 0 does not count.

    Args:
        shares: measure -> (numerator, denominator).
    """
    shares_of_dimension: dict[str, float] = {}
    for dimension in DIMENSIONS:
        parts = [
            (measure.weight, shares[measure.name][0] / shares[measure.name][1])
            for measure in MEASURES
            if measure.dimension == dimension.name and shares.get(measure.name, (0, 0))[1] > 0
        ]
        if parts:
            shares_of_dimension[dimension.name] = sum(w * share for w, share in parts) / sum(w for w, _ in parts)
    if not shares_of_dimension:
        return None, {}
    weights = {dimension.name: dimension.weight for dimension in DIMENSIONS}
    total = sum(weights[name] * value for name, value in shares_of_dimension.items()) / sum(
        weights[name] for name in shares_of_dimension
    )
    return percent(total), {name: percent(value) for name, value in shares_of_dimension.items()}


def percent(share: float) -> int:
    """Whole percent, never 100 while anything is wrong."""
    # 99.9 shows as 99: 100 means that nothing is wrong. Sums of floats may fall short of 1 by a hair.
    return 100 if share >= 1 - 1e-12 else min(99, round(share * 100))
