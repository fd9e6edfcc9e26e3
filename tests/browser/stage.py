"""What the pictures need beyond a demo: people of each role with a session, an empty partner, and things that wait."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

import httpx
from sqlalchemy import text
from sqlmodel import col, delete, select

from core.clock import now, today
from core.database import platform_session, tenant_session
from core.errors import NotFound
from core.identity.keys import create_key
from core.identity.people import links, members
from core.jobs.worker import drain
from core.preferences import registry, service
from core.privacy import vault
from core.tenancy import create_tenant, list_tenants
from core.tenancy import settings as tenant_settings
from plugins.sdk import IncomingSms
from tenants.alerts.models import Alert
from tenants.alerts.rules import get_rule
from tenants.alerts.signals import Signal, apply_signals
from tenants.followup.models_results import ListPlaces
from tenants.messages import incoming
from tenants.messages.models import Communication
from tenants.messages.settings import MessageSettings
from tenants.messages.templates import EXAMPLES
from tenants.quality.models import LinkageCandidate
from tenants.records.ids import new_uuid
from tenants.records.models import Facility, Patient
from tenants.risk.repository import model_of_version
from tests.browser import people
from tests.browser.alert_stage import prepare_alerts
from tests.browser.channels import failing_channel
from tests.browser.jobs import dead_job
from tests.browser.knowledge_stage import prepare_knowledge
from tests.browser.radet import ago, write_pair
from tests.browser.work_stage import prepare_work
from tests.core.error_groups.samples import stored_error

if TYPE_CHECKING:
    from core.database import TenantRef

PASSWORD: Final = "seven green bicycles in the rain"
NORTH, SOUTH, NEW = "demo-north", "demo-south", "new-partner"
ACTOR: Final = "test:1"


@dataclass
class Stage:
    """A served demo.

    Attributes:
        site: its address.
        things: what the addresses of pages name, such as ``patient_id``.
    """

    site: str
    things: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._sessions: dict[str, str] = {}
        self._tenants = {tenant.slug: tenant for tenant in list_tenants()}

    def session_of(self, who: str) -> str:
        """The secret of a session: of a role at the demo's first partner, ``role@partner``, or an operator's role."""
        if who not in self._sessions:
            role, _at, slug = who.partition("@")
            tenant = None if role.startswith("platform_") else self._tenants[slug or NORTH]
            person = people.add_operator(role) if tenant is None else _person(tenant, role)
            self._sessions[who] = people.session_of(person, tenant)
        return self._sessions[who]

    def newcomer(self, role: str = "viewer") -> str:
        """The address of a new person with ``PASSWORD`` at the empty partner."""
        email = f"{uuid4().hex[:8]}@example.org"
        person = members.add_member(self._tenants[NEW], email, "Nora New", members.Grant([role]), actor=ACTOR)
        link = links.create_link(person, links.INVITATION, actor=ACTOR, tenant_id=self._tenants[NEW].id)
        links.use_link(link.path.removeprefix(links.PATH), PASSWORD)
        return email

    def link(self) -> str:
        """The path of a new invitation."""
        email = f"{uuid4().hex[:8]}@example.org"
        person = members.add_member(self._tenants[NEW], email, "Nora New", members.Grant(["viewer"]), actor=ACTOR)
        return links.create_link(person, links.INVITATION, actor=ACTOR, tenant_id=self._tenants[NEW].id).path

    def prepare(self) -> None:
        """Create what a demo lacks, and note what the addresses name."""
        if NEW not in self._tenants:
            self._tenants[NEW] = create_tenant(NEW, "Lakeside Care").ref
        with tenant_session(self._tenants[NEW], actor=ACTOR) as session:
            service.replace(session, registry.groups()["sign_in"], {"second_factor_roles": ["clinician"]})
        self.things |= {
            "slug": NORTH,
            "role_name": "case_manager",
            "group": "cohort",
            "schedule": "risk.night",
            "plugin_kind": "alert-channel",
            "plugin": "slack-bot",
            "secret": "none",
        }
        self.things["bill_id"] = _bill_of(self._tenants[NORTH])
        self.things["job_id"] = str(dead_job(self._tenants[SOUTH]))
        self.things["error_id"] = str(stored_error())
        self.things["flag"] = "knowledge.language_model"
        with _api(self.site, self._tenants[NORTH]) as north:
            self._prepare_north(north)
        with _api(self.site, self._tenants[SOUTH]) as south:
            self._prepare_south(south)

    def _prepare_north(self, api: httpx.Client) -> None:
        tenant = self._tenants[NORTH]
        quarter = f"{today('Africa/Lagos').year - 1}Q4"
        for body in ({"kind": "mer", "format": "xlsx", "period": quarter}, {"kind": "line-list", "format": "csv"}):
            self.things["report_id"] = _id_of(api.post("/v1/reports/files", json=body))
        drain(tenant)
        _count_places(tenant)
        monthly = {"kind": "mer", "format": "pdf", "every": "month", "on_day": 5, "at_hour": 6}
        _id_of(api.post("/v1/reports/schedules", json=monthly))
        _id_of(api.post("/v1/keys", json={"name": "Reporting server", "permissions": ["cohort.read", "reports.read"]}))
        self._prepare_webhooks(api, tenant)
        self.things |= {
            "instance_id": str(failing_channel(tenant)),
            "plugin_kind": "alert-channel",
            "plugin": "slack-bot",
        }
        self._prepare_messages(api, tenant)
        self.things["alert_id"] = str(_raised(tenant))
        leads = [_person(tenant, role) for role in ("case_manager", "clinician", "tracking_officer")]
        self.things |= prepare_alerts(api, tenant, leads)
        prepare_work(api, tenant, leads)
        self.things |= prepare_knowledge(tenant)
        invited = {"email": f"{uuid4().hex[:6]}@example.org", "name": "Ngozi Adaeze Okonkwo-Abubakar"}
        self.things["person_id"] = _id_of(
            api.post("/v1/people", json={**invited, "roles": ["tracking_officer", "data_officer"]})
        )
        self.things["candidate_id"] = str(_pair(tenant))
        with tenant_session(tenant, actor=ACTOR, readonly=True) as session:
            self.things["model_id"] = str(model_of_version(session, None).uuid)

    def _prepare_webhooks(self, api: httpx.Client, tenant: TenantRef) -> None:
        """One that works, though nothing is sent, and one that was stopped; both with a name that breaks nowhere."""
        if api.get("/v1/webhooks").json()["total"]:
            return
        address = "https://integration.lakeside-care-initiative.example.org/hooks/iit-platform"
        self.things["webhook_id"] = _id_of(api.post("/v1/webhooks", json={"url": address}))
        sent = api.post(f"/v1/webhooks/{self.things['webhook_id']}/example", json={"event": "risk.scored"})
        self.things["delivery_id"] = _id_of(sent)
        stopped = _id_of(api.post("/v1/webhooks", json={"url": f"{address}-old", "events": ["imports.completed"]}))
        with tenant_session(tenant, actor=ACTOR) as session:
            statement = "UPDATE webhook_endpoints SET state = 'disabled', reason = 'failing' WHERE id = %s"
            session.cursor().execute(statement, (stopped,))

    def _prepare_messages(self, api: httpx.Client, tenant: TenantRef) -> None:
        """A patient who consents, a message of which nobody knows whether it arrived, and one that has to be read."""
        with tenant_session(tenant, actor=ACTOR) as session:
            tenant_settings.put(session, MessageSettings(code_word="Sunrise", phone="0803 000 0000"))
            patient = session.exec(select(Patient).where(col(Patient.known_to).is_(None)).limit(1)).one()
            self.things["texted_id"] = str(patient.uuid)
            row = Communication(
                patient_uuid=patient.uuid, facility_uuid=patient.facility_uuid, communication_type="sms",
                status="unknown", purpose="reminders", consent_basis="verbal", segments=1, error_code="timeout",
                sent_at=now(), created_by=ACTOR,
            )  # fmt: skip
            text = "Sunrise: see you on 03/02. Reply 1 if you come, 2 if we should call you."
            row.body_enc = vault(session).encrypt(patient.uuid, "communications", "body_enc", row.uuid, text)
            session.add(row)
            incoming.take(session, uuid4(), IncomingSms("+2348030000001", "I am on a journey until Friday", ""))
        waiting = api.get("/v1/incoming-messages").json()
        self.things["unmatched_id"] = next(message["id"] for message in waiting if message["patient_id"] is None)
        body = {"purpose": "reminders", "language": "en", "body": EXAMPLES["en"]}
        _id_of(api.post("/v1/message-templates", json=body))
        consent = {"purpose": "reminders", "agrees": True, "source": "verbal", "language": "ha"}
        _id_of(api.post(f"/v1/patients/{self.things['texted_id']}/consents", json=consent))

    def _prepare_south(self, api: httpx.Client) -> None:
        provider = {"issuer": "https://sign-in.partner-south.example.org", "client_id": "iit"}
        answer = api.put("/v1/sso", json=provider)
        there_already = answer.status_code == HTTPStatus.PRECONDITION_REQUIRED
        assert answer.is_success or there_already, answer.text
        api.post("/v1/sso/domains", json={"domain": "partner-south.example.org"})
        body = {"kind": "importer", "plugin": "folder", "settings": {"folder": "/srv/records/demo-south"}}
        self.things["source_id"] = _id_of(
            api.post("/v1/plugin-instances", json={**body, "name": f"EMR {uuid4().hex[:4]}"})
        )
        api.post(f"/v1/import-sources/{self.things['source_id']}/fetch", json={})
        with tempfile.TemporaryDirectory() as folder:
            for path, days in zip(write_pair(Path(folder)), (30, 0), strict=True):
                files = {"files": (f"RADET {ago(days)}.csv", path.read_bytes())}
                answer = api.post("/v1/imports", files=files, data={"data_date": ago(days), "new_people": "true"})
                self.things["import_id"] = _id_of(answer)
                drain(self._tenants[SOUTH])


def _bill_of(tenant: TenantRef) -> str:
    """The demo's oldest invoice of a partner."""
    query = text("SELECT id FROM platform.invoices WHERE tenant_id = :tenant AND state <> 'draft' ORDER BY id LIMIT 1")
    with platform_session() as session:
        return str(session.execute(query, {"tenant": tenant.id}).scalar_one())


def _api(site: str, tenant: TenantRef) -> httpx.Client:
    key = create_key(tenant, name=f"Pictures {uuid4().hex[:6]}")
    headers = {"X-API-Key": key.plaintext}
    return httpx.Client(base_url=site, headers=headers, timeout=60, event_hooks={"request": [_add_key]})


def _add_key(request: httpx.Request) -> None:
    """Send a fresh Idempotency-Key, which writes under /v1 may need."""
    request.headers["Idempotency-Key"] = str(uuid4())


def _id_of(answer: httpx.Response) -> str:
    assert answer.is_success, answer.text
    body: dict[str, Any] = answer.json()
    return str(body.get("id") or answer.headers["location"].rsplit("/", 1)[1])


def _person(tenant: TenantRef, role: str) -> UUID:
    """The demo's person of the role, or a new one where there is none."""
    email = f"{role}@{tenant.slug}.example.org"
    try:
        return members.person_of(email)
    except NotFound:
        return people.add_person(tenant, role, email=email)


def _pair(tenant: TenantRef) -> UUID:
    with tenant_session(tenant, actor=ACTOR) as session, session.cursor() as cursor:
        cursor.execute("DELETE FROM linkage_candidates")
        rows = cursor.execute("SELECT uuid FROM patients WHERE known_to IS NULL ORDER BY uuid LIMIT 4").fetchall()
        ids = sorted(row[0] for row in rows)
        pairs = [
            LinkageCandidate(
                uuid=new_uuid(), first_uuid=first, second_uuid=second, probability=probability,
                evidence={"agree": ["same birth date"], "differ": ["starts of ART differ"], "care": "consecutive"},
                evidence_hash=uuid4().hex,
            )
            for first, second, probability in ((ids[0], ids[1], 0.97), (ids[2], ids[3], 0.88))
        ]  # fmt: skip
        session.add_all(pairs)
        session.flush()
        return UUID(str(pairs[0].uuid))


def _raised(tenant: TenantRef) -> UUID:
    """An alert about a facility and one about the platform; the facility's is returned."""
    with tenant_session(tenant, actor=ACTOR) as session:
        place = session.exec(select(Facility.uuid).order_by(col(Facility.datim_id))).first()
        drift = get_rule(session, "drift")
        apply_signals(session, drift, [Signal(subject="additive-3", count=1)], whole=False)
        there = select(Patient.uuid).where(Patient.facility_uuid == place, col(Patient.known_to).is_(None)).limit(12)
        people = frozenset(session.exec(there))
        signal = Signal(facility=place, people=people, count=len(people))
        apply_signals(session, get_rule(session, "viral_load"), [signal], whole=False)
        raised = select(Alert.uuid).where(Alert.alert_type == "viral_load", Alert.facility_uuid == place)
        alert = session.exec(raised.order_by(col(Alert.created_at).desc())).first()
        assert alert is not None
        return alert


def _count_places(tenant: TenantRef) -> None:
    """Counts as after half a year of lists: no weeks of the demo's scores are resolved."""
    places = [[place, 40, max(1, round(18 * 0.96**place))] for place in range(1, 121)]
    day = today(tenant.time_zone) - timedelta(days=60)
    with tenant_session(tenant, actor=ACTOR) as session:
        session.exec(delete(ListPlaces))
        first = day - timedelta(weeks=25)
        session.add(ListPlaces(measured_at=now(), first=first, last=day, places=places, patients=310))
