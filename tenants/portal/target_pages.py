"""The page of facilities' targets: those in force, a form for one, and a file for all."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, File, Form, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.access import Scope, TenantScope, require
from core.access.pages import Page, PageContext
from core.clock import today
from core.errors import AppError, Invalid
from core.identity import Principal
from core.identity.people.people_file import decoded
from core.web.pages import SEE_OTHER
from core.web.problem_texts import shown_sentence
from core.web.rejected_forms import RejectedForm
from core.web.texts import gettext as _
from core.web.texts import marked, shown_month, shown_share
from tenants.cohort import repository as cohort_repository
from tenants.followup import targets, targets_file
from tenants.followup.api_targets import TargetPut
from tenants.followup.targets import Target
from tenants.portal.work_words import sections_of_work

router = APIRouter()

Writer = Annotated[Principal, Depends(require("targets.write"))]
HOME: Final = "/follow-up/targets"
MOST_PROBLEMS: Final = 20
_NUMBER: Final = re.compile(r"\d{1,9}(\.\d{1,9})?")
_SHARE: Final = marked("Give a share from 0 to 100%, or none.")
_MISTAKES: Final = {
    "facility": marked("Choose a clinic."),
    "month": marked("Choose a month."),
    "reached": _SHARE,
    "returned": _SHARE,
}
"""Field of the form -> what to do if it is wrong."""


class TargetForm(BaseModel):
    """The form of a target: shares are in per cent, and an empty one is no target."""

    model_config = ConfigDict(extra="ignore")

    facility: str = Field(default="", max_length=100)
    month: str = Field(default="", max_length=40)
    reached: str = Field(default="", max_length=10)
    returned: str = Field(default="", max_length=10)

    @property
    def target(self) -> Target:
        """The target that the form says.

        Raises:
            ValidationError: a share is not a number, or something is out of range.
        """
        facts: dict[str, Any] = {"facility": self.facility, "month": f"{self.month[:7]}-01"}
        for name in ("reached", "returned"):
            text = getattr(self, name).strip().rstrip("%").strip().replace(",", ".")
            facts[name] = float(text) / 100 if _NUMBER.fullmatch(text) else text or None
        body = TargetPut.model_validate(facts)
        return Target(body.facility, body.month, body.reached, body.returned)


@router.get("/follow-up/targets")
def show_targets(page: Page, _writer: Writer, scope: TenantScope, done: int | None = None) -> HTMLResponse:
    """Show the targets in force. ``done`` is the number of targets that were just set."""
    return _targets_page(page, scope, TargetForm(), done=done)


@router.post("/follow-up/targets")
def post_target(page: Page, _writer: Writer, scope: TenantScope, form: Annotated[TargetForm, Form()]) -> Response:
    """Set the target of one clinic from a month on."""
    try:
        target = form.target
        with scope.session() as session:
            targets.set_target(session, target)
    except Invalid as error:
        problems = _problems(error)
    except ValidationError as error:
        wrong = {str(each["loc"][0]) for each in error.errors()}
        problems = [(name, _(text)) for name, text in _MISTAKES.items() if name in wrong]
    else:
        return RedirectResponse(f"{HOME}?done=1", SEE_OTHER)
    return RejectedForm(lambda: _targets_page(page, scope, form, problems=problems))


@router.post("/follow-up/targets/file")
def post_targets_file(
    page: Page, _writer: Writer, scope: TenantScope, file: Annotated[UploadFile | None, File()] = None
) -> Response:
    """Set the targets of a file, or say what is wrong with it."""
    text = "" if file is None else decoded(file.file.read(4 * targets_file.LONGEST))
    try:
        with scope.session() as session:
            count = targets_file.set_targets(session, text)
    except Invalid as error:
        problems = _problems(error)
        return RejectedForm(lambda: _targets_page(page, scope, TargetForm(), problems=problems))
    return RedirectResponse(f"{HOME}?done={count}", SEE_OTHER)


def _problems(error: AppError) -> list[tuple[str, str]]:
    """The field of the form, if it is one, and what is wrong: each row of a file with its line and column."""
    shown = []
    for one in error.errors[:MOST_PROBLEMS]:
        place = one.field.removeprefix("body.").removeprefix("csv.")
        text = f"{shown_sentence(one.problem)} {shown_sentence(one.remedy)}"
        shown.append(("", f"{place}: {text}") if place.startswith("line ") else (place * (place in _MISTAKES), text))
    return shown


def _targets_page(
    page: PageContext,
    scope: Scope,
    form: TargetForm,
    *,
    done: int | None = None,
    problems: Sequence[tuple[str, str]] = (),
) -> HTMLResponse:
    day = today(scope.tenant.time_zone)
    with scope.session() as session:
        facilities = cohort_repository.facilities(session)
        current = targets.in_force(session, day)
    rows = []
    for facility in facilities:
        target = current.get(facility.uuid)
        if target is not None and not target.reached is target.returned is None:
            rows.append(
                {
                    "name": facility.name,
                    "since": shown_month(target.month),
                    "reached": _aim(target.reached),
                    "returned": _aim(target.returned),
                }
            )
    return page.render(
        "portal/follow_up/targets.html",
        scope.principal,
        status=Invalid.status if problems else 200,
        partner=scope.tenant.name,
        current="/follow-up",
        sections_of_work=sections_of_work(scope.principal, HOME),
        rows=rows,
        clinics=[(row.datim_id, row.name) for row in facilities],
        month=form.month or f"{day:%Y-%m}",
        form=form,
        problems=problems,
        wrong=dict(problems),
        done=done,
        most=targets_file.MOST_ROWS,
    )


def _aim(share: float | None) -> str:
    return "\N{EN DASH}" if share is None else shown_share(share)
