"""Read NDR messages (XML 1.6.6.1): each file has one patient; folders and zip archives have thousands of files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from core.errors import phrase
from tenants.imports.facts import Reading
from tenants.imports.formats.documents import documents, peek, to_utf8
from tenants.imports.formats.ndr_patient import Message, NdrTerms
from tenants.imports.formats.records import BadFieldError, reject
from tenants.imports.formats.xmltree import BadXmlError, parse
from tenants.imports.reading.reader import CERTAIN, NO, InputFile, Reader
from tenants.imports.reading.runs_to import event_days, known_date, stamp_or_latest_day

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from tenants.imports.formats.documents import Document
    from tenants.imports.mapping import Mapping
    from tenants.imports.reading.sources import Head, Source

_ROOT = re.compile(rb"<(?:\w+:)?Container[\s>]")
_INSIDE = re.compile(rb"<(?:\w+:)?(?:MessageHeader|IndividualReport)[\s>/]")
_BIOMETRICS = frozenset({"FingerPrints", "fingerPrints", "LeftHand", "RightHand"})


class NdrMessages(Reader):
    """Reads NDR messages. The block ``ndr`` of an optional mapping gives the meaning of codes."""

    name: ClassVar[str] = "ndr-xml"
    description: ClassVar[str] = phrase("NDR messages 1.6 (xml; also folders and zip archives): one patient a file")
    each_file_is_a_row: ClassVar[bool] = True

    def detect(self, head: Head) -> float:
        """Return certainty if the root is ``Container`` with a header or report in it.

        In an archive, the first XML file decides.
        """
        start = peek(head)
        return CERTAIN if start.lstrip()[:1] == b"<" and _ROOT.search(start) and _INSIDE.search(start) else NO

    def data_date(self, sources: Sequence[Source], mapping: Mapping) -> date | None:
        """The mapping's date, else the latest creation of a message, else the latest day of all records."""
        data_date = known_date(mapping)
        if data_date is not None:
            return data_date
        terms = NdrTerms(mapping)
        return stamp_or_latest_day(self._days(document, terms) for source in sources for document in documents(source))

    def _days(self, document: Document, terms: NdrTerms) -> tuple[date | None, list[date]]:
        """The day of the message's creation, and the days of its records."""
        reading, message = self._parsed(0, document, terms)
        return message.created() if message is not None else None, event_days(reading)

    def shared(self, sources: Sequence[Source], mapping: Mapping) -> NdrTerms:  # noqa: ARG002 - the files say nothing of it
        """The meaning of codes, from the mapping and the defaults."""
        return NdrTerms(mapping)

    def rows(self, file: InputFile) -> Iterator[Reading]:
        """Yield one reading per message: the facility, the patient and everything about the patient."""
        for document in documents(file.source, file.after):
            yield self._parsed(file.number, document, file.shared)[0]

    def _parsed(self, file: int, document: Document, terms: NdrTerms) -> tuple[Reading, Message | None]:
        reading = Reading(file, document.number)
        suffix = f" (in {document.name})" if document.name else ""
        if document.rejection is not None:
            bad = document.rejection
            return reject(reading, f"{bad.field}{suffix}", bad.problem, bad.remedy), None
        try:
            root, content = _tree(document.data)
        except BadXmlError as wrong:
            return reject(reading, f"file{suffix}", wrong.problem, wrong.remedy), None
        if root != "Container" or not isinstance(content, dict) or "IndividualReport" not in content:
            problem = "the XML is not an NDR message"
            remedy = "give NDR messages: a Container with MessageHeader and IndividualReport"
            return reject(reading, f"file{suffix}", problem, remedy), None
        message = None
        try:
            message = Message(content, suffix, terms, reading)
            message.into()
        except BadFieldError as bad_field:
            # Without the person, the other facts of the message belong to nobody.
            reading.facts.clear()
            reading.rejections.append(bad_field.rejection)
        return reading, message


def _tree(data: bytes) -> tuple[str, Any]:
    """The parsed document. If the declared encoding is wrong, the bytes decide the encoding."""
    try:
        return parse(data, _BIOMETRICS)
    except BadXmlError:
        try:
            shown = to_utf8(data)
        except UnicodeDecodeError:
            shown = data
        if shown == data:
            raise
        return parse(shown, _BIOMETRICS, encoding="utf-8")
