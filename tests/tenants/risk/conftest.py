"""The made-up cohort in a tenant's tables, trained once for all tests of a module."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, time, timedelta

import pytest
from psycopg import sql

from core.database import tenant_session
from tenants.cohort.timelines import to_date
from tenants.records.ids import new_uuid
from tests.tenants.risk.clinics import END, INTERVAL, clinics

SEX = {1: "F", 2: "M"}


def stamp(day):
    return datetime.combine(to_date(int(day)), time(6), tzinfo=UTC)


def store(tenant, cohort, *, complete_through=END):
    """Write facilities, patients and contacts, as an import leaves them."""
    uuids, facilities, data_date = cohort.uuids(), cohort.facilities(), to_date(END)
    through = to_date(complete_through)
    with tenant_session(tenant, actor="test:1") as session, session.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO facilities (uuid, version_id, datim_id, name, source, complete_through, data_date, created_at,"
            " updated_at) VALUES (%s, %s, %s, %s, 'csv:t', %s, %s, now(), now())",
            [(f, new_uuid(), f"F{i}", f"Clinic {i}", through, data_date) for i, f in enumerate(facilities)],
        )
        with cursor.copy(
            "COPY patients (version_id, uuid, facility_uuid, source, source_key, known_from, data_date, row_hash,"
            " changed_by, sex, birthdate, datim_id, art_start_date) FROM STDIN"
        ) as copy:
            for i, uuid in enumerate(uuids):
                place = int(cohort.facility[i])
                known = stamp(cohort.start[i])
                copy.write_row(
                    (new_uuid(), uuid, facilities[place], "csv:t", uuid.bytes, known, data_date, b"h", "test:1",
                     SEX[int(cohort.sex[i])], to_date(int(cohort.birth[i])), f"F{place}", to_date(int(cohort.start[i])))
                )  # fmt: skip
        with cursor.copy(
            "COPY contacts (contact_id, patient_uuid, contact_date, facility_uuid, clinical, pickup, days_supplied,"
            " next_appointment, regimen, known_from, known_assumed) FROM STDIN"
        ) as copy:
            for i, days in enumerate(cohort.contacts):
                for day in days:
                    copy.write_row(
                        (new_uuid(), uuids[i], to_date(day), facilities[int(cohort.facility[i])], True, True, INTERVAL,
                         to_date(day) + timedelta(days=INTERVAL), "TDF/3TC/DTG", stamp(day), False)
                    )  # fmt: skip


@pytest.fixture(scope="session")
def cohort():
    return clinics()


def opener(tenant):
    return lambda: tenant_session(tenant, actor="test:1")


_FITTED = {}
_TRAINED = {}


def fit_once(kind, data, parameters, seed):
    """What a kind of model fits on these rows; fitted once for all tests."""
    digest = hashlib.blake2b(data.X.tobytes() + data.y.tobytes() + data.group.tobytes()).hexdigest()
    key = (kind.name, digest, repr(parameters), seed)
    if key not in _FITTED:
        _FITTED[key] = kind.fit(data, parameters, seed)
    return _FITTED[key]


@pytest.fixture(scope="module")
def trained(make_tenant, cohort):
    """A tenant with the cohort and trained models: its reference, its key, and what training said.

    Fitted in this process and coarsely: what a process of its own adds is tested with the plugins. All tenants have the
    same records, so the models are fitted and measured once for all modules.
    """
    from core import plugins
    from tenants.risk import service, training

    additive = plugins.models()["additive"]
    quick = {"max_bins": 8, "strengths": [300.0, 100.0]}
    created = make_tenant()
    store(created.ref, cohort)
    fit_and_measure = training.train

    def train_once(data, *rest, **options):
        key = hashlib.blake2b(data.X.tobytes() + data.y.tobytes()).hexdigest()
        if key not in _TRAINED:
            _TRAINED[key] = fit_and_measure(data, *rest, **options)
        return _TRAINED[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plugins, "models", lambda _=None: {"additive": additive})
        patch.setattr(plugins, "fit_in_process", lambda _, data, __, seed, ___: fit_once(additive, data, quick, seed))
        patch.setattr(training, "train", train_once)
        return created, service.train(created.ref, opener(created.ref))


COLUMNS = "patient_uuid, kind, risk, raw_score, risk_level, rank, within_capacity, reasons"


def predictions(tenant, as_of, columns=COLUMNS):
    """Rows of a scoring without ids and times."""
    with tenant_session(tenant, actor="test:1") as session, session.cursor() as cursor:
        names = sql.SQL(", ").join(sql.Identifier(name) for name in columns.split(", "))
        query = sql.SQL("SELECT {} FROM predictions WHERE as_of = %s ORDER BY patient_uuid, kind").format(names)
        cursor.execute(query, (as_of,))
        return cursor.fetchall()
