"""Plugins over the API: what is installed, and the tenant's instances."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from core import audit
from core.access import TenantDb, TenantScope, require
from core.database import TenantSession
from core.errors import Conflict, NotFound, PreconditionFailed, PreconditionRequired
from core.errors.problem import responses
from core.idempotency import REPEATABLE
from core.identity import Principal
from core.plugins import catalogue, instances
from core.plugins.instance_models import PluginInstance
from core.plugins.instances import InstanceIn
from core.plugins.schemas import (
    Kind,
    PluginAddress,
    PluginFailureOut,
    PluginInstanceChange,
    PluginInstanceIn,
    PluginInstanceOut,
    PluginOut,
    PluginsOut,
    PluginTest,
)
from core.plugins.testing_instances import send_test
from core.web.etag import IfMatch, set_etag
from core.web.location import set_location
from core.web.own_address import origin_for_caller
from core.web.paging import Page, PageRequest, sorted_pages

router = APIRouter(tags=["plugins"])

PluginsRead = Annotated[Principal, Depends(require("plugins.read"))]
PluginsWrite = Annotated[Principal, Depends(require("plugins.write"))]
Ordered = Annotated[PageRequest, Depends(sorted_pages({"name": str}, "name"))]
CHANGES = responses(NotFound, Conflict, PreconditionFailed, PreconditionRequired)
_ONE = "/plugin-instances/{instance_id}"


@router.get("/plugins", operation_id="list_plugins", summary="List the installed plugins")
def list_plugins(_: PluginsRead, scope: TenantScope) -> PluginsOut:
    """List what the operator has installed for the tenant.

    Each says what it offers, with the schema of its settings, or why it cannot be used.
    """
    return PluginsOut(plugins=[PluginOut.of(plugin) for plugin in catalogue.installed(scope.tenant)])


@router.get("/plugin-instances", operation_id="list_plugin_instances", summary="List the instances of plugins")
def list_instances(
    _: PluginsRead,
    db: TenantDb,
    paging: Ordered,
    kind: Annotated[Kind | None, Query(description="Only of this kind.")] = None,
) -> Page[PluginInstanceOut]:
    """List the plugins that the tenant has set up, without their secrets."""
    rows = instances.list_instances(db, kind)
    descending = paging.sort is not None and paging.sort.descending
    rows.sort(key=lambda row: (row.name, row.id), reverse=descending)
    shown = rows[paging.offset : paging.offset + paging.limit]
    return Page.of([PluginInstanceOut.of(row, db.tenant) for row in shown], paging, len(rows))


@router.post(
    "/plugin-instances",
    operation_id="create_plugin_instance",
    status_code=201,
    summary="Set up a plugin",
    responses=responses(NotFound, Conflict),
)
def create_instance(_: PluginsWrite, db: TenantDb, body: PluginInstanceIn, response: Response) -> PluginInstanceOut:
    """Set up a plugin for the tenant. No answer shows a secret again."""
    draft = InstanceIn(body.name, body.settings, body.enabled)
    row = instances.add_instance(db, body.kind, body.plugin, draft, source="api")
    set_location(response, f"/v1/plugin-instances/{row.id}")
    return _answer(db, response, row)


@router.get(_ONE, operation_id="get_plugin_instance", summary="Get an instance", responses=responses(NotFound))
def get_instance(_: PluginsRead, db: TenantDb, instance_id: UUID, response: Response) -> PluginInstanceOut:
    """Return an instance without its secrets, with its ETag."""
    return _answer(db, response, instances.get_instance(db, instance_id))


@router.put(_ONE, operation_id="change_plugin_instance", summary="Change an instance", responses=CHANGES)
def change_instance(
    _: PluginsWrite,
    db: TenantDb,
    instance_id: UUID,
    body: PluginInstanceChange,
    if_match: IfMatch,
    response: Response,
) -> PluginInstanceOut:
    """Change its name and settings, and whether it is used.

    Secrets that the body leaves out stay, unless the body changes the address to which they go: then it needs them.
    """
    draft = InstanceIn(body.name, body.settings, body.enabled)
    return _answer(db, response, instances.change_instance(db, instance_id, draft, if_match, source="api"))


@router.delete(
    _ONE, operation_id="delete_plugin_instance", status_code=204, summary="Remove an instance", responses=CHANGES
)
def delete_instance(_: PluginsWrite, db: TenantDb, instance_id: UUID, if_match: IfMatch) -> None:
    """Remove an instance, with its secrets and the log of its failures."""
    instances.remove_instance(db, instance_id, if_match, source="api")


@router.post(
    _ONE + "/address",
    operation_id="get_plugin_address",
    summary="Get the address for the vendor's requests",
    responses=responses(NotFound, Conflict),
)
def post_address(_: PluginsWrite, db: TenantDb, instance_id: UUID, request: Request) -> PluginAddress:
    """Return the address to which the vendor sends what happens. It contains a secret, so reading it needs a write."""
    row = instances.get_instance(db, instance_id)
    audit.record(db, "api:plugin:address", "plugin_instance", instance_id, {})
    return PluginAddress(address=origin_for_caller(request) + instances.incoming_path(db, row))


@router.post(
    _ONE + "/rotate-address",
    operation_id="rotate_plugin_address",
    status_code=201,
    summary="Give an instance a new address",
    responses=responses(NotFound, Conflict),
)
def rotate_address(
    _: PluginsWrite, db: TenantDb, instance_id: UUID, request: Request, response: Response
) -> PluginAddress:
    """Create a new address for the vendor's requests. The old one ends at once."""
    row = instances.rotate_token(db, instance_id, source="api")
    set_location(response, f"/v1/plugin-instances/{row.id}")
    return PluginAddress(address=origin_for_caller(request) + instances.incoming_path(db, row))


@router.get(
    _ONE + "/failures",
    operation_id="list_plugin_failures",
    summary="List what failed in an instance, newest first",
    responses=responses(NotFound),
)
def list_failures(_: PluginsRead, db: TenantDb, instance_id: UUID) -> list[PluginFailureOut]:
    """List the newest 50 failures, for the plugin's author. They stay for 30 days."""
    return [PluginFailureOut.model_validate(row) for row in instances.list_failures(db, instance_id)]


@router.post(
    _ONE + "/test",
    operation_id="test_plugin_instance",
    summary="Send a test",
    responses=responses(NotFound, Conflict),
    dependencies=[REPEATABLE],
)
def post_test(_: PluginsWrite, scope: TenantScope, instance_id: UUID) -> PluginTest:
    """Send a test through an instance and say what became of it: an alert and its end, or an event.

    An importer or a knowledge source is asked where to look.
    """
    with scope.session() as session:
        kind = instances.get_instance(session, instance_id).kind
        audit.record(session, "api:plugin:test", "plugin_instance", instance_id, {})
    outcome = send_test(scope.tenant, instance_id, kind)
    return PluginTest(state=outcome.state, reason=outcome.reason)


def _answer(db: TenantSession, response: Response, row: PluginInstance) -> PluginInstanceOut:
    set_etag(response, row.version_id)
    return PluginInstanceOut.of(row, db.tenant)
