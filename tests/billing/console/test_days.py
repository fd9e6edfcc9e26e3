"""Days that a reader writes into addresses and forms of the console."""

import pytest

from billing.console.cost_pages import _first_day
from billing.console.plan_pages import day_of
from billing.console.usage_pages import span_of
from core.clock import now
from core.errors import Invalid


@pytest.mark.parametrize("year", ["0001", "9999"])
def test_days_of_another_century_are_no_days(year):
    this_month = now().date().replace(day=1)
    assert span_of(f"{year}-01-01", f"{year}-12-31")[0] == this_month
    assert span_of(f"{year}-01-01", f"{year}-01-02")[0] == this_month
    assert _first_day(f"{year}-12") == this_month
    with pytest.raises(Invalid):
        day_of(f"{year}-12-31", "effective_on")
