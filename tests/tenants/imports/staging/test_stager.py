"""One stager takes the facts of all formats, and stages a row independently of the rows beside it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from core.database import TenantRef, tenant_session
from tenants.imports.facts import (
    AppointmentFact,
    DispensationFact,
    EncounterFact,
    FacilityFact,
    Fact,
    ObservationFact,
    PatientFact,
    PatientStateFact,
    Reading,
    Rejection,
    SnapshotFact,
    UnreadContactFact,
    VisitFact,
)
from tenants.imports.reading.blocks import PortionLimits, chunks
from tests.tenants.imports.reading.staged_rows import facilities, have_facilities, staged, without_facilities

DATA_DATE = date(2024, 6, 30)
LAGOS = timezone(timedelta(hours=1))
LATE = datetime(2024, 6, 30, 23, 30, tzinfo=UTC)
"""One instant that is on the data date in UTC and on the day after it in Lagos, where it is rejected."""
EVENT: dict[str, Any] = {"patient": "P1", "facility": "C1"}


def observation(key: str, when: datetime, **more: Any) -> ObservationFact:
    """A weight, unless ``more`` replaces it."""
    return ObservationFact(**(EVENT | {"key": key, "obs_datetime": when, "variable_name": "weight"} | more))


def rows_of_all_kinds() -> list[Reading]:
    """A row for each kind of fact and for each fault of one."""
    noon = datetime.combine(date(2024, 1, 5), datetime.min.time())
    facts: list[list[Fact]] = [
        [FacilityFact(key="C1", name="Clinic"), PatientFact(key="P1", patient="P1", facility="C1", sex="F")],
        [PatientFact(key="P1", patient="P1", facility="C1", pepfar_id="A/1", derived_on=date(2024, 1, 5))],
        [PatientFact(key="P1", patient="P1", facility="C1", pepfar_id="A/1", derived_on=date(2024, 2, 5))],
        [PatientFact(key="P2", patient="P2", facility="C1", birthdate=date(1880, 1, 1))],
        [VisitFact(**EVENT, key="v1", date_started=date(2024, 1, 5), known_at=noon)],
        [VisitFact(**EVENT, key="v2", date_started=date(2024, 1, 5), date_stopped=date(2023, 1, 5))],
        [VisitFact(**EVENT, key="v3", date_started=date(2999, 1, 5), voided=True)],
        [VisitFact(**EVENT, key="v4", date_started=date(2999, 1, 5))],
        [VisitFact(key="v5", patient="NOBODY", date_started=date(2024, 1, 5))],
        [VisitFact(key="v6", patient=" ", facility="C1", date_started=date(2024, 1, 5))],
        [EncounterFact(**EVENT, key="e1", encounter_datetime=LATE, encounter_type="care")],
        [EncounterFact(**EVENT, key="e2", encounter_datetime=LATE.astimezone(LAGOS), encounter_type="care")],
        [observation("o1", LATE.astimezone(LAGOS), value_numeric=70)],
        [observation("o2", LATE, value_numeric=70.0)],
        [observation("o3", noon, value_numeric=-0.0), observation("o4", noon, value_numeric=1)],
        [observation("o5", noon, value_numeric=True), observation("o6", noon, value_text="x" * 2001)],
        [observation("o7", noon, variable_name="viral_load", value_numeric=0.0, labels={"obs_datetime": "Day"})],
        [DispensationFact(**EVENT, key="d1", date_dispensed=date(2024, 1, 5), days_supplied=900)],
        [DispensationFact(**EVENT, key="d2", date_dispensed=date(2024, 1, 5), regimen="y" * 2001)],
        [AppointmentFact(**EVENT, key="a1", booked_on=date(2024, 1, 5), due_date=date(2023, 1, 5))],
        [PatientStateFact(**EVENT, key="s1", state="died"), PatientStateFact(**EVENT, key="s2", state="stopped")],
        [SnapshotFact(**EVENT, key="P1", status="active", last_pickup=date(2024, 1, 5), days_supplied=0)],
        [UnreadContactFact(**EVENT, key="P1"), UnreadContactFact(**EVENT, key="P1", not_after=date(2024, 1, 5))],
    ]
    readings = [Reading(0, line, facts=row_facts) for line, row_facts in enumerate(facts, start=2)]
    readings.append(Reading(0, 90, facts=[observation("o8", noon)], rejections=[Rejection("Day", "wrong", "mend it")]))
    readings.append(Reading(1, 3, facts=[observation("o9", noon)], omissions=[Rejection("Cell", "wrong", "mend it")]))
    readings.append(Reading(1, 4, left_out=True))
    return readings


def test_a_row_is_staged_independently_of_the_rows_beside_it(module_tenant: TenantRef) -> None:
    outcomes = []
    for most, backwards in ((1, False), (1000, False), (7, False), (1000, True)):
        with tenant_session(module_tenant, actor="test:1") as session:
            have_facilities(session, "C1")
            readings = rows_of_all_kinds()
            blocks = chunks(readings[::-1] if backwards else readings, PortionLimits(most, 1000, most))
            rows, rejected, tally = staged(session, blocks, DATA_DATE)
            outcomes.append((sorted(without_facilities(rows), key=repr), facilities(rows), rejected, tally))
            session.rollback()
    assert outcomes[1:] == [outcomes[0]] * 3
    rows, _, rejected, tally = outcomes[0]
    assert len(rows) > len(rows_of_all_kinds()) / 2
    assert {line for _, line, *_ in rejected} >= {5, 9, 11, 13, 14, 19, 21, 90}
    assert tally[2] == 1


def test_one_instant_is_judged_by_the_day_that_its_source_gives_it(module_tenant: TenantRef) -> None:
    for zones in ((UTC, LAGOS), (LAGOS, UTC)):
        facts = [observation(str(zone), LATE.astimezone(zone), value_numeric=70.0) for zone in zones]
        readings = [Reading(0, line, facts=[fact]) for line, fact in enumerate(facts)]
        with tenant_session(module_tenant, actor="test:1") as session:
            rows, rejected, _ = staged(session, chunks(readings, PortionLimits(10, 10, 10)), DATA_DATE)
            session.rollback()
        assert [row[3] for row in rows if row[1] == "accepted"] == [zones.index(UTC)]
        assert [line for _, line, *_ in rejected] == [zones.index(LAGOS)]
