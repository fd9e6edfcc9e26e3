"""The words of a card."""

import pytest

from tenants.portal.words import grouped


@pytest.mark.parametrize(
    ("phone", "shown"),
    [("08000000412", "0800 000 0412"), ("+2348000000412", "+2348000000412"), ("0800 000 0412", "0800 000 0412")],
)
def test_a_national_number_is_shown_in_groups_and_any_other_as_it_is(phone, shown):
    assert grouped(phone) == shown
