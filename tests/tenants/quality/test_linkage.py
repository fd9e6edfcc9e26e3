"""People recorded twice are found by keys alone: how well, and always alike."""

from __future__ import annotations

from uuid import UUID

import pytest

from benchmarks.linkage_people import judge, simulate
from tenants.quality.linkage.agreement import PARTS, agrees, label
from tenants.quality.linkage.keys import KeyMaker, normalise, sounds_like
from tenants.quality.linkage.model import compare
from tenants.quality.linkage.people import BLOCK_LARGEST, PLACEHOLDER, Person, gather

KEYS = KeyMaker(b"k" * 32)
PEOPLE, TWICE = 1200, 60


def test_keys_hold_no_name_and_differ_between_tenants() -> None:
    mine, theirs = KEYS.name("Givenname"), KeyMaker(b"o" * 32).name("Givenname")
    assert mine is not None
    assert theirs is not None
    assert mine.code != theirs.code
    assert mine.sound != theirs.sound
    assert mine.words != theirs.words
    people = gather([Person(UUID(int=1), UUID(int=2), "Givenname", "Familyname", "F")], KEYS)
    assert "NAME" not in str(people).upper().replace("_NAMES", "").replace("'NAMES'", "").replace("NAMEKEYS", "")


def test_one_name_in_several_forms_has_one_key() -> None:
    assert KEYS.name("  áaa-bbb ") == KEYS.name("AAA BBB")
    assert KEYS.name("...") is None
    assert normalise("Ọlá") == "OLA"
    assert sounds_like("IBRAHIM") == sounds_like("EBRAHEEM")


@pytest.mark.parametrize(
    ("written", "typed"),
    [
        ("Ƙasim", "Kasim"),
        ("Ɗanjuma", "Danjuma"),
        ("ɓello", "Bello"),
        ("Ƴar'adua", "Yaradua"),
        ("N\u02bcDiaye", "Ndiaye"),
        ("Aïssata", "Aissata"),
        ("Ọkọnkwọ", "Okonkwo"),
        ("Ŋutifafa", "Nutifafa"),
        ("Ɔlɔrun", "Olorun"),
    ],
)
def test_hooked_dotted_and_marked_letters_are_their_base(written: str, typed: str) -> None:
    assert normalise(written) == normalise(typed) == typed.upper()
    assert KEYS.name(written) == KEYS.name(typed)


def test_names_of_one_slip_are_alike_and_others_are_not() -> None:
    def dice(left: str, right: str) -> float:
        a, b = KEYS.name(left), KEYS.name(right)
        assert a is not None
        assert b is not None
        both = sum((x & y & 0xFFFFFFFFFFFFFFFF).bit_count() for x, y in zip(a.words, b.words, strict=True))
        return 2 * both / (a.size + b.size)

    assert dice("Chukwuemeka", "Chukwuemekka") > 0.75
    assert dice("Chukwuemeka", "Babatunde") < 0.5


def test_those_recorded_twice_are_found_with_few_false_pairs_and_the_same_again() -> None:
    records, truth = simulate(PEOPLE, TWICE)
    people = gather(records, KEYS)
    pairs = compare(people, threshold=0.5).pairs
    _, precision, recall = judge(pairs, truth, 0.9)
    assert precision >= 0.95
    assert recall >= 0.70
    assert compare(people, threshold=0.5).pairs == pairs


def test_a_placeholder_pairs_nobody() -> None:
    many = [
        Person(UUID(int=n + 1), UUID(int=10**6), phone=b"0" * 16, pepfar_id=b"1" * 16) for n in range(PLACEHOLDER + 1)
    ]
    people = gather(many, KEYS)
    assert set(people.columns["phone"]) == set(people.columns["block_pepfar_id"]) == {None}
    assert compare(people, threshold=0.01).pairs == []


def test_a_key_that_too_many_share_is_no_block() -> None:
    many = [Person(UUID(int=n + 1), UUID(int=10**6), "Givenname", "Familyname", "F") for n in range(BLOCK_LARGEST + 1)]
    assert set(gather(many, KEYS).columns["block_names"]) == {None}


@pytest.mark.parametrize("count", [0, 1])
def test_nobody_to_compare_with_is_no_pair(count: int) -> None:
    assert compare(gather([Person(UUID(int=1), UUID(int=2))] * count, KEYS), threshold=0.5).pairs == []


def test_people_without_anything_recorded_are_no_pair() -> None:
    blank = [Person(UUID(int=n + 1), UUID(int=2)) for n in range(5)]
    assert compare(gather(blank, KEYS), threshold=0.01).pairs == []


def test_levels_are_told_from_full_agreement_down() -> None:
    names = PARTS[0]
    assert label("names", len(names.levels) - 1) == "same names"
    assert label("names", 0) == "names differ"
    assert label("names", -1) is None
    assert agrees("names", len(names.levels) - 1)
    assert not agrees("names", 0)


def test_the_stated_shares_of_each_part_add_up() -> None:
    for part in PARTS:
        assert sum(level.m for level in part.levels) == pytest.approx(1.0), part.name
