"""One FHIR resource as facts."""

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
from tenants.imports.formats.fhir_values import days_supplied, measure, shown, supplied_by, whole_moment
from tenants.imports.formats.records import Fields, birth, each_of, moment
from tenants.imports.reading import columns, values
from tenants.imports.reading.plans import SEPARATOR
from tenants.imports.reading.values import BadValueError

if TYPE_CHECKING:
    from datetime import date, datetime

    from tenants.imports.facts import Reading
    from tenants.imports.formats.fhir_stream import Item
    from tenants.imports.formats.fhir_terms import Beforehand, FhirTerms, Place

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
        terms: of the import.
        before: what the files say beforehand.
        reading: takes the facts and the refusals.
    """

    def __init__(self, item: Item, kind: str, terms: FhirTerms, before: Beforehand, reading: Reading) -> None:
        self._content: dict[str, Any] = item.content or {}
        self._fields = Fields(self._content, kind, item.suffix, terms.values)
        self._kind, self._terms, self._before, self._reading = kind, terms, before, reading
        self._full_url = item.full_url
        self.about: str | None = None
        self._is_contact = False

    def into(self) -> None:
        """Fill the reading; nothing where the resource says nothing that is taken.

        Raises:
            BadFieldError: something that it needs is missing or wrong.
        """
        self._id = self._fields.text("id") or self._full_url.rpartition(":")[2].rpartition("/")[2]
        if not self._id:
            raise self._fields.bad("id", "the identifier is missing", "export resources with their ids")
        meta = self._fields.record("meta")
        self._stamp = each_of(self._reading.omissions, meta.moment, "lastUpdated") if self._terms.stamps else None
        if self._kind == "Patient":
            # When a person's row was last touched does not say since when the person is known.
            self._stamp = None
            self._patient()
            return
        status = self._fields.text("status")
        self._voided = status == TAKEN_BACK
        # An encounter in progress is happening; a dispensation in progress has not happened.
        if status in _NOT_HAPPENED and not (self._kind == "Encounter" and status == "in-progress"):
            return
        subject = self._content.get("subject")
        patient = self._before.target(subject, _PATIENT)
        if patient is None:
            remedy = "give a reference such as Patient/<id> in subject"
            raise self._fields.bad("subject", "the patient is not named", remedy)
        self.about = patient
        {"Encounter": self._encounter, "Observation": self._observation, "MedicationDispense": self._dispense}[
            self._kind
        ]()

    def unread(self) -> UnreadContactFact | None:
        """That the person came, once ``into`` has failed: what it could not read is the day of a contact."""
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
        given = self._terms.facility if self._terms.facility.get("datim_id") == datim_id else {}
        self._reading.facts.append(
            FacilityFact(
                key=datim_id,
                name=(place.name if place else None) or given.get("name"),
                state_province=(place.state_province if place else None) or given.get("state_province"),
                county_district=(place.county_district if place else None) or given.get("county_district"),
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
        self._named(fact)
        address = self._first("address")
        fact.state_province = each_of(bad, address.text, "state")
        fact.county_district = each_of(bad, address.text, "district")
        fact.city_village = each_of(bad, address.text, "city")
        gender = self._content.get("gender")
        if gender in ("male", "female"):
            fact.sex = columns.code(gender, SEXES)
        elif gender is not None and gender not in ("other", "unknown"):
            remedy = "write male or female (other and unknown are taken as not recorded)"
            bad.append(fields.bad("gender", "a code that is not known", remedy).rejection)
        if (value := fields.raw("birthDate")[1]) is not None:
            try:
                fact.birthdate, fact.birthdate_estimated = birth(value, self._terms.values)
            except BadValueError as wrong:
                bad.append(fields.bad("birthDate", wrong.problem, wrong.remedy).rejection)
        self._reading.facts.append(fact)
        each_of(bad, self._died, datim_id)

    def _died(self, datim_id: str) -> None:
        """The death, from the day that is given; without one, from the day on which the export says it."""
        when = each_of(self._reading.rejections, self._fields.day, "deceasedDateTime")
        named = self._fields.raw("deceasedDateTime")[1] is not None
        if when is None and not named and self._content.get("deceasedBoolean") is not True:
            return
        self._reading.facts.append(
            PatientStateFact(
                **self._common({"start_date": "deceasedDateTime"}, "died"),
                facility=datim_id,
                state="died",
                start_date=when,
            )
        )

    def _home(self) -> tuple[str, Place | None]:
        """The facility of a patient: managing organisation, location of an identifier, latest encounter, mapping."""
        references = [self._content.get("managingOrganization")]
        for _, item in self._fields.each("identifier", []):
            references += [
                extension.raw("valueReference")[1]
                for _, extension in item.each("extension", [])
                if extension.raw("url")[1] == IDENTIFIER_LOCATION
            ]
        found = [target for reference in references if (target := self._before.target(reference, PLACES)) is not None]
        if self._id in self._before.homes:
            found.append(self._before.homes[self._id][1])
        for target in found:
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
        """The first record of a list, or an empty one."""
        return next((item for _, item in self._fields.each(name, [])), self._fields.record("\x00"))

    def _named(self, fact: PatientFact) -> None:
        names = [item for _, item in self._fields.each("name", []) if item.raw("use")[1] not in ("old", "maiden")]
        if not names:
            return
        chosen = next((item for item in names if item.raw("use")[1] == "official"), names[0])
        fact.family_name = each_of(self._reading.rejections, chosen.text, "family")
        given = chosen.raw("given")[1]
        if isinstance(given, list) and all(isinstance(part, str) for part in given):
            joined = Fields({"given": " ".join(given)}, chosen.path, chosen.suffix, chosen.terms)
            fact.given_name = each_of(self._reading.rejections, joined.text, "given")

    def _phone(self) -> str | None:
        for _, item in self._fields.each("telecom", []):
            if item.raw("system")[1] in ("phone", "sms", None) and item.raw("use")[1] != "old":
                found = item.text("value")
                if found:
                    return found
        return None

    def _encounter(self) -> None:
        fields = self._fields
        period = fields.record("period")
        kinds = codes_of(self._content.get("type")) + codes_of(self._content.get("class"))
        tags = self._content.get("meta", {}).get("tag") if isinstance(self._content.get("meta"), dict) else None
        tagged = {code.rpartition("|")[2] for code in codes_of({"coding": tags})}
        name = shown(self._content.get("type")) or shown(self._content.get("class")) or "unknown"
        # OpenMRS serves visits and the encounters in them both as Encounter: what is part of a visit is none itself.
        self._is_contact = "visit" in tagged or "encounter" not in tagged or fields.raw("partOf")[1] is None
        when = whole_moment(period, "start", period.needed_moment)
        if "visit" not in tagged:
            self._reading.facts.append(
                EncounterFact(
                    **self._common({"encounter_datetime": "period.start"}), encounter_datetime=when, encounter_type=name
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
                    date_started=when.date(),
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
        name, when = self._effective()
        if question == "next_appointment":
            noted = len(self._reading.omissions)
            following = each_of(self._reading.omissions, self._value_day)
            if following is None and not self._voided and len(self._reading.omissions) == noted:
                self._is_contact = False
                raise self._fields.bad("valueDateTime", "the date is missing", "fill it in")
            self._reading.facts.append(
                VisitFact(
                    **self._common({"date_started": name, "next_appointment": "valueDateTime"}, "visit"),
                    date_started=when.date(),
                    next_appointment=following,
                )
            )
        elif question == "termination_reason":
            answers = codes_of(self._content.get("valueCodeableConcept"))
            state = next((found for code in answers if (found := self._terms.outcomes.get(code)) is not None), None)
            if state is not None:
                self._state(state, when.date(), name)
        elif question == "transferred_in_date":
            day = self._value_day()
            self._state("transferred_in", day or when.date(), "valueDateTime" if day else name)
        else:
            variable = "art_start_date" if question == "art_start" else None
            variable = variable or (question or "").removeprefix(MEASURED) or shown(self._content.get("code"))
            self._measured(variable or "unknown", codes, name, when)

    def _state(self, state: str, when: date, field: str) -> None:
        self._reading.facts.append(
            PatientStateFact(**self._common({"start_date": field}, state), state=state, start_date=when)
        )

    def _effective(self) -> tuple[str, datetime]:
        """When it was observed, and the field that says so."""
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

    def _measured(self, variable: str, codes: list[str], name: str, when: datetime) -> None:
        concept = next((code for code in codes if code.isdecimal() and len(code) < 10), None)  # noqa: PLR2004 - int4
        field, value = self._fields.raw(*_RESULTS)
        said = "valueQuantity.value" if field == "valueQuantity" else field
        fact = ObservationFact(
            **self._common({"obs_datetime": name, "value_numeric": said, "value_coded": said}),
            obs_datetime=when,
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
            answer = next((found for code in codes if (found := self._terms.answers.get(code)) is not None), None)
            if answer is None and fact.variable_name == "viral_load" and self._undetected(fact, codes):
                return
            if answer is not None and answer.isdecimal():
                fact.value_numeric = float(answer)
            else:
                fact.value_coded = answer or shown(value)
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
        """Note a coded result that says: too low to be measured."""
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
        name = shown(drug)
        if name is None and isinstance(reference, dict):
            name = Fields(reference, "MedicationDispense.medicationReference", "", self._terms.values).text("display")
            codes += codes_of({"text": name}) if name else []
        wanted = self._terms.antiretrovirals
        if wanted and not any(code in wanted for code in codes):
            return
        # A hospital's pharmacy hands out everything: a drug that has a name and is not known is no antiretroviral.
        antiretroviral = bool(wanted) or name is None or is_antiretroviral(name, " ".join(codes), unknown=False)
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
