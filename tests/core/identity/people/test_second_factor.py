"""The second factor: each code counts one time, whoever brings it and however often; nobody is locked out for good."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import text

from core.clock import frozen, now
from core.database import platform_session
from core.errors import AppError, Conflict, Invalid, NotFound, TooManyRequests, Unauthenticated
from core.identity.people import factor_reset, pending, second_factor, sessions, throttle
from core.identity.people.pending import PendingSignIn
from core.identity.people.second_factor import Proof
from core.identity.people.sessions import KIND
from core.identity.people.sign_in import complete_set_up, complete_with_code
from tests.core.identity.people.conftest import PASSWORD, Phone

HOME = "192.0.2.1"


@pytest.fixture
def person(add_person):
    return add_person("data_officer")


@pytest.fixture
def phone(person, set_up):
    return set_up(*person)


def complete(started, code, address=HOME):
    return complete_with_code(started.secret, code, address=address)


def test_the_password_alone_begins_no_session(person, phone, begin):
    started = begin(person[1])
    assert isinstance(started, PendingSignIn)
    assert not KIND.recognizes(started.secret)
    with pytest.raises(Unauthenticated):
        KIND.verify(started.secret)
    session = complete(started, phone.code())
    assert KIND.verify(session.secret).principal.id == str(person[0])
    assert session.secret != started.secret


def test_a_pending_sign_in_counts_one_time_and_for_some_minutes(person, phone, begin):
    started, late = begin(person[1]), begin(person[1])
    complete(started, phone.code())
    with pytest.raises(Unauthenticated):
        complete(started, phone.recovery_codes[0])
    with frozen(now() + timedelta(minutes=pending.MINUTES, seconds=1)), pytest.raises(Unauthenticated):
        complete(late, phone.recovery_codes[0])


def test_a_code_that_was_used_is_rejected(person, phone, begin):
    code = phone.code()
    complete(begin(person[1]), code)
    with pytest.raises(Invalid):
        complete(begin(person[1]), code)


def test_the_code_that_confirmed_the_app_does_not_sign_in(person, phone, begin):
    with pytest.raises(Invalid):
        complete(begin(person[1]), phone.code(0))


def test_a_recovery_code_is_used_one_time(person, phone, begin):
    complete(begin(person[1]), phone.recovery_codes[3].upper().replace("-", " "))
    with pytest.raises(Invalid):
        complete(begin(person[1]), phone.recovery_codes[3])
    assert second_factor.state_of(person[0]).recovery_codes == 9


@pytest.mark.parametrize("kind", ["app", "recovery"])
def test_of_uses_of_one_code_at_once_one_succeeds(person, phone, begin, kind):
    code = phone.code() if kind == "app" else phone.recovery_codes[0]
    waiting = [begin(person[1]) for _ in range(4)]

    def use(started):
        try:
            return complete(started, code)
        except AppError as error:
            return error

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(use, waiting))
    assert len([outcome for outcome in outcomes if isinstance(outcome, sessions.NewSession)]) == 1


def test_some_wrong_codes_end_the_pending_sign_in(person, phone, begin):
    started = begin(person[1])
    for place in range(pending.MOST_WRONG):
        with pytest.raises(Invalid):
            complete(started, "000000", f"198.51.100.{place}")
    with pytest.raises(Unauthenticated):
        complete(started, phone.code(), "198.51.100.9")


def test_a_guesser_of_codes_waits_and_the_person_elsewhere_does_not(person, phone, begin):
    for _ in range(throttle.FREE):
        with pytest.raises(Invalid):
            complete(begin(person[1]), "000000", "198.51.100.7")
    with pytest.raises(TooManyRequests):
        complete(begin(person[1]), "000000", "198.51.100.7")
    assert complete(begin(person[1]), phone.code())


def test_guesses_from_many_addresses_make_the_app_wait_but_a_recovery_code_still_signs_in(person, phone, begin):
    for place in range(throttle.FREE_CODES):
        with pytest.raises(Invalid):
            complete(begin(person[1]), "000000", f"198.51.100.{place}")
    with pytest.raises(TooManyRequests):
        complete(begin(person[1]), phone.code())
    assert complete(begin(person[1]), phone.recovery_codes[0])


def test_setting_up_ends_the_sessions_that_a_password_alone_began(person, set_up, begin):
    before = begin(person[1])
    set_up(*person)
    with pytest.raises(Unauthenticated):
        KIND.verify(before.secret)
    assert len(sessions.list_sessions(person[0])) == 1


def test_setting_up_needs_the_password_and_a_changed_app_a_code_of_the_present_one(person, phone, begin):
    person_id, email = person
    with pytest.raises(Invalid) as error:
        second_factor.begin_set_up(person_id, Proof("wrong", phone.recovery_codes[1], HOME))
    assert error.value.errors[0].field == "password"
    with pytest.raises(Invalid) as error:
        second_factor.begin_set_up(person_id, Proof(PASSWORD, "000000", HOME))
    assert error.value.errors[0].field == "code"
    second_factor.begin_set_up(person_id, Proof(PASSWORD, phone.recovery_codes[0], HOME))
    assert second_factor.set_up_of(person_id).secret != phone.secret
    assert complete(begin(email), phone.code()), "the present app counts until the new one is confirmed"


def test_a_new_app_is_confirmed_within_minutes_by_its_own_code(person, begin):
    person_id, email = person
    started = begin(email)
    second_factor.begin_set_up(person_id, Proof(PASSWORD, "", HOME))
    with pytest.raises(Invalid):
        second_factor.confirm(person_id, "000000", started.id, "test")
    code = Phone(second_factor.set_up_of(person_id).secret, ()).code(0)
    with frozen(now() + timedelta(minutes=second_factor.SET_UP_MINUTES, seconds=1)), pytest.raises(NotFound):
        second_factor.confirm(person_id, code, started.id, "test")
    assert second_factor.state_of(person_id).since is None


def test_new_recovery_codes_replace_the_old_ones(person, phone, begin):
    codes = second_factor.renew_recovery_codes(person[0], Proof(PASSWORD, phone.code(), HOME))
    with pytest.raises(Invalid):
        complete(begin(person[1]), phone.recovery_codes[0])
    assert complete(begin(person[1]), codes[0])


def test_who_removes_it_signs_in_with_the_password_alone(person, phone, begin):
    session = complete(begin(person[1]), phone.code())
    second_factor.remove(person[0], Proof(PASSWORD, phone.recovery_codes[0], HOME), session.id)
    assert KIND.verify(session.secret)
    assert isinstance(begin(person[1]), sessions.NewSession)
    with pytest.raises(Conflict):
        second_factor.remove(person[0], Proof(PASSWORD, "", HOME), session.id)


def test_a_reset_ends_every_session_and_what_waits_for_a_code(person, phone, begin):
    session, waiting = complete(begin(person[1]), phone.code()), begin(person[1])
    factor_reset.reset(person[0], actor="test:1", source="cli")
    with pytest.raises(Unauthenticated):
        KIND.verify(session.secret)
    with pytest.raises(Unauthenticated):
        complete(waiting, phone.code())
    assert isinstance(begin(person[1]), sessions.NewSession)
    with pytest.raises(NotFound):
        factor_reset.reset(person[0], actor="test:1", source="cli")


def test_secrets_are_sealed_for_their_person_and_recovery_codes_are_digests(person, phone, add_person, set_up):
    other = add_person()
    set_up(*other)
    with platform_session() as session:
        stored = session.execute(
            text("SELECT secret_enc FROM platform.second_factors WHERE person_id = :id"), {"id": person[0]}
        ).scalar_one()
        digests = session.scalars(
            text("SELECT digest FROM platform.recovery_codes WHERE person_id = :id"), {"id": person[0]}
        ).all()
    assert phone.secret.encode() not in bytes(stored)
    assert all(len(digest) == 32 for digest in digests)
    with pytest.raises(AppError):
        second_factor._unseal(other[0], stored)


def test_without_a_required_factor_the_setting_up_cannot_be_begun_by_a_pending_sign_in_for_a_code(person, phone, begin):
    started = begin(person[1])
    with pytest.raises(Unauthenticated):
        complete_set_up(started.secret, phone.code())
