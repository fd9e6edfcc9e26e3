"""Documents of people who exist nowhere, in the exact shapes of NMRS containers, FHIR R4 and NDR messages."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

Record = dict[str, Any]
CIEL = "A" * 32


def zipped(path: Path, members: Mapping[str, bytes | str]) -> Path:
    """An archive of these members, in their order."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def inner_zip() -> bytes:
    """An archive, to be put into another."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("inner.json", "{}")
    return buffer.getvalue()


# NMRS containers


def obs(encounter: str, when: str, value: object, **more: object) -> Record:
    """One observation; ``more`` has ``conceptId`` or ``variableName`` and may have ``voided``."""
    kind = "valueNumeric" if isinstance(value, int | float) else "valueText"
    return {"obsDatetime": when, "encounterUuid": encounter, kind: value, "voided": 0, **more}


def container(person: int = 1, *, datim_id: str = "dat1", **demographics: object) -> Record:
    """A patient with two pick-ups, a care visit, a viral load, and an appointment for each."""
    first, second = "2024-01-10 09:30:00", "2024-04-09 10:00:00"
    pharmacy, later, care = (f"e{person}-{number}" for number in (1, 2, 3))
    return {
        "messageHeader": {
            "facilityDatimCode": datim_id,
            "facilityName": f"Clinic {datim_id}",
            "facilityState": "State",
            "facilityLga": "Area",
            "messageCreationDateTime": "2024-06-30 12:00:00",
        },
        "messageData": {
            "demographics": {
                "patientUuid": f"patient-{person}",
                "birthdate": "1988-02-03 00:00:00",
                "gender": "F",
                "stateProvince": "State",
                "cityVillage": "Town",
                "phoneNumber": "08030000001",
                "voided": 0,
                **demographics,
            },
            "patientIdentifiers": [
                {"identifier": f"PEP-{person}", "identifierType": 4, "voided": 0},
                {"identifier": f"H-{person}", "identifierType": 5, "voided": 0},
            ],
            "visits": [
                {"visitUuid": f"v{person}-1", "dateStarted": first, "visitType": "Facility Visit", "voided": 0},
                {"visitUuid": f"v{person}-2", "dateStarted": second, "visitType": "Facility Visit", "voided": 0},
            ],
            "encounters": [
                {
                    "encounterUuid": pharmacy,
                    "encounterDatetime": first,
                    "encounterType": "Pharmacy",
                    "pmmForm": "Pharmacy Order Form",
                    "voided": 0,
                },
                {
                    "encounterUuid": later,
                    "encounterDatetime": second,
                    "encounterType": "Pharmacy",
                    "pmmForm": "Pharmacy Order Form",
                    "voided": 0,
                },
                {
                    "encounterUuid": care,
                    "encounterDatetime": second,
                    "encounterType": "Care Card",
                    "pmmForm": "Care Card",
                    "voided": 0,
                },
            ],
            "obs": [
                obs(pharmacy, first, "2024-01-10", conceptId=159599),
                obs(pharmacy, first, 90, variableName="Medication duration"),
                obs(pharmacy, first, "TDF/3TC/DTG", conceptId=164506),
                obs(pharmacy, first, "2024-04-09", conceptId=5096),
                obs(later, second, 90, conceptId=159368),
                obs(later, second, "TDF/3TC/DTG", conceptId=164506),
                obs(later, second, "2024-07-08", variableName="Next Appointment Date"),
                obs(care, second, "2024-07-08", conceptId=5096),
                obs(care, second, 40, conceptId=856),
                obs(care, second, 61.5, variableName="Weight"),
                obs(care, second, "Good", conceptId=165290),
            ],
        },
    }


# FHIR R4


def patient(person: int = 1, **more: object) -> Record:
    """A Patient as OpenMRS serves it."""
    return {
        "resourceType": "Patient",
        "id": f"patient-{person}",
        "meta": {"lastUpdated": "2024-01-10T10:00:00.000+01:00"},
        "identifier": [
            {
                "id": f"identifier-{person}",
                "extension": [
                    {
                        "url": "http://fhir.openmrs.org/ext/patient/identifier#location",
                        "valueReference": {"reference": "Location/loc1", "type": "Location", "display": "Clinic one"},
                    }
                ],
                "use": "official",
                "type": {"coding": [{"code": f"type-{CIEL}"}], "text": "PEPFAR ID"},
                "value": f"PEP-{person}",
            },
            {"use": "usual", "type": {"text": "Hospital ID"}, "value": f"H-{person}"},
        ],
        "active": True,
        "name": [{"id": "n", "family": "Familyname", "given": ["Givenname", "Aaa"]}],
        "telecom": [{"system": "phone", "value": "08030000001", "use": "mobile"}],
        "gender": "female",
        "birthDate": "1988-02-03",
        "deceasedBoolean": False,
        "address": [{"use": "home", "city": "Town", "district": "Area", "state": "State"}],
        **more,
    }


def location() -> Record:
    """The Location that the patients' identifiers name."""
    return {
        "resourceType": "Location",
        "id": "loc1",
        "status": "active",
        "name": "Clinic one",
        "identifier": [{"type": {"text": "DATIM ID"}, "value": "dat1"}],
        "address": {"state": "State", "district": "Area"},
    }


def encounter(person: int = 1, day: str = "2024-01-10", *, tag: str = "visit", **more: object) -> Record:
    """A visit (or an encounter in one) as OpenMRS serves it."""
    return {
        "resourceType": "Encounter",
        "id": f"{tag}-{person}-{day}",
        "meta": {
            "lastUpdated": f"{day}T10:00:00.000+01:00",
            "tag": [{"system": "http://fhir.openmrs.org/ext/encounter-tag", "code": tag, "display": tag.title()}],
        },
        "status": "unknown",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "type": [{"coding": [{"system": "http://fhir.openmrs.org/code-system/visit-type", "display": "Clinic Visit"}]}],
        "subject": {"reference": f"Patient/patient-{person}", "type": "Patient"},
        "period": {"start": f"{day}T09:00:00+01:00", "end": f"{day}T11:00:00+01:00"},
        "location": [{"location": {"reference": "Location/loc1", "type": "Location", "display": "Clinic one"}}],
        **({"partOf": {"reference": f"Encounter/visit-{person}-{day}"}} if tag == "encounter" else {}),
        **more,
    }


def observation(person: int, concept: int, day: str, value: Record, **more: object) -> Record:
    """An Observation as OpenMRS codes it: the concept's UUID, and its number in CIEL."""
    return {
        "resourceType": "Observation",
        "id": f"obs-{person}-{concept}-{day}",
        "meta": {"lastUpdated": f"{day}T10:00:00.000+01:00"},
        "status": "final",
        "code": {
            "coding": [
                {"code": str(concept).ljust(36, "A"), "display": "A question"},
                {"system": "https://cielterminology.org", "code": str(concept)},
            ],
            "text": "A question",
        },
        "subject": {"reference": f"Patient/patient-{person}", "type": "Patient"},
        "encounter": {"reference": f"Encounter/encounter-{person}-{day}"},
        "effectiveDateTime": f"{day}T09:30:00+01:00",
        **value,
        **more,
    }


def dispense(person: int = 1, day: str = "2024-01-10", **more: object) -> Record:
    """A MedicationDispense of ninety days."""
    return {
        "resourceType": "MedicationDispense",
        "id": f"dispense-{person}-{day}",
        "meta": {"lastUpdated": f"{day}T10:00:00.000+01:00"},
        "status": "completed",
        "medicationCodeableConcept": {"coding": [{"code": "tld"}], "text": "TDF/3TC/DTG"},
        "subject": {"reference": f"Patient/patient-{person}", "type": "Patient"},
        "quantity": {"value": 90, "unit": "Tablet"},
        "daysSupply": {"value": 90, "code": "d", "system": "http://unitsofmeasure.org"},
        "whenHandedOver": f"{day}T09:45:00+01:00",
        **more,
    }


def resources(person: int = 1) -> list[Record]:
    """A patient with a visit, a pick-up, an appointment, a viral load and the start of treatment."""
    day = "2024-01-10"
    return [
        patient(person),
        encounter(person, day),
        encounter(person, day, tag="encounter"),
        observation(person, 159599, day, {"valueDateTime": "2024-01-10"}),
        observation(person, 5096, day, {"valueDateTime": "2024-04-09T00:00:00+01:00"}),
        observation(person, 856, day, {"valueQuantity": {"value": 40, "unit": "copies/mL", "comparator": "<"}}),
        observation(person, 5089, day, {"valueQuantity": {"value": 61.5, "code": "kg"}}),
        dispense(person, day),
    ]


def bundle(content: Sequence[Record], kind: str = "collection") -> Record:
    """A Bundle of these resources."""
    return {
        "resourceType": "Bundle",
        "type": kind,
        "entry": [
            {"fullUrl": f"https://emr.example/fhir2/R4/{one['resourceType']}/{one['id']}", "resource": one}
            for one in content
        ],
    }


def ndjson(content: Sequence[Record]) -> str:
    """The resources as bulk exports write them."""
    return "".join(json.dumps(one) + "\n" for one in content)


# NDR messages


def message(person: int = 1, *, questions: str = "", more: str = "", status: str = "INITIAL", head: str = "") -> str:
    """A message with two visits, two regimens and a viral load."""
    visit = """
        <HIVEncounter><VisitID>{p}-{n}</VisitID><VisitDate>{day}</VisitDate><Weight>61</Weight>
          <ARVDrugAdherence>G</ARVDrugAdherence><CD4>350</CD4><CD4TestDate>{day}</CD4TestDate>
          <NextAppointmentDate>{due}</NextAppointmentDate></HIVEncounter>"""
    regimen = """
      <Regimen><VisitID>{p}-{n}</VisitID><VisitDate>{day}</VisitDate>
        <PrescribedRegimen><Code>1m</Code><CodeDescTxt>TDF/3TC/DTG</CodeDescTxt></PrescribedRegimen>
        <PrescribedRegimenTypeCode>ART</PrescribedRegimenTypeCode>
        <PrescribedRegimenLineCode>10</PrescribedRegimenLineCode>
        <PrescribedRegimenDuration>90</PrescribedRegimenDuration>
        <PrescribedRegimenDispensedDate>{day}</PrescribedRegimenDispensedDate>
        <DifferentiatedServiceDelivery>Facility</DifferentiatedServiceDelivery></Regimen>"""
    days = [("2024-01-10", "2024-04-09"), ("2024-04-09", "2024-07-08")]
    visits, regimens = (
        "".join(shape.format(p=person, n=number, day=day, due=due) for number, (day, due) in enumerate(days))
        for shape in (visit, regimen)
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>{head}
<Container>
  <MessageHeader>
    <MessageStatusCode>{status}</MessageStatusCode>
    <MessageCreationDateTime>2024-06-30T12:00:00</MessageCreationDateTime>
    <MessageSchemaVersion>1.6.6.1</MessageSchemaVersion>
    <MessageUniqueID>message-{person}</MessageUniqueID>
    <MessageSendingOrganization><FacilityName>Partner</FacilityName><FacilityID>partner</FacilityID>
      <FacilityTypeCode>IP</FacilityTypeCode></MessageSendingOrganization>
  </MessageHeader>
  <IndividualReport>
    <PatientDemographics>
      <PatientIdentifier>dat1_H-{person}</PatientIdentifier>
      <TreatmentFacility><FacilityName>Clinic one</FacilityName><FacilityID>dat1</FacilityID>
        <FacilityTypeCode>FAC</FacilityTypeCode></TreatmentFacility>
      <OtherPatientIdentifiers><Identifier><IDNumber>PEP-{person}</IDNumber><IDTypeCode>PI</IDTypeCode></Identifier>
      </OtherPatientIdentifiers>
      <PatientDateOfBirth>1988-02-03</PatientDateOfBirth>
      <PatientSexCode>F</PatientSexCode>
      <FingerPrints><rightHand><RightThumb>{"A" * 100}</RightThumb></rightHand></FingerPrints>
    </PatientDemographics>
    <Condition>
      <ConditionCode>86406008</ConditionCode>
      <PatientAddress><Town>Town</Town><LGACode>Area</LGACode><StateCode>State</StateCode></PatientAddress>
      <CommonQuestions><HospitalNumber>H-{person}</HospitalNumber></CommonQuestions>
      <ConditionSpecificQuestions><HIVQuestions>
        <ARTStartDate>2024-01-10</ARTStartDate>{questions}</HIVQuestions></ConditionSpecificQuestions>
      <Encounters>{visits}</Encounters>
      <LaboratoryReport><VisitID>{person}-1</VisitID><VisitDate>2024-04-09</VisitDate>
        <CollectionDate>2024-04-09</CollectionDate><LaboratoryTestIdentifier>0000001</LaboratoryTestIdentifier>
        <LaboratoryOrderAndResult><OrderedTestDate>2024-04-09</OrderedTestDate>
          <LaboratoryResultedTest><Code>80</Code><CodeDescTxt>VIRAL LOAD</CodeDescTxt></LaboratoryResultedTest>
          <LaboratoryResult><AnswerNumeric><Value1>40</Value1></AnswerNumeric></LaboratoryResult>
          <ResultedTestDate>2024-04-20</ResultedTestDate></LaboratoryOrderAndResult></LaboratoryReport>{regimens}{more}
    </Condition>
  </IndividualReport>
</Container>
"""


# Files of each


DOCUMENTS_DAY = date(2024, 6, 30)


def nmrs_containers(folder: Path) -> list[Path]:
    """Two containers of two people."""
    paths = [folder / "1.json", folder / "2.json"]
    for person, path in enumerate(paths, start=1):
        path.write_text(json.dumps(container(person)), encoding="utf-8")
    return paths


def fhir_resources(folder: Path) -> list[Path]:
    """A Bundle of one person, and NDJSON of another."""
    paths = [folder / "1.json", folder / "2.ndjson"]
    paths[0].write_text(json.dumps(bundle([*resources(1), location()]), indent=1), encoding="utf-8")
    paths[1].write_text(ndjson(resources(2)), encoding="utf-8")
    return paths


def ndr_messages(folder: Path) -> list[Path]:
    """An archive of two messages."""
    return [zipped(folder / "all.zip", {f"{person}.xml": message(person) for person in (1, 2)})]
