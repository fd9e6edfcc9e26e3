"""The error of a wrong mapping gives the path of the key, what is wrong, and what to do."""

from __future__ import annotations

from datetime import date

import pytest

from core.errors import Invalid
from tenants.imports.mapping import Mapping, parse_mapping

from .conftest import MAPPING


def test_a_valid_mapping_is_read() -> None:
    mapping = parse_mapping(MAPPING)
    assert [record.into for record in mapping.records] == ["patients", "patient_states", "dispensations"]


def test_yes_and_no_are_texts_and_numbers_become_cells() -> None:
    mapping = parse_mapping(
        "files: {a: {name: a.csv, where: {died: 1, active: true}}}\n"
        "facility: {datim_id: {constant: X}}\n"
        "records: [{into: appointments, file: a, patient: p, columns: {booked_on: b, due_date: d,"
        " status: {column: s, values: {No: kept, Yes: missed, 9: null}}}}]\n"
    )
    assert mapping.records[0].columns["status"].values == {"No": "kept", "Yes": "missed", "9": None}
    assert mapping.files["a"].where == {"died": 1, "active": True}


def test_an_unknown_key_has_the_nearest_one_beside_it_and_its_place_in_the_request():
    with pytest.raises(Invalid) as error:
        parse_mapping("data_dat: 2026-01-01\nfiles:\n  a: {nam: a.csv}\n", "body.mapping")
    remedies = {problem.field: problem.remedy for problem in error.value.errors}
    assert remedies["body.mapping.data_dat"] == "Send data_date, or leave it out."
    assert remedies["body.mapping.files.a.nam"] == "Send name, or leave it out."


@pytest.mark.parametrize(
    ("change", "field", "problem"),
    [
        (("source: csv:test", "sauce: csv:test"), "sauce", "this key is not known here"),
        (("source: csv:test", "people_first: false"), "people_first", "this key is not known here"),
        (("source: csv:test", "source: 'Test one'"), "source", "String should match pattern"),
        (("sex: sex", "gender: sex"), "records.0", "patients have no field 'gender'"),
        (("{date_dispensed: day, ", "{"), "records.2", "dispensations need the field 'date_dispensed'"),
        (("into: dispensations", "into: pickups"), "records.2.into", "Input should be"),
        (("file: pickups", "file: pick"), "mapping", "a record reads the file 'pick'"),
        (("    patient: id\n    columns: {date", "    columns: {date"), "records.2", "'patient' names the column"),
        (("sex: sex", "sex: {column: sex, constant: F}"), "records.0.columns.sex", "give exactly one of"),
        (("born,", "{age: age},"), "records.0.columns.birthdate", "'age' and 'at' go together"),
        (
            ("data_date: 2024-06-30", "data_date: {file: x, column: y}"),
            "mapping",
            "data_date.file: 'x' is not under 'files'",
        ),
        (("data_date: 2024-06-30", "data_date: soon"), "data_date", "Input should be a valid date"),
        (("    facility: {datim_id: clinic, name: clinic_name}\n", ""), "mapping", "patients need a facility"),
        (("days_supplied: days", "days_supplied: {column: days, unit: log10}"), "records.2", "takes no unit 'log10'"),
        (("phone: phone", "phone: {age: a, at: b}"), "records.0", "'phone' cannot be read from an age"),
        (("{present: true}", "{present: true, none_of: [1]}"), "records.1.when.died_on", "give either"),
    ],
)
def test_a_wrong_key_is_named_with_its_path_and_a_remedy(change: tuple[str, str], field: str, problem: str) -> None:
    assert change[0] in MAPPING
    with pytest.raises(Invalid) as caught:
        parse_mapping(MAPPING.replace(*change))
    errors = [error for error in caught.value.errors if error.field == field and problem in error.problem]
    assert errors, caught.value.errors
    assert errors[0].remedy


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [", "not readable YAML"),
        ("- 1\n- 2\n", "not a YAML mapping"),
        ("", "not a YAML mapping"),
        ("source: a\nsource: b\n", "given twice"),
        ("a: &x [1]\nb: *x\n", "aliases"),
        ("a: !!python/object/apply:os.system [ls]\n", "not readable YAML"),
        ("[a, b]: 1\n", "plain text"),
        ("x: " + "y" * (256 << 10), "over 256 KB"),
        ("data_date: 2026-02-30", "data_date: Input should be a valid date"),
        ("data_date: !!timestamp 2026-02-30", "data_date: Input should be a valid date"),
        ("cohort: {x: " + "9" * 5000 + "}", "not a number"),
        ("cohort: {x: 99999999999999999999}", "out of range"),
        ("cohort: {x: 1.0e+999}", "out of range"),
        ("cohort: {x: !!int '1:1'}", "not a number"),
        ("cohort: {x: !!int one}", "not a number"),
        ("cohort: " + "[" * 20_000, "nested more than"),
        ('cohort: {x: "\\ud800"}', "cannot be stored"),
        ('missing: ["\\0"]', "cannot be stored"),
        ("cohort: {x: !!bool one}", "not readable YAML"),
    ],
)
def test_a_text_that_is_no_mapping_is_rejected(text: str, problem: str) -> None:
    with pytest.raises(Invalid, match=problem):
        parse_mapping(text)


def test_dates_and_what_looks_like_an_hour_are_texts() -> None:
    mapping = parse_mapping("data_date: 2026-06-30\ncohort: {x: 1:30, y: 1:1.5, z: 12, f: 1.5, 2026-06-30: true}\n")
    assert mapping.data_date == date(2026, 6, 30)
    assert mapping.cohort == {"x": "1:30", "y": "1:1.5", "z": 12, "f": 1.5, "2026-06-30": True}


def test_a_mapping_that_is_not_utf8_is_rejected() -> None:
    with pytest.raises(Invalid, match="not UTF-8"):
        parse_mapping(b"source: caf\xe9\n")


def test_a_stored_mapping_is_the_same_again() -> None:
    mapping = parse_mapping(MAPPING)
    assert Mapping.model_validate(mapping.model_dump(mode="json", exclude_defaults=True)) == mapping
