"""Encrypts the fields that name a patient for the table, and decrypts them for readers with the permission.

The patient's own key encrypts the five fields. Identifiers and the phone also have blind indexes, so that a search can
find equal values; names have the keys of their words (``names``). ``personal_hash`` joins the keyed digests of the five
fields; an import detects changes by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from core import telemetry
from core.privacy import vault
from core.privacy.errors import CannotDecrypt, PatientErased
from core.telemetry.repeated import RepeatFilter
from tenants.records.names import keys_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from core.database import TenantSession
    from core.privacy import Vault

FIELDS = ("pepfar_id", "hospital_number", "given_name", "family_name", "phone")
INDEXED = ("pepfar_id", "hospital_number", "phone")
NAMES = ("given_name", "family_name")
SEALED = tuple(f"{name}_enc" for name in FIELDS)
TABLE = "patients"
UNREADABLE = "(cannot be read)"
"""Shown in a list in place of a value that cannot be decrypted."""

log = telemetry.get_logger(__name__)
_logged = RepeatFilter()
DIGEST_BYTES = 8
"""Length of a field's keyed digest: two texts of one patient are equal by chance once in 2^64."""

_DIGEST_PURPOSE = "source:patients:personal"


class SealedFields(Protocol):
    """The columns of a patient's row that decryption needs."""

    uuid: UUID
    pepfar_id_enc: bytes | None
    hospital_number_enc: bytes | None
    given_name_enc: bytes | None
    family_name_enc: bytes | None
    phone_enc: bytes | None


def seal_patient(session: TenantSession, patient_uuid: UUID, plain: Mapping[str, str | None]) -> dict[str, object]:
    """Encrypt a patient's fields; return the columns of ``patients``. A missing or blank field becomes empty.

    Args:
        session: the tenant's transaction.
        patient_uuid: the patient whose key encrypts.
        plain: text by field; entries other than ``FIELDS`` are ignored.

    Raises:
        PatientErased: the patient was erased and gets no new data.
    """
    return seal_patients(session, [(patient_uuid, plain)])[0]


def seal_patients(
    session: TenantSession, people: Sequence[tuple[UUID, Mapping[str, str | None]]]
) -> list[dict[str, object]]:
    """Do the same as ``seal_patient`` for many patients; compute the blind indexes of each field together.

    Args:
        session: the tenant's transaction.
        people: the patients, and the text of each one's fields.

    Raises:
        PatientErased: one of them was erased and gets no new data.
    """
    safe = vault(session)
    texts = {name: [(plain.get(name) or "").strip() for _, plain in people] for name in FIELDS}
    # The separator cannot be in the texts: the readers and the API reject control characters.
    names = [str(uuid) for uuid, _ in people]
    digests = [
        _indexes(
            safe,
            _DIGEST_PURPOSE,
            [f"{uuid}\x1f{name}\x1f{text}" if text else "" for uuid, text in zip(names, texts[name], strict=True)],
        )
        for name in FIELDS
    ]
    indexes = {f"{name}_bidx": _indexes(safe, name, texts[name]) for name in INDEXED}
    keys = {f"{name}_bidx": [keys_of(safe.maker, text) if text else None for text in texts[name]] for name in NAMES}
    none = bytes(DIGEST_BYTES)
    sealed: list[dict[str, object]] = []
    for at, (uuid, _) in enumerate(people):
        columns: dict[str, object] = dict.fromkeys(SEALED)
        columns |= safe.encrypt_row(
            uuid, TABLE, uuid, {f"{name}_enc": text for name in FIELDS if (text := texts[name][at])}
        )
        columns |= {name: values[at] for name, values in (indexes | keys).items()}
        columns["personal_hash"] = b"".join([(values[at] or none)[:DIGEST_BYTES] for values in digests])
        sealed.append(columns)
    return sealed


def _indexes(safe: Vault, purpose: str, texts: Sequence[str]) -> list[bytes | None]:
    """The blind index of each text; None for an empty text."""
    indexes = iter(safe.blind_indexes(purpose, [text for text in texts if text]))
    return [next(indexes) if text else None for text in texts]


def digest_of(personal_hash: bytes | None, name: str) -> bytes:
    """The digest of one field in a ``personal_hash``; all zeros if the field is empty."""
    start = FIELDS.index(name) * DIGEST_BYTES
    return bytes(personal_hash[start : start + DIGEST_BYTES]) if personal_hash else bytes(DIGEST_BYTES)


def open_patient(session: TenantSession, row: SealedFields) -> dict[str, str | None]:
    """The five fields of a row, decrypted; all empty if the patient was erased.

    Raises:
        CannotDecrypt: a value was altered or moved.
    """
    return open_sealed(vault(session), row.uuid, [getattr(row, column) for column in SEALED])


@dataclass(frozen=True, slots=True)
class DecryptedFields:
    """The five fields of a row, decrypted, and the names of those that cannot be decrypted."""

    fields: dict[str, str | None]
    unreadable: tuple[str, ...] = ()

    def marked(self, mark: str) -> dict[str, str | None]:
        """The fields, with ``mark`` in place of each value that cannot be decrypted."""
        return self.fields | dict.fromkeys(self.unreadable, mark)


def legible_patient(session: TenantSession, row: SealedFields) -> DecryptedFields:
    """Do the same as ``open_patient`` for a list: a damaged value is only missing, and raises no error."""
    return legible(vault(session), row.uuid, [getattr(row, column) for column in SEALED])


def legible(safe: Vault, patient_uuid: UUID, sealed: Sequence[bytes | None]) -> DecryptedFields:
    """Do the same as ``legible_patient`` with a given vault, from the columns in the order of ``SEALED``."""
    try:
        return DecryptedFields(open_sealed(safe, patient_uuid, sealed))
    except CannotDecrypt:
        fields: dict[str, str | None] = dict.fromkeys(FIELDS)
        unreadable: list[str] = []
        for name, column, data in zip(FIELDS, SEALED, sealed, strict=True):
            if data is None:
                continue
            try:
                fields[name] = safe.decrypt(patient_uuid, TABLE, column, patient_uuid, data)
            except CannotDecrypt as error:
                unreadable.append(name)
                _log_unreadable(patient_uuid, column, error)
        return DecryptedFields(fields, tuple(unreadable))


def legible_texts(
    safe: Vault, patient_uuid: UUID, columns: Sequence[str], sealed: Sequence[bytes | None]
) -> list[str | None]:
    """Some columns of a row as text; None for what is empty, was erased, or does not open."""
    texts: list[str | None] = []
    for column, data in zip(columns, sealed, strict=True):
        try:
            texts.append(None if data is None else safe.decrypt(patient_uuid, TABLE, column, patient_uuid, data))
        except PatientErased:
            texts.append(None)
        except CannotDecrypt as error:
            _log_unreadable(patient_uuid, column, error)
            texts.append(None)
    return texts


def _log_unreadable(patient_uuid: UUID, column: str, error: CannotDecrypt) -> None:
    left_out = _logged.due((str(patient_uuid), column))
    if left_out is not None:
        log.error("a stored value does not open", row=str(patient_uuid), reason=error.detail, left_out=left_out)


def open_sealed(safe: Vault, patient_uuid: UUID, sealed: Sequence[bytes | None]) -> dict[str, str | None]:
    """Do the same as ``open_patient`` with a given vault, from the columns in the order of ``SEALED``."""
    try:
        return dict(zip(FIELDS, safe.decrypt_row(patient_uuid, TABLE, patient_uuid, SEALED, sealed), strict=True))
    except PatientErased:
        return dict.fromkeys(FIELDS)
