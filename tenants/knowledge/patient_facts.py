"""What a question may say of one patient: a few facts in coarse words, resolved from the records inside the house.

No name, identifier, date or exact figure is among them, so that the words may stand in a question that leaves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from core import audit
from core.clock import today
from core.errors import FieldError, Invalid
from tenants.cohort.load import load_timelines
from tenants.cohort.timelines import NO_DAY, VARIABLE_CODES, day_number, snapshot
from tenants.records.service import patient_named

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from core.database import TenantSession
    from tenants.cohort.timelines import Timelines

READ: Final = "api:knowledge_facts:read"
_TO_NAME: Final = "Send the id of a patient on record: POST /v1/patients/search finds it."
DAYS_OF_YEAR: Final = 365.25
DAYS_OF_MONTH: Final = 30.44
SUPPRESSED: Final = 1000
"""Copies per mL below which a viral load is suppressed."""
UNDETECTABLE: Final = 50
RECENT_DAYS: Final = 730
"""Older viral loads are not mentioned."""

_AGES: Final = ((5, "under_5"), (10, "5_to_9"), (15, "10_to_14"), (20, "15_to_19"), (50, "adult"), (200, "50_and_over"))
_REGIMENS: Final = (
    ("dolutegravir", ("dtg", "dolutegravir", "tld")),
    ("efavirenz", ("efv", "efavirenz", "tle")),
    ("nevirapine", ("nvp", "nevirapine")),
    ("protease_inhibitor", ("lpv", "lopinavir", "atv", "atazanavir", "drv", "darunavir")),
)
"""Class of a regimen -> what its text contains. The text itself is the source's, and never leaves."""


@dataclass(frozen=True, slots=True)
class PatientFacts:
    """The facts of one patient on a day.

    Attributes:
        days_since_contact: since the last visit or pick-up; None if there is none.
        regimen: ``dolutegravir``, ``efavirenz``, ``nevirapine`` or ``protease_inhibitor``; None if another, or unknown.
        viral_load: ``undetectable``, ``low``, ``unsuppressed``; None if there is none of the last two years.
        age_group: such as ``15_to_19``; None if the birth date is not recorded.
        pregnancy: ``pregnant``, ``breastfeeding`` or None.
    """

    days_since_contact: int | None = None
    regimen: str | None = None
    viral_load: str | None = None
    age_group: str | None = None
    pregnancy: str | None = None


def read_facts(session: TenantSession, patient: UUID) -> PatientFacts:
    """Return the facts of a patient today, as known now. The audit records that the guidelines were asked.

    Raises:
        Invalid: there is no such patient on record within reach.
    """
    facts = facts_today(session, patient)
    audit.record(session, READ, "patient", patient)
    return facts


def facts_today(session: TenantSession, patient: UUID) -> PatientFacts:
    """Return the facts of a patient today, as known now. The caller records the read of the patient.

    Raises:
        Invalid: there is no such patient on record within reach.
    """
    patient_named(session, patient)
    timelines = next(iter(load_timelines(session, patient_uuids=[patient])), None)
    if timelines is None or not len(timelines):
        raise Invalid("there is no such patient", errors=[FieldError("patient_id", "names no patient", _TO_NAME)])
    day = day_number(today(session.tenant.time_zone))
    return facts_of(snapshot(timelines, [0], day), day)


def facts_of(known: Timelines, day: int) -> PatientFacts:
    """Return the facts of the only patient of a snapshot."""
    contacts, observations = known.contacts, known.observations
    birth = int(known.profiles.birth[-1]) if len(known.profiles) else NO_DAY
    return PatientFacts(
        days_since_contact=day - int(contacts.date.max()) if len(contacts) else None,
        regimen=_regimen([known.regimens[code] for code in contacts.regimen.tolist() if code >= 0]),
        viral_load=_viral_load(_latest(known, "viral_load", day, RECENT_DAYS)),
        age_group=None if birth == NO_DAY else _age_group((day - birth) / DAYS_OF_YEAR),
        pregnancy={1.0: "pregnant", 2.0: "breastfeeding"}.get(_latest(known, "pregnancy", day, 300) or 0.0)
        if len(observations)
        else None,
    )


def _latest(known: Timelines, variable: str, day: int, days: int) -> float | None:
    """The newest value of a variable that is not older than ``days``; None if there is none."""
    rows = known.observations
    fits = (rows.variable == VARIABLE_CODES[variable]) & ~np.isnan(rows.value) & (rows.date >= day - days)
    return float(rows.value[fits][-1]) if fits.any() else None


def _regimen(texts: Sequence[str]) -> str | None:
    """The class of the newest regimen."""
    newest = texts[-1].lower() if texts else ""
    return next((name for name, parts in _REGIMENS if any(part in newest for part in parts)), None)


def _viral_load(copies: float | None) -> str | None:
    if copies is None:
        return None
    if copies < UNDETECTABLE:
        return "undetectable"
    return "low" if copies < SUPPRESSED else "unsuppressed"


def _age_group(years: float) -> str:
    return next(name for below, name in _AGES if years < below)


_WORDS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "days": "last contact {count} days ago",
        "months": "last contact {count} months ago",
        "dolutegravir": "on a regimen with dolutegravir",
        "efavirenz": "on a regimen with efavirenz",
        "nevirapine": "on a regimen with nevirapine",
        "protease_inhibitor": "on a regimen with a protease inhibitor",
        "undetectable": "viral load undetectable",
        "low": "viral load from 50 to 999 copies",
        "unsuppressed": "viral load unsuppressed",
        "under_5": "child under 5 years",
        "5_to_9": "child from 5 to 9 years",
        "10_to_14": "adolescent from 10 to 14 years",
        "15_to_19": "adolescent from 15 to 19 years",
        "adult": "adult",
        "50_and_over": "adult of 50 years or more",
        "pregnant": "pregnant",
        "breastfeeding": "breastfeeding",
    },
    "fr": {
        "days": "dernier contact il y a {count} jours",
        "months": "dernier contact il y a {count} mois",
        "dolutegravir": "sous un traitement avec dolutégravir",
        "efavirenz": "sous un traitement avec éfavirenz",
        "nevirapine": "sous un traitement avec névirapine",
        "protease_inhibitor": "sous un traitement avec un inhibiteur de protéase",
        "undetectable": "charge virale indétectable",
        "low": "charge virale de 50 à 999 copies",
        "unsuppressed": "charge virale non supprimée",
        "under_5": "enfant de moins de 5 ans",
        "5_to_9": "enfant de 5 à 9 ans",
        "10_to_14": "adolescent de 10 à 14 ans",
        "15_to_19": "adolescent de 15 à 19 ans",
        "adult": "adulte",
        "50_and_over": "adulte de 50 ans ou plus",
        "pregnant": "enceinte",
        "breastfeeding": "allaitante",
    },
    "pt": {
        "days": "último contacto há {count} dias",
        "months": "último contacto há {count} meses",
        "dolutegravir": "em tratamento com dolutegravir",
        "efavirenz": "em tratamento com efavirenz",
        "nevirapine": "em tratamento com nevirapina",
        "protease_inhibitor": "em tratamento com um inibidor da protease",
        "undetectable": "carga viral indetectável",
        "low": "carga viral de 50 a 999 cópias",
        "unsuppressed": "carga viral não suprimida",
        "under_5": "criança com menos de 5 anos",
        "5_to_9": "criança dos 5 aos 9 anos",
        "10_to_14": "adolescente dos 10 aos 14 anos",
        "15_to_19": "adolescente dos 15 aos 19 anos",
        "adult": "adulto",
        "50_and_over": "adulto de 50 anos ou mais",
        "pregnant": "grávida",
        "breastfeeding": "a amamentar",
    },
}
_QUESTIONS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "away_days": "What do our guidelines say for someone who comes back after {count} days?",
        "away_months": "What do our guidelines say for someone who comes back after {count} months?",
        "unsuppressed": "What do we do after an unsuppressed viral load?",
        "low": "What do we do with a viral load from 50 to 999 copies?",
        "efavirenz": "Which regimen does a person on efavirenz restart with?",
        "pregnancy": "How often is the viral load measured in pregnancy and breastfeeding?",
        "young": "How often is the viral load of children and adolescents measured?",
    },
    "fr": {
        "away_days": "Que disent nos guides pour une personne qui revient après {count} jours ?",
        "away_months": "Que disent nos guides pour une personne qui revient après {count} mois ?",
        "unsuppressed": "Que faire après une charge virale non supprimée ?",
        "low": "Que faire avec une charge virale de 50 à 999 copies ?",
        "efavirenz": "Avec quel traitement reprend une personne sous éfavirenz ?",
        "pregnancy": "À quel rythme mesurer la charge virale pendant la grossesse et l'allaitement ?",
        "young": "À quel rythme mesurer la charge virale des enfants et des adolescents ?",
    },
    "pt": {
        "away_days": "O que dizem as nossas normas para quem volta depois de {count} dias?",
        "away_months": "O que dizem as nossas normas para quem volta depois de {count} meses?",
        "unsuppressed": "O que fazer depois de uma carga viral não suprimida?",
        "low": "O que fazer com uma carga viral de 50 a 999 cópias?",
        "efavirenz": "Com que regime recomeça uma pessoa em efavirenz?",
        "pregnancy": "Com que frequência se mede a carga viral na gravidez e na amamentação?",
        "young": "Com que frequência se mede a carga viral de crianças e adolescentes?",
    },
}
_AWAY_DAYS: Final = 28
"""Days since the last contact from which coming back is a question."""
_FEWEST_MONTHS_DAYS: Final = 61
"""Days from which they are counted in months."""


def words_of_facts(facts: PatientFacts, language: str) -> list[str]:
    """Return the facts in words, for a question in a language; English where the language has none."""
    words = _WORDS.get(language, _WORDS["en"])
    keys = [facts.age_group, facts.pregnancy, facts.regimen, facts.viral_load]
    phrases = [words[key] for key in keys if key is not None]
    if facts.days_since_contact is not None:
        unit, count = _span(facts.days_since_contact)
        phrases.insert(0, words[unit].format(count=count))
    return phrases


def suggested_questions(facts: PatientFacts, language: str) -> list[str]:
    """Return questions that the facts suggest, for the patient's page; the most urgent first."""
    texts = _QUESTIONS.get(language, _QUESTIONS["en"])
    questions: list[str] = []
    if facts.days_since_contact is not None and facts.days_since_contact > _AWAY_DAYS:
        unit, count = _span(facts.days_since_contact)
        questions.append(texts[f"away_{unit}"].format(count=count))
    keys = [facts.viral_load, facts.regimen, "pregnancy" if facts.pregnancy else None]
    questions += [texts[key] for key in keys if key in texts]
    if facts.age_group in ("under_5", "5_to_9", "10_to_14", "15_to_19"):
        questions.append(texts["young"])
    return questions


def _span(days: int) -> tuple[str, int]:
    """Days in a coarse unit: whole weeks in days below two months, then months."""
    if days >= _FEWEST_MONTHS_DAYS:
        return "months", round(days / DAYS_OF_MONTH)
    return "days", days if days <= _AWAY_DAYS else round(days / 7) * 7
