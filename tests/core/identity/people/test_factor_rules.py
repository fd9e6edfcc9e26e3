"""Who must have a second factor: reaches nothing else until it is set up, from the next request on."""

import pytest

from core.database import platform_session, tenant_session
from core.errors import NotFound, Unauthenticated
from core.identity.people import accounts, factor_reset, members, pending, second_factor, sessions
from core.identity.people.second_factor import Proof
from core.identity.people.sessions import KIND
from core.identity.people.sign_in import complete_set_up
from core.preferences import registry, service
from core.settings import get_settings
from tests.core.identity.people.conftest import PASSWORD, Phone


@pytest.fixture
def require():
    """Makes a tenant ask for a second factor of these roles."""

    def change(tenant, *roles):
        with tenant_session(tenant, actor="test:1") as session:
            service.replace(session, registry.groups()["sign_in"], {"second_factor_roles": list(roles)})

    return change


@pytest.fixture
def settings(monkeypatch):
    """Sets settings for a test: ``settings(IIT_ENVIRONMENT="production")``."""

    def change(**values):
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        get_settings.cache_clear()

    yield change
    monkeypatch.undo()
    get_settings.cache_clear()


def test_a_role_that_needs_it_is_led_to_set_it_up_from_the_next_request(tenant, add_person, begin, require):
    (person_id, email), (_, other) = add_person("data_officer"), add_person("viewer")
    session, viewer = begin(email), begin(other)
    require(tenant, "data_officer")
    with pytest.raises(Unauthenticated):
        KIND.verify(session.secret)
    assert KIND.verify(viewer.secret)
    started = begin(email)
    assert started.purpose == pending.SET_UP
    code = Phone(second_factor.set_up_of(person_id).secret, ()).code(0)
    session, codes = complete_set_up(started.secret, code)
    assert KIND.verify(session.secret).principal.id == str(person_id)
    assert len(codes) == 10
    with pytest.raises(Unauthenticated):
        complete_set_up(started.secret, code)


def test_what_a_partner_asks_for_cannot_be_removed_and_can_be_when_it_no_longer_asks(
    tenant, add_person, set_up, begin, require
):
    from core.errors import Conflict

    person_id, email = add_person("data_officer")
    phone = set_up(person_id, email)
    require(tenant, "data_officer", "partner_admin")
    session_id = sessions.list_sessions(person_id)[0].id
    assert second_factor.state_of(person_id).required
    with pytest.raises(Conflict):
        second_factor.remove(person_id, Proof(PASSWORD, phone.code(), "192.0.2.1"), session_id)
    require(tenant)
    second_factor.remove(person_id, Proof(PASSWORD, phone.recovery_codes[0], "192.0.2.1"), session_id)
    assert begin(email)


def test_a_sign_in_by_the_partners_provider_is_not_asked(tenant, add_person, require):
    person_id, _ = add_person("data_officer")
    require(tenant, "data_officer")
    with platform_session() as platform:
        session = sessions.begin(platform, person_id, tenant.id, signed_in_by="oidc")
    assert KIND.verify(session.secret)


@pytest.mark.parametrize(
    ("values", "asked"),
    [
        ({"IIT_ENVIRONMENT": "production"}, True),
        ({"IIT_ENVIRONMENT": "development"}, False),
        ({"IIT_ENVIRONMENT": "production", "IIT_OPERATOR_SECOND_FACTOR": "false"}, False),
        ({"IIT_OPERATOR_SECOND_FACTOR": "true"}, True),
    ],
)
def test_operators_need_it_in_production_unless_the_installation_says_otherwise(
    database, begin, settings, values, asked
):
    from core.identity.people import links

    email = "night@operators.iit-test.org"
    try:
        person_id = members.person_of(email)
    except NotFound:
        person_id = accounts.add_operator(email, "Night", "platform_admin", actor="test:1")
    second_factor_off(person_id)
    link = links.create_link(person_id, links.RESET, actor="test:1")
    links.use_link(link.path.removeprefix(links.PATH), PASSWORD)
    with platform_session() as platform:
        session = sessions.begin(platform, person_id, None, signed_in_by=sessions.BY_PASSWORD)
    settings(**values)
    if asked:
        with pytest.raises(Unauthenticated):
            KIND.verify(session.secret)
        assert begin(email).purpose == pending.SET_UP
    else:
        assert KIND.verify(session.secret)
        assert isinstance(begin(email), sessions.NewSession)


def second_factor_off(person_id):
    try:
        factor_reset.reset(person_id, actor="test:1", source="cli")
    except NotFound:
        return


def test_accounts_of_the_demo_sign_in_nowhere_in_production(add_person, begin, settings):
    _, demo = add_person()
    _, real = add_person(email="person@real-partner.ng")
    session = begin(demo)
    settings(IIT_ENVIRONMENT="production")
    with pytest.raises(Unauthenticated):
        begin(demo)
    with pytest.raises(Unauthenticated):
        KIND.verify(session.secret)
    assert begin(real)
