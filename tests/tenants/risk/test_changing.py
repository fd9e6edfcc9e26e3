"""Records that change while they are scored: all rows of a scoring are of one state of them."""

from __future__ import annotations

import pytest

from core.database import tenant_session
from core.errors import Conflict
from core.tenancy import settings as tenant_settings
from tenants.cohort.timelines import to_date
from tenants.risk import repository, scoring
from tenants.risk.settings import RiskSettings
from tests.tenants.risk.clinics import END, clinics
from tests.tenants.risk.conftest import opener, predictions, store

DAY = to_date(END)
CHUNK = 20
"""Patients of a step, at least: a step scores whole facilities."""
STEPS_FROM = 4
"""The first transaction that is a step: those before ask which model, take the rates, and make the run's row."""


class Killed(BaseException):
    """What a kill does to the process."""


@pytest.fixture
def clinic(make_tenant):
    tenant = make_tenant().ref
    store(tenant, clinics(60, facilities=4))
    return tenant


def import_newer(tenant):
    """Everybody came on the day itself, as an import of that day tells."""
    with tenant_session(tenant, actor="test:1") as session, session.cursor() as cursor:
        cursor.execute(
            "INSERT INTO contacts (contact_id, patient_uuid, contact_date, facility_uuid, clinical, pickup,"
            " days_supplied, next_appointment, regimen, known_from, known_assumed)"
            " SELECT gen_random_uuid(), uuid, %(day)s - 1, facility_uuid, true, true, 30, %(day)s + 29, 'TDF/3TC/DTG',"
            " (%(day)s - 1)::timestamptz, false FROM patients ON CONFLICT DO NOTHING",
            {"day": DAY},
        )


def disturbed(tenant, at, act):
    """An opener that acts before its transactions of these numbers, counted from 1."""
    taken = iter(range(1, 1000))
    opened = opener(tenant)

    def open_session():
        if next(taken) in at:
            act(tenant)
        return opened()

    return open_session


def kill(_tenant):
    raise Killed


def killed_between_steps(tenant):
    """How many patients the killed scoring had seen."""
    with pytest.raises(Killed):
        scoring.score(tenant, disturbed(tenant, {STEPS_FROM + 1}, kill), DAY, chunk_patients=CHUNK)
    with opener(tenant)() as session:
        seen = repository.run_of(session, DAY).patients_seen
    assert CHUNK <= seen < 60
    return seen


def seen_of(tenant):
    """The counts that scoring again tells of, step by step."""
    seen = []
    scoring.score(tenant, opener(tenant), DAY, progress=lambda done, *_: seen.append(done), chunk_patients=CHUNK)
    return seen


def assert_of_one_state(tenant):
    rows = predictions(tenant, DAY)
    scoring.score(tenant, opener(tenant), DAY)
    assert predictions(tenant, DAY) == rows


def test_a_killed_scoring_goes_on_where_nothing_changed(clinic):
    before = killed_between_steps(clinic)
    assert seen_of(clinic)[0] > before
    assert_of_one_state(clinic)


def test_a_killed_scoring_begins_anew_where_newer_records_came(clinic):
    before = killed_between_steps(clinic)
    import_newer(clinic)
    assert seen_of(clinic)[0] == before
    assert_of_one_state(clinic)


def test_a_killed_scoring_begins_anew_where_a_setting_changed(clinic):
    before = killed_between_steps(clinic)
    with opener(clinic)() as session:
        tenant_settings.put(session, RiskSettings(capacity_share=0.1))
    assert seen_of(clinic)[0] == before


def test_records_that_change_while_they_are_scored_are_scored_anew(clinic):
    outcome = scoring.score(clinic, disturbed(clinic, {STEPS_FROM + 1}, import_newer), DAY, chunk_patients=CHUNK)
    assert outcome.patients == 60
    assert_of_one_state(clinic)


def test_records_that_keep_changing_end_the_scoring_undone(clinic):
    def touch(tenant):
        with tenant_session(tenant, actor="test:1") as session, session.cursor() as cursor:
            cursor.execute(
                "UPDATE contacts SET contact_id = gen_random_uuid()"
                " WHERE contact_id = (SELECT contact_id FROM contacts LIMIT 1)"
            )

    with pytest.raises(Conflict, match="records changed"):
        scoring.score(clinic, disturbed(clinic, range(STEPS_FROM, 1000), touch), DAY)
    with opener(clinic)() as session:
        assert repository.run_of(session, DAY).state != "done"
