"""The faces of every page: whose eyes see it, where, and what that person does before the picture is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

import pyotp

from core.clock import now
from core.identity.people import factor_codes
from tests.browser.alert_faces import ALERT_FACES
from tests.browser.face import ADMIN, DATA, MANAGER, OFFICER, OPERATOR, VIEWER, Face, click, send
from tests.browser.stage import PASSWORD

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.face import Act
    from tests.browser.stage import Stage


def _invite(page: Page, stage: Stage) -> None:
    page.locator("input[value=viewer]").check()
    send("Invite", name="Nora New", email=f"n{UUID(int=int(now().timestamp() * 1000)).hex[-8:]}@example.org")(
        page, stage
    )


def _key(page: Page, stage: Stage) -> None:
    page.locator("input[value='people.read']").check()
    send("Create the key", key_name="Reporting server")(page, stage)


def _wrong_webhook(page: Page, stage: Stage) -> None:
    send("Add the webhook", url="http://emr.example.org/hooks")(page, stage)


def _wrong_consent(page: Page, stage: Stage) -> None:
    click("Record a decision")(page, stage)
    send("Save", day="2999-01-01")(page, stage)


def _people_file(content: str, button: str = "Check the file") -> Act:
    def act(page: Page, _stage: Stage) -> None:
        file = {"name": "people.csv", "mimeType": "text/csv", "buffer": content.encode()}
        page.locator("[name=file]").set_input_files(file)
        page.get_by_role("button", name=button).click()

    return act


_WRONG_TARGETS = _people_file("facility,month,reached,returned\nNOWHERE,2026-02,8,60%\n", "Set these targets")


def _add_people(page: Page, stage: Stage) -> None:
    first = f"n{UUID(int=int(now().timestamp() * 1000)).hex[-8:]}"
    _people_file(f"email,name,roles\n{first}@example.org,Nora New,viewer\n{first}b@example.org,Ben,clinician\n")(
        page, stage
    )
    page.get_by_role("button", name="Add 2 people").click()


def _link(page: Page, stage: Stage) -> None:
    page.goto(stage.link())


def _easy_password(page: Page, stage: Stage) -> None:
    _link(page, stage)
    send("Set the password", password="password password")(page, stage)


def _give_password(page: Page, email: str) -> None:
    page.goto("/sign-in?next=/me/second-factor")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def _must_set_up(page: Page, stage: Stage) -> None:
    _give_password(page, stage.newcomer("clinician"))
    page.wait_for_url("**/sign-in/set-up**")


def _set_up(page: Page, stage: Stage) -> str:
    email = stage.newcomer()
    _give_password(page, email)
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Set it up").click()
    page.wait_for_url("**/set-up")
    return email


def _wrong_code(page: Page, stage: Stage) -> None:
    _set_up(page, stage)
    page.get_by_label("Code", exact=True).fill("000000")
    page.get_by_role("button", name="Confirm").click()


def _recovery_codes(page: Page, stage: Stage) -> str:
    email = _set_up(page, stage)
    page.get_by_text("Type the key instead").click()
    secret = page.locator("code.secret").inner_text().replace(" ", "")
    page.get_by_label("Code", exact=True).fill(_code(secret))
    page.get_by_role("button", name="Confirm").click()
    page.get_by_role("heading", name="Your recovery codes").wait_for()
    return email


def _code(secret: str) -> str:
    return pyotp.TOTP(secret).generate_otp(int(now().timestamp()) // factor_codes.STEP_SECONDS)


def _factor_on(page: Page, stage: Stage) -> None:
    _recovery_codes(page, stage)
    page.goto("/me/second-factor")


def _ask_code(page: Page, stage: Stage) -> None:
    email = _recovery_codes(page, stage)
    page.context.clear_cookies()
    _give_password(page, email)
    page.get_by_role("heading", name="Your code").wait_for()


def _ask_code_wrong(page: Page, stage: Stage) -> None:
    _ask_code(page, stage)
    page.get_by_label("Code", exact=True).fill("000000")
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_text("I do not have my phone").click()


def _so_far(page: Page, _stage: Stage) -> None:
    page.get_by_label("Period").select_option(index=0)
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**/programme?period=*")


def _wrong_schedule(page: Page, stage: Stage) -> None:
    page.get_by_text("Schedule a report").click()
    send("Schedule it", recipients="nobody@example.org")(page, stage)


DIRTY: Final = "/data/imports/{import_id}"

FACES: Final = (
    Face("sign-in", "GET /sign-in"),
    Face("sign-in-wrong", "GET /sign-in", act=send("Sign in", email="ann@example.org", password="wrong")),
    Face("sign-in-partner", "GET /sign-in/sso", address="/sign-in/sso?partner=none"),
    Face("sign-in-partner-answer", "GET /sign-in/sso/callback"),
    Face("sign-in-code", "GET /sign-in/code", address="/sign-in", act=_ask_code),
    Face("sign-in-code-wrong", "GET /sign-in/code", address="/sign-in", act=_ask_code_wrong),
    Face("sign-in-set-up", "GET /sign-in/set-up", address="/sign-in", act=_must_set_up),
    Face("password", "GET /password", address="/sign-in", act=_link),
    Face("password-easy", "POST /password", address="/sign-in", act=_easy_password),
    Face("password-link-ended", "GET /password/{secret}"),
    Face("today", "GET /today", OFFICER),
    Face("today-outcomes", "GET /today", OFFICER, act=click("What happened?")),
    Face("today-wrong-number", "GET /today", OFFICER, act=click("What happened?", "Wrong number")),
    Face("today-recorded", "GET /today", OFFICER, act=click("What happened?", "Not reached")),
    Face("today-undone", "GET /today", OFFICER, act=click("What happened?", "Not reached", "Undo")),
    Face("today-late", "GET /today", OFFICER, "/today?list=to_trace"),
    Face("today-all-clinics", "GET /today", MANAGER),
    Face("today-rest", "GET /today/rest", MANAGER, "/today/rest"),
    Face("today-rest-late", "GET /today/rest", OFFICER, "/today/rest?list=to_trace"),
    Face("today-rest-empty", "GET /today/rest", f"{OFFICER}@new-partner", "/today/rest"),
    Face("today-nobody", "GET /today", MANAGER, "/today?facility=none"),
    Face("today-empty", "GET /today", f"{OFFICER}@new-partner"),
    Face("today-not-allowed", "GET /today", VIEWER),
    Face("assign", "GET /assign/{patient_id}", OFFICER, "/today", click("Assign to a colleague")),
    Face("work", "GET /follow-up", MANAGER),
    *ALERT_FACES,
    Face("work-not-allowed", "GET /follow-up", VIEWER),
    Face("verify", "GET /follow-up/verify", ADMIN),
    Face("team", "GET /follow-up/team", MANAGER),
    Face("team-wrong", "POST /follow-up/team/absences", MANAGER, "/follow-up/team", send("Save the absence", last="")),
    Face("effect", "GET /follow-up/effect", ADMIN),
    Face("hold-out", "GET /follow-up/hold-out", ADMIN),
    Face("hold-out-wrong", "POST /follow-up/hold-out", ADMIN, "/follow-up/hold-out", send("Record the approval")),
    Face("today-size", "GET /today/size", ADMIN),
    Face("today-size-empty", "GET /today/size", "partner_admin@new-partner"),
    Face("targets", "GET /follow-up/targets", ADMIN),
    Face("targets-wrong", "POST /follow-up/targets", ADMIN, "/follow-up/targets", send("Save the target", reached="x")),
    Face("targets-file-wrong", "POST /follow-up/targets/file", ADMIN, "/follow-up/targets", _WRONG_TARGETS),
    Face("funnel", "GET /follow-up/funnel", MANAGER),
    Face("funnel-by-officer", "GET /follow-up/funnel", MANAGER, "/follow-up/funnel?by=officer"),
    Face("funnel-empty", "GET /follow-up/funnel", MANAGER, "/follow-up/funnel?last=2001-01-01&by=facility"),
    Face("patients", "GET /patients", MANAGER),
    Face("patients-by-name", "POST /patients", MANAGER, act=send("Search", text="client")),
    Face("patients-nobody", "POST /patients", MANAGER, act=send("Search", text="Nobody")),
    Face("patients-wrong", "POST /patients", MANAGER, act=send("Search", text="--")),
    Face("patients-not-allowed", "GET /patients", VIEWER),
    Face("patient", "GET /patients/{patient_id}", ADMIN, "/today", click("Client")),
    Face("patient-late", "GET /patients/{patient_id}", MANAGER, "/today?list=to_trace", click("Client")),
    Face("patient-attempt", "GET /patients/{patient_id}", MANAGER, "/today", click("Client", "Record an attempt")),
    Face("patient-plan", "GET /patients/{patient_id}", MANAGER, "/today", click("Client", "Plan something", "Plan it")),
    Face("patient-not-there", "GET /patients/{patient_id}", MANAGER, f"/patients/{UUID(int=0)}"),
    Face("data", "GET /data", DATA),
    Face("data-waits", "GET /data", f"{DATA}@demo-south"),
    Face("data-empty", "GET /data", f"{DATA}@new-partner"),
    Face("data-not-allowed", "GET /data", VIEWER),
    Face("data-upload", "GET /data/upload", DATA, act=click("More options")),
    Face("data-upload-wrong", "GET /data/upload", DATA, act=send("Upload")),
    Face("data-imports", "GET /data/imports", f"{DATA}@demo-south"),
    Face("data-import", "GET /data/imports/{import_id}", f"{DATA}@demo-south"),
    Face("data-import-undo", "GET /data/imports/{import_id}", f"{DATA}@demo-south", act=click("Undo this import")),
    Face("data-facilities", "GET /data/facilities", f"{DATA}@demo-south"),
    Face("data-facilities-known", "GET /data/facilities", DATA),
    Face("data-quality", "GET /data/quality", DATA),
    Face("data-quality-empty", "GET /data/quality", f"{DATA}@new-partner"),
    Face("data-candidates", "GET /data/candidates", DATA),
    Face("data-candidates-empty", "GET /data/candidates", f"{DATA}@new-partner"),
    Face("data-candidate", "GET /data/candidates/{candidate_id}", DATA),
    Face("programme", "GET /programme", DATA),
    Face("programme-viewer", "GET /programme", VIEWER, "/programme?show=TX_PVLS"),
    Face("programme-so-far", "GET /programme", DATA, act=_so_far),
    Face("programme-empty", "GET /programme", f"{DATA}@new-partner"),
    Face("programme-not-allowed", "GET /programme", OFFICER),
    Face("models", "GET /programme/models", DATA),
    Face("models-manager", "GET /programme/models", MANAGER),
    Face("models-empty", "GET /programme/models", f"{DATA}@new-partner"),
    Face("models-not-allowed", "GET /programme/models", OFFICER),
    Face("model", "GET /programme/models/{model_id}", DATA),
    Face("drift", "GET /programme/drift", DATA),
    Face("drift-empty", "GET /programme/drift", f"{DATA}@new-partner"),
    Face("groups", "GET /programme/groups", DATA),
    Face("groups-empty", "GET /programme/groups", f"{DATA}@new-partner"),
    Face("features", "GET /programme/features", DATA),
    Face("features-empty", "GET /programme/features", f"{DATA}@new-partner"),
    Face("feature", "GET /programme/features/{name}", DATA, "/programme/features/days_late_last"),
    Face("programme-people", "GET /programme/people", DATA),
    Face("programme-disagreements", "GET /programme/disagreements", DATA),
    Face("programme-disagreements-empty", "GET /programme/disagreements", f"{DATA}@new-partner"),
    Face("reports", "GET /reports", DATA),
    Face("reports-make", "GET /reports", DATA, act=click("Make a report")),
    Face("reports-schedule", "GET /reports", DATA, act=click("Schedule a report")),
    Face("reports-error", "GET /reports", DATA, act=_wrong_schedule),
    Face("reports-viewer", "GET /reports", VIEWER),
    Face("reports-empty", "GET /reports", f"{DATA}@new-partner"),
    Face("reports-not-allowed", "GET /reports", OFFICER),
    Face("me", "GET /me", OFFICER),
    Face("second-factor", "GET /me/second-factor", OFFICER),
    Face("second-factor-on", "GET /me/second-factor", address="/sign-in", act=_factor_on),
    Face("second-factor-set-up", "GET /me/second-factor/set-up", address="/sign-in", act=_set_up),
    Face("second-factor-wrong", "GET /me/second-factor/set-up", address="/sign-in", act=_wrong_code),
    Face("second-factor-codes", "GET /me/second-factor/set-up", address="/sign-in", act=_recovery_codes),
    Face("admin", "GET /admin", ADMIN),
    Face("admin-not-allowed", "GET /admin", VIEWER),
    Face("admin-people", "GET /admin/people", ADMIN),
    Face("admin-people-none", "GET /admin/people", ADMIN, "/admin/people?search=Nobody"),
    Face("admin-person", "GET /admin/people/{person_id}", ADMIN),
    Face(
        "admin-person-link", "POST /admin/people/{person_id}/link", ADMIN, "/admin/people/{person_id}",
        click("new invitation"),
    ),
    Face("admin-invite", "GET /admin/people/new", ADMIN),
    Face("admin-invite-wrong", "GET /admin/people/new", ADMIN, act=send("Invite", email="wrong")),
    Face("admin-invited", "POST /admin/people/new", ADMIN, "/admin/people/new", _invite),
    Face("admin-file", "GET /admin/people/file", ADMIN),
    Face(
        "admin-file-wrong", "POST /admin/people/file", ADMIN, "/admin/people/file",
        _people_file("email,name,roles\nwrong,Nora New,nobody\nann@example.org,,viewer\n"),
    ),
    Face(
        "admin-file-checked", "POST /admin/people/file", ADMIN, "/admin/people/file",
        _people_file("email,name,roles\nann@example.org,Ann Ade,tracking_officer\nb@example.org,Ben Bello,viewer\n"),
    ),
    Face("admin-file-added", "POST /admin/people/file", ADMIN, "/admin/people/file", _add_people),
    Face("admin-roles", "GET /admin/roles", ADMIN),
    Face("admin-role", "GET /admin/roles/{role_name}", ADMIN),
    Face("admin-role-new", "GET /admin/roles/new", ADMIN, act=click("Single permissions")),
    Face("admin-role-wrong", "GET /admin/roles/new", ADMIN, act=send("Add the role", role_name="Case Lead")),
    Face("admin-keys", "GET /admin/keys", ADMIN),
    Face("admin-keys-empty", "GET /admin/keys", f"{ADMIN}@new-partner"),
    Face("admin-key", "GET /admin/keys/new", ADMIN),
    Face("admin-webhooks", "GET /admin/webhooks", ADMIN),
    Face("admin-webhooks-empty", "GET /admin/webhooks", f"{ADMIN}@new-partner"),
    Face("admin-webhook", "GET /admin/webhooks/{webhook_id}", ADMIN),
    Face("admin-webhook-new", "GET /admin/webhooks/new", ADMIN),
    Face("admin-webhook-wrong", "POST /admin/webhooks/new", ADMIN, "/admin/webhooks/new", _wrong_webhook),
    Face(
        "admin-webhook-secret", "POST /admin/webhooks/{webhook_id}/rotate", ADMIN, "/admin/webhooks/{webhook_id}",
        click("Create a new secret"),
    ),
    Face("admin-webhook-change", "GET /admin/webhooks/{webhook_id}/change", ADMIN),
    Face("admin-key-created", "POST /admin/keys/new", ADMIN, "/admin/keys/new", _key),
    Face("messages", "GET /messages", OFFICER),
    Face("messages-to-read", "GET /messages", ADMIN),
    Face("messages-empty", "GET /messages", f"{ADMIN}@new-partner"),
    Face("patient-messages", "GET /patients/{patient_id}/messages", MANAGER, "/patients/{texted_id}/messages"),
    Face(
        "patient-consent-wrong", "POST /patients/{patient_id}/consents", MANAGER, "/patients/{texted_id}/messages",
        _wrong_consent,
    ),
    Face("admin-texts", "GET /admin/message-texts", ADMIN),
    Face("admin-texts-empty", "GET /admin/message-texts", f"{ADMIN}@new-partner"),
    Face("admin-text", "GET /admin/message-texts/new", ADMIN),
    Face(
        "admin-text-wrong", "POST /admin/message-texts/new", ADMIN, "/admin/message-texts/new",
        send("Save", body="Your ARV refill is ready on {date}"),
    ),
    Face("admin-settings", "GET /admin/settings", ADMIN),
    Face("admin-schedules", "GET /admin/schedules", ADMIN),
    Face(
        "admin-schedules-wrong", "POST /admin/schedules/{schedule}", ADMIN, "/admin/schedules",
        send("Save", cron="every night"),
    ),
    Face("admin-settings-group", "GET /admin/settings/{group}", ADMIN),
    Face(
        "admin-settings-wrong", "GET /admin/settings/{group}", ADMIN, "/admin/settings/risk",
        send("Save", **{"set.capacity_share": "7"}),
    ),
    Face("admin-audit", "GET /admin/audit", ADMIN),
    Face(
        "admin-audit-look", "GET /admin/audit/{event_id}", ADMIN, "/admin/audit?action=today:read",
        click("20 patients"),
    ),
    Face("admin-audit-none", "GET /admin/audit", ADMIN, f"/admin/audit?subject={UUID(int=0)}"),
    Face("admin-sso", "GET /admin/sso", ADMIN),
    Face("admin-sso-provider", "GET /admin/sso", f"{ADMIN}@demo-south"),
    Face("admin-sso-tested", "POST /admin/sso/test", f"{ADMIN}@demo-south", "/admin/sso", click("Test it")),
    Face("operators", "GET /operators", OPERATOR),
    Face("operators-not-allowed", "GET /operators", ADMIN),
    Face("operators-tenants", "GET /operators/tenants", OPERATOR),
    Face("operators-tenant", "GET /operators/tenants/{slug}", OPERATOR),
    Face("operators-jobs", "GET /operators/jobs", OPERATOR),
    Face("operators-jobs-none", "GET /operators/jobs", OPERATOR, "/operators/jobs?state=running&kind=imports.run"),
    Face("operators-events", "GET /operators/events", OPERATOR),
    Face("operators-webhooks", "GET /operators/webhooks", OPERATOR),
    Face("operators-errors", "GET /operators/errors", OPERATOR),
    Face("operators-errors-none", "GET /operators/errors", OPERATOR, "/operators/errors?state=ignored"),
    Face("operators-error", "GET /operators/errors/{error_id}", OPERATOR),
    Face("operators-error-support", "GET /operators/errors/{error_id}", "platform_support"),
    Face("operators-connections", "GET /operators/connections", OPERATOR),
    Face("operators-ai-use", "GET /operators/ai-use", OPERATOR),
    Face("operators-live", "GET /operators/live", OPERATOR),
    Face("operators-flags", "GET /operators/flags", OPERATOR),
    Face("operators-flag", "GET /operators/flags/{flag}", OPERATOR),
    Face("operators-flag-support", "GET /operators/flags/{flag}", "platform_support"),
    Face("operators-cache", "GET /operators/cache", OPERATOR),
    Face("operators-cache-support", "GET /operators/cache", "platform_support"),
    Face("operators-databases", "GET /operators/databases", OPERATOR),
    Face("operators-connections-support", "GET /operators/connections", "platform_support"),
    Face("operators-job", "GET /operators/jobs/{job_id}", OPERATOR, act=click("Discard")),
    Face("operators-job-support", "GET /operators/jobs/{job_id}", "platform_support"),
    Face("kit", "GET /kit"),
    Face("not-there", "GET /me", OFFICER, "/nothing-is-at-this-address"),
)  # fmt: skip
"""Every page in its faces: normal, empty, wrong, not allowed."""

WITHOUT_PICTURE: Final = {
    "GET /start": "leads on",
    "GET /events": "a stream",
    "GET /operators/stream": "a stream",
    "GET /alerts/stream": "a stream",
    "GET /data/imports/{import_id}/progress": "a part of the import's page",
    "GET /data/imports/{import_id}/rejections.csv": "a file",
    "GET /reports/files/{report_id}": "a file",
    "GET /admin/billing/invoices/{invoice_id}/document.pdf": "a file",
    "GET /admin/billing/invoices/{invoice_id}/document.csv": "a file",
    "POST /admin/billing/invoices/{invoice_id}/pay": "leads to the provider's page",
    "GET /operators/billing/invoices/{invoice_id}/document.pdf": "a file",
    "GET /operators/billing/invoices/{invoice_id}/document.csv": "a file",
    "GET /operators/billing/costs/focus.csv": "a file",
    "GET /operators/billing/tenants/{slug}/usage.csv": "a file",
    "GET /operators/billing/tenants/{slug}/invoices.csv": "a file",
    "GET /follow-up/funnel.csv": "a file",
    "GET /programme/models/{model_id}/card.pdf": "a file",
    "POST /guidelines/questions/{question_id}/written": "a part of the page of an answer",
}
"""Addresses that show no page of their own."""
