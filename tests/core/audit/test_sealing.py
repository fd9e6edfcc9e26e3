"""Every committed event is sealed once, however late it commits; whatever is done to the audit afterwards is found."""

import threading
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import text

from core import audit
from core.audit import anchors, sealer
from core.audit.verify import verify
from core.database import TenantSession, owner_session, platform_session
from core.errors import Conflict
from core.tenancy import list_tenants
from tests.waiting import wait_until


def act(open_session, tenant, times=1):
    with open_session(tenant) as session:
        audit.record_many(session, "api:audit:read", "patient", [uuid4() for _ in range(times)])


def write_now(session):
    """An event whose number is drawn before the end of its transaction, as in a savepoint."""
    with session.begin_nested():
        audit.record(session, "api:audit:read", "patient", uuid4())


def as_owner(tenant, statement, **values):
    """What only somebody with the owner's rights can do to a tenant's tables."""
    with (
        owner_session(tenant.database) as session,
        TenantSession(session.connection(), tenant, actor="test:1", as_owner=True) as within,
    ):
        return within.execute(text(statement), values)


def members(tenant):
    return as_owner(tenant, "SELECT members::text FROM audit_seals ORDER BY number").scalars().all()


@pytest.fixture
def sealed(tenant, open_session):
    """A tenant with three seals of ten events each, anchored."""
    for _ in range(3):
        act(open_session, tenant, 10)
        assert sealer.seal(tenant).events == 10
    return tenant


def test_what_is_committed_is_sealed_anchored_and_found_intact(sealed):
    verdict = verify(sealed)
    assert (verdict.intact, verdict.seals, verdict.events, verdict.pending, verdict.anchored_through) == (
        True,
        3,
        30,
        0,
        3,
    )
    assert sealer.seal(sealed) == sealer.SealResult(0, 0)


def test_an_event_not_sealed_yet_is_pending_and_no_problem(sealed, open_session):
    act(open_session, sealed)
    verdict = verify(sealed)
    assert (verdict.intact, verdict.pending) == (True, 1)


def test_a_backlog_is_sealed_in_batches(tenant, open_session, monkeypatch):
    monkeypatch.setattr(sealer, "BATCH", 40)
    act(open_session, tenant, 100)
    assert sealer.seal(tenant) == sealer.SealResult(3, 100)
    assert verify(tenant).intact


def test_an_event_that_commits_after_later_ones_were_sealed_is_sealed_too(tenant, open_session):
    watches = {}
    with open_session(tenant) as slow:
        write_now(slow)  # draws number 1
        act(open_session, tenant, 2)  # 2 and 3 commit before it
        assert sealer.seal(tenant, watches).events == 2
        act(open_session, tenant, 1)
        assert sealer.seal(tenant, watches).events == 1
    assert sealer.seal(tenant, watches).events == 1
    assert members(tenant) == ["{[2,4)}", "{[4,5)}", "{[1,2)}"]
    verdict = verify(tenant)
    assert (verdict.intact, verdict.events, verdict.pending) == (True, 4, 0)


def test_a_number_that_was_drawn_and_rolled_back_is_settled_once_its_transaction_is_over(tenant, open_session):
    watches = {}
    with pytest.raises(ZeroDivisionError), open_session(tenant) as slow:
        write_now(slow)
        act(open_session, tenant, 2)
        sealer.seal(tenant, watches)
        raise ZeroDivisionError
    act(open_session, tenant)
    sealer.seal(tenant, watches)
    assert as_owner(tenant, "SELECT max(settled_through) FROM audit_seals").scalar() == 4
    forge(tenant, 1)
    assert "added later" in verify(tenant).problems[0]
    sealer.seal(tenant, watches)
    assert not verify(tenant).intact, "a forged event must not be taken into the chain"


def test_settling_goes_on_while_somebody_is_always_writing(tenant, open_session):
    watches, settled = {}, []
    sessions_open = [open_session(tenant) for _ in range(4)]
    sessions = []
    for turn in sessions_open:
        session = turn.__enter__()
        write_now(session)
        sessions.append(session)
        if len(sessions) > 1:
            sessions_open[len(sessions) - 2].__exit__(None, None, None)  # the one before commits while this one writes
            sealer.seal(tenant, watches)
            settled.append(as_owner(tenant, "SELECT max(settled_through) FROM audit_seals").scalar())
    sessions_open[-1].__exit__(None, None, None)
    sealer.seal(tenant, watches)
    assert settled[-1] > 0
    verdict = verify(tenant)
    assert (verdict.intact, verdict.events) == (True, 4)


def test_many_writers_and_two_sealers_at_once_miss_and_repeat_nothing(tenant, open_session):
    over = threading.Event()

    def write():
        for _ in range(25):
            act(open_session, tenant, 3)

    def go_round():
        watches = {}
        while not over.is_set():
            sealer.seal(tenant, watches, anchor=False)

    writers = [threading.Thread(target=write) for _ in range(4)]
    sealers = [threading.Thread(target=go_round) for _ in range(2)]
    for thread in [*writers, *sealers]:
        thread.start()
    for thread in writers:
        thread.join()
    over.set()
    for thread in sealers:
        thread.join()
    sealer.seal(tenant)
    verdict = verify(tenant)
    assert (verdict.intact, verdict.events, verdict.pending) == (True, 300, 0)


def forge(tenant, number):
    as_owner(
        tenant,
        "INSERT INTO audit_events (event_id, actor, action, subject_type) OVERRIDING SYSTEM VALUE"
        " VALUES (:number, 'a', 'api:audit:read', 'patient')",
        number=number,
    )


@pytest.mark.parametrize(
    ("statement", "problem_text"),
    [
        ("UPDATE audit_events SET actor = 'nobody' WHERE event_id = 15", "changed or reordered"),
        ("UPDATE audit_events SET detail = '{}' WHERE event_id = 15", "changed or reordered"),
        ("UPDATE audit_events SET occurred_at = occurred_at + interval '1 microsecond' WHERE event_id = 1", "seal 1"),
        ("DELETE FROM audit_events WHERE event_id = 15", "1 of 10 are missing"),
        ("DELETE FROM audit_events", "10 of 10 are missing"),
        (
            (
                "UPDATE audit_events SET subject_uuid = CASE event_id"
                " WHEN 15 THEN (SELECT subject_uuid FROM audit_events WHERE event_id = 16)"
                " ELSE (SELECT subject_uuid FROM audit_events WHERE event_id = 15) END WHERE event_id IN (15, 16)"
            ),
            "changed or reordered",
        ),
        ("DELETE FROM audit_seals WHERE number = 2", "seal 2 is missing"),
        ("DELETE FROM audit_seals WHERE number = 3", "was anchored and is missing"),
        ("UPDATE audit_seals SET members = '{[11,20)}', events = 9 WHERE number = 2", "seal 2 was changed"),
        ("UPDATE audit_seals SET sealed_at = now() WHERE number = 2", "seal 2 was changed"),
        ("DELETE FROM audit_seals", "was anchored and is missing"),
    ],
)
def test_what_is_done_to_the_audit_afterwards_is_found(sealed, statement, problem_text):
    as_owner(sealed, statement)
    verdict = verify(sealed)
    assert not verdict.intact
    assert any(problem_text in problem for problem in verdict.problems), verdict.problems


@pytest.mark.parametrize("number", [0, -5])
def test_an_event_put_in_before_what_is_sealed_is_found(sealed, number):
    forge(sealed, number)
    assert "added later" in verify(sealed).problems[0]


def test_an_event_put_back_under_the_number_of_a_removed_one_is_found(sealed):
    as_owner(sealed, "DELETE FROM audit_events WHERE event_id = 15")
    forge(sealed, 15)
    assert not verify(sealed).intact


def test_a_chain_that_is_computed_anew_over_changed_events_contradicts_its_anchors(sealed):
    as_owner(sealed, "DELETE FROM audit_seals")
    as_owner(sealed, "DELETE FROM audit_events WHERE event_id = 15")
    sealer.seal(sealed, anchor=False)
    verdict = verify(sealed)
    assert (verdict.seals, verdict.anchored_through) == (1, 0)
    assert "rewritten" in verdict.problems[0]


def test_a_chain_set_back_to_before_its_anchor_is_found_until_it_is_accepted(sealed, open_session):
    as_owner(sealed, "DELETE FROM audit_seals WHERE number > 1")
    as_owner(sealed, "DELETE FROM audit_events WHERE event_id > 10")
    assert len(verify(sealed).problems) == 2
    assert anchors.accept_rollback(sealed, actor="test:1", reason="restored to the day before") == 2
    assert verify(sealed).intact
    act(open_session, sealed, 5)
    sealer.seal(sealed)
    verdict = verify(sealed)
    assert (verdict.intact, verdict.seals, verdict.anchored_through) == (True, 2, 2)


def test_another_chain_is_not_accepted_as_an_earlier_point_of_this_one(sealed):
    as_owner(sealed, "DELETE FROM audit_seals WHERE number > 1")
    as_owner(sealed, "UPDATE audit_seals SET digest = previous")
    with pytest.raises(Conflict):
        anchors.accept_rollback(sealed, actor="test:1", reason="x")


def test_the_tenants_role_can_neither_change_nor_remove_seals(sealed, open_session):
    for statement in ("UPDATE audit_seals SET events = 0", "DELETE FROM audit_seals"):
        with pytest.raises(Exception, match="permission denied"), open_session(sealed) as session:
            session.cursor().execute(statement)


FORGED_SEAL = (
    "INSERT INTO audit_seals (number, first_event, last_event, members, events, settled_through, rows_digest, previous,"
    " digest, sealed_at) VALUES (4, 31, 31, '{[31,32)}', 1, 31, 'x', 'x', 'x', now())"
)
FORGED_NUMBER = (
    "INSERT INTO audit_events (event_id, actor, action, subject_type) OVERRIDING SYSTEM VALUE"
    " VALUES ({}, 'a', 'api:audit:read', 'patient')"
)
FORGED_TIME = (
    "INSERT INTO audit_events (occurred_at, actor, action, subject_type)"
    " VALUES ('2001-01-01', 'a', 'api:audit:read', 'patient')"
)


@pytest.mark.parametrize(
    "statement",
    [
        FORGED_SEAL,
        "SELECT node.add_audit_seal(NULL, 4, 31, 31, '{[31,32)}', 1, 31, 'x', 'x', 'x', now())",
        FORGED_NUMBER.format(-1),
        FORGED_NUMBER.format(2**63 - 1),
        FORGED_TIME,
        "SELECT setval(pg_get_serial_sequence('audit_events', 'event_id'), 9000000000000000000)",
        "SELECT nextval(pg_get_serial_sequence('audit_events', 'event_id'))",
    ],
)
def test_nothing_that_the_tenants_role_forges_makes_an_intact_audit_fail(sealed, open_session, statement):
    with pytest.raises(psycopg.errors.InsufficientPrivilege), open_session(sealed) as session:
        session.cursor().execute(statement.encode())
    act(open_session, sealed)
    assert sealer.seal(sealed).events == 1
    verdict = verify(sealed)
    assert (verdict.intact, verdict.seals, verdict.pending) == (True, 4, 0)


def test_the_canary_a_seal_forged_by_the_owner_makes_it_fail(sealed):
    as_owner(sealed, FORGED_SEAL)
    assert not verify(sealed).intact


def test_the_application_can_neither_change_nor_remove_anchors(sealed):
    for statement in ("UPDATE platform.audit_anchors SET seal = 0", "DELETE FROM platform.audit_anchors"):
        with pytest.raises(Exception, match="permission denied"), platform_session() as session:
            session.execute(text(statement))


class TestSealer:
    @pytest.fixture
    def going(self, database):
        running = sealer.Sealer(list_tenants, every=0.0, anchor_every=0.0)
        running.look()
        return running

    def test_only_tenants_that_wrote_are_looked_at_again(self, going, two_tenants, open_session, monkeypatch):
        first, second = two_tenants
        seen = []
        monkeypatch.setattr(sealer, "seal", lambda tenant, *_, **__: seen.append(tenant.id) or sealer.SealResult(0, 0))

        def only_the_first():  # PostgreSQL's counters follow later, also those of the tenants' making
            seen.clear()
            act(open_session, first)
            going.look()
            return first.id in seen and second.id not in seen

        wait_until(only_the_first)

    def test_a_tenant_that_cannot_be_sealed_does_not_keep_the_others(self, two_tenants, open_session, monkeypatch):
        first, second = two_tenants
        for tenant in two_tenants:
            act(open_session, tenant)
        real = sealer.seal

        def broken(tenant, *arguments, **options):
            if tenant.id == first.id:
                raise Conflict("broken")
            return real(tenant, *arguments, **options)

        monkeypatch.setattr(sealer, "seal", broken)
        sealer.Sealer(list_tenants, every=0.0, anchor_every=0.0).look()
        assert (verify(first).seals, verify(second).seals) == (0, 1)
