"""The page of reports in a browser: ask, wait, download, delete, schedule; on a phone, on a desktop, without script."""

import pytest

from core.jobs.worker import drain
from tests.browser import people
from tests.browser.page_checks import DESKTOP, PHONE, assert_good


def address(role, tenant):
    return f"{role}@{tenant.slug}.example.org"


@pytest.fixture(scope="module")
def partner(make_tenant):
    """A tenant, and session secrets by role."""
    owner = make_tenant().ref
    roles = ("data_officer", "viewer")
    return owner, {
        role: people.session_of(people.add_person(owner, role, email=address(role, owner)), owner) for role in roles
    }


@pytest.fixture
def visit(open_page, partner):
    """Opens the page of reports as a role."""

    def begin(role="data_officer", size=PHONE, **options):
        return open_page("/reports", size, session=partner[1][role], **options)

    return begin


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_report_is_asked_for_downloaded_and_deleted(visit, partner, accessible, script):
    page = visit(java_script_enabled=script)
    page.get_by_text("There are no reports yet").wait_for()
    page.get_by_label("Report", exact=True).first.select_option("Indicator tables (MER), as CSV")
    page.get_by_role("button", name="Make it").click()
    page.get_by_text("Being made", exact=True).wait_for()
    drain(partner[0])
    page.goto("/reports")
    page.get_by_text("Ready").wait_for()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename.startswith("mer-")
    assert visit("viewer").get_by_role("link", name="Download").count() == 1
    if script:
        assert_good(page, accessible)
    page.get_by_role("button", name="Delete").click()
    page.get_by_text("There are no reports yet").wait_for()


def test_a_report_is_scheduled_and_the_schedule_ended(visit, partner, accessible):
    page = visit(size=DESKTOP, color_scheme="dark")
    page.get_by_text("Schedule a report").click()
    page.get_by_label("When").select_option("each Monday")
    page.get_by_label("Send a link to").fill(f"{address('viewer', partner[0])}, nobody@example.org")
    page.get_by_role("button", name="Schedule it").click()
    page.get_by_text("Nobody who can sign in here has the address nobody@example.org.").first.wait_for()
    page.goto("/reports")
    page.get_by_text("Schedule a report").click()
    page.get_by_label("When").select_option("each Monday")
    page.get_by_label("Send a link to").fill(address("viewer", partner[0]))
    page.get_by_role("button", name="Schedule it").click()
    page.get_by_text("each Monday, at 6:00").wait_for()
    page.get_by_text("A link goes to Viewer").wait_for()
    accessible(page)
    assert visit("viewer").get_by_role("button", name="End the schedule").count() == 0
    page.get_by_role("button", name="End the schedule").click()
    page.get_by_text("No report is made by schedule.").wait_for()
