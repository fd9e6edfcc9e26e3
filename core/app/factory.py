"""Creates the application: features' routers under /v1, their pages, health checks and documentation."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version

from anyio.to_thread import run_sync
from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute
from starlette.types import ASGIApp

from core import database, telemetry
from core.access.require import open_to_all, reject_open_routes
from core.app import bounded, docs, health, home, openapi
from core.app.callers import VERIFIERS
from core.app.errors import install
from core.app.middleware import RequestBoundary
from core.app.pages import lay_pages
from core.app.permissions import RoutePermissions
from core.app.routing import lay_flat
from core.connections.sharing import sharing
from core.error_groups.tracking import tracked
from core.feature_registry import Feature, features, resolve
from core.maintenance import notice_followed
from core.metering.seconds import seconds_recorded
from core.metrics.exposition import exposed
from core.plugins.catalogue import installed
from core.services import ensure
from core.settings import get_settings
from core.tracing import traced
from core.web import assets

DESCRIPTION = """
Keeps people on HIV treatment from falling out of care: a partner's records in, today's list of whom to see out, with
reasons.

**Credential.** Every operation needs the tenant's API key, as `Authorization: Bearer iit_…` or `X-API-Key: iit_…`.
The key says which tenant; there is no other way to name one. Another tenant's rows answer 404.

**Names.** A record's identifier is `id`, a reference is `<thing>_id`; both are UUIDs. `facility` is the DATIM id of a
facility. Personal identifiers are in no address: `POST /v1/patients/search` takes them in its body.

**Lists** take `page` and `page_size`; most take `sort` (`name`, or `-name` for descending). Follow `next`: in long
lists it carries a cursor, `after`, so that a page far into the list takes no longer than the first one.

**Long reads** stream NDJSON, one object a line.

**Reads** have an ETag: send it in `If-None-Match` for 304. **Changes** of a row take it in `If-Match`. **Writes** take
`Idempotency-Key`, your name for the write, the same with each retry, so that it takes effect once; what creates
something or starts a job needs it. 201 and 202 say in `Location` where to go.

**Errors** are `application/problem+json` (RFC 9457): what is wrong, what to do, which fields. Tell the operator the
`X-Request-ID` of the answer when something stays wrong.
"""


SETTLE_SECONDS = 3.0
"""Seconds that a stopping server waits for its running health checks."""


class Application(FastAPI):
    """FastAPI with ``RequestBoundary`` as its outermost layer, outside Starlette's own error handler."""

    def build_middleware_stack(self) -> ASGIApp:
        """Return the whole stack of middleware."""
        settings = get_settings()
        connections = settings.database_pool_size + settings.database_pool_overflow
        return RequestBoundary(
            super().build_middleware_stack(),
            concurrency=max(1, connections - VERIFIERS - 1),  # one is for health checks and breakers
            patience=settings.database_pool_timeout,
            permissions=RoutePermissions(self),
        )

    def openapi(self) -> dict[str, object]:
        """Return the OpenAPI document."""
        return openapi.document(self)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Find or start the servers before the first request, and close the connections after the last one."""
    telemetry.configure_from_settings()
    await run_sync(ensure)
    await run_sync(installed)  # finds the plugins now: no request may wait for that in its transaction
    settings = get_settings()
    try:
        with (
            exposed(settings.metrics_host, settings.metrics_port),
            sharing("api"),
            tracked("api"),
            traced("api"),
            seconds_recorded(),
            notice_followed(),
        ):
            yield
    finally:
        await run_sync(_close)


def _close() -> None:
    bounded.settle(SETTLE_SECONDS)  # a check may have a connection, which a closed pool would lose
    database.dispose()


def operation_id(route: APIRoute) -> str:
    """Return the id of an operation: the name of its function, such as ``list_patients``."""
    return route.name


def create_app(rooms: Sequence[Feature] | None = None) -> FastAPI:
    """Create the application.

    Args:
        rooms: the features to serve; every installed one when None.

    Raises:
        LookupError: a page or a route under /v1 declares no permission, or one that no feature declares; or a page
            cannot be mounted (``core.app.pages``).
    """
    app = Application(
        title="IIT platform",
        version=version("iit-platform"),
        summary="Who is about to interrupt HIV treatment, why, and what became of it.",
        description=DESCRIPTION.strip(),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        generate_unique_id_function=operation_id,
        max_body_size=get_settings().body_max_bytes,
        # Its spans and logs would carry paths, queries and the texts of errors; core.tracing traces instead.
        telemetry={
            "tracing": False,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
        },
    )
    install(app)
    served = features() if rooms is None else rooms
    app.openapi_tags = [
        {"name": name, "description": about}
        for tags in (health.TAGS, *(feature.tags for feature in served))
        for name, about in tags.items()
    ]
    for feature in served:
        for reference in feature.routers:
            lay_flat(app, resolve(reference), "/v1")
        for reference in feature.public_routers:
            lay_flat(app, resolve(reference), "/v1", [Depends(open_to_all)])
    lay_pages(app, served)
    app.include_router(assets.router)
    app.include_router(home.router)
    app.include_router(health.router)
    app.include_router(docs.router)
    app.include_router(docs.document_router)
    reject_open_routes(app)
    return app
