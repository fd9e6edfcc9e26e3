"""Whose account a provider's sign-in opens, and with which roles."""

from uuid import UUID, uuid4

import pytest

from core.database import platform_session
from core.errors import NotFound, Unauthenticated
from core.identity.oidc import accounts as oidc_accounts
from core.identity.people import accounts, links, members, sessions
from core.identity.people.sessions import KIND
from core.identity.people.sign_in import sign_in as sign_in_with_password
from core.identity.tenant_roles import service as roles
from tests.core.identity.oidc.test_flows import rejected

PASSWORD = "seven green bicycles in the rain"


@pytest.fixture
def email(domain):
    return f"tracker-{uuid4().hex[:8]}@{domain}"


def subject():
    return f"subject-{uuid4().hex}"


def principal(session):
    return KIND.verify(session.secret).principal


def add(tenant, email, *names, accepted=True, **scope):
    person_id = members.add_member(tenant, email, "Person", members.Grant(names, **scope), actor="test:1")
    if accepted:
        link = links.create_link(person_id, links.INVITATION, actor="test:1", tenant_id=tenant.id)
        links.use_link(link.path.removeprefix(links.PATH), PASSWORD)
    return person_id


def test_the_same_subject_is_the_same_person_whatever_the_address_says(email, sign_in):
    sub = subject()
    first = principal(sign_in(email=email, sub=sub))
    again = principal(sign_in(email="other@unproved.example.org", email_verified=False, sub=sub))
    assert again.id == first.id


def test_a_person_of_the_tenant_is_linked_and_keeps_facilities_and_states(tenant, email, sign_in):
    person_id = add(tenant, email, "case_manager", states=["Lagos"])
    person = principal(sign_in(email=email.upper()))
    assert person.id == str(person_id)
    assert (person.roles, person.states) == ({"case_manager"}, {"Lagos"})


def test_an_invitation_is_accepted_by_the_sign_in_with_its_roles(tenant, email, sign_in):
    person_id = add(tenant, email, "data_officer", accepted=False)
    person = principal(sign_in(email=email))
    assert (person.id, person.roles) == (str(person_id), {"data_officer"})


def test_another_subject_does_not_get_the_account_of_a_person_who_left(tenant, email, sign_in):
    sign_in(email=email)
    rejected(lambda: sign_in(email=email), "other_identity")


def test_who_was_removed_comes_back_by_a_new_invitation_only(tenant, email, sign_in):
    sub = subject()
    person_id = principal(sign_in(email=email, sub=sub)).id
    members.remove_member(tenant, UUID(person_id), actor="test:1")
    rejected(lambda: sign_in(email=email, sub=sub), "removed")
    rejected(lambda: sign_in(email=email), "removed")
    add(tenant, email, "viewer", accepted=False)
    assert principal(sign_in(email=email, sub=sub)).id == person_id


def test_an_invitation_lets_the_address_go_to_another_subject(tenant, email, sign_in):
    person_id = principal(sign_in(email=email)).id
    members.remove_member(tenant, UUID(person_id), actor="test:1")
    add(tenant, email, "viewer", accepted=False)
    assert principal(sign_in(email=email)).id == person_id


def test_an_operator_is_never_signed_in_by_a_tenants_provider(email, sign_in):
    accounts.add_operator(email, "Operator", "platform_admin", actor="test:1")
    rejected(lambda: sign_in(email=email), "account")


def test_a_deactivated_account_is_not_signed_in(email, sign_in):
    sub = subject()
    person_id = principal(sign_in(email=email, sub=sub)).id
    with platform_session() as session:
        session.connection().exec_driver_sql(
            "UPDATE platform.people SET state = 'deactivated' WHERE id = %s", (person_id,)
        )
    rejected(lambda: sign_in(email=email, sub=sub), "account")


@pytest.mark.parametrize("proved", [True, "1", "true"])
def test_microsofts_claim_of_a_proved_domain_verifies_an_address_of_its_own_issuers_alone(
    email, issuer, begin, monkeypatch, proved
):
    def attempt(**claims):
        flow = begin()
        issuer.id_token = issuer.signed(issuer.claims(flow.nonce, email=email, sub=subject(), **claims))
        return flow.complete().session

    rejected(lambda: attempt(xms_edov=proved), "unverified", "email")
    monkeypatch.setattr(oidc_accounts, "MICROSOFT", {"127.0.0.1"})
    for claims in ({}, {"xms_edov": False}, {"xms_edov": "0"}, {"xms_edov": proved, "email_verified": False}):
        rejected(lambda claims=claims: attempt(**claims), "unverified", "email")
    assert principal(attempt(xms_edov=proved)).roles == {"viewer"}


def test_claims_give_roles_at_each_sign_in(tenant, email, sign_in, set_up):
    own = roles.create_role(
        tenant, roles.RoleDraft(f"lead-{uuid4().hex[:8]}", "Leads", ("case_manager",), ()), roles.RoleAuthor("test:1")
    ).name
    set_up(tenant, role_mapping={"trackers": "tracking_officer", "leads": own}, default_role=None)
    sub = subject()
    assert principal(sign_in(email=email, sub=sub, groups=["trackers", "others"])).roles == {"tracking_officer"}
    assert principal(sign_in(email=email, sub=sub, groups=["trackers", "leads"])).roles == {"tracking_officer", own}
    assert principal(sign_in(email=email, sub=sub, groups="leads")).roles == {own}
    rejected(lambda: sign_in(email=email, sub=sub, groups=["others", 7, None]), "no_role")


def test_a_mapped_role_that_was_deleted_gives_nothing(tenant, email, sign_in, set_up):
    author = roles.RoleAuthor("test:1")
    name = f"lead-{uuid4().hex[:8]}"
    roles.create_role(tenant, roles.RoleDraft(name, "Leads", ("case_manager",), ()), author)
    set_up(tenant, role_mapping={"leads": name}, default_role=None)
    roles.delete_role(tenant, name, author)
    rejected(lambda: sign_in(email=email, groups=["leads"]), "no_role")


def test_without_a_role_nobody_gets_an_account(tenant, email, sign_in, set_up):
    set_up(tenant, default_role=None)
    rejected(lambda: sign_in(email=email), "no_role")
    with pytest.raises(NotFound):
        members.person_of(email)


def test_claims_do_not_take_the_role_of_the_last_admin(make_tenant, sign_in, set_up, prove):
    own = make_tenant().ref
    set_up(own, role_mapping={"viewers": "viewer"})
    email = f"admin@{prove(own)}"
    add(own, email, "partner_admin")
    assert principal(sign_in(own, email=email, groups=["viewers"])).roles == {"partner_admin", "viewer"}


def test_a_password_chosen_elsewhere_does_not_open_a_membership_of_the_provider(tenant, email, sign_in, make_tenant):
    """Another tenant's admin can invite any address first, and choose the account's password."""
    other = make_tenant().ref
    add(other, email, "viewer")
    ours = principal(sign_in(email=email))
    assert ours.tenant_id == tenant.id
    elsewhere = sign_in_with_password(email, PASSWORD, address="192.0.2.9")
    assert elsewhere.tenant_id == other.id
    with pytest.raises(NotFound):
        sessions.switch(elsewhere.id, ours.id, tenant.id, "test")


def test_a_password_set_by_another_tenants_link_does_not_open_it_either(tenant, email, sign_in, make_tenant):
    sign_in(email=email)
    other = make_tenant().ref
    add(other, email, "viewer")
    members.remove_member(other, members.person_of(email), actor="test:1")
    with pytest.raises(Unauthenticated):
        sign_in_with_password(email, PASSWORD, address="192.0.2.9")


def test_the_session_of_a_provider_does_not_reach_the_persons_other_tenants(tenant, email, sign_in, make_tenant):
    other = make_tenant().ref
    add(other, email, "partner_admin")
    session = sign_in(email=email)
    with pytest.raises(NotFound):
        sessions.switch(session.id, members.person_of(email), other.id, "test")


def test_one_issuer_of_two_tenants_opens_each_for_its_own_domain(tenant, email, sign_in, set_up, prove, make_tenant):
    other, sub = make_tenant().ref, subject()
    set_up(other)
    theirs = f"a@{prove(other)}"
    ours = principal(sign_in(email=email, sub=sub))
    rejected(lambda: sign_in(other, email=email, sub=sub), "domain")
    other_person = principal(sign_in(other, email=theirs, sub=sub))
    assert ours.id != other_person.id
    assert other_person.tenant_id == other.id
