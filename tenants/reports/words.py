"""What reports are called, on pages and in letters."""

from __future__ import annotations

from typing import Final

from core.web.texts import marked

KINDS: Final[dict[str, str]] = {
    "mer": marked("Indicator tables (MER)"),
    "line-list": marked("Line list of clients"),
    "radet": marked("RADET"),
    "dhis2": marked("Values for DHIS2"),
}
"""The kinds of reports."""
