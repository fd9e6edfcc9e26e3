"""The versioned upsert: what wins, what stays, and what does not depend on the order of imports."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from threading import Thread
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.database import tenant_session
from tenants.records import writing
from tenants.records.ids import entity_uuid, new_uuid
from tenants.records.models import Visit
from tenants.records.upsert import UpsertCounts, staging, upsert

FACILITY = UUID("0197c1f0-0000-7000-8000-00000000000f")
PATIENT = UUID("0197c1f0-0000-7000-8000-00000000000a")
FIRST = date(2024, 1, 1)


def key(number: int) -> bytes:
    return number.to_bytes(16, "big")


def load(session, rows, data_date, *, source="csv:a", import_uuid=None, **options):
    """Upsert rows of (key, visit type); a type of None is a row that the source has voided."""
    with staging(session, Visit, source=source) as stage:
        for number, word in rows:
            content = {
                "patient_uuid": PATIENT,
                "date_started": FIRST + timedelta(number),
                "visit_type": word or "clinical",
            }
            stage.add(FACILITY, key(number), content, voided=word is None, **options)
    return upsert(session, stage, import_uuid=import_uuid or new_uuid(), data_date=data_date)


def current(session):
    """(number, type, data date) of what holds now."""
    versions = session.cursor().execute(
        "SELECT source_key, visit_type, data_date FROM visits"
        " WHERE known_to IS NULL AND NOT voided ORDER BY source_key",
    )
    return [(int.from_bytes(k, "big"), word, day) for k, word, day in versions]


def versions(session):
    return (
        session.cursor()
        .execute(
            "SELECT visit_type, known_from, known_to, known_assumed, voided FROM visits"
            " ORDER BY known_from, version_id",
        )
        .fetchall()
    )


def test_new_rows_are_inserted_and_their_patients_named(session):
    done = load(session, [(1, "clinical"), (2, "pharmacy")], date(2024, 3, 1))
    assert done.counts == UpsertCounts(inserted=2)
    assert done.patients == [PATIENT]
    assert current(session) == [(1, "clinical", date(2024, 3, 1)), (2, "pharmacy", date(2024, 3, 1))]


def test_the_same_rows_twice_change_nothing(session):
    rows = [(1, "clinical"), (2, None)]
    load(session, rows, date(2024, 3, 1))
    before = versions(session)
    again = load(session, rows, date(2024, 3, 1))
    assert again.counts == UpsertCounts(unchanged=2)
    assert again.patients == []
    assert versions(session) == before
    assert session.cursor().execute("SELECT DISTINCT runs FROM visits").fetchall() == [([1, 2],)]


def test_a_change_closes_one_version_and_adds_the_next(session):
    load(session, [(1, "clinical")], date(2024, 3, 1))
    done = load(session, [(1, "pharmacy")], date(2024, 4, 1))
    assert done.counts == UpsertCounts(updated=1)
    old, new = versions(session)
    assert old[0] == "clinical"
    assert new[0] == "pharmacy"
    assert old[2] == new[1] == datetime(2024, 3, 31, 23, tzinfo=UTC)  # 1 April where the tenant is (UTC+1)
    assert new[2] is None


def test_an_older_import_inserts_the_closed_versions_that_it_would_have_made(session):
    load(session, [(1, "pharmacy")], date(2024, 4, 1))
    done = load(session, [(1, "clinical"), (2, "clinical")], date(2024, 3, 1))
    assert done.counts == UpsertCounts(inserted=1, superseded=1)
    assert done.patients == [PATIENT]
    assert current(session) == [(1, "pharmacy", date(2024, 4, 1)), (2, "clinical", date(2024, 3, 1))]
    april = datetime(2024, 3, 31, 23, tzinfo=UTC)
    assert ("clinical", datetime(2024, 2, 29, 23, tzinfo=UTC), april, False, False) in versions(session)
    assert ("pharmacy", april, None, False, False) in versions(session)


def test_of_one_data_date_the_later_import_wins(session):
    load(session, [(1, "clinical")], date(2024, 3, 1))
    done = load(session, [(1, "pharmacy")], date(2024, 3, 1))
    assert done.counts == UpsertCounts(updated=1)
    assert current(session) == [(1, "pharmacy", date(2024, 3, 1))]


def test_absence_voids_nothing(session):
    load(session, [(1, "clinical"), (2, "clinical")], date(2024, 3, 1))
    load(session, [(1, "clinical")], date(2024, 4, 1))
    assert [number for number, _, _ in current(session)] == [1, 2]


def test_what_lies_between_two_confirmations_splits_them(session):
    load(session, [(1, "clinical")], date(2024, 3, 1))
    load(session, [(1, "clinical")], date(2024, 5, 1))
    done = load(session, [(1, "pharmacy")], date(2024, 4, 1))
    assert done.counts == UpsertCounts(superseded=1)
    assert [row[0] for row in versions(session)] == ["clinical", "pharmacy", "clinical"]
    check_chains(session)


def test_what_the_source_voided_revives_when_the_source_takes_it_back(session):
    load(session, [(1, "clinical")], date(2024, 3, 1))
    load(session, [(1, None)], date(2024, 4, 1), void_reason="duplicate")
    assert current(session) == []
    tombstone = (
        session.cursor()
        .execute(
            "SELECT voided_by, date_voided, void_reason FROM visits WHERE known_to IS NULL",
        )
        .fetchone()
    )
    assert tombstone == ("source", datetime(2024, 3, 31, 23, tzinfo=UTC), "duplicate"), "the data date, not the arrival"
    load(session, [(1, "clinical")], date(2024, 5, 1))
    assert current(session) == [(1, "clinical", date(2024, 5, 1))]


def test_what_a_person_voided_stays_voided(session):
    load(session, [(1, "clinical")], date(2024, 3, 1))
    uuid = entity_uuid("visits", FACILITY, "csv:a", key(1))
    writing.void(session, writing.open_version(session, Visit, uuid, lock=True), "entered twice")
    done = load(session, [(1, "pharmacy")], date(2030, 1, 1))
    assert done.counts == UpsertCounts(still_voided=1)
    assert current(session) == []


def test_the_last_of_repeated_keys_counts(session):
    done = load(session, [(1, "clinical"), (1, "pharmacy"), (1, "laboratory")], date(2024, 3, 1))
    assert done.counts == UpsertCounts(inserted=1)
    assert current(session) == [(1, "laboratory", date(2024, 3, 1))]


def test_one_identifier_of_two_sources_or_facilities_is_two_entities(session):
    load(session, [(1, "clinical")], date(2024, 3, 1), source="csv:a")
    done = load(session, [(1, "pharmacy")], date(2024, 3, 1), source="csv:b")
    assert done.counts == UpsertCounts(inserted=1)
    assert entity_uuid("visits", FACILITY, "csv:a", key(1)) != entity_uuid("visits", PATIENT, "csv:a", key(1))
    assert entity_uuid("visits", FACILITY, "csv:a", key(1)) != entity_uuid("patients", FACILITY, "csv:a", key(1))


def test_a_sources_stamp_is_when_it_was_known(session):
    stamp = datetime(2024, 2, 10, 8, 30, tzinfo=UTC)
    load(session, [(1, "clinical")], date(2024, 3, 1), known_from=stamp, assumed_from=date(2024, 1, 5))
    assert versions(session) == [("clinical", stamp, None, False, False)]


def test_history_in_bulk_is_assumed_known_at_its_date_and_later_imports_at_theirs(session):
    first = new_uuid()
    load(session, [(1, "clinical")], date(2024, 3, 1), import_uuid=first, assumed_from=date(2024, 1, 5))
    # A second step of the same import is still the first import; a date after the data ran is capped.
    load(session, [(2, "clinical")], date(2024, 3, 1), import_uuid=first, assumed_from=date(2024, 6, 1))
    load(session, [(3, "clinical")], date(2024, 4, 1), assumed_from=date(2024, 1, 7))
    assert [(known_from, assumed) for _, known_from, _, assumed, _ in versions(session)] == [
        (datetime(2024, 1, 4, 23, tzinfo=UTC), True),
        (datetime(2024, 2, 29, 23, tzinfo=UTC), True),
        (datetime(2024, 3, 31, 23, tzinfo=UTC), False),
    ]


def test_an_update_is_known_from_the_data_date_even_after_assumed_history(session):
    load(session, [(1, "clinical")], date(2024, 3, 1), assumed_from=date(2024, 1, 5))
    load(session, [(1, "pharmacy")], date(2024, 3, 5), assumed_from=date(2024, 1, 5))
    assert versions(session)[1][:4] == ("pharmacy", datetime(2024, 3, 4, 23, tzinfo=UTC), None, False)


def test_one_import_says_one_thing_of_an_entity(session):
    first = new_uuid()
    load(session, [(1, "clinical")], date(2024, 3, 1), import_uuid=first)
    load(session, [(1, "pharmacy")], date(2024, 3, 1), import_uuid=first)
    assert [row[0] for row in versions(session)] == ["pharmacy"]


def test_of_two_imports_of_one_day_the_digest_decides_whichever_is_gone_on_with_last(session):
    first, day = new_uuid(), date(2024, 3, 1)
    load(session, [(1, "clinical")], day, import_uuid=first)
    load(session, [(2, "pharmacy"), (4, "clinical")], day)
    done = load(session, [(2, "clinical"), (3, "clinical"), (4, "clinical")], day, import_uuid=first)
    assert done.counts == UpsertCounts(inserted=1, unchanged=1, superseded=1)
    assert current(session) == [
        (1, "clinical", day), (2, "pharmacy", day), (3, "clinical", day), (4, "clinical", day),
    ]  # fmt: skip


@pytest.mark.parametrize("source", ["", "api"])
def test_a_source_needs_a_name_of_its_own(session, source):
    with pytest.raises(ValueError, match="name of its own"), staging(session, Visit, source=source):
        pytest.fail("it was accepted")


def test_a_misspelt_column_and_a_time_without_zone_are_rejected(session):
    with staging(session, Visit, source="csv:a") as stage:
        with pytest.raises(ValueError, match="date_startd"):
            stage.add(FACILITY, key(1), {"patient_uuid": PATIENT, "date_startd": FIRST})
        with pytest.raises(ValueError, match="zone"):
            stage.add(FACILITY, key(1), {"date_started": FIRST}, known_from=datetime(2024, 1, 1))  # noqa: DTZ001
    assert upsert(session, stage, import_uuid=new_uuid(), data_date=FIRST).counts == UpsertCounts()


batches = st.lists(
    st.dictionaries(st.integers(1, 4), st.sampled_from(["clinical", "pharmacy", None]), min_size=1, max_size=4),
    min_size=2,
    max_size=4,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=batches, data=st.data())
def test_what_holds_now_does_not_depend_on_the_order_of_imports(module_tenant, batches, data):
    dated = [(FIRST + timedelta(30 * index), rows) for index, rows in enumerate(batches)]
    expected = {number: word for _, rows in dated for number, word in rows.items()}
    order = data.draw(st.permutations(dated))
    with tenant_session(module_tenant, actor="test:1") as session:
        for day, rows in order:
            load(session, list(rows.items()), day)
        assert [(n, w) for n, w, _ in current(session)] == sorted((n, w) for n, w in expected.items() if w)
        for day, rows in order:
            assert load(session, list(rows.items()), day).patients == []
        check_chains(session)
        session.rollback()  # the next example finds an empty tenant


def check_chains(session):
    """Each entity's versions follow one another without gap or overlap, and one is open."""
    rows = session.cursor().execute("SELECT uuid, known_from, known_to FROM visits ORDER BY uuid, known_from, known_to")
    chains: dict[UUID, list[tuple[datetime, datetime | None]]] = {}
    for uuid, known_from, known_to in rows:
        chains.setdefault(uuid, []).append((known_from, known_to))
    for chain in chains.values():
        assert [known_to for _, known_to in chain[:-1]] == [known_from for known_from, _ in chain[1:]]
        assert chain[-1][1] is None


def test_two_imports_at_once_give_what_one_after_the_other_gives(tenant):
    failures: list[BaseException] = []

    def run(word: str, day: date) -> None:
        try:
            for step in range(5):
                with tenant_session(tenant, actor="test:1") as session:
                    rows = [(number, word) for number in range(step * 20, step * 20 + 40)]
                    load(session, rows if word == "clinical" else rows[::-1], day)
        except BaseException as error:  # noqa: BLE001 - told by the test
            failures.append(error)

    threads = [
        Thread(target=run, args=("clinical", date(2024, 3, 1))),
        Thread(target=run, args=("pharmacy", date(2024, 4, 1))),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with tenant_session(tenant, actor="test:1") as session:
        assert {word for _, word, _ in current(session)} == {"pharmacy"}
        assert len(current(session)) == 120
        check_chains(session)
