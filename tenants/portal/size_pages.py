"""The page that says what each size of the lists at risk catches, and sets the size."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse

from core.access import TenantScope, require
from core.access.pages import Page
from core.identity import Principal
from core.preferences import registry, service
from core.tenancy import settings as tenant_settings
from core.web.pages import SEE_OTHER
from core.web.texts import gettext as _
from core.web.texts import ngettext, shown_number, shown_share
from tenants.followup import list_size
from tenants.followup.list_size import Catch
from tenants.risk.settings import RiskSettings

router = APIRouter()

Reader = Annotated[Principal, Depends(require("risk.read"))]
Writer = Annotated[Principal, Depends(require("settings.write"))]
Size = Annotated[int | None, Query(ge=1, le=10_000)]
HOME: Final = "/today/size"
GROUP: Final = "risk"


@router.get("/today/size")
def show_size(page: Page, principal: Reader, scope: TenantScope, size: Size = None, done: str = "") -> HTMLResponse:
    """Show what lists of a size catch, and what smaller and larger ones do."""
    with scope.session() as session:
        current = tenant_settings.get(session, RiskSettings).capacity
        places = list_size.read_places(session)
    chosen = size or min(current, list_size.LARGEST)
    catches = [list_size.catch_of(places, one) for one in sorted({*list_size.SIZES, chosen})]
    shown = list_size.catch_of(places, chosen)
    return page.render(
        "portal/today_size.html",
        principal,
        partner=scope.tenant.name,
        current="/today",
        size=chosen,
        now=current,
        smallest=list_size.SMALLEST,
        largest=max(list_size.LARGEST, chosen),
        known=shown.interrupted > 0,
        first=places.first,
        last=places.last,
        sentence=_sentence(shown),
        bars=[(_label(one.size), one.share, shown_share(one.share)) for one in catches],
        rows=[_row(one) for one in catches],
        may_set=_may_set(principal),
        done=done,
    )


@router.post("/today/size")
def post_size(_principal: Writer, scope: TenantScope, size: Annotated[int, Form(ge=1, le=10_000)]) -> RedirectResponse:
    """Make lists of this size from the next one on."""
    entry = registry.changeable(GROUP, scope.principal.permissions)
    with scope.session() as session:
        service.amend(session, entry, {"capacity": size})
    return RedirectResponse(f"{HOME}?done=set", SEE_OTHER)


def _may_set(principal: Principal) -> bool:
    return principal.reach.everything and "settings.write" in principal.permissions


def _label(size: int) -> str:
    return ngettext("{count} person a clinic", "{count} people a clinic", size).format(count=shown_number(size))


def _sentence(catch: Catch) -> str:
    text = _("Lists of {size} people a clinic would have had {share} of the people who interrupted ({low} to {high}).")
    shares = {name: shown_share(getattr(catch, name)) for name in ("share", "low", "high")}
    return text.format(size=shown_number(catch.size), **shares)


def _row(catch: Catch) -> dict[str, Any]:
    return {
        "size": shown_number(catch.size),
        "caught": _("{count} of {whole}").format(
            count=shown_number(catch.caught), whole=shown_number(catch.interrupted)
        ),
        "share": shown_share(catch.share),
        "interval": _("{low} to {high}").format(low=shown_share(catch.low), high=shown_share(catch.high)),
        "listed": shown_number(catch.listed),
    }
