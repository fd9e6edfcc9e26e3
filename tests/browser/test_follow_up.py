"""The pages of work in a browser: mine and the team's, who is away, deaths and transfers, and what became of lists."""

import re
from datetime import timedelta

import pytest

from core.clock import today
from core.database import tenant_session
from tenants.followup import list_size
from tenants.followup.list_size import Places
from tests.browser import people
from tests.browser.keyboard import Keyboard
from tests.browser.page_checks import DESKTOP, PHONE, assert_good
from tests.keyed import KeyedClient
from tests.tenants.followup.scored import ZONE, scored

DAY = today(ZONE)
NAMES = {
    "tracking_officer": "Ola Officer",
    "case_manager": "Mina Manager",
    "clinician": "Chidi Clinician",
    "partner_admin": "Ada Admin",
}
PAGES = (
    ("/follow-up", "tracking_officer"),
    ("/follow-up/team", "case_manager"),
    ("/follow-up/verify", "clinician"),
    ("/follow-up/funnel?by=facility", "case_manager"),
    ("/follow-up/effect", "partner_admin"),
    ("/follow-up/hold-out", "partner_admin"),
    ("/follow-up/targets", "partner_admin"),
    ("/today/size", "partner_admin"),
)


@pytest.fixture(scope="module")
def partner(make_tenant, application):
    """A partner with two clinics and an issued list of seven at risk; its people by role."""
    owner = make_tenant(name="Lakeside Care")
    api = KeyedClient(application, headers={"X-API-Key": owner.api_key})
    scored(owner.ref, api, at_risk=7, to_trace=2, clinics=2)
    assert api.post("/v1/worklists", json={"kind": "at_risk", "as_of": str(DAY)}).status_code == 201
    return owner.ref, {role: people.add_person(owner.ref, role, name=name) for role, name in NAMES.items()}


@pytest.fixture
def visit(open_page, partner):
    """Opens a page as the role: ``visit("/follow-up", "case_manager")``."""
    owner, members = partner

    def begin(path, role, size=PHONE, **options):
        return open_page(path, size, session=people.session_of(members[role], owner), **options)

    return begin


@pytest.fixture
def places(monkeypatch):
    """Forty people who interrupted: thirty were in the first three of their clinic's list, ten in the first twelve."""
    counted = Places(DAY - timedelta(days=90), DAY - timedelta(days=60), {3: 50, 12: 50}, {3: 30, 12: 10}, patients=40)
    monkeypatch.setattr(list_size, "read_places", lambda _: counted)


@pytest.mark.parametrize(("path", "role"), PAGES, ids=[path.rpartition("/")[2] for path, _ in PAGES])
def test_pages_of_work_are_accessible_and_fit_every_screen(visit, accessible, places, path, role):
    assert_good(visit(path, role), accessible)


def test_what_i_plan_is_in_my_work_until_it_is_done(visit, accessible):
    keys = Keyboard(visit("/follow-up", "tracking_officer", DESKTOP))
    page = keys.page
    page.get_by_role("heading", name="Nothing is planned for you").wait_for()
    keys.follow("at risk, mine or nobody's")
    page.wait_for_url("**/today?whose=mine")
    title = page.locator("article.card").first.get_by_role("heading").inner_text()
    keys.follow(f"^{re.escape(title)}$")
    keys.press("^Plan something$")
    keys.follow("^Plan it$")
    page.goto("/follow-up")
    plan = page.get_by_role("article").filter(has_text=title)
    assert "Home visit" in plan.inner_text()
    accessible(page)
    keys.follow(f"^{re.escape(title)}$")
    keys.go_to("^What happened")
    page.keyboard.type("Came")
    keys.follow("^Save$")
    page.goto("/follow-up")
    page.get_by_role("heading", name="Nothing is planned for you").wait_for()


def waiting(page):
    """The people of both lists who are the reader's or nobody's."""
    return sum(map(int, page.locator("a.stat .number").all_inner_texts()))


def test_a_manager_shares_out_the_list_and_hands_over_while_somebody_is_away(visit, accessible, partner):
    page = visit("/follow-up/team", "case_manager")
    for name, clinic, number in (("Ola Officer", 0, "3"), ("Chidi Clinician", 1, "2")):
        form = page.locator("form", has=page.get_by_role("button", name="Save the capacity"))
        form.get_by_label("Officer").select_option(name)
        form.get_by_label("Clinic").select_option(index=clinic)
        form.get_by_label("People a day").fill(number)
        form.get_by_role("button", name="Save the capacity").click()
        page.get_by_text("The capacity is saved.").wait_for()
    page.get_by_role("button", name="Share out today's lists").click()
    page.get_by_text("The lists are shared out").wait_for()
    assert re.search(
        r"5 people were assigned\. \d people are left to everybody", page.get_by_role("status").inner_text()
    )
    cells = page.locator("tbody td:nth-child(2)")
    names = page.locator("tbody th").all_inner_texts()
    shared = dict(zip(names, map(int, cells.all_inner_texts()), strict=True))
    assert (shared["Ola Officer"], shared["Chidi Clinician"]) == (3, 2)
    hers = visit("/follow-up", "clinician")
    before = waiting(hers)
    away = page.locator("form", has=page.get_by_role("button", name="Save the absence"))
    away.get_by_label("Officer").select_option("Ola Officer")
    away.get_by_label("Last day away").fill((DAY - timedelta(days=1)).isoformat())
    away.get_by_role("button", name="Save the absence").click()
    page.get_by_role("alert").get_by_role("link", name=re.compile("a last day that is not past")).click()
    assert page.evaluate("document.activeElement.id") == "last"
    accessible(page)
    away.get_by_label("Officer").select_option("Ola Officer")
    away.get_by_label("Last day away").fill((DAY + timedelta(days=2)).isoformat())
    away.get_by_label("Covered by").select_option("Chidi Clinician")
    away.get_by_role("button", name="Save the absence").click()
    page.get_by_text("The absence is saved.").wait_for()
    assert "covered by Chidi Clinician" in page.get_by_role("region", name="Who is away").inner_text()
    hers.reload()
    assert waiting(hers) == before + 3
    page.get_by_role("button", name="Back already").click()
    page.get_by_text("Nobody is away.").wait_for()
    hers.reload()
    assert waiting(hers) == before


def test_several_people_are_reassigned_at_once_on_a_phone(visit):
    page = visit("/today?list=to_trace", "case_manager")
    cards = page.locator("article.card")
    for card in cards.all():
        card.get_by_role("checkbox").check()
    page.get_by_text("For those I chose").click()
    page.get_by_label("To whom").select_option("Mina Manager")
    page.get_by_role("button", name="Assign", exact=True).click()
    page.get_by_text("2 patients were assigned.").wait_for()
    assert cards.filter(has_text="Assigned to you").count() == 2


def record(page, card, outcome):
    card.get_by_text("What happened?").click()
    title = card.get_by_role("heading").inner_text()
    card.get_by_role("button", name=outcome).click()
    page.get_by_text("Saved.").first.wait_for()
    return title


def test_a_death_and_a_transfer_wait_for_a_second_person(visit, accessible):
    page = visit("/today", "clinician")
    died = record(page, page.locator("article.card").nth(0), "Died")
    page.goto("/today")
    moved = record(page, page.locator("article.card").nth(1), "In care elsewhere")
    page.goto("/follow-up/verify")
    assert page.get_by_text("A second person must verify it.").count() == 2
    assert page.get_by_role("button", name="Verify").count() == 0
    keys = Keyboard(visit("/follow-up/verify", "partner_admin", DESKTOP))
    page = keys.page
    accessible(page)
    card = page.get_by_role("article").filter(has_text=died)
    assert f"Died on {DAY.day} " in card.inner_text()
    card.get_by_role("link").focus()
    keys.follow("^Verify")
    page.get_by_text("Verified. The status of the patient has changed.").wait_for()
    assert page.get_by_role("article").count() == 1
    keys.follow("^It is not so")
    page.get_by_text("Rejected. The status of the patient stays as it was.").wait_for()
    page.get_by_role("heading", name="Nothing is left to verify").wait_for()
    for title, status in ((died, "Died"), (moved, "Interrupted treatment")):
        page.goto("/patients")
        page.get_by_label("Name, number or phone").fill(title)
        page.get_by_role("button", name="Search").click()
        page.get_by_role("link", name=title).click()
        assert page.locator(".page-head .badge").first.inner_text() == status


def test_targets_come_from_a_form_or_a_file_and_the_funnel_measures_them(visit, accessible):
    page = visit("/follow-up/targets", "partner_admin")
    page.get_by_label("Clinic").select_option(index=0)
    page.get_by_label("To be reached, in per cent").fill("800")
    page.get_by_role("button", name="Save the target").click()
    page.get_by_role("alert").get_by_role("link", name=re.compile("a share from 0 to 100")).click()
    assert page.evaluate("document.activeElement.id") == "reached"
    accessible(page)
    page.get_by_label("To be reached, in per cent").fill("80")
    page.get_by_role("button", name="Save the target").click()
    page.get_by_text("1 target was set.").wait_for()

    def send(line):
        content = f"facility,month,reached,returned\n{line}\n"
        file = {"name": "targets.csv", "mimeType": "text/csv", "buffer": content.encode()}
        page.get_by_label("File of targets").set_input_files(file)
        page.get_by_role("button", name="Set these targets").click()

    second = page.get_by_label("Clinic").locator("option").nth(1).get_attribute("value")
    send(f"{second},{DAY:%Y-%m},8,60%")
    assert "line 2: reached" in page.get_by_role("alert").inner_text()
    send(f"{second},{DAY:%Y-%m},75%,60%")
    page.get_by_text("1 target was set.").wait_for()
    assert re.findall(r"\d+%", page.locator("tbody").inner_text()) == ["80%", "75%", "60%"]
    page.goto("/follow-up/funnel")
    page.get_by_label("Rows").select_option("By clinic")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**by=facility**")
    assert page.locator("[data-label='Reached, of the target']").first.is_visible()
    accessible(page)


def test_the_funnel_shows_its_steps_as_a_picture_and_as_a_file(visit):
    page = visit("/follow-up/funnel", "case_manager")
    picture = page.get_by_role("img", name="Funnel")
    widths = [float(bar.get_attribute("width")) for bar in picture.locator("rect").all()]
    assert widths[0] == 320
    assert widths == sorted(widths, reverse=True)
    assert picture.locator("text").first.text_content() == "On a list"
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as CSV").click()
    assert download.value.suggested_filename.endswith(f"{DAY}.csv")
    page.get_by_label("From").fill("2001-01-01")
    page.get_by_label("To", exact=True).fill("2001-02-01")
    page.get_by_role("button", name="Show").click()
    page.get_by_text("No lists in this period").wait_for()


def test_a_hold_out_needs_an_approval_that_was_given(visit, accessible):
    page = visit("/follow-up/effect", "partner_admin")
    page.get_by_text("Nobody was held out in this period.").wait_for()
    page.get_by_role("link", name="The hold-out and its approval").click()
    keys = Keyboard(page)
    page.get_by_text("Nobody is held out: the share is 0.").wait_for()
    keys.fill("^Share, in per cent", "10")
    page.evaluate("document.querySelector('form.card').noValidate = true")
    keys.follow("^Record the approval$")
    summary = page.get_by_role("alert")
    assert summary.get_by_role("link").count() == 3
    accessible(page)
    summary.get_by_role("link").first.click()
    assert page.evaluate("document.activeElement.id") == "approved_by"
    page.keyboard.type("National ethics committee")
    keys.fill("^Reference", "NHREC/7")
    page.get_by_label("Day of the approval").fill(DAY.isoformat())
    keys.follow("^Record the approval$")
    page.get_by_text("The approval is recorded.").wait_for()
    now = page.get_by_role("region", name="In force")
    assert [word in now.inner_text() for word in ("10%", "NHREC/7", "National ethics committee")] == [True] * 3
    now.get_by_role("button", name="End the hold-out").click()
    page.get_by_text("Nobody is held out from the next list on.").wait_for()
    assert "NHREC/7" in page.get_by_role("region", name="Earlier approvals").inner_text()


def test_the_slider_says_what_a_size_catches_and_sets_it(visit, places, partner):
    page = visit("/today/size", "partner_admin")
    catch = page.locator("#catch")
    slider = page.get_by_label("People of each clinic")
    slider.focus()
    page.keyboard.press("Home")
    catch.get_by_text(re.compile("Lists of 5 people a clinic would have had 75% ")).wait_for()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    catch.get_by_text(re.compile("Lists of 15 people a clinic would have had 100% ")).wait_for()
    catch.get_by_role("button", name="Make lists of 15 people").click()
    page.get_by_text("Saved. The next list has this size.").wait_for()
    with tenant_session(partner[0], actor="test:1") as session, session.cursor() as cursor:
        rows = cursor.execute("SELECT value FROM tenant_settings WHERE key = 'risk'").fetchall()
    assert rows == [({"capacity": 15},)]


def test_a_size_is_chosen_without_script(visit, places):
    page = visit("/today/size?size=3", "partner_admin", java_script_enabled=False)
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**/today/size?size=*")
    assert page.get_by_text(re.compile("people a clinic would have had")).is_visible()
