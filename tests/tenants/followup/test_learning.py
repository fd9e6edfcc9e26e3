"""Results of lists and interventions: from the records alone, never from what a facility has not reported yet."""

from datetime import date, timedelta
from uuid import UUID, uuid4

import pytest

from core.clock import now, today
from core.database import tenant_session
from core.events import publish
from core.jobs.worker import drain
from tenants.followup.learning import enqueue_learning, learn_list, learn_waiting, records_changed
from tenants.followup.models import Intervention
from tenants.records import writing
from tenants.records.identities import merge, unmerge
from tenants.records.ids import new_uuid
from tenants.records.models import PatientState
from tenants.records.service import patient_of_id
from tests.keyed import KeyedClient
from tests.tenants.followup.scored import ZONE, scored

DAY = today(ZONE) - timedelta(days=60)
WINDOW, LAG = 28, 7


class Partner:
    """A tenant with an issued list of either kind, made 60 days ago."""

    def __init__(self, tenant, client):
        self.tenant, self.client = tenant, client
        self.people = scored(tenant, client, at_risk=15, to_trace=4, day=DAY)
        issue = {kind: {"kind": kind, "as_of": str(DAY), "due_within": None} for kind in self.people}
        self.lists = {kind: client.post("/v1/worklists", json=body).json()["id"] for kind, body in issue.items()}

    def run(self, statement, *values):
        with tenant_session(self.tenant, actor="test:1") as session, session.cursor() as cursor:
            return cursor.execute(statement, values)

    def entry(self, patient):
        with tenant_session(self.tenant, actor="test:1") as session, session.cursor() as cursor:
            return cursor.execute(
                "SELECT result, result_on, settled, expected_date FROM worklist_entries WHERE patient_uuid = %s",
                (patient,),
            ).fetchone()

    def learn(self, kind="at_risk"):
        with tenant_session(self.tenant, actor="test:1") as session:
            return learn_list(session, UUID(self.lists[kind]))

    def contact(self, patient, day, known=None, following=None):
        self.run(
            "INSERT INTO contacts (contact_id, patient_uuid, contact_date, facility_uuid, clinical, pickup, known_from,"
            " next_appointment) SELECT %s, uuid, %s, facility_uuid, true, false, %s, %s FROM patients"
            " WHERE uuid = %s AND known_to IS NULL",
            new_uuid(),
            day,
            known or day,
            following,
            patient,
        )

    def state(self, patient, state, day):
        with tenant_session(self.tenant, actor="test:1") as session:
            facility = patient_of_id(session, UUID(patient)).facility_uuid
            content = {"patient_uuid": UUID(patient), "state": state, "start_date": day}
            writing.create(session, PatientState, facility, content)

    def complete_through(self, day):
        self.run("UPDATE facilities SET complete_through = %s", day)


@pytest.fixture(scope="module")
def partner(application, make_tenant):
    owner = make_tenant()
    return Partner(owner.ref, KeyedClient(application, headers={"Authorization": f"Bearer {owner.api_key}"}))


def expected_of(partner, patient) -> date:
    return partner.entry(patient)[3]


@pytest.mark.parametrize(
    ("number", "days", "result"),
    [(0, 0, "returned_in_time"), (1, WINDOW, "returned_in_time"), (2, WINDOW + 1, "returned_late"), (3, None, "iit")],
)
def test_a_contact_by_expected_and_grace_is_in_time_and_none_is_an_interruption(partner, number, days, result):
    patient = partner.people["at_risk"][number]
    expected = expected_of(partner, patient)
    day = None if days is None else expected + timedelta(days=days)
    if day is not None:
        partner.contact(patient, day)
    partner.complete_through(expected + timedelta(days=WINDOW + LAG))
    partner.learn()
    assert partner.entry(patient)[:3] == (result, day, True)


def test_without_complete_records_who_did_not_come_is_not_known_and_nobody_is_settled(partner):
    came, missing = partner.people["at_risk"][4:6]
    expected = max(expected_of(partner, patient) for patient in (came, missing))
    partner.contact(came, DAY + timedelta(days=1))
    first = min(expected_of(partner, patient) for patient in (came, missing))
    partner.complete_through(first + timedelta(days=WINDOW + LAG - 1))
    partner.learn()
    assert partner.entry(came)[:3] == ("returned_in_time", DAY + timedelta(days=1), False)
    assert partner.entry(missing)[:3] == ("not_known", None, False)
    partner.complete_through(expected + timedelta(days=WINDOW + LAG))
    partner.learn()
    assert (partner.entry(came)[2], partner.entry(missing)[:3]) == (True, ("iit", None, True))
    assert partner.learn() == 0


@pytest.mark.parametrize(("number", "state"), [(6, "died"), (7, "transferred_out")])
def test_a_death_or_transfer_before_the_contact_is_no_interruption(partner, number, state):
    patient = partner.people["at_risk"][number]
    partner.state(patient, state, DAY + timedelta(days=5))
    partner.complete_through(today(ZONE))
    partner.learn()
    assert partner.entry(patient)[:3] == (state, DAY + timedelta(days=5), True)


def test_the_contact_that_set_the_date_does_not_answer_it_and_one_that_was_unknown_does(partner):
    patient = partner.people["at_risk"][8]
    partner.contact(patient, DAY - timedelta(days=30))
    partner.complete_through(today(ZONE))
    partner.learn()
    assert partner.entry(patient)[0] == "iit"
    partner.contact(patient, DAY - timedelta(days=2), known=DAY + timedelta(days=4))
    partner.learn()
    assert partner.entry(patient)[:2] == ("returned_in_time", DAY - timedelta(days=2))


@pytest.mark.parametrize(("number", "later", "result"), [(9, 0, "iit"), (10, 30, "returned_in_time")])
def test_a_contact_on_the_day_of_the_list_answers_it_unless_it_set_the_date(partner, number, later, result):
    patient = partner.people["at_risk"][number]
    partner.contact(patient, DAY, following=expected_of(partner, patient) + timedelta(days=later))
    partner.complete_through(today(ZONE))
    partner.learn()
    assert partner.entry(patient)[0] == result


@pytest.mark.parametrize(("number", "came", "result"), [(11, None, "iit"), (13, 4, "returned_in_time")])
def test_a_merge_brings_no_answer_by_the_contact_that_had_set_the_date(partner, number, came, result):
    merged, survivor = partner.people["at_risk"][number : number + 2]
    partner.contact(merged, DAY - timedelta(days=20))
    partner.contact(survivor, DAY - timedelta(days=40))
    with tenant_session(partner.tenant, actor="test:1") as session:
        merge(session, UUID(merged), UUID(survivor), "recorded twice")
    partner.run("UPDATE contacts SET known_to = now() WHERE patient_uuid = %s", merged)
    partner.contact(survivor, DAY - timedelta(days=20), known=now())
    if came is not None:
        partner.contact(survivor, DAY + timedelta(days=came), known=now())
    partner.complete_through(today(ZONE))
    partner.learn()
    assert partner.entry(merged)[0] == result
    with tenant_session(partner.tenant, actor="test:1") as session:
        unmerge(session, UUID(merged), "two people after all")
    partner.run("UPDATE contacts SET known_to = now() WHERE patient_uuid = %s AND known_to IS NULL", survivor)
    partner.contact(merged, DAY - timedelta(days=20), known=now())
    partner.learn()
    assert partner.entry(merged)[0] == "iit"


def test_who_was_in_iit_already_comes_back_late(partner):
    patient = partner.people["to_trace"][0]
    partner.run(
        "UPDATE worklist_entries SET expected_date = %s WHERE patient_uuid = %s", DAY - timedelta(days=40), patient
    )
    partner.contact(patient, DAY + timedelta(days=3))
    partner.complete_through(today(ZONE))
    partner.learn("to_trace")
    assert partner.entry(patient)[:3] == ("returned_late", DAY + timedelta(days=3), True)


def test_an_import_lets_lists_and_interventions_learn_and_its_undoing_takes_it_back(partner):
    patient = partner.people["to_trace"][1]
    body = {"id": str(uuid4()), "patient_id": patient, "outcome": "promised", "day": str(DAY + timedelta(days=1))}
    assert partner.client.post("/v1/attempts", json=body).status_code == 201

    def results():
        with tenant_session(partner.tenant, actor="test:1") as session:
            publish(session, "imports.completed", {"import_id": new_uuid(), "data_date": DAY, "facility_ids": []})
        drain(partner.tenant)
        with tenant_session(partner.tenant, actor="test:1") as session:
            row = session.get(Intervention, UUID(body["id"]))
            return partner.entry(patient)[:3], (row.result, row.result_on, row.settled)

    partner.complete_through(DAY)
    assert results() == (("not_known", None, False),) * 2
    day = DAY + timedelta(days=6)
    partner.contact(patient, day)
    partner.complete_through(today(ZONE))
    assert results() == (("returned_in_time", day, True),) * 2
    partner.run("UPDATE contacts SET known_to = now() WHERE patient_uuid = %s", patient)
    partner.complete_through(DAY)
    assert results() == (("not_known", None, False),) * 2


def completed(partner, changed=()):
    """An import that changed the records of these people ends, and what it enqueued runs."""
    with tenant_session(partner.tenant, actor="test:1") as session:
        publish(session, "records.changed", {"patient_ids": [UUID(patient) for patient in changed]})
        publish(session, "imports.completed", {"import_id": new_uuid(), "data_date": DAY, "facility_ids": []})
    drain(partner.tenant)


def test_after_an_import_only_the_people_whose_records_it_changed_are_looked_at_and_at_night_all(partner):
    completed(partner)
    changed, other = partner.people["to_trace"][2:4]
    day = DAY + timedelta(days=5)
    for patient in (changed, other):
        partner.contact(patient, day)
    completed(partner, [changed])
    assert (partner.entry(changed)[1], partner.entry(other)[1]) == (day, None)
    with tenant_session(partner.tenant, actor="test:1") as session:
        enqueue_learning(session, now())
    drain(partner.tenant)
    assert partner.entry(other)[1] == day


def test_a_change_that_is_not_committed_yet_waits_for_a_later_look(partner):
    patient = UUID(partner.people["to_trace"][3])
    with tenant_session(partner.tenant, actor="test:1") as session:
        records_changed(session, {"patient_ids": [patient]})
    with tenant_session(partner.tenant, actor="test:1") as writer:
        records_changed(writer, {"patient_ids": [patient, new_uuid()], "kind": "contacts"})
        with tenant_session(partner.tenant, actor="test:1") as reader:
            assert learn_waiting(reader, 10) == (0, 0)
    with tenant_session(partner.tenant, actor="test:1") as session:
        records_changed(session, {"patient_ids": [patient], "kind": "observations"})
        assert [learn_waiting(session, 10)[0] for _ in range(2)] == [1, 0]
