"""A tenant restored from an archive: its rule of second factors is copied, its plugins get new addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlmodel import select

from core.identity.people import factor_rules
from core.plugins.instance_models import PluginInstance
from core.plugins.instances import new_sealed_token

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.database import TenantSession


def tenant_restored(session: TenantSession, payload: Mapping[str, Any]) -> None:
    """Complete what an archive does not carry. Listens to ``tenant.restored``.

    Restored instances of plugins are disabled and without secrets; each gets a new address for its vendor's requests.
    """
    factor_rules.copy_rule(session, payload)
    for row in session.exec(select(PluginInstance).where(PluginInstance.sealed_token == "")).all():
        row.sealed_token = new_sealed_token(session, row.id)
        session.add(row)
    session.flush()
