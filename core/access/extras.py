"""The check of an extra in the signature of a route: ``Depends(entitled("sms"))``."""

from collections.abc import Callable

from core.access.scope import TenantScope
from core.entitlements import Extra, require


def entitled(extra: Extra) -> Callable[..., None]:
    """Return a dependency that rejects a tenant that may not use an extra now. Name it before ``TenantDb``.

    Its route raises ``PaymentRequired`` (402) or ``CapReached`` (429), with the remedy.
    """

    def check(scope: TenantScope) -> None:
        require(scope.tenant, extra)

    return check
