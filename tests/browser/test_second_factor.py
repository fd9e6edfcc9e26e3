"""The second factor in a browser: set up, sign in with it, without script, and where the role asks for it."""

import re
from uuid import uuid4

import pyotp
import pytest

from core.clock import now
from core.database import tenant_session
from core.identity.people import factor_codes, links, members
from core.preferences import registry, service
from tests.browser.page_checks import DESKTOP, NARROW, assert_fits

PASSWORD = "seven green bicycles in the rain"


@pytest.fixture(scope="module")
def partner(make_tenant, application):
    """A tenant that asks data officers for a second factor."""
    tenant = make_tenant().ref
    with tenant_session(tenant, actor="test:1") as session:
        service.replace(session, registry.groups()["sign_in"], {"second_factor_roles": ["data_officer"]})
    return tenant


@pytest.fixture
def email_of(partner):
    """The address of a new person of a role, with a password."""

    def create(role):
        email = f"{role}-{uuid4().hex[:8]}@example.org"
        person = members.add_member(partner, email, "Person", members.Grant([role]), actor="test:1")
        link = links.create_link(person, links.INVITATION, actor="test:1", tenant_id=partner.id)
        links.use_link(link.path.removeprefix(links.PATH), PASSWORD)
        return email

    return create


def give_password(page, email):
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def code_of(secret, steps=0):
    return pyotp.TOTP(secret).generate_otp(int(now().timestamp()) // factor_codes.STEP_SECONDS + steps)


def confirm_app(page, accessible):
    """Type the code of the app that the page shows, and return its secret."""
    page.get_by_text("Type the key instead").click()
    secret = page.locator("code.secret").inner_text().replace(" ", "")
    accessible(page)
    assert page.get_by_role("link", name="Open the app").get_attribute("href").startswith("otpauth://totp/")
    assert page.locator("img.qr").evaluate("picture => picture.naturalWidth") > 100
    page.get_by_label("Code", exact=True).fill(code_of(secret, -1))
    page.get_by_role("button", name="Confirm").click()
    page.get_by_role("heading", name="Your recovery codes").wait_for()
    return secret


@pytest.mark.parametrize("size", [NARROW, DESKTOP], ids=["narrow", "desktop"])
def test_a_person_sets_it_up_and_signs_in_with_it_and_with_a_recovery_code(open_page, email_of, accessible, size):
    email = email_of("viewer")
    page = open_page("/sign-in?next=/me/second-factor", size)
    give_password(page, email)
    page.get_by_label("Your password").fill(PASSWORD)
    accessible(page)
    page.get_by_role("button", name="Set it up").click()
    page.wait_for_url("**/set-up")
    assert_fits(page, [size])
    secret = confirm_app(page, accessible)
    codes = page.locator("ol.codes code").all_inner_texts()
    assert len(codes) == 10
    accessible(page)
    assert_fits(page, [size])
    page.get_by_role("link", name="I have saved them").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    give_password(page, email)
    page.get_by_role("heading", name="Your code").wait_for()
    accessible(page)
    assert_fits(page, [size])
    page.get_by_label("Code", exact=True).fill(code_of(secret, 1))
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(lambda address: "/sign-in" not in address)
    page.goto("/me")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    give_password(page, email)
    page.get_by_text("I do not have my phone").click()
    page.get_by_label("Recovery code").fill(codes[0])
    page.get_by_role("button", name="Sign in with it").click()
    page.wait_for_url(lambda address: "/sign-in" not in address)
    page.goto("/me")
    page.get_by_role("heading", name="Your account").wait_for()
    assert page.get_by_text("You signed in with your password.").count() == 3


def test_a_role_that_needs_it_is_led_through_it_without_script(open_page, email_of, accessible):
    page = open_page("/sign-in?next=/me/second-factor", java_script_enabled=False)
    give_password(page, email_of("data_officer"))
    assert re.search(r"/sign-in/set-up\?next=", page.url)
    page.goto("/me")
    assert page.url.endswith("/sign-in?next=%2Fme")
    page.goto("/sign-in/set-up?next=%2Fme%2Fsecond-factor")
    page.get_by_text("Type the key instead").click()
    secret = page.locator("code.secret").inner_text().replace(" ", "")
    page.get_by_label("Code", exact=True).fill(code_of(secret))
    page.get_by_role("button", name="Confirm").click()
    page.get_by_role("link", name="I have saved them").click()
    assert page.url.endswith("/me/second-factor")
    assert page.get_by_text("Your role needs it, so it cannot be removed.").is_visible()
