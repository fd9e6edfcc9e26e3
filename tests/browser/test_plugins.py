"""The admin's pages of plugins in a browser: set up, tested, failing with a log, switched off."""

import pytest

from tests.browser import people
from tests.browser.keyboard import Keyboard
from tests.browser.page_checks import DESKTOP, PHONE, assert_good
from tests.core.plugins.offers import Channel, offered
from tests.vendors.pagerduty import PagerDuty


class Faulty(Channel):
    """A channel whose code fails."""

    name, title = "faulty", "Faulty channel"

    def requests(self, alert, settings):
        raise KeyError(settings["room"])


@pytest.fixture(scope="module")
def partner(make_tenant):
    """A partner and its admin."""
    owner = make_tenant(name="Lakeside Care").ref
    return owner, people.add_person(owner, "partner_admin")


@pytest.fixture
def visit(open_page, partner):
    """Opens a page as the admin."""
    owner, admin = partner
    return lambda path, size=PHONE: open_page(path, size, session=people.session_of(admin, owner))


def fact(page, name):
    """The value of a fact on the page."""
    return page.locator("dt", has_text=name).first.locator("xpath=following-sibling::dd[1]").inner_text()


def test_a_channel_is_set_up_by_its_form_tested_and_switched_off_by_keyboard(visit, accessible):
    with PagerDuty() as vendor:
        keys = Keyboard(visit("/admin", DESKTOP))
        page = keys.page
        keys.follow("^Channels and plugins")
        page.get_by_role("heading", name="Nothing is set up yet").wait_for()
        keys.follow("^Set up PagerDuty$")
        keys.follow("^Set it up$")
        summary = page.get_by_role("alert")
        assert summary.get_by_role("link").first.inner_text().startswith("Name: ")
        accessible(page)
        summary.get_by_role("link").first.click()
        page.keyboard.type("On call")
        for name, text in vendor.settings.items():
            page.locator(f"[id='set.{name}']").fill(text)
        keys.follow("^Set it up$")
        page.get_by_text("The plugin is set up.").wait_for()
        assert vendor.routing_key not in page.content()
        assert (fact(page, "State"), fact(page, "Last worked")) == ("Ready", "never")
        keys.follow("^Send a test$")
        page.get_by_text("The test arrived").wait_for()
        assert list(vendor.incidents.values()) == ["resolved"]
        assert fact(page, "Last worked") != "never"
        vendor.fail(400)
        keys.follow("^Send a test$")
        page.get_by_text("The test failed").wait_for()
        assert "invalid_event" in fact(page, "Last failed")
        accessible(page)
    keys.follow("^Switch it off$")
    page.get_by_role("button", name="Switch it on").wait_for()
    assert page.get_by_role("button", name="Send a test").count() == 0
    keys.follow("Channels and plugins$")
    assert "Switched off" in page.get_by_role("article").filter(has_text="On call").inner_text()


def test_a_plugin_that_fails_shows_its_author_why(visit, accessible):
    with offered("alert-channel", Faulty()):
        page = visit("/admin/plugins")
        page.get_by_role("link", name="Set up Faulty channel").click()
        page.get_by_label("Name", exact=True).fill("Nights")
        page.get_by_label("Address").fill("https://example.org/in")
        page.get_by_label("Token").fill("very-secret-token")
        assert_good(page, accessible)
        page.get_by_role("button", name="Set it up").click()
        page.get_by_role("button", name="Send a test").click()
        page.get_by_text("The test did not arrive now").wait_for()
        row = page.get_by_role("row").filter(has_text="raised KeyError in requests")
        assert "requests" in row.locator("[data-label=During]").inner_text()
        assert_good(page, accessible)
        page.get_by_text("Remove it", exact=True).click()
        page.get_by_role("button", name="Remove it for good").click()
        page.get_by_text("It is removed").wait_for()


def test_the_list_of_plugins_is_accessible_and_fits_every_screen(visit, accessible):
    assert_good(visit("/admin/plugins"), accessible)
