"""The admin's pages in a browser: people, links, roles, keys, settings, the audit; on a phone and a desktop."""

from uuid import uuid4

import httpx
import pytest

from tests.browser import people
from tests.browser.page_checks import DESKTOP, PHONE, assert_good

PASSWORD = "seven green bicycles in the rain"
SIZES = pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])


@pytest.fixture(scope="module")
def partner(make_tenant):
    """A tenant with an admin and a data officer."""
    return make_tenant(name="Lakeside Care").ref


@pytest.fixture(scope="module")
def add_person(partner):
    """Adds a person who has accepted: ``add_person("Name", "viewer")`` gives the id."""

    return lambda name, *roles: people.add_person(partner, *roles, name=name)


@pytest.fixture(scope="module")
def admin(add_person):
    return add_person("Ada Admin", "partner_admin")


@pytest.fixture
def visit(open_page, partner, admin):
    """Opens a page as a person of the partner, the admin unless another is given."""

    def begin(path, size=PHONE, person=None, **options):
        return open_page(path, size, session=people.session_of(person or admin, partner), **options)

    return begin


def choice(page, field, value):
    return page.locator(f"input[name={field}][value='{value}']")


@SIZES
def test_a_person_is_invited_gets_a_link_and_signs_in(visit, open_page, accessible, size):
    email = f"new-{uuid4().hex[:8]}@example.org"
    page = visit("/admin", size)
    accessible(page)
    page.get_by_role("link", name="People").click()
    page.get_by_role("link", name="Add a person").click()
    page.get_by_role("textbox", name="Name", exact=True).fill("Nora New")
    page.get_by_label("E-mail address").fill(email)
    choice(page, "roles", "viewer").check()
    accessible(page)
    page.get_by_role("button", name="Invite").click()
    page.get_by_role("heading", name="A link for Nora New").wait_for()
    address = page.locator("code.secret").inner_text()
    accessible(page)
    newcomer = open_page(address, size)
    newcomer.get_by_label("New password").fill(PASSWORD)
    newcomer.get_by_role("button", name="Set the password").click()
    newcomer.get_by_label("E-mail address").fill(email)
    newcomer.get_by_label("Password").fill(PASSWORD)
    newcomer.get_by_role("button", name="Sign in").click()
    newcomer.get_by_role("link", name="Nora New").wait_for()
    page.get_by_role("link", name="Go to Nora New").click()
    page.get_by_text("Active", exact=True).wait_for()


def test_a_person_is_invited_without_script_and_not_twice(visit):
    page = visit("/admin/people/new", java_script_enabled=False)
    email = f"twice-{uuid4().hex[:8]}@example.org"
    for outcome in ("A link for Tom Twice", "The person belongs to the tenant already."):
        page.goto("/admin/people/new")
        page.get_by_role("textbox", name="Name", exact=True).fill("Tom Twice")
        page.get_by_label("E-mail address").fill(email)
        choice(page, "roles", "tracking_officer").check()
        page.get_by_role("button", name="Invite").click()
        assert page.get_by_text(outcome).first.is_visible()
    assert page.get_by_label("E-mail address").input_value() == email


def test_a_form_about_a_person_says_which_field_to_correct(visit, accessible):
    page = visit("/admin/people/new", DESKTOP)
    page.get_by_role("textbox", name="Name", exact=True).fill("No Role")
    page.get_by_label("E-mail address").fill("somebody@example")
    page.get_by_role("button", name="Invite").click()
    page.get_by_role("alert").get_by_text("Write the e-mail address as name@example.org.").wait_for()
    assert page.get_by_role("textbox", name="Name", exact=True).input_value() == "No Role"
    accessible(page)


@SIZES
def test_a_changed_role_counts_from_the_next_request(visit, add_person, size):
    person = add_person("Rita Role", "partner_admin")
    hers = visit("/admin/people", size, person)
    assert hers.get_by_role("heading", name="People").is_visible()
    page = visit(f"/admin/people/{person}", size)
    choice(page, "roles", "partner_admin").uncheck()
    choice(page, "roles", "viewer").check()
    page.get_by_role("button", name="Save").click()
    page.get_by_text("It applies from the person's next request on").wait_for()
    hers.reload()
    assert "See the people of the partner, and what they may do" in hers.locator("main").inner_text()


def test_an_account_is_deactivated_activated_again_and_removed(visit, add_person, accessible):
    person = add_person("Dora Done", "viewer")
    hers = visit("/me", person=person)
    page = visit(f"/admin/people/{person}")
    accessible(page)
    page.get_by_role("button", name="Deactivate").click()
    page.get_by_text("Sessions, links and API keys of this person have ended.").wait_for()
    hers.reload()
    hers.wait_for_url("**/sign-in?next=%2Fme")
    page.get_by_role("button", name="Activate again").click()
    page.get_by_text("Active again.").wait_for()
    page.get_by_text("Remove from this partner").click()
    page.get_by_role("button", name="Remove Dora Done").click()
    page.get_by_text("The person was removed.").wait_for()
    page.get_by_label("Name or e-mail address").fill("Dora")
    page.get_by_role("button", name="Search").click()
    page.get_by_text("Nobody has this name or address").wait_for()


def test_the_last_admin_is_told_why_they_stay(make_tenant, open_page):
    tenant = make_tenant().ref
    person = people.add_person(tenant, "partner_admin")
    page = open_page(f"/admin/people/{person}", session=people.session_of(person, tenant))
    page.get_by_role("button", name="Deactivate").click()
    page.get_by_role("alert").get_by_text("Make somebody else an admin first.").wait_for()


@SIZES
def test_a_key_is_created_used_and_revoked(visit, site, accessible, size):
    page = visit("/admin/keys", size)
    page.get_by_role("link", name="Create a key").first.click()
    name = f"reports {uuid4().hex[:6]}"
    page.get_by_label("What is it for?").fill(name)
    choice(page, "permissions", "people.read").check()
    accessible(page)
    page.get_by_role("button", name="Create the key").click()
    page.get_by_role("heading", name=name).wait_for()
    key = page.locator("code.secret").inner_text()
    accessible(page)

    def status():
        return httpx.get(f"{site}/v1/people", headers={"Authorization": f"Bearer {key}"}).status_code

    assert status() == 200
    page.get_by_role("link", name="I have stored it").click()
    card = page.locator("article.card", has_text=name)
    assert key.split("_")[1] in card.inner_text()
    accessible(page)
    card.get_by_role("button", name="Revoke").click()
    page.get_by_text("The key was revoked.").wait_for()
    assert status() == 401


def test_a_key_without_a_permission_or_with_a_day_that_is_past_is_not_created(visit):
    page = visit("/admin/keys/new", java_script_enabled=False)
    page.get_by_label("What is it for?").fill("reports")
    page.get_by_role("button", name="Create the key").click()
    page.get_by_role("alert").get_by_text("Choose permissions that exist.").wait_for()
    choice(page, "permissions", "people.read").check()
    page.get_by_label("Last day").fill("2020-01-01")
    page.get_by_role("button", name="Create the key").click()
    page.get_by_role("alert").get_by_text("Write a day after today").wait_for()


@SIZES
def test_a_role_is_added_changed_and_deleted(visit, accessible, size):
    name = f"lead-{uuid4().hex[:6]}"
    page = visit("/admin/roles", size)
    accessible(page)
    page.get_by_role("link", name="Add a role").click()
    page.get_by_role("textbox", name="Name", exact=True).fill("Case Lead")
    page.get_by_label("Who has it").fill("Leads the case managers")
    choice(page, "includes", "case_manager").check()
    page.get_by_role("button", name="Add the role").click()
    page.get_by_role("alert").get_by_text("Write up to 40 small letters").wait_for()
    page.get_by_role("textbox", name="Name", exact=True).fill(name)
    page.get_by_role("button", name="Add the role").click()
    page.get_by_text("The role was added.").wait_for()
    accessible(page)
    page.get_by_text("Single permissions").click()
    choice(page, "permissions", "jobs.read").check()
    page.get_by_role("button", name="Save").click()
    page.get_by_text("It applies to everybody with this role").wait_for()
    page.get_by_text("Delete this role").click()
    page.get_by_role("button", name=f"Delete {name}").click()
    page.get_by_text("The role was deleted.").wait_for()


def test_a_built_in_role_shows_what_it_permits_and_no_form(visit):
    page = visit("/admin/roles/viewer")
    assert page.get_by_text("Export line lists and indicator tables, without personal identifiers").is_visible()
    assert page.get_by_role("button", name="Save").count() == 0


@pytest.mark.parametrize(
    "path",
    [
        "/admin",
        "/admin/people",
        "/admin/people/new",
        "/admin/roles",
        "/admin/roles/new",
        "/admin/settings/cohort",
        "/admin/audit",
    ],
)
def test_pages_are_accessible_and_fit_every_screen(visit, accessible, path):
    assert_good(visit(path), accessible)


@SIZES
def test_a_setting_is_changed_and_a_wrong_value_is_told_at_its_field(visit, accessible, size):
    page = visit("/admin/settings", size)
    page.get_by_role("link", name="Risk").click()
    field = page.get_by_label("Share of people to call")
    field.fill("7")
    accessible(page)
    page.get_by_role("button", name="Save").click()
    page.get_by_role("alert").get_by_role("link", name="Share of people to call").click()
    assert page.evaluate("document.activeElement.id") == "set.capacity_share"
    assert field.input_value() == "7"
    accessible(page)
    field.fill("0.25")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved. It applies from now on.").wait_for()
    page.get_by_text("Reset all to their defaults").click()
    page.get_by_role("button", name="Reset the group").click()
    page.get_by_text("All settings of this group have their defaults.").wait_for()


def test_a_setting_is_changed_without_script_and_only_by_who_may(visit, add_person):
    page = visit("/admin/settings/cohort", java_script_enabled=False)
    page.get_by_label("Days of grace").fill("30")
    page.get_by_label("Days between contacts").fill("60")
    page.get_by_role("button", name="Save").click()
    assert page.get_by_text("Saved. It applies from now on.").is_visible()
    assert page.get_by_label("Days between contacts").input_value() == "60"
    hers = visit("/admin/settings/cohort", person=add_person("Dana Data", "data_officer"))
    assert "To change them you need more permissions" in hers.locator("main").inner_text()
    assert "The same for everybody; Days between contacts: 60" in hers.locator("main").inner_text()
    assert hers.get_by_role("button", name="Save").count() == 0


@SIZES
def test_the_audit_is_searched_and_its_reading_is_in_it(visit, admin, accessible, size):
    page = visit("/admin/audit", size)
    page.reload()
    page.get_by_label("Who").select_option(f"person:{admin}")
    page.get_by_label("Act").select_option("audit:read")
    page.get_by_role("button", name="Show").click()
    row = page.locator("tbody tr").first
    assert "Ada Admin" in row.inner_text()
    assert "Read the audit" in row.inner_text()
    accessible(page)
    page.get_by_label("Id of the record").fill("nothing")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("alert").get_by_text("Paste the whole id of a record.").wait_for()


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_people_are_added_from_a_file_after_a_look_at_it(visit, accessible, script):
    email = f"file-{uuid4().hex[:8]}@example.org"
    page = visit("/admin/people", java_script_enabled=script)
    page.get_by_role("link", name="Add from a file").click()

    def check(content):
        file = {"name": "people.csv", "mimeType": "text/csv", "buffer": content.encode()}
        page.get_by_label("File of people").set_input_files(file)
        page.get_by_role("button", name="Check the file").click()

    check(f"email,name,roles\n{email},Fay File,nobody\n")
    page.get_by_role("alert").get_by_text("1 row is wrong.").wait_for()
    assert "roles: Names a role that does not exist" in " ".join(page.locator("tbody").inner_text().split())
    if script:
        accessible(page)
    check(f"email,name,roles\n{email},Fay File,viewer\n")
    page.get_by_role("button", name="Add 1 person").click()
    page.get_by_role("heading", name="1 person was added").wait_for()
    assert f"{email},http" in page.locator("pre.secret").inner_text()
    page.get_by_role("link", name="Go to the people").click()
    page.get_by_text(email).wait_for()
