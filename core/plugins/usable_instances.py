"""Instances that can be used now: their settings and secrets, calls of their plugin, and the log of what fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from core.database import require_none, tenant_session
from core.errors import NotFound
from core.plugins import instances, settings_schema
from core.plugins.calls import call
from core.plugins.catalogue import Offer, find_offer
from core.plugins.errors import PluginBusy, PluginFailed
from core.plugins.filling import storable, without_marks
from core.plugins.instance_health import success_is_news
from core.plugins.instance_models import PluginFailure
from plugins.sdk.http_types import MOST_TEXT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.database import TenantRef

ACTOR: Final = "system:plugins"
MOST_OUTPUT: Final = 4_000
_PERSONAL: Final = frozenset({"acts", "reports", "received", "status"})
"""The methods that read what a vendor says of people: nobody stores or shows what a plugin writes about it."""


@dataclass(frozen=True, slots=True)
class UsableInstance:
    """An instance that can be used now, with its secrets.

    Attributes:
        tenant: whose it is.
        instance_id: its id.
        offer: of the plugin.
        settings: as the plugin gets them, with marks in place of the secrets.
        secrets: by name.
        hosts: to which its requests may go; None if to any.
        success_is_news: whether a success changes what its row says.
    """

    tenant: TenantRef
    instance_id: UUID
    offer: Offer
    settings: Mapping[str, Any]
    secrets: Mapping[str, str]
    hosts: Sequence[str] | None
    success_is_news: bool = False

    def call(self, method: str, *arguments: object) -> Any:  # noqa: ANN401 - see the method
        """Call a method of the plugin with the settings as its last argument.

        Raises:
            PluginFailed: see ``core.plugins.calls``. The failure is in the instance's log, without the plugin's own
                words if the method reads what people wrote.
        """
        try:
            return call(self.offer, self.tenant, method, *arguments)
        except PluginBusy:
            raise
        except PluginFailed as error:
            if method in _PERSONAL:
                log_failure(self.tenant, self.instance_id, method, error.slug)
                detail = f"plugin {self.offer.name!r} failed in {method}"
                raise type(error)(detail) from None
            log_failure(self.tenant, self.instance_id, method, error.detail, getattr(error, "output", ""))
            raise


class NotUsableError(Exception):
    """An instance cannot be used now.

    Attributes:
        reason: ``no_instance``, ``disabled``, ``secrets_missing`` or ``plugin_missing``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def open_instance(tenant: TenantRef, instance_id: UUID, kind: str) -> UsableInstance:
    """Return an instance with its secrets, for one use.

    Raises:
        NotUsableError: there is none of this kind, it is disabled or lacks its secrets, or its plugin is not
            there.
        TransactionOpenError: a transaction is open.
    """
    require_none("an instance of a plugin was used")
    with tenant_session(tenant, actor=ACTOR, readonly=True) as session:
        try:
            row = instances.get_instance(session, instance_id)
        except NotFound:
            row = None
        if row is None or row.kind != kind:
            reason = "no_instance"
            raise NotUsableError(reason)
        if not row.enabled:
            reason = "disabled"
            raise NotUsableError(reason)
        if instances.needs_secrets(row):
            reason = "secrets_missing"
            raise NotUsableError(reason)
        secrets, settings, plugin = instances.secrets_of(session, row), row.settings, row.plugin
        is_news = success_is_news(row)
    offer = find_offer(kind, plugin, tenant)
    if offer is None:
        reason = "plugin_missing"
        raise NotUsableError(reason)
    schema = offer.schema
    secrets = instances.with_late_secrets(schema, settings, secrets)
    settings = {name: value for name, value in settings.items() if name not in secrets}
    limited = not offer.first_party or settings_schema.HOSTS in schema
    return UsableInstance(
        tenant,
        instance_id,
        offer,
        settings_schema.with_marks(schema, without_marks(settings), secrets),
        secrets,
        settings_schema.hosts_of(schema, {**settings, **secrets}) if limited else None,
        is_news,
    )


def log_failure(tenant: TenantRef, instance_id: UUID, operation: str, reason: str, output: str = "") -> None:
    """Write a failure into the instance's log, if the instance is still there."""
    with tenant_session(tenant, actor=ACTOR) as session:
        try:
            instances.get_instance(session, instance_id)
        except NotFound:
            return
        row = PluginFailure(
            instance_id=instance_id,
            operation=operation,
            reason=storable(reason)[:MOST_TEXT],
            output=storable(output)[-MOST_OUTPUT:],
        )
        session.add(row)
