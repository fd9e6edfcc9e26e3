"""Tables of the feature ``risk``: models, runs of scoring, predictions, their accuracy, issued lists.

They have no names, phones or programme identifiers: a patient is a UUID.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Index, Numeric, UniqueConstraint, text
from sqlalchemy import DateTime as SaDateTime
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from core.database import TenantBase
from tenants.risk.results import RESULT_CHECK, ResultFields

STAMP = SaDateTime(timezone=True)


def _json(*, nullable: bool = False) -> Any:  # noqa: ANN401 - SQLModel's Field is typed Any
    return Field(sa_column=Column(JSONB, nullable=nullable), default=None)


class RiskModel(TenantBase, table=True):
    """A fitted model with its calibrator and its figures on later time; ``state`` says whether it is the serving one.

    The states are those of ``tenants.risk.registry``; ``preferred`` is the champion, and one model at most scores
    beside it. State ``failed``: training could not fit or measure it. ``failure`` says why, or why it last failed to
    score. ``lineage`` says what it came from, ``signature`` seals all that decides a score, and ``trial`` has the terms
    and results of the comparison in which it is.
    ``features`` are those of the set ``feature_set``, in order, each with the version of its definition. Models from
    before there were sets name no set.
    """

    __tablename__: ClassVar[str] = "models"
    __table_args__ = (
        CheckConstraint(
            "state IN ('candidate', 'shadow', 'challenger', 'preferred', 'retired', 'failed')", name="state"
        ),
        CheckConstraint("(blob_key IS NULL) = (blob_sha256 IS NULL)", name="blob"),
        UniqueConstraint("version", name="uq_models_version"),
        Index("uq_models_preferred", "state", unique=True, postgresql_where=text("state = 'preferred'")),
        Index(
            "uq_models_beside",
            text("(state IN ('shadow', 'challenger'))"),
            unique=True,
            postgresql_where=text("state IN ('shadow', 'challenger')"),
        ),
        Index("ix_models_trained_at", "trained_at"),
    )

    uuid: UUID = Field(primary_key=True)
    name: str
    plugin: str
    plugin_version: str
    version: str
    state: str
    trained_at: datetime = Field(sa_type=STAMP)
    trained_through: date | None = None
    feature_set: str | None = None
    feature_set_version: int | None = None
    features: list[dict[str, Any]] = _json()
    blob_key: str | None = None
    blob_sha256: str | None = None
    calibrator: dict[str, Any] = _json()
    metrics: dict[str, Any] = _json()
    card: dict[str, Any] = _json()
    gates: dict[str, Any] = _json()
    failure: str | None = None
    trained_by: str
    state_changed_at: datetime = Field(sa_type=STAMP)
    lineage: dict[str, Any] | None = _json(nullable=True)
    signature: str | None = None
    trial: dict[str, Any] | None = _json(nullable=True)


class ScoreRun(TenantBase, table=True):
    """One scoring of all patients as of a date, with the cursor from which a killed run resumes.

    Attributes:
        rates: the facility rates of the reference day, computed once, so that all steps and later explanations use the
        same.
        inputs: fingerprint of the inputs. The run continues, and ends as done, only while they stay the same.
        usual_risk: the model's risk of an average person.
        note: which model failed, if another one scored.
        failed: its job was given up. The next scoring of the date starts from the beginning.
    """

    __tablename__: ClassVar[str] = "score_runs"
    __table_args__ = (
        CheckConstraint("state IN ('scoring', 'explaining', 'done', 'failed')", name="state"),
        UniqueConstraint("as_of", name="uq_score_runs_as_of"),
    )

    uuid: UUID = Field(primary_key=True)
    as_of: date
    state: str
    model_uuid: UUID | None = None
    model_version: str
    rates: dict[str, Any] = _json()
    inputs: str
    cursor_uuid: UUID | None = None
    patients_seen: int = 0
    at_risk: int = 0
    to_trace: int = 0
    capacity_share: Decimal = Field(sa_type=Numeric(5, 4))
    data_date: date | None = None
    usual_risk: float | None = None
    note: str | None = None
    started_at: datetime = Field(sa_type=STAMP)
    finished_at: datetime | None = Field(default=None, sa_type=STAMP)
    started_by: str


class ScorePart(TenantBase, table=True):
    """A part of a large scoring: some facilities, in their order, that one job scores.

    Attributes:
        parent_job: the job that waits for all parts.
        inputs, model_version: those of the run when it was divided. A part of another run writes nothing.
        after, until: the facility before its first one, None at the start, and its last one.
        cursor_uuid: the facility up to which it is done.
        state: ``waiting`` for its job or in work; ``done``; ``failed``: its job was given up; ``unfit``: the model
            failed, or the records changed, so that the run is scored again as a whole.
    """

    __tablename__: ClassVar[str] = "score_parts"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'done', 'failed', 'unfit')", name="state"),
        Index("ix_score_parts_run_uuid", "run_uuid"),
        {"info": {"archive": "unfinished work does not continue where the archive is imported"}},
    )

    uuid: UUID = Field(primary_key=True)
    run_uuid: UUID
    parent_job: UUID
    inputs: str
    model_version: str
    after: UUID | None = None
    until: UUID
    cursor_uuid: UUID | None = None
    state: str
    patients: int
    patients_seen: int = 0
    at_risk: int = 0
    to_trace: int = 0
    usual_risk: float | None = None


class Prediction(TenantBase, table=True):
    """The prediction for one patient as of a date, on one of two lists.

    ``at_risk``: the patient is on treatment, and the expected contact is still ahead. ``risk`` is the calibrated
    probability of interruption.

    ``to_trace``: the expected date has passed. Nothing is predicted (``risk`` is null), and ``days_late`` orders the
    list. If only the partner's own list says IIT, the expected date is unknown: it is null, and ``days_late`` is 0.

    ``beside_risk`` is what ``beside_model_uuid`` said, a model that is compared with the one that served.
    """

    __tablename__: ClassVar[str] = "predictions"
    __table_args__ = (
        CheckConstraint("kind IN ('at_risk', 'to_trace')", name="kind"),
        CheckConstraint("(kind = 'at_risk') = (risk IS NOT NULL)", name="risk"),
        CheckConstraint("risk IS NULL OR (risk >= 0 AND risk <= 1)", name="risk_range"),
        CheckConstraint("risk_level IN ('high', 'medium', 'low', 'late', 'iit')", name="risk_level"),
        UniqueConstraint("patient_uuid", "as_of", "kind", name="uq_predictions_patient_uuid_as_of_kind"),
        Index("ix_predictions_prediction_timestamp", "prediction_timestamp"),
        Index("ix_predictions_risk_level", "risk_level"),
        Index("ix_predictions_as_of_kind_facility_uuid", "as_of", "kind", "facility_uuid"),
        Index("ix_predictions_as_of_uuid", "as_of", "uuid"),
    )

    uuid: UUID = Field(primary_key=True)
    patient_uuid: UUID
    facility_uuid: UUID
    as_of: date
    kind: str
    expected_date: date | None = None
    days_late: int = 0
    prediction_timestamp: datetime = Field(sa_type=STAMP)
    model_uuid: UUID | None = None
    model_version: str
    risk: float | None = None
    risk_low: float | None = None
    risk_high: float | None = None
    raw_score: float | None = None
    risk_level: str
    rank: int | None = None
    within_capacity: bool = False
    reasons: list[dict[str, Any]] | None = _json(nullable=True)
    calibration_note: str | None = None
    data_date: date | None = None
    stale: bool = False
    beside_model_uuid: UUID | None = None
    beside_risk: float | None = None


class AccuracyMonth(TenantBase, table=True):
    """How the predictions of a month turned out, of those whose outcome is known; see ``accuracy``.

    Attributes:
        month: its first day; decisions are counted by their day.
        decisions: predictions with an outcome, without competing ones.
        patients: patients of these.
        interrupted: decisions that ended in interruption.
        listed: decisions about people whom an issued list had for the same expected contact.
        listed_interrupted: those of them that ended in interruption.
        competing: further decisions that ended in death, transfer, stop or cancellation.
        mean_risk: mean of the predicted probabilities.
        figures: name, as in ``metrics.METRICS`` -> value with its interval.
    """

    __tablename__: ClassVar[str] = "accuracy_months"

    month: date = Field(primary_key=True)
    decisions: int
    patients: int
    interrupted: int
    listed: int
    listed_interrupted: int
    competing: int
    mean_risk: float
    figures: dict[str, Any] = _json()
    measured_at: datetime = Field(sa_type=STAMP)


class Worklist(TenantBase, table=True):
    """An issued list. Who is on it never changes, because a list that works changes the outcomes by which it is judged.

    ``capacity_share`` gives its levels their meaning, ``usual_risk`` is the risk to compare with, and ``note`` says
    whether the preferred model failed and another one scored. ``entries`` and ``facilities`` count the people shown;
    ``held_out`` those whom chance kept off. ``shared_at`` is when its people were shared out among officers, last
    with an effect, ``shared_by`` by whom, and ``shared`` how many: see ``tenants.followup.sharing``.
    """

    __tablename__: ClassVar[str] = "worklists"
    __table_args__ = (
        CheckConstraint("kind IN ('at_risk', 'to_trace')", name="kind"),
        CheckConstraint("capacity > 0", name="capacity"),
        Index("ix_worklists_as_of_kind", "as_of", "kind"),
    )

    uuid: UUID = Field(primary_key=True)
    kind: str
    as_of: date
    facility_uuid: UUID | None = None
    capacity: int
    due_within: int | None = None
    candidates: int
    entries: int
    model_uuid: UUID | None = None
    model_version: str
    scored_at: datetime = Field(sa_type=STAMP)
    data_date: date | None = None
    capacity_share: Decimal | None = Field(default=None, sa_type=Numeric(5, 4))
    usual_risk: float | None = None
    note: str | None = None
    facilities: list[dict[str, Any]] = _json()
    held_out: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    issued_by: str
    issued_at: datetime = Field(sa_type=STAMP)
    shared_at: datetime | None = Field(default=None, sa_type=STAMP)
    shared_by: str | None = None
    shared: dict[str, int] | None = _json(nullable=True)


class WorklistEntry(ResultFields, TenantBase, table=True):
    """One patient on an issued list.

    Rank, score and reasons stay as issued; contact, outcome and result are filled in later. Whoever is ``held_out``
    is on the record of the list alone: nobody is shown them, and their ``rank`` is that of the next one who is shown.
    """

    __tablename__: ClassVar[str] = "worklist_entries"
    __table_args__ = (
        UniqueConstraint("worklist_uuid", "patient_uuid", name="uq_worklist_entries_worklist_uuid_patient_uuid"),
        CheckConstraint(RESULT_CHECK, name="result"),
        Index("ix_worklist_entries_patient_uuid", "patient_uuid"),
    )

    uuid: UUID = Field(primary_key=True)
    worklist_uuid: UUID = Field(foreign_key="worklists.uuid")
    patient_uuid: UUID
    facility_uuid: UUID
    rank: int
    expected_date: date | None = None
    days_late: int = 0
    score: float
    risk_level: str
    reasons: list[dict[str, Any]] | None = _json(nullable=True)
    contacted_at: datetime | None = Field(default=None, sa_type=STAMP)
    contacted_by: str | None = None
    outcome: str | None = None
    outcome_date: date | None = None
    held_out: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
