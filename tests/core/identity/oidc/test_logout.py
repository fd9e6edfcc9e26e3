"""Signing out: a provider's logout token ends sessions one time, and nothing else does."""

from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from joserfc.jwk import RSAKey

from core.errors import BadRequest, Unauthenticated
from core.identity.oidc.logout import end_by_provider, end_session_address
from core.identity.people.sessions import KIND
from tests.core.identity.oidc.issuer import CLIENT


@pytest.fixture
def signed_in(domain, sign_in):
    """A session whose provider calls it ``sid``, of a subject: ``signed_in(sid=…)``."""

    def start(sub=None, sid=None):
        return sign_in(email=f"t-{uuid4().hex[:8]}@{domain}", sub=sub or uuid4().hex, sid=sid)

    return start


def lasts(session):
    try:
        KIND.verify(session.secret)
    except Unauthenticated:
        return False
    return True


def test_a_token_ends_the_session_that_it_names_and_no_other(tenant, issuer, signed_in, audited):
    ended, other = signed_in(sid="one"), signed_in(sid="two")
    assert end_by_provider(tenant.id, issuer.logout_token(sid="one")) == 1
    assert (lasts(ended), lasts(other)) == (False, True)
    assert audited("api:sso:log_out") == [{"sessions": [str(ended.id)]}]


def test_a_token_of_a_subject_ends_all_their_sessions(tenant, issuer, domain, sign_in):
    sub, email = uuid4().hex, f"t-{uuid4().hex[:8]}@{domain}"
    both = [sign_in(email=email, sub=sub) for _ in range(2)]
    assert end_by_provider(tenant.id, issuer.logout_token(sub=sub)) == 2
    assert [lasts(session) for session in both] == [False, False]


FAULTS = {
    "nonce": {"nonce": "an ID token"},
    "typ": {"typ": "JWT"},
    "events": {"events": {"http://schemas.openid.net/event/other": {}}},
    "no events": {"events": None},
    "issuer": {"iss": "https://elsewhere.example.org"},
    "audience": {"aud": "another-client"},
    "expired": {"exp": 1_700_000_000},
    "old": {"iat": 1_700_000_000},
    "no jti": {"jti": None},
    "nobody": {"sid": None},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_token_with_a_fault_ends_nothing(fault, tenant, issuer, signed_in):
    session = signed_in(sid="one")
    with pytest.raises(BadRequest):
        end_by_provider(tenant.id, issuer.logout_token(**{"sid": "one", **FAULTS[fault]}))
    assert lasts(session)


def test_a_token_of_another_key_ends_nothing(tenant, issuer, signed_in):
    session, decent = signed_in(sid="one"), issuer.key
    issuer.key = RSAKey.generate_key(2048, {"kid": "first"})
    token = issuer.logout_token(sid="one")
    issuer.key = decent
    with pytest.raises(BadRequest):
        end_by_provider(tenant.id, token)
    assert lasts(session)


def test_a_token_counts_one_time(tenant, issuer, signed_in):
    signed_in(sid="one")
    token = issuer.logout_token(sid="one")
    end_by_provider(tenant.id, token)
    later = signed_in(sid="one")
    with pytest.raises(BadRequest):
        end_by_provider(tenant.id, token)
    assert lasts(later)


def test_a_token_sent_for_another_tenant_ends_nothing_there(tenant, issuer, signed_in, make_tenant, set_up):
    other = make_tenant().ref
    session = signed_in(sid="one")
    with pytest.raises(BadRequest):
        end_by_provider(other.id, issuer.logout_token(sid="one"))
    set_up(other)
    assert end_by_provider(other.id, issuer.logout_token(sid="one")) == 0
    assert lasts(session)


def test_the_provider_takes_the_token_over_http_without_a_credential(
    application, client_for, tenant, issuer, signed_in
):
    session, client = signed_in(sid="one"), client_for(application, None)
    path = f"/v1/sso/back-channel/{tenant.id}"
    assert client.post(path, data={"logout_token": "nonsense"}).status_code == 400
    assert client.post(f"/v1/sso/back-channel/{uuid4()}", data={"logout_token": "nonsense"}).status_code == 400
    assert lasts(session)
    answer = client.post(path, data={"logout_token": issuer.logout_token(sid="one")})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert not lasts(session)


def test_signing_out_goes_on_to_the_provider_with_its_own_token(issuer, signed_in):
    address = end_session_address(signed_in().id, "https://iit.example.org/sign-in")
    assert address.startswith(issuer.metadata["end_session_endpoint"])
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    assert asked == {
        "id_token_hint": issuer.id_token,
        "client_id": CLIENT,
        "post_logout_redirect_uri": "https://iit.example.org/sign-in",
    }
    assert end_session_address(uuid4(), "https://iit.example.org/sign-in") is None
