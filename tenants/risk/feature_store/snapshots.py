"""Snapshots: the features of all patients as known on a day, in a stored file, with their lineage."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

import numpy as np

from core import audit, blobs
from core.blobs import BlobDamaged
from core.errors import NotFound
from tenants.cohort.load import load_timelines
from tenants.cohort.service import cohort_settings
from tenants.cohort.timelines import day_number, to_date
from tenants.cohort.units import pending_units
from tenants.risk import checks, repository
from tenants.risk.facility_rates import reference_day
from tenants.risk.input_list import NAMES
from tenants.risk.input_sets import FEATURE_SET
from tenants.risk.models_checks import ModelCheck
from tenants.risk.pending import matrix
from tenants.risk.reference_rates import stored_rates

if TYPE_CHECKING:
    from datetime import date

    from core.database import SessionOpener, TenantRef, TenantSession

KEPT_DAYS: Final = 180
"""Days for which the file of a snapshot is stored; its lineage stays."""
TAKEN: Final = "risk:snapshot:take"
READ: Final = "risk:snapshot:read"


def take(tenant: TenantRef, open_session: SessionOpener, as_of: date) -> ModelCheck:
    """Compute the features of everybody with an expected contact ahead, and store them as a file of CSV, compressed.

    A snapshot of the same day replaces the earlier one.

    Args:
        tenant: whose patients.
        open_session: opens a transaction of the tenant.
        as_of: the day; only what was known on it counts.
    """
    with TemporaryFile() as file:
        with open_session() as session:
            rows, patients = _write(session, as_of, file)
            lineage = _lineage(session, as_of) | {"rows": rows}
        file.seek(0)
        reference = blobs.put(tenant, "features.csv.gz", cast("BinaryIO", file), expires_in_days=KEPT_DAYS)
    try:
        with open_session() as session:
            check = ModelCheck(
                kind="snapshot",
                as_of=as_of,
                passed=True,
                patients=patients,
                figures=lineage,
                blob_key=reference.key,
                blob_sha256=reference.sha256,
                measured_by=session.actor,
            )
            checks.store(session, check)
            audit.record(session, TAKEN, "snapshot", check.uuid, {"as_of": as_of.isoformat()})
            session.refresh(check)
            session.expunge(check)
            return check
    except BaseException:
        blobs.delete(tenant, reference.key)
        raise


def read_file(tenant: TenantRef, check: ModelCheck) -> bytes:
    """The rows of a snapshot as CSV. It calls the blob store, so call it outside a transaction.

    Raises:
        NotFound: the file has expired, or it is damaged.
    """
    try:
        return gzip.decompress(blobs.get(tenant, check.blob_key or "", sha256=check.blob_sha256))
    except (NotFound, BlobDamaged) as error:
        detail = "the file of this snapshot is not stored any more"
        raise NotFound(detail, remedy="take a snapshot of the same day again") from error


def definitions_digest() -> str:
    """The SHA-256 of the definitions of all features: it changes with each of their names, versions and categories."""
    specs = [spec.to_json() for spec in FEATURE_SET.features]
    return hashlib.sha256(json.dumps(specs, sort_keys=True).encode()).hexdigest()


def _write(session: TenantSession, as_of: date, file: Any) -> tuple[int, int]:  # noqa: ANN401 - a temporary file
    """Write the rows; return their number and that of the patients."""
    rules, day = cohort_settings(session), day_number(as_of)
    rates = stored_rates(session, as_of, rules)
    datim_ids = {fact["uuid"]: fact["datim_id"] for fact in repository.facility_facts(session)}
    rows = patients = 0
    with gzip.GzipFile(fileobj=file, mode="wb", mtime=0) as packed, io.TextIOWrapper(packed, "utf-8", newline="") as to:
        writer = csv.writer(to, lineterminator="\n")
        writer.writerow(("patient_id", "facility", "as_of", "expected_date", *NAMES))
        for timelines in load_timelines(session):
            pending = pending_units(timelines, day, rules)
            if not len(pending):
                continue
            values = matrix(timelines, pending, rules, rates)[:, : len(NAMES)]
            for place, patient in enumerate(pending.patient.tolist()):
                facility = datim_ids[timelines.facilities[int(timelines.facility[patient])]]
                known = ["" if np.isnan(value) else f"{value:.12g}" for value in values[place]]
                expected = to_date(int(pending.expected[place]))
                writer.writerow((timelines.patient_uuid[patient], facility, as_of, expected, *known))
            rows += len(pending)
            patients += int(np.unique(pending.patient).size)
    return rows, patients


def _lineage(session: TenantSession, as_of: date) -> dict[str, Any]:
    reference = to_date(int(reference_day(day_number(as_of))))
    return {
        "feature_set": FEATURE_SET.name,
        "feature_set_version": FEATURE_SET.version,
        "definitions": definitions_digest(),
        "columns": len(NAMES),
        "records": hashlib.sha256("\n".join(repository.state_of_records(session)).encode()).hexdigest(),
        "facility_rates_of": None if reference is None else reference.isoformat(),
    }
