"""Counts come from a cache, and every write shows in them at once."""

from datetime import date, timedelta

from core.cache import reading
from core.tenancy import settings as tenant_settings
from tenants.cohort import service
from tenants.cohort.caches import PERIOD_COUNTS
from tenants.cohort.calendar import period_of
from tenants.cohort.settings import CohortSettings, FixedRule

START = date(2025, 1, 1)
QUARTER = period_of("2025Q1")


def hits():
    return reading.READS.value(PERIOD_COUNTS.name, "hit")


def count(api, name):
    answer = api.get("/v1/cohort/indicators", params={"period": "2025Q1"})
    assert answer.status_code == 200, answer.text
    return answer.json()["rows"][0]["counts"][name]


def test_the_same_counts_are_not_counted_again(api, store):
    clinic = store.facility()
    store.visits(clinic, store.patient(clinic, art_start_date=START, sex="F"), START)
    first, before = count(api, "TX_NEW"), hits()
    assert (first, count(api, "TX_NEW"), hits()) == (1, 1, before + 1)


def test_each_write_by_the_api_shows_at_once(api, store):
    """A patient, a visit, a viral load, a correction and a voided record."""
    store.facility()
    seen = []

    def write(method, path, body=None, version=None):
        headers = {} if version is None else {"If-Match": f'"{version}"'}
        answer = api.request(method, f"/v1{path}", json=body, headers=headers)
        assert answer.status_code in (200, 201, 204), answer.text
        seen.append(tuple(count(api, name) for name in ("TX_CURR", "TX_NEW", "TX_PVLS_D", "TX_PVLS_N")))
        return answer.json() if answer.content else {}

    person = {"facility": "FAC1", "hospital_number": "H-1", "sex": "F", "art_start_date": "2024-01-02"}
    patient = write("POST", "/patients", person)["id"]
    visit = {"patient_id": patient, "date_started": "2025-01-10", "next_appointment": "2025-04-30"}
    stay = write("POST", "/visits", visit)
    result = {"obs_datetime": "2025-02-01T09:00:00Z", "variable_name": "viral_load", "value_numeric": 5000}
    load = write("POST", "/observations", {"patient_id": patient, **result})
    load = write("PATCH", f"/observations/{load['id']}", {"value_numeric": 20}, load["version_id"])
    write("DELETE", f"/observations/{load['id']}?reason=entered_twice", version=load["version_id"])
    write("DELETE", f"/visits/{stay['id']}?reason=entered_twice", version=stay["version_id"])
    assert seen == [(0, 0, 0, 0), (1, 0, 0, 0), (1, 0, 1, 0), (1, 0, 1, 1), (1, 0, 0, 0), (0, 0, 0, 0)]


def test_statuses_that_a_job_computes_again_show_at_once(store):
    clinic = store.facility()
    patient = store.patient(clinic, art_start_date=START, sex="F")
    store.visits(clinic, patient, START, next_appointment=START + timedelta(30))

    def active():
        with store.session() as session:
            return service.indicator_report(session, QUARTER, ()).rows[0][1]["TX_CURR"]

    assert active() == 0
    with store.session() as session:
        tenant_settings.put(session, CohortSettings(grace_days=90, rule=FixedRule(days=30)))
    assert active() == 0
    with store.session() as session:
        tenant_settings.put(session, service.Rebuild(pending=True))
        assert service.rebuild_step(session, chunk_patients=1)  # and there may be more
    assert active() == 1
