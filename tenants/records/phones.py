"""A patient's phone that somebody at the partner corrected: imports that repeat the wrong one do not bring it back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import FieldError, Invalid, NotFound
from core.events import publish
from core.privacy import vault
from tenants.records import personal, writing
from tenants.records.models import Patient
from tenants.records.statements import forget_wrong_phone

if TYPE_CHECKING:
    from uuid import UUID

    from core.database import TenantSession

NO_PHONE = b""
"""Stands for the wrong phone of a patient who had no phone."""


def correct_phone(session: TenantSession, patient: UUID, phone: str, field: str) -> str | None:
    """Store a patient's right phone in the place of a wrong one; return the wrong one.

    From now on an import changes the phone only where its list has another number than the wrong one.

    Args:
        session: the tenant's transaction, which holds the patient's lock.
        patient: the patient.
        phone: the right phone.
        field: where the caller gave it, for errors.

    Raises:
        NotFound: there is no such patient.
        Invalid: it is the phone on record.
    """
    row = _locked(session, patient)
    plain = personal.open_patient(session, row)
    if row.phone_bidx is not None and bytes(row.phone_bidx) == vault(session).blind_index("phone", phone):
        problem = FieldError(field, "is the number on record", "Give another number, or leave it out.")
        detail = "the new phone is the wrong one"
        raise Invalid(detail, errors=[problem])
    sealed = personal.seal_patient(session, row.uuid, plain | {"phone": phone})
    writing.change(session, row, sealed, wrong_phone=NO_PHONE if row.phone_bidx is None else bytes(row.phone_bidx))
    publish(session, "records.changed", {"patient_ids": [patient]})
    return plain["phone"]


def restore_phone(session: TenantSession, patient: UUID, corrected: str, wrong: str | None) -> bool:
    """Undo a correction, unless the phone changed since; return whether it was undone.

    Args:
        session: the tenant's transaction, which holds the patient's lock.
        patient: the patient.
        corrected: the phone that the correction stored.
        wrong: the phone before it.

    Raises:
        NotFound: there is no such patient.
    """
    row = _locked(session, patient)
    index = vault(session).blind_index("phone", corrected)
    forget_wrong_phone(session, patient, index)
    if row.phone_bidx is None or bytes(row.phone_bidx) != index:
        return False
    plain = personal.open_patient(session, row)
    writing.change(session, row, personal.seal_patient(session, row.uuid, plain | {"phone": wrong}))
    publish(session, "records.changed", {"patient_ids": [patient]})
    return True


def _locked(session: TenantSession, patient: UUID) -> Patient:
    row = writing.open_version(session, Patient, patient, lock=True)
    if row is None:
        detail = "there is no such patient"
        raise NotFound(detail)
    return row
