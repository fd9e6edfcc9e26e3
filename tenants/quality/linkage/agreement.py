"""The parts of two patients that the search compares: levels from full agreement to none, with their usual shares.

``m`` is the share of true pairs that show a level. The default values follow from how records of one person come to
differ. The search estimates ``m`` from the tenant's own pairs, and falls back on the defaults where there are too few.
``u`` is the share of pairs of strangers that show it, from the tenant's own records. There the defaults weigh as much
as ``model.STATED_PAIRS`` pairs, so that a small clinic's one true pair does not pass for a pair of strangers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from core.web.texts import marked

ALIKE: Final = 0.75
"""The Dice coefficient of two names' Bloom filters from which they are alike: one letter in eight differs."""

NEAR_DAYS: Final = 31
YEAR_DAYS: Final = 400


@dataclass(frozen=True, slots=True)
class Level:
    """One level of agreement: its condition in DuckDB, its label, and its shares of true pairs and of strangers."""

    condition: str
    label: str
    m: float
    u: float
    agrees: bool = False
    frequency: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a person's data. ``missing`` is the condition under which it gives no evidence."""

    name: str
    missing: str
    levels: tuple[Level, ...]

    @property
    def column(self) -> str:
        """The column that is empty where the part is missing."""
        return {"art_start": "start"}.get(self.name, self.name)


def _dice(left: str, right: str) -> str:
    common = " + ".join(f"CAST(bit_count({left}_{word}_l & {right}_{word}_r) AS INTEGER)" for word in ("low", "high"))
    return f"2.0 * ({common}) / ({left}_size_l + {right}_size_r) >= {ALIKE}"


def _alike(left: str, right: str) -> str:
    return f"({left}_sound_l = {right}_sound_r OR {_dice(left, right)})"


_BOTH_ALIKE = (
    f"({_alike('given', 'given')} AND {_alike('family', 'family')})"
    f" OR ({_alike('given', 'family')} AND {_alike('family', 'given')})"
)
_ONE_ALIKE = " OR ".join(
    _alike(left, right)
    for left, right in (("given", "given"), ("family", "family"), ("given", "family"), ("family", "given"))
)
_PARTS_OF_BIRTH = (
    "(CAST(birth_year_l = birth_year_r AS INTEGER) + CAST(birth_month_l = birth_month_r AS INTEGER)"
    " + CAST(birth_day_l = birth_day_r AS INTEGER) = 2"
    " OR (birth_year_l = birth_year_r AND birth_month_l = birth_day_r AND birth_day_l = birth_month_r))"
)

PARTS: Final = (
    Part(
        "names",
        "names_l IS NULL OR names_r IS NULL",
        (
            Level(
                "names_l = names_r AND full_l AND full_r",
                marked("same names"),
                0.60,
                0.0002,
                agrees=True,
                frequency="names",
            ),
            Level(_BOTH_ALIKE, marked("names are alike"), 0.28, 0.002, agrees=True),
            Level(_ONE_ALIKE, marked("one name is alike"), 0.09, 0.04),
            Level("", marked("names differ"), 0.03, 0.9578),
        ),
    ),
    Part(
        "birth",
        "birth_l IS NULL OR birth_r IS NULL",
        (
            Level(
                "birth_l = birth_r AND NOT guessed_l AND NOT guessed_r",
                marked("same birth date"),
                0.62,
                0.0001,
                agrees=True,
            ),
            Level("birth_l = birth_r", marked("same birth date, estimated"), 0.08, 0.005, agrees=True),
            Level(_PARTS_OF_BIRTH, marked("birth dates differ in one part"), 0.15, 0.01, agrees=True),
            Level(f"abs(birth_l - birth_r) <= {YEAR_DAYS}", marked("born within a year"), 0.09, 0.06),
            Level("", marked("birth dates differ"), 0.06, 0.9249),
        ),
    ),
    Part(
        "sex",
        "sex_l IS NULL OR sex_r IS NULL",
        (
            Level("sex_l = sex_r", marked("same sex"), 0.98, 0.55),
            Level("", marked("sex differs"), 0.02, 0.45),
        ),
    ),
    Part(
        "phone",
        "phone_l IS NULL OR phone_r IS NULL",
        (
            Level("phone_l = phone_r", marked("same phone"), 0.45, 0.0001, agrees=True),
            Level("", marked("phones differ"), 0.55, 0.9999),
        ),
    ),
    Part(
        "pepfar_id",
        "pepfar_id_l IS NULL OR pepfar_id_r IS NULL",
        (
            Level("pepfar_id_l = pepfar_id_r", marked("same programme identifier"), 0.25, 1e-05, agrees=True),
            Level("", marked("programme identifiers differ"), 0.75, 0.99999),
        ),
    ),
    Part(
        "hospital_number",
        "hospital_number_l IS NULL OR hospital_number_r IS NULL OR facility_l <> facility_r",
        (
            Level("hospital_number_l = hospital_number_r", marked("same hospital number"), 0.20, 0.001, agrees=True),
            Level("", marked("hospital numbers differ"), 0.80, 0.999),
        ),
    ),
    Part(
        "art_start",
        "start_l IS NULL OR start_r IS NULL",
        (
            Level("start_l = start_r", marked("same start of ART"), 0.40, 0.001, agrees=True),
            Level(f"abs(start_l - start_r) <= {NEAR_DAYS}", marked("ART started within a month"), 0.10, 0.02),
            Level("", marked("starts of ART differ"), 0.50, 0.979),
        ),
    ),
    Part(
        "lga",
        "lga_l IS NULL OR lga_r IS NULL",
        (
            Level("lga_l = lga_r", marked("same LGA"), 0.80, 0.1),
            Level("", marked("LGAs differ"), 0.20, 0.9),
        ),
    ),
)

BLOCKS: Final = ("block_names", "block_phone", "block_pepfar_id", "block_birth", "block_sound")
"""The search compares two patients only where one of these keys is the same. Few people share each of them."""


def label(part: str, place: int) -> str | None:
    """The label of a part's level, by the search's number for it: -1 missing, 0 no agreement, up to full agreement."""
    levels = next(each.levels for each in PARTS if each.name == part)
    return None if place < 0 else levels[len(levels) - 1 - place].label


def agrees(part: str, place: int) -> bool:
    """Whether a part's level is evidence that the two patients are one person."""
    levels = next(each.levels for each in PARTS if each.name == part)
    return place >= 0 and levels[len(levels) - 1 - place].agrees
