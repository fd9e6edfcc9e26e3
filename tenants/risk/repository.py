"""All SQL of the room ``risk``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from psycopg import sql
from sqlmodel import col, func, select

from core.clock import now
from core.database import binary_copy, lock_own
from core.database.arrays import uuid_array
from core.errors import NotFound
from tenants.records.reach import within_reach
from tenants.risk.models import Prediction, RiskModel, ScoreRun

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date, datetime

    from core.database import TenantSession
    from core.web.paging import PageRequest

PREDICTION_COLUMNS = (
    *("uuid", "patient_uuid", "facility_uuid", "as_of", "kind", "expected_date", "days_late", "prediction_timestamp"),
    *("model_uuid", "model_version", "risk", "risk_low", "risk_high", "raw_score", "risk_level", "rank"),
    *("within_capacity", "calibration_note", "data_date", "stale", "reasons"),
)
"""In the order of COPY; the reasons last, since they alone differ in length from row to row."""

_PEOPLE_OF_FACILITIES = """
SELECT f.uuid, (SELECT count(*) FROM patients AS p
                WHERE p.facility_uuid = f.uuid AND p.known_to IS NULL AND NOT p.voided)
FROM facilities AS f WHERE f.uuid > %s ORDER BY f.uuid LIMIT %s
"""

MOST_STANDING_IN = 3
"""Models that are tried, at most, where the preferred one fails."""

_READ_BY_SCORING = {
    "patients": ("version_id",),
    "contacts": ("contact_id",),
    "appointments": ("version_id",),
    "patient_states": ("version_id",),
    "observations": ("version_id",),
    "unread_contacts": ("import_uuid", "patient_uuid"),
    "patient_identities": ("uuid",),
}
"""Tables of records that a scoring reads, and the columns that each version of a row has anew."""

_CLOSED = sql.SQL("coalesce((extract(epoch FROM known_to) * 1000000)::int8, 0)")
_STATE_OF_TABLE = sql.SQL("SELECT count(*), sum({hash}) FROM {table}")


def lock(session: TenantSession, what: str) -> None:
    """Let nobody else do this for the tenant until the transaction ends."""
    with session.cursor() as cursor:
        lock_own(cursor, f"risk:{what}")


# Models


def preferred_model(session: TenantSession) -> RiskModel | None:
    """The model that scores."""
    return session.exec(select(RiskModel).where(RiskModel.state == "preferred")).first()


def preferred_key(session: TenantSession) -> tuple[UUID, str | None] | None:
    """UUID and stored hash of the model that scores."""
    with session.cursor() as cursor:
        cursor.execute("SELECT uuid, blob_sha256 FROM models WHERE state = 'preferred'")
        row = cursor.fetchone()
    return None if row is None else (row[0], row[1])


def get_model(session: TenantSession, uuid: UUID) -> RiskModel:
    """One model.

    Raises:
        NotFound: there is none of that UUID.
    """
    found = session.get(RiskModel, uuid)
    if found is None:
        detail = "there is no such model"
        raise NotFound(detail, remedy="list the models with GET /v1/risk/models")
    return found


def model_of_version(session: TenantSession, version: str | None) -> RiskModel:
    """The model of a version; the preferred one when none is given.

    Raises:
        NotFound: there is none.
    """
    wanted = RiskModel.state == "preferred" if version is None else RiskModel.version == version
    found = session.exec(select(RiskModel).where(wanted)).first()
    if found is None:
        detail = "nothing was trained yet" if version is None else f"there is no model {version!r}"
        raise NotFound(detail, remedy="choose one of the list of models; training makes them")
    return found


def models_of_training(session: TenantSession) -> Sequence[RiskModel]:
    """The models of the newest training, the naive rule first."""
    newest = select(func.max(RiskModel.trained_at)).scalar_subquery()
    rows = session.exec(select(RiskModel).where(col(RiskModel.trained_at) == newest)).all()
    return sorted(rows, key=lambda row: (row.plugin != "naive", row.version))


def list_models(session: TenantSession, paging: PageRequest) -> tuple[Sequence[RiskModel], int]:
    """Newest first, and how many."""
    query = select(RiskModel).order_by(col(RiskModel.trained_at).desc(), col(RiskModel.version))
    total = session.exec(select(func.count()).select_from(RiskModel)).one()
    return session.exec(query.offset(paging.offset).limit(paging.limit)).all(), total


def passed_models(session: TenantSession, without_plugin: str) -> Sequence[RiskModel]:
    """Models of other plugins that passed their gates, newest first; detached from the session."""
    query = (
        select(RiskModel)
        .where(
            RiskModel.plugin != without_plugin,
            RiskModel.state != "failed",
            col(RiskModel.gates)["passed"].as_boolean(),
        )
        .order_by(col(RiskModel.trained_at).desc(), col(RiskModel.version))
        .limit(MOST_STANDING_IN)
    )
    found = session.exec(query).all()
    for row in found:
        session.expunge(row)
    return found


def newest_rule(session: TenantSession) -> RiskModel | None:
    """The naive rule of the newest training, detached from the session."""
    query = select(RiskModel).where(RiskModel.plugin == "naive").order_by(col(RiskModel.trained_at).desc()).limit(1)
    found = session.exec(query).first()
    if found is not None:
        session.expunge(found)
    return found


def note_failure(session: TenantSession, uuid: UUID, failure: str | None) -> None:
    """Keep why a model last failed to score; None once it has scored again."""
    with session.cursor() as cursor:
        cursor.execute(
            "UPDATE models SET failure = %s WHERE uuid = %s AND state <> 'failed' AND failure IS DISTINCT FROM %s",
            (failure, uuid, failure),
        )


def next_number(session: TenantSession, name: str) -> int:
    """Number of the next model of this kind, from 1; call it under the lock of training."""
    return session.exec(select(func.count()).select_from(RiskModel).where(RiskModel.name == name)).one() + 1


def keep_evaluation(session: TenantSession, uuid: UUID, measured: dict[str, Any]) -> None:
    """Keep what was last measured of a model since its training, beside what training measured."""
    row = get_model(session, uuid)
    facts = orjson.loads(orjson.dumps(measured, option=orjson.OPT_SERIALIZE_NUMPY))
    row.metrics = {**row.metrics, "since_training": {"evaluated_at": now().isoformat(timespec="seconds"), **facts}}
    session.add(row)


def retire_preferred(session: TenantSession) -> None:
    """Let no model be the preferred one."""
    with session.cursor() as cursor:
        cursor.execute("UPDATE models SET state = 'retired', state_changed_at = %s WHERE state = 'preferred'", (now(),))


# Facilities


def facility_facts(session: TenantSession, only: UUID | None = None) -> list[dict[str, Any]]:
    """UUID, DATIM id, name, complete-through and data date of all facilities (or one), in the order of their UUIDs."""
    with session.cursor() as cursor:
        cursor.execute(
            "SELECT uuid, datim_id, name, complete_through, data_date FROM facilities"
            " WHERE %(only)s::uuid IS NULL OR uuid = %(only)s ORDER BY uuid",
            {"only": only},
        )
        names = ("uuid", "datim_id", "name", "complete_through", "data_date")
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


# Scoring


def state_of_records(session: TenantSession) -> list[str]:
    """What tells apart two states of the records that a scoring reads: versions added, closed or taken away."""
    found = []
    with session.cursor() as cursor:
        for table, columns in _READ_BY_SCORING.items():
            hashed: sql.Composable = _CLOSED
            for column in columns:
                hashed = sql.SQL("uuid_hash_extended({}, {})").format(sql.Identifier(column), hashed)
            cursor.execute(_STATE_OF_TABLE.format(hash=hashed, table=sql.Identifier(table)))
            found.append(f"{table} {cursor.fetchone()}")
    return found


def run_of(session: TenantSession, as_of: date, *, lock_row: bool = False) -> ScoreRun | None:
    """The scoring of a date."""
    query = select(ScoreRun).where(ScoreRun.as_of == as_of)
    return session.exec(query.with_for_update() if lock_row else query).first()


def rates_of_inputs(session: TenantSession, first: date, last: date, inputs: str) -> dict[str, Any] | None:
    """Facility rates that a scoring of these days took of the very same records and settings."""
    wanted = (col(ScoreRun.as_of).between(first, last), ScoreRun.inputs == inputs)
    found = session.exec(select(ScoreRun).where(*wanted).limit(1)).first()
    return None if found is None else found.rates


def rates_of_reference(session: TenantSession, first: date, last: date) -> dict[str, Any] | None:
    """Facility rates that a scoring of these days has taken; of several the latest scored."""
    query = (
        select(ScoreRun)
        .where(col(ScoreRun.as_of).between(first, last))
        .order_by(col(ScoreRun.started_at).desc())
        .limit(1)
    )
    found = session.exec(query).first()
    return None if found is None else found.rates


def next_facilities(session: TenantSession, after: UUID | None, patients: int) -> list[UUID]:
    """The next facilities that have so many patients together; fewer at the end, none behind it."""
    found: list[UUID] = []
    people, last, at_once = 0, after or UUID(int=0), 16
    with session.cursor() as cursor:
        while people < patients:
            rows = cursor.execute(_PEOPLE_OF_FACILITIES, (last, at_once)).fetchall()
            for uuid, count in rows:
                if people >= patients:
                    return found
                found.append(uuid)
                people += count
            if len(rows) < at_once:
                return found
            last = rows[-1][0]
    return found


_FORGET = "DELETE FROM predictions WHERE as_of = %s AND patient_uuid = ANY(%s::uuid[])"


def replace_predictions(session: TenantSession, as_of: date, patients: Sequence[UUID], rows: Iterable[bytes]) -> None:
    """Put these rows (of a binary COPY, as ``PREDICTION_COLUMNS``) in place of what the patients had as of the date."""
    statement = sql.SQL("COPY predictions ({}) FROM STDIN (FORMAT BINARY)").format(
        sql.SQL(", ").join(sql.Identifier(name) for name in PREDICTION_COLUMNS)
    )
    with session.cursor() as cursor:
        cursor.execute(_FORGET, (as_of, uuid_array(patients)))
        with cursor.copy(statement) as copy:
            binary_copy.write(copy, rows)


def forget_others(session: TenantSession, as_of: date, model_version: str) -> None:
    """Drop predictions of the date that this scoring did not write: of patients who are no longer on record."""
    with session.cursor() as cursor:
        cursor.execute(
            "DELETE FROM predictions AS p WHERE as_of = %s AND (model_version <> %s OR NOT EXISTS"
            " (SELECT FROM patients AS q WHERE q.uuid = p.patient_uuid AND q.known_to IS NULL AND NOT q.voided))",
            (as_of, model_version),
        )


def count_within(session: TenantSession, as_of: date) -> int:
    """How many at risk are within capacity as of a date."""
    with session.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM predictions WHERE as_of = %s AND kind = 'at_risk' AND within_capacity", (as_of,)
        )
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def list_predictions(
    session: TenantSession,
    paging: PageRequest,
    *,
    as_of: date | None,
    kind: str | None,
    risk_level: str | None,
    facility: UUID | None,
    patient: UUID | None,
    due_within: int | None = None,
) -> tuple[Sequence[Prediction], int]:
    """Predictions by filters, newest date first, then by facility and rank."""
    wanted: list[Any] = [
        condition
        for given, condition in (
            (as_of, Prediction.as_of == as_of),
            (kind, Prediction.kind == kind),
            (risk_level, Prediction.risk_level == risk_level),
            (facility, Prediction.facility_uuid == facility),
            (patient, Prediction.patient_uuid == patient),
            (due_within, due_within_days(due_within or 0)),
        )
        if given is not None
    ]
    wanted.append(within_reach(session, Prediction.facility_uuid))
    order = (
        col(Prediction.as_of).desc(),
        col(Prediction.facility_uuid),
        col(Prediction.kind),
        col(Prediction.rank),
        col(Prediction.patient_uuid),
    )
    total = session.exec(select(func.count()).select_from(Prediction).where(*wanted)).one()
    rows = session.exec(select(Prediction).where(*wanted).order_by(*order).offset(paging.offset).limit(paging.limit))
    return rows.all(), total


# Conditions and retention


def due_within_days(days: int) -> Any:  # noqa: ANN401 - a condition
    """Whoever is expected within so many days of the date."""
    return col(Prediction.expected_date) - col(Prediction.as_of) <= days


LET_GO_AT_ONCE = 20_000


def let_go_of_predictions(session: TenantSession, before: datetime) -> int:
    """Remove a batch of scores of days before an instant; how many went."""
    with session.cursor() as cursor:
        cursor.execute(
            "DELETE FROM predictions WHERE uuid IN (SELECT uuid FROM predictions WHERE as_of < %s LIMIT %s)",
            (before.date(), LET_GO_AT_ONCE),
        )
        return cursor.rowcount
