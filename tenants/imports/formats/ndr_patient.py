"""Turn one NDR message into facts: patient, visits, regimens, laboratory reports and outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tenants.imports.facts import (
    DispensationFact,
    FacilityFact,
    ObservationFact,
    PatientFact,
    PatientStateFact,
    UnreadContactFact,
    VisitFact,
)
from tenants.imports.fields import SEXES
from tenants.imports.formats.drugs import is_antiretroviral
from tenants.imports.formats.records import BadFieldError, Fields, Terms, birth, each_of, fold, is_true, text, whole_day
from tenants.imports.reading import columns, values
from tenants.imports.reading.plans import SEPARATOR
from tenants.imports.reading.values import BadValueError

if TYPE_CHECKING:
    from datetime import date

    from tenants.imports.facts import Fact, Reading
    from tenants.imports.mapping import Mapping

_PERSON = {"patient": "PatientIdentifier", "birthdate": "PatientDateOfBirth", "art_start_date": "ARTStartDate"}
_ENDS = (
    ("transferred_out", "PatientTransferredOut", "TransferredOutDate"),
    ("died", "PatientHasDied", "DeathDate"),
    ("stopped", "StoppedTreatment", "DateStoppedTreatment"),
)


class NdrTerms:
    """The ``ndr`` block of a mapping, ready for look-ups."""

    def __init__(self, mapping: Mapping) -> None:
        options = mapping.ndr
        self.values = Terms.of(mapping)
        self.tests = {fold(code): "cd4" for code in options.cd4} | {
            fold(code): "viral_load" for code in options.viral_load
        }
        self.adherence = {fold(code): answer for code, answer in options.adherence.items()}
        self.antiretroviral = frozenset(map(fold, options.antiretroviral))
        self.pepfar_id = frozenset(map(fold, options.pepfar_id))
        self.redacted = frozenset(map(fold, options.redacted))


class Message:
    """Turns one message into facts.

    Args:
        content: the parsed container.
        suffix: name of the document, for the report.
        terms: terms of the import.
        reading: receives the facts and the rejections.
    """

    def __init__(self, content: dict[str, Any], suffix: str, terms: NdrTerms, reading: Reading) -> None:
        top = Fields(single(content), "", suffix, terms.values)
        self._header = top.record("MessageHeader")
        report = top.record("IndividualReport")
        self._person = report.record("PatientDemographics")
        self._report = report
        self._terms, self._reading, self._bad = terms, reading, reading.rejections
        self._patient = self._person.needed("PatientIdentifier")
        self._facility = self._find_facility()
        self._voided = fold(self._header.text("MessageStatusCode") or "") in terms.redacted
        self._facts_by_key: dict[tuple[str, str], Fact] = {}
        self._visits: dict[str, date] = {}

    def created(self) -> date | None:
        """The day of the message's creation, if it has a readable one."""
        return each_of([], self._header.day, "MessageCreationDateTime")

    def into(self) -> None:
        """Fill the reading.

        Raises:
            BadFieldError: the person is not identifiable.
        """
        place = self._person.record("TreatmentFacility")
        name = place.text("FacilityName")
        self._reading.facts.append(FacilityFact(key=self._facility, name=name))
        person = self._read_person()
        self._reading.facts.append(person)
        for _, condition in self._report.each("Condition", self._bad):
            self._condition(condition, person)
        self._drop_undated()

    def _drop_undated(self) -> None:
        """Drop a state without a day if the message gives the day elsewhere."""
        facts = self._reading.facts
        states_with_day = {
            fact.state for fact in facts if isinstance(fact, PatientStateFact) and fact.start_date is not None
        }
        facts[:] = [
            fact
            for fact in facts
            if not (isinstance(fact, PatientStateFact) and fact.start_date is None and fact.state in states_with_day)
        ]

    def _find_facility(self) -> str:
        facility = self._person.record("TreatmentFacility").text("FacilityID")
        before, separator, _ = self._patient.partition("_")
        facility = facility or (before.strip() if separator else None)
        facility = facility or self._header.record("MessageSendingOrganization").text("FacilityID")
        if not facility:
            remedy = "give TreatmentFacility.FacilityID, or a PatientIdentifier that begins with the DATIM id and _"
            raise self._person.bad("TreatmentFacility.FacilityID", "the facility is missing", remedy)
        return facility

    def _read_person(self) -> PatientFact:
        person, bad = self._person, self._bad
        number = self._patient.partition("_")[2].strip()
        fact = PatientFact(
            key=self._patient,
            patient=self._patient,
            facility=self._facility,
            labels=person.labels(_PERSON),
            voided=self._voided,
            hospital_number=number or None,
            pepfar_id=self._other_identifier(),
        )
        name, value = person.raw("PatientSexCode")
        if value is not None:
            try:
                fact.sex = columns.code(value, SEXES)
            except BadValueError as wrong:
                bad.append(person.bad(name, wrong.problem, "write M or F").rejection)
        name, value = person.raw("PatientDateOfBirth")
        if value is not None:
            try:
                fact.birthdate, fact.birthdate_estimated = birth(value, self._terms.values)
            except BadValueError as wrong:
                bad.append(person.bad(name, wrong.problem, wrong.remedy).rejection)
        if is_true(person.raw("PatientDeceasedIndicator")[1]):
            self._ended(person, "died", "PatientDeceasedDate")
        return fact

    def _other_identifier(self) -> str | None:
        for _, item in self._person.record("OtherPatientIdentifiers").each("Identifier", self._bad):
            kind = each_of(self._bad, item.text, "IDTypeCode")
            if kind is not None and fold(kind) in self._terms.pepfar_id:
                return each_of(self._bad, item.text, "IDNumber")
        return None

    def _condition(self, condition: Fields, person: PatientFact) -> None:
        bad = self._bad
        address = condition.record("PatientAddress")
        person.state_province = person.state_province or each_of(bad, address.text, "StateCode")
        person.county_district = person.county_district or each_of(bad, address.text, "LGACode")
        person.city_village = person.city_village or each_of(bad, address.text, "Town", "WardVillage")
        number = each_of(bad, condition.record("CommonQuestions").text, "HospitalNumber")
        person.hospital_number = number or person.hospital_number
        questions = condition.record("ConditionSpecificQuestions").record("HIVQuestions")
        person.art_start_date = person.art_start_date or each_of(bad, questions.day, "ARTStartDate")
        if is_true(questions.raw("PatientTransferredIn")[1]):
            person.transferred_in = True
            if questions.raw("TransferredInDate")[1] is not None:
                self._ended(questions, "transferred_in", "TransferredInDate")
        for state, flag, day in _ENDS:
            if is_true(questions.raw(flag)[1]):
                self._ended(questions, state, day)
        common = condition.record("CommonQuestions")
        if is_true(common.raw("PatientDieFromThisIllness")[1]):
            self._ended(common, "died", "PatientDeceasedDate")
        for _, encounter in condition.record("Encounters").each("HIVEncounter", bad):
            each_of(bad, self._encounter, encounter)
        for _, regimen in condition.each("Regimen", bad):
            each_of(bad, self._regimen, regimen)
        for _, report in condition.each("LaboratoryReport", bad):
            for _, result in report.each("LaboratoryOrderAndResult", bad):
                each_of(bad, self._result, report, result)

    def _ended(self, place: Fields, state: str, field: str) -> None:
        """Add a state with its day; without a day, the message's own day counts."""
        day = each_of(self._bad, place.day, field)
        fact = PatientStateFact(
            key=SEPARATOR.join((self._patient, state, day.isoformat() if day is not None else "")),
            patient=self._patient,
            facility=self._facility,
            labels=place.labels({"start_date": field}),
            voided=self._voided,
            state=state,
            start_date=day,
        )
        self._add(fact)

    def _contact_day(self, item: Fields, not_after: date | None) -> date:
        """Return the day of a contact. If it is not readable, add an unread contact.

        Raises:
            BadFieldError: it is missing or not readable.
        """
        try:
            return item.needed_moment("VisitDate").date()
        except BadFieldError:
            if not self._voided:
                self._reading.facts.append(
                    UnreadContactFact(
                        key=self._patient,
                        patient=self._patient,
                        facility=self._facility,
                        labels=item.labels({"patient": "PatientIdentifier"}),
                        not_after=not_after,
                    )
                )
            raise

    def _encounter(self, item: Fields) -> None:
        following = each_of(self._bad, item.day, "NextAppointmentDate")
        day = self._contact_day(item, following)
        if (visit := item.text("VisitID")) is not None:
            self._visits[visit] = day
        key = visit or day.isoformat()
        fact = VisitFact(
            key=SEPARATOR.join((self._patient, "visit", key)),
            patient=self._patient,
            facility=self._facility,
            labels=item.labels({"date_started": "VisitDate", "next_appointment": "NextAppointmentDate"}),
            voided=self._voided,
            date_started=day,
            next_appointment=following,
        )
        self._add(fact)
        for variable, field in (("weight", "Weight"), ("cd4", "CD4"), ("who_stage", "WHOClinicalStage")):
            each_of(self._bad, self._measurement, item, variable, field, day, key)
        adherence = each_of(self._bad, item.text, "ARVDrugAdherence")
        answer = self._terms.adherence.get(fold(adherence)) if adherence else None
        if answer is not None:
            self._observe(item, "arv_adherence", "ARVDrugAdherence", day, key).value_coded = answer

    def _measurement(self, item: Fields, variable: str, field: str, day: date, key: str) -> None:
        _, value = item.raw(field)
        if value is None:
            return
        try:
            number, sign = values.measured(value)
        except BadValueError as wrong:
            raise item.bad(field, wrong.problem, wrong.remedy) from wrong
        tested = item.day("CD4TestDate") if variable == "cd4" else None
        fact = self._observe(item, variable, field, tested or day, key, on="CD4TestDate" if tested else "VisitDate")
        fact.value_numeric, fact.value_text = number, sign

    def _observe(
        self, item: Fields, variable: str, field: str, day: date, key: str, *, on: str = "VisitDate"
    ) -> ObservationFact:
        fact = ObservationFact(
            key=SEPARATOR.join((self._patient, variable, key)),
            patient=self._patient,
            facility=self._facility,
            labels=item.labels({"obs_datetime": on, "value_numeric": field, "value_coded": field}),
            voided=self._voided,
            obs_datetime=whole_day(day),
            variable_name=variable,
        )
        self._add(fact)
        return fact

    def _regimen(self, item: Fields) -> None:
        kind = item.text("PrescribedRegimenTypeCode")
        if kind is not None and fold(kind) not in self._terms.antiretroviral:
            return
        dispensed = each_of(self._bad, item.day, "PrescribedRegimenDispensedDate")
        day = dispensed or self._contact_day(item, self._visits.get(item.text("VisitID") or ""))
        drugs = item.record("PrescribedRegimen")
        regimen = drugs.text("CodeDescTxt", "Code") or item.text("PrescribedRegimen")
        line = item.text("PrescribedRegimenLineCode")
        before = len(self._bad)
        supply = each_of(self._bad, item.days, "PrescribedRegimenDuration")
        key = item.text("VisitID") or day.isoformat()
        self._add(
            DispensationFact(
                key=SEPARATOR.join((self._patient, "regimen", key, regimen or "")),
                patient=self._patient,
                facility=self._facility,
                labels=item.labels(
                    {
                        "date_dispensed": "PrescribedRegimenDispensedDate" if dispensed else "VisitDate",
                        "days_supplied": "PrescribedRegimenDuration",
                    }
                ),
                voided=self._voided,
                date_dispensed=day,
                days_supplied=supply,
                regimen=regimen,
                regimen_line=line,
                dsd_model=item.text("DifferentiatedServiceDelivery", "Dispensing"),
                antiretroviral=is_antiretroviral(regimen, line),
                supply_unread=len(self._bad) > before,
            )
        )

    def _result(self, report: Fields, item: Fields) -> None:
        test = item.record("LaboratoryResultedTest")
        names = [test.text("Code"), test.text("CodeDescTxt")]
        variable = next(
            (variable_of_name for name in names if name and (variable_of_name := self._terms.tests.get(fold(name)))),
            None,
        )
        if variable is None:
            return
        for on in ("CollectionDate", "VisitDate"):
            if (day := report.day(on)) is not None:
                break
        else:
            on, day = _below(report, item, "OrderedTestDate"), item.needed_moment("OrderedTestDate").date()
        answer = item.record("LaboratoryResult")
        numeric = answer.record("AnswerNumeric")
        place, name, value = numeric, *numeric.raw("Value1")
        if value is None:
            place, name, value = answer, *answer.raw("AnswerText", "AnswerNumeric")
        sample = report.text("LaboratoryTestIdentifier") or report.text("VisitID") or day.isoformat()
        fact = ObservationFact(
            key=SEPARATOR.join((self._patient, "lab", variable, sample, day.isoformat())),
            patient=self._patient,
            facility=self._facility,
            labels=report.labels({"obs_datetime": on, "value_numeric": _below(report, place, name)}),
            voided=self._voided,
            obs_datetime=whole_day(day),
            variable_name=variable,
        )
        if value is not None:
            try:
                fact.value_numeric, fact.value_text = values.measured(value)
            except BadValueError as wrong:
                if place is numeric:
                    raise place.bad(name, wrong.problem, wrong.remedy) from wrong
                fact.value_text = text(value)
        compared = numeric.text("ComparatorCode")
        fact.value_text = compared if compared in ("<", ">") else fact.value_text
        self._add(fact)

    def _add(self, fact: Fact) -> None:
        """Add a fact. If a message has an event several times with different values, their order distinguishes them."""
        key, count = fact.key, 1
        while (fact.kind, fact.key) in self._facts_by_key:
            before = self._facts_by_key[fact.kind, fact.key]
            if _same(before, fact):
                return
            count += 1
            fact.key = f"{key}#{count}"
        self._facts_by_key[fact.kind, fact.key] = fact
        self._reading.facts.append(fact)


def _below(record: Fields, inner: Fields, name: str) -> str:
    """The path of a field of an inner record, in the form of the outer record's labels."""
    return f"{inner.path.removeprefix(f'{record.path}.')}.{name}"


def _same(first: Fact, second: Fact) -> bool:
    """Whether two facts are equal, apart from their places in the message."""
    labels, second.labels = second.labels, first.labels
    try:
        return first == second
    finally:
        second.labels = labels


_LISTS = frozenset(
    {"Condition", "HIVEncounter", "Regimen", "LaboratoryReport", "LaboratoryOrderAndResult", "Identifier"}
)


def single(content: dict[str, Any]) -> dict[str, Any]:
    """The tree with single elements instead of lists of one; elements that may repeat stay lists."""
    tree: dict[str, Any] = {}
    for name, items in content.items():
        inner = [single(item) if isinstance(item, dict) else item for item in items]
        tree[name] = [item for item in inner if item != ""] if name in _LISTS else inner[0]
    return tree
