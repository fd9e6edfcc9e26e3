"""The API's routes for settings."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Response

from core.access import TenantDb, require
from core.errors import NotFound, PreconditionFailed, PreconditionRequired
from core.errors.problem import responses
from core.identity import Principal
from core.preferences import registry, service
from core.preferences.schemas import SettingsGroupDetail, SettingsGroupOut, group_detail, group_out
from core.web.etag import IfMatch, set_etag

router = APIRouter(prefix="/settings", tags=["settings"])

SettingsRead = Annotated[Principal, Depends(require("settings.read"))]
SettingsWrite = Annotated[Principal, Depends(require("settings.write"))]
GroupName = Annotated[str, Path(description="Name of the group.", examples=["risk"], max_length=100)]
NewValues = Annotated[dict[str, Any], Body(examples=[{"capacity_share": 0.2}])]
CHANGE = responses(NotFound, PreconditionFailed, PreconditionRequired)


@router.get("", operation_id="list_settings", summary="List the groups of settings")
def list_settings(_: SettingsRead, db: TenantDb) -> list[SettingsGroupOut]:
    """List values and defaults by name, with the last person who changed each group."""
    return [group_out(state) for state in service.read_all(db)]


@router.get(
    "/{group}", operation_id="get_settings_group", summary="Get a group of settings", responses=responses(NotFound)
)
def get_settings_group(_: SettingsRead, db: TenantDb, group: GroupName, response: Response) -> SettingsGroupDetail:
    """Return a group of settings with the JSON schema of its value, and its ETag."""
    return _answer(response, service.read(db, registry.group(group)))


@router.put("/{group}", operation_id="put_settings_group", summary="Replace a group of settings", responses=CHANGE)
def put_settings_group(
    principal: SettingsWrite, db: TenantDb, group: GroupName, values: NewValues, if_match: IfMatch, response: Response
) -> SettingsGroupDetail:
    """Replace a group of settings. An omitted setting returns to its default. Needs the group's own permission too."""
    return _answer(
        response, service.replace(db, registry.changeable(group, principal.permissions), values, if_match, place="body")
    )


@router.patch(
    "/{group}", operation_id="patch_settings_group", summary="Change some settings of a group", responses=CHANGE
)
def patch_settings_group(
    principal: SettingsWrite, db: TenantDb, group: GroupName, values: NewValues, if_match: IfMatch, response: Response
) -> SettingsGroupDetail:
    """Change settings of a group. An omitted setting stays; null resets it. Needs the group's own permission too."""
    return _answer(
        response, service.amend(db, registry.changeable(group, principal.permissions), values, if_match, place="body")
    )


def _answer(response: Response, state: service.GroupState) -> SettingsGroupDetail:
    set_etag(response, state.version, personal=False)
    return group_detail(state)
