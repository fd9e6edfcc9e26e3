"""Pages of the effect report, and of the hold-out that it needs."""

from collections.abc import Collection
from datetime import timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.access import Scope, TenantScope, require
from core.access.pages import Page, PageContext
from core.clock import today
from core.errors import Invalid
from core.identity import Principal
from core.identity.people import members
from core.identity.principal import people_of_actors
from core.web.days import IsoDay
from core.web.pages import SEE_OTHER
from core.web.rejected_forms import RejectedForm
from core.web.texts import gettext as _
from core.web.texts import marked, shown_date, shown_number, shown_share
from tenants.followup import effect
from tenants.followup.effect import Difference, Share
from tenants.portal import patient_words
from tenants.portal.work_words import sections_of_work
from tenants.risk import holdout
from tenants.risk.api_holdout import HoldoutPut
from tenants.risk.models_holdout import HoldoutApproval

router = APIRouter()

EffectReader = Annotated[Principal, Depends(require("funnel.read", confined=True))]
HoldoutManager = Annotated[Principal, Depends(require("holdout.manage"))]
HOME: Final = "/follow-up/effect"
HOLDOUT: Final = "/follow-up/hold-out"
EFFECT_DAYS: Final = 180
GROUPS: Final = {
    "shown": marked("On a list"),
    "held_out": marked("Held out"),
    "tried": marked("On a list, and tried"),
    "untried": marked("On a list, and not tried"),
}


_MISTAKES: Final = {
    "share": marked("Write a share above 0 and up to 50%."),
    "approved_by": marked("Write who approved it."),
    "reference": marked("Write the reference of the approval."),
    "approved_on": marked("Give a day up to today."),
}
"""Field of the form, in its order -> what to do if it is wrong."""


class HoldoutForm(BaseModel):
    """The form of an ethics approval; the share is in per cent."""

    model_config = ConfigDict(extra="ignore")

    share: str = Field(default="", max_length=10)
    reference: str = Field(default="", max_length=200)
    approved_on: str = Field(default="", max_length=40)
    approved_by: str = Field(default="", max_length=200)

    @property
    def approval(self) -> HoldoutPut:
        """The approval that the form says.

        Raises:
            ValidationError: something is missing or out of range.
        """
        try:
            share = float(self.share.strip().rstrip("%").replace(",", ".")) / 100
        except ValueError:
            share = 0
        return HoldoutPut.model_validate(
            {
                "share": share,
                "reference": self.reference.strip(),
                "approved_on": self.approved_on,
                "approved_by": self.approved_by.strip(),
            }
        )


@router.get("/follow-up/effect")
def show_effect(
    page: Page, principal: EffectReader, scope: TenantScope, first: IsoDay | None = None, last: IsoDay | None = None
) -> HTMLResponse:
    """Show what can and cannot be said about what the lists did."""
    end = last or today(scope.tenant.time_zone)
    begin = min(first or end - timedelta(days=EFFECT_DAYS), end)
    with scope.session() as session:
        report = effect.read_effect(session, begin, end)
    groups: dict[str, Share] = {name: getattr(report, name) for name in GROUPS}
    return page.render(
        "portal/follow_up/effect.html",
        principal,
        partner=scope.tenant.name,
        current="/follow-up",
        sections_of_work=sections_of_work(principal, HOME),
        first=begin,
        last=end,
        causal=report.claim == "causal",
        finding=_finding(report.difference),
        enough=effect.ENOUGH,
        held_out=report.held_out.people,
        settled=any(share.people for share in groups.values()),
        rows=[_row(_(GROUPS[name]), share) for name, share in groups.items() if name != "held_out" or share.people],
        may_hold_out="holdout.manage" in principal.permissions and principal.reach.everything,
    )


@router.get("/follow-up/hold-out")
def show_holdout(page: Page, _manager: HoldoutManager, scope: TenantScope, done: str = "") -> HTMLResponse:
    """Show the hold-out in force with its approval, and those before it."""
    return _holdout_page(page, scope, HoldoutForm(), done=done)


@router.post("/follow-up/hold-out")
def post_holdout(
    page: Page, _manager: HoldoutManager, scope: TenantScope, form: Annotated[HoldoutForm, Form()]
) -> Response:
    """Record an ethics approval. It replaces the one in force."""
    try:
        body = form.approval
        with scope.session() as session:
            holdout.approve(session, body.share, body.reference, body.approved_on, body.approved_by)
    except ValidationError as error:
        wrong = {str(each["loc"][0]) for each in error.errors()}
        return RejectedForm(lambda: _holdout_page(page, scope, form, wrong=wrong))
    except Invalid as error:
        wrong = {each.field.rpartition(".")[2] for each in error.errors}
        return RejectedForm(lambda: _holdout_page(page, scope, form, wrong=wrong))
    return RedirectResponse(f"{HOLDOUT}?done=approved", SEE_OTHER)


@router.post("/follow-up/hold-out/end")
def post_holdout_end(_manager: HoldoutManager, scope: TenantScope) -> RedirectResponse:
    """End the hold-out: nobody is held out from the next list on."""
    with scope.session() as session:
        holdout.end(session)
    return RedirectResponse(f"{HOLDOUT}?done=ended", SEE_OTHER)


def _holdout_page(
    page: PageContext, scope: Scope, form: HoldoutForm, *, done: str = "", wrong: Collection[str] = ()
) -> HTMLResponse:
    with scope.session() as session:
        current, before = holdout.in_force(session), list(holdout.ended(session))
        session.expunge_all()
    rows = [*([current] if current else []), *before]
    names = members.names_of(scope.tenant, people_of_actors({row.recorded_by for row in rows}))
    own = scope.principal.actor

    def shown(row: HoldoutApproval) -> dict[str, str]:
        return {
            "share": shown_share(row.share),
            "reference": row.reference,
            "approved": _("{name}, {day}").format(name=row.approved_by, day=shown_date(row.approved_on)),
            "recorded": _("{name}, {day}").format(
                name=patient_words.actor_words(row.recorded_by, names, own), day=shown_date(row.recorded_at.date())
            ),
            "ended": shown_date(row.ended_at.date()) if row.ended_at else "",
        }

    return page.render(
        "portal/follow_up/hold_out.html",
        scope.principal,
        status=Invalid.status if wrong else 200,
        partner=scope.tenant.name,
        current="/follow-up",
        holdout=None if current is None else shown(current),
        before=[shown(row) for row in before],
        form=form,
        problems={name: _(text) for name, text in _MISTAKES.items() if name in wrong},
        done=done,
        today=today(scope.tenant.time_zone),
    )


def _row(name: str, share: Share) -> dict[str, Any]:
    low, high = share.interval
    interval = _("{low} to {high}").format(low=shown_share(low), high=shown_share(high))
    return {
        "name": name,
        "people": shown_number(share.people),
        "returned": shown_number(share.returned),
        "share": "\N{EN DASH}" if share.value is None else shown_share(share.value),
        "interval": interval if share.people else "\N{EN DASH}",
    }


def _finding(difference: Difference | None) -> str:
    """What the comparison with the held-out people says, in one sentence."""
    if difference is None:
        return ""
    facts = {name: shown_number(100 * getattr(difference, name), 1) for name in ("value", "low", "high")}
    if difference.low > 0:
        text = _("More people returned in time because they were on a list: {value} in 100 ({low} to {high}).")
    elif difference.high < 0:
        text = _("Fewer people returned in time because they were on a list: {value} in 100 ({low} to {high}).")
    else:
        text = _("The lists may have made no difference: {value} in 100 ({low} to {high}).")
    return text.format(**facts)
