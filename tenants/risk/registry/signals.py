"""The signal about a promotion that was rolled back by itself: the roll-back begins it, the next promotion ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from core.events import publish

if TYPE_CHECKING:
    from core.database import TenantSession

SUBJECT: Final = "roll_back"


def rolled_back(session: TenantSession, version: str, former: str) -> None:
    """Publish that the canary of a model failed, and that the former champion serves again."""
    _publish(session, [version, former], ended=False)


def promoted(session: TenantSession) -> None:
    """Publish that another model was promoted, so that an earlier roll-back needs nobody's attention any more."""
    _publish(session, [], ended=True)


def _publish(session: TenantSession, versions: list[str], *, ended: bool) -> None:
    from tenants.risk.accuracy import DRIFT

    facts = {"what": SUBJECT, "names": versions}
    publish(session, DRIFT, {"subject": SUBJECT, "value": int(not ended), "ended": ended, "facts": facts})
