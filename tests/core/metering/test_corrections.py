"""A use is taken off by a counter-entry of its own time; a key stands for one use, and another one is rejected."""

import pytest

from core import metering
from core.database import tenant_session
from core.errors import Conflict, Invalid, NotFound
from core.metering.corrections import correct
from core.metering.details import count_uses, uses
from core.metering.service import CONFLICTS, UsageConflict
from tests.core.metering.conftest import BEGIN, END, rolled_up, use
from tests.ledger import roll_up


def take_off(tenant, key, meter="import_rows", reason="counted by mistake"):
    with tenant_session(tenant, actor="test:1") as session:
        return correct(session, meter, key=key, reason=reason)


def test_a_correction_takes_the_use_off_in_its_own_period(tenant):
    use(tenant, "a", 5)
    use(tenant, "b", 2)
    (*_, first) = roll_up()
    assert take_off(tenant, "a") == 5
    roll_up()
    assert (rolled_up(tenant), rolled_up(tenant, aggregation="count")) == (2, 1)
    assert rolled_up(tenant, as_of=first.number) == 7
    with tenant_session(tenant, actor="test:1", readonly=True) as session:
        assert metering.totals(session)["import_rows"] == 2


def test_both_entries_stay_in_the_ledger(tenant):
    use(tenant, "a", 5)
    take_off(tenant, "a")
    with tenant_session(tenant, actor="test:1", readonly=True) as session:
        entries = uses(session, "import_rows", BEGIN, END)
        assert count_uses(session, "import_rows", BEGIN, END) == 2
    first, second = sorted(entries, key=lambda entry: entry.recorded_at)
    assert (first.value, second.value, second.corrects, second.reason) == (5, -5, first.id, "counted by mistake")


def test_what_was_corrected_is_not_unique_any_more(tenant):
    for key, plugin in (("a", "x"), ("b", "x"), ("c", "y")):
        use(tenant, key, meter="plugin_requests", plugin=plugin)
    take_off(tenant, "c", "plugin_requests")
    take_off(tenant, "a", "plugin_requests")
    roll_up()
    assert rolled_up(tenant, "plugin_requests", "unique:plugin") == 1


@pytest.mark.parametrize(
    ("key", "meter", "reason", "error"),
    [
        ("nothing", "import_rows", "r", NotFound),
        ("a", "no_meter", "r", NotFound),
        ("a", "import_rows", " ", Invalid),
        ("s", "storage_bytes", "r", Conflict),
    ],
)
def test_what_cannot_be_corrected_is_rejected(tenant, key, meter, reason, error):
    use(tenant, "a", 5)
    with pytest.raises(error):
        take_off(tenant, key, meter, reason)


def test_a_use_is_corrected_once(tenant):
    use(tenant, "a", 5)
    take_off(tenant, "a")
    for key in ("a", "correction:a"):
        with pytest.raises(Conflict):
            take_off(tenant, key)


def test_the_same_key_with_another_value_is_a_conflict_and_is_counted(tenant):
    use(tenant, "a", 5)
    before = CONFLICTS.value("import_rows")
    assert not use(tenant, "a", 5)
    with pytest.raises(UsageConflict, match="'a' with other values") as raised:
        use(tenant, "a", 6)
    assert raised.value.status == 409
    assert CONFLICTS.value("import_rows") == before + 1


def test_the_same_key_with_other_dimensions_or_another_time_is_a_conflict(tenant):
    use(tenant, "a", meter="plugin_requests", plugin="x")
    with pytest.raises(UsageConflict):
        use(tenant, "a", meter="plugin_requests", plugin="y")
    with pytest.raises(UsageConflict):
        use(tenant, "a", meter="plugin_requests", plugin="x", at=END)


def test_work_that_may_be_done_again_counts_the_first_time(tenant):
    use(tenant, "a", 5)
    with tenant_session(tenant, actor="test:1") as session:
        assert not metering.record(session, "import_rows", 9, key="a", first_counts=True)
        assert metering.totals(session)["import_rows"] == 5
