"""The operators' pages in a browser: health, partners, and dead letters, which support sees and admins replay."""

import pytest

from core.events.operator_events import announce_dead_letter
from tests.browser import people
from tests.browser.jobs import dead_job
from tests.browser.page_checks import DESKTOP, PHONE, assert_fits


@pytest.fixture(scope="module")
def partner(make_tenant):
    return make_tenant(name="Lakeside Care").ref


@pytest.fixture
def dead_letter(partner):
    """A job of the partner that failed for good."""
    return dead_job(partner)


@pytest.fixture
def visit(open_page):
    """Opens a page as a new operator: ``visit("/operators", "platform_support")``."""

    def begin(path, role="platform_admin", size=PHONE, **options):
        return open_page(path, size, session=people.session_of(people.add_operator(role)), **options)

    return begin


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_a_dead_letter_is_found_and_replayed(visit, dead_letter, partner, accessible, size):
    page = visit("/operators", size=size)
    accessible(page)
    page.locator(".stats").get_by_role("link", name="dead letters").click()  # a warning above may lead there too
    page.get_by_label("Partner").select_option(partner.slug)
    page.get_by_role("button", name="Show").click()
    row = page.locator("tbody tr", has=page.locator(f"a[href='/operators/jobs/{dead_letter}']"))
    assert "ArithmeticError at linkage.py:1" in row.inner_text()
    accessible(page)
    row.get_by_role("link", name="quality.link").click()
    page.get_by_role("button", name="Retry").click()
    page.get_by_text("The job waits for a worker again.").wait_for()
    accessible(page)


def test_a_dead_letter_is_discarded_without_script_and_support_only_reads(visit, dead_letter):
    support = visit(f"/operators/jobs/{dead_letter}", "platform_support")
    assert support.get_by_role("button", name="Retry").count() == 0
    page = visit(f"/operators/jobs/{dead_letter}", java_script_enabled=False)
    page.get_by_text("Discard", exact=True).click()
    page.get_by_label("Why").fill("Asked for twice")
    page.get_by_role("button", name="Discard for good").click()
    assert page.get_by_text("The job was given up for good.").is_visible()


def test_partners_are_listed_and_one_shows_its_state(visit, partner, accessible):
    page = visit("/operators/tenants", size=DESKTOP)
    accessible(page)
    page.locator(f"a[href='/operators/tenants/{partner.slug}']").click()
    page.get_by_role("heading", name="Lakeside Care").wait_for()
    assert "no records yet" in page.locator("main").inner_text()
    accessible(page)


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_a_partner_is_suspended_with_a_reason_and_resumed_and_support_only_reads(visit, partner, accessible, script):
    page = visit(f"/operators/tenants/{partner.slug}", java_script_enabled=script)
    page.get_by_label("Why").fill("The contract has ended")
    page.get_by_role("button", name="Suspend").click()
    page.get_by_role("heading", name="Suspended").wait_for()
    assert "The contract has ended" in page.locator("main").inner_text()
    assert "Olu Operator" in page.locator("main").inner_text()
    if script:
        accessible(page)
    support = visit(f"/operators/tenants/{partner.slug}", "platform_support", DESKTOP)
    assert "The contract has ended" in support.locator("main").inner_text()
    assert support.get_by_role("button", name="Resume").count() == 0
    page.get_by_role("button", name="Resume").click()
    page.get_by_role("button", name="Suspend").wait_for()


@pytest.mark.parametrize("path", ["/operators", "/operators/tenants", "/operators/jobs?state=", "/operators/ai-use"])
def test_pages_are_never_wider_than_the_screen(visit, path):
    assert_fits(visit(path))


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_a_connection_is_stopped_and_released_and_support_only_reads(visit, accessible, size):
    page = visit("/operators", size=size)
    if size == PHONE:
        page.get_by_text("Operators: Health").click()
    page.get_by_role("link", name="Connections").click()
    accessible(page)
    assert_fits(page)
    page.get_by_label("Connection", exact=True).select_option("mail_server")
    page.get_by_label("Why").fill("Moves to another host")
    page.get_by_role("button", name="Apply").click()
    page.get_by_text("Moves to another host").wait_for()
    accessible(page)
    assert visit("/operators/connections", "platform_support").get_by_role("button", name="Release").count() == 0
    page.get_by_role("button", name="Release").click()
    page.get_by_role("button", name="Release").wait_for(state="detached")


def test_an_operators_page_follows_the_stream_and_asks_by_itself_without_it(visit, partner):
    followed, alone = visit("about:blank", size=DESKTOP), visit("about:blank", size=DESKTOP)
    with followed.expect_response("**/operators/stream?*"):
        followed.goto(f"/operators/jobs?tenant={partner.slug}")
    alone.clock.install()
    alone.route("**/operators/stream?*", lambda route: route.fulfill(status=503))
    alone.goto(f"/operators/jobs?tenant={partner.slug}")
    job_id = dead_job(partner)
    announce_dead_letter(job_id, "quality.link", "attempts", partner.slug)
    followed.locator(f"tbody a[href='/operators/jobs/{job_id}']").wait_for()
    assert alone.locator(f"tbody a[href='/operators/jobs/{job_id}']").count() == 0
    alone.clock.run_for(11_000)
    alone.locator(f"tbody a[href='/operators/jobs/{job_id}']").wait_for()
