"""Single sign-on in a browser, by a real provider in a process of its own."""

from uuid import uuid4

import pytest

from core.identity.oidc import discovery, domains, providers
from core.identity.oidc.author import Author
from core.identity.oidc.checkup import check_up
from core.identity.oidc.providers import Draft
from core.identity.people import members
from tests.browser import people
from tests.browser.page_checks import DESKTOP, PHONE, assert_fits
from tests.oidc_provider.process import CLIENT, SECRET, provider

AUTHOR = Author("test:1")
FONTS = "https://fonts.googleapis.com/"
"""What the pages of the provider ask for; they are its own."""


class Published:
    """Every record that the domain's owner was asked for."""

    def txt_records(self, domain):
        return self.records


@pytest.fixture(scope="module")
def partner(site, make_tenant):
    """A partner whose people sign in by a real provider: its tenant, its issuer and its domain."""
    tenant = make_tenant(name="Northern Partner").ref
    domain = f"{tenant.slug}.example.org"
    with (
        provider(site, f"/v1/sso/back-channel/{tenant.id}") as issuer,
        pytest.MonkeyPatch.context() as patch,
    ):
        published = Published()
        patch.setattr(domains, "prover", published)
        mapping = {"trackers": "tracking_officer"}
        draft = Draft(issuer, CLIENT, SECRET, "groups", mapping, None, enforced=False, break_glass_person_id=None)
        providers.put_provider(tenant, draft, AUTHOR)
        claimed = domains.claim_domain(tenant, domain, AUTHOR)
        published.records = [claimed.record]
        domains.check_domain(tenant, claimed.id, AUTHOR)
        yield tenant, issuer, domain
        discovery.forget(issuer)


@pytest.fixture
def sign_in(open_page, partner, troubles):
    """Signs in at the provider as ``name``, and gives the page that follows."""
    _, issuer, domain = partner

    def begin(name, size=PHONE, **options):
        page = open_page("/sign-in?next=/me", size, **options)
        page.route(f"{FONTS}**", lambda route: route.fulfill(body=""))
        page.get_by_label("E-mail address").fill(f"somebody@{domain}")
        page.get_by_role("button", name="Continue with your partner's sign-in").click()
        page.wait_for_url(f"{issuer}/**")
        page.locator("[name=login]").fill(f"{name}@{domain}")
        page.locator("[name=password]").fill("any")
        page.get_by_role("button", name="Sign-in").click()
        page.get_by_role("button", name="Continue").click()
        return page

    yield begin
    troubles[:] = [trouble for trouble in troubles if issuer not in trouble and FONTS not in trouble]


@pytest.mark.parametrize(("size", "script"), [(PHONE, False), (DESKTOP, True)])
def test_a_person_signs_in_at_the_provider_and_out_in_both_places(sign_in, partner, site, size, script):
    tenant, issuer, domain = partner
    page = sign_in(f"tracker-{size['width']}", size, java_script_enabled=script)
    page.wait_for_url(f"{site}/me")
    assert "Northern Partner" in page.content()
    member = members.get_member(tenant, members.person_of(f"tracker-{size['width']}@{domain}"))
    assert (member.roles, member.name) == (("tracking_officer",), "Person of the provider")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{issuer}/session/end**")
    page.get_by_role("button", name="Yes, sign me out").click()
    page.wait_for_url(f"{site}/sign-in**")
    page.goto("/me")
    assert page.url.startswith(f"{site}/sign-in")


def test_signing_out_at_the_provider_ends_the_session_here(sign_in, partner, site):
    _, issuer, _ = partner
    page = sign_in("leaver")
    page.wait_for_url(f"{site}/me")
    page.goto(f"{issuer}/session/end")
    with page.expect_navigation():
        page.get_by_role("button", name="Yes, sign me out").click()
    page.goto(f"{site}/me")
    assert page.url.startswith(f"{site}/sign-in")


def test_an_address_that_the_provider_has_not_verified_is_told_whom_to_ask(sign_in, site, accessible):
    page = sign_in("unverified+someone")
    page.wait_for_url(f"{site}/sign-in/sso/callback**")
    assert "Ask whoever runs it at your partner to verify your address." in page.content()
    accessible(page)


def test_a_test_of_the_provider_finds_nothing_wrong(partner, site):
    tenant, _, _ = partner
    assert [finding for finding in check_up(tenant, f"{site}/sign-in/sso/callback") if not finding.ok] == []
    wrong = [finding.check for finding in check_up(tenant, "https://elsewhere.example.org/back") if not finding.ok]
    assert wrong == ["redirect_address"]


@pytest.fixture
def as_admin(open_page, partner):
    """Opens the page of the single sign-on as an admin of the partner: ``as_admin(DESKTOP)``."""
    tenant, _, domain = partner

    def begin(size, **options):
        person = people.add_person(tenant, "partner_admin", email=f"admin-{uuid4().hex[:8]}@{domain}")
        return open_page("/admin/sso", size, session=people.session_of(person, tenant), **options)

    return begin


@pytest.mark.parametrize(("size", "script"), [(PHONE, False), (DESKTOP, True)])
def test_an_admin_tests_changes_and_proves(as_admin, partner, accessible, size, script):
    tenant, issuer, _ = partner
    page = as_admin(size, java_script_enabled=script)
    assert_fits(page, [size])
    if script:
        accessible(page)
    page.get_by_role("button", name="Test it").click()
    assert page.get_by_text("The provider's keys").is_visible()
    assert not page.get_by_text("Wrong", exact=True).is_visible()
    page.get_by_label("Domain of e-mail addresses").fill("no domain")
    page.get_by_role("button", name="Add the domain").click()
    assert "is not a domain name" in page.get_by_role("alert").inner_text()
    other = f"other-{size['width']}.{tenant.slug}.example.org"
    page.get_by_label("Domain of e-mail addresses").fill(other)
    page.get_by_role("button", name="Add the domain").click()
    page.get_by_role("button", name=f"Check {other}").click()
    assert page.get_by_text("Not proved").is_visible()
    page.get_by_role("button", name=f"Remove {other}").click()
    assert not page.get_by_text(other).is_visible()
    page.get_by_text("Change the provider").click()
    page.get_by_label("Roles", exact=True).fill("trackers = tracking_officer\nheads = partner_admin")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**/admin/sso")
    known = providers.get_provider(tenant)
    assert known.role_mapping == {"trackers": "tracking_officer", "heads": "partner_admin"}
    assert (known.issuer, known.secret()) == (issuer, SECRET)
