"""Makes the writes of an application take effect once per Idempotency-Key."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

from fastapi import Depends, Request
from fastapi.concurrency import contextmanager_in_threadpool
from fastapi.dependencies.utils import get_parameterless_sub_dependant
from fastapi.routing import request_response, wrap_app_with_body_limit  # type: ignore[attr-defined]

from core.access import AnyScope, TenantDb, TenantScope
from core.access.require import open_to_all
from core.access.scope import transaction
from core.database import DEFAULT_DATABASE, TenantSession, platform_session, psycopg_connection
from core.database.joining import joined
from core.idempotency.answers import (
    KeyedWrite,
    Replay,
    key_digest_of,
    reject_or_replay,
    statement_to_store,
    take_lock,
)
from core.idempotency.fingerprints import fingerprint_of
from core.idempotency.homes import Home, calls_of, home_of
from core.web.idempotency import FORM_FIELD, NAME, parse, required
from core.web.location import STATUSES
from core.web.page_marks import is_page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from contextlib import AbstractContextManager

    from fastapi.routing import APIRoute, RouteContext
    from sqlmodel import Session
    from starlette.responses import Response

    from core.access import PrincipalScope

_ANSWER = "iit.idempotency.answer"
HX_REQUEST = "hx-request"
LONGEST_FORM_KEY = 64


def make_idempotent(route: APIRoute) -> None:
    """Make a write of the application take effect once per key. Its last dependency looks the key up.

    So a rejected credential, permission or path comes before, and the body's validation after.
    """
    home = home_of(route.dependant)
    calls = list(calls_of(route.dependant))
    if open_to_all in calls:
        return
    call: Callable[..., AsyncIterator[None]] | _KeyNeeded
    if home is Home.REPEATABLE:
        return
    if home is Home.PLATFORM:
        call = _in_platform
    elif home is Home.ROLES:
        call = _in_tenant_and_platform
    elif home is Home.STEPS:
        call = _in_steps
    elif transaction in calls:
        call = _in_transaction_of_request
    else:
        call = _in_tenant
    depends = Depends(call, scope="function")
    if needs_key(route):
        needed = Depends(_KeyNeeded())
        route.dependant.dependencies.append(get_parameterless_sub_dependant(depends=needed, path=route.path_format))
    route.dependant.dependencies.append(get_parameterless_sub_dependant(depends=depends, path=route.path_format))
    app = request_response(_replaying(route.get_route_handler()))
    route.app = wrap_app_with_body_limit(app, route.max_body_size)


def needs_key(route: APIRoute | RouteContext) -> bool:
    """Return whether callers of a route under /v1 must send a key: it creates something, or starts a job."""
    return (
        "POST" in (route.methods or ())
        and route.status_code in STATUSES
        and home_of(route.dependant) is not Home.REPEATABLE
        and open_to_all not in calls_of(route.dependant)
    )


class _KeyNeeded:
    """The dependency of an operation that needs a key."""

    async def __call__(self, request: Request) -> None:
        """Accept a request with a key.

        Raises:
            BadRequest: it has none (400).
        """
        if NAME not in request.headers:
            raise required()


def _replaying(handle: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Return a route's handler that leaves the answer for the dependency, and answers a replay."""

    async def handle_write(request: Request) -> Response:
        try:
            response = await handle(request)
        except Replay as replay:
            return replay.response
        request.scope[_ANSWER] = response
        return response

    return handle_write


async def _key_of(request: Request) -> str | None:
    """Return the key of a request: its header, or the field of a page's form."""
    value = request.headers.get(NAME)
    if value is not None:
        return parse(value.strip())
    if not is_page(request.scope):
        return None
    field: Any = request.query_params.get(FORM_FIELD) or (await request.form()).get(FORM_FIELD)
    return field if isinstance(field, str) and 0 < len(field) <= LONGEST_FORM_KEY else None


async def _write_of(request: Request, scope: PrincipalScope, *, in_tenant: bool) -> KeyedWrite | None:
    """Return the write with its key; None without a key."""
    key = await _key_of(request)
    if key is None:
        return None
    fingerprint = await fingerprint_of(request)
    page = is_page(request.scope)
    tenant, actor = scope.tenant, scope.principal.actor
    # A page's key names one form of the page, as a whole page or as the part that a script asks for.
    more = (request.scope["path"].encode(), str(HX_REQUEST in request.headers).encode()) if page else ()
    return KeyedWrite(
        key_digest=key_digest_of(None if tenant is None else tenant.id, actor, key, *more),
        tenant=tenant,
        principal=actor,
        operation=request.scope["route"].name,
        fingerprint=fingerprint,
        request_id=scope.request_id,
        in_tenant=in_tenant,
        page=page,
    )


async def _in_transaction_of_request(request: Request, scope: TenantScope, db: TenantDb) -> AsyncIterator[None]:
    """Store the answer in the transaction that the request has."""
    write = await _write_of(request, scope, in_tenant=True)
    async with _transaction_of(request, write, lambda: nullcontext(db)):
        yield


async def _in_tenant(request: Request, scope: TenantScope) -> AsyncIterator[None]:
    """Make the tenant's sessions of the request one transaction, and store the answer in it."""
    write = await _write_of(request, scope, in_tenant=True)
    async with _transaction_of(request, write, scope.session):
        yield


async def _in_steps(request: Request, scope: TenantScope) -> AsyncIterator[None]:
    """Let the sessions of the request be transactions of their own, and store the answer after them."""
    write = await _write_of(request, scope, in_tenant=True)
    if write is None:
        yield
        return
    unit = _steps(write, scope.session, lambda: request.scope.get(_ANSWER))
    async with contextmanager_in_threadpool(unit):
        yield


async def _in_platform(request: Request, scope: AnyScope) -> AsyncIterator[None]:
    """Make the sessions of ``platform`` one transaction, and store the answer in it."""
    write = await _write_of(request, scope, in_tenant=False)
    async with _transaction_of(request, write, platform_session):
        yield


async def _in_tenant_and_platform(request: Request, scope: TenantScope) -> AsyncIterator[None]:
    """As ``_in_tenant``; the sessions of ``platform`` commit after the tenant's."""
    write = await _write_of(request, scope, in_tenant=True)
    async with _transaction_of(request, write, scope.session, then_platform=True):
        yield


@asynccontextmanager
async def _transaction_of(
    request: Request,
    write: KeyedWrite | None,
    begin: Callable[[], AbstractContextManager[Session]],
    *,
    then_platform: bool = False,
) -> AsyncIterator[None]:
    if write is None:
        yield
        return
    # Files are stored before the transaction begins, because the store may be slow.
    lazily = request.headers.get("content-type", "").startswith("multipart/")
    unit = _unit(write, begin, lambda: request.scope.get(_ANSWER), lazily=lazily, then_platform=then_platform)
    async with contextmanager_in_threadpool(unit):
        yield


@contextmanager
def _unit(
    write: KeyedWrite,
    begin: Callable[[], AbstractContextManager[Session]],
    answer: Callable[[], Response | None],
    *,
    lazily: bool,
    then_platform: bool,
) -> Iterator[None]:
    """One transaction of a write: its lock, the look-up of its answer, its effect, its answer.

    If the route raises, its sessions that had ended well commit, as they would without a key.
    """
    failure: Exception | None = None
    place = write.tenant.id if write.in_tenant and write.tenant is not None else DEFAULT_DATABASE
    # What is entered first commits last.
    with (
        joined(DEFAULT_DATABASE, platform_session) if then_platform else nullcontext(),
        joined(place, lambda: _locked(write, begin)) as joint,
    ):
        if lazily:
            with joint.apart(), _locked(write, begin):
                pass
        else:
            joint.open()
        try:
            yield
        except Exception as error:  # noqa: BLE001 - raised again below
            failure = error
        else:
            _store(joint.open, write, answer())
    if failure is not None:
        raise failure


@contextmanager
def _steps(
    write: KeyedWrite, begin: Callable[[], AbstractContextManager[Session]], answer: Callable[[], Response | None]
) -> Iterator[None]:
    """Look the answer up, and store it after the effect, which no second run repeats."""
    with _locked(write, begin):
        pass
    yield
    with suppress(Replay), _locked(write, begin) as session:  # a twin has stored it
        _store(lambda: session, write, answer())


@contextmanager
def _locked(write: KeyedWrite, begin: Callable[[], AbstractContextManager[Session]]) -> Iterator[Session]:
    """Open a transaction that holds the lock of the write, whose answer is not stored.

    Raises:
        Replay: it is stored.
        Conflict, Invalid: see ``answers``.
    """
    with begin() as session:
        driver = psycopg_connection(session)
        with driver.cursor() as cursor:
            take_lock(cursor, write)
        reject_or_replay(driver, write)
        yield session


def _store(open_session: Callable[[], Session], write: KeyedWrite, response: Response | None) -> None:
    statement = None if response is None else statement_to_store(write, response)
    if statement is None:
        return
    session = open_session()
    if isinstance(session, TenantSession):
        session.at_commit(*statement)
        return
    session.flush()
    psycopg_connection(session).execute(*statement)
