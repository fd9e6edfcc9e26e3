"""Plugins of a test, offered as if they came with the platform."""

from __future__ import annotations

from contextlib import contextmanager
from importlib.metadata import EntryPoint

import pytest

from core.plugins import catalogue, manager
from core.plugins.hook_calls import facts_of
from plugins.sdk import HttpRequest, failed, retry, secret, sent


@contextmanager
def offered(kind, *implementations):
    """Offer these objects besides what is installed."""
    point = EntryPoint("sample", "sample", manager.GROUP)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manager, "is_first_party", lambda _: True)
        offers = [catalogue._offer(point, {"kind": kind, **facts_of(each)}, each) for each in implementations]
    plugin = catalogue.InstalledPlugin("sample", "sample", "1", first_party=True, state="ready", offers=offers)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalogue, "_installed", [*catalogue.installed(), plugin])
        yield offers


class Channel:
    """Posts the alert's title with a token to the address in its settings."""

    name, title, version, per_minute = "sample", "Sample", "1", 0

    def __init__(self, **changes):
        for name, value in changes.items():
            setattr(self, name, value)

    def settings_schema(self):
        return {
            "type": "object",
            "required": ["url", "token"],
            "properties": {
                "url": {"type": "string", "format": "uri", "title": "Address"},
                "token": {"type": "string", "writeOnly": True, "title": "Token"},
                "room": {"type": "string", "default": "general", "title": "Room"},
            },
        }

    def requests(self, alert, settings):
        body = {"title": alert.title, "room": settings["room"], "token": secret("token")}
        return [HttpRequest("POST", settings["url"], json=body)]

    def outcome(self, response, settings):
        if response.failure or response.status >= 500:
            return retry(response.failure or "server_error")
        return sent(response.headers.get("x-id", "")) if response.status < 300 else failed(f"status_{response.status}")

    def signature(self, settings):
        return None

    def acts(self, request, settings):
        return []
