"""From a partner's files to an outcome: scored, alerted, acknowledged in a channel, followed up, back, and counted."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from uuid import uuid4

import pytest

from core.clock import today
from core.database import tenant_session
from core.jobs import enqueue
from core.jobs.worker import drain
from core.settings import get_settings
from core.tenancy import settings as tenant_settings
from tenants.messages.planning import PLAN
from tenants.messages.settings import MessageSettings
from tests.keyed import KeyedClient
from tests.tenants.alerts.conftest import awake
from tests.vendors import kannel, opsgenie, pagerduty, slack

ZONE = "Africa/Lagos"
STAFF, PHONE = "+2348035550100", "+2348035550101"
MAPPING = """
source: csv:journey
data_date: {data_date}
files:
  patients: {{name: patients.csv}}
  pickups: {{name: pickups.csv}}
records:
  - into: patients
    file: patients
    patient: id
    facility: {{datim_id: clinic, name: clinic_name}}
    columns: {{pepfar_id: id, phone: phone, sex: sex, birthdate: born, art_start_date: art_start}}
  - into: dispensations
    file: pickups
    patient: id
    columns: {{date_dispensed: day, days_supplied: days, regimen: regimen, next_appointment: next}}
"""
KINDS = ("at_risk", "to_trace")
EXPECTED = {"ada": 2, "efe": 5, "bola": -9, "chidi": -12, "dayo": -14}
"""Patient -> the day of the expected contact, counted from today. Ada has always come ten days late."""


class Partner:
    """A tenant whose records run to two days ago, with a list of yesterday, and what it does today."""

    def __init__(self, owner, api):
        self.tenant, self.api, self.today = owner.ref, api, today(ZONE)
        self.yesterday = self.today - timedelta(1)
        self.pickups = [
            (who, self.today + timedelta(days - 30 - month * (40 if who == "ada" else 30)))
            for who, days in EXPECTED.items()
            for month in range(7, -1, -1)
        ]

    def ok(self, answer):
        assert answer.status_code < 300, answer.text
        return answer.json()

    def post(self, path, **body):
        return self.ok(self.api.post(path, json=body))

    def get(self, path, **params):
        return self.ok(self.api.get(path, params=params))

    def deliver(self, data_date, *came):
        """Import the whole list again, with the pick-ups of those who came since."""
        self.pickups += came
        start = self.pickups[0][1]
        patients = "id,clinic,clinic_name,phone,sex,born,art_start\n" + "".join(
            f"{who},C1,Riverside,{PHONE if who == 'ada' else ''},F,1990-05-01,{start}\n" for who in EXPECTED
        )
        pickups = "id,day,days,regimen,next\n" + "".join(
            f"{who},{day},30,TDF/3TC/DTG,{day + timedelta(30)}\n" for who, day in self.pickups
        )
        files = [("files", ("patients.csv", patients)), ("files", ("pickups.csv", pickups))]
        mapping = MAPPING.format(data_date=data_date)
        upload = self.ok(self.api.post("/v1/imports", files=files, data={"mapping": mapping}))
        drain(self.tenant)
        done = self.get(f"/v1/imports/{upload['id']}")
        assert (done["state"], done["rows_rejected"]) == ("done", 0), done

    def score(self, day):
        self.post("/v1/risk/scores", as_of=str(day))
        drain(self.tenant)

    def connect(self, kind, plugin, **settings):
        """Set a plugin up; return the address that its vendor calls."""
        answer = self.post("/v1/plugin-instances", kind=kind, plugin=plugin, name=plugin, settings=settings)
        return self.post(f"/v1/plugin-instances/{answer['id']}/address")["address"] if plugin != "sms" else ""

    def people(self):
        """Patient -> id."""
        with tenant_session(self.tenant, actor="test:1") as session, session.cursor() as cursor:
            rows = cursor.execute("SELECT patient_uuid, max(contact_date) FROM contacts GROUP BY 1").fetchall()
        last = {day: str(patient) for patient, day in rows}
        return {who: last[self.today + timedelta(days - 30)] for who, days in EXPECTED.items()}

    def alerts(self):
        return {each["rule"]: each for each in self.get("/v1/alerts")["items"]}


@pytest.fixture(scope="module")
def partner(application, make_tenant):
    owner = make_tenant()
    awake(owner.ref)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IIT_PUBLIC_URL", "http://testserver")
        get_settings.cache_clear()
        with KeyedClient(application, headers={"Authorization": f"Bearer {owner.api_key}"}) as api:
            yield Partner(owner, api)
    get_settings.cache_clear()


@pytest.fixture(scope="module")
def vendors(partner):
    """The stand-ins, connected; each with the address that it calls."""
    with ExitStack() as stack:
        servers = {
            "slack": stack.enter_context(slack.Slack()),
            "pagerduty": stack.enter_context(pagerduty.PagerDuty()),
            "opsgenie": stack.enter_context(opsgenie.Opsgenie()),
            "kannel": stack.enter_context(kannel.Kannel()),
        }
        for name, vendor in servers.items():
            vendor.client = partner.api
            kind = "sms-gateway" if name == "kannel" else "alert-channel"
            vendor.address = partner.connect(kind, name, **vendor.settings)
        partner.connect("alert-channel", "sms", phone=STAFF)
        yield servers


def test_the_loop_closes(partner, vendors):
    """One story, in its order."""
    partner.deliver(partner.today - timedelta(2))
    partner.score(partner.yesterday)
    lists = {kind: partner.post("/v1/worklists", kind=kind, as_of=str(partner.yesterday))["id"] for kind in KINDS}
    people = partner.people()
    key = notified(partner, vendors)
    acknowledged(partner, vendors, key)
    call = followed_up(partner, people["bola"])
    answered(partner, vendors["kannel"], people["ada"])
    back = [("ada", partner.today), ("bola", partner.today), ("chidi", partner.yesterday), ("dayo", partner.today)]
    partner.deliver(partner.today, *back)
    learned(partner, lists, people, call)
    counted(partner)
    partner.score(partner.today)
    ended(partner, vendors, key)
    recorded(partner, people["ada"])


def notified(partner, vendors):
    """Each channel has one message for both alerts of the facility; its key."""
    alerts = partner.alerts()
    assert {rule: (each["count"], each["status"]) for rule, each in alerts.items()} == {
        "risk_high": (1, "open"),
        "late": (3, "open"),
    }
    (key,) = {f"iit-{each['digest_id']}" for each in alerts.values()}
    assert vendors["pagerduty"].triggers == vendors["opsgenie"].created == {key: 1}
    assert len(vendors["slack"].messages) == 1
    ((headers, text),) = vendors["kannel"].messages
    assert headers["x-kannel-to"] == STAFF
    assert "Riverside: 1 to call first, 3 late" in str(text)
    return key


def acknowledged(partner, vendors, key):
    """A press in Slack, and PagerDuty's webhook, reach the other channels; what is not signed changes nothing."""
    chat, pager, genie = vendors["slack"], vendors["pagerduty"], vendors["opsgenie"]
    assert chat.press(chat.address, "acknowledge", key, secret="f" * 32)[0] == 403
    assert partner.alerts()["late"]["status"] == "open"
    assert chat.press(chat.address, "acknowledge", key)[0] == 200
    assert pager.act(pager.address, "incident.acknowledged", key)[0] == 200
    drain(partner.tenant)
    alerts = partner.alerts()
    assert {each["status"] for each in alerts.values()} == {"acknowledged"}
    assert pager.incidents == genie.alerts == {key: "acknowledged"}
    detail = partner.get(f"/v1/alerts/{alerts['late']['id']}")
    assert [(each["act"], each["detail"].get("who")) for each in detail["history"]][-1] == (
        "acknowledged",
        "U0123456789",
    )


def followed_up(partner, patient):
    """A call is planned, and the patient promises to come."""
    planned = partner.post("/v1/interventions", id=str(uuid4()), patient_id=patient, kind="phone_call")
    assert planned["worklist_entry_id"]
    done = partner.post(
        f"/v1/interventions/{planned['id']}/complete", outcome="promised", promised_for=str(partner.today)
    )
    assert (done["state"], done["result"]) == ("done", None)
    return planned["id"]


def answered(partner, gateway, patient):
    """A reminder reaches the patient, whose answer is an outcome."""
    partner.post(f"/v1/patients/{patient}/consents", purpose="reminders", agrees=True, source="verbal")
    partner.post("/v1/message-templates", purpose="reminders", language="en", body="See you on {date}. Reply 1 or 2.")
    always = {"active": True, "first_hour": 0, "last_hour": 24, "free_weekdays": ()}
    with tenant_session(partner.tenant, actor="test:1") as session:
        tenant_settings.put(session, MessageSettings(**always))
        enqueue(session, PLAN, {"day": str(partner.today)})
    drain(partner.tenant)
    headers, _ = gateway.messages[-1]
    assert headers["x-kannel-to"] == PHONE
    assert gateway.report(len(gateway.messages) - 1)[0] == 200
    assert gateway.send_sms(gateway.address, PHONE, "1")[0] == 200
    drain(partner.tenant)
    (attempt,) = partner.get("/v1/attempts", patient_id=patient)["items"]
    assert (attempt["medium"], attempt["outcome"]) == ("sms", "promised")


def learned(partner, lists, people, call):
    """The lists and the call know who came back, on the day of the list and of the call, too."""
    with tenant_session(partner.tenant, actor="test:1") as session, session.cursor() as cursor:
        query = "SELECT worklist_uuid, patient_uuid, result, result_on, settled FROM worklist_entries"
        results = {(str(row[0]), str(row[1])): row[2:] for row in cursor.execute(query)}
    assert results == {
        (lists["at_risk"], people["ada"]): ("returned_in_time", partner.today, False),
        (lists["at_risk"], people["efe"]): ("not_known", None, False),
        (lists["to_trace"], people["bola"]): ("returned_in_time", partner.today, False),
        (lists["to_trace"], people["chidi"]): ("returned_in_time", partner.yesterday, False),
        (lists["to_trace"], people["dayo"]): ("returned_in_time", partner.today, False),
    }
    done = partner.get(f"/v1/interventions/{call}")
    assert (done["result"], done["result_on"]) == ("returned_in_time", str(partner.today))


def counted(partner):
    """The funnel: five on lists, two reached by call and SMS, both back; two came by themselves."""
    day = str(partner.yesterday)
    (row,) = partner.get("/v1/funnel", first=day, last=day)["rows"]
    steps = ("identified", "contacted", "reached", "returned", "returned_unreached", "unsettled")
    assert tuple(row[step] for step in steps) == (5, 2, 2, 2, 2, 5)


def ended(partner, vendors, key):
    """The next scoring ends the alert about people who are late, and knows that they came back.

    In the channels the message ends with the last of its alerts.
    """
    alerts = partner.alerts()
    assert (alerts["late"]["status"], alerts["late"]["resolution"]) == ("resolved", "cause_ended")
    assert vendors["pagerduty"].incidents == vendors["opsgenie"].alerts == {key: "acknowledged"}
    assert partner.post(f"/v1/alerts/{alerts['risk_high']['id']}/resolve")["status"] == "resolved"
    drain(partner.tenant)
    assert (vendors["pagerduty"].incidents, vendors["opsgenie"].alerts) == ({key: "resolved"}, {key: "closed"})
    assert vendors["pagerduty"].triggers == {key: 1}
    history = {rule: partner.get(f"/v1/alerts/{each['id']}")["history"] for rule, each in alerts.items()}
    assert [each["act"] for each in history["late"]] == ["opened", "notified", "acknowledged", "resolved"]
    assert history["late"][-1]["detail"] == {"why": "cause_ended", "returned": 3, "left_care": 0}
    changed = [each["detail"].get("returned") for each in history["risk_high"] if each["act"] == "changed"]
    assert (changed, history["risk_high"][-1]["act"]) == ([1], "resolved")


def recorded(partner, patient):
    """The patient's history has the message, the answer, the outcome and the pick-up."""
    messages = partner.get("/v1/messages", patient_id=patient)["items"]
    assert [(each["direction"], each["state"]) for each in messages] == [("inbound", "read"), ("outbound", "delivered")]
    newest = partner.get(f"/v1/patients/{patient}/timeline")["items"]
    assert ("dispensation", str(partner.today)) in {(each["kind"], each["date"]) for each in newest}
    (promise,) = partner.get("/v1/interventions", patient_id=patient)["items"]
    assert (promise["outcome"], promise["result"]) == ("promised", "returned_in_time")
    assert promise["prediction_id"]
