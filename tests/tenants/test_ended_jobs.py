"""Whatever a job of a room works on: when the job is given up, nothing says for ever that somebody works on it.

Each kind of job that the rooms register has a case here: what stands unfinished while the job runs, and what says so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from sqlmodel import select

from core.database import tenant_session
from core.errors import Invalid, NotFound
from core.events import publish
from core.feature_registry import features
from core.jobs import decisions, enqueue, registry
from core.jobs.registry import kinds
from core.jobs.worker import drain
from core.plugins import instances
from core.plugins.instances import InstanceIn
from core.tenancy import settings as tenant_settings
from tenants.alerts.models import Alert, AlertDelivery
from tenants.cohort import service as cohort
from tenants.imports.fetching.service import list_sources, request_fetch
from tenants.imports.given_up import shown_state
from tenants.imports.models import Import
from tenants.imports.report import summary
from tenants.knowledge.models import KnowledgeDocument
from tenants.messages.models import Communication
from tenants.quality import service as quality
from tenants.records.ids import new_uuid
from tenants.reports.files import MAKE_JOB, state_of
from tenants.reports.models import ReportFile
from tenants.risk.models import ScorePart, ScoreRun

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from core.database import TenantRef, TenantSession

DAY = date(2026, 1, 31)
WHY = "its job was given up: another try cannot succeed (Invalid: the test ends it)"
DISCARDED = "its job was discarded by an operator"


@dataclass(frozen=True)
class Case:
    """One kind of job.

    Attributes:
        begin: asks for the job, and leaves what it works on as it is in the middle of it; gives the job's id.
        shows: what the room says of it, compared with what is expected below.
        running: what ``shows`` gives while a job works on it.
        given_up: what it gives when the job is a dead letter.
        discarded: what it gives when an operator discarded the job.
    """

    begin: Callable[[TenantSession], UUID]
    shows: Callable[[TenantSession], Any]
    running: Any
    given_up: Any
    discarded: Any


def import_in(state: str, kind: str) -> Callable[[TenantSession], UUID]:
    def begin(session: TenantSession) -> UUID:
        row = Import(format="csv", source="csv:x", mapping={}, state=state, content_hash="x", requested_by="test:1")
        session.add(row)
        session.flush()
        row.job_uuid = enqueue(session, kind, {"import_uuid": str(row.uuid)})
        session.add(row)
        return row.job_uuid

    return begin


def of_import(session: TenantSession) -> tuple[str, str | None, str]:
    row = session.exec(select(Import)).one()
    shown = summary(session, row)
    assert shown.state == shown_state(row)
    return shown.state, shown.error, "".join(failure["remedy"] for failure in shown.failure)


def begin_scoring(session: TenantSession, kind: str = "risk.score") -> UUID:
    run = ScoreRun(
        uuid=new_uuid(),
        as_of=DAY,
        state="scoring",
        model_version="naive-1",
        rates={},
        inputs="",
        capacity_share=Decimal("0.2"),
        started_at=datetime.now(UTC),
        started_by="test:1",
    )
    session.add(run)
    return enqueue(session, kind, {"as_of": DAY.isoformat()})


def begin_part(session: TenantSession) -> UUID:
    part = ScorePart(
        uuid=new_uuid(),
        run_uuid=new_uuid(),
        parent_job=new_uuid(),
        inputs="",
        model_version="naive-1",
        until=new_uuid(),
        state="waiting",
        patients=1,
    )
    session.add(part)
    return enqueue(session, "risk.score_part", {"part": str(part.uuid)})


def of_part(session: TenantSession) -> str:
    return session.exec(select(ScorePart)).one().state


def of_scoring(session: TenantSession) -> str:
    return session.exec(select(ScoreRun)).one().state


def begin_rebuild(session: TenantSession) -> UUID:
    tenant_settings.put(session, cohort.Rebuild(pending=True))
    return enqueue(session, cohort.REBUILD_JOB, {})


def of_rebuild(session: TenantSession) -> tuple[bool, str]:
    state = tenant_settings.get(session, cohort.Rebuild)
    return state.pending, state.problem


def begin_report(session: TenantSession) -> UUID:
    row = Import(format="csv", source="csv:x", mapping={}, state="done", content_hash="x", requested_by="test:1")
    session.add(row)
    session.flush()
    return quality.request_report(session, import_id=row.uuid)


def of_report(session: TenantSession) -> str:
    row = session.exec(select(Import)).one()
    with pytest.raises(NotFound) as error:
        quality.report_of_import(session, row.uuid)
    return error.value.detail


def begin_report_file(session: TenantSession) -> UUID:
    row = ReportFile(kind="mer", format="csv", options={"period": "2026Q1"}, needs=[], requested_by="test:1")
    session.add(row)
    session.flush()
    return enqueue(session, MAKE_JOB, {"report_id": str(row.uuid)})


def of_report_file(session: TenantSession) -> tuple[str, str | None]:
    row = session.exec(select(ReportFile)).one()
    return state_of(row), row.problem


def begin_message(session: TenantSession) -> UUID:
    row = Communication(
        patient_uuid=new_uuid(),
        facility_uuid=new_uuid(),
        communication_type="sms",
        consent_basis="verbal:2026-01-05",
        created_by="test:1",
    )
    session.add(row)
    session.flush()
    return enqueue(session, "messages.send", {"message_id": str(row.uuid)})


def of_message(session: TenantSession) -> tuple[str, str | None]:
    row = session.exec(select(Communication)).one()
    return row.status, row.error_code


def leaves_nothing(kind: str) -> Case:
    """A kind whose job writes all that it writes in its last step."""
    return Case(lambda session: enqueue(session, kind, {}), lambda _: None, None, None, None)


def begin_delivery(session: TenantSession) -> UUID:
    alert = Alert(alert_type="drift", severity="high", created_by="test:1")
    session.add(alert)
    session.flush()
    row = AlertDelivery(alert_uuid=alert.uuid, channel_id=new_uuid(), act="trigger", round=1)
    session.add(row)
    session.flush()
    return enqueue(session, "alerts.deliver", {"delivery_id": str(row.id)})


def of_delivery(session: TenantSession) -> tuple[str, str | None]:
    row = session.exec(select(AlertDelivery)).one()
    return row.state, row.reason


def begin_fetch(session: TenantSession) -> UUID:
    draft = InstanceIn("In", {"folder": "/data"})
    source_id = instances.add_instance(session, "importer", "folder", draft, source="cli").id
    return request_fetch(session, source_id, source="cli")


def of_fetch(session: TenantSession) -> tuple[bool, str]:
    (source,) = list_sources(session)
    return source.is_fetching, source.problem


def begin_reading(session: TenantSession) -> UUID:
    row = KnowledgeDocument(
        name="g.md",
        version=1,
        title="",
        language="",
        media_type="",
        digest=b"",
        size=1,
        blob_key="keep/x",
        created_by="test:1",
    )
    session.add(row)
    session.flush()
    return enqueue(session, "knowledge.read", {"document_id": str(row.uuid)}, dedupe_key=str(row.uuid))


def of_reading(session: TenantSession) -> tuple[str, str | None]:
    row = session.exec(select(KnowledgeDocument)).one()
    return row.state, row.failure


RESUME = "send the same files again to resume it"
UNDO = "undo the import again to resume it"
CASES = {
    "imports.run": Case(
        import_in("pending", "imports.run"),
        of_import,
        ("pending", None, ""),
        ("stalled", WHY, f"{RESUME}, or cancel it"),
        ("stalled", DISCARDED, f"{RESUME}, or cancel it"),
    ),
    "imports.fetch": Case(begin_fetch, of_fetch, (True, ""), (False, "given_up"), (False, "given_up")),
    "imports.undo": Case(
        import_in("undoing", "imports.undo"),
        of_import,
        ("undoing", None, ""),
        ("stalled", WHY, UNDO),
        ("stalled", DISCARDED, UNDO),
    ),
    "knowledge.discard": leaves_nothing("knowledge.discard"),
    "knowledge.embed": leaves_nothing("knowledge.embed"),
    "knowledge.fetch": leaves_nothing("knowledge.fetch"),
    "knowledge.read": Case(
        begin_reading, of_reading, ("waiting", None), ("unreadable", "given_up"), ("unreadable", "given_up")
    ),
    "risk.score": Case(begin_scoring, of_scoring, "scoring", "failed", "failed"),
    "risk.night": Case(partial(begin_scoring, kind="risk.night"), of_scoring, "scoring", "failed", "failed"),
    "risk.score_part": Case(begin_part, of_part, "waiting", "failed", "failed"),
    "risk.train": leaves_nothing("risk.train"),
    "risk.give_sums": leaves_nothing("risk.give_sums"),
    "risk.measure": leaves_nothing("risk.measure"),
    "risk.recalibrate": leaves_nothing("risk.recalibrate"),
    "risk.watch": leaves_nothing("risk.watch"),
    "risk.snapshot": leaves_nothing("risk.snapshot"),
    "messages.send": Case(begin_message, of_message, ("waiting", None), ("failed", "given_up"), ("failed", "given_up")),
    "messages.plan": leaves_nothing("messages.plan"),
    "messages.ask": leaves_nothing("messages.ask"),
    "messages.report": leaves_nothing("messages.report"),
    "alerts.check": leaves_nothing("alerts.check"),
    "alerts.deliver": Case(
        begin_delivery, of_delivery, ("waiting", None), ("failed", "given_up"), ("failed", "discarded")
    ),
    "alerts.digest": leaves_nothing("alerts.digest"),
    "alerts.escalate": leaves_nothing("alerts.escalate"),
    "alerts.notify": leaves_nothing("alerts.notify"),
    "cohort.rebuild": Case(begin_rebuild, of_rebuild, (True, ""), (True, WHY), (True, DISCARDED)),
    "quality.report": Case(
        begin_report,
        of_report,
        "the report of this import is being made",
        "the report of this import could not be made: Invalid: the test ends it",
        "the report of this import could not be made: Invalid: the test ends it",
    ),
    "followup.learn": leaves_nothing("followup.learn"),
    "followup.share": leaves_nothing("followup.share"),
    "quality.link": leaves_nothing("quality.link"),
    "records.index_names": leaves_nothing("records.index_names"),
    "reports.discard": leaves_nothing("reports.discard"),
    "reports.make": Case(begin_report_file, of_report_file, ("waiting", None), ("failed", WHY), ("failed", DISCARDED)),
}


def rooms_kinds() -> set[str]:
    names = {feature.name for feature in features()}
    return {kind for kind in kinds() if kind.split(".")[0] in names}


def test_every_kind_of_job_has_a_case() -> None:
    assert rooms_kinds() == set(CASES)


@pytest.mark.parametrize("kind", sorted(CASES))
def test_what_a_job_works_on_says_how_the_job_ended(
    kind: str, tenant: TenantRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = CASES[kind]

    def reject(_context: object, _payload: object) -> None:
        message = "the test ends it"
        raise Invalid(message)

    def shown() -> Any:
        with tenant_session(tenant, actor="test:1") as session:
            return case.shows(session)

    monkeypatch.setitem(registry._kinds, kind, replace(kinds()[kind], run=reject))
    with tenant_session(tenant, actor="test:1") as session:
        job_id = case.begin(session)
    assert shown() == case.running
    assert drain(tenant) == 1
    assert shown() == case.given_up
    decisions.retry(job_id, actor="cli:operator")
    assert shown() == case.running
    assert drain(tenant) == 1
    assert shown() == case.given_up
    decisions.discard(job_id, "no longer needed", actor="cli:operator")
    assert shown() == case.discarded


@pytest.mark.parametrize(
    ("kind", "shows"),
    [
        ("imports.undo", ("stalled", "it was being undone when the tenant's archive was written", UNDO)),
        ("risk.score", "failed"),
        ("messages.send", ("cancelled", "restored")),
        ("knowledge.read", ("waiting", None)),
        ("cohort.rebuild", (True, "it was under way when the tenant's archive was written")),
        ("reports.make", ("failed", "it was not made yet when the tenant's archive was written: request it again")),
    ],
)
def test_what_was_unfinished_in_an_archive_has_no_job_where_it_is_restored(
    kind: str, shows: object, tenant: TenantRef
) -> None:
    with tenant_session(tenant, actor="test:1") as session:
        CASES[kind].begin(session)
        publish(session, "tenant.restored", {})
    with tenant_session(tenant, actor="test:1") as session:
        assert CASES[kind].shows(session) == shows


def test_a_made_report_of_an_archive_has_expired_where_it_is_restored(tenant: TenantRef) -> None:
    with tenant_session(tenant, actor="test:1") as session:
        begin_report_file(session)
        row = session.exec(select(ReportFile)).one()
        row.state, row.blob, row.expires_at = "made", "keep/x", datetime.now(UTC) + timedelta(days=2)
        session.add(row)
        session.flush()
        publish(session, "tenant.restored", {})
    with tenant_session(tenant, actor="test:1") as session:
        assert of_report_file(session) == ("expired", None)
