"""Browsers and systems by the names that people know, from what a browser says of itself."""

from __future__ import annotations

import re
from typing import Final

_BROWSERS: Final = (
    ("Edge", re.compile(r"\bEdg(e|A|iOS)?/")),
    ("Opera", re.compile(r"\b(OPR|Opera|OPT)/")),
    ("Firefox", re.compile(r"\b(Firefox|FxiOS)/")),
    ("Chrome", re.compile(r"\b(Chrome|CriOS|Chromium|HeadlessChrome)/")),
    ("Safari", re.compile(r"\bSafari/")),
)
"""In this order: most browsers name those before them too."""

_SYSTEMS: Final = (
    ("Android", re.compile(r"\bAndroid\b")),
    ("iPhone or iPad", re.compile(r"\b(iPhone|iPad|iPod)\b")),
    ("Windows", re.compile(r"\bWindows\b")),
    ("Mac", re.compile(r"\b(Macintosh|Mac OS X)\b")),
    ("Linux", re.compile(r"\b(Linux|X11)\b")),
)


def device_of(user_agent: str) -> tuple[str, str] | None:
    """Return the names of the browser and the system; None if one of them is not known.

    >>> device_of("Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36")
    ('Chrome', 'Android')
    """
    browser = next((name for name, form in _BROWSERS if form.search(user_agent)), None)
    system = next((name for name, form in _SYSTEMS if form.search(user_agent)), None)
    return None if browser is None or system is None else (browser, system)
