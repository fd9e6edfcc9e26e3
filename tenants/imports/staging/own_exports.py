"""Lists that this installation exported: their patient identifiers are the platform's own.

Imported as a partner's list, such a file would duplicate every person on it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from uuid import UUID

from core.database.arrays import uuid_array
from core.errors import FieldError, Invalid
from tenants.imports.facts import Fact, PatientFact

if TYPE_CHECKING:
    from collections.abc import Iterable

    from core.database import TenantSession

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", re.IGNORECASE)
_KNOWN = "SELECT EXISTS (SELECT FROM patients WHERE uuid = ANY(%s::uuid[]))"


def reject_own_export(session: TenantSession, facts: Iterable[Fact]) -> None:
    """Reject files whose people carry the platform's own identifiers.

    Args:
        session: the step's transaction.
        facts: the facts of the import's first rows. They are enough, because every row of an export has an identifier.

    Raises:
        Invalid: the identifier of a person is the UUID of a patient of this tenant.
    """
    people = [fact for fact in facts if isinstance(fact, PatientFact)]
    uuids = {UUID(fact.patient) for fact in people if _UUID.match(fact.patient)}
    if not uuids:
        return
    with session.cursor() as cursor:
        ((known,),) = cursor.execute(_KNOWN, (uuid_array(uuids),)).fetchall()
    if known:
        problem = "these are identifiers of this platform: the list is one of its own exports"
        remedy = (
            "import the list that the source system exports; correct records there, or here over the API"
            " (importing an export would double its people)"
        )
        raise Invalid(problem, remedy=remedy, errors=[FieldError(people[0].label("patient"), problem, remedy)])
