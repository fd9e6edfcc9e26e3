"""Which drugs count as treatment."""

from __future__ import annotations

import pytest

from tenants.imports.formats.drugs import is_antiretroviral


@pytest.mark.parametrize(
    ("regimen", "line"),
    [
        ("TDF(300mg)+3TC(300mg)+DTG(50mg)", "Adult 1st Line"),
        ("TLD", None),
        ("ABC/3TC/LPV/r", None),
        ("Dolutegravir 50 mg", "Cotrimoxazole (CTX) Prophylaxis"),
        ("TDF-3TC-EFV + Isoniazid", None),
        (None, "Adult 2nd Line"),
        (None, None),
        ("1a", "Adult first line"),
        ("TDF/3TC/DTG", "Adult 1st Line (HIV/HBV co-infection)"),
        ("TDF/3TC/DTG", "PMTCT"),
        ("TDF/3TC/DTG", "ARV, prophylaxis (CTX)"),
        ("TDF+3TC+DTG", "1ère ligne adulte"),
    ],
)
def test_antiretrovirals_are_known_by_drug_or_line(regimen: str | None, line: str | None) -> None:
    assert is_antiretroviral(regimen, line)


@pytest.mark.parametrize(
    ("regimen", "line"),
    [
        ("Isoniazid-(INH) 300mg", "Isoniazid Preventive Therapy (IPT)"),
        ("Isoniazid 300mg", "Adult 1st Line"),
        ("Cotrimoxazole 960mg", "Cotrimoxazole (CTX) Prophylaxis"),
        ("Co-trimoxazole", None),
        (None, "TB Preventive Therapy (TPT)"),
        ("3HP", None),
        ("RHZE", None),
    ],
)
def test_other_drugs_are_none_whatever_their_line(regimen: str | None, line: str | None) -> None:
    assert not is_antiretroviral(regimen, line)


@pytest.mark.parametrize(
    ("regimen", "line"),
    [
        ("TDF/3TC", "PrEP"),
        ("TDF(300mg)+FTC(200mg)", "Pre-exposure Prophylaxis (PrEP)"),
        ("CAB-LA", "PrEP"),
        ("TDF/3TC/DTG", "PEP"),
        ("TDF/3TC/DTG", "ART Post Exposure Prophylaxis"),
        ("TDF/3TC", "Prophylaxie pré-exposition"),
        ("TDF/3TC/DTG", "Profilaxia pós-exposição"),
        ("PrEP - TDF/FTC", None),
        ("PrEP - TDF/FTC", "Adult 1st Line"),
        ("NVP syrup", "Infant ARV Prophylaxis"),
        ("Tenofovir", "Hepatitis B"),
        ("TDF 300mg", "Hépatite B"),
        ("Tenofovir (HBV)", None),
    ],
)
def test_antiretrovirals_for_another_purpose_are_no_treatment(regimen: str, line: str | None) -> None:
    assert not is_antiretroviral(regimen, line)
    assert not is_antiretroviral(regimen, line, unknown=False)


def test_an_unknown_drug_follows_the_kind_of_list() -> None:
    assert is_antiretroviral("Blue tablets")
    assert not is_antiretroviral("Cough syrup", unknown=False)
    assert is_antiretroviral("Blue tablets", "Adult 1st Line", unknown=False)
