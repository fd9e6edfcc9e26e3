"""Read NMRS containers (JSON): each file has one patient; folders and zip archives have thousands of files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from core.errors import phrase
from tenants.imports.facts import Reading
from tenants.imports.formats.documents import documents, json_of, peek, to_utf8
from tenants.imports.formats.nmrs_patient import Container
from tenants.imports.formats.nmrs_terms import NmrsTerms
from tenants.imports.formats.records import BadFieldError, Fields, each_of, reject
from tenants.imports.reading.reader import CERTAIN, NO, InputFile, Reader
from tenants.imports.reading.runs_to import event_days, known_date, stamp_or_latest_day

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from tenants.imports.formats.documents import Document
    from tenants.imports.mapping import Mapping
    from tenants.imports.reading.sources import Head, Source

_MARK = re.compile(rb'"messageData"\s*:\s*\{')
_NOT_A_CONTAINER = "give NMRS containers: a JSON object with messageData.demographics and one patient"


class NmrsContainers(Reader):
    """Reads NMRS containers. The block ``nmrs`` of an optional mapping gives the meaning of concepts."""

    name: ClassVar[str] = "nmrs-json"
    description: ClassVar[str] = phrase("NMRS containers (json; also folders and zip archives): one patient a file")
    each_file_is_a_row: ClassVar[bool] = True

    def detect(self, head: Head) -> float:
        """Return certainty if the beginning has ``messageData``.

        In an archive, the beginning of the first JSON file decides.
        """
        start = peek(head)
        return CERTAIN if start.lstrip()[:1] == b"{" and _MARK.search(start) else NO

    def data_date(self, sources: Sequence[Source], mapping: Mapping) -> date | None:
        """The mapping's date, else the latest of the containers' own stamps, else the latest day of all records."""
        data_date = known_date(mapping)
        if data_date is not None:
            return data_date
        terms = NmrsTerms(mapping)
        return stamp_or_latest_day(self._days(document, terms) for source in sources for document in documents(source))

    def _days(self, document: Document, terms: NmrsTerms) -> tuple[date | None, list[date]]:
        """The day of the container's creation, and the days of its records."""
        reading = self._reading(0, document, terms)
        if not reading.facts:
            return None, []
        header = Fields(_parsed(document), "", "", terms.values).record("messageHeader")
        return each_of([], header.day, "messageCreationDateTime", "touchTime"), event_days(reading)

    def shared(self, sources: Sequence[Source], mapping: Mapping) -> NmrsTerms:  # noqa: ARG002 - the files say nothing of it
        """The meaning of concepts, from the mapping and the defaults."""
        return NmrsTerms(mapping)

    def rows(self, file: InputFile) -> Iterator[Reading]:
        """Yield one reading per container: the facility, the patient and everything about the patient."""
        for document in documents(file.source, file.after):
            yield self._reading(file.number, document, file.shared)

    def _reading(self, file: int, document: Document, terms: NmrsTerms) -> Reading:
        reading = Reading(file, document.number)
        suffix = f" (in {document.name})" if document.name else ""
        if document.rejection is not None:
            bad = document.rejection
            return reject(reading, f"{bad.field}{suffix}", bad.problem, bad.remedy)
        try:
            content = _parsed(document)
        except UnicodeDecodeError:
            return reject(
                reading, f"file{suffix}", "the file is not UTF-8, UTF-16 or Windows-1252 text", "save it as UTF-8"
            )
        if content is None:
            problem = "the file is not whole JSON: cut off, damaged or nested too deeply"
            return reject(reading, f"file{suffix}", problem, "copy or export it again")
        body = content.get("messageData") if isinstance(content, dict) else None
        if not isinstance(body, dict) or not isinstance(body.get("demographics"), dict):
            return reject(reading, f"file{suffix}", "the JSON is not an NMRS container", _NOT_A_CONTAINER)
        try:
            Container(content, suffix, terms, reading).into()
        except BadFieldError as bad_field:
            # Without the person, the other facts of the container belong to nobody.
            reading.facts.clear()
            reading.rejections.append(bad_field.rejection)
        return reading


def _parsed(document: Document) -> Any:  # noqa: ANN401 - whatever the JSON holds
    return json_of(to_utf8(document.data))
