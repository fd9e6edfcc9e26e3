"""Facts whose row names its facility by name alone: the name decides where a person is known at several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.database.arrays import bytea_array
from tenants.imports.facts import Fact, PatientBound, Reading
from tenants.imports.staging.likeness import folded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from core.database import TenantSession

_NAMES = "SELECT datim_id, name FROM facilities WHERE name <> datim_id"
_KNOWN_AT = """
SELECT source_key, datim_id FROM patients
WHERE source_key = ANY(%(keys)s::bytea[]) AND source = %(source)s AND known_to IS NULL AND NOT voided
"""


class NamedFacilities:
    """The facilities on record by name, without case, spaces and punctuation; a name that several have is of none."""

    def __init__(self, source: str, key_of: Callable[[str], bytes]) -> None:
        """Take the import's source, and what makes the key of a patient's identifier."""
        self._source = source
        self._key_of = key_of
        self._codes: dict[str, str] | None = None

    def place(self, session: TenantSession, facts: Iterable[tuple[Reading, Fact]]) -> None:
        """Give facts the facility that their row names, where their person is known there.

        Of a person who is known elsewhere alone, the fact stays without one: it is at its patient's.

        Args:
            session: the step's transaction.
            facts: with the rows that they come from.
        """
        named = [
            (fact, reading.facility_name)
            for reading, fact in facts
            if reading.facility_name and fact.facility is None and isinstance(fact, PatientBound)
        ]
        if not named:
            return
        codes = self._on_record(session)
        meant = [(fact, code) for fact, name in named if (code := codes.get(folded(name))) is not None]
        keys = {self._key_of(fact.patient) for fact, _ in meant}
        values: dict[str, Any] = {"keys": bytea_array(keys), "source": self._source}
        with session.cursor() as cursor:
            there = {(bytes(key), code) for key, code in cursor.execute(_KNOWN_AT, values).fetchall()}
        for fact, code in meant:
            if (self._key_of(fact.patient), code) in there:
                fact.facility = code

    def _on_record(self, session: TenantSession) -> dict[str, str]:
        if self._codes is None:
            with session.cursor() as cursor:
                rows = cursor.execute(_NAMES).fetchall()
            codes: dict[str, set[str]] = {}
            for code, name in rows:
                codes.setdefault(folded(name), set()).add(code)
            self._codes = {name: min(found) for name, found in codes.items() if name and len(found) == 1}
        return self._codes
