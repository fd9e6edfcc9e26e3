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


def test_what_nobody_knows_follows_the_kind_of_list() -> None:
    assert is_antiretroviral("Blue tablets")
    assert not is_antiretroviral("Cough syrup", unknown=False)
    assert is_antiretroviral("Blue tablets", "Adult 1st Line", unknown=False)
