"""Simulated people, some of them recorded twice with typical slips, and a measure of how well the search finds them.

``python -m benchmarks.linkage_people 20000 400`` prints precision and recall for 20,000 people of whom 400 are in the
records twice. Nobody in it exists: names are made of syllables.
"""

from __future__ import annotations

import hashlib
import random
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

from benchmarks.measure import own_peak_mb
from core.cli.output import print_table
from tenants.quality.linkage.keys import KeyMaker
from tenants.quality.linkage.model import Pair, compare
from tenants.quality.linkage.people import Person, gather

END = date(2026, 9, 30)
FACILITIES = 40
CONSONANTS = ("b", "d", "f", "g", "k", "l", "m", "n", "r", "s", "t", "w", "y", "ch", "sh", "z", "h", "j")
VOWELS = "aeiou"

# Shares of second records that differ in a part: as stated in docs/explanation/people-recorded-twice.md.
SLIP = 0.30
SWAPPED = 0.10
BIRTH_PART, BIRTH_ESTIMATED, BIRTH_MISSING = 0.10, 0.10, 0.05
PHONE_TOLD, IDENTIFIED, ESTIMATED, MARKED = 0.7, 0.9, 0.25, 0.5
PHONE_CHANGED, IDENTIFIER_NEW, START_LATER, MOVED = 0.50, 0.75, 0.60, 0.90


def simulate(people: int, twice: int, seed: int = 1) -> tuple[list[Person], set[tuple[int, int]]]:
    """Return records of ``people``, second records of ``twice`` of them, and the true pairs by position."""
    rng = random.Random(seed)  # noqa: S311 - a simulation
    given_names, family = _names(rng, 800, (2, 3, 3)), _names(rng, 4000, (2, 3, 4))
    common = [1 / (place + 3) ** 0.9 for place in range(len(given_names))]
    rarer = [1 / (place + 3) ** 0.8 for place in range(len(family))]
    chosen = zip(rng.choices(given_names, common, k=people), rng.choices(family, rarer, k=people), strict=True)
    records = [_person(rng, number, *names) for number, names in enumerate(chosen)]
    truth: set[tuple[int, int]] = set()
    for number in range(people, people + twice):
        first = rng.randrange(people)
        records.append(_again(rng, records[first], number))
        truth.add((first, number))
    return records, truth


def judge(pairs: list[Pair], truth: set[tuple[int, int]], least: float) -> tuple[int, float, float]:
    """Return the number of pairs above a probability, their precision and their recall."""
    judged = {(pair.left, pair.right) for pair in pairs if pair.probability >= least}
    right = len(judged & truth)
    return len(judged), right / max(1, len(judged)), right / max(1, len(truth))


def _names(rng: random.Random, count: int, syllables: tuple[int, ...]) -> list[str]:
    def random_name() -> str:
        parts = [rng.choice(CONSONANTS) + rng.choice(VOWELS) for _ in range(rng.choice(syllables))]
        return ("".join(parts) + rng.choice(("", "n", "m", "l"))).capitalize()

    return sorted({random_name() for _ in range(count)}, key=lambda name: hashlib.sha256(name.encode()).digest())


def _person(rng: random.Random, number: int, given_name: str, family: str) -> Person:
    born = END - timedelta(days=int(max(1.0, rng.gauss(37, 12)) * 365.25))
    estimated = rng.random() < ESTIMATED
    facility = rng.randrange(FACILITIES)
    return Person(
        uuid=UUID(int=number + 1),
        facility=UUID(int=10**9 + facility),
        given_name=given_name,
        family_name=family,
        sex=rng.choice("FFM"),
        birthdate=date(born.year, 1, 1) if estimated else born,
        birthdate_estimated=estimated and rng.random() < MARKED,
        phone=_digest(f"phone {rng.randrange(10**9)}") if rng.random() < PHONE_TOLD else None,
        pepfar_id=_digest(f"id {number}") if rng.random() < IDENTIFIED else None,
        hospital_number=_digest(f"number {number}"),
        art_start=max(born, END - timedelta(days=rng.randrange(30, 3000))),
        lga=f"LGA {facility // 2}",
    )


def _again(rng: random.Random, person: Person, number: int) -> Person:
    given_name, family, born = person.given_name or "", person.family_name or "", person.birthdate or END
    if rng.random() < SLIP:
        given_name = _slip(rng, given_name)
    if rng.random() < SLIP:
        family = _slip(rng, family)
    if rng.random() < SWAPPED:
        given_name, family = family, given_name
    chance = rng.random()
    birthdate: date | None = born
    if chance < BIRTH_PART:
        birthdate = date(born.year, rng.randrange(1, 13), min(born.day, 28))
    elif chance < BIRTH_PART + BIRTH_ESTIMATED:
        birthdate = date(born.year + rng.choice((-1, 1)), 1, 1)
    elif chance < BIRTH_PART + BIRTH_ESTIMATED + BIRTH_MISSING:
        birthdate = None
    phone = person.phone
    if rng.random() < PHONE_CHANGED:
        phone = _digest(f"phone {rng.randrange(10**9)}") if rng.random() < PHONE_TOLD else None
    later = timedelta(days=rng.randrange(1, 400)) if rng.random() < START_LATER else timedelta()
    return replace(
        person,
        uuid=UUID(int=number + 1),
        facility=UUID(int=10**9 + rng.randrange(FACILITIES)) if rng.random() < MOVED else person.facility,
        given_name=given_name,
        family_name=family,
        birthdate=birthdate,
        phone=phone,
        pepfar_id=_digest(f"second id {number}") if rng.random() < IDENTIFIER_NEW else person.pepfar_id,
        hospital_number=_digest(f"second number {number}"),
        art_start=None if person.art_start is None else person.art_start + later,
    )


def _slip(rng: random.Random, name: str) -> str:
    """Return the name with a slip: a letter left out, replaced or doubled, or two letters swapped."""
    place = rng.randrange(1, len(name))
    ways: tuple[Callable[[], str], ...] = (
        lambda: name[:place] + name[place + 1 :],
        lambda: name[:place] + rng.choice("aeioustnrl") + name[place + 1 :],
        lambda: name[:place] + name[place] + name[place:],
        lambda: name[: place - 1] + name[place] + name[place - 1] + name[place + 1 :],
    )
    return rng.choice(ways)()


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def main() -> int:
    """Print the figures for the sizes given on the command line."""
    people, twice = (int(word) for word in (*sys.argv[1:], "5000", "100")[:2])
    records, truth = simulate(people, twice)
    began = time.process_time()
    gathered = gather(records, KeyMaker(b"k" * 32))
    keyed = time.process_time()
    pairs = compare(gathered, threshold=0.5).pairs
    rows = []
    for least in (0.5, 0.9, 0.99):
        judged, precision, recall = judge(pairs, truth, least)
        rows.append({"least": least, "pairs": judged, "precision": f"{precision:.3f}", "recall": f"{recall:.3f}"})
    print_table(rows, ("least", "pairs", "precision", "recall"))
    compared = time.process_time() - keyed
    print(f"keys {keyed - began:.1f} s, comparison {compared:.1f} s of one core, at most {own_peak_mb():.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
