"""Covert texts, sizes of messages, phones and quiet hours."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.messages.answers import classify
from tenants.messages.covert import WORDS, telling_words
from tenants.messages.hours import next_allowed
from tenants.messages.numbers import mobile_number
from tenants.messages.segments import BASIC, size_of
from tenants.messages.settings import MessageSettings
from tenants.messages.templates import EXAMPLES


@pytest.mark.parametrize(
    "text",
    [
        "Your HIV visit is on 03/02",
        "come for your hiv-visit",
        "H.I.V. care",
        "h i v",
        "H1V",
        "\u041dIV",  # a Cyrillic letter that looks like a Latin one
        "hi\u200bv",  # an invisible sign inside the word
        "\uff28\uff29\uff36",
        "Your A R T refill",
        "ARVs are ready",
        "a.r.v",
        "Your CD4 count",
        "cd 4",
        "VIRAL LOAD",
        "vi-ral",
        "at risk",
        "votre charge virale",
        "le VIH",
        "o SIDA",
        "dawa za UKIMWI",
        "kanjamau",
        "Dolutegravir",
        "TLD pickup",
        "antirétroviraux",
        "collect your pills",
        "remédios",
        "ኤች አይ ቪ",
        "HIVclinic",
        "HIVtest",
        "HIVpositive",
        "HIV2",
        "H1Vclinic",
        "ARVdrugs",
        "takeARV",
        "TLDpills",
        "archivesHIV",
        "\U0001d407\U0001d408\U0001d415",  # mathematical bold letters
        "\U0001d6ae\U0001d408\U0001d415",  # the first one Greek
        "madawa yako",
        "Ukimwini",
        "maganin ku",
    ],
)
def test_words_that_tell_are_found(text):
    assert telling_words(text)


@pytest.mark.parametrize(
    "text",
    [
        *EXAMPLES.values(),
        "Start of the party: Sunday, 10:30. Call 0803 123 4567",
        "A heartfelt thank you; the artist arrives.",
        "Spiral stairs, arrival at the brisk market",
        "Harvest festival: a marvel. Archives, hives and carved chives",
        "Next year visit us; a superb archivist",
        "",
    ],
)
def test_ordinary_words_are_not(text):
    assert telling_words(text) == []


def test_names_are_found_as_whole_words_in_order():
    names = ["Riverside Clinic", "Ngozi", "Al"]
    assert telling_words("see you at riverside  CLINIC", names) == ["riverside clinic"]
    assert telling_words("Dear Ngózi", names) == ["ngozi"]
    assert telling_words("the clinic at the riverside, al", names) == []


@given(st.sampled_from(sorted(WORDS)), st.sampled_from(["", " ", ".", "-", " . "]), st.booleans())
def test_no_separator_hides_a_word(word, separator, upper):
    text = separator.join(word) if len(word) > 2 else word
    assert telling_words(f"see {text.upper() if upper else text} soon")


@pytest.mark.parametrize(
    ("text", "unicode", "segments"),
    [
        ("", False, 0),
        ("a" * 160, False, 1),
        ("a" * 161, False, 2),
        ("a" * 306, False, 2),
        ("a" * 307, False, 3),
        ("€" * 80, False, 1),
        ("a" * 152 + "€" + "a" * 152, False, 3),  # the sign of two septets moves to the next part
        ("ê" * 70, True, 1),
        ("ê" * 71, True, 2),
        ("😀" * 35, True, 1),
        ("ê" * 66 + "😀" + "ê" * 66, True, 3),
    ],
)
def test_the_parts_of_a_text(text, unicode, segments):
    size = size_of(text)
    assert (size.unicode, size.segments) == (unicode, segments)


@given(st.text(alphabet=sorted(BASIC), max_size=400))
def test_texts_of_the_basic_alphabet_need_no_unicode(text):
    assert size_of(text).others == ""
    assert size_of(text).units == len(text)


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("0803 123 4567", "NG", "+2348031234567"),
        ("+234 803 123 4567", "KE", "+2348031234567"),
        ("08031234567 / 0809 000 0000", "NG", "+2348031234567"),
        ("0712 345 678", "KE", "+254712345678"),
        ("12345", "NG", None),
        ("09 461 2345", "NG", None),  # a fixed line
        ("none", "NG", None),
        (None, "NG", None),
    ],
)
def test_phones_in_e164(text, region, number):
    assert mobile_number(text, region) == number


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("STOP", "stop"),
        (" stop. ", "stop"),
        ("Stop sending me this", "stop"),
        ("ARRÊT", "stop"),
        ("Pare", "stop"),
        ("acha", "stop"),
        ("START", "start"),
        ("1", "coming"),
        ("1.", "coming"),
        ("2", "call"),
        ("1 or 2?", None),
        ("start when?", None),
        ("who is this", None),
        ("", None),
    ],
)
def test_answers_are_read_only_where_they_are_certain(text, answer):
    assert classify(text) == answer


WORKDAYS = MessageSettings(first_hour=8, last_hour=19, free_weekdays=(7,), holidays=(date(2026, 12, 25),))


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (datetime(2026, 12, 1, 9, tzinfo=UTC), datetime(2026, 12, 1, 9, tzinfo=UTC)),
        (datetime(2026, 12, 1, 5, tzinfo=UTC), datetime(2026, 12, 1, 7, tzinfo=UTC)),
        (datetime(2026, 12, 1, 18, tzinfo=UTC), datetime(2026, 12, 2, 7, tzinfo=UTC)),
        (datetime(2026, 12, 5, 18, tzinfo=UTC), datetime(2026, 12, 7, 7, tzinfo=UTC)),  # Saturday evening
        (datetime(2026, 12, 24, 18, tzinfo=UTC), datetime(2026, 12, 26, 7, tzinfo=UTC)),
    ],
    ids=["open", "early", "late", "Sunday", "holiday"],
)
def test_messages_wait_for_the_next_allowed_hour_of_the_tenant(moment, expected):
    assert next_allowed(moment, WORKDAYS, "Africa/Lagos") == expected


def test_hours_follow_the_change_of_clocks():
    before = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
    settings = MessageSettings(first_hour=8, last_hour=19, free_weekdays=())
    assert next_allowed(before, settings, "Europe/Paris") == datetime(2026, 3, 29, 6, tzinfo=UTC)
