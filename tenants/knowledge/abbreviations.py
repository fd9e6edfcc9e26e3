"""What the field's abbreviations stand for: guidelines write the words out, people who ask do not."""

from __future__ import annotations

import re
from typing import Final

WRITTEN_OUT: Final[dict[str, dict[str, str]]] = {
    "en": {
        "3hp": "tuberculosis preventive treatment",
        "abc": "abacavir",
        "ahd": "advanced HIV disease",
        "art": "antiretroviral treatment",
        "arv": "antiretroviral",
        "arvs": "antiretrovirals",
        "crag": "cryptococcal antigen",
        "ctx": "co-trimoxazole",
        "cotrimoxazole": "co-trimoxazole",
        "dbs": "dried blood spots",
        "dsd": "differentiated service delivery",
        "dtg": "dolutegravir",
        "eac": "enhanced adherence counselling",
        "efv": "efavirenz",
        "iit": "interruption of treatment",
        "inh": "isoniazid",
        "ipt": "isoniazid preventive treatment",
        "ltfu": "lost to follow-up",
        "lp": "lumbar puncture",
        "mmd": "multi-month dispensing refills",
        "pmtct": "prevention of mother-to-child transmission",
        "pi": "protease inhibitor",
        "sms": "message to the phone",
        "tb": "tuberculosis",
        "tbm": "tuberculous meningitis",
        "tld": "tenofovir lamivudine dolutegravir",
        "tpt": "tuberculosis preventive treatment",
        "u=u": "undetectable means untransmittable",
        "vl": "viral load",
    },
    "fr": {
        "aes": "accident d'exposition au sang",
        "arv": "antirétroviraux",
        "crag": "antigène cryptococcique",
        "ctx": "cotrimoxazole",
        "cv": "charge virale",
        "dbs": "sang séché sur papier",
        "dtg": "dolutégravir",
        "efv": "éfavirenz",
        "pdv": "perdu de vue",
        "pl": "ponction lombaire",
        "ptme": "prévention de la transmission de la mère à l'enfant",
        "sms": "message sur le téléphone",
        "tar": "traitement antirétroviral",
        "tb": "tuberculose",
        "tld": "ténofovir lamivudine dolutégravir",
        "tpt": "traitement préventif de la tuberculose",
    },
    "pt": {
        "arv": "antirretroviral",
        "arvs": "antirretrovirais",
        "ctz": "cotrimoxazol",
        "cv": "carga viral",
        "dtg": "dolutegravir",
        "efv": "efavirenz",
        "ptv": "prevenção da transmissão vertical",
        "sms": "mensagem no telefone",
        "tarv": "tratamento antirretroviral",
        "tb": "tuberculose",
        "tpt": "tratamento preventivo da tuberculose",
    },
}
"""By language, in lower case."""

_WORD = re.compile(r"[\w=]+")


def written_out(question: str, language: str) -> str:
    """Return a question with what its abbreviations stand for behind it."""
    known = WRITTEN_OUT.get(language, {})
    added = dict.fromkeys(known[word] for word in _WORD.findall(question.lower()) if word in known)
    return f"{question} ({', '.join(added)})" if added else question
