"""Documents in a folder of the platform's server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from plugins.sdk import Document, Entry, HttpResponse, Json, Location
from plugins.sources.titles import ENDINGS, title_of


@dataclass(frozen=True, slots=True)
class FolderSource:
    """Documents in a folder."""

    name: str = "folder"
    title: str = "Folder"
    version: str = "1.0.0"

    def settings_schema(self) -> Mapping[str, Json]:
        """JSON Schema of the settings."""
        return {
            "type": "object",
            "required": ["folder"],
            "additionalProperties": False,
            "properties": {
                "folder": {
                    "type": "string",
                    "title": "Folder",
                    "description": "On the server, below a folder that its operator allows.",
                    "pattern": "^/",
                    "maxLength": 1000,
                },
                "language": {"type": "string", "title": "Language", "description": "Such as en.", "maxLength": 35},
            },
        }

    def look(self, settings: Mapping[str, Json], now: datetime) -> Location:  # noqa: ARG002 - the contract's
        """Return the folder."""
        return Location("folder", str(settings["folder"]), {})

    def documents(
        self,
        entries: Sequence[Entry],
        responses: Sequence[HttpResponse],  # noqa: ARG002 - the contract's
        settings: Mapping[str, Json],
    ) -> Sequence[Document]:
        """Return the files that are documents, by name."""
        names = sorted(entry.name for entry in entries if entry.name.lower().endswith(ENDINGS) and entry.size != 0)
        return [Document(name, title_of(name), language=str(settings.get("language", ""))) for name in names]
