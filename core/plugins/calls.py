"""Calls of what plugins offer: first-party ones in this process, others in a process of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from core import tracing
from core.database import require_none
from core.deliveries import NOT_TRIED
from core.plugins import hosts, manager
from core.plugins.errors import PluginFailed
from core.plugins.hook_calls import call_method
from core.plugins.hosts import CALLS
from core.plugins.kinds import types_of
from core.plugins.wire import BadValueError, decode, encode
from plugins.sdk import Outcome

if TYPE_CHECKING:
    from uuid import UUID

    from core.database import TenantRef
    from core.plugins.catalogue import Offer
    from core.plugins.plugin_process import PluginProcess

RESERVED: Final = "reserved_reason"
"""Reason in place of one that only the platform gives: with it a plugin would be tried without end."""


def call(offer: Offer, tenant: TenantRef, method: str, *arguments: object) -> Any:  # noqa: ANN401 - see the method
    """Call a method of an offer, and return its checked result.

    Args:
        offer: of an installed plugin.
        tenant: for whom it is called: a process of a third-party plugin serves one tenant only.
        method: of the offer's protocol.
        arguments: values of the SDK's types.

    Raises:
        PluginFailed: it raised, died, took too long, or gave something of another type.
        TransactionOpenError: a transaction is open.
    """
    require_none(f"plugin {offer.point.name!r} was called")
    try:
        with tracing.span(f"plugin {offer.name}", iit_plugin=offer.name, iit_plugin_operation=method):
            result = _called(offer, tenant, method, [encode(each) for each in arguments])
            value = decode(types_of(offer.kind, method)[1], result)
    except PluginFailed as error:
        CALLS.add(offer.name, "failed")
        manager.count_failure(offer.name, method, error)
        raise
    except BadValueError as error:
        CALLS.add(offer.name, "garbage")
        manager.count_failure(offer.name, method, error)
        detail = f"plugin {offer.name!r} gave something else than {method} gives: {error}"
        raise PluginFailed(detail) from None
    if isinstance(value, Outcome) and value.reason in NOT_TRIED:
        value = replace(value, reason=RESERVED)
    CALLS.add(offer.name, "done")
    return value


def _called(offer: Offer, tenant: TenantRef, method: str, arguments: list[Any]) -> Any:  # noqa: ANN401
    if offer.first_party:
        try:
            return call_method(offer.implementation, offer.kind, method, arguments)
        except BadValueError:
            raise
        except (Exception, SystemExit) as error:
            detail = f"plugin {offer.name!r} raised {type(error).__name__} in {method}"
            raise PluginFailed(detail) from error
    return _called_in_process(offer, tenant.id, method, arguments)


def _called_in_process(offer: Offer, tenant_id: UUID, method: str, arguments: list[Any]) -> Any:  # noqa: ANN401 - JSON
    """Return what a method of a third-party offer gives in the plugin's process of the tenant, unchecked."""
    request = {
        "id": uuid4().hex,
        "plugin": offer.point.name,
        "reference": offer.point.value,
        "kind": offer.kind,
        "name": offer.name,
        "method": method,
        "arguments": arguments,
    }

    def work(process: PluginProcess) -> Any:  # noqa: ANN401 - any JSON
        return process.ask(request, hosts.CALL_SECONDS if process.answered else hosts.START_SECONDS)

    return hosts.run_in_process(hosts.Host(offer.point.name, tenant_id), work)
