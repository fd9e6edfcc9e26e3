"""Equal values have equal indexes within one tenant and purpose, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Invalid
from core.privacy import vault
from core.privacy.blind_index import blind_index, blind_indexes, normalise

KEY = b"k" * 32


@pytest.mark.parametrize(
    "written",
    [
        "08031234567",
        "0803 123 4567",
        "+234 803 123 4567",
        "+234 (0)803-123-4567",
        "2348031234567",
        "00234 8031234567",
        "8031234567",
    ],
)
def test_one_nigerian_phone_number_however_it_is_written(written):
    assert normalise("phone", written) == "8031234567"


@pytest.mark.parametrize("written", ["0722 123456", "+254722123456", "254 722 123456"])
def test_one_kenyan_phone_number_however_it_is_written(written):
    assert normalise("phone", written) == "722123456"


def test_phone_numbers_that_differ_in_one_digit_are_two():
    assert normalise("phone", "08031234567") != normalise("phone", "09031234567")


def test_identifiers_are_compared_without_case_and_blanks():
    assert normalise("pepfar_id", " ab 0012/x ") == normalise("pepfar_id", "AB0012/X") == "AB0012/X"
    assert normalise("pepfar_id", "0012") != normalise("pepfar_id", "12")


def test_keys_of_machines_are_compared_exactly():
    assert normalise("source_key", " a B ") == "a B"


@pytest.mark.parametrize(("purpose", "text"), [("phone", "none"), ("phone", ""), ("pepfar_id", "  ")])
def test_nothing_to_look_for_is_rejected(purpose, text):
    with pytest.raises(Invalid) as rejection:
        blind_index(KEY, purpose, text)
    assert rejection.value.errors[0].field == purpose


@given(st.from_regex(r"0[789][01]\d{8}", fullmatch=True))
def test_every_nigerian_number_is_one_with_and_without_its_calling_code(number):
    assert normalise("phone", number) == normalise("phone", "+234" + number[1:])


def the_long_way(purpose: str, text: str) -> str:
    """Written with a letter that is no ASCII, so that no short way is taken; it adds nothing to a phone's digits."""
    normalised = normalise(purpose, f"{text}\u00df") if purpose == "phone" else normalise(purpose, f"{text}\u65e5")
    return normalised.removesuffix("\u65e5")


@given(st.text(st.characters(max_codepoint=127)), st.sampled_from(["phone", "pepfar_id"]))
def test_a_text_of_ascii_alone_comes_to_the_form_that_any_text_comes_to(text: str, purpose: str) -> None:
    try:
        short = normalise(purpose, text)
    except Invalid:
        short = ""
    try:
        assert the_long_way(purpose, text) == short
    except Invalid:
        assert not short


@given(st.text(min_size=1))
def test_bringing_an_identifier_to_its_form_twice_changes_nothing(text):
    try:
        normalised = normalise("pepfar_id", text)
    except Invalid:
        return
    assert normalise("pepfar_id", normalised) == normalised


def test_the_index_differs_by_purpose_key_and_tenant(two_tenants, open_session):
    assert blind_index(KEY, "pepfar_id", "1") == blind_index(KEY, "pepfar_id", " 1")
    assert (
        len(
            {blind_index(KEY, "pepfar_id", "1"), blind_index(KEY, "hospital", "1"), blind_index(b"x", "pepfar_id", "1")}
        )
        == 3
    )
    indexes = []
    for tenant in two_tenants:
        with open_session(tenant) as session:
            indexes.append(vault(session).blind_index("phone", "08031234567"))
    assert indexes[0] != indexes[1]
    assert {len(index) for index in indexes} == {16}


@given(st.lists(st.text(min_size=1).filter(str.strip), max_size=5), st.sampled_from(["source:visits", "pepfar_id"]))
def test_many_are_indexed_as_one_by_one(texts: list[str], purpose: str) -> None:
    try:
        singly = [blind_index(bytes(32), purpose, text) for text in texts]
    except Invalid:
        with pytest.raises(Invalid):
            blind_indexes(bytes(32), purpose, texts)
        return
    assert blind_indexes(bytes(32), purpose, texts) == singly


def test_nothing_among_many_is_rejected() -> None:
    with pytest.raises(Invalid, match="nothing to look for"):
        blind_indexes(bytes(32), "source:visits", ["a", " "])
