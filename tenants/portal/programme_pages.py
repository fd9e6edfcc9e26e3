"""Pages of the programme: indicators of a period, the people behind each number, and the partner's own statuses."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse

from core.access import TenantScope, require
from core.access.pages import Page
from core.database import TenantSession
from core.identity import Principal
from core.web.cursors import Sort
from core.web.days import IsoDay
from core.web.paging import PageRequest
from tenants.cohort import programme, radet, radet_repository, repository
from tenants.cohort.calendar import period_of
from tenants.cohort.so_far import covered_part, data_date
from tenants.portal import programme_view as views
from tenants.portal import programme_words as words
from tenants.portal.accuracy_view import accuracy_rows
from tenants.portal.alert_counts import counts_for
from tenants.portal.patient_words import STATUSES
from tenants.portal.programme_view import View
from tenants.portal.words import SEXES, names_of_patients

router = APIRouter()

Reader = Annotated[Principal, Depends(require("cohort.read", confined=True))]
PatientReader = Annotated[Principal, Depends(require("patients.read", confined=True))]
PageNumber = Annotated[int, Query(alias="page", ge=1, le=10_000)]
Text = Annotated[str, Query(max_length=100)]
PAGE_SIZE: Final = 50


def view_of(period: Text = "", facility: Text = "", sex: Text = "", age: Text = "", show: Text = "TX_ML") -> View:
    """The view that the query names."""
    return View(period, facility, sex, age, show)


Viewed = Annotated[View, Depends(view_of)]


@dataclass(frozen=True, slots=True)
class ShownDisagreement:
    """A person on whom list and records disagree, as the page shows it."""

    patient_id: UUID
    name: str
    clinic: str
    theirs: str
    ours: str
    reason: str


@router.get("/programme")
def show_programme(page: Page, principal: Reader, scope: TenantScope, view: Viewed) -> HTMLResponse:
    """Show the indicators of a period, with filters, over time, and how they reconcile."""
    may_open = "patients.read" in principal.permissions
    sees_accuracy = "risk.read" in principal.permissions and principal.reach.everything
    shown = view if view.show in words.HEADLINES else View(view.period, view.facility, view.sex, view.age)

    def read(session: TenantSession) -> tuple[View, views.Programme | None, list[tuple[str, str]], date, list[Any]]:
        narrowed, work = views.read_programme(session, shown, may_open=may_open)
        accuracy = accuracy_rows(session) if sees_accuracy else []
        return narrowed, work, views.clinic_choices(repository.facilities(session)), data_date(session), accuracy

    seen, work, clinics, until, accuracy = scope.read(read)
    sexes, ages = views.group_choices()
    return page.render(
        "portal/programme/index.html",
        principal,
        partner=scope.tenant.name,
        current="/programme",
        navigation_counts=counts_for(scope),
        view=seen,
        work=work,
        periods=_with(views.period_choices(until), seen.period, work),
        clinics=clinics,
        sexes=sexes,
        ages=ages,
        accuracy=accuracy,
        sees_models=sees_accuracy,
        may_open=may_open,
        words=words,
    )


@router.get("/programme/people")
def show_people(
    page: Page, principal: Reader, _: PatientReader, scope: TenantScope, view: Viewed, number: PageNumber = 1
) -> HTMLResponse:
    """Show the people behind a number. The audit records the read of each."""
    programme.check_indicator(view.show)
    paging = PageRequest(number, PAGE_SIZE, "/programme/people", sort=Sort.parse("-since"), keyed=True)
    with scope.session() as session:
        facilities = repository.facilities(session)
        period = period_of(view.period) if view.period else views.default_period(session)
        as_of = covered_part(session, period).end
        part = programme.read_people(session, view.show, period, view.selection(facilities), paging)
        names = names_of_patients(session, [person.patient_id for person in part.rows])
    return page.render(
        "portal/programme/people.html",
        principal,
        partner=scope.tenant.name,
        current="/programme",
        view=view,
        period=period,
        as_of=as_of,
        people=part.rows,
        total=part.total,
        names=names,
        clinics={row.datim_id: row.name for row in facilities},
        number=number,
        page_size=PAGE_SIZE,
        words=words,
        sexes=SEXES,
        statuses=STATUSES,
    )


@router.get("/programme/disagreements")
def show_disagreements(
    page: Page,
    principal: Reader,
    scope: TenantScope,
    day: IsoDay | None = None,
    facility: Text = "",
    reason: Text = "",
    number: PageNumber = 1,
) -> HTMLResponse:
    """Compare the partner's own statuses with the records; who may see people gets those who differ."""
    may_open = "patients.read" in principal.permissions
    with scope.session() as session:
        lists = radet_repository.listed_days(session)
        facilities = {row.datim_id: row.name for row in repository.facilities(session)}
        comparison, people, total = None, [], 0
        if lists:
            chosen = radet.chosen_day(session, day)
            comparison = radet.compare(session, chosen, [facility] if facility else None)
            if may_open:
                paging = PageRequest(number, PAGE_SIZE, "", sort=Sort.parse("patient_id"), keyed=True)
                part = radet.read_disagreements(session, comparison, reason or None, paging)
                people, total = _disagreements(session, part.rows, facilities), part.total
    return page.render(
        "portal/programme/disagreements.html",
        principal,
        partner=scope.tenant.name,
        current="/programme",
        days=sorted({item.data_date for item in lists}, reverse=True),
        comparison=comparison,
        pairs=[] if comparison is None else _pairs(comparison),
        people=people,
        total=total,
        clinics=[("", ""), *sorted(facilities.items(), key=lambda item: item[1])],
        facility=facility,
        reason=reason,
        number=number,
        page_size=PAGE_SIZE,
        may_open=may_open,
        words=words,
    )


def _with(choices: list[tuple[str, str]], period: str, work: views.Programme | None) -> list[tuple[str, str]]:
    """The choices, and the shown period where it is older than they are."""
    if work is None or period in {key for key, _text in choices}:
        return choices
    return [(period, words.period_choice(work.period, work.coverage.as_of)), *choices]


def _disagreements(
    session: TenantSession, rows: Sequence[radet.Disagreement], facilities: dict[str, str]
) -> list[ShownDisagreement]:
    names = names_of_patients(session, [row.patient_id for row in rows])
    return [
        ShownDisagreement(
            row.patient_id, names[row.patient_id], facilities[row.facility], row.theirs, row.ours, row.reason
        )
        for row in rows
    ]


def _pairs(comparison: radet.Comparison) -> list[tuple[str, str, int]]:
    """The pairs of statuses that disagree, with the number of people, the most frequent first."""
    pairs: Counter[tuple[str, str]] = Counter()
    for (_place, theirs, ours), people in comparison.counts.items():
        if not radet.same(theirs, ours):
            pairs[theirs, ours] += people
    return [(theirs, ours, people) for (theirs, ours), people in pairs.most_common()]
