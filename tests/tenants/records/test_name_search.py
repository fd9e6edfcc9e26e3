"""Search by name: words in any order, by their beginning or misspelt; ranked, within reach, with no name stored."""

import pytest

from core.database import Reach, tenant_session
from core.privacy import vault
from tenants.records import erasing, name_keys, name_search, names
from tenants.records.filters import IdentifierFilter, PatientFilter

PEOPLE = (
    ("Muhammad", "Bello"),
    ("Mohammed", "Bello"),
    ("Muhammadu Sani", "Garba"),
    ("Amina", "Yusuf"),
    ("Ɗanjuma", "O'Brien-Okafor"),
    ("Bo", "Eze"),
    ("Ibrahim", "Bello"),
    ("Ngozi", None),
    ("Client", "0624"),
    ("Client", "0625"),
)


@pytest.fixture(scope="module")
def people(shared_api):
    added = {}
    for number, (first, family) in enumerate(PEOPLE):
        facts = {"given_name": first} | ({"family_name": family} if family else {})
        patient = shared_api.add("/patients", facility="FAC1" if number % 2 == 0 else "FAC2", **facts)
        added[patient["id"]] = " ".join(filter(None, (first, family)))
    return added


def names_with(api, people, name, **more):
    answer = api.call("POST", "/patients/search", json={"name": name, **more})
    assert answer.status_code == 200, answer.text
    return [people[item["id"]] for item in answer.json()["items"]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("amina yusuf", ["Amina Yusuf"]),
        ("YUSUF Amina", ["Amina Yusuf"]),
        ("Ami", ["Amina Yusuf"]),
        ("Danjuma", ["Ɗanjuma O'Brien-Okafor"]),
        ("okafor obrien", ["Ɗanjuma O'Brien-Okafor"]),
        ("Ebrahim", ["Ibrahim Bello"]),
        ("Ibrhaim", ["Ibrahim Bello"]),
        ("Bo", ["Bo Eze"]),
        ("Am", []),
        ("Ngozi Bello", []),
        ("Chukwu", []),
        ("Client 0624", ["Client 0624"]),
        ("0625", ["Client 0625"]),
        ("0626", []),
        ("klient 0624", ["Client 0624"]),
    ],
)
def test_words_are_found_in_any_order_by_their_beginning_and_misspelt(shared_api, people, text, expected):
    assert names_with(shared_api, people, text) == expected


def test_exact_matches_come_before_beginnings_and_those_before_misspelt_ones(shared_api, people):
    assert names_with(shared_api, people, "Muhammad") == ["Muhammad Bello", "Muhammadu Sani Garba", "Mohammed Bello"]


def test_a_name_narrows_with_what_else_is_sent(shared_api, people):
    assert names_with(shared_api, people, "Bello", facility="FAC2") == ["Mohammed Bello"]


def test_pages_of_a_search_by_name_follow_its_order(shared_api, people):
    path, seen = "/v1/patients/search?page_size=2", []
    while path:
        answer = shared_api.client.post(path, json={"name": "Bello"}).json()
        assert answer["total"] == 3
        seen += [people[item["id"]] for item in answer["items"]]
        path = answer["next"]
    assert seen == names_with(shared_api, people, "Bello")


@pytest.mark.parametrize("query", [{"sort": "-id"}, {"sort": "id"}])
def test_a_search_by_name_takes_no_other_order(shared_api, people, query):
    answer = shared_api.call("POST", "/patients/search", params=query, json={"name": "Bello"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "query.sort")


@pytest.mark.parametrize("name", ["A", "1 2", "?", "x" * 101])
def test_a_name_without_a_word_of_two_letters_is_rejected(shared_api, name):
    assert shared_api.call("POST", "/patients/search", json={"name": name}).status_code == 422


def test_only_those_within_reach_are_found(shared_api, people):
    with tenant_session(shared_api.tenant, actor="test:1") as session, session.cursor() as cursor:
        ((facility,),) = cursor.execute("SELECT uuid FROM facilities WHERE datim_id = 'FAC2'").fetchall()
    with tenant_session(shared_api.tenant, actor="test:1", reach=Reach(facility_ids=frozenset({facility}))) as session:
        assert [people[str(one.patient)] for one in name_search.ranked(session, "Bello", PatientFilter())] == [
            "Mohammed Bello"
        ]


def test_those_who_are_shown_are_in_the_audit_and_no_others(shared_api, people):
    before = len(shared_api.events())
    names_with(shared_api, people, "Amina")
    assert [action for action, _ in shared_api.events()[before:]] == ["api:patient:list"]


def test_a_changed_name_is_found_and_the_old_one_is_not(api):
    patient = api.add("/patients", facility="FAC1", given_name="Amina")
    api.patch(f"/patients/{patient['id']}", patient["version_id"], given_name="Zainab")
    everybody = {patient["id"]: "she"}
    assert names_with(api, everybody, "Zainab") == ["she"]
    assert names_with(api, everybody, "Amina") == []


def test_an_erased_person_has_no_key_left(api):
    patient = api.add("/patients", facility="FAC1", given_name="Amina", family_name="Yusuf")
    with tenant_session(api.tenant, actor="test:1") as session:
        erasing.erase_person(session, erasing.find(session, patient["id"]), reason="asked for")
        with session.cursor() as cursor:
            rows = cursor.execute("SELECT given_name_bidx, family_name_bidx FROM patients").fetchall()
    assert set(rows) == {(None, None)}
    assert names_with(api, {}, "Amina") == []


def test_names_of_before_get_their_keys_by_a_job_in_steps(api, monkeypatch):
    monkeypatch.setattr(name_keys, "STEP", 2)
    added = {api.add("/patients", facility="FAC1", given_name=f"Amina{end}")["id"]: end for end in "abc"}
    with tenant_session(api.tenant, actor="test:1") as session, session.cursor() as cursor:
        (before,) = cursor.execute("SELECT array_agg(given_name_bidx::text ORDER BY uuid) FROM patients").fetchone()
        cursor.execute("UPDATE patients SET given_name_bidx = NULL, family_name_bidx = NULL")
    assert names_with(api, added, "Amina") == []
    after, steps = None, 0
    while True:
        with tenant_session(api.tenant, actor="test:1") as session:
            after = name_keys.step(session, after)
        if after is None:
            break
        steps += 1
    assert steps == 2
    assert sorted(names_with(api, added, "Amina")) == ["a", "b", "c"]
    with tenant_session(api.tenant, actor="test:1") as session, session.cursor() as cursor:
        (again,) = cursor.execute("SELECT array_agg(given_name_bidx::text ORDER BY uuid) FROM patients").fetchone()
    assert again == before


def test_keys_of_two_tenants_differ_and_no_letter_is_stored(shared_api, api):
    def keys(of):
        with tenant_session(of.tenant, actor="test:1") as session:
            return names.keys_of(vault(session).maker, "Amina Yusuf")

    assert len(keys(api)) == 8
    assert keys(api) == keys(api)
    assert len(set(keys(api)) & set(keys(shared_api))) < 3
    assert all(-(2**15) <= key < 2**15 for key in keys(api))


def test_a_search_of_names_lists_them_as_its_filter_and_never_their_text():
    assert IdentifierFilter(name="Amina").used() == ["name"]
