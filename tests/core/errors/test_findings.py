"""Pydantic's findings in our words repeat nothing of the value and say what to send."""

from uuid import UUID

import pytest
from pydantic import TypeAdapter, ValidationError

from core.errors.findings import problem_of, remedy_of
from tenants.records.schemas import Line


def reported(kind, value):
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value)
    (finding,) = caught.value.errors()
    return problem_of(finding), remedy_of(finding)


@pytest.mark.parametrize("value", ["zaïnab", 7])
def test_a_value_that_is_no_uuid_is_not_repeated(value):
    assert reported(UUID, value) == ("is not a UUID", "Send a UUID, such as 019c2291-b3a0-7768-a5f9-23774462ebfc.")


@pytest.mark.parametrize("value", ["a\0b", "a\nb"])
def test_a_control_character_is_named_instead_of_the_pattern(value):
    assert reported(Line, value) == ("has a control character, such as a line break", "Leave control characters out.")
