"""``make texts``: gathers the texts of pages in the catalogues, one file per language.

A new text has no translation; a test fails until somebody writes it. A text that no page has any more is removed.
"""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from core.feature_registry import resolve
from core.web.error_texts import texts_of_errors
from core.web.texts import CATALOGUES, LANGUAGES, SOURCE

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDERS: Final = ("core", "tenants", "billing")
METHODS: Final = [("**.py", "python"), ("**.html", "jinja2.ext:babel_extract")]
OPTIONS: Final = {"**.html": {"trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}}
KEYWORDS: Final = {
    **dict.fromkeys(("_", "gettext", "marked", "phrase")),
    **dict.fromkeys(("ngettext", "marked_forms", "counted_phrase"), (1, 2)),
}
_SETTINGS: Final = "core.preferences.registry:texts_of_settings"
"""What pages say of settings comes from their models."""
_PERMISSIONS: Final = "core.identity.permissions:texts_of_permissions"
"""What pages say of permissions comes from the features that declare them."""

PLURALS: Final = {"fr": "nplurals=2; plural=(n > 1);", "pt": "nplurals=2; plural=(n != 1);"}
"""The plural of each language: the number of forms, and which of them ``n`` takes."""

_HEADER: Final = r"""# The pages' texts. `make texts` adds and removes entries; people write the translations.
msgid ""
msgstr ""
"Language: {code}\n"
"Content-Type: text/plain; charset=utf-8\n"
"Content-Transfer-Encoding: 8bit\n"
"Plural-Forms: {plural}\n"

"""


def main() -> int:
    """Write the catalogues anew. Return 0."""
    for code in LANGUAGES:
        if code != SOURCE:
            path = CATALOGUES / f"{code}.po"
            path.write_bytes(gathered(code, path.read_bytes() if path.exists() else b""))
    return 0


def gathered(code: str, present: bytes) -> bytes:
    """Return the catalogue of a language with the texts that pages have now, and the translations of ``present``."""
    catalogue = read_po(BytesIO(present)) if present else Catalog()
    fresh = Catalog()
    for message, context in _texts():
        fresh.add(message, context=context)
        name = message if isinstance(message, str) else message[0]
        known = catalogue.get(name, context)
        if known is not None and known.string and isinstance(known.id, str) == isinstance(message, str):
            fresh[name].string = known.string
        elif not isinstance(message, str):
            fresh[name].string = ("", "")
    written = BytesIO()
    write_po(written, fresh, no_location=True, omit_header=True, sort_output=True, width=0)
    return _HEADER.format(code=code, plural=PLURALS[code]).encode() + written.getvalue()


def _texts() -> Iterator[tuple[str | tuple[str, ...], str | None]]:
    for folder in FOLDERS:
        if (ROOT / folder).is_dir():
            texts = extract_from_dir(ROOT / folder, METHODS, OPTIONS, keywords=KEYWORDS, strip_comment_tags=True)
            for _, _, message, _, context in texts:
                yield message, context
    for text in (*texts_of_errors(ROOT), *resolve(_SETTINGS)(), *resolve(_PERMISSIONS)()):
        yield text, None


if __name__ == "__main__":
    sys.exit(main())
