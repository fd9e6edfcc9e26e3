"""Turn one NMRS container into facts: person, visits, encounters and observations."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tenants.imports.facts import (
    EncounterFact,
    FacilityFact,
    ObservationFact,
    PatientFact,
    PatientStateFact,
    UnreadContactFact,
    VisitFact,
)
from tenants.imports.fields import SEXES
from tenants.imports.formats.nmrs_care import Care
from tenants.imports.formats.nmrs_encounter import Answer, Encounter
from tenants.imports.formats.nmrs_terms import MEASURED
from tenants.imports.formats.options import UNDETECTED_ANSWERS
from tenants.imports.formats.records import BadFieldError, Fields, birth, each_of, fold, text
from tenants.imports.reading import columns, values
from tenants.imports.reading.plans import SEPARATOR
from tenants.imports.reading.values import BadValueError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from tenants.imports.facts import Fact, Reading
    from tenants.imports.formats.nmrs_terms import NmrsTerms

_PERSON = {
    "patient": "patientUuid",
    "birthdate": "birthdate",
    "art_start_date": "artStartDate",
    "stamp": "dateCreated",
    "sex": "gender",
}
_VISIT = {"date_started": "dateStarted", "date_stopped": "dateStopped", "stamp": "dateChanged"}
_ENCOUNTER = {"encounter_datetime": "encounterDatetime", "stamp": "dateChanged"}
_OBSERVATION = {"obs_datetime": "obsDatetime", "stamp": "dateChanged"}
_STAMPS = ("dateChanged", "dateVoided", "dateCreated")
_DEAD = ("dead", "deceased", "isDead", "markAsDeceased", "markAsDeseased", "markedAsDeceased")
_VALUES = ("valueNumeric", "valueCoded", "valueText", "valueDatetime", "value")


class Container:
    """Turns one container into facts.

    Args:
        content: the parsed JSON.
        suffix: name of the document, for the report.
        terms: terms of the import.
        reading: receives the facts and the rejections.
    """

    def __init__(self, content: Mapping[str, Any], suffix: str, terms: NmrsTerms, reading: Reading) -> None:
        top = Fields(content, "", suffix, terms.values)
        self._header, self._body = top.record("messageHeader"), top.record("messageData")
        self._person = self._body.record("demographics")
        self._terms, self._reading, self._bad = terms, reading, reading.rejections
        self._voided = self._person.flag("voided", "personVoided")
        self._patient = self._person.needed("patientUuid", "patient_uuid")
        self._facility = self._find_facility()
        self._encounters: dict[str, Encounter] = {}
        self._by_key: dict[tuple[str, str], int] = {}
        self._visit_days: dict[str, date] = {}

    def into(self) -> None:
        """Fill the reading.

        Raises:
            BadFieldError: the person is not identifiable.
        """
        person = self._read_person()
        self._reading.facts += [self._place(), person]
        voided_visits = self._visits()
        self._read_encounters(voided_visits)
        self._observations()
        care = Care(self._terms, self._patient, self._facility, self._bad)
        for encounter in self._encounters.values():
            self._reading.facts += care.of(encounter)
        person.art_start_date = min([day for day in (person.art_start_date, care.art_start) if day], default=None)
        person.transferred_in = person.transferred_in or care.transferred_in or None

    def _find_facility(self) -> str:
        facility = self._header.text("facilityDatimCode", "datimId") or self._person.text("datimId", "datimCode")
        facility = facility or self._terms.facility.get("datim_id")
        if not facility:
            remedy = "give the facility in the mapping: facility: {datim_id: {constant: ...}}"
            raise self._header.bad("facilityDatimCode", "the facility is missing", remedy)
        return facility

    def _place(self) -> FacilityFact:
        facility_fields = self._terms.facility if self._terms.facility.get("datim_id") == self._facility else {}
        return FacilityFact(
            key=self._facility,
            name=self._header.text("facilityName") or facility_fields.get("name"),
            state_province=self._header.text("facilityState") or facility_fields.get("state_province"),
            county_district=self._header.text("facilityLga") or facility_fields.get("county_district"),
        )

    def _read_person(self) -> PatientFact:
        person, bad = self._person, self._bad
        fact = PatientFact(
            key=self._patient,
            patient=self._patient,
            facility=self._facility,
            labels=person.labels(_PERSON),
            voided=self._voided,
            known_at=each_of(bad, person.moment, "dateCreated"),  # the stamp of a change does not give the start
            given_name=each_of(bad, person.text, "firstName", "givenName"),
            family_name=each_of(bad, person.text, "lastName", "familyName"),
            phone=each_of(bad, person.text, "phoneNumber") or self._listed_phone(),
            state_province=each_of(bad, person.text, "stateProvince"),
            county_district=each_of(bad, person.text, "countyDistrict", "lga"),
            city_village=each_of(bad, person.text, "cityVillage"),
            art_start_date=each_of(bad, person.day, "artStartDate"),
            sex=self._sex(),
        )
        self._birth(fact)
        fact.pepfar_id = each_of(bad, person.text, "pepfarId") or self._listed_identifier(self._terms.pepfar_id)
        fact.hospital_number = each_of(bad, person.text, "hospitalNumber", "hospitalNo") or self._listed_identifier(
            self._terms.hospital_number
        )
        died = each_of(bad, person.day, "deathDate", "deathdate")
        if (died is not None or person.flag(*_DEAD)) and not self._voided:
            self._reading.facts.append(
                PatientStateFact(
                    key=SEPARATOR.join((self._patient, "died", "demographics")),
                    patient=self._patient,
                    facility=self._facility,
                    labels=person.labels({"start_date": "deathDate"}),
                    state="died",
                    start_date=died,
                )
            )
        return fact

    def _sex(self) -> str | None:
        name, value = self._person.raw("gender", "sex")
        if value is None:
            return None
        try:
            return columns.code(value, SEXES)
        except BadValueError as bad:
            self._bad.append(self._person.bad(name, bad.problem, "write M or F").rejection)
            return None

    def _birth(self, fact: PatientFact) -> None:
        name, value = self._person.raw("birthdate", "dateOfBirth")
        if value is None:
            return
        try:
            fact.birthdate, estimated = birth(value, self._terms.values)
        except BadValueError as bad:
            self._bad.append(self._person.bad(name, bad.problem, bad.remedy).rejection)
        else:
            fact.birthdate_estimated = estimated or self._person.flag("birthdateEstimated")

    def _listed_identifier(self, types: frozenset[str]) -> str | None:
        """Return the identifier of these types: if there are several, the preferred one, else the first."""
        candidates: list[tuple[bool, str]] = []
        for owner in (self._body, self._person):
            for _, item in owner.each("patientIdentifiers", []):
                kind = each_of(self._bad, item.text, "identifierType", "identifierTypeId")
                if kind is None or fold(kind) not in types or item.flag("voided"):
                    continue
                value = each_of(self._bad, item.text, "identifier")
                if value is not None:
                    candidates.append((item.flag("preferred"), value))
        return max(candidates, key=lambda pair: pair[0])[1] if candidates else None

    def _listed_phone(self) -> str | None:
        for owner in (self._body, self._person):
            for _, item in owner.each("personAttributes", []):
                names = ("personAttributeTypeId", "personAttributeType", "attributeType")
                kind = each_of(self._bad, item.text, *names)
                if kind is not None and fold(kind) in self._terms.phone and not item.flag("voided"):
                    return each_of(self._bad, item.text, "value")
        return None

    def _visits(self) -> frozenset[str]:
        """Add the visits; return the UUIDs of the voided ones."""
        voided: set[str] = set()
        for _, item in self._body.each("visits", self._bad):
            uuid = each_of(self._bad, item.text, "visitUuid", "uuid")
            is_voided = self._voided or item.flag("voided")
            if is_voided and uuid is not None:
                voided.add(uuid)
            fact = each_of(self._bad, self._visit, item, uuid, voided=is_voided)
            if fact is not None:
                self._add(fact, named=uuid is not None)
        return frozenset(voided)

    def _came(self, item: Fields, name: str, not_after: date | None, *, contact: bool) -> datetime:
        """Return the time of a contact. If it is not readable, add an unread contact.

        Raises:
            BadFieldError: it is missing or not readable.
        """
        try:
            return item.needed_moment(name)
        except BadFieldError:
            if contact:
                self._reading.facts.append(
                    UnreadContactFact(
                        key=self._patient,
                        patient=self._patient,
                        facility=self._facility,
                        labels=item.labels(_PERSON),
                        not_after=not_after,
                    )
                )
            raise

    def _visit(self, item: Fields, uuid: str | None, *, voided: bool) -> VisitFact:
        stopped = each_of(self._bad, item.day, "dateStopped")
        started = self._came(item, "dateStarted", stopped, contact=not voided).date()
        if uuid is not None:
            self._visit_days[uuid] = started
        kind = fold(item.text("visitType") or "")
        return VisitFact(
            key=uuid or SEPARATOR.join((self._patient, "visit", started.isoformat(), kind)),
            patient=self._patient,
            facility=self._facility,
            labels=item.labels(_VISIT),
            known_at=each_of(self._bad, item.moment, *_STAMPS),
            voided=voided,
            date_started=started,
            date_stopped=stopped,
            visit_type=self._terms.visit_types.get(kind, "clinical"),
        )

    def _read_encounters(self, voided_visits: frozenset[str]) -> None:
        for _, item in self._body.each("encounters", self._bad):
            each_of(self._bad, self._encounter, item, voided_visits)

    def _encounter(self, item: Fields, voided_visits: frozenset[str]) -> None:
        kinds = [item.text(name) for name in ("encounterType", "encounterTypeId", "pmmForm", "formId")]
        folded = frozenset(fold(kind) for kind in kinds if kind)
        visit = item.text("visitUuid") or ""
        voided = self._voided or item.flag("voided") or visit in voided_visits
        contact = not voided and bool(folded & self._terms.pharmacy)
        when = self._came(item, "encounterDatetime", self._visit_days.get(visit), contact=contact)
        uuid = item.text("encounterUuid", "uuid")
        key = uuid or SEPARATOR.join((self._patient, when.isoformat(), kinds[0] or kinds[2] or ""))
        encounter = Encounter(key, when, voided, each_of(self._bad, item.moment, *_STAMPS), item, folded)
        self._encounters[key] = encounter
        self._add(
            EncounterFact(
                key=key,
                patient=self._patient,
                facility=self._facility,
                labels=item.labels(_ENCOUNTER),
                known_at=encounter.stamp,
                voided=voided,
                encounter_datetime=when,
                encounter_type=kinds[0] or kinds[1] or kinds[2] or "unknown",
                form=kinds[2] or kinds[3],
            ),
            named=uuid is not None,
        )

    def _observations(self) -> None:
        for _, item in self._body.each("obs", self._bad, self._unasked):
            each_of(self._bad, self._observation, item)

    def _unasked(self, content: Mapping[str, Any]) -> bool:
        """Whether an observation is certainly not imported. It is checked first, because most observations are not."""
        return self._terms.unasked(content.get("conceptId", 0), content.get("variableName", 0))

    def _observation(self, item: Fields) -> None:
        concept, name = item.text("conceptId", "concept"), item.text("variableName", "conceptName")
        question = self._terms.question(concept, name)
        if question is None and not self._terms.keep_all:
            return
        encounter = self._encounters.get(item.text("encounterUuid", "encounter") or "")
        observed = each_of(self._bad, item.moment, "obsDatetime")
        moment = observed or (encounter.when if encounter else item.needed_moment("obsDatetime"))
        voided = self._voided or item.flag("voided") or (encounter is not None and encounter.voided)
        if question is None or question.startswith(MEASURED):
            variable = question.removeprefix(MEASURED) if question else fold(name or "") or f"concept {concept}"
            self._measurement(item, variable, concept, encounter, moment, voided=voided)
            return
        if encounter is None:
            # An answer outside any known encounter: each such day counts as an encounter.
            key = SEPARATOR.join((self._patient, moment.date().isoformat()))
            encounter_made = Encounter(key, moment, self._voided, item.moment(*_STAMPS), item)
            encounter = self._encounters.setdefault(key, encounter_made)
        value_name, value = item.raw("valueDatetime", *_VALUES)
        if value is not None:
            encounter.answers.setdefault(question, []).append(Answer(value, item, value_name, voided, concept))

    def _measurement(
        self,
        item: Fields,
        variable: str,
        concept: str | None,
        encounter: Encounter | None,
        moment: datetime,
        *,
        voided: bool,
    ) -> None:
        uuid = item.text("obsUuid", "uuid")
        key = uuid or SEPARATOR.join((self._patient, encounter.key if encounter else "", variable, moment.isoformat()))
        raw_value, _ = item.raw(*_VALUES)
        fact = ObservationFact(
            key=key,
            patient=self._patient,
            facility=self._facility,
            labels=item.labels({**_OBSERVATION, "value_numeric": raw_value, "value_coded": raw_value}),
            known_at=item.moment(*_STAMPS),
            voided=voided,
            obs_datetime=moment,
            variable_name=variable,
            concept_id=int(concept) if concept and concept.isdecimal() and len(concept) < 10 else None,  # noqa: PLR2004 - int4
        )
        self._value(fact, item)
        self._add(fact, named=uuid is not None)

    def _value(self, fact: ObservationFact, item: Fields) -> None:
        name, value = item.raw(*_VALUES)
        if value is None:
            return
        try:
            if name == "valueDatetime":
                fact.value_datetime = item.moment(name)
                return
            answer = fold(text(value))
            coded = self._terms.answers.get(answer)
            if fact.variable_name == "viral_load" and name == "valueCoded" and answer in UNDETECTED_ANSWERS:
                fact.value_numeric, fact.value_text = 1.0, "<"
                return
            if name != "valueNumeric" and coded is not None:
                fact.value_coded = coded
                if coded.isdecimal():
                    fact.value_numeric, fact.value_coded = float(coded), None
                return
            fact.value_numeric, fact.value_text = values.measured(value)
        except BadValueError as bad:
            if name == "valueNumeric":
                raise item.bad(name, bad.problem, bad.remedy) from bad
            answer_text = item.text(name)
            if name == "valueCoded":
                fact.value_coded = answer_text
            else:
                fact.value_text = answer_text

    def _add(self, fact: Fact, *, named: bool) -> None:
        """Add a fact.

        If the fact has no identifier of its own (``named`` is false), facts may have the same key. Then a live fact
        takes the place of a voided one, an equal fact is not added again, and a different one gets a number after its
        key.
        """
        if not named:
            place = self._by_key.setdefault((fact.kind, fact.key), len(self._reading.facts))
            if place < len(self._reading.facts):
                before = self._reading.facts[place]
                if before.voided or fact.voided:
                    if before.voided:
                        self._reading.facts[place] = fact
                    return
                if replace(fact, labels=before.labels) == before:
                    return
                count = 2
                while (fact.kind, f"{fact.key}#{count}") in self._by_key:
                    count += 1
                self._by_key[fact.kind, f"{fact.key}#{count}"] = len(self._reading.facts)
                fact.key = f"{fact.key}#{count}"
        self._reading.facts.append(fact)
