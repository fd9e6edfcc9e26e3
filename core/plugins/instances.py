"""The instances of plugins that a tenant has set up: add, list, change, enable, disable, remove."""

from __future__ import annotations

import json
import os
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal
from uuid import UUID

from sqlmodel import col, select
from uuid_utils.compat import uuid7

from core import audit
from core.clock import now
from core.database.locks import lock_own
from core.errors import Conflict, FieldError, Invalid, NotFound, phrase
from core.plugins.catalogue import Offer, find_offer, get_offer
from core.plugins.instance_health import end_failures, rename_failures
from core.plugins.instance_models import PluginFailure, PluginInstance
from core.plugins.kinds import KINDS
from core.plugins.settings_schema import check_settings, secret_names, with_defaults
from core.privacy.sealing import seal, unseal
from core.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from core.database import TenantRef, TenantSession
    from core.web.etag import ExpectedVersions

PURPOSE: Final = "plugin"
LOCK: Final = "plugin_instances"
MOST_INSTANCES: Final = 100
_TOKEN_BYTES: Final = 32
_PLACES: Final = frozenset({"address", "endpoint", "host", "port", "server", "url"})
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f]{1,80}")

InstanceState = Literal["ready", "failing", "disabled", "missing", "needs-secrets"]
USABLE: Final = frozenset({"ready", "failing"})
"""States in which the platform uses an instance."""


@dataclass(frozen=True, slots=True)
class InstanceIn:
    """What a person or a program chooses of an instance.

    Attributes:
        name: unique among the tenant's instances of the kind.
        settings: with secrets. A secret that is missing or None stays as it is; an empty one is removed. No secret
            stays if an address or host changes.
        enabled: whether the platform uses it.
    """

    name: str
    settings: Mapping[str, Any]
    enabled: bool = True


def list_instances(session: TenantSession, kind: str | None = None) -> list[PluginInstance]:
    """Return the tenant's instances of a kind, or of all kinds, oldest first."""
    query = select(PluginInstance).order_by(col(PluginInstance.id))
    if kind is not None:
        query = query.where(PluginInstance.kind == kind)
    return list(session.exec(query))


def get_instance(session: TenantSession, instance_id: UUID, *, lock: bool = False) -> PluginInstance:
    """Return an instance of the tenant.

    Args:
        session: a transaction of the tenant.
        instance_id: the instance.
        lock: lock it, to change or remove it.

    Raises:
        NotFound: there is none (404).
    """
    query = select(PluginInstance).where(PluginInstance.id == instance_id)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    row = session.exec(query).first()
    if row is None:
        detail = "there is no such instance of a plugin"
        raise NotFound(detail)
    return row


def state_of(row: PluginInstance, tenant: TenantRef) -> InstanceState:
    """Return whether the platform can use the instance of a tenant.

    ``missing``: no plugin that is ready offers it to the tenant. ``needs-secrets``: it was restored from an archive,
    which carries no secrets. ``failing``: it is used, and fails again and again.
    """
    if find_offer(row.kind, row.plugin, tenant) is None:
        return "missing"
    if needs_secrets(row):
        return "needs-secrets"
    if not row.enabled:
        return "disabled"
    return "ready" if row.failing_since is None else "failing"


def needs_secrets(row: PluginInstance) -> bool:
    """Return whether the instance came from an archive, and lacks the secrets that it had."""
    return bool(row.secrets_set) and not row.sealed_secrets


def add_instance(session: TenantSession, kind: str, plugin: str, draft: InstanceIn, *, source: str) -> PluginInstance:
    """Set up a plugin for the tenant.

    Raises:
        NotFound: no plugin that is ready offers it (404).
        Invalid: the name or a setting is not valid (422).
        Conflict: the name is taken, or the tenant has as many instances as it may (409).
    """
    if kind not in KINDS:
        detail = phrase("there is no kind of plugin {kind}", kind=kind)
        raise Invalid(
            detail, errors=[FieldError("kind", detail, phrase("Choose one of: {names}.", names=", ".join(KINDS)))]
        )
    offer = get_offer(kind, plugin, session.tenant)
    with session.cursor() as cursor:
        lock_own(cursor, LOCK)  # two who count at the same time would both find room
    if len(list_instances(session)) >= MOST_INSTANCES:
        detail = phrase("a partner has at most {most} instances of plugins", most=MOST_INSTANCES)
        raise Conflict(detail, remedy="Remove an instance that you no longer use.")
    instance_id = uuid7()
    row = PluginInstance(
        id=instance_id,
        kind=kind,
        plugin=plugin,
        name=draft.name,
        events=[],
        settings={},
        secrets_set=[],
        sealed_secrets="",
        sealed_token=new_sealed_token(session, instance_id),
        created_by=session.actor,
    )
    _apply(session, row, offer, draft, {})
    audit.record(session, f"{source}:plugin:create", "plugin_instance", instance_id, {"plugin": plugin, "kind": kind})
    return row


def change_instance(
    session: TenantSession, instance_id: UUID, draft: InstanceIn, seen: ExpectedVersions, *, source: str
) -> PluginInstance:
    """Change an instance's name and settings, and whether it is used.

    Raises:
        NotFound: there is none, or no plugin that is ready offers it (404).
        Invalid: the name or a setting is not valid (422).
        Conflict: the name is taken (409).
        PreconditionFailed: the caller has seen another version (412).
    """
    row = get_instance(session, instance_id, lock=True)
    seen.check(row.version_id)
    offer = get_offer(row.kind, row.plugin, session.tenant)
    secrets = secrets_of(session, row)
    before = {"name": row.name, "settings": row.settings, "enabled": row.enabled, "secrets": secrets}
    changed = _apply(session, row, offer, draft, with_late_secrets(offer.schema, row.settings, secrets))
    after = {"name": row.name, "settings": row.settings, "enabled": row.enabled, "secrets": changed}
    names = [name for name, value in after.items() if value != before[name]]
    audit.record(session, f"{source}:plugin:change", "plugin_instance", instance_id, {"changed": names})
    return row


def set_enabled(session: TenantSession, instance_id: UUID, *, enabled: bool, source: str) -> PluginInstance:
    """Enable or disable an instance. One that is so already stays as it is.

    Raises:
        NotFound: there is none (404).
        Conflict: it was restored from an archive, and lacks its secrets (409).
    """
    row = get_instance(session, instance_id, lock=True)
    if enabled and needs_secrets(row):
        detail = phrase("the instance needs its secrets again")
        raise Conflict(detail, remedy="Enter its secrets in its settings.")
    if row.enabled != enabled:
        end_failures(session, row)
        row.enabled = enabled
        _save(session, row)
        act = "enable" if enabled else "disable"
        audit.record(session, f"{source}:plugin:{act}", "plugin_instance", instance_id, {})
    return row


def remove_instance(session: TenantSession, instance_id: UUID, seen: ExpectedVersions, *, source: str) -> None:
    """Remove an instance, with its secrets and the log of its failures.

    Raises:
        NotFound: there is none (404).
        PreconditionFailed: the caller has seen another version (412).
    """
    row = get_instance(session, instance_id, lock=True)
    seen.check(row.version_id)
    end_failures(session, row)
    session.delete(row)
    session.flush()
    audit.record(session, f"{source}:plugin:remove", "plugin_instance", instance_id, {"plugin": row.plugin})


def rotate_token(session: TenantSession, instance_id: UUID, *, source: str) -> PluginInstance:
    """Give the instance a new address for the vendor's requests. The old one ends at once.

    Raises:
        NotFound: there is none (404).
    """
    row = get_instance(session, instance_id, lock=True)
    row.sealed_token = new_sealed_token(session, row.id)
    _save(session, row)
    audit.record(session, f"{source}:plugin:rotate", "plugin_instance", instance_id, {})
    return row


def secrets_of(session: TenantSession, row: PluginInstance) -> dict[str, str]:
    """Return the secrets of an instance by name. Give them to nobody but the sender."""
    if not row.sealed_secrets:
        return {}
    opened: dict[str, str] = json.loads(unseal(session, _purpose("secrets"), row.id, row.sealed_secrets))
    return opened


def with_late_secrets(
    schema: Mapping[str, Any], settings: Mapping[str, Any], secrets: Mapping[str, str]
) -> dict[str, str]:
    """Return the secrets, with settings that were stored before the plugin's schema called them secrets."""
    late = {name: settings[name] for name in secret_names(schema) if isinstance(settings.get(name), str)}
    return {**late, **secrets}


def shown_settings(row: PluginInstance, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of an instance that may be shown: none that its plugin calls a secret now."""
    names = {*secret_names(schema)}
    return {name: value for name, value in row.settings.items() if name not in names}


def set_secrets(row: PluginInstance, schema: Mapping[str, Any]) -> list[str]:
    """Return the names of the secrets that an instance has."""
    return sorted({*row.secrets_set, *with_late_secrets(schema, row.settings, {})})


def new_sealed_token(session: TenantSession, instance_id: UUID) -> str:
    """Return a new secret part of an instance's address for the vendor's requests, sealed."""
    token = urlsafe_b64encode(os.urandom(_TOKEN_BYTES)).decode().rstrip("=")
    return seal(session, _purpose("token"), instance_id, token)


def token_of(session: TenantSession, row: PluginInstance) -> str:
    """Return the part of the instance's address for the vendor's requests that nobody can guess."""
    return unseal(session, _purpose("token"), row.id, row.sealed_token)


def incoming_path(session: TenantSession, row: PluginInstance) -> str:
    """Return the path to which the vendor sends requests. Whoever knows it may send some."""
    return f"/v1/plugin-hooks/{session.tenant.id}/{row.id}/{token_of(session, row)}"


def incoming_url(session: TenantSession, row: PluginInstance) -> str:
    """Return the address to which the vendor sends requests; empty if the installation has no ``IIT_PUBLIC_URL``."""
    public_url = get_settings().public_url
    return public_url.rstrip("/") + incoming_path(session, row) if public_url else ""


def list_failures(session: TenantSession, instance_id: UUID, most: int = 50) -> list[PluginFailure]:
    """Return the newest failures of an instance, newest first.

    Raises:
        NotFound: there is no such instance (404).
    """
    get_instance(session, instance_id)
    query = select(PluginFailure).where(PluginFailure.instance_id == instance_id)
    return list(session.exec(query.order_by(col(PluginFailure.at).desc(), col(PluginFailure.id).desc()).limit(most)))


def forget_failures(session: TenantSession, before: datetime) -> int:
    """Delete a batch of failures from before an instant; return how many. For retention."""
    query = (
        "DELETE FROM plugin_failures WHERE id IN (SELECT id FROM plugin_failures WHERE at < %s ORDER BY at LIMIT 1000)"
    )
    with session.cursor() as cursor:
        return cursor.execute(query, (before,)).rowcount


def _apply(
    session: TenantSession, row: PluginInstance, offer: Offer, draft: InstanceIn, secrets: Mapping[str, str]
) -> dict[str, str]:
    """Put what a person chose into the row, save it, and return its secrets."""
    name = draft.name.strip()
    if any(other.name == name and other.id != row.id for other in list_instances(session, row.kind)):
        detail = phrase("another instance has the name {name}", name=name)
        remedy = phrase("Choose another name.")
        raise Conflict(detail, remedy=remedy, errors=[FieldError("name", detail, remedy)])
    names = secret_names(offer.schema)
    new = {each: value for each, value in draft.settings.items() if each in names and value is not None}
    stays = {each: value for each, value in secrets.items() if each in names and each not in new}
    plain = {each: value for each, value in draft.settings.items() if each not in names}
    if fault := next((each for each, value in new.items() if not isinstance(value, str)), None):
        detail = phrase("a secret must be a text")
        raise Invalid(detail, errors=[FieldError(f"settings.{fault}", detail)])
    sealed = {**stays, **{each: value for each, value in new.items() if value}}
    completed = _checked(offer, name, {**plain, **sealed})
    if stays:
        _require_same_places(offer, {**row.settings, **secrets}, completed, stays)
    if row.enabled and not draft.enabled:
        end_failures(session, row)
    before, row.name, row.enabled = row.name, name, draft.enabled
    rename_failures(session, row, before)
    row.events = list(offer.events)
    row.settings = {each: value for each, value in completed.items() if each not in names}
    row.secrets_set = sorted(sealed)
    row.sealed_secrets = seal(session, _purpose("secrets"), row.id, json.dumps(sealed)) if sealed else ""
    _save(session, row)
    return sealed


def _checked(offer: Offer, name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings with defaults. One error says all that is wrong with them and the name."""
    if _NAME.fullmatch(name):
        return check_settings(offer.schema, settings)
    detail = phrase("the name needs 1 to 80 characters")
    errors = [FieldError("name", detail, "Choose another name.")]
    try:
        check_settings(offer.schema, settings)
    except Invalid as error:
        errors += error.errors
    raise Invalid(detail, errors=errors)


def _require_same_places(
    offer: Offer, before: Mapping[str, Any], after: Mapping[str, Any], stays: Mapping[str, str]
) -> None:
    """Reject stored secrets for another address or host: whoever may change it could have them sent to themselves."""
    old = with_defaults(offer.schema, before)
    moved = [name for name in _place_names(offer.schema) if old.get(name) != after.get(name)]
    if moved:
        detail = phrase("the secrets belong to the earlier value of {names}", names=", ".join(moved))
        problem, remedy = phrase("was entered for another address"), phrase("Type the secret again.")
        raise Invalid(detail, errors=[FieldError(f"settings.{name}", problem, remedy) for name in sorted(stays)])


def _place_names(schema: Mapping[str, Any]) -> list[str]:
    """Return the names of the settings that say to which address or host requests go."""
    properties: Mapping[str, Mapping[str, Any]] = schema.get("properties", {})
    return [
        name
        for name, each in properties.items()
        if each.get("format") == "uri" or not _PLACES.isdisjoint(name.lower().split("_"))
    ]


def _save(session: TenantSession, row: PluginInstance) -> None:
    row.version_id, row.updated_at = uuid7(), now()
    session.add(row)
    session.flush()


def _purpose(part: str) -> str:
    return f"{PURPOSE}-{part}"
