"""Read FHIR R4 as OpenMRS serves it: Bundles and NDJSON of patients, encounters, observations, dispensations."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from core.errors import phrase
from tenants.imports.facts import Reading
from tenants.imports.formats.documents import peek
from tenants.imports.formats.fhir_resources import TAKEN, Resource
from tenants.imports.formats.fhir_stream import items
from tenants.imports.formats.fhir_terms import EarlyFacts, FhirTerms, look_through
from tenants.imports.formats.records import BadFieldError, reject
from tenants.imports.reading.reader import CERTAIN, NO, InputFile, Reader, without_rows
from tenants.imports.reading.runs_to import known_date, latest_day
from tenants.imports.reading.sources import rejected

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from tenants.imports.formats.fhir_stream import Item
    from tenants.imports.mapping import Mapping
    from tenants.imports.reading.sources import Head, Source

_ANSWERED = "the server answered with an error instead of records"
_AGAIN = "export it again; what the server says is in the file, under issue"
_HARMLESS = frozenset({"warning", "information", "success"})
_TYPE = re.compile(rb'"resourceType"\s*:\s*"[A-Z][A-Za-z]+"')


class FhirResources(Reader):
    """Reads FHIR R4. The block ``fhir`` of an optional mapping gives the meaning of codes, types and facilities."""

    name: ClassVar[str] = "fhir-r4"
    description: ClassVar[str] = phrase(
        "FHIR R4 Bundles and NDJSON (json, ndjson; also .gz and zip archives), as of OpenMRS"
    )

    def detect(self, head: Head) -> float:
        """Return ``CERTAIN`` if the beginning of the file names a type of resource."""
        start = peek(head)
        return CERTAIN if start.lstrip()[:1] == b"{" and _TYPE.search(start) else NO

    def data_date(self, sources: Sequence[Source], mapping: Mapping) -> date | None:
        """The mapping's date, else the latest day of all resources and of their stamps.

        Raises:
            Invalid: a file is not readable to its end, or has only errors of a server.
        """
        data_date = known_date(mapping)
        if data_date is not None:
            return data_date
        return latest_day(self._days(sources, FhirTerms(mapping)))

    def _days(self, sources: Sequence[Source], terms: FhirTerms) -> Iterator[date]:
        nothing = EarlyFacts()
        for source in sources:
            for item in _answered(source):
                for fact in self._reading(0, item, terms, nothing).facts:
                    own_day = None if fact.voided else fact.event_date()
                    yield from (day for day in (own_day, fact.known_at and fact.known_at.date()) if day is not None)

    def notes(self, sources: Sequence[Source], mapping: Mapping) -> list[str]:
        """Notes for the report on how the files are read."""
        return without_rows(sources, self.read(sources, mapping))

    def shared(self, sources: Sequence[Source], mapping: Mapping) -> tuple[FhirTerms, EarlyFacts]:
        """Return the meaning of the mapping's codes, and the facts from all files that other resources need."""
        terms = FhirTerms(mapping)
        return terms, look_through(sources, terms)

    def rows(self, file: InputFile) -> Iterator[Reading]:
        """Yield one reading per resource, without types of resources that are not imported.

        Raises:
            Invalid: the file is not readable to its end, or has only errors of a server.
        """
        terms, before = file.shared
        for item in _answered(file.source):
            if item.number > file.after:
                yield self._reading(file.number, item, terms, before)

    def _reading(self, file: int, item: Item, terms: FhirTerms, before: EarlyFacts) -> Reading:
        reading = Reading(file, item.number)
        if item.content is None:
            bad = item.rejection
            return reject(reading, f"{bad.field}{item.suffix}", bad.problem, bad.remedy) if bad else reading
        kind = item.content.get("resourceType")
        if not isinstance(kind, str):
            remedy = "give FHIR R4 resources, Bundles or NDJSON"
            return reject(reading, f"resourceType{item.suffix}", "the JSON is not a FHIR resource", remedy)
        if _is_error(item):
            return reject(reading, f"OperationOutcome{item.suffix}", _ANSWERED, _AGAIN)
        if kind not in TAKEN:
            reading.left_out = True
            return reading
        resource = Resource(item, kind, terms, before, reading)
        try:
            resource.into()
        except BadFieldError as wrong:
            reading.facts.clear()
            reading.rejections.append(wrong.rejection)
            reading.patient = resource.about
            if (unread := resource.unread()) is not None:
                reading.facts.append(unread)
        reading.left_out = not reading.facts and not reading.rejections
        return reading


def _answered(source: Source) -> Iterator[Item]:
    """Yield the resources of a file, and reject a file with nothing but a server's errors.

    Raises:
        Invalid: the file is not readable to its end, or has only errors.
    """
    errors = others = 0
    for item in items(source):
        if _is_error(item):
            errors += 1
        else:
            others += 1
        yield item
    if errors and not others:
        raise rejected(source.name, phrase("the file holds an OperationOutcome: {problem}", problem=_ANSWERED), _AGAIN)


def _is_error(item: Item) -> bool:
    """Whether a resource is an OperationOutcome with an error. Beside warnings, the records are complete."""
    if item.content is None or item.content.get("resourceType") != "OperationOutcome":
        return False
    issues = item.content.get("issue")
    severities = (
        [issue.get("severity") for issue in issues if isinstance(issue, dict)] if isinstance(issues, list) else []
    )
    return not severities or not all(isinstance(each, str) and each in _HARMLESS for each in severities)
