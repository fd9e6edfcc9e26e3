"""Finds patients by name: candidates by the keys of words, ranked after their names are decrypted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ARRAY, ColumnElement, SmallInteger, case, cast, literal, or_
from sqlmodel import col, select

from core.privacy import vault
from core.privacy.models import PatientKey
from tenants.records.models import Patient
from tenants.records.names import PREFIXES, WordKeys, keys_of_word, match, words_of
from tenants.records.personal import NAMES, legible_texts
from tenants.records.repository import patient_conditions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from core.database import TenantSession
    from tenants.records.filters import PatientFilter

MOST: Final = 50
"""The most patients that a search returns. A search with more matches has to be narrowed."""
CANDIDATES: Final = 500
"""Patients whose names a search decrypts at most, those with the best keys first."""

_COLUMNS: Final = (col(Patient.given_name_bidx), col(Patient.family_name_bidx))
_SEALED: Final = tuple(f"{name}_enc" for name in NAMES)


@dataclass(frozen=True, slots=True)
class Match:
    """A patient who matches a search: the version, and the patient."""

    version: UUID
    patient: UUID


def ranked(session: TenantSession, name: str, wanted: PatientFilter) -> list[Match]:
    """The patients with this name, at most ``MOST``: exact matches, then beginnings of names, then misspelt ones.

    Every word must match a word of the patient's names, in any order.

    Args:
        session: the tenant's transaction.
        name: the words; the beginning of a word is enough from 3 letters on.
        wanted: what else must hold.

    Raises:
        Invalid: an identifier or phone has nothing in it to look for.
    """
    words = words_of(name)
    if not words:
        return []
    safe = vault(session)
    keys = [keys_of_word(safe.maker, word) for word in words]
    sealed = [col(getattr(Patient, column)) for column in _SEALED]
    statement: Any = (
        select(Patient.version_id, Patient.uuid, PatientKey.tenant_key_version, PatientKey.wrapped_key, *sealed)
        .join(PatientKey, col(PatientKey.patient_uuid) == col(Patient.uuid))
        .where(
            *patient_conditions(session, wanted),
            *(_has(_near(word, each)) for word, each in zip(words, keys, strict=True)),
        )
        .order_by(
            sum((_weight(word, each) for word, each in zip(words, keys, strict=True)), literal(0)).desc(),
            col(Patient.uuid),
        )
        .limit(CANDIDATES)
    )
    matches: list[tuple[tuple[Any, ...], Match]] = []
    for version, patient, key_version, wrapped, *names in session.exec(statement).all():
        safe.take_patient_key(patient, key_version, wrapped)
        texts = legible_texts(safe, patient, _SEALED, names)
        if (quality := match(words, words_of(*texts))) is not None:
            matches.append(((*quality, " ".join(filter(None, texts)).casefold(), patient), Match(version, patient)))
    return [each for _, each in sorted(matches, key=lambda pair: pair[0])[:MOST]]


def _near(word: str, keys: WordKeys) -> tuple[int, ...]:
    """Return the keys of a word of which a patient must have one: its sound and its first letters.

    A misspelt word shares one of these with the right word. A very short word has only the key of the whole word.
    """
    return (keys.whole,) if len(word) < min(PREFIXES) else (keys.sound, keys.prefixes[0])


def _weight(word: str, keys: WordKeys) -> ColumnElement[int]:
    """SQL of a weight, which is higher for a patient who has a better key of the word."""
    best = [((keys.whole,), 4)]
    if len(word) >= min(PREFIXES):
        best += [((keys.prefixes[-1],), 2), ((keys.sound,), 1)]
    return case(*((_has(each), weight) for each, weight in best), else_=0)


def _has(keys: Sequence[int]) -> ColumnElement[bool]:
    return or_(*(column.op("&&")(cast(list(keys), ARRAY(SmallInteger))) for column in _COLUMNS))
