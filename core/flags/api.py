"""The API's routes of flags, for the installation's operators."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from core.access import require_operator
from core.errors import Conflict, Invalid, NotFound
from core.errors.problem import responses
from core.flags import service
from core.flags.schemas import FlagChangeOut, FlagHistory, FlagIn, FlagList, FlagOut
from core.identity import Principal

router = APIRouter(prefix="/operators/flags", tags=["operators"])

Reader = Annotated[Principal, Depends(require_operator("operations.read"))]
Writer = Annotated[Principal, Depends(require_operator("operations.write"))]
FlagName = Annotated[str, Path(max_length=80, description="Name of the flag.")]


@router.get("", operation_id="list_flags", summary="List the feature flags")
def list_flags(_: Reader) -> FlagList:
    """Return every flag that the code asks for, and how it is set."""
    return FlagList(flags=[FlagOut.of(state) for state in service.list_flags()])


@router.get("/{flag}", operation_id="get_flag", summary="Get a feature flag", responses=responses(NotFound))
def get_flag(_: Reader, flag: FlagName) -> FlagOut:
    """Return one flag."""
    return FlagOut.of(service.get_flag(flag))


@router.put(
    "/{flag}", operation_id="set_flag", summary="Set a feature flag", responses=responses(NotFound, Conflict, Invalid)
)
def set_flag(principal: Writer, flag: FlagName, body: FlagIn) -> FlagOut:
    """Set a flag, or give it back to its default. Every process follows within a second or so."""
    state = service.set_flag(
        flag, body.definition, reason=body.reason, actor=principal.actor, source="api", change=body.change
    )
    return FlagOut.of(state)


@router.get(
    "/{flag}/history", operation_id="get_flag_history", summary="List the changes of a feature flag",
    responses=responses(NotFound),
)  # fmt: skip
def get_flag_history(_: Reader, flag: FlagName) -> FlagHistory:
    """Return who changed the flag, when and why."""
    return FlagHistory(changes=[FlagChangeOut.of(change) for change in service.flag_history(flag)])
