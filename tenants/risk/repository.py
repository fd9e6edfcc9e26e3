"""All SQL of the feature ``risk``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from psycopg import sql
from sqlmodel import col, func, select

from core.clock import now
from core.database import binary_copy, lock_own
from core.database.arrays import uuid_array
from core.errors import NotFound, phrase
from core.web.cursors import Sort
from core.web.keyset import Slice, cut, page_statement, read_slice
from tenants.records.reach import facility_within_reach_sql, within_reach
from tenants.risk.models import Prediction, RiskModel, ScoreRun

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date, datetime

    from core.database import TenantSession
    from core.web.paging import PageRequest

PREDICTION_COLUMNS = (
    *("uuid", "patient_uuid", "facility_uuid", "as_of", "kind", "expected_date", "days_late", "prediction_timestamp"),
    *("model_uuid", "model_version", "risk", "risk_low", "risk_high", "raw_score", "risk_level", "rank"),
    *("within_capacity", "calibration_note", "data_date", "stale", "beside_model_uuid", "beside_risk", "reasons"),
)
"""Columns in the order of COPY; the reasons come last, since only their length differs from row to row."""

_PEOPLE_OF_FACILITIES = """
SELECT f.uuid, (SELECT count(*) FROM patients AS p
                WHERE p.facility_uuid = f.uuid AND p.known_to IS NULL AND NOT p.voided)
FROM facilities AS f WHERE f.uuid > %s AND (%s::uuid IS NULL OR f.uuid <= %s) ORDER BY f.uuid LIMIT %s
"""

NEWEST_MODELS = Sort("trained_at", descending=True)
"""The order of models where nobody asks for another."""

PREDICTION_ORDERS = {"as_of": col(Prediction.as_of), "rank": func.coalesce(col(Prediction.rank), 0)}
"""Field by which predictions can be sorted -> its column."""

MOST_STANDING_IN = 3
"""The most models to try after the preferred one fails."""

_READ_BY_SCORING = {
    "patients": ("version_id",),
    "contacts": ("contact_id",),
    "appointments": ("version_id",),
    "patient_states": ("version_id",),
    "observations": ("version_id",),
    "unread_contacts": ("import_uuid", "patient_uuid"),
    "patient_identities": ("uuid",),
}
"""Tables that a scoring reads -> the columns that are new in each version of a row."""

_CLOSED = sql.SQL("coalesce((extract(epoch FROM known_to) * 1000000)::int8, 0)")
_STATE_OF_TABLE = sql.SQL("SELECT count(*), sum({hash}) FROM {table}")


def lock(session: TenantSession, work: str) -> None:
    """Lock this work for the tenant until the transaction ends."""
    with session.cursor() as cursor:
        lock_own(cursor, f"risk:{work}")


# Models


def preferred_model(session: TenantSession) -> RiskModel | None:
    """The serving model."""
    return session.exec(select(RiskModel).where(RiskModel.state == "preferred")).first()


def preferred_key(session: TenantSession) -> tuple[UUID, str | None] | None:
    """UUID and stored hash of the serving model."""
    with session.cursor() as cursor:
        cursor.execute("SELECT uuid, blob_sha256 FROM models WHERE state = 'preferred'")
        row = cursor.fetchone()
    return None if row is None else (row[0], row[1])


def serving_key(session: TenantSession, facility: UUID) -> tuple[UUID, str | None] | None:
    """UUID and stored hash of the model that serves a facility: a challenger that chance gave it, or the preferred."""
    with session.cursor() as cursor:
        cursor.execute(
            "SELECT uuid, blob_sha256 FROM models WHERE state = 'preferred'"
            " OR (state = 'challenger' AND trial->'facilities' ? %s) ORDER BY state LIMIT 1",
            (str(facility),),
        )
        row = cursor.fetchone()
    return None if row is None else (row[0], row[1])


def get_model(session: TenantSession, uuid: UUID) -> RiskModel:
    """Return one model.

    Raises:
        NotFound: there is no such model.
    """
    model = session.get(RiskModel, uuid)
    if model is None:
        detail = "there is no such model"
        raise NotFound(detail, remedy="list the models with GET /v1/risk/models")
    return model


def model_of_version(session: TenantSession, version: str | None) -> RiskModel:
    """Return the model of a version; without a version, the preferred one.

    Raises:
        NotFound: there is none.
    """
    condition = RiskModel.state == "preferred" if version is None else RiskModel.version == version
    model = session.exec(select(RiskModel).where(condition)).first()
    if model is None:
        detail = (
            "nothing was trained yet" if version is None else phrase("there is no model {version!r}", version=version)
        )
        raise NotFound(detail, remedy="choose a version from the list of models, or train models first")
    return model


def models_of_training(session: TenantSession) -> Sequence[RiskModel]:
    """The models of the newest training, the naive rule first."""
    newest = select(func.max(RiskModel.trained_at)).scalar_subquery()
    rows = session.exec(select(RiskModel).where(col(RiskModel.trained_at) == newest)).all()
    return sorted(rows, key=lambda row: (row.plugin != "naive", row.version))


def list_models(session: TenantSession, paging: PageRequest) -> Slice[RiskModel]:
    """One page of models."""
    columns = {"trained_at": col(RiskModel.trained_at)}
    return read_slice(session, select(RiskModel), paging, columns, col(RiskModel.uuid))


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
    models = session.exec(query).all()
    for row in models:
        session.expunge(row)
    return models


def newest_rule(session: TenantSession) -> RiskModel | None:
    """The naive rule of the newest training, detached from the session."""
    query = select(RiskModel).where(RiskModel.plugin == "naive").order_by(col(RiskModel.trained_at).desc()).limit(1)
    model = session.exec(query).first()
    if model is not None:
        session.expunge(model)
    return model


def note_failure(session: TenantSession, uuid: UUID, failure: str | None) -> None:
    """Store why a model last failed to score; None after it scored again."""
    with session.cursor() as cursor:
        cursor.execute(
            "UPDATE models SET failure = %s WHERE uuid = %s AND state <> 'failed' AND failure IS DISTINCT FROM %s",
            (failure, uuid, failure),
        )


def next_number(session: TenantSession, name: str) -> int:
    """Number of the next model of this kind, from 1. Call it under the lock of training."""
    return session.exec(select(func.count()).select_from(RiskModel).where(RiskModel.name == name)).one() + 1


def store_evaluation(session: TenantSession, uuid: UUID, evaluation: dict[str, Any]) -> None:
    """Store the newest evaluation of a model since its training, beside the figures from training."""
    row = get_model(session, uuid)
    facts = orjson.loads(orjson.dumps(evaluation, option=orjson.OPT_SERIALIZE_NUMPY))
    row.metrics = {**row.metrics, "since_training": {"evaluated_at": now().isoformat(timespec="seconds"), **facts}}
    session.add(row)


def retire_preferred(session: TenantSession) -> None:
    """Retire the preferred model."""
    with session.cursor() as cursor:
        cursor.execute("UPDATE models SET state = 'retired', state_changed_at = %s WHERE state = 'preferred'", (now(),))


# Facilities


def facility_facts(session: TenantSession, facility: UUID | None = None) -> list[dict[str, Any]]:
    """UUID, DATIM id, name, complete-through and data date of all facilities within reach (or one), by UUID."""
    query = sql.SQL(
        "SELECT f.uuid, f.datim_id, f.name, f.complete_through, f.data_date FROM facilities AS f"
        " WHERE (%(facility)s::uuid IS NULL OR f.uuid = %(facility)s) AND {} ORDER BY f.uuid"
    ).format(facility_within_reach_sql(session, "f.uuid"))
    with session.cursor() as cursor:
        cursor.execute(query, {"facility": facility})
        names = ("uuid", "datim_id", "name", "complete_through", "data_date")
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


# Scoring


def state_of_records(session: TenantSession) -> list[str]:
    """Hashes that differ between two states of the records that a scoring reads: versions added, closed or removed."""
    states = []
    with session.cursor() as cursor:
        for table, columns in _READ_BY_SCORING.items():
            hashed: sql.Composable = _CLOSED
            for column in columns:
                hashed = sql.SQL("uuid_hash_extended({}, {})").format(sql.Identifier(column), hashed)
            cursor.execute(_STATE_OF_TABLE.format(hash=hashed, table=sql.Identifier(table)))
            states.append(f"{table} {cursor.fetchone()}")
    return states


def run_of(session: TenantSession, as_of: date, *, lock_row: bool = False) -> ScoreRun | None:
    """Return the scoring of a date."""
    query = select(ScoreRun).where(ScoreRun.as_of == as_of)
    return session.exec(query.with_for_update() if lock_row else query).first()


def rates_of_inputs(session: TenantSession, first: date, last: date, inputs: str) -> dict[str, Any] | None:
    """Facility rates that a scoring of these days counted from exactly the same records and settings."""
    conditions = (col(ScoreRun.as_of).between(first, last), ScoreRun.inputs == inputs)
    run = session.exec(select(ScoreRun).where(*conditions).limit(1)).first()
    return None if run is None else run.rates


def rates_of_reference(session: TenantSession, first: date, last: date) -> dict[str, Any] | None:
    """Facility rates that a scoring of these days counted; the latest of several."""
    query = (
        select(ScoreRun)
        .where(col(ScoreRun.as_of).between(first, last))
        .order_by(col(ScoreRun.started_at).desc())
        .limit(1)
    )
    run = session.exec(query).first()
    return None if run is None else run.rates


def next_facilities(session: TenantSession, after: UUID | None, patients: int, until: UUID | None = None) -> list[UUID]:
    """The next facilities that have this many patients together; fewer at the end, then none."""
    facilities: list[UUID] = []
    people, last, at_once = 0, after or UUID(int=0), 16
    with session.cursor() as cursor:
        while people < patients:
            rows = cursor.execute(_PEOPLE_OF_FACILITIES, (last, until, until, at_once)).fetchall()
            for uuid, count in rows:
                if people >= patients:
                    return facilities
                facilities.append(uuid)
                people += count
            if len(rows) < at_once:
                return facilities
            last = rows[-1][0]
    return facilities


def people_of_facilities(session: TenantSession) -> list[tuple[UUID, int]]:
    """All facilities in the order of scoring, each with the number of its patients."""
    with session.cursor() as cursor:
        return cursor.execute(_PEOPLE_OF_FACILITIES, (UUID(int=0), None, None, None)).fetchall()


_FORGET = "DELETE FROM predictions WHERE as_of = %s AND patient_uuid = ANY(%s::uuid[])"


def replace_predictions(session: TenantSession, as_of: date, patients: Sequence[UUID], rows: Iterable[bytes]) -> None:
    """Replace the patients' predictions as of the date by these rows of a binary COPY (``PREDICTION_COLUMNS``)."""
    statement = sql.SQL("COPY predictions ({}) FROM STDIN (FORMAT BINARY)").format(
        sql.SQL(", ").join(sql.Identifier(name) for name in PREDICTION_COLUMNS)
    )
    with session.cursor() as cursor:
        cursor.execute(_FORGET, (as_of, uuid_array(patients)))
        with cursor.copy(statement) as copy:
            binary_copy.write(copy, rows)


def delete_others(session: TenantSession, as_of: date, versions: Sequence[str]) -> None:
    """Delete predictions of the date that this scoring did not write, because the patients are no longer on record.

    Args:
        session: a transaction of the scoring.
        as_of: the date.
        versions: those of the models that served in this scoring.
    """
    with session.cursor() as cursor:
        cursor.execute(
            "DELETE FROM predictions AS p WHERE as_of = %s AND (model_version <> ALL(%s) OR NOT EXISTS"
            " (SELECT FROM patients AS q WHERE q.uuid = p.patient_uuid AND q.known_to IS NULL AND NOT q.voided))",
            (as_of, list(versions)),
        )


def count_within(session: TenantSession, as_of: date) -> int:
    """The number of people at risk within capacity as of a date."""
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
) -> Slice[Prediction]:
    """One page of the predictions that pass the filters."""
    conditions: list[Any] = [
        condition
        for value, condition in (
            (as_of, Prediction.as_of == as_of),
            (kind, Prediction.kind == kind),
            (risk_level, Prediction.risk_level == risk_level),
            (facility, Prediction.facility_uuid == facility),
            (patient, Prediction.patient_uuid == patient),
            (due_within, due_within_days(due_within or 0)),
        )
        if value is not None
    ]
    conditions.append(within_reach(session, Prediction.facility_uuid, col(Prediction.patient_uuid)))
    matching = select(Prediction).where(*conditions)
    total = session.exec(select(func.count()).select_from(matching.subquery())).one()
    rows = session.exec(page_statement(matching, paging, PREDICTION_ORDERS, col(Prediction.uuid))).all()
    by_rank = paging.sort is not None and paging.sort.field == "rank"
    return cut(rows, paging, total, lambda row: ((row.rank or 0) if by_rank else row.as_of, row.uuid))


# Conditions and retention


def due_within_days(days: int) -> Any:  # noqa: ANN401 - a condition
    """The condition of being expected within this many days of the date."""
    return col(Prediction.expected_date) - col(Prediction.as_of) <= days


LET_GO_AT_ONCE = 20_000


def delete_old_predictions(session: TenantSession, before: datetime) -> int:
    """Delete a batch of predictions for days before an instant; return how many."""
    with session.cursor() as cursor:
        cursor.execute(
            "DELETE FROM predictions WHERE uuid IN (SELECT uuid FROM predictions WHERE as_of < %s LIMIT %s)",
            (before.date(), LET_GO_AT_ONCE),
        )
        return cursor.rowcount
