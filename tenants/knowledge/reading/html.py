"""Pages of the web, by trafilatura: their main text, without menus and footers."""

from __future__ import annotations

import trafilatura

from tenants.knowledge.reading import markdown
from tenants.knowledge.reading.blocks import Block, UnreadableError


def read(content: bytes) -> list[Block]:
    """Return the blocks of a page.

    Raises:
        UnreadableError: it has no text.
    """
    text = trafilatura.extract(
        content,
        output_format="markdown",
        include_tables=True,
        include_formatting=True,
        include_comments=False,
        include_links=False,
        favor_recall=True,
        deduplicate=False,
    )
    if not text:
        raise UnreadableError("no_text")
    return markdown.read(text.encode())
