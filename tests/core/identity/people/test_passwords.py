"""Which passwords can be chosen (NIST SP 800-63B-4), and what is stored of them."""

import pytest

from core.errors import Invalid
from core.identity.people import passwords

CONTEXT = ("tracker@example.org", "Tracking officer")


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "fourteen chars",
        "x" * 257,
        "aaaaaaaaaaaaaaaaaaaa",
        "tracker@example.org",
        "trackertracker1234",
        "passwordpassword",
        "1234567890123456",
    ],
)
def test_short_long_known_and_own_words_are_rejected_by_field(password):
    with pytest.raises(Invalid) as error:
        passwords.check_new(password, CONTEXT)
    assert [problem.field for problem in error.value.errors] == ["password"]
    assert password not in str(error.value.errors)


@pytest.mark.parametrize("password", ["seven green bicycles", "ẹ̀kọ́ dára fún gbogbo ènìyàn", "k" + "Ab7 " * 60])
def test_any_other_text_can_be_chosen_without_rules_of_composition(password):
    passwords.check_new(password, CONTEXT)


def test_one_text_typed_on_two_keyboards_is_one_password():
    assert passwords.matches("cafe\u0301 in the morning", passwords.hash_of("caf\u00e9 in the morning"))


def test_the_stored_form_is_argon2id_and_differs_each_time():
    first, second = passwords.hash_of("seven green bicycles"), passwords.hash_of("seven green bicycles")
    assert first.startswith("$argon2id$")
    assert first != second
    assert not passwords.matches("seven green bicycle", first)
    assert not passwords.matches("seven green bicycles", None)
