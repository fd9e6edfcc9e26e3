"""Performs a request that a plugin describes against a stand-in, as the platform does in outline."""

from __future__ import annotations

from functools import lru_cache

import httpx

from plugins.sdk import HttpResponse


def filled(value, secrets):
    """Put the secrets in place of their marks, in texts inside JSON too."""
    if isinstance(value, str):
        for name, secret in secrets.items():
            value = value.replace("{{secret:" + name + "}}", secret)
        return value
    if isinstance(value, dict):
        return {name: filled(each, secrets) for name, each in value.items()}
    return [filled(each, secrets) for each in value] if isinstance(value, (list, tuple)) else value


@lru_cache(maxsize=1)
def client():
    """One client, for making one takes longer than a request; it keeps no connection."""
    return httpx.Client(trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))


def perform(request, secrets, *, timeout=5.0):
    """Send the request; return the answer as the plugin gets it."""
    bodies = {"json": request.json, "data": request.form, "content": request.text}
    body = {name: filled(value, secrets) for name, value in bodies.items() if value is not None}
    auth = None if request.auth is None else tuple(filled(request.auth, secrets))
    headers = filled(dict(request.headers), secrets)
    if (text := body.get("content")) is not None:
        body["content"] = text.encode()
    try:
        url = filled(request.url, secrets)
        answer = client().request(request.method, url, headers=headers, auth=auth, timeout=timeout, **body)
    except httpx.ConnectError:
        return HttpResponse(0, failure="no_connection")
    except httpx.TimeoutException:
        return HttpResponse(0, failure="timeout")
    except httpx.HTTPError:
        return HttpResponse(0, failure="bad_answer")
    names = {name.lower(): value for name, value in answer.headers.items()}
    return HttpResponse(answer.status_code, names, answer.content.decode("utf-8", "replace"))


def marked(plugin, settings):
    """Split settings into those that the plugin sees, with marks, and the secrets."""
    properties = plugin.settings_schema()["properties"]
    secret_names = {name for name in settings if properties[name].get("writeOnly")}
    shown = {name: "{{secret:" + name + "}}" if name in secret_names else settings[name] for name in settings}
    return shown, {name: settings[name] for name in secret_names}
