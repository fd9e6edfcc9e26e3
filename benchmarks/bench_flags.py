"""Benchmark of asking for a flag from memory, over Unleash's engine alone with the same definition and context."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast
from uuid import UUID

from benchmarks.measure import Ratio, compare

CALLS = 10_000


def run() -> Iterator[Ratio]:
    """Ask for a flag that a quarter of the partners has, with two of them named."""
    from yggdrasil_engine.engine import UnleashEngine

    from core.database import TenantRef
    from core.database.upgrade import migrate
    from core.flags import Subject, is_on, service
    from core.flags.editing import Choices, definition_of
    from core.services import ensure

    ensure()
    migrate()
    name = "knowledge.language_model"
    definition = definition_of(name, Choices(percent=25, not_tenants=("partner-north",)))
    service.set_flag(name, definition, reason="a benchmark", actor="bench:1")
    tenant = cast("TenantRef", SimpleNamespace(slug="partner-south", id=UUID(int=7)))
    subject = Subject(tenant)
    engine = UnleashEngine()
    feature = {"name": name, **definition.model_dump(by_alias=True, exclude_none=True, mode="json")}
    engine.take_state(json.dumps({"version": 2, "features": [feature]}))
    context = subject.context()
    yield compare(
        "a flag asked for, over the engine alone",
        lambda: is_on(name, subject),
        lambda: engine.check_enabled(name, context),
        calls=CALLS,
    )
