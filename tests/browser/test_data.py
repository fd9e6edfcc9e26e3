"""The data officer's pages in a browser: a dirty RADET in, its report, a facility confirmed, a list; pairs decided."""

import re
from uuid import UUID, uuid4

import pytest

from core.database import tenant_session
from core.jobs.worker import drain
from core.plugins import instances
from core.plugins.instances import InstanceIn
from core.plugins.places import folders
from core.settings import get_settings
from tenants.quality.models import LinkageCandidate
from tenants.records.ids import new_uuid
from tests.browser import people
from tests.browser.page_checks import DESKTOP, PHONE, assert_good
from tests.browser.radet import ago, write_pair
from tests.keyed import KeyedClient


@pytest.fixture(scope="module")
def radet(tmp_path_factory):
    """A clean RADET, and the next one, which has broken dates, a mistyped facility, and a person twice."""
    return write_pair(tmp_path_factory.mktemp("radet"))


@pytest.fixture(scope="module")
def partner(make_tenant, application, radet):
    """A tenant that imported the clean RADET, and the secret of a session of each role."""
    owner = with_records(make_tenant(), application, radet[0])
    return owner, {role: session_of(owner, role) for role in ("data_officer", "viewer")}


def with_records(tenant, application, path):
    with KeyedClient(application, headers={"X-API-Key": tenant.api_key}) as client:
        files = {"files": ("before.csv", path.read_bytes())}
        assert client.post("/v1/imports", files=files, data={"data_date": ago(30)}).status_code == 202
    drain(tenant.ref)
    return tenant.ref


def session_of(tenant, role):
    return people.session_of(people.add_person(tenant, role), tenant)


@pytest.fixture
def visit(open_page, partner):
    """Opens a page as the role: ``visit("/data", size=DESKTOP)``."""

    def begin(path, role="data_officer", size=PHONE, secret=None, **options):
        return open_page(path, size, session=secret or partner[1][role], **options)

    return begin


@pytest.fixture
def empty(make_tenant):
    """The session of a data officer whose partner has no records."""
    return session_of(make_tenant().ref, "data_officer")


def upload(page, path, day=None):
    page.goto("/data/upload")
    page.get_by_label("Files").set_input_files(str(path))
    if day is not None:
        page.get_by_label("Data date").fill(day)
    page.get_by_role("button", name="Upload", exact=True).click()
    page.wait_for_url(re.compile("/data/imports/[0-9a-f-]{36}$"))


@pytest.mark.parametrize(("size", "script"), [(PHONE, True), (DESKTOP, False)], ids=["phone", "desktop, no script"])
def test_a_dirty_radet_becomes_a_report_a_facility_and_a_list(
    visit, accessible, make_tenant, application, radet, size, script
):
    tenant = with_records(make_tenant(), application, radet[0])
    page = visit("/data", size=size, secret=session_of(tenant, "data_officer"), java_script_enabled=script)
    page.get_by_role("link", name="Upload files").click()
    if script:
        accessible(page)
    upload(page, radet[1], ago(0))
    page.get_by_text("Waiting").first.wait_for()
    drain(tenant)
    if not script:
        page.get_by_role("link", name="Refresh").click()
    page.get_by_role("heading", name="Rejected").wait_for()
    if script:
        accessible(page)
    report = page.locator("#problems").inner_text()
    notes = page.locator("#noted").inner_text()
    report += notes
    assert "Not a date in a form that can be read." in report
    assert "mapping" not in report
    assert "code is like that of a known one" in report
    assert "31/02/2026" not in report
    with page.expect_download() as download:
        page.get_by_role("link", name="Download each row (CSV)").click()
    assert "dirty.csv" in download.value.path().read_text()
    page.get_by_role("link", name="Confirm the facilities that were held back").click()
    page.get_by_role("button", name="It is Clinic one").click()
    page.get_by_text("Now upload this again: ").wait_for()
    upload(page, radet[1], ago(0))
    drain(tenant)
    page.goto(page.url)
    assert page.get_by_role("link", name="Confirm the facilities").count() == 0
    page.get_by_role("button", name="Make today's list").click()
    page.get_by_text("Today's list is being made").wait_for()
    drain(tenant)
    if not script:
        page.get_by_role("link", name="Refresh").click()
    page.get_by_role("link", name="Open today's list").click()
    page.wait_for_url("**/today")
    assert page.locator("article.card").count() > 0
    page.go_back()
    page.get_by_text("Undo this import").click()
    page.get_by_role("button", name="Undo the import").click()
    page.get_by_text("Being undone").first.wait_for()
    drain(tenant)
    page.goto(page.url)
    assert page.get_by_role("status").first.inner_text() == "Undone"
    assert page.get_by_role("button", name="Make today's list").is_visible()


def test_an_import_that_waits_is_cancelled_and_is_in_the_history(visit, radet):
    page = visit("/data/upload")
    upload(page, radet[1], ago(1))
    page.get_by_role("button", name="Cancel the import").click()
    page.get_by_text("Cancelled").first.wait_for()
    page.get_by_role("link", name="All imports").click()
    assert "Cancelled" in page.locator("article.card", has_text="dirty.csv").first.inner_text()


def test_a_form_without_what_it_needs_says_what_to_correct(visit, accessible):
    page = visit("/data/upload")
    page.evaluate("document.querySelector('form.form').noValidate = true")
    page.get_by_role("button", name="Upload", exact=True).click()
    page.get_by_role("alert").get_by_role("link", name="No file was chosen.").click()
    assert page.evaluate("document.activeElement.id") == "files"
    accessible(page)


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_two_records_are_compared_decided_and_undone(visit, accessible, partner, script):
    pair = a_pair(partner[0])
    page = visit("/data/candidates", java_script_enabled=script)
    page.locator(f'a[href="/data/candidates/{pair}"]').click()
    page.get_by_role("heading", name="One person or two?").wait_for()
    if script:
        accessible(page)
    table = page.get_by_role("region", name="The two records beside each other")
    assert "differs" in table.locator("tbody", has_text="Hospital number").inner_text()
    assert "differs" not in table.locator("tbody", has_text="Date of birth").inner_text()
    page.get_by_role("button", name="Same person").click()
    page.get_by_text("Saved.").wait_for()
    page.get_by_role("button", name="Undo").click()
    page.wait_for_url(f"**/data/candidates/{pair}")
    page.get_by_label("Why").fill("brothers who share a phone")
    page.get_by_role("button", name="Two people").click()
    page.get_by_text("Saved.").wait_for()
    page.get_by_role("link", name="Two people").click()
    page.locator(f'a[href="/data/candidates/{pair}"]').click()
    page.get_by_text("Brothers who share a phone.").wait_for()


def a_pair(tenant):
    """A pair of the two first patients on record."""
    with tenant_session(tenant, actor="test:1") as session, session.cursor() as cursor:
        rows = cursor.execute("SELECT uuid FROM patients WHERE known_to IS NULL ORDER BY uuid LIMIT 2").fetchall()
        cursor.execute("DELETE FROM linkage_candidates")
        (first,), (second,) = rows
        row = LinkageCandidate(
            uuid=new_uuid(), first_uuid=min(first, second), second_uuid=max(first, second), probability=0.97,
            evidence={"agree": ["same birth date"], "differ": ["starts of ART differ"], "care": "consecutive"},
            evidence_hash=uuid4().hex,
        )  # fmt: skip
        session.add(row)
        session.flush()
        return UUID(str(row.uuid))


@pytest.mark.parametrize("path", ["/data", "/data/upload", "/data/facilities", "/data/imports", "/data/quality"])
def test_pages_are_accessible_and_fit_every_screen(visit, accessible, path):
    assert_good(visit(path), accessible)


def test_who_has_no_records_is_led_to_the_upload(visit, accessible, empty):
    page = visit("/data", secret=empty)
    accessible(page)
    page.get_by_role("link", name="Upload files").click()
    page.wait_for_url("**/data/upload")


def test_who_may_not_see_imports_is_told_who_can_allow_it(visit, accessible):
    page = visit("/data", "viewer")
    assert "See imports, their progress" in page.locator("main").inner_text()
    assert "administrator" in page.locator("main").inner_text()
    accessible(page)


def test_the_page_of_an_import_that_runs_follows_events_and_asks_as_soon_as_one_happens(visit, radet, partner):
    page = visit("/data")
    upload(page, radet[0])
    with page.expect_response(lambda answer: "/events?wait=true&event=imports.completed" in answer.url) as stream:
        page.reload()
    assert (stream.value.status, stream.value.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    part = page.locator("#import")
    with page.expect_response(lambda answer: answer.url.endswith("/progress")):
        part.dispatch_event("happened")
    drain(partner[0])


def test_a_source_is_scheduled_and_fetched_by_hand(visit, accessible, make_tenant, tmp_path, monkeypatch):
    tenant = make_tenant().ref
    settings = get_settings().model_copy(update={"import_folders": str(tmp_path)})
    monkeypatch.setattr(folders, "get_settings", lambda: settings)
    with tenant_session(tenant, actor="test:1") as session:
        draft = InstanceIn("State server", {"folder": f"{tmp_path}/{tenant.slug}"})
        instances.add_instance(session, "importer", "folder", draft, source="cli")
    page = visit("/data/sources", secret=session_of(tenant, "data_officer"))
    page.get_by_role("link", name="State server").click()
    page.get_by_label("Times").fill("every day")
    page.get_by_role("button", name="Save").click()
    alert = page.get_by_role("alert")
    assert "Times: is not a time of cron. Write minute, hour," in alert.inner_text()
    assert alert.get_by_role("link").get_attribute("href") == "#cron"
    assert page.locator("#cron-error").inner_text().startswith("Is not a time of cron. Write minute, hour,")
    page.get_by_label("Times").fill("15 1 * * *")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved. Rejected files are tried again with the next fetch.").wait_for()
    page.get_by_role("button", name="Fetch now").click()
    drain(tenant)
    page.reload()
    page.get_by_text("The place or the file is not there. Check the path or the address.").wait_for()
    accessible(page)
