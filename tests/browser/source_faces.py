"""The faces of the sources of records, and all faces together."""

from __future__ import annotations

from typing import Final

from tests.browser.faces import DATA, FACES, Face, send

SOURCE_FACES: Final = (
    Face("data-sources", "GET /data/sources", f"{DATA}@demo-south"),
    Face("data-sources-empty", "GET /data/sources", f"{DATA}@new-partner"),
    Face("data-source", "GET /data/sources/{source_id}", f"{DATA}@demo-south"),
    Face("data-source-wrong", "POST /data/sources/{source_id}", f"{DATA}@demo-south", act=send("Save", cron="daily")),
)
ALL_FACES: Final = (*FACES, *SOURCE_FACES)
