"""Pages of feature flags for operators: how each is set, and setting it."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, Field

from core.access import require_operator
from core.access.pages import Page, PageContext
from core.errors import AppError, Conflict, Invalid
from core.flags import service
from core.flags.editing import Choices, choices_of, definition_of
from core.idempotency import CONTROL_DATABASE
from core.identity import Principal
from core.identity.people.accounts import list_operators
from core.web.pages import SEE_OTHER
from tenants.portal import flag_words, operator_words
from tenants.portal.operator_pages import ZONE

router = APIRouter()

Reader = Annotated[Principal, Depends(require_operator("operations.read"))]
Writer = Annotated[Principal, Depends(require_operator("operations.write"))]


@router.get("/operators/flags")
def show_flags(page: Page, principal: Reader) -> HTMLResponse:
    """Show every flag and how it is set."""
    return page.render(
        "portal/operators/flags.html",
        principal,
        partner=operator_words.INSTALLATION,
        current="/operators",
        states=service.list_flags(),
        undeclared=service.undeclared(),
        words=operator_words,
        flag_words=flag_words,
        zone=ZONE,
    )


@router.get("/operators/flags/{flag}")
def show_flag(page: Page, principal: Reader, flag: str) -> HTMLResponse:
    """Show one flag, its history, and the form that sets it."""
    return _page(page, principal, flag)


class FlagForm(BaseModel):
    """What the form sends."""

    change: int = Field(ge=0)
    reason: str = Field(default="", max_length=500)
    state: Literal["default", "off", "on"] = "on"
    percent: int = 100
    stickiness: Literal["sessionId", "userId", "random"] = "sessionId"
    tenants: str = Field(default="", max_length=2000)
    not_tenants: str = Field(default="", max_length=2000)

    def choices(self) -> Choices:
        """Return what was chosen."""
        return Choices(
            self.state == "on", self.percent, self.stickiness, self.tenants.split(), self.not_tenants.split()
        )


@router.post("/operators/flags/{flag}", dependencies=[CONTROL_DATABASE])
def post_flag(page: Page, principal: Writer, flag: str, form: Annotated[FlagForm, Form()]) -> Response:
    """Set a flag, or give it back to its default."""
    try:
        definition = None if form.state == "default" else definition_of(flag, form.choices())
        service.set_flag(flag, definition, reason=form.reason, actor=principal.actor, source="page", change=form.change)
    except (Invalid, Conflict) as error:
        return _page(page, principal, flag, error, form)
    return RedirectResponse(f"/operators/flags/{flag}", SEE_OTHER)


def _page(
    page: PageContext,
    principal: Principal,
    flag: str,
    error: AppError | None = None,
    typed: FlagForm | None = None,
) -> HTMLResponse:
    state = service.get_flag(flag)
    choices = choices_of(flag, state.definition, state.flag.default)
    return page.render(
        "portal/operators/flag.html",
        principal,
        status=200 if error is None else error.status,
        partner=operator_words.INSTALLATION,
        current="/operators",
        state=state,
        choices=choices if typed is None else typed.choices(),
        simple=choices is not None,
        changes=service.flag_history(flag),
        names={f"operator:{each.id}": each.name for each in list_operators()},
        problem=error,
        reason="" if typed is None else typed.reason,
        may_write="operations.write" in principal.permissions,
        words=operator_words,
        flag_words=flag_words,
        zone=ZONE,
    )
