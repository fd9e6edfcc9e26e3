"""Signing in with a password: what is rejected, what it tells, and whom a guesser makes wait."""

from datetime import timedelta

import pytest

from core.clock import frozen, now
from core.errors import TooManyRequests, Unauthenticated
from core.identity.people import members, passwords
from core.identity.people.sign_in_events import ATTEMPTS
from tests.core.identity.people.conftest import PASSWORD


def failure(begin, email, password="wrong", **where):
    with pytest.raises(Unauthenticated) as error:
        begin(email, password, **where)
    return error.value.detail, error.value.remedy


def test_unknown_people_wrong_passwords_and_people_without_one_get_the_same_answer(tenant, add_person, begin):
    _, email = add_person()
    members.add_member(tenant, "invited@example.org", "Invited", members.Grant(["viewer"]), actor="test:1")
    answers = {
        failure(begin, email),
        failure(begin, "nobody@example.org", PASSWORD),
        failure(begin, "no address", PASSWORD),
        failure(begin, "invited@example.org", PASSWORD),
    }
    assert len(answers) == 1


def test_an_unknown_person_costs_a_hash_as_a_known_one_does(begin, add_person, monkeypatch):
    _, email = add_person()
    hashes = []
    verify = passwords._HASHER.verify
    recorder = type("Hasher", (), {
        "verify": lambda _, stored, text: (hashes.append(stored), verify(stored, text))[1],
        "hash": passwords._HASHER.hash,
        "check_needs_rehash": passwords._HASHER.check_needs_rehash,
    })()  # fmt: skip
    monkeypatch.setattr(passwords, "_HASHER", recorder)
    failure(begin, email)
    failure(begin, "nobody@example.org")
    assert len(hashes) == 2


def test_a_guesser_waits_and_nobody_elsewhere_does(begin, add_person):
    _, email = add_person()
    for _ in range(5):
        failure(begin, email, address="198.51.100.7")
    with pytest.raises(TooManyRequests) as error:
        begin(email, address="198.51.100.7")
    assert error.value.retry_after <= 3
    assert begin(email, address="192.0.2.8")
    with frozen(now() + timedelta(seconds=3)):
        assert begin(email, address="198.51.100.7")


def test_the_wait_doubles_to_a_quarter_of_an_hour(begin, add_person):
    _, email = add_person()
    start, waits = now(), []
    for _ in range(30):
        with frozen(start):
            try:
                begin(email, "wrong")
            except Unauthenticated:
                pass
            except TooManyRequests as error:
                waits.append(error.retry_after)
        start += timedelta(seconds=waits[-1] if waits else 0)
    assert max(waits) <= 15 * 60 + 1
    assert max(waits) > 15 * 30


def test_signing_in_ends_the_counting(begin, add_person):
    _, email = add_person()
    before = [ATTEMPTS.value(outcome) for outcome in ("signed_in", "wrong_password")]
    for _ in range(4):
        failure(begin, email)
    begin(email)
    for _ in range(4):
        failure(begin, email)
    assert begin(email)
    assert [ATTEMPTS.value(outcome) for outcome in ("signed_in", "wrong_password")] == [before[0] + 2, before[1] + 8]


def test_the_address_is_taken_in_any_case_and_with_blanks_around(begin, add_person):
    _, email = add_person()
    assert begin(f"  {email.upper()} ")
