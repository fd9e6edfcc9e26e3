"""The vault: encrypts and decrypts patients' personal data within one transaction of one tenant."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, cast
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import event

from core.database.arrays import bytea_array, uuid_array
from core.privacy import blind_index as index
from core.privacy.errors import CannotDecrypt, NeedsSession, PatientErased
from core.privacy.tenant_keys import KEY_BYTES, KeyRing, key_ring

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from core.database import TenantRef, TenantSession

FORMAT = b"\x01"
"""First byte of every ciphertext: format 1 is nonce (12), AES-256-GCM ciphertext, tag (16)."""

NONCE = 12
_AFTER_NONCE = len(FORMAT) + NONCE
KEY_OF_SESSION = "core.privacy.vault"


def vault(session: TenantSession) -> Vault:
    """The vault of this transaction, one per session."""
    existing = session.info.get(KEY_OF_SESSION)
    if not isinstance(existing, Vault):
        existing = session.info[KEY_OF_SESSION] = Vault(session)
        event.listen(session, "after_soft_rollback", existing.forget)
    return existing


@dataclass(frozen=True, slots=True)
class _NoSession:
    """The placeholder for the session of a vault without one."""

    tenant: TenantRef

    def cursor(self) -> NoReturn:
        """Raise, because there is no transaction to open a cursor in.

        Raises:
            NeedsSession: always.
        """
        raise NeedsSession


def vault_from_memory(tenant: TenantRef) -> Vault:
    """A vault without a session, for rows that were read together with their keys (``take_patient_key``).

    Raises:
        NeedsSession: this process does not have the tenant's keys in memory; a method of the vault raises it for a
            newer version of them.
    """
    safe = Vault(cast("TenantSession", _NoSession(tenant)))
    safe.load_tenant_keys()
    return safe


class Vault:
    """Encryption of the personal data of one tenant's patients, in one transaction.

    A ciphertext opens only for its tenant, table, column and row, with its patient's key.
    """

    def __init__(self, session: TenantSession) -> None:
        self._session = session
        self._tenant = str(session.tenant.id)
        self._patients: dict[UUID, AESGCM | None] = {}
        self._damaged: set[UUID] = set()
        self._ring: KeyRing | None = None
        self._known_places: dict[tuple[str, ...], tuple[bytes, ...]] = {}

    def ensure_patient_keys(self, uuids: Iterable[UUID]) -> frozenset[UUID]:
        """Create missing keys of these patients and load all, in two statements for any number of patients.

        Returns:
            The erased patients, who have no key and get none.

        Raises:
            CannotDecrypt: a key cannot be unwrapped.
        """
        asked = set(uuids)
        self.load_patient_keys(asked)
        missing = [uuid for uuid in asked if uuid not in self._patients and uuid not in self._damaged]
        if missing:
            self._make(missing)
            self.load_patient_keys(missing)  # keys that another transaction created
        if not self._damaged.isdisjoint(asked):
            detail = "a patient's key does not open: it was altered or moved"
            raise CannotDecrypt(detail)
        return frozenset(uuid for uuid in asked if self._patients.get(uuid) is None)

    def forget(self, *_rolled_back: object) -> None:
        """Forget the loaded keys after a rollback, also to a savepoint, because the table no longer has the new ones.

        The session's own savepoints call this. Plain SQL that rolls back to a savepoint must call it too.
        """
        self._patients.clear()
        self._damaged.clear()
        self._ring = None

    def load_patient_keys(self, uuids: Iterable[UUID]) -> None:
        """Load the keys of these patients in one statement, before many values are decrypted."""
        wanted = [uuid for uuid in uuids if uuid not in self._patients and uuid not in self._damaged]
        if not wanted:
            return
        with self._session.cursor() as cursor:
            cursor.execute(
                "SELECT patient_uuid, tenant_key_version, wrapped_key FROM patient_keys"
                " WHERE patient_uuid = ANY(%s::uuid[])",
                (uuid_array(wanted),),
            )
            rows = cursor.fetchall()
        ring = self._keys
        if any(version not in ring.data for _, version, _ in rows):
            ring = self._ring = key_ring(self._session, fresh=True)
        for uuid, version, wrapped in rows:
            self._have(ring.data, uuid, version, wrapped)

    def take_patient_key(self, uuid: UUID, version: int | None, wrapped: bytes | None) -> None:
        """Load a patient's key that was read together with other columns of the patient.

        Args:
            uuid: the patient.
            version: the version of the tenant's key that wraps it; None where the patient has no key.
            wrapped: the key; None where it was erased.
        """
        if version is None or uuid in self._patients:
            return
        ring = self._keys
        if version not in ring.data:
            ring = self._ring = key_ring(self._session, fresh=True)
        self._have(ring.data, uuid, version, wrapped)

    def _have(self, data: dict[int, AESGCM], uuid: UUID, version: int, wrapped: bytes | None) -> None:
        """Load a patient's key. If it cannot be unwrapped, raise only when the key is used."""
        try:
            self._patients[uuid] = None if wrapped is None else self._unwrap(data, uuid, version, bytes(wrapped))
        except CannotDecrypt:
            self._damaged.add(uuid)

    def encrypt(self, patient_uuid: UUID, table: str, column: str, row_uuid: UUID, text: str) -> bytes:
        """The ciphertext of ``text`` for this place; creates the patient's key where it is missing.

        Raises:
            PatientErased: the patient was erased.
        """
        key = self._patients.get(patient_uuid)
        if key is None:
            self.ensure_patient_keys((patient_uuid,))
            key = self._patient(patient_uuid, table)
        nonce = os.urandom(NONCE)
        return FORMAT + nonce + key.encrypt(nonce, text.encode(), self._place(table, column, row_uuid))

    def encrypt_row(self, patient_uuid: UUID, table: str, row_uuid: UUID, texts: Mapping[str, str]) -> dict[str, bytes]:
        """Return the ciphertexts of several columns of one row, like ``encrypt`` for each.

        Raises:
            PatientErased: the patient was erased.
        """
        key = self._patients.get(patient_uuid)
        if key is None:
            return {column: self.encrypt(patient_uuid, table, column, row_uuid, text) for column, text in texts.items()}
        row = str(row_uuid).encode()
        sealed: dict[str, bytes] = {}
        for place, (column, text) in zip(self._places(table, tuple(texts)), texts.items(), strict=True):
            nonce = os.urandom(NONCE)
            sealed[column] = FORMAT + nonce + key.encrypt(nonce, text.encode(), place + row)
        return sealed

    def decrypt(self, patient_uuid: UUID, table: str, column: str, row_uuid: UUID, data: bytes) -> str:
        """The text that was encrypted for this place.

        Raises:
            PatientErased: the patient was erased.
            CannotDecrypt: the bytes were altered or belong to another row, column, patient or tenant, or the key is
                gone.
        """
        key = self._patients.get(patient_uuid)
        if key is None:
            self.load_patient_keys((patient_uuid,))
            key = self._patient(patient_uuid, table)
        data = bytes(data)
        if data[:1] != FORMAT:
            raise CannotDecrypt(f"a value of {table}.{column} does not have the form of a ciphertext")
        try:
            plain = key.decrypt(data[1 : NONCE + 1], data[NONCE + 1 :], self._place(table, column, row_uuid))
        except (InvalidTag, ValueError):
            detail = f"a value of {table}.{column} does not open: it was altered or moved from another row"
            raise CannotDecrypt(detail) from None
        return plain.decode()

    def decrypt_row(
        self, patient_uuid: UUID, table: str, row_uuid: UUID, columns: Sequence[str], sealed: Sequence[bytes | None]
    ) -> list[str | None]:
        """Return the texts of several columns of one row, like ``decrypt`` for each; None for an empty column.

        Raises:
            PatientErased, CannotDecrypt: as ``decrypt``.
        """
        key = self._patients.get(patient_uuid)
        row = str(row_uuid).encode()
        texts: list[str | None] = []
        for place, column, data in zip(self._places(table, tuple(columns)), columns, sealed, strict=True):
            if data is None:
                texts.append(None)
                continue
            if key is not None and data[:1] == FORMAT:
                try:
                    texts.append(key.decrypt(data[1:_AFTER_NONCE], data[_AFTER_NONCE:], place + row).decode())
                except (InvalidTag, ValueError):
                    key = None  # the code below raises the exact error
                else:
                    continue
            texts.append(self.decrypt(patient_uuid, table, column, row_uuid, data))
            key = self._patients.get(patient_uuid)
        return texts

    def _places(self, table: str, columns: tuple[str, ...]) -> tuple[bytes, ...]:
        """The places that ciphertexts of these columns are bound to, without the row."""
        places = self._known_places.get((table, *columns))
        if places is None:
            places = tuple(f"{self._tenant}|{table}|{column}|".encode() for column in columns)
            self._known_places[table, *columns] = places
        return places

    def blind_index(self, purpose: str, text: str) -> bytes:
        """16 bytes that are equal for equal texts of this tenant; ``core.privacy.blind_index`` defines equality.

        Raises:
            Invalid: ``text`` has no character to search for.
        """
        return index.blind_index(self._keys.index, purpose, text)

    @property
    def maker(self) -> index.BlindIndexes:
        """An object that computes this tenant's blind indexes without a session; it holds their key."""
        return index.BlindIndexes(self._keys.index)

    def blind_indexes(self, purpose: str, texts: Iterable[str]) -> list[bytes]:
        """``blind_index`` of many texts.

        Raises:
            Invalid: one of them has no character to search for.
        """
        return index.blind_indexes(self._keys.index, purpose, texts)

    def load_tenant_keys(self) -> None:
        """Load the tenant's keys, where this process has not loaded them before."""
        self._ring = self._keys

    @property
    def _keys(self) -> KeyRing:
        """The tenant's keys, loaded one time per transaction; ``fresh`` loads them again, for a newer version."""
        if self._ring is None:
            self._ring = key_ring(self._session)
        return self._ring

    def erase_patient(self, uuid: UUID) -> bool:
        """Destroy the patient's key, so that nothing encrypted with it can be read again.

        The row stays as a mark, so that a later import creates no new key. Returns True when the key existed.
        """
        with self._session.cursor() as cursor:
            cursor.execute(
                "INSERT INTO patient_keys (patient_uuid, tenant_key_version, wrapped_key, erased_at)"
                " VALUES (%s, %s, NULL, now()) ON CONFLICT (patient_uuid) DO UPDATE"
                " SET wrapped_key = NULL, erased_at = now() WHERE patient_keys.erased_at IS NULL",
                (uuid, self._keys.newest),
            )
            erased = cursor.rowcount > 0
        self._patients[uuid] = None
        return erased

    def _make(self, uuids: list[UUID]) -> None:
        """Insert keys for patients without one. If another transaction inserted a key first, that key stays."""
        ring = self._keys
        version, wrapping = ring.newest, ring.data[ring.newest]
        wrapped, plain = [], {}
        for uuid in uuids:
            nonce, plain[uuid] = os.urandom(NONCE), os.urandom(KEY_BYTES)
            wrapped.append(nonce + wrapping.encrypt(nonce, plain[uuid], self._bound_to(uuid, version)))
        with self._session.cursor() as cursor:
            cursor.execute(
                "INSERT INTO patient_keys (patient_uuid, tenant_key_version, wrapped_key)"
                " SELECT uuid, %s, key FROM unnest(%s::uuid[], %s::bytea[]) AS made (uuid, key) ORDER BY uuid"
                " ON CONFLICT (patient_uuid) DO NOTHING RETURNING patient_uuid",
                (version, uuid_array(uuids), bytea_array(wrapped)),
            )
            for (uuid,) in cursor.fetchall():
                self._patients[uuid] = AESGCM(plain[uuid])

    def _unwrap(self, data: dict[int, AESGCM], uuid: UUID, version: int, wrapped: bytes) -> AESGCM:
        try:
            return AESGCM(data[version].decrypt(wrapped[:NONCE], wrapped[NONCE:], self._bound_to(uuid, version)))
        except (InvalidTag, ValueError, KeyError):
            detail = "a patient's key does not open: it was altered or moved"
            raise CannotDecrypt(detail) from None

    def _patient(self, uuid: UUID, table: str) -> AESGCM:
        key = self._patients.get(uuid)
        if key is not None:
            return key
        if uuid in self._patients:
            detail = "the patient was erased"
            raise PatientErased(detail)
        if uuid in self._damaged:
            detail = "a patient's key does not open: it was altered or moved"
            raise CannotDecrypt(detail)
        detail = f"the patient of a row of {table} has no key"
        raise CannotDecrypt(detail)

    def _place(self, table: str, column: str, row_uuid: UUID) -> bytes:
        return self._places(table, (column,))[0] + str(row_uuid).encode()

    def _bound_to(self, uuid: UUID, version: int) -> bytes:
        return bound_patient(self._tenant, uuid, version)


def bound_patient(tenant: str, uuid: UUID, version: int) -> bytes:
    """The text that a patient's wrapped key is bound to; ``tenant`` is its id."""
    return f"patient-key|{tenant}|{uuid}|{version}".encode()
