"""The types of callbacks that receive the progress of long work."""

from __future__ import annotations

from collections.abc import Callable

ProgressCallback = Callable[[int, int | None, str], None]
"""Receives the units done, the total (None while it is unknown), and a note without personal data."""

LineCallback = Callable[[str], None]
"""Receives one line without personal data: a step that begins, or the name of what is done."""
