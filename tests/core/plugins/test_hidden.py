"""What a vendor answers reaches a plugin and its log without the phone of the message, however it is written."""

import json

import pytest

from core.plugins.filling import hide

PHONE = "+2348031234567"


@pytest.mark.parametrize(
    "written",
    [
        PHONE, "2348031234567", "08031234567", "8031234567", "+234 803 123 4567", "0803-123-4567", "(0)803 123 4567",
        "+234 (0) 803 123 4567", "002348031234567", "0803 1234567", "0803.123.4567",
    ],
)  # fmt: skip
def test_a_phone_is_hidden_in_the_forms_that_people_and_vendors_write(written):
    hidden = hide(f"No route to {written}: try later, code 4567", {"to": PHONE})
    assert "8031234567" not in "".join(sign for sign in hidden if sign.isdigit())
    assert "123" not in hidden
    assert hidden.startswith("No route to ")
    assert hidden.endswith(": try later, code 4567")


def test_a_phone_that_is_a_number_in_json_stays_one():
    assert json.loads(hide('{"to": 8031234567, "id": 98031234567}', {"to": PHONE})) == {
        "to": 9999999999, "id": 98031234567,
    }  # fmt: skip


def test_what_is_no_phone_is_hidden_as_it_is():
    assert hide("token abc-def-ghi, +1", {"a": "abc-def-ghi", "b": "+1"}) == "token ******, +1"
