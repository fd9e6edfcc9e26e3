"""Turn one FHIR resource into facts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tenants.imports.facts import (
    DispensationFact,
    EncounterFact,
    FacilityFact,
    ObservationFact,
    PatientFact,
    PatientStateFact,
    UnreadContactFact,
    VisitFact,
)
from tenants.imports.fields import SEXES
from tenants.imports.formats.drugs import is_antiretroviral
from tenants.imports.formats.fhir_terms import (
    IDENTIFIER_LOCATION,
    MEASURED,
    PLACES,
    TAKEN_BACK,
    codes_of,
    identifier,
)
from tenants.imports.formats.fhir_values import days_supplied, display_text, measure, supplied_by, whole_moment
from tenants.imports.formats.records import Fields, birth, each_of, moment
from tenants.imports.reading import columns, values
from tenants.imports.reading.plans import SEPARATOR
from tenants.imports.reading.values import BadValueError

if TYPE_CHECKING:
    from datetime import date, datetime

    from tenants.imports.facts import Reading
    from tenants.imports.formats.fhir_stream import Item
    from tenants.imports.formats.fhir_terms import EarlyFacts, FhirTerms, Place

TAKEN = ("Patient", "Encounter", "Observation", "MedicationDispense")
_PATIENT = frozenset({"Patient"})
_NOT_HAPPENED = frozenset(
    {
        "planned", "cancelled", "registered", "preparation", "in-progress", "on-hold", "declined", "stopped",
    }
)  # fmt: skip
_RESULTS = (
    "valueQuantity", "valueCodeableConcept", "valueDateTime", "valueString", "valueInteger", "valueDecimal",
    "valueBoolean",
)  # fmt: skip


class Resource:
    """Turns one resource into facts.

    Args:
        item: the resource.
        kind: its type, one of ``TAKEN``.
        terms: terms of the import.
        before: what the files say beforehand.
        reading: receives the facts and the rejections.
    """

    def __init__(self, item: Item, kind: str, terms: FhirTerms, before: EarlyFacts, reading: Reading) -> None:
        self._content: dict[str, Any] = item.content or {}
        self._fields = Fields(self._content, kind, item.suffix, terms.values)
        self._kind, self._terms, self._before, self._reading = kind, terms, before, reading
        self._full_url = item.full_url
        self.about: str | None = None
        self._is_contact = False

    def into(self) -> None:
        """Fill the reading; add nothing if the resource has nothing to import.

        Raises:
            BadFieldError: a required part is missing or wrong.
        """
        self._id = self._fields.text("id") or self._full_url.rpartition(":")[2].rpartition("/")[2]
        if not self._id:
            raise self._fields.bad("id", "the identifier is missing", "export resources with their ids")
        meta = self._fields.record("meta")
        self._stamp = each_of(self._reading.omissions, meta.moment, "lastUpdated") if self._terms.stamps else None
        if self._kind == "Patient":
            # The stamp of a person's last change does not say since when the person is known.
            self._stamp = None
            self._patient()
            return
        status = self._fields.text("status")
        self._voided = status == TAKEN_BACK
        # An encounter in progress counts; a dispensation in progress has not happened yet.
        if status in _NOT_HAPPENED and not (self._kind == "Encounter" and status == "in-progress"):
            return
        subject = self._content.get("subject")
        patient = self._before.target(subject, _PATIENT)
        if patient is None:
            remedy = "give a reference such as Patient/<id> in subject"
            raise self._fields.bad("subject", "the patient is missing", remedy)
        self.about = patient
        {"Encounter": self._encounter, "Observation": self._observation, "MedicationDispense": self._dispense}[
            self._kind
        ]()

    def unread(self) -> UnreadContactFact | None:
        """Return an unread contact, after ``into`` failed on a day; None if the resource does not prove a contact."""
        if self.about is None or not self._is_contact or self._voided:
            return None
        return UnreadContactFact(key=self.about, patient=self.about, labels=self._fields.labels({}))

    def _common(self, names: dict[str, str], key: str = "") -> dict[str, Any]:
        labels = self._fields.labels({"patient": "subject", "stamp": "meta.lastUpdated", **names})
        return {
            "key": SEPARATOR.join((self._id, key)) if key else self._id,
            "patient": self.about,
            "known_at": self._stamp,
            "voided": self._voided,
            "labels": labels,
        }

    def _patient(self) -> None:
        fields, bad = self._fields, self._reading.rejections
        datim_id, place = self._home()
        self._voided = self._content.get("active") is False
        self.about = self._id
        facility_fields = self._terms.facility if self._terms.facility.get("datim_id") == datim_id else {}
        self._reading.facts.append(
            FacilityFact(
                key=datim_id,
                name=(place.name if place else None) or facility_fields.get("name"),
                state_province=(place.state_province if place else None) or facility_fields.get("state_province"),
                county_district=(place.county_district if place else None) or facility_fields.get("county_district"),
            )
        )
        fact = PatientFact(
            **self._common({"patient": "id", "birthdate": "birthDate", "art_start_date": "birthDate"}),
            facility=datim_id,
            pepfar_id=each_of(bad, self._identifier, self._terms.pepfar_id),
            hospital_number=each_of(bad, self._identifier, self._terms.hospital_number),
            art_start_date=self._before.art_starts.get(self._id),
            transferred_in=self._id in self._before.transferred_in or None,
            phone=each_of(bad, self._phone),
        )
        self._add_names(fact)
        address = self._first("address")
        fact.state_province = each_of(bad, address.text, "state")
        fact.county_district = each_of(bad, address.text, "district")
        fact.city_village = each_of(bad, address.text, "city")
        gender = self._content.get("gender")
        if gender in ("male", "female"):
            fact.sex = columns.code(gender, SEXES)
        elif gender is not None and gender not in ("other", "unknown"):
            remedy = "write male or female (other and unknown are taken as not recorded)"
            bad.append(fields.bad("gender", "an unknown code", remedy).rejection)
        if (value := fields.raw("birthDate")[1]) is not None:
            try:
                fact.birthdate, fact.birthdate_estimated = birth(value, self._terms.values)
            except BadValueError as wrong:
                bad.append(fields.bad("birthDate", wrong.problem, wrong.remedy).rejection)
        self._reading.facts.append(fact)
        each_of(bad, self._died, datim_id)

    def _died(self, datim_id: str) -> None:
        """Add the death, on its day; without one, on the day of the export."""
        day = each_of(self._reading.rejections, self._fields.day, "deceasedDateTime")
        has_date = self._fields.raw("deceasedDateTime")[1] is not None
        if day is None and not has_date and self._content.get("deceasedBoolean") is not True:
            return
        self._reading.facts.append(
            PatientStateFact(
                **self._common({"start_date": "deceasedDateTime"}, "died"),
                facility=datim_id,
                state="died",
                start_date=day,
            )
        )

    def _home(self) -> tuple[str, Place | None]:
        """The facility of a patient: by ``managingOrganization``, identifier, latest encounter, or mapping."""
        references = [self._content.get("managingOrganization")]
        for _, item in self._fields.each("identifier", []):
            references += [
                extension.raw("valueReference")[1]
                for _, extension in item.each("extension", [])
                if extension.raw("url")[1] == IDENTIFIER_LOCATION
            ]
        targets = [target for each in references if (target := self._before.target(each, PLACES)) is not None]
        if self._id in self._before.homes:
            targets.append(self._before.homes[self._id][1])
        for target in targets:
            place = self._before.places.get(target)
            datim_id = self._terms.facilities.get(target.casefold()) or (place.datim_id if place else None)
            if datim_id:
                return datim_id, place
        constant = self._terms.facility.get("datim_id")
        if constant:
            return constant, None
        remedy = "name the DATIM id of its location under fhir.facilities, or give 'facility' in the mapping"
        raise self._fields.bad("managingOrganization", "the facility is missing", remedy)

    def _identifier(self, kinds: frozenset[str]) -> str | None:
        return identifier(self._content, kinds, self._terms)

    def _first(self, name: str) -> Fields:
        """The first record of a list, or an empty record."""
        return next((item for _, item in self._fields.each(name, [])), self._fields.record("\x00"))

    def _add_names(self, fact: PatientFact) -> None:
        names = [item for _, item in self._fields.each("name", []) if item.raw("use")[1] not in ("old", "maiden")]
        if not names:
            return
        name = next((item for item in names if item.raw("use")[1] == "official"), names[0])
        fact.family_name = each_of(self._reading.rejections, name.text, "family")
        given_names = name.raw("given")[1]
        if isinstance(given_names, list) and all(isinstance(part, str) for part in given_names):
            joined_names = Fields({"given": " ".join(given_names)}, name.path, name.suffix, name.terms)
            fact.given_name = each_of(self._reading.rejections, joined_names.text, "given")

    def _phone(self) -> str | None:
        for _, item in self._fields.each("telecom", []):
            if item.raw("system")[1] in ("phone", "sms", None) and item.raw("use")[1] != "old":
                number = item.text("value")
                if number:
                    return number
        return None

    def _encounter(self) -> None:
        fields = self._fields
        period = fields.record("period")
        kinds = codes_of(self._content.get("type")) + codes_of(self._content.get("class"))
        tags = self._content.get("meta", {}).get("tag") if isinstance(self._content.get("meta"), dict) else None
        tagged = {code.rpartition("|")[2] for code in codes_of({"coding": tags})}
        name = display_text(self._content.get("type")) or display_text(self._content.get("class")) or "unknown"
        # OpenMRS serves both visits and their encounters as Encounter: a part of a visit is not a visit.
        self._is_contact = "visit" in tagged or "encounter" not in tagged or fields.raw("partOf")[1] is None
        moment = whole_moment(period, "start", period.needed_moment)
        if "visit" not in tagged:
            self._reading.facts.append(
                EncounterFact(
                    **self._common({"encounter_datetime": "period.start"}),
                    encounter_datetime=moment,
                    encounter_type=name,
                )
            )
        if self._is_contact:
            stopped = each_of(self._reading.omissions, period.day, "end")
            visit_type = "clinical"
            if any(code in self._terms.pharmacy for code in kinds):
                visit_type = "pharmacy"
            elif any(code in self._terms.laboratory for code in kinds):
                visit_type = "laboratory"
            self._reading.facts.append(
                VisitFact(
                    **self._common({"date_started": "period.start", "date_stopped": "period.end"}, "visit"),
                    date_started=moment.date(),
                    date_stopped=stopped,
                    visit_type=visit_type,
                )
            )

    def _observation(self) -> None:
        codes = codes_of(self._content.get("code"))
        question = self._terms.question(codes)
        if question is None and not self._terms.keep_all:
            return
        self._is_contact = question == "next_appointment"
        name, moment = self._effective()
        if question == "next_appointment":
            noted = len(self._reading.omissions)
            following = each_of(self._reading.omissions, self._value_day)
            if following is None and not self._voided and len(self._reading.omissions) == noted:
                self._is_contact = False
                raise self._fields.bad("valueDateTime", "the date is missing", "fill it in")
            self._reading.facts.append(
                VisitFact(
                    **self._common({"date_started": name, "next_appointment": "valueDateTime"}, "visit"),
                    date_started=moment.date(),
                    next_appointment=following,
                )
            )
        elif question == "termination_reason":
            answers = codes_of(self._content.get("valueCodeableConcept"))
            outcomes = self._terms.outcomes
            state = next((outcomes[code] for code in answers if outcomes.get(code) is not None), None)
            if state is not None:
                self._state(state, moment.date(), name)
        elif question == "transferred_in_date":
            day = self._value_day()
            self._state("transferred_in", day or moment.date(), "valueDateTime" if day else name)
        else:
            variable = "art_start_date" if question == "art_start" else None
            variable = variable or (question or "").removeprefix(MEASURED) or display_text(self._content.get("code"))
            self._measurement(variable or "unknown", codes, name, moment)

    def _state(self, state: str, day: date, field: str) -> None:
        self._reading.facts.append(
            PatientStateFact(**self._common({"start_date": field}, state), state=state, start_date=day)
        )

    def _effective(self) -> tuple[str, datetime]:
        """The time of the observation, and the field that gives it."""
        period = self._fields.record("effectivePeriod")
        for name in ("effectiveDateTime", "effectiveInstant"):
            if self._fields.raw(name)[1] is not None:
                return name, whole_moment(self._fields, name, self._fields.needed_moment)
        if period.raw("start")[1] is not None:
            return "effectivePeriod.start", whole_moment(period, "start", period.needed_moment)
        if self._fields.raw("issued")[1] is not None:
            return "issued", self._fields.needed_moment("issued")
        raise self._fields.bad("effectiveDateTime", "the date is missing", "fill it in")

    def _value_day(self) -> date | None:
        for name in ("valueDateTime", "valueString"):
            if self._fields.raw(name)[1] is not None:
                return whole_moment(self._fields, name, self._fields.needed_moment).date()
        return None

    def _measurement(self, variable: str, codes: list[str], name: str, moment: datetime) -> None:
        concept = next((code for code in codes if code.isdecimal() and len(code) < 10), None)  # noqa: PLR2004 - int4
        field, value = self._fields.raw(*_RESULTS)
        field_name = "valueQuantity.value" if field == "valueQuantity" else field
        fact = ObservationFact(
            **self._common({"obs_datetime": name, "value_numeric": field_name, "value_coded": field_name}),
            obs_datetime=moment,
            variable_name=variable[:200],
            concept_id=int(concept) if concept else None,
        )
        if value is not None:
            try:
                self._result(fact, field, value)
            except BadValueError as wrong:
                raise self._fields.bad(field, wrong.problem, wrong.remedy) from wrong
        self._reading.facts.append(fact)

    def _result(self, fact: ObservationFact, field: str, value: object) -> None:
        if field == "valueQuantity":
            fact.value_numeric, fact.value_text, fact.unit = measure(fact.variable_name, value)
        elif field == "valueCodeableConcept":
            codes = codes_of(value)
            answers = self._terms.answers
            answer = next((answers[code] for code in codes if answers.get(code) is not None), None)
            if answer is None and fact.variable_name == "viral_load" and self._undetected(fact, codes):
                return
            if answer is not None and answer.isdecimal():
                fact.value_numeric = float(answer)
            else:
                fact.value_coded = answer or display_text(value)
        elif field == "valueDateTime":
            fact.value_datetime = moment(value, self._terms.values)
        elif field in ("valueInteger", "valueDecimal"):
            fact.value_numeric = values.number(value)
        elif field == "valueString":
            try:
                fact.value_numeric, fact.value_text = values.measured(value)
            except BadValueError:
                fact.value_text = self._fields.text(field)
        else:
            fact.value_text = self._fields.text(field)

    def _undetected(self, fact: ObservationFact, codes: list[str]) -> bool:
        """Add a coded result that means: too low to be measured."""
        if any(code in self._terms.undetected for code in codes):
            fact.value_numeric, fact.value_text = 1.0, "<"
            return True
        for code in codes:
            try:
                fact.value_numeric, fact.value_text = values.measured(code)
            except BadValueError:
                continue
            if fact.value_text == "<":
                return True
            fact.value_numeric = fact.value_text = None
        return False

    def _dispense(self) -> None:
        drug = self._content.get("medicationCodeableConcept")
        reference = self._content.get("medicationReference")
        codes = codes_of(drug)
        name = display_text(drug)
        if name is None and isinstance(reference, dict):
            name = Fields(reference, "MedicationDispense.medicationReference", "", self._terms.values).text("display")
            codes += codes_of({"text": name}) if name else []
        listed = self._terms.antiretrovirals
        if listed and not any(code in listed for code in codes):
            return
        # A hospital's pharmacy dispenses everything: a named but unknown drug is no antiretroviral.
        antiretroviral = bool(listed) or name is None or is_antiretroviral(name, " ".join(codes), unknown=False)
        self._is_contact = antiretroviral
        field = supplied_by(self._fields)
        before = len(self._reading.omissions)
        supply = each_of(self._reading.omissions, days_supplied, self._fields)
        self._reading.facts.append(
            DispensationFact(
                **self._common({"date_dispensed": field, "days_supplied": "daysSupply.value"}),
                date_dispensed=whole_moment(self._fields, field, self._fields.needed_moment).date(),
                days_supplied=supply,
                regimen=name,
                antiretroviral=antiretroviral,
                supply_unread=len(self._reading.omissions) > before,
            )
        )
