"""Pages of plugins and channels: what is installed, the partner's instances, and the forms that set them up."""

from typing import Annotated, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form, Path
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from core import audit
from core.access import Scope, TenantScope, require
from core.access.pages import Page, PageContext
from core.errors import AppError, Conflict, Invalid, NotFound, PreconditionFailed
from core.idempotency import REPEATABLE
from core.identity import Principal
from core.identity.people.members import names_of
from core.identity.principal import actor_of_person, people_of_actors
from core.plugins import catalogue, instances
from core.plugins.instance_models import PluginInstance
from core.plugins.settings_schema import secret_names
from core.plugins.testing_instances import send_test
from core.tenancy import settings as tenant_settings
from core.web.etag import ExpectedVersions, etag
from core.web.own_address import origin_for_caller
from core.web.pages import SEE_OTHER
from core.web.problem_texts import problem_text
from core.web.texts import gettext as _
from plugins.sdk import Outcome
from tenants.messages.numbers import mobile_number
from tenants.messages.settings import MessageSettings
from tenants.portal import plugin_words as words
from tenants.portal.admin_setting_pages import Sent
from tenants.portal.plugin_fields import fields_of, general_problems, values_of, with_texts, wrong_fields
from tenants.portal.plugin_texts import plugin_text

router = APIRouter()

Reader = Annotated[Principal, Depends(require("plugins.read"))]
Writer = Annotated[Principal, Depends(require("plugins.write"))]
KindName = Annotated[str, Path(max_length=40)]
PluginName = Annotated[str, Path(max_length=40)]
REJECTED: Final = (Invalid, Conflict, PreconditionFailed)
_ONE: Final = "/admin/plugins/{instance_id}"
_NEW: Final = "/admin/plugins/new/{plugin_kind}/{plugin}"


class VersionForm(BaseModel):
    """The version of an instance that the person has seen."""

    model_config = ConfigDict(extra="ignore")

    version: str = Field(default="", max_length=100)


@router.get("/admin/plugins")
def show_plugins(page: Page, principal: Reader, scope: TenantScope, done: str = "") -> HTMLResponse:
    """Show the partner's instances, and the installed plugins by kind."""
    plugins = catalogue.installed(scope.tenant)
    with scope.session(readonly=True) as session:
        rows = instances.list_instances(session)
    return page.render(
        "portal/admin/plugins.html",
        principal,
        partner=scope.tenant.name,
        current="/admin",
        rows=[(row, instances.state_of(row, scope.tenant), _title(row, scope)) for row in rows],
        cards=words.offer_cards(plugins, rows),
        models=words.models_of(plugins),
        unusable=[plugin for plugin in plugins if plugin.state != "ready"],
        words=words,
        done=done,
        zone=ZoneInfo(scope.tenant.time_zone),
        may_write="plugins.write" in principal.permissions,
    )


@router.get(_NEW)
def show_new(page: Page, _: Writer, scope: TenantScope, plugin_kind: KindName, plugin: PluginName) -> HTMLResponse:
    """Show the form that sets up a plugin."""
    return _form_page(page, scope, catalogue.get_offer(plugin_kind, plugin, scope.tenant), None, {})


@router.post(_NEW)
def post_new(
    page: Page, _: Writer, scope: TenantScope, plugin_kind: KindName, plugin: PluginName, sent: Sent
) -> Response:
    """Set up a plugin."""
    offer = catalogue.get_offer(plugin_kind, plugin, scope.tenant)
    try:
        with scope.session() as session:
            draft = _draft(offer, sent)
            row = instances.add_instance(session, plugin_kind, plugin, draft, source="page")
            address = f"/admin/plugins/{row.id}?done=added"
    except REJECTED as error:
        return _form_page(page, scope, offer, None, sent, error)
    return RedirectResponse(address, SEE_OTHER)


@router.get(_ONE)
def show_plugin(page: Page, _: Reader, scope: TenantScope, instance_id: UUID, done: str = "") -> HTMLResponse:
    """Show an instance: whether it works, its settings without the secrets, and the log of its failures."""
    return _instance_page(page, scope, instance_id, done=done)


@router.get(_ONE + "/change")
def show_change(page: Page, _: Writer, scope: TenantScope, instance_id: UUID) -> HTMLResponse:
    """Show the form of an instance's name and settings."""
    row = _instance(scope, instance_id)
    return _form_page(page, scope, catalogue.get_offer(row.kind, row.plugin, scope.tenant), row, {})


@router.post(_ONE + "/change")
def post_change(page: Page, _: Writer, scope: TenantScope, instance_id: UUID, sent: Sent) -> Response:
    """Change an instance's name and settings. A secret that the form leaves empty stays."""
    row = _instance(scope, instance_id)
    offer = catalogue.get_offer(row.kind, row.plugin, scope.tenant)
    expected = ExpectedVersions(frozenset({sent.get("version", "")}))
    try:
        with scope.session() as session:
            instances.change_instance(session, instance_id, _draft(offer, sent), expected, source="page")
    except REJECTED as error:
        return _form_page(page, scope, offer, row, sent, error)
    return _back(instance_id, "changed")


@router.post(_ONE + "/enable")
def post_enable(page: Page, _: Writer, scope: TenantScope, instance_id: UUID) -> Response:
    """Use an instance."""
    try:
        with scope.session() as session:
            instances.set_enabled(session, instance_id, enabled=True, source="page")
    except Conflict as error:
        return _instance_page(page, scope, instance_id, problem=problem_text(error), status=error.status)
    return _back(instance_id, "enabled")


@router.post(_ONE + "/disable")
def post_disable(_: Writer, scope: TenantScope, instance_id: UUID) -> Response:
    """Use an instance no more. Its settings stay."""
    with scope.session() as session:
        instances.set_enabled(session, instance_id, enabled=False, source="page")
    return _back(instance_id, "disabled")


@router.post(_ONE + "/remove")
def post_remove(_: Writer, scope: TenantScope, instance_id: UUID, form: Annotated[VersionForm, Form()]) -> Response:
    """Remove an instance, with its secrets and its log."""
    with scope.session() as session:
        instances.remove_instance(session, instance_id, ExpectedVersions(frozenset({form.version})), source="page")
    return RedirectResponse("/admin/plugins?done=removed", SEE_OTHER)


@router.post(_ONE + "/test", dependencies=[REPEATABLE])
def post_test(
    page: Page, _: Writer, scope: TenantScope, instance_id: UUID, phone: Annotated[str, Form(max_length=40)] = ""
) -> HTMLResponse:
    """Send one test through an instance, and show what became of it."""
    row, number = _instance(scope, instance_id), None
    if row.kind == "sms-gateway":
        with scope.session(readonly=True) as session:
            number = mobile_number(phone, tenant_settings.get(session, MessageSettings).region)
        if number is None:
            return _instance_page(page, scope, instance_id, wrong_phone=phone or " ", status=Invalid.status)
    with scope.session() as session:
        audit.record(session, "page:plugin:test", "plugin_instance", instance_id, {})
    return _instance_page(page, scope, instance_id, tested=send_test(scope.tenant, instance_id, row.kind, number))


@router.post(_ONE + "/address")
def post_address(page: Page, _: Writer, scope: TenantScope, instance_id: UUID) -> HTMLResponse:
    """Show the address for the vendor's requests. It contains a secret."""
    with scope.session() as session:
        row = instances.get_instance(session, instance_id)
        audit.record(session, "page:plugin:address", "plugin_instance", instance_id, {})
        path = instances.incoming_path(session, row)
    return _address_page(page, scope, row, path)


@router.post(_ONE + "/rotate-address")
def post_rotate_address(page: Page, _: Writer, scope: TenantScope, instance_id: UUID) -> HTMLResponse:
    """Create a new address for the vendor's requests, and show it. The old one ends at once."""
    with scope.session() as session:
        row = instances.rotate_token(session, instance_id, source="page")
        path = instances.incoming_path(session, row)
    return _address_page(page, scope, row, path)


def _draft(offer: catalogue.Offer, sent: dict[str, str]) -> instances.InstanceIn:
    values = values_of(fields_of(offer.schema, {}), sent)
    return instances.InstanceIn(sent.get("name", "")[:100], values, enabled="enabled" in sent)


def _instance(scope: Scope, instance_id: UUID) -> PluginInstance:
    catalogue.installed()  # before a transaction: it may start processes
    with scope.session(readonly=True) as session:
        return instances.get_instance(session, instance_id)


def _title(row: PluginInstance, scope: Scope) -> str:
    offer = catalogue.find_offer(row.kind, row.plugin, scope.tenant)
    return row.plugin if offer is None else plugin_text(offer.title)


def _back(instance_id: UUID, done: str) -> RedirectResponse:
    return RedirectResponse(f"/admin/plugins/{instance_id}?done={done}", SEE_OTHER)


def _creator(scope: Scope, row: PluginInstance) -> str:
    people = names_of(scope.tenant, people_of_actors([row.created_by]))
    return next((name for person, name in people.items() if actor_of_person(person) == row.created_by), row.created_by)


def _instance_page(
    page: PageContext,
    scope: Scope,
    instance_id: UUID,
    *,
    done: str = "",
    tested: Outcome | None = None,
    problem: str = "",
    wrong_phone: str = "",
    status: int = 200,
) -> HTMLResponse:
    plugins = catalogue.installed(scope.tenant)
    with scope.session(readonly=True) as session:
        row = instances.get_instance(session, instance_id)
        failures = instances.list_failures(session, instance_id)
    offer = catalogue.find_offer(row.kind, row.plugin, scope.tenant)
    owner = next((plugin for plugin in plugins if offer in plugin.offers), None)
    schema = {} if offer is None else offer.schema
    secrets_set = [] if instances.needs_secrets(row) else instances.set_secrets(row, schema)
    settings = instances.shown_settings(row, schema)
    titles = {name: plugin_text(each.get("title") or name) for name, each in schema.get("properties", {}).items()}
    return page.render(
        "portal/admin/plugin.html",
        scope.principal,
        status=status,
        partner=scope.tenant.name,
        current="/admin",
        row=row,
        state=instances.state_of(row, scope.tenant),
        title=row.plugin if offer is None else plugin_text(offer.title),
        code_version="" if offer is None else offer.version,
        origin="" if owner is None else words.origin_words(owner),
        rights="" if owner is None else words.rights_words(owner),
        creator=_creator(scope, row),
        version=etag(row.version_id),
        settings=[(titles.get(name, name), words.setting_words(value)) for name, value in settings.items()],
        secrets=[(titles.get(name, name), name in secrets_set) for name in secret_names(schema) or row.secrets_set],
        failures=failures,
        words=words,
        done=done,
        tested=tested,
        problem=problem,
        wrong_phone=wrong_phone,
        zone=ZoneInfo(scope.tenant.time_zone),
        may_write="plugins.write" in scope.principal.permissions,
    )


def _form_page(
    page: PageContext,
    scope: Scope,
    offer: catalogue.Offer,
    row: PluginInstance | None,
    sent: dict[str, str],
    error: AppError | None = None,
) -> HTMLResponse:
    secrets_set = [] if row is None or instances.needs_secrets(row) else instances.set_secrets(row, offer.schema)
    fields = fields_of(offer.schema, {} if row is None else row.settings, secrets_set)
    if error is not None:
        fields = with_texts(fields, sent)
    wrong = {} if error is None else wrong_fields(fields, error.errors)
    labels = {"name": _("Name"), **{field.id: field.label for field in fields}}
    summary = [(name, f"{labels[name]}: {text}") for name, text in wrong.items()]
    if error is not None:
        summary += [("", text) for text in general_problems(error.errors)]
        summary = summary or [("", problem_text(error))]
    enabled = "enabled" in sent if error is not None else row is None or row.enabled or instances.needs_secrets(row)
    return page.render(
        "portal/admin/plugin_form.html",
        scope.principal,
        status=200 if error is None else error.status,
        partner=scope.tenant.name,
        current="/admin",
        offer=offer,
        plugin_title=plugin_text(offer.title),
        row=row,
        name=sent.get("name", "") if error is not None else ("" if row is None else row.name),
        enabled=enabled,
        version="" if row is None else etag(row.version_id),
        fields=fields,
        wrong=wrong,
        summary=summary,
        words=words,
    )


def _address_page(page: PageContext, scope: Scope, row: PluginInstance, path: str) -> HTMLResponse:
    if row.kind not in words.TAKES_REQUESTS:
        detail = "no vendor sends requests to such a plugin"
        raise NotFound(detail)
    return page.render(
        "portal/admin/plugin_address.html",
        scope.principal,
        partner=scope.tenant.name,
        current="/admin",
        row=row,
        address=origin_for_caller(page.request) + path,
    )
