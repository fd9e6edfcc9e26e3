"""The pages on which alerts are managed, without a browser: forms, what they save, and what they say of a mistake."""

import re
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from html import unescape
from uuid import UUID

import pytest
from sqlmodel import select

from core.audit.models import AuditEvent
from core.clock import now, today
from core.database import platform_session, tenant_session
from core.identity.people import members, sessions
from core.identity.people.colleagues import colleagues
from core.plugins import instances
from core.tenancy import settings
from tenants.alerts import management, rules, service
from tenants.alerts.findings import FOUND_BY
from tenants.alerts.models import Alert, AlertPolicy, AlertRoute, AlertRule, OnCallOverride, OnCallRota
from tenants.alerts.settings import AlertSettings
from tenants.alerts.signals import Signal, apply_signals
from tests.browser.alert_stage import add_channel
from tests.keyed import KeyedClient

TOMORROW = now() + timedelta(days=1)


@pytest.fixture(scope="module")
def admin(application, make_tenant):
    """A browser of a partner's admin, whose partner has one clinic and one channel."""
    owner = make_tenant()
    api = KeyedClient(application, headers={"Authorization": f"Bearer {owner.api_key}"})
    api.post("/v1/facilities", json={"datim_id": "FAC001", "name": "Hope Clinic"})
    email = f"a@{owner.ref.slug}.example.org"
    person = members.add_member(owner.ref, email, "Ada Admin", members.Grant(["partner_admin"]), actor="test:1")
    with platform_session() as session:
        members.accept(session, person, owner.ref.id)
        begun = sessions.begin(session, person, owner.ref.id, signed_in_by="password")
    client = KeyedClient(application)
    client.cookies.set("iit_session", begun.secret)
    client.api = api
    client.tenant, client.person, client.channel = owner.ref, str(person), add_channel(owner.ref, "Leads' phone")
    client.token = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/me").text)[1]
    return client


def post(client, path, form):
    data = {"csrf_token": client.token, **form}
    return client.post(path, data=data, headers={"Origin": "http://testserver"}, follow_redirects=False)


def rows(client, model):
    with tenant_session(client.tenant, actor="test:1") as session:
        return list(session.exec(select(model)))


def version_of(text):
    return unescape(re.search(r'name="version" value="([^"]*)"', text)[1])


@contextmanager
def switched_off(client):
    """The partner's channel is switched off."""
    for enabled in (False, True):
        with tenant_session(client.tenant, actor="test:1") as session:
            instances.set_enabled(session, UUID(client.channel), enabled=enabled, source="cli")
        if not enabled:
            yield


def test_a_rule_is_previewed_turned_off_and_changed_by_one_person_at_a_time(admin):
    path = "/alerts/rules/viral_load"
    form = {"version": version_of(admin.get(path).text), "severity": "low", "threshold": "9", "repeat_hours": "24"}
    seen = post(admin, path, {**form, "act": "preview", "enabled": "yes"})
    assert (seen.status_code, "With a threshold of 9:" in seen.text) == (200, True)
    assert rows(admin, AlertRule) == []
    wrong = post(admin, path, {**form, "threshold": "-1"})
    assert wrong.status_code == 422
    assert 'href="#threshold"' in wrong.text
    assert post(admin, path, form).status_code == 303
    text = admin.get("/alerts/rules?done=viral_load").text
    assert ("Saved" in text, "Turn on" in text) == (True, True)
    stale = post(admin, path, {**form, "version": '"1-0"'})
    assert (stale.status_code, "Nothing was saved" in stale.text) == (412, True)


def test_a_threshold_of_more_days_than_a_calendar_has_finds_nothing(admin):
    seen = admin.api.get("/v1/alert-rules/no_data/preview", params={"threshold": 1_000_000_000})
    assert (seen.status_code, seen.json()["alerts"]) == (200, 0)


def test_a_rule_says_that_nothing_measures_it_yet_or_what_it_has_found(admin):
    assert "No quota of the partner" in admin.get("/alerts/rules/quota_near").text
    assert "The predictions have not drifted in the last 7 days." in admin.get("/alerts/rules/drift").text


def test_a_route_takes_alerts_of_a_clinic_at_night(admin):
    assert "There are no routes yet" in admin.get("/alerts/routes").text
    form = {"name": "Nights", "target": f"channel:{admin.channel}", "facilities": "FAC001", "days": ["1", "2"]}
    form |= {"severity": "high", "from_time": "18:00", "until_time": "07:00"}
    for field, value in (("name", ""), ("target", ""), ("facilities", "FAC999"), ("from_time", "25:00")):
        answer = post(admin, "/alerts/routes/new", {**form, field: value})
        assert (answer.status_code, f'href="#{field}"' in answer.text) == (422, True), field
    assert post(admin, "/alerts/routes/new", form).status_code == 303
    text = admin.get("/alerts/routes").text
    for fact in ("Nights", "Hope Clinic", "Leads&#39; phone", "High or above", "Monday, Tuesday, 18:00 to 07:00"):
        assert fact in text
    (row,) = rows(admin, AlertRoute)
    path = f"/alerts/routes/{row.id}"
    page = admin.get(path).text
    assert '<option value="FAC001" selected>' in page
    removed = post(admin, f"{path}/remove", {"version": version_of(page)})
    assert (removed.status_code, rows(admin, AlertRoute)) == (303, [])


def test_a_rota_its_policy_and_a_turn_that_is_handed_over(admin):
    assert "There is no rota yet" in admin.get("/alerts/on-call").text
    day = today(admin.tenant.time_zone)
    form = {"name": "Leads", "person": [admin.person, ""], "channel": [admin.channel, admin.channel]}
    form |= {"first_day": day.isoformat(), "shift_days": "7", "handover_time": "00:00"}
    wrong = post(admin, "/alerts/on-call/new", {**form, "person": ["nobody", ""]})
    assert (wrong.status_code, 'href="#members-0"' in wrong.text) == (422, True)
    assert "Turn 3" in post(admin, "/alerts/on-call/new", {**form, "act": "more"}).text
    assert post(admin, "/alerts/on-call/new", form).status_code == 303
    (rota,) = rows(admin, OnCallRota)
    steps = {"name": "Leads first", "minutes": ["0", "15"], "target": [f"rota:{rota.id}", ""], "repeats": "2"}
    late = post(admin, "/alerts/policies/new", {**steps, "minutes": ["x", "15"]})
    assert (late.status_code, 'href="#steps-0"' in late.text) == (422, True)
    assert post(admin, "/alerts/policies/new", steps).status_code == 303
    with switched_off(admin):
        member = f'<option value="{admin.channel}" selected>a channel that is gone</option>'
        assert member in admin.get(f"/alerts/on-call/{rota.id}").text
        step = post(admin, "/alerts/policies/new", {**steps, "target": [f"channel:{admin.channel}", ""]})
        assert (step.status_code, f'<option value="channel:{admin.channel}" selected>' in step.text) == (422, True)
    policies = admin.get("/alerts/policies").text
    for fact in ("Leads first", "On call: Leads", "at once", "2 times"):
        assert fact in policies
    used = post(
        admin,
        f"/alerts/on-call/{rota.id}/remove",
        {"version": version_of(admin.get(f"/alerts/on-call/{rota.id}").text)},
    )
    assert (used.status_code, "Nothing was saved" in used.text) == (409, True)
    turn = {"person_id": admin.person, "since": f"{TOMORROW:%Y-%m-%dT10:00}", "until": f"{TOMORROW:%Y-%m-%dT12:00}"}
    before = post(admin, f"/alerts/on-call/{rota.id}/overrides", {**turn, "until": f"{TOMORROW:%Y-%m-%dT09:00}"})
    assert (before.status_code, 'href="#until"' in before.text) == (422, True)
    assert post(admin, f"/alerts/on-call/{rota.id}/overrides", turn).status_code == 303
    text = admin.get(f"/alerts/on-call?rota={rota.id}&day={TOMORROW:%Y-%m-%d}&done=turn").text
    for fact in ("Ada Admin", "taken over", "10:00 to 12:00", "The turn is taken over."):
        assert fact in text
    month = admin.get(f"/alerts/on-call?rota={rota.id}&view=month").text
    assert (month.count("<time datetime=") >= 28, month.count('aria-current="date"')) == (True, 1)
    (override,) = rows(admin, OnCallOverride)
    assert post(admin, f"/alerts/on-call/{rota.id}/overrides/{override.id}/remove", {}).status_code == 303
    assert "10:00 to 12:00" not in admin.get(f"/alerts/on-call?rota={rota.id}&day={TOMORROW:%Y-%m-%d}").text
    (policy,) = rows(admin, AlertPolicy)
    page = admin.get(f"/alerts/policies/{policy.id}").text
    assert post(admin, f"/alerts/policies/{policy.id}/remove", {"version": version_of(page)}).status_code == 303


def test_a_silence_has_an_end_and_a_reason_and_ends_early(admin):
    form = {"rule": "late", "facility": "FAC001", "until": f"{TOMORROW:%Y-%m-%dT%H:%M}", "reason": "The server moves"}
    for field, value in (("until", ""), ("until", "2001-01-01T00:00"), ("reason", ""), ("facility", "FAC999")):
        answer = post(admin, "/alerts/silences", {**form, field: value})
        assert (answer.status_code, f'href="#{field}"' in answer.text) == (422, True), (field, value)
    assert post(admin, "/alerts/silences", form).status_code == 303
    text = admin.get("/alerts/silences").text
    for fact in ("The server moves", "Hope Clinic", "Silent now", "Ada Admin"):
        assert fact in text
    with tenant_session(admin.tenant, actor="test:1") as session:
        (silence,) = management.list_silences(session)
    assert post(admin, f"/alerts/silences/{silence.id}/end", {}).status_code == 303
    assert "Nothing is silenced." in admin.get("/alerts/silences").text


def test_holidays_are_added_renamed_copied_from_the_year_before_and_removed(admin):
    def stored():
        with tenant_session(admin.tenant, actor="test:1") as session:
            return {day.isoformat(): name for day, name in settings.get(session, AlertSettings).holidays.items()}

    home, year = "/alerts/holidays", today(admin.tenant.time_zone).year
    moving, fixed, own = f"{year}-04-03", f"{year}-05-01", f"{year + 1}-03-26"
    assert "No holiday is entered for this year." in admin.get(home).text
    for form, fields in (({"day": "", "name": "Eid"}, ["day"]), ({"day": "0026-12-25", "name": " "}, ["day", "name"])):
        wrong = post(admin, home, form)
        assert (wrong.status_code, re.findall(r"field-error\" id=\"(\w+)-error", wrong.text)) == (422, fields)
    assert stored() == {}
    days = ((moving, "Friday"), (moving, "Good Friday"), (fixed, "May <Day>"), (own, "Good Friday"))
    for day, name in days:
        assert post(admin, home, {"day": day, "name": name}).status_code == 303
    text = admin.get(home).text
    assert ("May &lt;Day&gt;" in text, f"Copy those of {year} to {year + 1}" in text) == (True, True)
    copied = post(admin, f"{home}/copy", {"year": str(year + 1)})
    assert "1 holiday was copied." in admin.get(copied.headers["location"]).text
    assert stored() == {moving: "Good Friday", fixed: "May <Day>", own: "Good Friday", f"{year + 1}-05-01": "May <Day>"}
    assert f"to {year + 1}" not in admin.get(home).text
    form = admin.get("/admin/settings/alerts").text
    assert ("4 days" in form, f'href="{home}"' in form) == (True, True)
    sent = {"version": version_of(form), "set.quiet_from": "21:00"}
    assert post(admin, "/admin/settings/alerts", sent).status_code == 303
    assert len(stored()) == 4
    for day in stored():
        assert post(admin, f"{home}/remove", {"day": day}).status_code == 303
    assert stored() == {}


def test_a_list_of_days_without_names_is_a_list_of_holidays(admin):
    path, any_version = "/v1/settings/alerts", {"If-Match": "*"}
    for value in (["2026-12-25"], {"2026-12-25": ""}):
        answer = admin.api.patch(path, json={"holidays": value}, headers=any_version)
        assert answer.json()["value"]["holidays"] == {"2026-12-25": ""}
    for value in ("2026-12-25", [["2026-12-25"]], {"25/12/2026": "Christmas"}):
        assert admin.api.patch(path, json={"holidays": value}, headers=any_version).status_code == 422, value
    admin.api.patch(path, json={"holidays": None}, headers=any_version)


def test_several_alerts_are_acknowledged_assigned_and_snoozed_at_once(admin):
    with tenant_session(admin.tenant, actor="test:1") as session:
        signals = [Signal(subject=f"model-{number}", count=1) for number in range(3)]
        apply_signals(session, rules.get_rule(session, "drift"), signals, whole=False)
    ids = [str(alert.uuid) for alert in rows(admin, Alert)]
    assert post(admin, "/alerts/act", {"act": "acknowledge"}).headers["location"].endswith("changed=0&chosen=0")
    assert "Choose alerts first." in admin.get("/alerts?changed=0&chosen=0").text
    assert post(admin, f"/alerts/{ids[2]}/act", {"act": "resolve"}).status_code == 303
    answer = post(admin, "/alerts/act", {"act": "acknowledge", "alert_id": ids})
    assert answer.headers["location"].endswith("changed=2&chosen=3")
    text = admin.get(answer.headers["location"]).text
    assert ("2 alerts were changed." in text, "The others are resolved" in text) == (True, True)
    post(admin, "/alerts/act", {"act": "assign", "person_id": admin.person, "alert_id": ids[0]})
    post(admin, "/alerts/act", {"act": "snooze", "minutes": "60", "alert_id": ids[1]})
    alerts = {str(alert.uuid): alert for alert in rows(admin, Alert)}
    assert [alerts[each].status for each in ids] == ["acknowledged", "open", "resolved"]
    assert (alerts[ids[0]].assigned_to, alerts[ids[1]].snoozed_until is not None) == (f"person:{admin.person}", True)
    mine = admin.get("/alerts?whose=mine").text
    assert re.findall(r'href="/alerts/([0-9a-f-]{36})"', mine) == ids[:1]
    assert ("Assigned to Ada Admin" in mine, "<summary>Not resolved · Assigned to me" in mine) == (True, True)
    listed = admin.api.get("/v1/alerts", params={"assigned_to": admin.person, "ended": False}).json()["items"]
    ended = admin.api.get("/v1/alerts", params={"ended": True}).json()["items"]
    assert ([each["id"] for each in listed], {each["status"] for each in ended}) == (ids[:1], {"resolved"})
    form = {"act": "resolve", "back": "list", "whose": "mine", "stream": "platform", "page": "1"}
    back = post(admin, f"/alerts/{ids[0]}/act", form).headers["location"]
    assert set(back.removeprefix("/alerts?").split("&")) >= {"whose=mine", "stream=platform", "status=open"}


def test_the_api_previews_a_rule_and_acts_on_several_alerts_as_the_pages_do(admin, monkeypatch):
    with tenant_session(admin.tenant, actor="test:1") as session:
        signals = [Signal(subject=f"api-{number}", count=1) for number in range(2)]
        opened = apply_signals(session, rules.get_rule(session, "drift"), signals, whole=False)
        ids = [str(alert.uuid) for alert in opened]
    assert admin.api.post(f"/v1/alerts/{ids[1]}/resolve").status_code == 200
    body = {"act": "assign", "alert_ids": ids, "person_id": admin.person}
    looked = []
    monkeypatch.setattr(service, "colleagues", lambda *asked: looked.append(asked) or colleagues(*asked))
    answer = admin.api.post("/v1/alerts/act", json=body)
    assert answer.json() == {"changed": ids[:1], "skipped": ids[1:]}
    assert len(looked) == 1
    assert admin.api.post("/v1/alerts/act", json={"act": "assign", "alert_ids": ids}).status_code == 422
    assert admin.api.post("/v1/alerts/act", json={**body, "alert_ids": [admin.person]}).status_code == 404
    seen = admin.api.get("/v1/alert-rules/dead_jobs/preview", params={"threshold": 5}).json()
    assert seen == {"days": None, "alerts": 0, "people": 0, "raised": 0}
    measured = {rule["kind"]: rule["measured"] for rule in admin.api.get("/v1/alert-rules").json()}
    assert {kind for kind, looks in measured.items() if not looks} == set()
    assert "Not measured yet" not in admin.get("/alerts/rules").text
    assert "has not set IIT_PUBLIC_URL" in admin.get("/alerts/routes").text


def test_the_number_of_an_alert_opens_its_people_whom_the_audit_records(admin):
    api, day = admin.api, today("Africa/Lagos")
    patients = {}
    for name, copies in (("Binta", 5000), ("Chidi", 20_000)):
        body = {"facility": "FAC001", "given_name": name, "family_name": "Bello", "art_start_date": "2024-01-10"}
        patients[name] = api.post("/v1/patients", json=body).headers["location"].rsplit("/", 1)[1]
        moment = f"{day - timedelta(days=30)}T09:00:00Z"
        result = {"patient_id": patients[name], "obs_datetime": moment, "variable_name": "viral_load"}
        assert api.post("/v1/observations", json={**result, "value_numeric": copies}).status_code == 201
    with tenant_session(admin.tenant, actor="test:1") as session:
        rule = replace(rules.get_rule(session, "viral_load"), enabled=True)
        (alert,) = apply_signals(session, rule, FOUND_BY["viral_load"](session, rule, day), data_date=day, whole=True)
        path = f"/alerts/{alert.uuid}"
    assert f'<h1><a href="{path}/people">2</a> laboratory results to act on (Hope Clinic)</h1>' in admin.get(path).text
    assert f'href="{path}/people">See who it is about' in admin.get("/alerts").text
    text = admin.get(f"{path}/people").text
    for fact in ("2 patients", "Binta Bello", "20,000", "5,000"):
        assert fact in text, fact
    assert text.index("Chidi Bello") < text.index("Binta Bello")
    read = [event.subject_uuid for event in rows(admin, AuditEvent) if event.action == "alerts:people:read"]
    assert {str(each) for each in read} == set(patients.values())
    answer = api.get(f"/v1{path}/people").json()
    results = [(row["patient_id"], row["viral_load"], row["expected_date"]) for row in answer["items"]]
    assert results == [(patients["Chidi"], 20_000, None), (patients["Binta"], 5000, None)]
    assert answer["total"] == 2
    read = [event.actor for event in rows(admin, AuditEvent) if event.action == "alerts:people:read"]
    assert sorted(actor.partition(":")[0] for actor in read) == ["api_key", "api_key", "person", "person"]
