"""Benchmark of GET of a patient and of a page through the whole stack, compared with bare FastAPI and psycopg.

Ours has the credential, the tenant's role, the audit row in a durable commit, decryption and all middleware; the bare
one has a pool and a SELECT. Both run in a uvicorn of their own, one process each, on the same database.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from benchmarks.load import Load
from benchmarks.measure import Ratio, settled

if TYPE_CHECKING:
    from core.database import TenantRef

OURS = (
    "-c",
    (
        "import sys, uvicorn; from core.app.factory import create_app;"
        " from core.app.server import configuration, listen;"
        " server = uvicorn.Server(configuration(create_app(), keep_alive=120));"
        " server.run(sockets=[listen('127.0.0.1', int(sys.argv[1]))])"
    ),
)
_BARE = (
    *("-m", "uvicorn", "benchmarks.bare_api:create_app", "--factory", "--no-access-log", "--log-level", "error"),
    *("--timeout-keep-alive", "120", "--port"),
)
PATIENTS = 5_000
REQUESTS = 400
ROUNDS = 7


def run() -> Iterator[Ratio]:
    """Compare one patient, and a page of 50."""
    from core.services import ensure
    from core.tenancy import create_tenant

    created = create_tenant(f"bench-{uuid4().hex[:8]}", name="Benchmark")
    patients = patients_of(created.ref)
    settled()
    key = {"Authorization": f"Bearer {created.api_key}"}
    bare = {"BARE_URL": ensure().database_owner_url, "BARE_SCHEMA": created.ref.schema_name}
    with served(OURS, {}) as ours, served(_BARE, bare) as theirs:
        one = [f"/patients/{uuid}" for uuid in patients[:500]]
        pages = [f"/patients?page={page}&page_size=50" for page in range(1, 50)]
        for name, paths in (("GET one patient", one), ("GET a page of 50 patients", pages)):
            yield _compared(name, Load(ours, [f"/v1{path}" for path in paths], key), Load(theirs, paths, {}))


def _compared(name: str, ours: Load, bare: Load) -> Ratio:
    seconds: dict[str, list[float]] = {"ours": [], "bare": []}
    try:
        for warm in (ours, bare):
            warm.run(REQUESTS // 4)
        for _ in range(ROUNDS):
            seconds["ours"].append(ours.run(REQUESTS) / REQUESTS)
            seconds["bare"].append(bare.run(REQUESTS) / REQUESTS)
    finally:
        ours.close()
        bare.close()
    return Ratio(name, statistics.median(seconds["ours"]), statistics.median(seconds["bare"]), target=3.0)


def patients_of(tenant: TenantRef) -> list[UUID]:
    """Insert patients with encrypted names, as an import does, and return their UUIDs."""
    from core.database import tenant_session
    from core.privacy import vault
    from tenants.records.facilities import FacilityFacts, ensure
    from tenants.records.ids import entity_uuid, new_uuid
    from tenants.records.models import Patient
    from tenants.records.personal import seal_patient
    from tenants.records.upsert import staging, upsert

    day = date(2026, 1, 1)
    facts = {"datim_id": "B1", "birthdate_estimated": False, "transferred_in": False, "sex": "F"}
    with tenant_session(tenant, actor="bench:1") as session:
        clinic = ensure(session, [FacilityFacts(datim_id="B1", name="Clinic")], source="csv:b", data_date=day)["B1"]
        keys = [number.to_bytes(16, "big") for number in range(PATIENTS)]
        uuids = [entity_uuid("patients", clinic, "csv:b", key) for key in keys]
        vault(session).ensure_patient_keys(uuids)
        with staging(session, Patient, source="csv:b") as stage:
            for number, (key, uuid) in enumerate(zip(keys, uuids, strict=True)):
                names = {"pepfar_id": f"P{number}", "given_name": "Aaa", "family_name": "Bbb", "phone": "08030000000"}
                stage.add(clinic, key, {**facts, **seal_patient(session, uuid, names)}, assumed_from=day)
        upsert(session, stage, import_uuid=new_uuid(), data_date=day)
    return uuids


UNLIMITED = dict.fromkeys(("IIT_RATE_KEY", "IIT_RATE_TENANT", "IIT_RATE_ADDRESS"), "0")
"""Settings of a server that answers as many requests as the benchmark sends."""


@contextmanager
def served(arguments: Sequence[str], environment: Mapping[str, str]) -> Iterator[int]:
    """Start a server of one process, and yield its port, which is the last of its arguments."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, *arguments, str(port)],
        env={**os.environ, **UNLIMITED, **environment, "IIT_LOG_LEVEL": "warning"},
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(300):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait()
