"""What goes on for longer than a moment asks again whether its key is valid."""

import pytest

from core.access import scope as scopes
from core.access.scope import Confirmation, Scope
from core.errors import Forbidden, Unauthenticated
from core.identity.keys import create_key, revoke_key, verify_key


@pytest.fixture
def key(owner):
    return create_key(owner.ref, name="export")


@pytest.fixture
def scope(key):
    verified = verify_key(key.plaintext)
    return Scope(verified.principal, verified.tenant, "r1", Confirmation(float("-inf")))


def revoked(owner, key):
    revoke_key(owner.ref, str(key.id))


def suspended(owner, _):
    from core.tenancy import suspend_tenant

    suspend_tenant(owner.ref.slug)


def restricted(owner, key):
    from core.database import platform_session, psycopg_connection

    with platform_session() as session:
        psycopg_connection(session).execute("UPDATE platform.api_keys SET permissions = '{}' WHERE id = %s", (key.id,))


ENDS = [(revoked, Unauthenticated), (suspended, Forbidden), (restricted, Forbidden)]


@pytest.mark.parametrize(("change", "error"), ENDS)
def test_a_later_transaction_is_rejected(owner, key, scope, change, error):
    with scope.session() as session:
        assert session.tenant == owner.ref
    scope.confirmation.moment = float("-inf")
    change(owner, key)
    with pytest.raises(error):
        scope.session()


@pytest.mark.parametrize(("change", "error"), ENDS)
def test_what_was_read_in_one_go_is_not_sent_to_its_end(owner, key, scope, change, error, monkeypatch):
    monkeypatch.setattr(scopes, "FRESH_SECONDS", 0.0)
    pieces = scope.while_valid(iter(range(10)))
    assert next(pieces) == 0
    change(owner, key)
    with pytest.raises(error):
        next(pieces)


def test_within_a_moment_it_is_not_asked_again(scope, monkeypatch):
    asked = []
    monkeypatch.setattr(scopes.credentials, "confirm", asked.append)
    assert list(scope.while_valid(iter(range(1000)))) == list(range(1000))
    assert 1 <= len(asked) < 1000
