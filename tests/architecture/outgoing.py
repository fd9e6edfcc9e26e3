"""Calls to other servers pass the guard of ``core.resilience``, which bounds them in time and number."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from tests.architecture.lints import _imported, _qualified

if TYPE_CHECKING:
    from collections.abc import Iterator

CODE = ("core/", "tenants/", "billing/", "plugins/")
LIBRARIES = ("httpx.", "httpx2.", "requests.", "aiohttp.", "urllib3.")
CALLS = {
    "dns.asyncresolver.Resolver",
    "dns.resolver.Resolver",
    "dns.resolver.resolve",
    "fsspec.core.url_to_fs",
    "fsspec.filesystem",
    "http.client.HTTPConnection",
    "http.client.HTTPSConnection",
    "redis.Redis",
    "redis.Redis.from_url",
    "redis.asyncio.Redis.from_url",
    "redis.from_url",
    "smtplib.SMTP",
    "smtplib.SMTP_SSL",
    "socket.create_connection",
    "urllib.request.urlopen",
}
HARMLESS = {"httpx.URL", "httpx2.URL"}
GUARDS = {"core.resilience.guarded", "core.blobs.guarded_store.GuardedStore"}
MAY_CALL = {
    "core/app/readiness.py": "asks Redis whether it answers, in a thread that is bounded in time",
    "core/releases/asking.py": "asks an installation once, for a person at a terminal",
    "core/services/": "starts and looks at the embedded servers, before there is anything to protect",
}
"""Where calls need no guard, and why."""


def unguarded_calls(path: str, text: str) -> Iterator[str]:
    """Yield the calls to other servers in modules that do not use the guard."""
    if not path.startswith(CODE) or path.startswith(tuple(MAY_CALL)):
        return
    tree = ast.parse(text)
    names = _imported(tree)
    if GUARDS & set(names.values()):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _calls_out(called := _qualified(node.func, names)):
            yield f"{path}:{node.lineno}: {called} without core.resilience.guarded: declare and guard it"


def _calls_out(called: str) -> bool:
    return called not in HARMLESS and (called in CALLS or called.startswith(LIBRARIES))
