"""Smoke tests: what a running installation must do, asked from outside after each deployment."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from html import unescape
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

from core.errors.problem import MEDIA_TYPE as PROBLEM
from core.releases.asking import AskingError, HttpsOnlyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.releases.asking import Asker, Reply

PAUSE_SECONDS: Final = 1.0
"""Seconds between two tries while the installation is awaited."""

MOST_ASSETS: Final = 3
"""Files of the sign-in page that are asked for."""

MONTH: Final = 2_592_000
"""Seconds for which a browser must be allowed to reuse a file whose address has its digest."""

_ASSET = re.compile(r"""(?:href|src)="([^"]*/assets/[^"]+)\"""")
_AGE = re.compile(r"max-age=(\d+)")
_SECURITY: Final = {
    "content-security-policy": "default-src 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "",
    "cross-origin-opener-policy": "same-origin",
}
"""Headers that every page has -> a part of their value."""


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of one check.

    Attributes:
        state: ``skipped`` if it could not be asked in this way; only ``failed`` fails the whole.
        remedy: what to do; empty if it is well.
    """

    name: str
    state: Literal["ok", "failed", "skipped"]
    milliseconds: float
    detail: str = ""
    remedy: str = ""


class FindingError(Exception):
    """What a check rejects; ``remedy`` says what to do."""

    def __init__(self, detail: str, remedy: str) -> None:
        super().__init__(detail)
        self.remedy = remedy


@dataclass(slots=True)
class Smoke:
    """The checks of one installation.

    Attributes:
        asker: sends the requests.
        key: an API key, for a read with a credential; None leaves that check out.
        version: the version that must answer; None takes any.
        exclude: checks of readiness that may fail.
    """

    asker: Asker
    key: str | None = None
    version: str | None = None
    exclude: tuple[str, ...] = ()
    _page: str = field(default="", init=False)

    def wait(self, seconds: float) -> None:
        """Wait until the installation is ready, at most ``seconds``. The checks then say what is wrong."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if all(_judge(check).state == "ok" for check in (self.live, self.ready)):
                return
            time.sleep(min(PAUSE_SECONDS, max(0.0, until - time.monotonic())))

    def run(self) -> list[Check]:
        """Run every check, and return their outcomes in order."""
        checks = [self.live, self.ready, self.startup, self.sign_in, self.assets, self.unauthenticated, self.unknown]
        if self.key is not None:
            checks.append(self.authenticated)
        return [_judge(check) for check in checks]

    def live(self) -> str:
        """Check that the process answers."""
        reply = _expected(self.asker.get("/health/live"), 200, "Restart the process, and read its log.")
        if _member(reply, "status") != "alive":
            detail = "the answer is not that of the platform"
            raise FindingError(detail, "Check the address, and what the proxy does with /health.")
        return ""

    def ready(self) -> str:
        """Check that the process can work."""
        query = "&".join(f"exclude={name}" for name in self.exclude)
        reply = self.asker.get(f"/health/ready?{query}" if query else "/health/ready")
        if reply.status == 200 and _member(reply, "ready") is True:  # noqa: PLR2004 - a status of HTTP
            return ""
        errors = _member(reply, "errors")
        failed = [one for one in errors if isinstance(one, dict)] if isinstance(errors, list) else []
        detail = "; ".join(f"{one.get('field')}: {one.get('problem')}" for one in failed)
        remedies = " ".join(dict.fromkeys(str(one.get("remedy")) for one in failed if one.get("remedy")))
        raise FindingError(
            detail or str(_member(reply, "detail") or f"status {reply.status}"),
            remedies or "Read the log of the process.",
        )

    def startup(self) -> str:
        """Check that the process has started, and its version."""
        reply = _expected(self.asker.get("/health/startup"), 200, "Wait until it is ready: see `ready`.")
        version = _member(reply, "version")
        if _member(reply, "status") != "started" or not version:
            detail = "the answer does not say that it has started, and which version"
            raise FindingError(detail, "Check the address, and what the proxy does with /health.")
        if self.version is not None and version != self.version:
            detail = f"version {version} answers, not {self.version}"
            raise FindingError(detail, "Check that the new version is rolled out, and that the address leads to it.")
        return f"version {version}"

    def sign_in(self) -> str:
        """Check that browsers reach the page for signing in, with its security headers."""
        reply = _expected(self.asker.get("/", {"Accept": "text/html"}), 200, "Read the log of the process.")
        self._page = reply.body.decode("utf-8", "replace")
        if reply.media_type != "text/html" or "<form" not in self._page:
            detail = f"{reply.path} is no page with a form"
            raise FindingError(detail, "Check that the address is the platform's, and that its pages are installed.")
        wanted = {**_SECURITY, "cache-control": "no-store"}
        if self.asker.secure:
            wanted["strict-transport-security"] = "max-age="
        wrong = [name for name, part in wanted.items() if part not in reply.headers.get(name, "\0")]
        if wrong:
            detail = f"headers are missing or weaker: {', '.join(wrong)}"
            raise FindingError(detail, "Let the proxy pass on the platform's headers as they are.")
        return reply.path.partition("?")[0]

    def assets(self) -> str:
        """Check that files of the page arrive, and that browsers may reuse them."""
        addresses = list(dict.fromkeys(unescape(address) for address in _ASSET.findall(self._page)))
        if not addresses:
            detail = "the sign-in page names no file"
            raise FindingError(detail, "See `sign_in`.")
        for address in addresses[:MOST_ASSETS]:
            # A CDN takes them from here: so the path is asked of this server, whatever host the page names.
            reply = _expected(self.asker.get(urlsplit(address).path), 200, "Let the proxy pass on /assets/.")
            control = reply.headers.get("cache-control", "")
            age = _AGE.search(control)
            if age is None or int(age[1]) < MONTH or "immutable" not in control:
                detail = f"{reply.path} has Cache-Control {control!r}"
                raise FindingError(detail, "Let the proxy pass on Cache-Control of /assets/ as it is.")
            if not reply.body or "nosniff" not in reply.headers.get("x-content-type-options", ""):
                detail = f"{reply.path} is empty, or lacks X-Content-Type-Options"
                raise FindingError(detail, "Let the proxy pass on /assets/ as it is.")
        return f"{min(len(addresses), MOST_ASSETS)} files"

    def unauthenticated(self) -> str:
        """Check that a request without a credential is rejected."""
        reply = self.asker.get("/v1/me")
        if reply.status == 403 and not self.asker.secure:  # noqa: PLR2004 - a status of HTTP
            raise HttpsOnlyError
        _problem(reply, 401)
        if "www-authenticate" not in reply.headers:
            detail = "the answer 401 lacks WWW-Authenticate"
            raise FindingError(detail, "Let the proxy pass on the platform's headers as they are.")
        return ""

    def unknown(self) -> str:
        """Check that an unknown path is answered with a problem that names no internals."""
        _problem(self.asker.get("/no-such-path"), 404)
        return ""

    def authenticated(self) -> str:
        """Check that a key is accepted."""
        reply = self.asker.get_once("/v1/me", {"Authorization": f"Bearer {self.key}"})
        if reply.status == 403 and not self.asker.secure:  # noqa: PLR2004 - a status of HTTP
            raise HttpsOnlyError
        _expected(reply, 200, "Check that the key is not revoked and that its partner is not suspended.")
        if not _member(reply, "kind"):
            detail = "the answer does not say whose key it is"
            raise FindingError(detail, "Check that the address is the platform's.")
        return ""


def _judge(check: Callable[[], str]) -> Check:
    began = time.perf_counter()
    state: Literal["ok", "failed", "skipped"] = "ok"
    remedy = ""
    try:
        detail = check()
    except HttpsOnlyError as error:
        state, detail, remedy = "skipped", str(error), error.remedy
    except (AskingError, FindingError) as error:
        state, detail, remedy = "failed", str(error), error.remedy
    return Check(check.__name__, state, round((time.perf_counter() - began) * 1000, 1), detail, remedy)


def _expected(reply: Reply, status: int, remedy: str) -> Reply:
    if reply.status != status:
        detail = f"{reply.path.partition('?')[0]} answers {reply.status}, not {status}"
        raise FindingError(detail, remedy)
    return reply


def _problem(reply: Reply, status: int) -> None:
    _expected(reply, status, "Check that the proxy passes the request on, and answers nothing by itself.")
    if reply.media_type != PROBLEM or _member(reply, "status") != status or not _member(reply, "remedy"):
        detail = f"the answer {status} is {reply.media_type or 'of no type'}, not a problem with a remedy"
        raise FindingError(detail, "Let the proxy pass on answers with errors as they are.")


def _member(reply: Reply, name: str) -> object:
    body = reply.json()
    return body.get(name) if isinstance(body, dict) else None
