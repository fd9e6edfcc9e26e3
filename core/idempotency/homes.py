"""Where the effect of a write is, and so where its answer is stored: a marker in the dependencies of its route.

Without a marker the effect is in the tenant's schema, in the transactions that the request opens there.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from fastapi import Depends

from core.access.require import OperatorRequirement, open_to_all
from core.access.scope import authenticate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi.dependencies.models import Dependant


class Home(Enum):
    """The place of a write's effect.

    Attributes:
        TENANT: the tenant's schema; all of the effect is one transaction there.
        PLATFORM: ``platform`` in the control database. Audit rows in the tenant's schema commit before.
        ROLES: the tenant's schema, and after it ``platform``, which says that the tenant's roles have changed.
        STEPS: several transactions, each of which can run again without a second effect; the answer is stored after
            the last one, in the tenant's schema.
        REPEATABLE: to repeat the write changes nothing more, or the write only reads. No answer is stored.
    """

    TENANT = "tenant"
    PLATFORM = "platform"
    ROLES = "roles"
    STEPS = "steps"
    REPEATABLE = "repeatable"


class HomeMarker:
    """The dependency that declares a route's home; it does nothing by itself."""

    def __init__(self, home: Home) -> None:
        self.home = home

    async def __call__(self) -> None:
        """Do nothing."""


CONTROL_DATABASE = Depends(HomeMarker(Home.PLATFORM))
"""``@router.post("/keys", dependencies=[CONTROL_DATABASE])``: the effect is in ``platform``."""

ROLES = Depends(HomeMarker(Home.ROLES))
"""The effect is a change of the tenant's own roles."""

IN_STEPS = Depends(HomeMarker(Home.STEPS))
"""The effect is several transactions, because it calls a model or stores files between them."""

REPEATABLE = Depends(HomeMarker(Home.REPEATABLE))
"""The write only reads, or sets what a repetition sets again."""


def home_of(dependant: Dependant) -> Home:
    """Return the home that a route's dependencies declare; without one, ``platform`` for operators, else the tenant.

    Raises:
        LookupError: it declares none, and its caller may have no tenant.
    """
    calls = list(calls_of(dependant))
    declared = next((call.home for call in calls if isinstance(call, HomeMarker)), None)
    if declared is not None:
        return declared
    if any(isinstance(call, OperatorRequirement) for call in calls):
        return Home.PLATFORM
    if authenticate not in calls and open_to_all not in calls:
        message = f"the write {dependant.path} may have no tenant: declare the home of its effect (core.idempotency)"
        raise LookupError(message)
    return Home.TENANT


def calls_of(dependant: Dependant) -> Iterator[object]:
    """Return the functions of all dependencies of a route."""
    yield dependant.call
    for child in dependant.dependencies:
        yield from calls_of(child)
