"""The hold-out and the effect report: no hold-out without an approval, and no claim without a hold-out."""

from datetime import timedelta
from math import sqrt
from uuid import UUID, uuid4

import pytest

from core.clock import today
from core.database import tenant_session
from tenants.followup.effect import ENOUGH, Share, difference, read_effect
from tenants.followup.today import read_today
from tenants.records.identities import merge
from tenants.risk import holdout
from tenants.risk.models_holdout import HoldoutApproval
from tests.keyed import KeyedClient
from tests.tenants.followup.scored import ZONE, scored

DAY = today(ZONE)
APPROVAL = {"share": 0.5, "reference": "NHREC/7", "approved_on": str(DAY), "approved_by": "Ethics Committee"}


def test_the_intervals_are_those_of_the_literature():
    # Newcombe, Statistics in Medicine 17 (1998) 873-890, table II: 56/70 and 48/80.
    contrast = difference(Share(70, 56), Share(80, 48))
    assert (contrast.value, contrast.low, contrast.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    assert Share(263, 81).interval == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert Share(0, 0).interval == (0.0, 1.0)


@pytest.fixture(scope="module")
def partner(application, make_tenant):
    """A tenant with two scored clinics: forty people at risk and five to trace."""
    owner = make_tenant()
    client = KeyedClient(application, headers={"Authorization": f"Bearer {owner.api_key}"})
    return owner.ref, client, scored(owner.ref, client, at_risk=40, to_trace=5, clinics=2)


def entries(tenant, kind):
    with tenant_session(tenant, actor="test:1") as session, session.cursor() as cursor:
        return dict(
            cursor.execute(
                "SELECT e.patient_uuid::text, e.held_out FROM worklist_entries e"
                " JOIN worklists w ON w.uuid = e.worklist_uuid"
                " WHERE w.kind = %s AND w.issued_at = (SELECT max(issued_at) FROM worklists WHERE kind = %s)",
                (kind, kind),
            ).fetchall()
        )


def shown(tenant, kind):
    work = read_today(tenant, lambda: tenant_session(tenant, actor="test:1"), kind)
    return {str(card.patient_id) for card in work.people}


def issue(client, kind, capacity):
    return client.post("/v1/worklists", json={"kind": kind, "as_of": str(DAY), "capacity": capacity}).json()


def chosen_by_rule(tenant, patients):
    """Those of some patients whom the approval in force holds out."""
    with tenant_session(tenant, actor="test:1") as session, session.cursor() as cursor:
        approval = holdout.in_force(session)
        query = "SELECT patient_uuid, expected_date FROM predictions WHERE patient_uuid = ANY(%s)"
        rows = cursor.execute(query, (list(patients),)).fetchall()
    return {str(patient) for patient, expected in rows if holdout.is_held_out(approval, patient, expected)}


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_the_share_that_is_held_out_is_the_one_that_was_set(share):
    people, approval = 20_000, HoldoutApproval(uuid=UUID(int=7), share=share, reference="NHREC/7", approved_on=DAY,
                                               approved_by="Ethics Committee", recorded_by="t")  # fmt: skip
    held_out = {each for each in range(people) if holdout.is_held_out(approval, UUID(int=each), DAY)}
    assert abs(len(held_out) - people * share) < 4 * sqrt(people * share * (1 - share))
    later = {each for each in held_out if holdout.is_held_out(approval, UUID(int=each), DAY + timedelta(days=1))}
    assert abs(len(later) - len(held_out) * share) < 4 * sqrt(len(held_out) * share * (1 - share)), "drawn anew"


def test_held_out_people_stay_on_the_record_of_the_list_and_are_shown_to_nobody(partner):
    tenant, client, _ = partner
    assert client.get("/v1/holdout").json()["share"] == 0
    whole = issue(client, "at_risk", 100)
    assert (whole["entries"], set(entries(tenant, "at_risk").values())) == (40, {False})
    assert client.put("/v1/holdout", json=APPROVAL).status_code == 200
    cut = issue(client, "at_risk", 99)
    drawn = entries(tenant, "at_risk")
    held_out = {patient for patient, out in drawn.items() if out}
    assert len(drawn) == 40
    assert held_out == chosen_by_rule(tenant, drawn)
    assert cut["entries"] == 40 - len(held_out)
    assert {person["patient_id"] for person in cut["people"]} == set(drawn) - held_out
    again = entries(tenant, "at_risk") if issue(client, "at_risk", 98) else {}
    assert {patient for patient, out in again.items() if out} == held_out
    issue(client, "to_trace", 97)
    assert set(entries(tenant, "to_trace").values()) == {False}
    assert not shown(tenant, "at_risk") & held_out
    short = issue(client, "at_risk", 4)
    assert sorted(person["rank"] for person in short["people"]) == [1, 1, 2, 2, 3, 3, 4, 4]
    assert [clinic["listed"] for clinic in short["facilities"]] == [4, 4]
    record = entries(tenant, "at_risk")
    assert {patient for patient, out in record.items() if out} <= held_out
    assert short["candidates"] == 40 - sum(record.values()), "nobody counts who is missing"
    body = {"id": str(uuid4()), "patient_id": min(held_out), "kind": "home_visit"}
    planned = client.post("/v1/interventions", json=body).json()
    with tenant_session(tenant, actor="test:1") as session, session.cursor() as cursor:
        rows = cursor.execute(
            "SELECT held_out FROM worklist_entries WHERE uuid = %s", (planned["worklist_entry_id"],)
        ).fetchall()
    assert rows == [(False,)], "it names the list that had the person before the hold-out"
    assert client.delete("/v1/holdout").status_code == 204
    issue(client, "at_risk", 96)
    assert set(entries(tenant, "at_risk").values()) == {False}


@pytest.mark.parametrize(
    "wrong", [{"share": 0}, {"share": 0.6}, {"reference": ""}, {"approved_on": str(DAY + timedelta(days=1))}]
)
def test_a_hold_out_needs_an_approval(partner, wrong):
    _, client, _ = partner
    assert client.put("/v1/holdout", json={**APPROVAL, **wrong}).status_code == 422


def test_only_a_hold_out_with_enough_people_supports_a_claim(partner):
    tenant, client, _ = partner
    issue(client, "at_risk", 94)
    query = {"first": str(DAY), "last": str(DAY)}
    with tenant_session(tenant, actor="test:1") as session, session.cursor() as cursor:
        cursor.execute(
            "UPDATE worklist_entries SET held_out = false, settled = true, result = 'iit', window_end = %s", (DAY,)
        )
    report = client.get("/v1/effect", params=query).json()
    assert (report["claim"], report["difference"], report["shown"]["people"]) == ("none", None, 40)
    assert report["meaning"].startswith("No causal claim")
    with tenant_session(tenant, actor="test:1") as session, session.cursor() as cursor:
        cursor.execute("DELETE FROM worklist_entries")
        cursor.execute(
            "INSERT INTO worklist_entries (uuid, worklist_uuid, patient_uuid, facility_uuid, rank, expected_date,"
            " score, risk_level, reasons, settled, result, window_end, held_out, days_late)"
            " SELECT gen_random_uuid(), (SELECT uuid FROM worklists WHERE kind = 'at_risk' LIMIT 1), gen_random_uuid(),"
            " f.uuid, n, %(day)s, 0.5, 'high', '[]', n <> 1, CASE WHEN n %% 4 < CASE WHEN n > 80 THEN 2 ELSE 3 END"
            " THEN 'returned_in_time' ELSE 'iit' END, %(day)s, n > 80, 0"
            " FROM generate_series(1, %(last)s) n, (SELECT uuid FROM facilities LIMIT 1) f",
            {"day": DAY, "last": 80 + ENOUGH},
        )
    with tenant_session(tenant, actor="test:1") as session:
        contrast = read_effect(session, DAY, DAY)
    assert (contrast.claim, contrast.shown.people, contrast.held_out.people) == ("causal", 79, ENOUGH)
    assert contrast.difference == difference(contrast.shown, contrast.held_out)
    assert contrast.difference.low < contrast.difference.value < contrast.difference.high


def test_merged_records_are_one_person_in_the_report_and_an_attempt_for_either_counts(partner):
    tenant, client, people = partner
    issue(client, "at_risk", 95)
    merged, survivor = (UUID(people["at_risk"][place]) for place in (0, 10))
    body = {"id": str(uuid4()), "patient_id": str(survivor), "outcome": "reached"}
    assert client.post("/v1/attempts", json=body).status_code == 201
    with tenant_session(tenant, actor="test:1") as session, session.cursor() as cursor:
        cursor.execute("DELETE FROM worklist_entries")
        cursor.execute(
            "INSERT INTO worklist_entries (uuid, worklist_uuid, patient_uuid, facility_uuid, rank, expected_date,"
            " score, risk_level, reasons, settled, result, window_end, held_out, days_late)"
            " SELECT gen_random_uuid(), (SELECT uuid FROM worklists WHERE kind = 'at_risk' LIMIT 1), p.uuid,"
            " p.facility_uuid, 1, %(day)s, 0.5, 'high', '[]', true, 'iit', %(day)s, false, 0"
            " FROM patients p WHERE p.uuid = ANY(%(people)s) AND p.known_to IS NULL",
            {"day": DAY, "people": [merged, survivor]},
        )
        assert read_effect(session, DAY, DAY).shown.people == 2
        merge(session, merged, survivor, "recorded twice")
        report = read_effect(session, DAY, DAY)
        cursor.execute("DELETE FROM worklist_entries WHERE patient_uuid = %s", (survivor,))
        by_other = read_effect(session, DAY, DAY)
    assert [(each.shown.people, each.tried.people) for each in (report, by_other)] == [(1, 1)] * 2
