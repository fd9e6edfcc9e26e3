"""The sections of the pages of work that a person may open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.web.texts import gettext as _

if TYPE_CHECKING:
    from core.identity import Principal


def sections_of_work(principal: Principal, current: str) -> list[tuple[str, str, bool]]:
    """The address and name of each section that the principal may open, and whether it is the one shown."""
    whole_clinics = principal.assigned_to is None
    whole_tenant = whole_clinics and principal.facility_ids is None and principal.states is None
    pages = [("/follow-up", _("My work"), "attempts.read" in principal.permissions)]
    pages.append(("/follow-up/verify", _("To verify"), "statuses.verify" in principal.permissions))
    pages.append(("/follow-up/team", _("Team"), whole_tenant and "team.manage" in principal.permissions))
    pages.append(("/follow-up/funnel", _("Funnel"), whole_clinics and "funnel.read" in principal.permissions))
    pages.append(("/follow-up/effect", _("Effect"), whole_clinics and "funnel.read" in principal.permissions))
    pages.append(("/follow-up/targets", _("Targets"), whole_tenant and "targets.write" in principal.permissions))
    return [(path, name, path == current) for path, name, opens in pages if opens]
