"""The bare parts of a night: the same rows read, the same arithmetic, the library's predict and explain, one COPY.

Everything is computed at once over whole arrays. There are no steps that a kill could interrupt, no check that the
records stayed the same, no words for reasons, and no audit. PostgreSQL packs what is read (COPY row by row takes three
times as long).
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson

from core.database import binary_copy
from core.database.binary_copy import NULL, column, field
from tenants.cohort.timeline_builder import make_timelines
from tenants.cohort.timelines import STATE_CODES, VARIABLES, Timelines, day_number
from tenants.risk.input_list import FEATURES
from tenants.risk.input_sets import select
from tenants.risk.repository import PREDICTION_COLUMNS

if TYPE_CHECKING:
    from lightgbm import Booster

    from core.database import TenantSession
    from tenants.cohort.settings import CohortSettings
    from tenants.risk.serving import ServingModel

_EPOCH: Final = 10_957
_MICROSECONDS: Final = 86_400_000_000
_HOUR: Final = 3_600_000_000
_OPEN: Final = 2**31 - 1

_TABLES: Final = {
    "profiles": (
        "patients AS t WHERE NOT t.voided",
        {
            "patient": "uuid_send(t.uuid)",
            "sex": "int2send((CASE t.sex WHEN 'F' THEN 1 WHEN 'M' THEN 2 ELSE 0 END)::int2)",
            "birth": "date_send(coalesce(t.birthdate, '-infinity'))",
            "art_start": "date_send(coalesce(t.art_start_date, '-infinity'))",
        },
    ),
    "contacts": (
        "contacts AS t WHERE true",
        {
            "patient": "uuid_send(t.patient_uuid)",
            "date": "date_send(t.contact_date)",
            "kind": "int2send((t.clinical::int4 + 2 * t.pickup::int4)::int2)",
            "days_supplied": "int4send(coalesce(t.days_supplied, 0))",
            "next_appointment": "date_send(coalesce(t.next_appointment, '-infinity'))",
            "regimen": "int4send(hashtext(coalesce(t.regimen, '')))",
            "line": "int4send(hashtext(coalesce(t.regimen_line, '')))",
        },
    ),
    "states": (
        "patient_states AS t WHERE NOT t.voided",
        {
            "patient": "uuid_send(t.patient_uuid)",
            "date": "date_send(t.start_date)",
            "code": "int2send((array_position(%(states)s::text[], t.state))::int2)",
        },
    ),
    "observations": (
        "observations AS t WHERE NOT t.voided AND t.variable_name = ANY(%(variables)s)",
        {
            "patient": "uuid_send(t.patient_uuid)",
            "date": "timestamptz_send(t.obs_datetime)",
            "variable": "int2send((array_position(%(variables)s::text[], t.variable_name) - 1)::int2)",
            "value": "float8send(coalesce(t.value_numeric, 'NaN'))",
        },
    ),
}
_KNOWN: Final = {
    "known_from": "timestamptz_send(t.known_from)",
    "known_to": "timestamptz_send(coalesce(t.known_to, 'infinity'))",
}
_FORMS: Final = {"uuid": "S16", "int2": ">i2", "int4": ">i4", "date": ">i4", "timestamptz": ">i8", "float8": ">f8"}


def read(session: TenantSession) -> tuple[Timelines, np.ndarray[Any, Any]]:
    """Return all rows as whole columns, as timelines; and the patients' UUIDs."""
    with session.cursor() as cursor:
        facilities = [row[0] for row in cursor.execute("SELECT uuid FROM facilities ORDER BY uuid").fetchall()]
        cursor.execute(
            "SELECT string_agg(uuid_send(uuid), '' ORDER BY uuid),"
            " string_agg(uuid_send(facility_uuid), '' ORDER BY uuid)"
            " FROM patients WHERE known_to IS NULL AND NOT voided",
            binary=True,
        )
        people, homes = (np.frombuffer(packed, dtype="S16") for packed in cursor.fetchone() or ())
        columns_read: dict[str, Any] = {name: _columns(cursor, name, people) for name in _TABLES}
        texts = {name: _texts(cursor, columns_read["contacts"], name) for name in ("regimen", "line")}
    timelines = make_timelines(
        np.arange(people.size).astype(np.object_),
        facility=np.searchsorted(np.array([uuid.bytes for uuid in facilities], dtype="S16"), homes),
        facilities=facilities,
        regimens=texts["regimen"],
        lines=texts["line"],
        **columns_read,
    )
    return timelines, people


def _texts(cursor: Any, contacts: dict[str, Any], name: str) -> list[str]:  # noqa: ANN401 - a cursor
    """Return the distinct texts of a column, and replace the column by their indices."""
    column = {"regimen": "regimen", "line": "regimen_line"}[name]
    cursor.execute(f"SELECT DISTINCT hashtext({column}), {column} FROM contacts WHERE {column} <> ''")  # noqa: S608
    known = sorted(cursor.fetchall())
    hashes = np.array([row[0] for row in known])
    place = np.minimum(np.searchsorted(hashes, contacts[name]), hashes.size - 1)
    contacts[name] = np.where(hashes[place] == contacts[name], place, -1)
    return [row[1] for row in known]


def _columns(cursor: Any, name: str, people: np.ndarray[Any, Any]) -> dict[str, Any]:  # noqa: ANN401 - a cursor
    source, columns = _TABLES[name]
    wanted = {**columns, **_KNOWN}
    packed = ", ".join(f"string_agg({expression}, ''::bytea)" for expression in wanted.values())
    parameters = {"states": list(STATE_CODES), "variables": list(VARIABLES)}
    cursor.execute(f"SELECT {packed} FROM {source}", parameters, binary=True)  # noqa: S608 - constants
    columns_read: dict[str, Any] = {}
    for (of, expression), data in zip(wanted.items(), cursor.fetchone(), strict=True):
        kind = expression.split("send")[0].rstrip("_")
        values = np.frombuffer(data or b"", dtype=_FORMS[kind])
        if kind == "uuid":
            columns_read[of] = np.searchsorted(people, values)
        elif kind == "date":
            days = values.astype(np.int64)
            columns_read[of] = np.where(days == -(2**31), days, days + _EPOCH)
        elif kind == "timestamptz":
            days = (values.astype(np.int64) + _HOUR) // _MICROSECONDS + _EPOCH  # Lagos: an hour ahead all year
            columns_read[of] = np.where(values == 2**63 - 1, _OPEN, days)
        else:
            columns_read[of] = values.astype(values.dtype.newbyteorder("="))
    return columns_read


def night(session: TenantSession, as_of: date, model: ServingModel, library: Booster, rules: CohortSettings) -> int:
    """Run all parts, one after the other. Return the number of rows written."""
    from tenants.cohort.expected import episodes
    from tenants.cohort.units import known_on, pending_units, to_trace
    from tenants.risk.facility_rates import FacilityCounts
    from tenants.risk.model_inputs import compute, pending_of
    from tenants.risk.prediction_rows import rank_within_facility

    day = day_number(as_of)
    timelines, uuids = read(session)
    counts = FacilityCounts(day, day, rules)
    counts.add(timelines)
    known = known_on(timelines, day)
    pending, trace = pending_units(timelines, day, rules, known), to_trace(timelines, day, rules, known)
    seen = pending.snapshot(timelines)
    matrix = compute(seen, episodes(seen, rules), pending_of(pending), rules, counts.rates())
    raw = np.asarray(library.predict(matrix))
    risk = raw if model.calibrator is None else model.calibrator.apply(raw)
    low, high = model.reliability.interval(risk)
    facility = timelines.facility[pending.patient].astype(np.int64)
    place, everyone = rank_within_facility(facility, -risk, pending.expected)
    within = np.flatnonzero(place <= np.ceil(0.3 * everyone))
    themes = select(FEATURES).by_theme(np.asarray(library.predict(matrix[within], pred_contrib=True))[:, :-1])
    top = np.argsort(-themes, axis=1)[:, :3]
    reasons = [orjson.dumps(list(zip(t, c, strict=True))) for t, c in zip(
        top.tolist(), np.take_along_axis(themes, top, axis=1).tolist(), strict=True)]  # fmt: skip
    figures = {"risk": risk, "risk_low": low, "risk_high": high, "raw_score": raw}
    base = {"as_of": day, "model": model, "facilities": timelines.facilities, "people": uuids}
    others = np.flatnonzero(place > np.ceil(0.3 * everyone))
    late = {"facility": timelines.facility[trace.patient], "days_late": trace.days_late}
    parts = [
        _rows(base, pending.patient[within], facility[within], pending.expected[within], place[within],
              {name: values[within] for name, values in figures.items()}, reasons),
        _rows(base, pending.patient[others], facility[others], pending.expected[others], place[others],
              {name: values[others] for name, values in figures.items()}, None),
        _rows(base, trace.patient, late["facility"], trace.expected, rank_within_facility(
            late["facility"].astype(np.int64), late["days_late"])[0], {}, None),
    ]  # fmt: skip
    names = ", ".join(PREDICTION_COLUMNS)
    with session.cursor() as cursor, cursor.copy(f"COPY predictions ({names}) FROM STDIN (FORMAT BINARY)") as copy:
        binary_copy.write(copy, parts)
    return len(pending) + len(trace.patient)


def _rows(
    base: dict[str, Any],
    patient: Any,  # noqa: ANN401 - arrays
    facility: Any,  # noqa: ANN401
    expected: Any,  # noqa: ANN401
    place: Any,  # noqa: ANN401
    figures: dict[str, Any],
    jsons: list[bytes] | None,
) -> bytes:
    uuids = np.frombuffer(b"".join(uuid.bytes for uuid in base["facilities"]), dtype="V16")
    as_of = field("date", date.fromordinal(base["as_of"] + date(1970, 1, 1).toordinal()))
    columns = {
        "uuid": binary_copy.new_uuids(patient.size),
        "patient_uuid": base["people"].view("V16")[patient],
        "facility_uuid": uuids[facility],
        "as_of": as_of,
        "kind": field("text", "at_risk" if figures else "to_trace"),
        "expected_date": column("date", expected),
        "days_late": field("int4", 0),
        "prediction_timestamp": field("int8", 0),
        "model_uuid": field("uuid", base["model"].uuid),
        "model_version": field("text", base["model"].version),
        **{name: column("float8", figures[name]) if figures else NULL for name in PREDICTION_COLUMNS[10:14]},
        "risk_level": field("text", ("high" if jsons is not None else "low") if figures else "late"),
        "rank": column("int4", place),
        "within_capacity": field("bool", jsons is not None),
        "calibration_note": field("text", base["model"].note),
        "data_date": as_of,
        "stale": field("bool", value=False),
    }
    return binary_copy.rows(patient.size, columns, jsons)
