"""The portal in a browser: sign in, record what happened, undo; on a phone, without script, by keyboard."""

import pytest

from core.database import platform_session, tenant_session
from core.identity.people import links, members, sessions
from core.tenancy import create_tenant, suspend_tenant
from tests.browser import people
from tests.browser.page_checks import DESKTOP, PHONE, assert_good
from tests.tenants.followup.scored import scored

PASSWORD = "seven green bicycles in the rain"


@pytest.fixture(scope="module")
def partner(make_tenant, application, module_client):
    """A tenant with a scored day, and a person of each role."""
    owner = make_tenant()
    scored(owner.ref, module_client(application, owner.api_key), at_risk=23, to_trace=4, clinics=3)
    for role in ("tracking_officer", "viewer", "partner_admin"):
        person = members.add_member(
            owner.ref,
            address(owner.ref, role),
            role.replace("_", " ").capitalize(),
            members.Grant([role]),
            actor="test:1",
        )
        link = links.create_link(person, links.INVITATION, actor="test:1", tenant_id=owner.ref.id)
        links.use_link(link.path.removeprefix(links.PATH), PASSWORD)
    return owner.ref


def address(tenant, role):
    return f"{role}@{tenant.slug}.example.org"


@pytest.fixture(scope="module")
def module_client(database):
    from contextlib import ExitStack

    from tests.keyed import KeyedClient

    with ExitStack() as stack:
        yield lambda app, key: stack.enter_context(KeyedClient(app, headers={"X-API-Key": key}))


@pytest.fixture
def signed_in(open_page, partner):
    """Opens a page as a role who signed in before."""

    def begin(role="tracking_officer", path="/today", size=PHONE, **options):
        session = people.session_of(members.person_of(address(partner, role)), partner)
        return open_page(path, size, session=session, **options)

    return begin


@pytest.fixture
def sign_in(open_page, partner):
    """Signs in as a role by the form, and gives the page that follows."""

    def begin(role="tracking_officer", path="/today", size=PHONE, **options):
        page = open_page(f"/sign-in?next={path}", size, **options)
        page.get_by_label("E-mail address").fill(address(partner, role))
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"**{path}*")
        return page

    return begin


class Thumb:
    """One thumb on a phone: counts what it does, and each time that it has to scroll first."""

    def __init__(self, page):
        self.page, self.count = page, 0

    def find(self, thing):
        box = thing.bounding_box()
        if box["y"] < 0 or box["y"] + box["height"] > self.page.viewport_size["height"]:
            self.count += 1
            thing.scroll_into_view_if_needed()
        self.count += 1
        return thing

    def tap(self, thing):
        self.find(thing).tap()

    def write(self, field, text):
        self.find(field).fill(text)


def test_a_tracker_signs_in_sees_why_calls_records_and_goes_on_in_under_ten_interactions(open_page, partner):
    page = open_page("/sign-in", has_touch=True)
    thumb = Thumb(page)
    thumb.write(page.get_by_label("E-mail address"), address(partner, "tracking_officer"))
    thumb.write(page.get_by_label("Password"), PASSWORD)
    thumb.tap(page.get_by_role("button", name="Sign in", exact=True))
    page.wait_for_url("**/today")
    assert page.get_by_role("heading", level=1).inner_text() == "Today"
    first, second = page.locator("article.card").all()[:2]
    assert "12 days late at the last refill." in first.inner_text()
    call = first.get_by_role("link", name="Call")
    assert call.get_attribute("href") == "tel:08000000412"
    thumb.tap(call)
    thumb.tap(first.get_by_text("What happened?"))
    thumb.tap(first.get_by_role("button", name="Will come"))
    page.get_by_text("will come. Saved.").wait_for()
    thumb.tap(second.get_by_role("link", name="Call"))
    assert thumb.count < 10
    page.get_by_role("button", name="Undo").click()
    page.wait_for_load_state()


@pytest.mark.parametrize("path", ["/today", "/today?list=to_trace"])
def test_the_first_call_is_on_the_screen_of_a_phone_without_scrolling(signed_in, path):
    page = signed_in(path=path)
    box = page.get_by_role("link", name="Call").first.bounding_box()
    assert box["y"] + box["height"] <= PHONE["height"]


def test_the_next_page_misses_nobody_when_some_of_the_first_were_recorded(signed_in, partner):
    page = signed_in()
    first = page.locator("article.card")
    seen = set(first.get_by_role("heading").all_inner_texts())
    assert len(seen) == 20
    for name in sorted(seen)[:2]:
        card = page.locator("article.card").filter(has=page.get_by_role("heading", name=name, exact=True))
        card.get_by_text("What happened?").click()
        card.get_by_role("button", name="Not reached").click()
        page.get_by_text(f"{name}: not reached. Saved.").wait_for()
    page.get_by_role("link", name="Next").click()
    page.wait_for_url("**start=*")
    seen |= set(page.locator("article.card").get_by_role("heading").all_inner_texts())
    assert len(seen) == 23
    page.get_by_role("link", name="Previous").click()
    page.get_by_role("heading", level=1, name="Today").wait_for()
    assert page.locator("article.card").count() == 20
    with tenant_session(partner, actor="test:1") as session, session.cursor() as cursor:
        cursor.execute("UPDATE interventions SET voided = true, voided_by = 'test:1', date_voided = now()")


def test_a_tracker_records_and_undoes(signed_in, accessible):
    page = signed_in()
    waiting = int(page.locator("#lists .number").first.inner_text())
    card = page.locator("article.card").first
    title = card.get_by_role("heading").inner_text()
    card.get_by_text("What happened?").click()
    accessible(page)
    card.get_by_role("button", name="Will come").click()
    saved = page.get_by_text(f"{title}: will come. Saved.")
    saved.wait_for()
    assert int(page.locator("#lists .number").first.inner_text()) == waiting - 1
    assert " done today" in page.locator("#done-today").inner_text()
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("heading", name=title).wait_for()
    assert not saved.is_visible()


def test_an_attempt_that_did_not_reach_the_server_says_so_and_can_be_sent_again(signed_in, troubles):
    page = signed_in()
    card = page.locator("article.card").first
    title = card.get_by_role("heading").inner_text()
    card.get_by_text("What happened?").click()
    page.context.set_offline(True)
    card.get_by_role("button", name="Will come").click()
    card.get_by_role("alert").get_by_text("Not saved").wait_for()
    page.context.set_offline(False)
    troubles.clear()
    card.get_by_role("button", name="Will come").click()
    page.get_by_text(f"{title}: will come. Saved.").wait_for()
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("heading", name=title).wait_for()


def test_an_attempt_after_the_end_of_the_session_leads_to_the_sign_in_and_back(signed_in, partner):
    page = signed_in(path="/today?list=to_trace")
    card = page.locator("article.card").first
    card.get_by_text("What happened?").click()
    with platform_session() as session:
        sessions.end_all(session, members.person_of(address(partner, "tracking_officer")))
    card.get_by_role("button", name="Will come").click()
    page.wait_for_url("**/sign-in?next=%2Ftoday%3Flist%3Dto_trace")
    assert page.locator("article.card").count() == 0


def test_the_same_works_without_script(sign_in):
    page = sign_in(java_script_enabled=False)
    card = page.locator("article.card").first
    title = card.get_by_role("heading").inner_text()
    card.get_by_text("What happened?").click()
    card.get_by_role("button", name="Not reached").click()
    assert page.get_by_text("Saved.").is_visible()
    assert not page.get_by_role("heading", name=title).is_visible()
    page.get_by_role("button", name="Undo").click()
    assert page.get_by_role("heading", name=title).is_visible()


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_wrong_number_takes_the_right_one_which_the_card_calls_until_an_undo(signed_in, accessible, script):
    page = signed_in(path="/today?list=to_trace", java_script_enabled=script)
    card = page.locator("article.card").first
    card.get_by_text("What happened?").click()
    card.get_by_text("Wrong number", exact=True).click()
    card.get_by_label("The right number").fill("0800 000 04 12")
    card.get_by_role("button", name="Save wrong number").click()
    page.get_by_text("The attempt is not recorded").wait_for()
    assert card.get_by_label("The right number").input_value() == "0800 000 04 12"
    if script:
        accessible(page)
    title = card.get_by_role("heading").inner_text()
    card.get_by_label("The right number").fill("0803 555 0199")
    card.get_by_role("button", name="Save wrong number").click()
    page.get_by_text("Saved.").wait_for()
    assert page.get_by_role("heading", name=title).count() == 0
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("heading", name=title).wait_for()
    assert card.get_by_role("link", name="Call").get_attribute("href") == "tel:08000000412"


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_patient_is_assigned_to_a_colleague_and_leaves_my_list(signed_in, accessible, script):
    page = signed_in(path="/today?list=to_trace", java_script_enabled=script)
    title = page.locator("article.card").last.get_by_role("heading").inner_text()
    page.locator("article.card").last.get_by_role("link", name="Assign to a colleague").click()
    page.get_by_role("heading", name=f"Who follows {title}?").wait_for()
    if script:
        accessible(page)
    page.get_by_role("button", name="Partner admin").click()
    page.wait_for_url("**/today?list=to_trace")
    card = page.locator("article.card").filter(has_text=title)
    assert "Assigned to Partner admin" in card.inner_text()
    page.get_by_text("Show: Everybody").click()
    page.get_by_label("Assigned to").select_option("Me or nobody")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**whose=mine*")
    assert page.get_by_text("Show: Me or nobody").is_visible()
    assert card.count() == 0
    page.goto("/today?list=to_trace")
    card.get_by_role("link", name="Reassign").click()
    page.get_by_role("button", name="Nobody: leave it to all").click()
    page.wait_for_url("**/today?list=to_trace")
    assert "Assigned to" not in card.inner_text()


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_what_is_chosen_and_assigned_on_a_card_is_on_one_line(signed_in, size):
    aside = signed_in(path="/today?list=to_trace", size=size).locator(".card-aside").last
    boxes = [aside.locator(part).bounding_box() for part in ("input", "label", "a")]
    middles = [box["y"] + box["height"] / 2 for box in boxes]
    assert max(middles) - min(middles) < 1


def test_the_same_works_by_keyboard(signed_in):
    page = signed_in(size=DESKTOP)
    summary = page.locator("article summary").first
    summary.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent.trim()") == "Will come"
    page.keyboard.press("Enter")
    page.get_by_text("Saved.").wait_for()
    page.get_by_role("button", name="Undo").click()
    page.wait_for_load_state()


@pytest.mark.parametrize("path", ["/sign-in", "/today", "/today?list=to_trace", "/today/rest", "/me", "/kit"])
def test_pages_are_accessible_and_fit_every_screen(open_page, signed_in, accessible, path):
    page = open_page(path) if path in {"/sign-in", "/kit"} else signed_in(path=path)
    assert_good(page, accessible)


def test_the_first_page_weighs_less_than_100_kilobytes_and_the_next_less_than_15(signed_in):
    page = signed_in(path="/me")
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    sizes = []
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.goto("/today")
    page.wait_for_load_state("networkidle")
    assert 0 < sum(sizes) < 100_000
    session.send("Network.setCacheDisabled", {"cacheDisabled": False})
    for path in ("/today?list=to_trace", "/patients", "/me"):
        page.goto(path)
        page.wait_for_load_state("networkidle")
        sizes.clear()
        page.goto(path)
        page.wait_for_load_state("networkidle")
        assert 0 < sum(sizes) < 15_000, path


def test_a_wrong_password_is_told_on_the_form_and_the_address_stays(open_page, partner):
    page = open_page("/sign-in")
    page.get_by_label("E-mail address").fill(address(partner, "viewer"))
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("alert").wait_for()
    assert "The e-mail address or the password is wrong." in page.get_by_role("alert").inner_text()
    assert page.get_by_label("E-mail address").input_value() == address(partner, "viewer")
    assert page.get_by_label("Password").input_value() == ""


def test_an_invited_person_chooses_a_password_and_signs_in(open_page, partner, accessible):
    person = members.add_member(
        partner, f"new@{partner.slug}.example.org", "Newcomer", members.Grant(["tracking_officer"]), actor="test:1"
    )
    page = open_page(links.create_link(person, links.INVITATION, actor="test:1", tenant_id=partner.id).path)
    accessible(page)
    page.get_by_label("New password").fill("newcomer newcomer")
    page.get_by_role("button", name="Set the password").click()
    assert "is easy to guess" in page.get_by_role("alert").inner_text()
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_role("button", name="Set the password").click()
    page.get_by_text("Your password is set.").wait_for()
    page.get_by_label("E-mail address").fill(f"new@{partner.slug}.example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/today")


def test_who_may_not_see_lists_is_told_so_and_who_signs_out_is_out(signed_in):
    page = signed_in("viewer", path="/me")
    page.goto("/today")
    text = page.locator("body").inner_text()
    assert "You need this permission: See issued lists and the people on them." in text
    assert "worklists.read" not in text
    page.goto("/me")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    page.goto("/me")
    page.wait_for_url("**/sign-in?next=%2Fme")


def test_another_partner_is_joined_with_ones_password_and_one_tap_away(open_page, signed_in, partner):
    other = create_tenant(f"{partner.slug}-two", "Second partner").ref
    person = members.add_member(
        other, address(partner, "partner_admin"), "Admin", members.Grant(["tracking_officer"]), actor="test:1"
    )
    invited = open_page(links.create_link(person, links.INVITATION, actor="test:1", tenant_id=other.id).path)
    invited.get_by_label("Your password").fill(PASSWORD)
    invited.get_by_role("button", name="Join").click()
    invited.wait_for_url("**/sign-in?done=password")
    page = signed_in("partner_admin", path="/me")
    page.locator("form", has_text="Second partner").get_by_role("button").click()
    page.wait_for_url("**/today")
    assert page.get_by_text("There is no list yet").is_visible()


def test_the_address_of_the_installation_leads_to_the_work(open_page, signed_in, site):
    page = open_page("/")
    page.wait_for_url("**/sign-in")
    page = signed_in()
    page.goto(f"{site}/")
    page.wait_for_url("**/today")


def test_a_suspended_partner_shows_the_ways_out_and_one_leads_to_another_partner(open_page, partner, accessible):
    closed = create_tenant(f"{partner.slug}-closed", "Closed partner").ref
    person = members.person_of(address(partner, "viewer"))
    members.add_member(closed, address(partner, "viewer"), "Viewer", members.Grant(["viewer"]), actor="test:1")
    with platform_session() as session:
        members.accept(session, person, closed.id)
    page = open_page(session=people.session_of(person, closed))
    suspend_tenant(closed.slug)
    page.goto("/programme")
    page.get_by_role("heading", name="This partner is closed for now").wait_for()
    assert_good(page, accessible)
    page.get_by_role("link", name="Your account").click()
    page.get_by_role("heading", name="Your account").wait_for()
    assert_good(page, accessible)
    page.locator("form", has_text=partner.name).get_by_role("button", name="Go there").click()
    page.wait_for_url("**/programme*")
