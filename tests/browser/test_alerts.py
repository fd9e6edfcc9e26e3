"""The pages of alerts in a browser: what an admin sets up, who is on call, and several alerts at once."""

from __future__ import annotations

import re

import pytest
from sqlmodel import select

from core.database import tenant_session
from tenants.alerts import acts
from tenants.alerts.models import Alert
from tenants.alerts.rules import get_rule
from tenants.alerts.signals import Signal, apply_signals
from tenants.records.models import Facility
from tests.browser import people
from tests.browser.alert_stage import prepare_alerts
from tests.browser.keyboard import Keyboard
from tests.browser.page_checks import DESKTOP, PHONE, assert_good
from tests.keyed import KeyedClient

PAGES = (
    "/alerts",
    "/alerts/rules",
    "/alerts/rules/viral_load",
    "/alerts/routes",
    "/alerts/routes/{route_id}",
    "/alerts/policies",
    "/alerts/policies/{policy_id}",
    "/alerts/silences",
    "/alerts/holidays",
    "/alerts/on-call?rota={rota_id}",
    "/alerts/on-call?rota={rota_id}&view=month",
    "/alerts/on-call/{rota_id}",
)


@pytest.fixture(scope="module")
def partner(make_tenant, application):
    """A partner with three alerts, a rota, a policy, two routes and a silence; its people, and what paths name."""
    owner = make_tenant(name="Lakeside Care")
    roles = ("partner_admin", "case_manager", "clinician")
    members = {role: people.add_person(owner.ref, role) for role in roles}
    with KeyedClient(application, headers={"X-API-Key": owner.api_key}) as api:
        api.post("/v1/facilities", json={"datim_id": "FAC001", "name": "Hope Clinic"})
        things = prepare_alerts(api, owner.ref, list(members.values()))
    with tenant_session(owner.ref, actor="test:1") as session:
        signals = [Signal(subject=f"model-{number}", count=1) for number in range(3)]
        apply_signals(session, get_rule(session, "drift"), signals, whole=False)
    return owner.ref, members, things


@pytest.fixture
def visit(open_page, partner):
    """Opens a page as the role: ``visit("/alerts", DESKTOP)``, the admin unless another is given."""
    owner, members, things = partner

    def begin(path, size=PHONE, role="partner_admin", **options):
        return open_page(path.format_map(things), size, session=people.session_of(members[role], owner), **options)

    return begin


@pytest.mark.parametrize("path", PAGES)
def test_pages_of_alerts_are_accessible_and_fit_every_screen(visit, accessible, path):
    assert_good(visit(path), accessible)


def test_who_is_on_call_is_a_list_on_a_phone_and_weeks_on_a_desktop(visit):
    page = visit("/alerts/on-call?view=month", role="case_manager")
    days = page.locator(".calendar > li").locator("visible=true")
    inside = days.count()
    assert days.nth(0).bounding_box()["y"] < days.nth(1).bounding_box()["y"]
    page.set_viewport_size(DESKTOP)
    assert days.count() >= inside >= 28
    assert days.count() % 7 == 0
    assert days.nth(0).bounding_box()["y"] == days.nth(6).bounding_box()["y"] < days.nth(7).bounding_box()["y"]
    page.get_by_role("link", name="Week", exact=True).click()
    page.get_by_role("heading", name=re.compile("Week of")).wait_for()
    assert days.count() == 7
    assert page.get_by_role("button", name="Hand it over").count() == 0


def test_a_form_without_a_target_says_so_at_its_field(visit, accessible):
    page = visit("/alerts/routes/new")
    page.get_by_label("Name").fill("Days")
    page.evaluate("for (const form of document.forms) form.noValidate = true")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("alert").get_by_role("link", name="Choose a channel or an escalation policy").click()
    assert page.evaluate("document.activeElement.id") == "target"
    accessible(page)


def test_the_sections_are_a_menu_on_a_phone_and_a_row_on_a_desktop(visit):
    page = visit("/alerts/routes")
    menu, links = page.get_by_text("Alerts: Routes"), page.get_by_role("link", name="Silences", exact=True)
    assert (menu.is_visible(), links.count()) == (True, 0)
    menu.click()
    links.click()
    page.get_by_text("Alerts: Silences").wait_for()
    page.set_viewport_size(DESKTOP)
    assert (page.get_by_text("Alerts: Silences").is_visible(), links.count()) == (False, 1)


def test_several_alerts_are_acknowledged_on_a_phone(visit, partner):
    page = visit("/alerts", role="case_manager")
    boxes = page.get_by_role("checkbox")
    boxes.nth(0).check()
    boxes.nth(1).check()
    page.get_by_text("Act on those I chose").click()
    page.locator("#act-many").get_by_role("button", name="Acknowledge").click()
    page.get_by_text("2 alerts were changed.").wait_for()
    with tenant_session(partner[0], actor="test:1") as session:
        states = [row.status for row in session.exec(select(Alert))]
    assert sorted(states) == ["acknowledged", "acknowledged", "open"]


def test_pages_of_alerts_are_live_for_who_reaches_one_facility(open_page, partner):
    owner = partner[0]
    officer = people.session_of(people.add_person(owner, "tracking_officer", facilities=["FAC001"]), owner)
    with tenant_session(owner, actor="test:1") as session:
        place = session.exec(select(Facility.uuid).where(Facility.datim_id == "FAC001")).one()
        (alert,) = apply_signals(session, get_rule(session, "no_data"), [Signal(facility=place, count=1)], whole=False)
        address, alert_id = f"/alerts/{alert.uuid}", alert.uuid
    listed, shown = open_page("about:blank", PHONE, session=officer), open_page("about:blank", DESKTOP, session=officer)
    for page, path in ((listed, "/alerts"), (shown, address)):
        with page.expect_response("**/alerts/stream?wait=true&event=alerts.changed&seen=*") as stream:
            page.goto(path)
        assert stream.value.status == 200
    assert listed.locator("#count-alerts").inner_text().startswith("1")
    shown.get_by_label("Notify nobody for").select_option("60")
    shown.route(f"**{address}", lambda route: route.fulfill(status=503, body="<p>Busy</p>"), times=1)
    with shown.expect_response(f"**{address}"):
        shown.locator("#alert").dispatch_event("happened")
    with tenant_session(owner, actor="test:1") as session:
        acts.acknowledge(session, alert_id, source="api")
    shown.get_by_role("button", name="Acknowledge").wait_for(state="detached")
    assert shown.get_by_label("Notify nobody for").input_value() == "60"
    listed.get_by_text("No alert is open").wait_for()
    listed.locator("#count-alerts").wait_for(state="hidden")


def test_a_turn_is_handed_over_and_taken_back_by_keyboard(visit):
    keys = Keyboard(visit("/alerts/on-call?rota={rota_id}", DESKTOP))
    keys.follow("^Hand it over$")
    keys.page.get_by_text("The turn is taken over.").wait_for()
    keys.follow("^Undo")
    keys.page.get_by_text("The rotation applies again.").wait_for()


def test_a_turn_is_handed_over_without_script(visit):
    page = visit("/alerts/on-call?rota={rota_id}", java_script_enabled=False)
    page.get_by_role("button", name="Hand it over").click()
    page.get_by_text("The turn is taken over.").wait_for()
