"""A tenant that sends messages, and a gateway in the memory of the test."""

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from core.clock import today
from core.database import tenant_session
from core.events import publish
from core.jobs import enqueue
from core.jobs.worker import drain
from core.tenancy import settings as tenant_settings
from plugins.sdk import Outcome
from tenants.messages import gateway
from tenants.messages.planning import PLAN
from tenants.messages.settings import MessageSettings
from tests.keyed import KeyedClient

ZONE = "Africa/Lagos"
GATEWAY = UUID("019c2253-7220-70a7-a610-b4172b5ebaa0")
ALWAYS = {
    "active": True,
    "gateway": GATEWAY,
    "code_word": "Sunrise",
    "phone": "0803 000 0000",
    "first_hour": 0,
    "last_hour": 24,
    "free_weekdays": (),
    "most_per_day": 5,
}
REMINDER = "{code_word}: see you on {date}. Reply 1 if you come, 2 if we should call. STOP ends this."


@dataclass
class Prepared:
    """A message that the gateway's plugin has described."""

    send: Callable[[], Outcome]

    def count(self, session):
        """Meter nothing."""

    def judge(self, outcome):
        """Judge nothing."""


@dataclass
class Network:
    """What the gateway was asked to send, and what it answers."""

    sent: list[tuple[UUID, str, str]] = field(default_factory=list)
    answers: list[Outcome | Exception] = field(default_factory=list)
    reports: dict[str, object] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    prepared: list[UUID] = field(default_factory=list)

    def send(self, tenant, instance, message_id, *, to, text, report_url):
        assert (instance, report_url) == (GATEWAY, "")
        self.sent.append((message_id, to, text))
        answer = self.answers.pop(0) if self.answers else Outcome("sent", reference=f"ref-{message_id}")
        if isinstance(answer, Exception):
            raise answer
        return answer

    def prepare(self, *message, **facts):
        self.prepared.append(message[2])
        return Prepared(lambda: self.send(*message, **facts))

    def ask(self, tenant, instance, reference, *, to, text):
        assert (to, text) in [(phone, body) for _, phone, body in self.sent]
        self.asked.append(reference)
        return self.reports.get(reference)


@dataclass
class Partner:
    """A tenant with its API, a clinic, and what tests do with its messages."""

    tenant: object
    api: object
    clinic: str

    @property
    def day(self):
        return today(ZONE)

    @contextmanager
    def session(self):
        with tenant_session(self.tenant, actor="test:1") as session:
            yield session

    def set(self, **settings):
        with self.session() as session:
            tenant_settings.put(session, MessageSettings(**(ALWAYS | settings)))

    def patient(self, *, expected=2, phone=None, consent=True, **facts):
        """A patient on treatment who is expected some days from now."""
        body = {"facility": self.clinic, "hospital_number": uuid4().hex[:10], "art_start_date": "2020-01-10"}
        body |= {"phone": phone or f"0803{uuid4().int % 10**7:07d}", **facts}
        answer = self.api.post("/v1/patients", json=body)
        assert answer.status_code == 201, answer.text
        patient = answer.headers["location"].rsplit("/", 1)[1]
        self.visit(patient, self.day - timedelta(28), self.day + timedelta(expected))
        if consent:
            self.consent(patient)
        return patient

    def visit(self, patient, day, following):
        body = {"patient_id": patient, "date_started": str(day), "next_appointment": str(following)}
        answer = self.api.post("/v1/visits", json=body)
        assert answer.status_code == 201, answer.text

    def consent(self, patient, purpose="reminders", **facts):
        body = {"purpose": purpose, "agrees": True, "source": "verbal", **facts}
        answer = self.api.post(f"/v1/patients/{patient}/consents", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def template(self, body=REMINDER, purpose="reminders", language="en"):
        answer = self.api.post("/v1/message-templates", json={"purpose": purpose, "language": language, "body": body})
        assert answer.status_code == 201, answer.text
        return answer.json()

    def plan(self):
        with self.session() as session:
            enqueue(session, PLAN, {"day": str(self.day)})
        return drain(self.tenant)

    def send(self, patient, purpose="follow_up"):
        body = {"id": str(uuid4()), "patient_id": patient, "purpose": purpose}
        return self.api.post("/v1/messages", json=body)

    def messages(self, patient, **wanted):
        answer = self.api.get("/v1/messages", params={"patient_id": patient, **wanted})
        assert answer.status_code == 200, answer.text
        return answer.json()["items"]

    def publish(self, event, **payload):
        with self.session() as session:
            publish(session, event, {"instance_id": GATEWAY, **payload})


@pytest.fixture(scope="module")
def module_partner(make_tenant, application):
    created = make_tenant()
    with KeyedClient(application, headers={"Authorization": f"Bearer {created.api_key}"}) as api:
        clinic = f"G{uuid4().hex[:10]}"
        api.post("/v1/facilities", json={"datim_id": clinic, "name": "Riverside Clinic"})
        partner = Partner(created.ref, api, clinic)
        partner.set()
        partner.template()
        partner.template("{code_word}: we miss you. Call {phone}.", purpose="follow_up")
        yield partner


@pytest.fixture
def partner(module_partner):
    """One tenant for a file, with the settings of ``ALWAYS`` at the beginning of each test."""
    module_partner.set()
    return module_partner


@pytest.fixture
def network(monkeypatch):
    """The gateway, instead of a plugin's."""
    network = Network()
    monkeypatch.setattr(gateway, "prepare", network.prepare)
    monkeypatch.setattr(gateway, "ask", network.ask)
    return network
