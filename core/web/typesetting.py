"""Setting a page with typst, without any network. The content is data: no part of it is read as markup."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import orjson

from core.scratch import temporary

if TYPE_CHECKING:
    from collections.abc import Mapping

_UNSEEN: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
"""Characters that show nothing, and those that turn the direction of what follows them."""


def typeset(source: str, content: Mapping[str, Any]) -> bytes:
    """A PDF of a source in typst that reads ``content`` as the file ``report.json``."""
    import typst

    with temporary("pdf-") as place:
        (place / "report.json").write_bytes(orjson.dumps(content))
        (place / "report.typ").write_text(source, encoding="utf-8")
        # Tags would take three times the memory in a long table.
        compiled: bytes = typst.compile(place / "report.typ", root=place, ignore_system_fonts=True, pdf_tags=False)
        return compiled


def plain(text: str) -> str:
    """Text without line breaks, and without characters that show nothing."""
    return _UNSEEN.sub("", " ".join(text.split()))
