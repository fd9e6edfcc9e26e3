"""The faces of the pages of alerts: what is open, and what admins set up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.browser.face import ADMIN, DATA, MANAGER, VIEWER, Face, click, send

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.stage import Stage

NEW: Final = f"{ADMIN}@new-partner"


def _acknowledge(page: Page, stage: Stage) -> None:
    """Acknowledge the alert, which an earlier picture may have done already."""
    if page.get_by_role("button", name="Acknowledge").count() == 0:
        click("Resolve", "Open it again")(page, stage)
    click("Acknowledge")(page, stage)


_preview = send("Preview", threshold="1")

ALERT_FACES: Final = (
    Face("alerts", "GET /alerts", MANAGER, "/alerts?status=all"),
    Face("alerts-admin", "GET /alerts", ADMIN, "/alerts?status=all"),
    Face("alerts-empty", "GET /alerts", NEW),
    Face("alerts-not-allowed", "GET /alerts", VIEWER),
    Face("alert", "GET /alerts/{alert_id}", MANAGER),
    Face("alert-acknowledged", "POST /alerts/{alert_id}/act", MANAGER, "/alerts/{alert_id}", _acknowledge),
    Face("alert-people", "GET /alerts/{alert_id}/people", MANAGER),
    Face("alert-rules", "GET /alerts/rules", ADMIN),
    Face("alert-rules-not-allowed", "GET /alerts/rules", VIEWER),
    Face("alert-rule", "GET /alerts/rules/{rule}", ADMIN),
    Face("alert-rule-unmeasured", "GET /alerts/rules/{rule}", ADMIN, "/alerts/rules/drift"),
    Face("alert-rule-preview", "POST /alerts/rules/{rule}", ADMIN, "/alerts/rules/{rule}", _preview),
    Face("alert-rule-wrong", "POST /alerts/rules/{rule}", ADMIN, "/alerts/rules/{rule}", send("Save", threshold="-1")),
    Face("alert-routes", "GET /alerts/routes", ADMIN),
    Face("alert-routes-empty", "GET /alerts/routes", NEW),
    Face("alert-route-new", "GET /alerts/routes/new", ADMIN),
    Face("alert-route-wrong", "POST /alerts/routes/new", ADMIN, "/alerts/routes/new", send("Save", name="")),
    Face("alert-route", "GET /alerts/routes/{route_id}", ADMIN, act=click("Remove the route")),
    Face("alert-policies", "GET /alerts/policies", ADMIN),
    Face("alert-policies-empty", "GET /alerts/policies", NEW),
    Face("alert-policy-new", "GET /alerts/policies/new", ADMIN),
    Face("alert-policy-wrong", "POST /alerts/policies/new", ADMIN, "/alerts/policies/new", send("Save", name="Leads")),
    Face("alert-policy", "GET /alerts/policies/{policy_id}", ADMIN, act=click("Add a step")),
    Face("alert-silences", "GET /alerts/silences", ADMIN),
    Face("alert-silences-empty", "GET /alerts/silences", NEW),
    Face("alert-silences-wrong", "POST /alerts/silences", ADMIN, "/alerts/silences", send("Silence them", until="")),
    Face("alert-holidays", "GET /alerts/holidays", ADMIN),
    Face("alert-holidays-empty", "GET /alerts/holidays", NEW),
    Face("alert-holidays-reader", "GET /alerts/holidays", DATA),
    Face("alert-holidays-wrong", "POST /alerts/holidays", ADMIN, "/alerts/holidays", send("Add it", name="")),
    Face("on-call", "GET /alerts/on-call", MANAGER),
    Face("on-call-admin", "GET /alerts/on-call", ADMIN),
    Face("on-call-month", "GET /alerts/on-call", MANAGER, "/alerts/on-call?view=month"),
    Face("on-call-empty", "GET /alerts/on-call", NEW),
    Face(
        "on-call-wrong", "POST /alerts/on-call/{rota_id}/overrides", ADMIN, "/alerts/on-call?rota={rota_id}",
        send("Hand it over", until="2001-01-01T00:00"),
    ),
    Face("on-call-rota-new", "GET /alerts/on-call/new", ADMIN),
    Face("on-call-rota-empty", "GET /alerts/on-call/new", NEW),
    Face("on-call-rota-wrong", "POST /alerts/on-call/new", ADMIN, "/alerts/on-call/new", send("Save", name="Leads")),
    Face("on-call-rota", "GET /alerts/on-call/{rota_id}", ADMIN),
)  # fmt: skip
"""Every page of alerts in its faces."""
