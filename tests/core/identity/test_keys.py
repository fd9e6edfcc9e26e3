"""API keys: shown once, stored as a hash, rejected the moment they are revoked or expire."""

from contextlib import contextmanager
from datetime import timedelta

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import frozen, now
from core.database import tenant_session
from core.errors import Invalid, NotFound, Unauthenticated
from core.identity import all_permissions, keys
from core.identity.keys import create_key, list_keys, revoke_key, verify_key
from core.identity.operator import ACTOR
from core.identity.secrets import new_secret, same, split


def test_the_key_of_a_new_tenant_is_its_principal_with_every_permission(make_tenant):
    tenant = make_tenant()
    verified = verify_key(tenant.api_key)
    assert verified.tenant == tenant.ref
    assert verified.principal.tenant_id == tenant.ref.id
    assert verified.principal.permissions == all_permissions()
    assert verified.principal.actor == f"api_key:{verified.principal.id}"


def test_only_the_hash_of_the_secret_is_stored(tenant, database):
    from core.database import platform_session, psycopg_connection

    secret = create_key(tenant, name="office").plaintext.split("_")[2]
    with platform_session() as session:
        row = (
            psycopg_connection(session)
            .execute("SELECT string_agg(k::text, ' ') FROM platform.api_keys k WHERE tenant_id = %s", (tenant.id,))
            .fetchone()
        )
    assert "office" in row[0]
    assert secret not in row[0]


def test_a_revoked_key_is_rejected_at_once_and_the_others_work(tenant):
    first, second = create_key(tenant, name="a"), create_key(tenant, name="b")
    assert verify_key(first.plaintext)
    assert revoke_key(tenant, first.plaintext.split("_")[1]) == first.id
    with pytest.raises(Unauthenticated, match="revoked"):
        verify_key(first.plaintext)
    assert verify_key(second.plaintext)


def test_a_key_works_until_it_expires(tenant):
    key = create_key(tenant, name="short", expires_at=now() + timedelta(days=1))
    assert verify_key(key.plaintext)
    with frozen(now() + timedelta(days=1)), pytest.raises(Unauthenticated, match="expired"):
        verify_key(key.plaintext)
    with pytest.raises(Invalid):
        create_key(tenant, name="late", expires_at=now() - timedelta(seconds=1))


def test_the_right_prefix_with_another_secret_is_rejected(tenant):
    key, other = create_key(tenant, name="a"), create_key(tenant, name="b")
    forged = "_".join([*key.plaintext.split("_")[:2], other.plaintext.split("_")[2]])
    with pytest.raises(Unauthenticated, match="not known"):
        verify_key(forged)


def test_the_last_use_is_written_at_most_once_a_minute(tenant):
    created, start = create_key(tenant, name="a"), now()

    def used_at(moment):
        with frozen(moment):
            verify_key(created.plaintext)
        return next(key.last_used_at for key in list_keys(tenant) if key.id == created.id)

    assert used_at(start) == start
    assert used_at(start + timedelta(seconds=59)) == start
    assert used_at(start + timedelta(seconds=60)) == start + timedelta(seconds=60)


@pytest.mark.parametrize("when", ["begun", "committed"])
def test_a_full_disk_leaves_the_last_use_unwritten_and_the_key_valid(tenant, monkeypatch, when):
    created, session_of = create_key(tenant, name="a"), keys.platform_session

    @contextmanager
    def full():
        if when == "committed":
            with session_of() as session:
                yield session
        raise psycopg.errors.DiskFull

    monkeypatch.setattr(keys, "platform_session", full)
    assert verify_key(created.plaintext).tenant.id == tenant.id


def test_any_other_trouble_with_the_last_use_is_not_hidden(tenant, monkeypatch):
    created = create_key(tenant, name="a")

    @contextmanager
    def gone():
        raise psycopg.OperationalError
        yield

    monkeypatch.setattr(keys, "platform_session", gone)
    with pytest.raises(psycopg.OperationalError):
        verify_key(created.plaintext)


def test_a_tenant_sees_and_revokes_only_its_own_keys(two_tenants):
    mine, other = two_tenants
    created = create_key(mine, name="mine")
    assert created.id not in {key.id for key in list_keys(other)}
    with pytest.raises(NotFound):
        revoke_key(other, str(created.id))
    assert verify_key(created.plaintext)


def test_making_and_revoking_are_in_the_tenants_audit(tenant, open_session):
    created = create_key(tenant, name="a")
    revoke_key(tenant, str(created.id))
    with open_session(tenant) as session:
        rows = (
            session.cursor()
            .execute("SELECT action, actor FROM audit_events WHERE subject_uuid = %s ORDER BY event_id", (created.id,))
            .fetchall()
        )
    assert rows == [("cli:api_key:create", ACTOR), ("cli:api_key:revoke", ACTOR)]


def test_a_permission_that_does_not_exist_cannot_be_given(tenant):
    with pytest.raises(Invalid) as rejection:
        create_key(tenant, name="a", permissions=["patients.fly"])
    assert rejection.value.errors[0].field == "permissions"


@given(st.text(max_size=100))
def test_no_other_text_has_the_form_of_a_key(text):
    assert split(text) is None or text.startswith("iit_")


def test_keys_do_not_repeat_and_prove_themselves():
    secrets = [new_secret() for _ in range(200)]
    assert len({secret.plaintext for secret in secrets}) == len({secret.prefix for secret in secrets}) == 200
    for secret in secrets[:10]:
        prefix, proof = split(secret.plaintext)
        assert prefix == secret.prefix
        assert same(proof, secret.digest)
        assert not same("0" * 64, secret.digest)


def _entries(tenant, action):
    with tenant_session(tenant, actor="test:1") as session:
        query = "SELECT subject_uuid FROM audit_events WHERE action = %s"
        return [row[0] for row in session.cursor().execute(query, (action,))]


@pytest.mark.parametrize("step", ["create", "revoke"])
def test_an_act_has_its_entry_before_its_effect_and_none_without(tenant, monkeypatch, step):
    key, real = create_key(tenant, name="a"), keys.platform_session

    def act():
        return create_key(tenant, name="b") if step == "create" else revoke_key(tenant, str(key.id))

    def state():
        return sorted((each.name, each.revoked_at) for each in list_keys(tenant))

    @contextmanager
    def killed_before_the_commit():
        with real() as session:
            yield session
            raise KeyboardInterrupt

    def no_audit(*_arguments):
        raise ZeroDivisionError

    before, entries, action = state(), _entries(tenant, f"cli:api_key:{step}"), f"cli:api_key:{step}"
    with monkeypatch.context() as patch:
        patch.setattr(keys.audit, "record", no_audit)
        with pytest.raises(ZeroDivisionError):
            act()
    assert (state(), _entries(tenant, action)) == (before, entries)
    with monkeypatch.context() as patch:
        patch.setattr(keys, "platform_session", killed_before_the_commit)
        with pytest.raises(KeyboardInterrupt):
            act()
    assert state() == before
    assert len(_entries(tenant, action)) == len(entries) + 1
    act()
    assert state() != before
    assert len(_entries(tenant, action)) == len(entries) + 2
