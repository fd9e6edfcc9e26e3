"""Notes on how the import understood rows, for readers of the report: people by the meaning of their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import counted_phrase
from core.web.texts import marked_forms
from tenants.imports.slots import SLOTS

if TYPE_CHECKING:
    from collections.abc import Iterable

_STATE, _DAY = SLOTS["patient_states"]["state"], SLOTS["patient_states"]["start_date"]
_ANTIRETROVIRAL = SLOTS["dispensations"]["antiretroviral"]

MEANINGS = {
    "died": marked_forms(
        "{count} person is dead on a day that the list does not give: dead from the data date",
        "{count} people are dead on a day that the list does not give: dead from the data date",
    ),
    "transferred_out": marked_forms(
        "{count} person is transferred out on a day that the list does not give: gone from the data date",
        "{count} people are transferred out on a day that the list does not give: gone from the data date",
    ),
    "stopped": marked_forms(
        "{count} person stopped treatment on a day that the list does not give: stopped from the data date",
        "{count} people stopped treatment on a day that the list does not give: stopped from the data date",
    ),
    "invalid": marked_forms(
        "{count} person is invalid in the partner's own list (such as a duplicate): not on treatment, not on any list",
        "{count} people are invalid in the partner's own list (such as a duplicate): not on treatment, not on any list",
    ),
    "unread": marked_forms(
        "{count} person is listed with a contact whose day or supply is missing or cannot be read: theirs is the"
        " status, else unknown, until a later contact or a corrected cell",
        "{count} people are listed with a contact whose day or supply is missing or cannot be read: theirs is the"
        " status, else unknown, until a later contact or a corrected cell",
    ),
    "seen_dead": marked_forms(
        "{count} person is listed with a contact after the day of their death: the death holds until the source takes"
        " it back; find out which of the two is right",
        "{count} people are listed with a contact after the day of their death: the death holds until the source"
        " takes it back; find out which of the two is right",
    ),
    "sex_changed": marked_forms(
        "{count} person is listed with another sex than before: the newer list holds; check for a mix-up",
        "{count} people are listed with another sex than before: the newer list holds; check for a mix-up",
    ),
    "other_drugs": marked_forms(
        "{count} person is listed with pick-ups of drugs other than antiretrovirals: kept, but no supply and no"
        " contact",
        "{count} people are listed with pick-ups of drugs other than antiretrovirals: kept, but no supply and no"
        " contact",
    ),
}
"""Meaning -> sentence for one person, and for several."""

_MEANING = f"""
CASE WHEN kind = 'unread_contacts' THEN 'unread'
     WHEN kind = 'dispensations' AND NOT {_ANTIRETROVIRAL} THEN 'other_drugs'
     WHEN kind = 'patient_states' AND {_STATE} = 'invalid' THEN 'invalid'
     WHEN kind = 'patient_states' AND {_DAY} IS NULL THEN {_STATE} END
"""
HAS_MEANING = f"state = 'accepted' AND NOT voided AND ({_MEANING}) IS NOT NULL"
"""The condition on a staged row for which ``COUNT_MEANINGS`` counts the person; few imports have such a row."""

COUNT_MEANINGS = f"""
SELECT {_MEANING} AS meaning, count(DISTINCT patient_key) FROM import_staging
WHERE import_uuid = %(import)s AND {HAS_MEANING} GROUP BY meaning
"""  # noqa: S608 - constants of the room's own
"""People by meaning; people without any of these meanings are not counted."""

IS_DEATH = f"kind = 'patient_states' AND state = 'accepted' AND NOT voided AND {_STATE} = 'died'"
"""The condition on a staged row that records a death."""

# Most imports have no death in them (``died``) or before them: then no row is read. A list that has a person's status
# says itself whether a death on record still holds.
COUNT_SEEN_DEAD = f"""
WITH deaths AS (
    SELECT patient_key, event_date AS day FROM import_staging WHERE import_uuid = %(import)s AND {IS_DEATH}
    UNION ALL
    SELECT p.source_key, e.start_date FROM patient_states AS e
    JOIN patients AS p ON p.uuid = e.patient_uuid AND p.known_to IS NULL AND NOT p.voided
    WHERE p.source = %(source)s AND e.state = 'died' AND e.known_to IS NULL AND NOT e.voided
      AND p.source_key NOT IN (
        SELECT patient_key FROM import_staging WHERE import_uuid = %(import)s AND kind = 'snapshots'
      )
)
SELECT 'seen_dead', people FROM (
    SELECT count(DISTINCT c.patient_key) AS people FROM import_staging AS c
    JOIN deaths AS d ON d.patient_key = c.patient_key AND c.event_date > d.day
    WHERE (%(died)s OR EXISTS (SELECT FROM patient_states AS e WHERE e.state = 'died' AND e.known_to IS NULL))
      AND c.import_uuid = %(import)s AND c.state = 'accepted' AND NOT c.voided
      AND (c.kind = 'visits' OR (c.kind = 'dispensations' AND c.{_ANTIRETROVIRAL}))
) AS seen WHERE people > 0
"""  # noqa: S608 - constants of the room's own
"""People with a contact after their death, as a meaning."""

COUNT_SEX_CHANGED = """
SELECT 'sex_changed', people FROM (
    SELECT count(*) AS people FROM import_staging AS s
    JOIN patients AS p ON p.source_key = s.source_key AND p.source = %(source)s AND p.datim_id = s.facility
    WHERE s.import_uuid = %(import)s AND s.kind = 'patients' AND s.state = 'accepted' AND NOT s.voided
      AND p.known_to IS NULL AND NOT p.voided
      AND p.sex <> convert_from(s.content, 'UTF8')::json ->> 'sex'
) AS changed WHERE people > 0
"""
"""People whose sex differs from the known one, as a meaning; no row if there are none."""


def sentences(counts: Iterable[tuple[str, int]]) -> list[str]:
    """One sentence for each meaning that occurs, in the order of ``MEANINGS``.

    Args:
        counts: people by meaning, from ``COUNT_MEANINGS``, ``COUNT_SEEN_DEAD`` and ``COUNT_SEX_CHANGED``.
    """
    people = dict(counts)
    return [counted_phrase(one, many, people[name]) for name, (one, many) in MEANINGS.items() if name in people]
