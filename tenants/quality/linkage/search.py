"""The search for people recorded twice: read the patients, compare them, store pairs for a person to judge."""

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
from tenants.quality.linkage.agreement import PARTS, agrees, label
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
"""The lowest probability of a candidate."""

OVERLAPPING_THRESHOLD: Final = 0.999
"""The lowest probability of a pair in care at two facilities in turns, because one person seldom is."""

MAY_BE_TWINS: Final = "may be twins: born on one day, and a name differs"
"""A note on a pair that agrees in all that twins share. Such a pair is never more probable than ``THRESHOLD``."""

CHUNK: Final = 5000


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a search, in numbers."""

    patients: int
    pairs: int
    new: int
    reopened: int
    gone: int
    failed_estimates: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The numbers as the audit records them, with the names of estimates that failed."""
        return {
            "patients": self.patients,
            "pairs": self.pairs,
            "new": self.new,
            "reopened": self.reopened,
            "gone": self.gone,
            **({"failed_estimates": list(self.failed_estimates)} if self.failed_estimates else {}),
        }


def read(session: TenantSession) -> People:
    """Read the keys of all patients on record who are neither erased nor merged. A name lives while its row is read."""
    return gather(_persons(session), KeyMaker(key_ring(session).index))


def compare(people: People) -> Comparison:
    """Return the pairs that are probably one person. It needs no transaction; leave none open."""
    return compare_keys(people, threshold=THRESHOLD)


def keep(session: TenantSession, people: People, comparison: Comparison) -> Outcome:
    """Store the pairs as candidates, with the evidence of their care.

    A pair that a person refused stays refused until its evidence changes. A pending pair that the search no longer
    finds becomes gone.
    """
    lock_for_import(session)  # two searches at once would each see only part of the other's pairs
    pair_of = {(people.uuids[pair.left], people.uuids[pair.right]): pair for pair in comparison.pairs}
    keys = sorted(tuple(sorted(key)) for key in pair_of)
    care = repository.care(session, [(first, second) for first, second in keys])
    stored = repository.existing(session)
    moment = now()
    fresh: list[tuple[Any, ...]] = []
    new = reopened = 0
    kept_pairs: set[tuple[UUID, UUID]] = set()
    for (left, right), pair in pair_of.items():
        first, second = sorted((left, right))
        care_of_pair = care.get((first, second))
        if care_of_pair is None:  # voided or merged since the read
            continue
        if care_of_pair["care"] == "overlapping" and pair.probability < OVERLAPPING_THRESHOLD:
            continue
        evidence = _evidence(pair, care_of_pair)
        twins = _may_be_twins(pair, care_of_pair["care"])
        if twins:
            evidence["differ"] = [*evidence["differ"], MAY_BE_TWINS]
        digest = evidence_hash(evidence)
        before = stored.get((first, second))
        kept_pairs.add((first, second))
        if before is None:
            new += 1
        elif before[0] == "refused" and before[1] == digest:
            continue
        elif before[0] in ("refused", "gone"):
            reopened += 1
        elif before[0] == "merged":  # merged and unmerged before: a person has judged it
            continue
        probability = min(pair.probability, THRESHOLD) if twins else pair.probability
        fresh.append((first, second, round(probability, 4), evidence, digest, moment))
    repository.upsert_candidates(session, fresh)
    gone = repository.mark_gone(
        session, [pair for pair, (state, _) in stored.items() if state == "pending"], kept_pairs
    )
    failed = comparison.failed_estimates
    tenant_settings.put(
        session,
        Linkage(finished_at=moment, patients=len(people), pairs=len(kept_pairs), failed_estimates=list(failed)),
    )
    return Outcome(len(people), len(kept_pairs), new, reopened, gone, failed)


def search(session: TenantSession) -> Outcome:
    """Read, compare and store in one transaction, for the command line and tests."""
    people = read(session)
    return keep(session, people, compare(people))


def evidence_hash(evidence: dict[str, Any]) -> str:
    """Return a hash that changes when the parts that agree, differ or are missing change, or the care.

    Probabilities do not count.
    """
    text = json.dumps({name: evidence[name] for name in ("agree", "differ", "care")}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _evidence(pair: Pair, care: dict[str, Any]) -> dict[str, Any]:
    agree: list[str] = []
    differ: list[str] = []
    for part in PARTS:
        level = pair.levels[part.name]
        level_label = label(part.name, level)
        if level_label is not None:
            (agree if agrees(part.name, level) or level_label.startswith("same") else differ).append(level_label)
    return {"agree": agree, "differ": differ, **care}


def _may_be_twins(pair: Pair, care: str) -> bool:
    """Whether the pair has one birth date and different names, as twins have.

    Names that are alike (Hassan and Hussaini sound alike) may be one name with a typing error. But two people who come
    to one clinic in turns are two.
    """
    label_of_part = {part: label(part, pair.levels[part]) or "" for part in ("names", "birth")}
    close = label_of_part["names"] == "one name is alike" or (
        label_of_part["names"] == "names are alike" and care == "together"
    )
    return close and label_of_part["birth"].startswith("same birth date")


def _persons(session: TenantSession) -> Iterator[Person]:
    safe = vault(session)
    after = UUID(int=0)
    while rows := repository.patients(session, after, CHUNK):
        safe.load_patient_keys([row[0] for row in rows])
        for uuid, facility, given_name, family_name, *facts in rows:
            yield Person(
                uuid=uuid,
                facility=facility,
                given_name=_open(safe, uuid, "given_name_enc", given_name),
                family_name=_open(safe, uuid, "family_name_enc", family_name),
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
    """A decrypted name; None where decryption fails. A patient without a readable name is not compared by name."""
    if data is None:
        return None
    try:
        return safe.decrypt(uuid, TABLE, column, uuid, data)
    except (CannotDecrypt, PatientErased):
        return None
