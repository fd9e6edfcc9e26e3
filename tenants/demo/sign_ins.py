"""Accounts of the demo: one of each role at each simulated partner, and one operator. For development only."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sqlmodel import select

from core.cli.output import ACTOR
from core.database import TenantRef, tenant_session
from core.errors import NotFound
from core.identity.people import accounts, links, members
from core.identity.people.members import Grant
from core.identity.principal import actor_of_person
from core.identity.roles import PROGRAM, ROLES
from core.tenancy import list_tenants
from tenants.records.models import Facility

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tenants.demo.partners import Partner

OPERATOR: Final = "platform_admin"
TRACKING_OFFICER: Final = "tracking_officer"
ROLE_NAMES: Final = tuple(role.name for role in ROLES.values() if not role.operator and role.name != PROGRAM)
_WORDS: Final = (
    *("basket", "bicycle", "bottle", "bridge", "candle", "carpet", "castle", "copper", "cotton", "garden", "ginger"),
    *("hammer", "island", "ladder", "lantern", "lemon", "market", "mirror", "mountain", "needle", "orange", "pencil"),
    *("pepper", "pillow", "planet", "pocket", "ribbon", "river", "saddle", "silver", "spoon", "window"),
)
_WORDS_OF_A_PASSWORD: Final = 5


@dataclass(frozen=True, slots=True)
class Account:
    """An account of the demo.

    Attributes:
        tenant: slug of the tenant; None for the operator.
        facilities: DATIM ids of the facilities that the person looks after; None for all.
    """

    person_id: UUID
    email: str
    role: str
    tenant: str | None
    facilities: tuple[str, ...] | None = None

    @property
    def actor(self) -> str:
        """The person in the audit."""
        return actor_of_person(self.person_id)


@dataclass(frozen=True, slots=True)
class SignIns:
    """The demo's accounts. All have one password, made at the first demo of the installation."""

    password: str
    accounts: Sequence[Account]

    def of(self, tenant: str, role: str) -> Account:
        """The account of a role at a tenant."""
        return next(account for account in self.accounts if (account.tenant, account.role) == (tenant, role))

    def to_json(self) -> dict[str, Any]:
        """Return the accounts as the summary's JSON shows them."""
        accounts = [{"email": each.email, "role": each.role, "tenant": each.tenant} for each in self.accounts]
        return {"password": self.password, "accounts": accounts}


def ensure_sign_ins(folder: Path, partners: Sequence[Partner]) -> SignIns:
    """Create the accounts that do not exist yet.

    Accounts without a password get the password in ``folder``. If that password is new, all accounts get it.
    """
    password, new = _password(folder)
    accounts = [
        _member(partner, tenant, role)
        for partner in partners
        for tenant in list_tenants()
        if tenant.slug == partner.slug
        for role in ROLE_NAMES
    ]
    accounts.append(_operator())
    for account, without_password in accounts:
        if new or without_password:
            purpose = links.INVITATION if without_password and account.tenant else links.RESET
            tenant_id = next((ref.id for ref in list_tenants() if ref.slug == account.tenant), None)
            link = links.create_link(account.person_id, purpose, actor=ACTOR, tenant_id=tenant_id)
            links.use_link(link.path.removeprefix(links.PATH), password)
    return SignIns(password, [account for account, _ in accounts])


def _password(folder: Path) -> tuple[str, bool]:
    """The demo's password, and whether it is new. Only the owner of the folder's files may read it."""
    path = folder / "password"
    if path.exists():
        return path.read_text(encoding="utf-8"), False
    password = " ".join(secrets.choice(_WORDS) for _ in range(_WORDS_OF_A_PASSWORD))
    folder.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(password, encoding="utf-8")
    return password, True


def _member(partner: Partner, tenant: TenantRef, role: str) -> tuple[Account, bool]:
    """The account of a role, and whether it has no password yet."""
    email, facilities = f"{role}@{partner.slug}.example.org", None
    if role == TRACKING_OFFICER:
        facilities = _first_facilities(tenant, partner.officer_facilities)
    for member in members.list_members(tenant, limit=1000)[0]:
        if member.email == email:
            break
    else:
        grant = Grant([role], facilities)
        person_id = members.add_member(tenant, email, words(role), grant, actor=ACTOR, source="cli")
        member = members.get_member(tenant, person_id)
    datim_ids = None if facilities is None else tuple(facilities)
    return Account(member.id, email, role, partner.slug, datim_ids), member.invited


def _operator() -> tuple[Account, bool]:
    """The operator's account, and whether this call created it."""
    email, created = f"{OPERATOR}@demo.example.org", False
    try:
        person_id = members.person_of(email)
    except NotFound:
        person_id, created = accounts.add_operator(email, words(OPERATOR), OPERATOR, actor=ACTOR), True
    return Account(person_id, email, OPERATOR, None), created


def _first_facilities(tenant: TenantRef, count: int) -> list[str]:
    """The DATIM ids of the first facilities."""
    with tenant_session(tenant, actor=ACTOR, readonly=True) as session:
        query = select(Facility.datim_id).order_by(Facility.datim_id).limit(count)
        return list(session.exec(query).all())


def words(role: str) -> str:
    """The role as words."""
    return role.replace("_", " ").capitalize()
