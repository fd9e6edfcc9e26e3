"""A sign-in by a provider: one session for the right answer, none for any other."""

from uuid import uuid4

import pytest
from joserfc.jwk import ECKey, RSAKey
from sqlalchemy import text

from core.database import platform_session
from core.identity.oidc import providers
from core.identity.oidc.errors import SignInRejected
from core.identity.people.sessions import KIND
from tests.core.identity.oidc.conftest import REDIRECT
from tests.core.identity.oidc.issuer import CLIENT


@pytest.fixture
def email(domain):
    return f"tracker-{uuid4().hex[:8]}@{domain}"


def rejected(attempt, reason, check=None):
    with pytest.raises(SignInRejected) as caught:
        attempt()
    assert (caught.value.reason, caught.value.check) == (reason, check)


def test_a_decent_answer_begins_a_session_of_the_tenant(tenant, email, issuer, begin, audited):
    flow = begin()
    issuer.id_token = issuer.signed(issuer.claims(flow.nonce, email=email, email_verified=True, name="Tracker"))
    completed = flow.complete()
    principal = KIND.verify(completed.session.secret).principal
    assert (principal.tenant_id, principal.signed_in_by, principal.name) == (tenant.id, "oidc", "Tracker")
    assert principal.roles == {"viewer"}
    assert completed.following == "/today"
    (row,) = audited("page:person:sign_in")
    assert (row["by"], row["linked"], row["roles"]) == ("oidc", True, ["viewer"])


def test_the_provider_is_asked_for_a_code_with_pkce_state_and_nonce(email, issuer, begin):
    flow = begin()
    asked = flow.asked
    assert flow.address.startswith(issuer.metadata["authorization_endpoint"])
    assert (asked["response_type"], asked["client_id"], asked["redirect_uri"]) == ("code", CLIENT, REDIRECT)
    assert (asked["code_challenge_method"], len(asked["code_challenge"])) == ("S256", 43)
    assert asked["scope"].split()[0] == "openid"
    assert min(len(asked["state"]), len(asked["nonce"])) >= 43
    issuer.id_token = issuer.signed(issuer.claims(flow.nonce, email=email, email_verified=True))
    flow.complete()
    exchange = issuer.exchanges[0]
    assert exchange["grant_type"] == "authorization_code"
    assert exchange["redirect_uri"] == REDIRECT
    assert len(exchange["code_verifier"]) >= 43
    assert exchange["code_verifier"] not in flow.address


FAULTS = {
    "issuer": ({"iss": "https://elsewhere.example.org"}, "iss"),
    "issuer with a slash": ({"iss": "{url}/"}, "iss"),
    "audience": ({"aud": "another-client"}, "aud"),
    "no audience": ({"aud": None}, "aud"),
    "second audience without azp": ({"aud": [CLIENT, "another-client"]}, "azp"),
    "azp of another client": ({"aud": [CLIENT, "another-client"], "azp": "another-client"}, "azp"),
    "nonce": ({"nonce": "of another sign-in"}, "nonce"),
    "no nonce": ({"nonce": None}, "nonce"),
    "expired": ({"exp": 1_700_000_000}, "exp"),
    "no expiry": ({"exp": None}, "exp"),
    "issued in the future": ({"iat": 99_999_999_999}, "iat"),
    "no time": ({"iat": None}, "iat"),
    "no subject": ({"sub": None}, "sub"),
    "hash of another access token": ({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, "at_hash"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_token_with_a_wrong_claim_is_rejected(fault, email, issuer, begin, audited):
    changed, check = FAULTS[fault]
    changed = {
        name: value.format(url=issuer.url) if isinstance(value, str) else value for name, value in changed.items()
    }
    flow = begin()
    issuer.id_token = issuer.signed(issuer.claims(flow.nonce, **{"email": email, "email_verified": True, **changed}))
    rejected(flow.complete, "token", check)
    assert audited("page:sso:reject") == [{"reason": "token", "check": check}]


def test_a_token_without_a_signature_is_rejected(email, issuer, begin):
    flow = begin()
    issuer.metadata["id_token_signing_alg_values_supported"] = ["none", "RS256"]
    issuer.id_token = issuer.unsigned(issuer.claims(flow.nonce, email=email, email_verified=True))
    rejected(flow.complete, "token", "unsupported_algorithm")


def test_a_token_signed_with_the_public_key_as_secret_is_rejected(email, issuer, begin, set_up, tenant):
    issuer.metadata["id_token_signing_alg_values_supported"] = ["HS256", "RS256"]
    set_up(tenant)
    flow = begin()
    issuer.id_token = issuer.by_public_key(issuer.claims(flow.nonce, email=email, email_verified=True))
    rejected(flow.complete, "token", "unsupported_algorithm")


def test_an_algorithm_that_the_provider_does_not_name_is_rejected(email, issuer, begin):
    flow = begin()
    issuer.id_token = issuer.signed(issuer.claims(flow.nonce, email=email, email_verified=True), alg="RS512")
    rejected(flow.complete, "token", "unsupported_algorithm")


def test_a_key_in_the_token_is_ignored(email, issuer, begin):
    issuer.metadata["id_token_signing_alg_values_supported"] = ["ES256", "RS256"]
    flow, own = begin(), ECKey.generate_key("P-256", {"kid": "first"})
    claims = issuer.claims(flow.nonce, email=email, email_verified=True)
    header = {"jwk": own.as_dict(private=False), "jku": f"{issuer.url}/own", "x5u": f"{issuer.url}/own"}
    issuer.id_token = issuer.signed(claims, own, alg="ES256", **header)
    rejected(flow.complete, "token", "invalid_key_type")
    assert ("GET", "/own") not in issuer.asked


def test_a_token_of_an_unknown_key_is_rejected_after_one_look_for_new_keys(email, issuer, begin):
    flow, other = begin(), RSAKey.generate_key(2048, {"kid": "other"})
    claims = issuer.claims(flow.nonce, email=email, email_verified=True)
    issuer.id_token = issuer.signed(claims, other, kid="other")
    rejected(flow.complete, "token", "invalid_key_id")
    assert issuer.asked.count(("GET", "/keys")) == 2


def test_a_new_key_of_the_provider_is_found(email, issuer, begin):
    flow, new = begin(), RSAKey.generate_key(2048, {"kid": "new"})
    issuer.keys = [new]
    claims = issuer.claims(flow.nonce, email=email, email_verified=True)
    issuer.id_token = issuer.signed(claims, new, kid="new")
    assert flow.complete().session.secret


def test_a_symmetric_or_encrypting_key_of_the_provider_verifies_nothing(email, issuer, begin):
    issuer.keys = [
        {"kty": ["RSA"]},
        {"kty": "RSA", "n": 7},
        {"kty": "oct", "k": "AAAA", "kid": "first"},
        {**issuer.key.as_dict(private=False), "use": "enc"},
    ]
    rejected(begin, "provider", "keys")


def test_claims_that_the_token_lacks_come_from_the_provider_of_the_same_subject(email, issuer, set_up, tenant, begin):
    issuer.metadata["userinfo_endpoint"] = f"{issuer.url}/userinfo"
    set_up(tenant)
    for other, reason, check in (("another", "token", "user_info_sub"), (None, "provider", "user_info")):
        flow = begin()
        issuer.user_info = other and {"sub": other, "email": email, "email_verified": True}
        issuer.id_token = issuer.signed(issuer.claims(flow.nonce, sub="subject"))
        rejected(flow.complete, reason, check)
    flow = begin()
    issuer.user_info = {"sub": "subject", "email": email, "email_verified": True, "iss": "ignored"}
    issuer.id_token = issuer.signed(issuer.claims(flow.nonce, sub="subject"))
    assert flow.complete().session.secret


def test_an_answer_counts_one_time(email, issuer, begin):
    flow = begin()
    issuer.id_token = issuer.signed(issuer.claims(flow.nonce, email=email, email_verified=True))
    flow.complete()
    rejected(flow.complete, "expired", "state")


def test_a_failed_answer_cannot_be_tried_again(email, issuer, begin):
    flow = begin()
    issuer.token_error = "invalid_grant"
    rejected(flow.complete, "provider", "invalid_grant")
    rejected(flow.complete, "expired", "state")


@pytest.mark.parametrize("secret", ["", "of another browser"])
def test_an_answer_in_another_browser_is_rejected(secret, email, issuer, begin):
    flow = begin()
    issuer.id_token = issuer.signed(issuer.claims(flow.nonce, email=email, email_verified=True))
    rejected(lambda: flow.complete(secret=secret), "expired", "state" if secret else "browser")
    assert issuer.exchanges == []


def test_an_answer_after_ten_minutes_is_rejected(email, issuer, begin):
    flow = begin()
    with platform_session() as session:
        session.execute(text("UPDATE platform.sso_flows SET expires_at = now() - interval '1 second'"))
    rejected(flow.complete, "expired", "state")


def test_an_answer_of_another_issuer_is_rejected_before_the_code_is_sent(email, issuer, begin):
    flow = begin()
    rejected(lambda: flow.complete(issuer="https://elsewhere.example.org"), "token", "response_iss")
    assert issuer.exchanges == []


def test_an_answer_without_issuer_is_rejected_if_the_provider_promises_one(email, issuer, set_up, tenant, begin):
    issuer.metadata["authorization_response_iss_parameter_supported"] = True
    set_up(tenant)
    flow = begin()
    rejected(flow.complete, "token", "response_iss")
    flow = begin()
    issuer.id_token = issuer.signed(issuer.claims(flow.nonce, email=email, email_verified=True))
    assert flow.complete(issuer=issuer.url).session.secret


def test_an_error_of_the_provider_begins_no_session(email, begin):
    flow = begin()
    rejected(lambda: flow.complete(code="", error="access_denied"), "declined", "error")


def test_a_changed_issuer_ends_sign_ins_under_way(email, begin, set_up, tenant):
    flow = begin()
    set_up(tenant, issuer="https://elsewhere.example.org")
    rejected(flow.complete, "expired", "provider")


def test_an_address_that_the_provider_has_not_verified_is_rejected(email, sign_in):
    for verified in (False, None, "true", 1):
        rejected(lambda verified=verified: sign_in(email=email, email_verified=verified), "unverified", "email")
    rejected(lambda: sign_in(email=None), "unverified", "email")


def test_an_address_of_an_unproved_domain_is_rejected(domain, sign_in, tenant, set_up, prove, make_tenant):
    other = make_tenant().ref
    theirs = prove(other)
    for address in (f"a@sub.{domain}", "a@unproved.example.org", f"a@{theirs}"):
        rejected(lambda address=address: sign_in(email=address), "domain")


def test_tokens_are_stored_sealed_and_codes_not_at_all(tenant, email, issuer, begin):
    flow = begin()
    issuer.id_token = issuer.signed(issuer.claims(flow.nonce, email=email, email_verified=True))
    session = flow.complete().session
    with platform_session() as platform:
        row = platform.execute(
            text("SELECT to_jsonb(s)::text AS stored FROM platform.sso_sessions s WHERE session_id = :id"),
            {"id": session.id},
        ).one()
        secret = platform.execute(
            text("SELECT sealed_secret FROM platform.sso_providers WHERE tenant_id = :id"), {"id": tenant.id}
        ).scalar_one()
    assert issuer.id_token not in row.stored
    assert b"secret" not in bytes(secret)
    assert providers.get_provider(tenant).secret() == "a secret of the client"
