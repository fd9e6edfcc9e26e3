"""Principals: who acts, with the facts of a verified credential."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from uuid import UUID

from core.database.reach import Reach

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from core.database import TenantRef


_PERSON: Final = "person:"


def actor_of_person(person_id: UUID) -> str:
    """Return the name of a person in sessions, audit and logs.

    >>> actor_of_person(UUID("019c2282-2340-72fa-bad3-569c01a5ba50"))
    'person:019c2282-2340-72fa-bad3-569c01a5ba50'
    """
    return f"{_PERSON}{person_id}"


def person_of_actor(actor: str) -> UUID | None:
    """Return the person whom ``actor_of_person`` names so; None for keys, operators, jobs and the system."""
    return UUID(actor.removeprefix(_PERSON)) if actor.startswith(_PERSON) else None


def people_of_actors(actors: Iterable[str]) -> set[UUID]:
    """Return the people among these actors."""
    return {person for actor in actors if (person := person_of_actor(actor)) is not None}


@dataclass(frozen=True, slots=True)
class Principal:
    """The person, key or operator who sends a request, runs a command or a job, with their permissions.

    Attributes:
        kind: ``api_key``, ``person``, ``operator``, ``cli`` or ``job``.
        id: a stable, impersonal identifier: the id of the key, of the person's account, of the job.
        tenant_id: the tenant that the principal acts for; None only for operators.
        permissions: names of the permissions that the principal holds.
        name: how pages and ``/v1/me`` call the principal. Never in the audit or in a log.
        roles: names of the roles that the permissions come from; empty for API keys.
        facility_ids: the facilities that the principal may reach; None for all of the tenant.
        states: the states whose facilities the principal may reach; None for all of the tenant.
        assigned_to: the person whose assigned patients are all that the principal may reach; None for all patients.
        on_behalf_of: the actor whom the principal acts for, such as an operator with a support grant; else None.
        credential: the name of the credential's kind; see ``core.identity.credentials``.
        credential_id: the session or token, where it is not the principal itself.
        signed_in_by: how a person signed in, such as ``password`` or ``oidc``; None for API keys.
        expires_at: when the credential ends; None for never.
        language: the language that a person chose for pages and letters; None for none.
    """

    kind: str
    id: str
    tenant_id: UUID | None
    permissions: frozenset[str] = field(default_factory=frozenset)
    name: str = field(default="", repr=False)
    roles: frozenset[str] = field(default_factory=frozenset)
    facility_ids: frozenset[UUID] | None = None
    states: frozenset[str] | None = None
    assigned_to: UUID | None = None
    on_behalf_of: str | None = None
    credential: str = "api_key"
    credential_id: str | None = None
    signed_in_by: str | None = None
    expires_at: datetime | None = None
    language: str | None = None

    @property
    def reach(self) -> Reach:
        """What the principal may reach: what satisfies ``facility_ids``, ``states`` and ``assigned_to``."""
        return Reach(self.facility_ids, self.states, self.assigned_to)

    @property
    def actor(self) -> str:
        """The name of the principal in sessions, audit and logs: ``kind:id``."""
        return f"{self.kind}:{self.id}"


@dataclass(frozen=True, slots=True)
class CredentialOwner:
    """The principal that a valid credential identifies, and its tenant. Operators have no tenant.

    Attributes:
        language: the tenant's language for people who chose none; None where it chose none.
    """

    principal: Principal
    tenant: TenantRef | None
    language: str | None = None
