"""A search for people recorded twice: read who the patients are, compare, keep the pairs for a person to judge."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from core.clock import now
from core.privacy import vault
from core.privacy.errors import CannotDecrypt, PatientErased
from core.privacy.tenant_keys import key_ring
from core.tenancy import settings as tenant_settings
from tenants.quality.linkage import repository
from tenants.quality.linkage.agreement import PARTS, agrees, says
from tenants.quality.linkage.keys import KeyMaker
from tenants.quality.linkage.model import Comparison, Pair
from tenants.quality.linkage.model import compare as compare_keys
from tenants.quality.linkage.people import People, Person, gather
from tenants.quality.settings import Linkage
from tenants.records.locks import lock_for_import
from tenants.records.personal import TABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.database import TenantSession
    from core.privacy.vault import Vault

THRESHOLD: Final = 0.9
"""Least probability of a candidate."""

OVERLAPPING_THRESHOLD: Final = 0.999
"""The same where the two were in care at two facilities by turns, which one person rarely is."""

MAY_BE_TWINS: Final = "may be twins: born on one day, and a name differs"
"""Said of a pair that agrees in all that twins share. Such a pair is never more probable than ``THRESHOLD``."""

CHUNK: Final = 5000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a search came to."""

    patients: int
    pairs: int
    new: int
    reopened: int
    gone: int
    failed_estimates: tuple[str, ...] = ()

    def told(self) -> dict[str, Any]:
        """As the audit keeps it: numbers, and the names of estimates that failed."""
        return {
            "patients": self.patients,
            "pairs": self.pairs,
            "new": self.new,
            "reopened": self.reopened,
            "gone": self.gone,
            **({"failed_estimates": list(self.failed_estimates)} if self.failed_estimates else {}),
        }


def read(session: TenantSession) -> People:
    """The keys of all patients on record, the erased and the merged left out. A name lives while its row is read."""
    return gather(_persons(session), KeyMaker(key_ring(session).index))


def compare(people: People) -> Comparison:
    """The pairs that are probably one person. Needs no transaction, and none should be open."""
    return compare_keys(people, threshold=THRESHOLD)


def keep(session: TenantSession, people: People, comparison: Comparison) -> Outcome:
    """Store the pairs, with what their care says of them, as candidates.

    A pair that a person refused stays refused until what agrees is no longer the same. A pending one that is not found
    any more is marked as gone.
    """
    lock_for_import(session)  # two searches at once would see each other's pairs half
    named = {(people.uuids[pair.left], people.uuids[pair.right]): pair for pair in comparison.pairs}
    keys = sorted(tuple(sorted(key)) for key in named)
    care = repository.care(session, [(first, second) for first, second in keys])
    standing = repository.standing(session)
    moment = now()
    fresh: list[tuple[Any, ...]] = []
    new = reopened = 0
    kept: set[tuple[UUID, UUID]] = set()
    for (left, right), pair in named.items():
        first, second = sorted((left, right))
        told = care.get((first, second))
        if told is None:  # voided or merged since they were read
            continue
        if told["care"] == "overlapping" and pair.probability < OVERLAPPING_THRESHOLD:
            continue
        evidence = _evidence(pair, told)
        twins = _may_be_twins(pair, told["care"])
        if twins:
            evidence["differ"] = [*evidence["differ"], MAY_BE_TWINS]
        digest = evidence_hash(evidence)
        before = standing.get((first, second))
        kept.add((first, second))
        if before is None:
            new += 1
        elif before[0] == "refused" and before[1] == digest:
            continue
        elif before[0] in ("refused", "gone"):
            reopened += 1
        elif before[0] == "merged":  # merged once and unmerged since: a person has judged it
            continue
        probability = min(pair.probability, THRESHOLD) if twins else pair.probability
        fresh.append((first, second, round(probability, 4), evidence, digest, moment))
    repository.put(session, fresh)
    gone = repository.mark_gone(session, [pair for pair, (state, _) in standing.items() if state == "pending"], kept)
    failed = comparison.failed_estimates
    tenant_settings.put(
        session,
        Linkage(finished_at=moment, patients=len(people), pairs=len(kept), failed_estimates=list(failed)),
    )
    return Outcome(len(people), len(kept), new, reopened, gone, failed)


def search(session: TenantSession) -> Outcome:
    """Read, compare and keep in one transaction: for the command line and tests."""
    people = read(session)
    return keep(session, people, compare(people))


def evidence_hash(evidence: dict[str, Any]) -> str:
    """Changes when what agrees, differs or is missing changes, or what care says; not with probabilities."""
    text = json.dumps({name: evidence[name] for name in ("agree", "differ", "care")}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _evidence(pair: Pair, care: dict[str, Any]) -> dict[str, Any]:
    agree: list[str] = []
    differ: list[str] = []
    for part in PARTS:
        level = pair.levels[part.name]
        said = says(part.name, level)
        if said is not None:
            (agree if agrees(part.name, level) or said.startswith("same") else differ).append(said)
    return {"agree": agree, "differ": differ, **care}


def _may_be_twins(pair: Pair, care: str) -> bool:
    """Whether the pair has one birth date and names that are not the same, as twins have.

    Names that are alike (Hassan and Hussaini sound alike) may be one name with a slip; but two who come by turns to one
    clinic are two.
    """
    said = {part: says(part, pair.levels[part]) or "" for part in ("names", "birth")}
    close = said["names"] == "one name is alike" or (said["names"] == "names are alike" and care == "together")
    return close and said["birth"].startswith("same birth date")


def _persons(session: TenantSession) -> Iterator[Person]:
    safe = vault(session)
    after = UUID(int=0)
    while rows := repository.patients(session, after, CHUNK):
        safe.load_patient_keys([row[0] for row in rows])
        for uuid, facility, given, family, *facts in rows:
            yield Person(
                uuid=uuid,
                facility=facility,
                given_name=_open(safe, uuid, "given_name_enc", given),
                family_name=_open(safe, uuid, "family_name_enc", family),
                sex=facts[0],
                birthdate=facts[1],
                birthdate_estimated=facts[2],
                phone=facts[3],
                pepfar_id=facts[4],
                hospital_number=facts[5],
                art_start=facts[6],
                lga=facts[7],
            )
        safe.forget()  # keys of five thousand patients at a time
        after = rows[-1][0]


def _open(safe: Vault, uuid: UUID, column: str, data: bytes | None) -> str | None:
    """A name in the clear; none where it does not open: who cannot be read cannot be compared, and the rest goes on."""
    if data is None:
        return None
    try:
        return safe.decrypt(uuid, TABLE, column, uuid, data)
    except (CannotDecrypt, PatientErased):
        return None
