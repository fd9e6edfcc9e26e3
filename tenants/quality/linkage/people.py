"""The patients of a search as columns of keys: the only input of the comparison."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from tenants.quality.linkage.keys import KeyMaker, NameKeys

BLOCK_LARGEST: Final = 200
"""Most people who may share a key. A key of more people is too common to be evidence, and would pair them all."""

PLACEHOLDER: Final = 20
"""Most people with the same phone or programme identifier. If more have it, it is a filler (0000000000) and counts as
missing.
"""


@dataclass(frozen=True, slots=True)
class Person:
    """A patient as read, until the keys of the names are built."""

    uuid: UUID
    facility: UUID
    given_name: str | None = None
    family_name: str | None = None
    sex: str | None = None
    birthdate: date | None = None
    birthdate_estimated: bool = False
    phone: bytes | None = None
    pepfar_id: bytes | None = None
    hospital_number: bytes | None = None
    art_start: date | None = None
    lga: str | None = None


@dataclass(slots=True)
class People:
    """Columns of keys, one row per patient, in the order of the UUIDs; empty values are None."""

    uuids: list[UUID] = field(default_factory=list)
    columns: dict[str, list[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.uuids)


TYPES: Final = {
    "unique_id": "int64",
    "facility": "int64",
    "names": "int64",
    "full": "bool",
    **{f"{part}_{name}": "int64" for part in ("given", "family") for name in ("code", "sound", "low", "high", "size")},
    "sex": "string",
    "birth": "int64",
    "birth_year": "int64",
    "birth_month": "int64",
    "birth_day": "int64",
    "guessed": "bool",
    "phone": "int64",
    "pepfar_id": "int64",
    "hospital_number": "int64",
    "start": "int64",
    "lga": "int64",
    "block_names": "int64",
    "block_phone": "int64",
    "block_pepfar_id": "int64",
    "block_birth": "int64",
    "block_sound": "int64",
}
"""Columns of the comparison with their Arrow types."""


def gather(persons: Iterable[Person], keys: KeyMaker) -> People:
    """Build the columns of these persons. Each name is dropped as soon as its keys exist."""
    people = People(columns={name: [] for name in TYPES})
    for person in persons:
        _add(people, person, keys)
    columns = people.columns
    for name in ("phone", "pepfar_id"):
        columns[name] = _rare(columns[name], PLACEHOLDER)
        columns[f"block_{name}"] = columns[name]
    for name in ("block_names", "block_birth", "block_sound"):
        columns[name] = _split(columns[name], columns["birth_year"], keys)
    return people


def _add(people: People, person: Person, keys: KeyMaker) -> None:
    given_keys, family_keys = keys.name(person.given_name or ""), keys.name(person.family_name or "")
    codes = sorted(each.code for each in (given_keys, family_keys) if each is not None)
    sounds = sorted(each.sound for each in (given_keys, family_keys) if each is not None)
    born = person.birthdate
    row: dict[str, Any] = {
        "unique_id": len(people.uuids),
        "facility": keys.code("facility", str(person.facility)),
        "names": keys.code("names", str(codes)) if codes else None,
        "full": len(codes) == 2,  # noqa: PLR2004 - given and family name
        "sex": person.sex,
        "birth": None if born is None else born.toordinal(),
        "birth_year": None if born is None else born.year,
        "birth_month": None if born is None else born.month,
        "birth_day": None if born is None else born.day,
        "guessed": born is not None and (person.birthdate_estimated or (born.month, born.day) == (1, 1)),
        "phone": _short(person.phone),
        "pepfar_id": _short(person.pepfar_id),
        "hospital_number": _short(person.hospital_number),
        "start": None if person.art_start is None else person.art_start.toordinal(),
        "lga": keys.code("lga", person.lga.strip().upper()) if person.lga and person.lga.strip() else None,
        "block_names": keys.code("block", str(codes)) if codes else None,
        "block_birth": keys.code("block", f"{born}{person.sex}{sounds[0]}") if born and sounds else None,
        "block_sound": keys.code("block", f"{sounds}{person.sex}") if len(sounds) == 2 else None,  # noqa: PLR2004
        "block_phone": None,
        "block_pepfar_id": None,
        **_name_columns("given", given_keys),
        **_name_columns("family", family_keys),
    }
    people.uuids.append(person.uuid)
    for name, value in row.items():
        people.columns[name].append(value)


def _name_columns(part: str, keys: NameKeys | None) -> dict[str, int | None]:
    if keys is None:
        return dict.fromkeys(f"{part}_{name}" for name in ("code", "sound", "low", "high", "size"))
    low, high = keys.words
    values = (keys.code, keys.sound, low, high, keys.size)
    return dict(zip((f"{part}_{name}" for name in ("code", "sound", "low", "high", "size")), values, strict=True))


def _short(index: bytes | None) -> int | None:
    return None if index is None else int.from_bytes(bytes(index)[:8]) >> 1


def _rare(values: list[int | None], most: int) -> list[int | None]:
    """The values, with None in place of those that more than ``most`` people share."""
    often = Counter(value for value in values if value is not None)
    return [None if value is None or often[value] > most else value for value in values]


def _split(values: list[int | None], years: list[int | None], keys: KeyMaker) -> list[int | None]:
    """The keys; those that too many people share are split by year of birth, or None if still too frequent."""
    often = Counter(value for value in values if value is not None)
    finer = [
        value
        if value is None or often[value] <= BLOCK_LARGEST
        else None
        if year is None
        else keys.code("block", f"{value}{year}")
        for value, year in zip(values, years, strict=True)
    ]
    return _rare(finer, BLOCK_LARGEST)
