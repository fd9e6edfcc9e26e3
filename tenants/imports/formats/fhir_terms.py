"""The terms of a FHIR import: codes and identifiers of its mapping, and what it must know before the first resource.

Resources come in any order: a patient's start of treatment is an Observation, the facility a Location, and both may
come after everything that needs them. So one pass over the files collects them before the reading.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from sys import intern
from typing import TYPE_CHECKING, Any

from tenants.imports.formats.fhir_stream import items
from tenants.imports.formats.options import ANSWERS, OUTCOMES, UNDETECTED_ANSWERS
from tenants.imports.formats.records import BadFieldError, Fields, Terms, fold

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Mapping as Map
    from datetime import date

    from tenants.imports.formats.fhir_stream import Item
    from tenants.imports.mapping import Mapping
    from tenants.imports.reading.sources import Source

MEASURED = "measured:"
IDENTIFIER_LOCATION = "http://fhir.openmrs.org/ext/patient/identifier#location"
PLACES = frozenset({"Location", "Organization"})
TAKEN_BACK = "entered-in-error"
MOST_HOMES = 1_000_000
"""Most patients whose latest place is remembered: some 400 MB with their starts of treatment."""


class FhirTerms:
    """The ``fhir`` block of a mapping, ready for look-ups.

    Attributes:
        questions: code of an Observation -> its question: a name of ``FhirCodes``, or ``measured:<variable>``.
    """

    def __init__(self, mapping: Mapping) -> None:
        options = mapping.fhir
        self.values = Terms.of(mapping)
        self.questions: dict[str, str] = {}
        for variable, codes in options.variables.items():
            self.questions |= {_code(code): f"{MEASURED}{variable}" for code in codes}
        for question, codes in options.codes.model_dump().items():
            self.questions |= {_code(code): question for code in codes}
        self.answers = _table(ANSWERS, options.answers)
        self.outcomes = _table(OUTCOMES, options.outcomes)
        self.undetected = frozenset(map(_code, UNDETECTED_ANSWERS))
        self.pepfar_id = frozenset(map(_code, options.pepfar_id))
        self.hospital_number = frozenset(map(_code, options.hospital_number))
        self.facility_identifier = frozenset(map(_code, options.facility_identifier))
        self.facilities = {_code(name): datim_id for name, datim_id in options.facilities.items()}
        self.pharmacy = frozenset(map(_code, options.pharmacy))
        self.laboratory = frozenset(map(_code, options.laboratory))
        self.antiretrovirals = frozenset(map(_code, options.antiretrovirals))
        self.keep_all = options.other_observations == "keep"
        self.stamps = options.stamps
        constants = mapping.facility.parts() if mapping.facility is not None else {}
        self.facility = {
            name: str(column.constant) for name, column in constants.items() if column.constant is not None
        }

    def question(self, codes: Iterable[str]) -> str | None:
        """The question that an Observation with these codes answers."""
        return next(
            (question_of_code for code in codes if (question_of_code := self.questions.get(code)) is not None), None
        )

    def needed_lines(self) -> re.Pattern[bytes]:
        """A pattern of the lines that ``look_through`` needs: places, encounters, and codes about a person."""
        about = [code for code, asks in self.questions.items() if asks in ("art_start", "transferred_in_date")]
        codes = [re.escape(code.rpartition("|")[2]).encode() for code in about]
        return re.compile(b"|".join([rb'"(?:Location|Organization|Encounter)"', *codes]), re.IGNORECASE)


@dataclass(slots=True)
class Place:
    """A facility as a Location or Organization describes it."""

    datim_id: str | None
    name: str | None
    state_province: str | None = None
    county_district: str | None = None


@dataclass(slots=True)
class EarlyFacts:
    """Facts that other resources need before they come.

    Attributes:
        places: places by the id of the Location or Organization.
        homes: for each patient, the day and place of the latest encounter.
        art_starts: for each patient, the earliest start of treatment.
        transferred_in: patients who came from elsewhere.
        aliases: ``urn:uuid:`` of a resource in a Bundle -> its id.
    """

    places: dict[str, Place] = field(default_factory=dict)
    homes: dict[str, tuple[str, str]] = field(default_factory=dict)
    art_starts: dict[str, date] = field(default_factory=dict)
    transferred_in: set[str] = field(default_factory=set)
    aliases: dict[str, str] = field(default_factory=dict)

    def target(self, reference: object, kinds: frozenset[str]) -> str | None:
        """Return the id in a reference such as ``Patient/id``; None if it refers to another kind of resource.

        The reference may also be absolute, or a ``urn:uuid:``.
        """
        text = reference.get("reference") if isinstance(reference, dict) else None
        if not isinstance(text, str) or not text or len(text) > 1000:  # noqa: PLR2004 - no address is so long
            return None
        if text.startswith("urn:"):
            return self.aliases.get(text, text.rpartition(":")[2])
        parts = text.partition("/_history/")[0].split("/")
        if len(parts) < 2 or parts[-2] not in kinds or not parts[-1]:  # noqa: PLR2004 - kind and id
            return None
        return parts[-1]


def look_through(sources: Sequence[Source], terms: FhirTerms) -> EarlyFacts:
    """Collect the facts of resources that other resources need. Errors in them are reported when they are read.

    Raises:
        Invalid: a file is not readable to its end.
    """
    beforehand = EarlyFacts()
    pattern = terms.needed_lines()
    for source in sources:
        for item in items(source, pattern):
            if item.content is not None:
                _note_alias(item, beforehand)
                _note(item.content, terms, beforehand)
    return beforehand


def _note_alias(item: Item, beforehand: EarlyFacts) -> None:
    content = item.content or {}
    if item.full_url.startswith("urn:") and isinstance(content.get("id"), str):
        alias = item.full_url.rpartition(":")[2]
        if alias != content["id"]:
            beforehand.aliases[item.full_url] = content["id"]


def _note(content: dict[str, Any], terms: FhirTerms, beforehand: EarlyFacts) -> None:
    kind, uuid = content.get("resourceType"), content.get("id")
    fields = Fields(content, "", "", terms.values)
    try:
        if isinstance(kind, str) and kind in PLACES and isinstance(uuid, str):
            beforehand.places[uuid] = _place(fields, content, terms)
        elif content.get("status") == TAKEN_BACK:
            return
        elif kind == "Encounter":
            _note_home(content, beforehand)
        elif kind == "Observation":
            _note_person(fields, content, terms, beforehand)
    except BadFieldError:
        return


def _note_home(content: dict[str, Any], beforehand: EarlyFacts) -> None:
    patient = beforehand.target(content.get("subject"), frozenset({"Patient"}))
    period = content.get("period")
    start = period.get("start") if isinstance(period, dict) else None
    locations = content.get("location")
    first = locations[0] if isinstance(locations, list) and locations else None
    place = beforehand.target(first.get("location") if isinstance(first, dict) else None, PLACES)
    place = place or beforehand.target(content.get("serviceProvider"), PLACES)
    if patient is None or place is None or not isinstance(start, str) or len(beforehand.homes) >= MOST_HOMES:
        return
    if beforehand.homes.get(patient, ("",))[0] <= start:
        beforehand.homes[patient] = (start, intern(place))


def _note_person(fields: Fields, content: dict[str, Any], terms: FhirTerms, beforehand: EarlyFacts) -> None:
    question = terms.question(codes_of(content.get("code")))
    patient = beforehand.target(content.get("subject"), frozenset({"Patient"}))
    if patient is None or question not in ("art_start", "transferred_in_date"):
        return
    if question == "transferred_in_date":
        beforehand.transferred_in.add(patient)
    elif (day := fields.day("valueDateTime", "valueString")) is not None:
        beforehand.art_starts[patient] = min(day, beforehand.art_starts.get(patient, day))


def _place(fields: Fields, content: dict[str, Any], terms: FhirTerms) -> Place:
    name = fields.text("name")
    datim_id = terms.facilities.get(_code(str(content.get("id"))))
    if datim_id is None and name is not None:
        datim_id = terms.facilities.get(_code(name))
    if datim_id is None:
        datim_id = identifier(content, terms.facility_identifier, terms)
    addresses = content.get("address")
    address = addresses[0] if isinstance(addresses, list) and addresses else addresses
    where = Fields(address if isinstance(address, dict) else {}, "", "", terms.values)
    return Place(datim_id, name, where.text("state"), where.text("district"))


def identifier(content: Map[str, Any], kinds: frozenset[str], terms: FhirTerms) -> str | None:
    """Return the identifier of these types or systems: if there are several, the official one, else the first.

    Raises:
        BadFieldError: it is no text.
    """
    candidates: list[tuple[bool, str]] = []
    for _, item in Fields(content, "", "", terms.values).each("identifier", []):
        _, kind = item.raw("type")
        _, system = item.raw("system")
        codes = [*codes_of(kind), *([_code(system)] if isinstance(system, str) else [])]
        if item.raw("use")[1] == "old" or not any(code in kinds for code in codes):
            continue
        value = item.text("value")
        if value is not None:
            candidates.append((item.raw("use")[1] == "official", value))
    return max(candidates, key=lambda pair: pair[0])[1] if candidates else None


def codes_of(concept: object) -> list[str]:
    """The codes of a CodeableConcept for look-ups, most certain first: ``system|code``, the code, then the texts."""
    if isinstance(concept, list):
        return [code for item in concept[:20] for code in codes_of(item)]
    if not isinstance(concept, dict):
        return []
    coding = concept.get("coding")
    exact, plain, texts = [], [], []
    for item in coding if isinstance(coding, list) else [concept] if "code" in concept else []:
        if not isinstance(item, dict):
            continue
        system, code, display = item.get("system"), item.get("code"), item.get("display")
        if isinstance(code, str):
            plain.append(_code(code))
            if isinstance(system, str):
                exact.append(_code(f"{system}|{code}"))
        if isinstance(display, str):
            texts.append(_code(display))
    if isinstance(concept.get("text"), str):
        texts.append(_code(concept["text"]))
    return [code for code in (*exact, *plain, *texts) if code]


@lru_cache(maxsize=16_384)
def _code(text: str) -> str:
    """A code for look-ups: a system with its code or an address unchanged, else letters, digits and dashes."""
    return text.strip().casefold() if "|" in text or ":" in text or "-" in text else fold(text)


def _table(defaults: Map[str, str], overrides: Map[str, str | int | None]) -> dict[str, str | None]:
    texts = {**defaults, **overrides}
    return {_code(code): None if value is None else str(value) for code, value in texts.items()}
