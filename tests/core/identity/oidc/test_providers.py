"""Setting up single sign-on, enforcing it, and what a test of it finds."""

from uuid import uuid4

import pytest

from core.database import platform_session
from core.errors import Forbidden, Invalid, NotFound, Unauthenticated
from core.identity.oidc import providers
from core.identity.oidc.author import Author
from core.identity.oidc.checkup import check_up
from core.identity.oidc.providers import get_provider, provider_of_email, provider_of_partner, remove_provider
from core.identity.people import members, sessions
from core.identity.people.sessions import KIND
from core.identity.people.sign_in import sign_in as sign_in_with_password
from core.identity.people.throttle import FREE
from core.identity.roles import permissions_of_role
from tests.core.identity.oidc.conftest import AUTHOR, REDIRECT
from tests.core.identity.oidc.test_accounts import PASSWORD, add


@pytest.fixture
def tenant(make_tenant):
    """Enforcing concerns all of a tenant: each test has its own."""
    return make_tenant().ref


@pytest.fixture
def admin(tenant, domain):
    """An admin with a password: id and address."""
    email = f"admin-{uuid4().hex[:8]}@{domain}"
    return add(tenant, email, "partner_admin"), email


@pytest.fixture
def enforced(tenant, domain, admin, sign_in, set_up):
    """Somebody has signed in by the provider, and now everybody must, but for the admin."""
    sign_in(email=f"first-{uuid4().hex[:8]}@{domain}")
    set_up(tenant, enforced=True, break_glass_person_id=admin[0])


def with_password(email, password=PASSWORD):
    return sign_in_with_password(email, password, address="192.0.2.1", device="test")


def fields_of(error):
    return sorted(problem.field for problem in error.value.errors)


def test_the_fields_are_checked_and_named(tenant, set_up):
    for issuer in ("http://login.example.org", "nonsense", "https://login.example.org/?a=b"):
        with pytest.raises(Invalid) as error:
            set_up(tenant, issuer=issuer)
        assert fields_of(error) == ["issuer"]
    with pytest.raises(Invalid) as error:
        set_up(tenant, client_secret=" ", role_mapping={str(number): "viewer" for number in range(201)})
    assert fields_of(error) == ["client_secret", "role_mapping"]
    with pytest.raises(Invalid) as error:
        set_up(tenant, role_mapping={"a": "platform_admin"}, default_role="no-such-role")
    assert fields_of(error) == ["default_role", "role_mapping"]
    with pytest.raises(NotFound):
        get_provider(tenant)


def test_a_secret_is_kept_for_its_issuer_and_never_sent_to_another(tenant, set_up):
    set_up(tenant)
    assert set_up(tenant, client_secret=None, client_id="other").secret() == "a secret of the client"
    with pytest.raises(Invalid) as error:
        set_up(tenant, client_secret=None, issuer="https://elsewhere.example.org")
    assert fields_of(error) == ["client_secret"]


def test_only_who_may_do_all_that_an_admin_may_changes_it(tenant, set_up, issuer):
    set_up(tenant)
    known = get_provider(tenant)
    lesser = Author("test:1", permissions=permissions_of_role("partner_admin") - {"audit.read"})
    with pytest.raises(Forbidden):
        remove_provider(tenant, lesser)
    draft = providers.Draft(known.issuer, "x", None, "groups", {}, None, enforced=False, break_glass_person_id=None)
    with pytest.raises(Forbidden):
        providers.put_provider(tenant, draft, lesser)
    assert get_provider(tenant).client_id == known.client_id


def test_it_is_found_by_proved_domain_or_short_name(tenant, domain, make_tenant):
    assert provider_of_email(f"Whoever@{domain.upper()}").tenant.id == tenant.id
    assert provider_of_partner(tenant.slug).tenant.id == tenant.id
    other = make_tenant().ref
    assert [provider_of_email("a@unproved.example.org"), provider_of_email(""), provider_of_partner(other.slug)] == [
        None
    ] * 3


def test_enforcing_needs_somebody_who_can_still_sign_in(tenant, set_up, prove, sign_in):
    set_up(tenant)
    viewer = add(tenant, f"viewer-{uuid4().hex[:8]}@elsewhere.example.org", "viewer")
    for person in (None, uuid4(), viewer):
        with pytest.raises(Invalid) as error:
            set_up(tenant, enforced=True, break_glass_person_id=person)
        assert fields_of(error) == ["break_glass_person_id", "enforced", "enforced"]
    admin = add(tenant, f"admin-{uuid4().hex[:8]}@elsewhere.example.org", "partner_admin")
    domain = prove(tenant)
    with pytest.raises(Invalid) as error:
        set_up(tenant, enforced=True, break_glass_person_id=admin)
    assert fields_of(error) == ["enforced"]
    sign_in(email=f"a@{domain}")
    assert set_up(tenant, enforced=True, break_glass_person_id=admin).enforced


def test_enforcing_ends_and_rejects_passwords(tenant, domain, admin, sign_in, set_up):
    email = f"tracker-{uuid4().hex[:8]}@{domain}"
    add(tenant, email, "viewer")
    before, of_admin = with_password(email), with_password(admin[1])
    by_provider = sign_in(email=f"first-{uuid4().hex[:8]}@{domain}")
    set_up(tenant, enforced=True, break_glass_person_id=admin[0])
    with pytest.raises(Unauthenticated):
        KIND.verify(before.secret)
    assert KIND.verify(of_admin.secret).principal.id == str(admin[0])
    assert KIND.verify(by_provider.secret)
    with pytest.raises(Unauthenticated):
        with_password(email)


def test_a_right_password_is_answered_and_counted_as_a_wrong_one(tenant, domain, enforced):
    email = f"tracker-{uuid4().hex[:8]}@{domain}"
    add(tenant, email, "viewer")
    answers = set()
    for password in [PASSWORD, "wrong"] * FREE:
        with pytest.raises(Exception) as error:  # noqa: PT011 - whatever it is, it must be the same
            with_password(email, password)
        answers.add((type(error.value), error.value.detail))
    assert len(answers) == 2  # wrong, and then: wait
    assert {kind.__name__ for kind, _ in answers} == {"Unauthenticated", "TooManyRequests"}


def test_the_use_of_the_break_glass_account_is_recorded_and_logged(tenant, admin, enforced, audited, caplog):
    with_password(admin[1])
    assert audited("page:sso:break_glass") == [None]
    assert "break-glass account used" in caplog.text


def test_a_person_of_two_tenants_uses_a_password_where_it_is_allowed(tenant, domain, enforced, make_tenant):
    other, email = make_tenant().ref, f"both-{uuid4().hex[:8]}@{domain}"
    person = add(tenant, email, "viewer")
    members.add_member(other, email, "Person", members.Grant(["viewer"]), actor="test:1")
    with platform_session() as session:
        members.accept(session, person, other.id)
    begun = with_password(email)
    assert begun.tenant_id == other.id
    with pytest.raises(NotFound):
        sessions.switch(begun.id, person, tenant.id, "test")


def test_removing_it_ends_its_sessions_and_lets_passwords_work(tenant, domain, enforced, sign_in):
    email = f"tracker-{uuid4().hex[:8]}@{domain}"
    add(tenant, email, "viewer")
    begun = sign_in(email=email)
    remove_provider(tenant, AUTHOR)
    with pytest.raises(Unauthenticated):
        KIND.verify(begun.secret)
    assert with_password(email).tenant_id == tenant.id


def wrong(tenant):
    return {finding.check: finding.problem for finding in check_up(tenant, REDIRECT) if not finding.ok}


def test_a_test_of_what_works_finds_nothing(tenant, domain, issuer):
    issuer.token_error = "invalid_grant"
    assert [finding.check for finding in check_up(tenant, REDIRECT)] == [
        "discovery",
        "keys",
        "clock",
        "client",
        "redirect_address",
        "domains",
    ]
    assert wrong(tenant) == {}


def test_a_test_says_what_is_wrong(tenant, set_up, issuer, admin):
    issuer.token_error = "invalid_client"
    issuer.authorization_status = 400
    issuer.date = "Sun, 29 Nov 2020 09:00:00 GMT"
    add(tenant, f"b-{uuid4().hex[:8]}@elsewhere.example.org", "viewer")
    problems = wrong(tenant)
    assert sorted(problems) == ["client", "clock", "domains", "redirect_address"]
    assert REDIRECT in problems["redirect_address"]
    assert problems["domains"].startswith("1 people")


@pytest.mark.parametrize(
    ("changed", "check"),
    [
        ({"issuer": "https://elsewhere.example.org"}, "issuer"),
        ({"token_endpoint": None}, "discovery"),
        ({"jwks_uri": "http://keys.example.org/"}, "address"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "address"),
        ({"id_token_signing_alg_values_supported": ["none", "HS256"]}, "algorithms"),
    ],
)
def test_a_test_ends_at_metadata_that_cannot_be_used(tenant, domain, issuer, changed, check):
    issuer.metadata |= changed
    assert list(wrong(tenant)) == [check]


def test_a_test_finds_a_provider_that_is_not_there(tenant, domain, issuer):
    issuer.metadata = None
    assert list(wrong(tenant)) == ["discovery"]
