"""Recognise antiretrovirals: only they count as a supply, and only their pick-up as a contact.

Pharmacy lists name everything that a visit dispensed. Isoniazid or co-trimoxazole for 180 days keeps nobody on
treatment, nor do antiretrovirals that prevent an infection (PrEP, PEP, infants' prophylaxis) or treat hepatitis B.
Names and abbreviations come from WHO's consolidated HIV guidelines (2021, annexes of dosing) and from the drug lists of
LAMIS+ and NMRS.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

ANTIRETROVIRALS = frozenset(
    {
        "3tc", "abacavir", "abc", "atazanavir", "atv", "azt", "bic", "bictegravir", "cab", "cabotegravir", "cobicistat",
        "d4t", "darunavir", "ddi", "didanosine", "dolutegravir", "doravirine", "drv", "dtg", "efavirenz", "efv",
        "emtricitabine", "etr", "etravirine", "etv", "ftc", "lamivudine", "lopinavir", "lpv", "maraviroc", "nevirapine",
        "nvp", "pald", "ral", "raltegravir", "rilpivirine", "ritonavir", "rpv", "rtv", "saquinavir", "stavudine", "taf",
        "tdf", "tenofovir", "tld", "tle", "zdv", "zidovudine",
    }
)  # fmt: skip
"""Words for an antiretroviral, or for a fixed combination of them."""

OTHERS = frozenset(
    {
        "3hp", "1hp", "3hr", "6h", "amoxicillin", "cotrimoxazole", "cpt", "ctx", "dapsone", "ethambutol", "fluconazole",
        "inh", "ipt", "iron", "isoniazid", "levofloxacin", "multivitamin", "multivitamins", "paracetamol",
        "prophylaxis", "pyrazinamide", "pyridoxine", "rhze", "rifampicin", "rifapentine", "septrin",
        "sulfamethoxazole", "tpt", "trimethoprim", "tuberculosis", "vitamin",
    }
)  # fmt: skip
"""Words for a drug or a purpose other than antiretroviral treatment."""

_LINE = re.compile(r"\b(first|second|third|1st|2nd|3rd)\b.*\bline\b|\bart\b|\barv\b")
_PREVENTION = re.compile(
    r"\b(?:o?prep|n?pep|ppre|ppe|hei)\b"
    r"|\b(?:pre|post?)\W*expo"
    r"|\b(?:infants?|neonat\w*|newborns?|nourrissons?|lactentes?)\b.*\bpro(?:ph|f)[iy]la"
    r"|\bpro(?:ph|f)[iy]la.*\b(?:infants?|neonat\w*|newborns?|nourrissons?|lactentes?)\b"
    r"|\barv[\s-]+pro(?:ph|f)[iy]la|\bpro(?:ph|f)[iy]la\w*\s+arv\b"
)
_HEPATITIS = re.compile(r"\bhepatit\w*|\bhep\W*b\b|\bhbv\b|\bvhb\b")
_OF_HIV = re.compile(r"\b(?:hiv|vih)\b")
_WORD = re.compile(r"[a-z0-9]+")
_HYPHENS = re.compile(r"(?<=co)-(?=trimoxazole|amoxiclav)")


@lru_cache(maxsize=65_536)
def is_antiretroviral(regimen: str | None, line: str | None = None, *, unknown: bool = True) -> bool:
    """Whether a dispensation has antiretrovirals for treatment.

    A purpose other than treatment of HIV decides first: ``TDF/3TC`` of the line ``PrEP`` is no treatment. Then the
    drugs decide; without a known drug, the line of treatment does. ``TDF+3TC+DTG`` is treatment, ``Isoniazid 300mg`` is
    not, whatever its line.

    Args:
        regimen: the drugs, as the source writes them.
        line: the line of treatment, or the purpose in that column.
        unknown: the answer if neither decides: a list of treatment pick-ups means antiretrovirals, a hospital's list of
            all drugs does not.
    """
    if _has_other_purpose(line) or _has_other_purpose(regimen):
        return False
    for text in (regimen, line):
        words = _words(text)
        if words & ANTIRETROVIRALS:
            return True
        if words & OTHERS:
            return False
    return unknown or bool(line and _LINE.search(line.casefold()))


def _has_other_purpose(text: str | None) -> bool:
    """Whether a text says that antiretrovirals prevent an infection, or treat hepatitis B alone."""
    if not text:
        return False
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    if _PREVENTION.search(plain):
        return True
    return bool(_HEPATITIS.search(plain) and not _OF_HIV.search(plain) and not _LINE.search(plain))


def _words(text: str | None) -> set[str]:
    return set(_WORD.findall(_HYPHENS.sub("", (text or "").casefold())))
