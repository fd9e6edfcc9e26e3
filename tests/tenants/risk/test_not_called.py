"""People of unknown status or with an invalid record are neither scored nor listed; IIT by the partner is traced."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.errors import Conflict
from core.web.cursors import Sort
from core.web.paging import PageRequest
from tenants.cohort.timelines import to_date
from tenants.records.ids import new_uuid
from tenants.records.models import UnreadContact
from tenants.risk import explain, presenting, repository, scoring, worklist
from tests.tenants.risk.clinics import END, clinics
from tests.tenants.risk.conftest import opener, predictions, stamp, store

DAY = to_date(END)
LISTED = END - 2
COHORT = clinics(80, facilities=1)


@pytest.fixture
def tenant(make_tenant):
    new_tenant = make_tenant().ref
    store(new_tenant, COHORT)
    return new_tenant


def kinds(tenant):
    return {row[0]: row[1] for row in predictions(tenant, DAY)}


def unread(tenant, patient, word):
    """A list of two days ago has a contact of the patient that cannot be read."""
    with opener(tenant)() as session:
        session.add(
            UnreadContact(
                patient_uuid=patient,
                source="csv:t",
                list_kind="radet-lamisplus",
                import_uuid=new_uuid(),
                facility_uuid=COHORT.facilities()[0],
                list_date=to_date(LISTED),
                partner_status=word,
                known_from=stamp(LISTED),
            )
        )


def invalid(tenant, patient):
    with opener(tenant)() as session, session.cursor() as cursor:
        cursor.execute(
            "INSERT INTO patient_states (version_id, uuid, patient_uuid, facility_uuid, source, source_key, state,"
            " start_date, known_from, data_date, row_hash, changed_by)"
            " VALUES (%(a)s, %(b)s, %(p)s, %(f)s, 'csv:t', 'k', 'invalid', %(day)s, %(at)s, %(day)s, 'h', 'test:1')",
            {
                "a": new_uuid(), "b": new_uuid(), "p": patient, "f": COHORT.facilities()[0],
                "day": to_date(LISTED), "at": stamp(LISTED),
            },
        )  # fmt: skip


def listed(tenant):
    patients = set()
    for kind in worklist.KINDS:
        with opener(tenant)() as session:
            order = worklist.order_for(session, kind, DAY, capacity=1000, due_within=365 if kind == "at_risk" else None)
        uuid = worklist.issue(tenant, opener(tenant), order)
        with opener(tenant)() as session:
            shown = presenting.view(session, uuid, identities=False)
        patients |= {entry.patient_uuid for entry in shown.people}
    return patients


def traced_in_iit(tenant):
    scoring.score(tenant, opener(tenant), DAY)
    return [row[0] for row in predictions(tenant, DAY) if row[4] == "iit"]


def test_someone_whose_contact_cannot_be_read_is_on_no_list_unless_the_partner_says_iit(tenant):
    unknown, active, theirs, other = traced_in_iit(tenant)[:4]
    for patient, word in ((unknown, None), (active, "active"), (theirs, "iit")):
        unread(tenant, patient, word)
    scoring.score(tenant, opener(tenant), DAY)
    by_patient = kinds(tenant)
    assert unknown not in by_patient
    assert active not in by_patient
    assert by_patient[theirs] == by_patient[other] == "to_trace"
    assert {theirs, other} <= listed(tenant)
    assert not {unknown, active} & listed(tenant)
    explanation = explain.explain(tenant, opener(tenant), str(unknown), DAY)
    assert (explanation.status, explanation.kind, explanation.risk) == ("unknown", "none", None)
    assert "is not readable; not called" in explanation.summary


def test_who_is_traced_by_the_partners_own_list_is_listed_as_such(tenant):
    theirs = traced_in_iit(tenant)[0]
    unread(tenant, theirs, "iit")
    scoring.score(tenant, opener(tenant), DAY)
    with opener(tenant)() as session:
        order = worklist.order_for(session, "to_trace", DAY, capacity=1000)
    uuid = worklist.issue(tenant, opener(tenant), order)
    with opener(tenant)() as session:
        shown = presenting.view(session, uuid, identities=False)
    own = {entry.patient_uuid: shown.why(entry) for entry in shown.people}
    assert "by the partner's own list" in own[theirs]
    assert sum("by the partner's own list" in line for line in own.values()) == 1


def test_of_whom_the_partners_own_list_has_in_iit_no_date_and_no_days_are_made_up(tenant):
    theirs = traced_in_iit(tenant)[0]
    unread(tenant, theirs, "iit")
    scoring.score(tenant, opener(tenant), DAY)
    with opener(tenant)() as session:
        everybody = {"risk_level": None, "facility": None, "patient": None, "due_within": None}
        whole = PageRequest(1, 500, sort=Sort("as_of"))
        rows = repository.list_predictions(session, whole, as_of=DAY, kind="to_trace", **everybody).rows
        shown_rows = {row.patient_id: row for row in presenting.predictions(session, rows)}
        order = worklist.order_for(session, "to_trace", DAY, capacity=1000)
    assert (shown_rows[theirs].expected_date, shown_rows[theirs].days_late) == (None, None)
    assert all(row.expected_date and row.days_late for uuid, row in shown_rows.items() if uuid != theirs)
    uuid = worklist.issue(tenant, opener(tenant), order)
    with opener(tenant)() as session:
        shown = presenting.view(session, uuid, identities=False)
    flat = {row["patient_id"]: (row["expected_date"], row["days_late"]) for row in presenting.rows(shown)}
    assert flat[theirs] == (None, None)
    page = presenting.detail(shown, PageRequest(1, 500))
    assert [(e.expected_date, e.days_late) for e in page.people if e.patient_id == theirs] == [(None, None)]
    explanation = explain.explain(tenant, opener(tenant), str(theirs), DAY)
    assert (explanation.kind, explanation.expected_date, explanation.days_late) == ("to_trace", None, None)
    assert "by the partner's own list" in explanation.summary


def test_an_invalid_record_is_neither_scored_nor_traced(tenant):
    scoring.score(tenant, opener(tenant), DAY)
    before = kinds(tenant)
    chosen = [next(patient for patient, kind in before.items() if kind == wanted) for wanted in worklist.KINDS]
    for patient in chosen:
        invalid(tenant, patient)
    scoring.score(tenant, opener(tenant), DAY)
    assert not set(chosen) & set(kinds(tenant))
    assert not set(chosen) & listed(tenant)
    explanation = explain.explain(tenant, opener(tenant), str(chosen[0]), DAY)
    assert (explanation.status, explanation.kind) == ("invalid", "none")
    assert "not a valid record" in explanation.summary


def test_a_contact_that_turns_out_to_be_unread_while_people_are_scored_begins_the_scoring_anew(tenant):
    patient = traced_in_iit(tenant)[0]
    day = DAY - timedelta(days=1)
    opened = 0

    def open_session():
        nonlocal opened
        opened += 1
        if opened == 4:  # the first step
            unread(tenant, patient, None)
        return opener(tenant)()

    scoring.score(tenant, open_session, day)
    assert patient not in {row[0] for row in predictions(tenant, day)}


def test_unread_contacts_that_keep_coming_end_the_scoring(tenant):
    patient = COHORT.uuids()[0]

    def open_session():
        unread(tenant, patient, None)
        return opener(tenant)()

    with pytest.raises(Conflict, match="records changed"):
        scoring.score(tenant, open_session, DAY)
