"""The operators' pages in a browser: health, partners, and dead letters, which support sees and admins replay."""

from uuid import uuid4

import pytest
from sqlalchemy import text

from core.database import node_session, platform_session, tenant_session
from core.identity.people import accounts, sessions
from core.identity.people.sessions import COOKIE
from core.jobs import enqueue
from tests.browser.conftest import DESKTOP, PHONE

NARROW = {"width": 320, "height": 640}


@pytest.fixture(scope="module")
def partner(make_tenant):
    return make_tenant(name="Lakeside Care").ref


@pytest.fixture
def dead_job(partner):
    """A job of the partner that failed for good."""
    with tenant_session(partner, actor="test:1") as session:
        job_id = enqueue(session, "quality.link", {})
    with node_session(partner.database) as session:
        values = {"id": job_id, "error": "ArithmeticError at linkage.py:1"}
        session.execute(
            text(
                "UPDATE node.jobs SET state = 'dead', attempts = 3, error = :error, finished_at = now() WHERE id = :id"
            ),
            values,
        )
    return job_id


@pytest.fixture
def visit(open_page, site):
    """Opens a page as a new operator: ``visit("/operators", "platform_support")``."""

    def begin(path, role="platform_admin", size=PHONE, **options):
        person = accounts.add_operator(f"{uuid4().hex[:10]}@example.org", "Olu Operator", role, actor="test:1")
        with platform_session() as session:
            begun = sessions.begin(session, person, None, signed_in_by="password")
        page = open_page(None, size, **options)
        page.context.add_cookies([{"name": COOKIE, "value": begun.secret, "url": site}])
        page.goto(path)
        return page

    return begin


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_a_dead_letter_is_found_and_replayed(visit, dead_job, partner, accessible, size):
    page = visit("/operators", size=size)
    accessible(page)
    page.get_by_role("link", name="dead letters").click()
    page.get_by_label("Partner").select_option(partner.slug)
    page.get_by_role("button", name="Show").click()
    row = page.locator("tbody tr", has=page.locator(f"a[href='/operators/jobs/{dead_job}']"))
    assert "ArithmeticError at linkage.py:1" in row.inner_text()
    accessible(page)
    row.get_by_role("link", name="quality.link").click()
    page.get_by_role("button", name="Retry").click()
    page.get_by_text("The job waits for a worker again.").wait_for()
    accessible(page)


def test_a_dead_letter_is_discarded_without_script_and_support_only_reads(visit, dead_job):
    support = visit(f"/operators/jobs/{dead_job}", "platform_support")
    assert support.get_by_role("button", name="Retry").count() == 0
    page = visit(f"/operators/jobs/{dead_job}", java_script_enabled=False)
    page.get_by_text("Discard", exact=True).click()
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


@pytest.mark.parametrize("path", ["/operators", "/operators/tenants", "/operators/jobs?state="])
def test_pages_are_never_wider_than_the_screen(visit, path):
    page = visit(path, size=DESKTOP)
    for size in (DESKTOP, PHONE, NARROW):
        page.set_viewport_size(size)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
