"""A browser, the whole application on loopback, and pages that fail their test on any error of the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from core.identity.people.sessions import COOKIE
from tests.browser.chromium import axe_script, chromium
from tests.browser.page_checks import PHONE
from tests.core.app.wire import served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from playwright.sync_api import Browser, ConsoleMessage, Page, Request

    OpenPage = Callable[..., Page]
    Judge = Callable[..., None]

SERIOUS = ("serious", "critical")
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for a file. Its event loop runs in the main thread, so it must end before other tests begin."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def site(database: object) -> Iterator[str]:
    """The address of the whole application, served on loopback."""
    from core.app.factory import create_app

    with served(create_app()) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def troubles() -> list[str]:
    """What the browser reported so far; a test that provokes it empties the list."""
    return []


@pytest.fixture
def open_page(browser: Browser, site: str, troubles: list[str]) -> Iterator[OpenPage]:
    """Opens a page of the site in a browser of its own: ``open_page("/sign-in", DESKTOP)``.

    Nobody is signed in there, except with ``session``, the secret of a session.

    At the end the test fails where the browser reported an error, a violation of the content-security policy, or a
    request to another site.
    """
    contexts = []

    def begin(path: str | None = None, size: dict[str, int] = PHONE, *, session: str = "", **options: Any) -> Page:
        context = browser.new_context(base_url=site, viewport=size, **{"locale": "en-GB", **options})
        contexts.append(context)
        if session:
            context.add_cookies([{"name": COOKIE, "value": session, "url": site}])
        page = context.new_page()
        page.on("console", lambda message: _note_error(troubles, message))
        page.on("pageerror", lambda error: troubles.append(f"script: {error}"))
        page.on("request", lambda request: _note_stranger(troubles, request, site))
        if path is not None:
            page.goto(path)
        return page

    yield begin
    for context in contexts:
        context.close()
    assert not troubles, troubles


def _note_error(troubles: list[str], message: ConsoleMessage) -> None:
    expected = "the server responded with a status of"  # a page that answers 4xx is what some tests ask for
    if message.type == "error" and expected not in message.text:
        troubles.append(f"console: {message.text}")


def _note_stranger(troubles: list[str], request: Request, site: str) -> None:
    if not request.url.startswith((site, "data:", "blob:", "tel:")):
        troubles.append(f"request to another site: {request.url}")


@pytest.fixture(scope="session")
def accessible() -> Judge:
    """Fails where axe finds something serious on a page: ``accessible(page)``, or by some of its rules alone."""
    script = axe_script()

    def judge(page: Page, rules: Sequence[str] = ()) -> None:
        # Evaluated by the debugger, which no content-security policy stops.
        page.evaluate(f"() => {{ {script} }}")
        only = {"type": "rule", "values": list(rules)} if rules else {"type": "tag", "values": list(RULES)}
        result = page.evaluate("only => axe.run(document, {runOnly: only, resultTypes: ['violations']})", only)
        serious = [
            f"{violation['id']}: {violation['help']} ({', '.join(str(node['target']) for node in violation['nodes'])})"
            for violation in result["violations"]
            if violation["impact"] in SERIOUS
        ]
        assert not serious, serious

    return judge
