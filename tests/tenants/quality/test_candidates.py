"""Candidates are found in the records, judged by a person, and stay judged until something changes."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

import pytest

from core.errors import Conflict, Invalid, NotFound
from core.privacy import vault
from core.web.paging import PageRequest
from tenants.quality.candidates import (
    MOST_PROBABLE,
    Candidate,
    count_pending,
    list_candidates,
    merge_candidate,
    read_candidate,
    refuse_candidate,
    undo_decision,
    unmerge_patient,
)
from tenants.quality.linkage import model, search
from tenants.quality.settings import linkage_state
from tenants.records.identities import canonical_of
from tests.tenants.quality.conftest import People

REASON = "not the same person"
ALIKE = {
    "given_name": "Givenname",
    "family_name": "Familyname",
    "sex": "F",
    "birthdate": date(1987, 4, 9),
    "phone": "08030001111",
}


@pytest.fixture
def twins(people: People) -> tuple[People, UUID, UUID]:
    """One person at two clinics, first here, then there, among others."""
    first_clinic, second_clinic = people.facility("FAC1"), people.facility("FAC2")
    for number in range(3, 9):
        people.person(first_clinic, number, given_name=f"Aaa{number}", family_name=f"Bbb{number}", sex="M",
                      birthdate=date(1960 + number, 5, number))  # fmt: skip
    first = people.person(first_clinic, 1, **ALIKE)
    second = people.person(second_clinic, 2, **{**ALIKE, "given_name": "Givename"})
    people.pickups(first_clinic, first, date(2025, 1, 10), date(2025, 2, 10), start=100)
    people.pickups(second_clinic, second, date(2025, 3, 20), date(2025, 4, 20), start=200)
    return people, first, second


def searched(people: People) -> search.Outcome:
    with people.session() as session:
        return search.search(session)


def pending(people: People, state: str = "pending") -> list[Candidate]:
    with people.session() as session:
        return list_candidates(session, PageRequest(sort=MOST_PROBABLE), state).rows


def actions(people: People) -> list[str]:
    with people.session() as session, session.cursor() as cursor:
        return [row[0] for row in cursor.execute("SELECT action FROM audit_events").fetchall()]


def test_one_person_at_two_clinics_is_a_candidate_with_its_evidence(twins: tuple[People, UUID, UUID]) -> None:
    people, first, second = twins
    outcome = searched(people)
    assert (outcome.patients, outcome.pairs, outcome.new) == (8, 1, 1)
    (candidate,) = pending(people)
    assert {side.patient_id for side in candidate.patients} == {first, second}
    assert {side.facility for side in candidate.patients} == {"FAC1"}, "as the patients' own rows say"
    assert candidate.probability > 0.9
    assert {"names are alike", "same birth date", "same phone"} <= set(candidate.agree)
    assert (candidate.care, candidate.gap_days) == ("consecutive", 38)
    assert "api:candidate:list" in actions(people)


def test_what_is_stored_holds_no_name_and_no_key(twins: tuple[People, UUID, UUID]) -> None:
    people, _, _ = twins
    searched(people)
    with people.session() as session, session.cursor() as cursor:
        text = str(cursor.execute("SELECT l::text FROM linkage_candidates AS l").fetchall())
    assert "ivenname" not in text
    assert "amilyname" not in text
    assert "0803000" not in text


def test_a_refused_pair_comes_back_only_when_what_agrees_has_changed(twins: tuple[People, UUID, UUID]) -> None:
    people, _, _ = twins
    searched(people)
    (candidate,) = pending(people)
    with people.session() as session:
        refuse_candidate(session, candidate.id, REASON)
    assert searched(people).new == 0
    assert pending(people) == []
    assert [each.id for each in pending(people, "refused")] == [candidate.id]
    there = people.facility("FAC2")
    people.person(there, 2, **{**ALIKE, "given_name": "Givenname"})
    assert searched(people).reopened == 1
    assert "same names" in pending(people)[0].agree
    assert "api:candidate:refuse" in actions(people)


def test_a_merged_pair_is_no_candidate_and_an_unmerged_one_stays_refused(twins: tuple[People, UUID, UUID]) -> None:
    people, first, second = twins
    searched(people)
    (candidate,) = pending(people)
    with people.session() as session:
        merged = merge_candidate(session, candidate.id, keep=None, reason="transfer letter")
    assert (merged.canonical_id, merged.members) == (second, [first]), "where the person was seen last"
    outcome = searched(people)
    assert (outcome.patients, outcome.pairs) == (7, 0)
    with people.session() as session:
        unmerge_patient(session, first, REASON)
    searched(people)
    assert pending(people) == []
    assert {"api:candidate:merge", "api:patient:merge", "api:patient:unmerge"} <= set(actions(people))


@pytest.mark.parametrize("decision", ["merge", "refuse"])
def test_an_undone_decision_leaves_the_pair_as_it_was(twins: tuple[People, UUID, UUID], decision: str) -> None:
    people, first, second = twins
    searched(people)
    (candidate,) = pending(people)
    with people.session() as session:
        with pytest.raises(Conflict):
            undo_decision(session, candidate.id, REASON)
        if decision == "merge":
            merge_candidate(session, candidate.id, keep=None, reason=REASON)
        else:
            refuse_candidate(session, candidate.id, REASON)
        assert count_pending(session) == 0
    with people.session() as session:
        undone = undo_decision(session, candidate.id, REASON)
        assert (undone.state, undone.reason, undone.decided_by) == ("pending", None, None)
        assert canonical_of(session, first) == first
        assert canonical_of(session, second) == second
        assert count_pending(session) == 1
    assert [each.id for each in pending(people)] == [candidate.id]
    assert "api:candidate:undo" in actions(people)


def test_a_candidate_that_the_records_no_longer_suggest_is_gone(twins: tuple[People, UUID, UUID]) -> None:
    people, _, _ = twins
    searched(people)
    people.person(people.facility("FAC2"), 2, given_name="Ccc", family_name="Ddd", sex="M", birthdate=date(1950, 1, 2))
    assert searched(people).gone == 1
    assert pending(people) == []


def test_who_was_erased_is_compared_with_nobody(twins: tuple[People, UUID, UUID]) -> None:
    people, first, _ = twins
    with people.session() as session:
        vault(session).erase_patient(first)
    assert searched(people).pairs == 0


def test_care_by_turns_at_two_clinics_argues_against_one_person(twins: tuple[People, UUID, UUID]) -> None:
    people, first, second = twins
    clinic = people.facility("FAC1")
    people.pickups(clinic, first, date(2025, 3, 30), date(2025, 5, 30), start=300)
    outcome = searched(people)
    candidates = [each for each in pending(people) if {side.patient_id for side in each.patients} == {first, second}]
    assert outcome.pairs == len(candidates)
    assert all(each.care == "overlapping" and each.probability >= search.OVERLAPPING_THRESHOLD for each in candidates)


def test_a_decision_that_cannot_be_is_rejected(twins: tuple[People, UUID, UUID]) -> None:
    people, first, _ = twins
    searched(people)
    (candidate,) = pending(people)
    with people.session() as session:
        with pytest.raises(Invalid):
            merge_candidate(session, candidate.id, keep=UUID(int=1), reason=REASON)
        with pytest.raises(NotFound):
            merge_candidate(session, UUID(int=1), keep=None, reason=REASON)
        merge_candidate(session, candidate.id, keep=first, reason=REASON)
        with pytest.raises(Conflict):
            merge_candidate(session, candidate.id, keep=first, reason=REASON)
        with pytest.raises(Conflict):
            refuse_candidate(session, candidate.id, REASON)


def test_the_same_search_again_changes_nothing(twins: tuple[People, UUID, UUID]) -> None:
    people, _, _ = twins
    searched(people)
    before = pending(people)
    outcome = searched(people)
    assert (outcome.new, outcome.reopened, outcome.gone) == (0, 0, 0)
    assert pending(people) == before


def test_a_person_registered_twice_in_one_clinic_is_a_candidate(people: People) -> None:
    facility = people.facility()
    for number in range(3, 9):
        people.person(facility, number, given_name=f"Aaa{number}", family_name=f"Bbb{number}", sex="M",
                      birthdate=date(1960 + number, 5, number))  # fmt: skip
    one, two = (people.person(facility, number, **ALIKE, hospital_number=f"H{number}") for number in (1, 2))
    day = date(2025, 1, 10)
    people.pickups(facility, one, day, day + timedelta(days=60), start=100)
    people.pickups(facility, two, day + timedelta(days=30), start=200)
    searched(people)
    (candidate,) = pending(people)
    assert candidate.care == "together"
    assert "hospital numbers differ" in candidate.differ


def test_twins_are_shown_as_such_and_never_as_certain(people: People) -> None:
    clinic = people.facility("FAC1")
    for number in range(3, 15):
        people.person(clinic, number, given_name=f"Aaa{number}", family_name=f"Bbb{number}", sex="M",
                      birthdate=date(1960 + number, 5, number))  # fmt: skip
    born = {**ALIKE, "sex": "M", "birthdate": date(2001, 3, 14)}
    first = people.person(clinic, 1, **{**born, "given_name": "Hassan", "family_name": "Musa"})
    second = people.person(clinic, 2, **{**born, "given_name": "Hussaini", "family_name": "Musa"})
    people.pickups(clinic, first, date(2025, 1, 10), date(2025, 2, 10), date(2025, 3, 10), start=100)
    people.pickups(clinic, second, date(2025, 1, 20), date(2025, 2, 20), date(2025, 3, 20), start=200)
    searched(people)
    (candidate,) = pending(people)
    assert search.MAY_BE_TWINS in candidate.differ
    assert candidate.probability <= search.THRESHOLD


def read_of(people: People, patient: UUID) -> list[str]:
    """What the audit says was done with a patient."""
    with people.session() as session, session.cursor() as cursor:
        query = "SELECT action FROM audit_events WHERE subject_type = 'patient' AND subject_uuid = %s ORDER BY event_id"
        return [row[0] for row in cursor.execute(query, (patient,)).fetchall()]


def test_reading_a_candidate_is_in_the_audit_of_both_patients(twins: tuple[People, UUID, UUID]) -> None:
    people, first, second = twins
    searched(people)
    (candidate,) = pending(people)
    with people.session() as session:
        read_candidate(session, candidate.id)
        refuse_candidate(session, candidate.id, REASON)
    for patient in (first, second):
        assert read_of(people, patient)[-3:] == ["api:candidate:list", "api:candidate:read", "api:candidate:refuse"]


def test_an_estimate_that_fails_is_recorded_and_the_search_goes_on(
    twins: tuple[People, UUID, UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    from splink.internals.linker_components.training import LinkerTraining

    people, _, _ = twins
    monkeypatch.setattr(model, "TRAIN_LEAST", 0)

    def fail(*_: object, **__: object) -> None:
        message = "Aaa1 cannot be used"
        raise ValueError(message)

    monkeypatch.setattr(LinkerTraining, "estimate_parameters_using_expectation_maximisation", fail)
    outcome = searched(people)
    assert outcome.failed_estimates == ("names: ValueError", "birth: ValueError")
    assert outcome.pairs == 1
    assert "failed_estimates" in outcome.to_json()
    with people.session() as session:
        assert linkage_state(session).failed_estimates == list(outcome.failed_estimates)
