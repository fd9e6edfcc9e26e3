"""Pages of the sources of records: what was fetched, what failed, when the next fetch is due, and its terms."""

from typing import Annotated, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from core.access import Scope, TenantScope, require
from core.access.pages import Page, PageContext
from core.database import TenantSession
from core.errors import AppError, Conflict, FieldError, Invalid, PreconditionFailed
from core.identity import Principal
from core.plugins.instances import USABLE
from core.web.etag import ANY_VERSION, ExpectedVersions, etag
from core.web.pages import SEE_OTHER
from core.web.problem_texts import problem_text, shown_sentence
from core.web.stored_texts import shown_phrase, shown_stored
from core.web.texts import gettext as _
from core.web.texts import marked
from tenants.imports.fetching import repository, service
from tenants.imports.fetching.reasons import problem_of, remedy_of
from tenants.imports.fetching.schemas import FetchedFileOut
from tenants.imports.uploads import DateOrder
from tenants.portal import data_words
from tenants.portal.import_pages import DATA

router = APIRouter()

ImportsRead = Annotated[Principal, Depends(require("imports.read"))]
ImportsWrite = Annotated[Principal, Depends(require("imports.write"))]
Text = Annotated[str, Form(max_length=1000)]

FILES_SHOWN: Final = 50
FILE_STATES: Final[dict[str, tuple[str, str]]] = {
    "importing": (marked("Being imported"), ""),
    "imported": (marked("Imported"), "low"),
    "rejected": (marked("Not imported"), "high"),
    "cancelled": (marked("Cancelled"), ""),
    "undone": (marked("Undone"), ""),
}
"""Word and shape of each state of a fetched file."""
_LABELS: Final = {"cron": marked("Times"), "mapping": marked("Mapping"), "dates": marked("What comes first in dates")}
"""Field of an error, which is the id of its input -> label of the input. Any other error is of the whole form."""
_ORDERS: Final[dict[str, DateOrder]] = {"day-first": "day-first", "month-first": "month-first"}


class SourceForm(BaseModel):
    """The form of when a source is fetched, and how its files are imported, with the version that the person saw."""

    model_config = ConfigDict(extra="ignore")

    cron: str = Field(default="", max_length=1000)
    active: str = Field(default="", max_length=1000)
    mapping: str = Field(default="", max_length=service.LARGEST_MAPPING)
    dates: str = Field(default="", max_length=1000)
    strict: str = Field(default="", max_length=1000)
    version: str = Field(default="", max_length=100)

    @property
    def terms(self) -> service.Terms:
        """What the form says."""
        mapping = self.mapping.replace("\r\n", "\n")
        return service.Terms(self.cron, bool(self.active), mapping, _ORDERS.get(self.dates), bool(self.strict))

    @property
    def expected(self) -> ExpectedVersions:
        """The version that the person saw; any for a form without one."""
        return ExpectedVersions(frozenset({self.version})) if self.version else ANY_VERSION


def state_of(source: service.SourceState) -> tuple[str, str]:
    """Return the word and shape of how a source does."""
    if source.state == "disabled":
        return _("Disabled"), ""
    if source.state not in USABLE:
        return (
            (_("Needs its secrets"), "medium") if source.state == "needs-secrets" else (_("Plugin is missing"), "high")
        )
    if source.is_fetching:
        return _("Fetching now"), ""
    if source.outcome is None:
        return _("Not fetched yet"), ""
    return (_("Works"), "low") if source.outcome == "done" else (_("Fails"), "high")


def problem(source: service.SourceState) -> str:
    """Return what was wrong with the last fetch, and what to do; empty if nothing."""
    parts = (problem_of(source.problem), remedy_of(source.problem))
    return " ".join(data_words.sentence(shown_stored(part)) for part in parts if part)


@router.get("/data/sources")
def show_sources(page: Page, principal: ImportsRead, scope: TenantScope) -> HTMLResponse:
    """Show the sources, with how the last fetch of each ended."""
    with scope.session() as session:
        sources = service.list_sources(session)
    return page.render("portal/data/sources.html", principal, sources=sources, **_shared(scope))


@router.get("/data/sources/{source_id}")
def show_source(page: Page, _: ImportsRead, scope: TenantScope, source_id: UUID, done: str = "") -> HTMLResponse:
    """Show a source with its files, and the form of its schedule if the person may change it."""
    with scope.session() as session:
        return _source_page(page, scope, session, source_id, done=done)


@router.post("/data/sources/{source_id}")
def post_source(
    page: Page, _: ImportsWrite, scope: TenantScope, source_id: UUID, form: Annotated[SourceForm, Form()]
) -> Response:
    """Save when a source is fetched, and how its files are imported."""
    try:
        with scope.session() as session:
            service.change_source(session, source_id, form.terms, source="page", expected=form.expected)
    except (Invalid, PreconditionFailed) as error:
        with scope.session() as session:
            return _source_page(page, scope, session, source_id, error=error, typed=form)
    return RedirectResponse(f"/data/sources/{source_id}?done=saved", SEE_OTHER)


@router.post("/data/sources/{source_id}/fetch")
def post_fetch(page: Page, _: ImportsWrite, scope: TenantScope, source_id: UUID, again: Text = "") -> Response:
    """Enqueue a fetch of a source."""
    try:
        with scope.session() as session:
            service.request_fetch(session, source_id, source="page", again=bool(again))
    except Conflict as error:
        with scope.session() as session:
            return _source_page(page, scope, session, source_id, error=error)
    return RedirectResponse(f"/data/sources/{source_id}?done=fetch", SEE_OTHER)


def _source_page(
    page: PageContext,
    scope: Scope,
    session: TenantSession,
    source_id: UUID,
    *,
    done: str = "",
    error: AppError | None = None,
    typed: SourceForm | None = None,
) -> HTMLResponse:
    source = service.get_source(session, source_id)
    rows = repository.newest_files(session, source_id, FILES_SHOWN)
    states = repository.file_states(session, rows)
    return page.render(
        "portal/data/source.html",
        scope.principal,
        status=200 if error is None else error.status,
        source=source,
        terms=source.terms if typed is None else typed.terms,
        version=etag(source.version) if typed is None else typed.version,
        files=[FetchedFileOut.of(row, states[row.id]) for row in rows],
        file_states={name: (_(word), shape) for name, (word, shape) in FILE_STATES.items()},
        file_problem=_file_problem,
        most=FILES_SHOWN,
        dates=[(name, _(word)) for name, word in data_words.DATES.items()],
        longest_mapping=service.LARGEST_MAPPING,
        done=done,
        errors=[] if error is None else _problems(error),
        wrong={} if error is None else _wrong(error),
        **_shared(scope),
    )


def _problems(error: AppError) -> list[tuple[str, str]]:
    """Return what is wrong, each with the input that it concerns, or none."""
    problems = []
    for one in error.errors:
        name = _input_of(one)
        labels = [_(_LABELS[name])] if name else []
        problems.append((name, _problem_words(": ".join([*labels, shown_phrase(one.problem)]), one)))
    return problems or [("", problem_text(error))]


def _wrong(error: AppError) -> dict[str, str]:
    """Return what is wrong with each input, for the place beside it."""
    return {_input_of(one): _problem_words(shown_phrase(one.problem), one) for one in error.errors if _input_of(one)}


def _input_of(one: FieldError) -> str:
    """The id of the input that an error is about; empty if it is about the whole form."""
    name = one.field.partition(".")[0]
    return name if name in _LABELS else ""


def _problem_words(text: str, one: FieldError) -> str:
    return " ".join(filter(None, (data_words.sentence(text), shown_sentence(one.remedy))))


def _file_problem(file: FetchedFileOut) -> str:
    parts = (file.problem, file.remedy)
    return " ".join(data_words.sentence(shown_stored(part)) for part in parts if part)


def _shared(scope: Scope) -> dict[str, Any]:
    return {
        "partner": scope.tenant.name,
        "current": DATA,
        "state_of": state_of,
        "problem": problem,
        "zone": ZoneInfo(scope.tenant.time_zone),
        "zone_name": scope.tenant.time_zone,
        "may_write": "imports.write" in scope.principal.permissions,
    }
