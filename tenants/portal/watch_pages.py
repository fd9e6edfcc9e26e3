"""Pages of the watch over models: drift, groups of people, features."""

from itertools import pairwise
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse

from core.access import TenantScope, require
from core.access.pages import Page
from core.errors import NotFound
from core.identity import Principal
from core.web.texts import gettext as _
from core.web.texts import shown_date, shown_number, shown_range, shown_share
from tenants.portal import watch_words as words
from tenants.portal.alert_counts import counts_for
from tenants.risk import checks
from tenants.risk.explanations.pictures import beeswarm, dependence
from tenants.risk.feature_store import listing

router = APIRouter()

Reader = Annotated[Principal, Depends(require("risk.read"))]
Visitor = Annotated[Principal, Depends(require("cohort.read"))]
"""Whoever may open Programme, which leads here."""
MOST_COLUMNS: Final = 8
MOST_CHECKS: Final = 12


@router.get("/programme/drift")
def show_drift(page: Page, principal: Reader, _visitor: Visitor, scope: TenantScope) -> HTMLResponse:
    """Show whether people, records and scores look as they did in the half-year before."""
    with scope.session() as session:
        rows = checks.list_checks(session, "drift", most=MOST_CHECKS)
        parity = checks.newest(session, "parity")
    newest = rows[0] if rows else None
    figures = checks.figures_of(newest)
    columns = figures.get("columns", [])
    return page.render(
        "portal/models/drift.html",
        principal,
        partner=scope.tenant.name,
        current="/programme",
        navigation_counts=counts_for(scope),
        sections=words.sections_of_watch("/programme/drift"),
        newest=newest,
        enough=figures.get("enough", False),
        drifted=sum(column["drifted"] for column in columns),
        rows=words.column_rows(columns, MOST_COLUMNS),
        facilities=words.facility_rows(figures.get("facilities", [])),
        history=[
            {
                "day": shown_date(check.as_of),
                "people": shown_number(check.patients),
                "found": shown_number(sum(column["drifted"] for column in check.figures.get("columns", []))),
                "facilities": shown_number(len({row["facility"] for row in check.figures.get("facilities", [])})),
            }
            for check in rows
        ],
        parity=parity,
    )


@router.get("/programme/groups")
def show_groups(page: Page, principal: Reader, _visitor: Visitor, scope: TenantScope) -> HTMLResponse:
    """Show whether predictions and lists do as well for each group of people, and what may be concluded."""
    with scope.session() as session:
        newest = checks.newest(session, "bias")
    figures = checks.figures_of(newest)
    return page.render(
        "portal/models/groups.html",
        principal,
        partner=scope.tenant.name,
        current="/programme",
        navigation_counts=counts_for(scope),
        sections=words.sections_of_watch("/programme/groups"),
        newest=newest,
        decisions=shown_number(figures.get("decisions", 0)),
        by_capacity=figures.get("listed_by") == "capacity",
        divisions=[
            {
                "title": _(words.DIVISIONS[division["name"]]),
                "rows": words.group_rows(division["groups"]),
                "hidden": division["hidden"],
            }
            for division in figures.get("divisions", [])
            if division["groups"]
        ],
    )


@router.get("/programme/features")
def show_features(page: Page, principal: Reader, _visitor: Visitor, scope: TenantScope) -> HTMLResponse:
    """Show every feature with its meaning and how its values lie, and what moves the risk."""
    with scope.session() as session:
        features = listing.features(session)
        explained = checks.figures_of(checks.newest(session, "explanations"))
    important = explained.get("features", [])
    return page.render(
        "portal/models/features.html",
        principal,
        partner=scope.tenant.name,
        current="/programme",
        navigation_counts=counts_for(scope),
        sections=words.sections_of_watch("/programme/features"),
        features=features,
        important=[
            {
                "name": feature["name"],
                "theme": _(words.THEMES.get(feature["theme"], "")),
                "importance": shown_number(feature["importance"], 2),
            }
            for feature in important
        ],
        picture=beeswarm(
            _("What moves the risk"),
            [(feature["name"], feature["points"]) for feature in important],
            _("lowers the risk"),
            _("raises the risk"),
        ),
        stability=explained.get("stability", {}),
        themes=[
            (_(title), [_feature_row(feature) for feature in features.features if feature.theme == theme])
            for theme, title in words.THEMES.items()
            if theme
        ],
    )


@router.get("/programme/features/{name}")
def show_feature(page: Page, principal: Reader, _visitor: Visitor, scope: TenantScope, name: str) -> HTMLResponse:
    """Show one feature: its definition, how its values lie, and how the risk follows them."""
    with scope.session() as session:
        features = listing.features(session)
        explained = checks.figures_of(checks.newest(session, "explanations"))
    feature = next((each for each in features.features if each.name == name), None)
    if feature is None:
        detail = "there is no such feature"
        raise NotFound(detail, remedy="open the list of features")
    important = next((each for each in explained.get("features", []) if each["name"] == name), None)
    curve = important["curve"] if important is not None else []
    labels = [_entry_label(entry) for entry in curve]
    return page.render(
        "portal/models/feature.html",
        principal,
        partner=scope.tenant.name,
        current="/programme",
        navigation_counts=counts_for(scope),
        sections=words.sections_of_watch("/programme/features"),
        features=features,
        feature=feature,
        theme=_(words.THEMES[feature.theme]),
        lies=_lies(feature.distribution, feature.categories),
        known=shown_share((feature.distribution or {}).get("known", 0.0)),
        picture=dependence(_("How the risk follows the value"), curve, labels),
        curve=[
            {
                "label": label,
                "people": shown_number(entry["people"]),
                "middle": words.number(entry["middle"]),
                "range": shown_range(words.number(entry["low"]), words.number(entry["high"])),
            }
            for label, entry in zip(labels, curve, strict=True)
        ],
    )


def _feature_row(feature: Any) -> dict[str, Any]:  # noqa: ANN401 - a FeatureOut
    lies = feature.distribution or {}
    quantiles = lies.get("quantiles")
    return {
        "name": feature.name,
        "meaning": feature.description,
        "unit": feature.unit,
        "known": shown_share(lies["known"]) if lies else "-",
        "middle": words.number(quantiles[2], 1) if quantiles else "-",
        "range": shown_range(words.number(quantiles[0], 1), words.number(quantiles[4], 1)) if quantiles else "-",
        "used": _("Yes") if feature.in_serving_model else _("No"),
    }


def _lies(distribution: dict[str, Any] | None, categories: list[str]) -> list[tuple[str, float, str]]:
    """Bars of a distribution: label, share of the largest, and the share of people in words."""
    lies = distribution or {}
    histogram = lies.get("histogram")
    counts = histogram["counts"] if histogram else lies.get("counts", [])
    total, most = sum(counts), max(counts, default=0)
    if not total:
        return []
    if histogram:
        edges = histogram["edges"]
        labels = [shown_range(words.number(a, 1), words.number(b, 1)) for a, b in pairwise(edges)]
    else:
        labels = list(categories)
    return [(label, n / most, shown_share(n / total)) for label, n in zip(labels, counts, strict=True) if n]


def _entry_label(entry: dict[str, Any]) -> str:
    if entry.get("missing"):
        return _("Not known")
    return str(entry["category"]) if "category" in entry else words.number(entry["value"], 1)
