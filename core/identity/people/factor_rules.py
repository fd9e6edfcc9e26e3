"""How people sign in: who must have a second factor, which a tenant's roles and the installation say; the language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import text

from core.clock import now
from core.database import platform_session
from core.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from core.database import TenantSession

RoleName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]


class SignInSettings(BaseModel):
    """The tenant's rules for signing in."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    settings_key: ClassVar[str] = "sign_in"

    second_factor_roles: list[RoleName] = Field(default=[], max_length=100)
    """Roles whose holders need a second factor with their password, such as `partner_admin` and `data_officer`. A
    holder without one must set it up at the next request, before anything else. A sign-in by the partner's own provider
    (SSO) needs none from us, because the provider decides about second factors."""

    language: Literal["en", "fr", "pt"] = "en"
    """Language of pages and e-mails for people who have not chosen one, if their browser asks for none of these."""


def operators_need_factor() -> bool:
    """Return whether operators of the installation must have a second factor."""
    settings = get_settings()
    wanted = settings.operator_second_factor
    return settings.environment == "production" if wanted is None else wanted


def must_have_factor(*, operator: bool, roles: Collection[str], roles_with_factor: Collection[str] | None) -> bool:
    """Return whether a person who signs in with a password must have a second factor.

    Args:
        operator: the person is an operator of the installation.
        roles: their roles in the tenant.
        roles_with_factor: the roles that the tenant named; None where it named none.
    """
    if operator:
        return operators_need_factor()
    return not set(roles).isdisjoint(roles_with_factor or ())


def copy_rule(session: TenantSession, payload: Mapping[str, Any]) -> None:
    """Copy the tenant's setting to ``platform``, where each request's look-up of the session reads it.

    Listens to ``settings.changed`` and ``tenant.restored``. The copy commits just before the setting does; if that
    commit fails, the next change copies again.
    """
    if payload.get("key", SignInSettings.settings_key) != SignInSettings.settings_key:
        return
    with session.cursor() as cursor:
        cursor.execute("SELECT value FROM tenant_settings WHERE key = %s", (SignInSettings.settings_key,))
        row = cursor.fetchone()
    values: Mapping[str, Any] = {} if row is None else row[0]
    with platform_session() as platform:
        platform.execute(
            text(
                "INSERT INTO platform.sign_in_rules (tenant_id, roles, language, changed_at)"
                " VALUES (:tenant, :roles, :language, :now) ON CONFLICT (tenant_id) DO UPDATE"
                " SET roles = excluded.roles, language = excluded.language, changed_at = excluded.changed_at"
            ),
            {
                "tenant": session.tenant.id,
                "roles": sorted(set(values.get("second_factor_roles", []))),
                "language": values.get("language"),
                "now": now(),
            },
        )
