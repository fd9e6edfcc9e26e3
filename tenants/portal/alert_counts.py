"""How many alerts nobody looks after yet, as the navigation shows it beside its entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from core.web.texts import ngettext
from tenants.alerts import service

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.access import Scope
    from core.database import TenantSession

READ: Final = "alerts.read"
Counts = dict[str, tuple[int, str]]
"""Path of an entry of the navigation -> a number, and what it counts in words."""


def counts_in(session: TenantSession) -> Counts:
    """Return the counts of a reader of alerts, within the session's reach."""
    number = service.count_open(session)
    return {"/alerts": (number, ngettext("{count} open", "{count} open", number))}


def counts_for(scope: Scope) -> Mapping[str, tuple[int, str]]:
    """Return the counts for pages about other things; none for who may not read alerts."""
    if READ not in scope.principal.permissions:
        return {}
    with scope.session(readonly=True) as session:
        return counts_in(session)
