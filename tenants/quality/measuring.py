"""The measures of all facilities at once: a few set-based statements, each over one table.

Every statement returns rows ``(facility_uuid, measure, numerator, denominator)`` from the records as known now. A
measure without data in a facility has denominator 0, or no row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from psycopg import sql

from tenants.quality import catalog

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from core.database import TenantSession

Shares = dict[str, tuple[int, int]]

# A temporary table of the facilities, their data date and the window, for all statements.
_PLACES = """
CREATE TEMPORARY TABLE measured_facilities ON COMMIT DROP AS
SELECT f.uuid, coalesce(f.data_date, %(today)s::date) AS data_date,
       coalesce(f.data_date, %(today)s::date) - %(window)s AS since, f.complete_through,
       (SELECT min(c.contact_date) FROM contacts AS c
        WHERE c.facility_uuid = f.uuid AND c.known_to IS NULL) AS first_contact
FROM facilities AS f WHERE %(facilities)s::uuid[] IS NULL OR f.uuid = ANY(%(facilities)s)
"""

_PATIENTS = """
WITH twins AS MATERIALIZED (
    SELECT first_uuid AS uuid FROM linkage_candidates WHERE state = 'pending'
    UNION SELECT second_uuid FROM linkage_candidates WHERE state = 'pending'
),
p AS (
    SELECT p.facility_uuid, m.data_date, p.birthdate, p.birthdate_estimated, p.sex, p.art_start_date, p.phone_bidx,
           p.pepfar_id_bidx, p.hospital_number_bidx, p.uuid,
           p.uuid IN (SELECT uuid FROM twins) AS twice
    FROM patients AS p JOIN pg_temp.measured_facilities AS m ON m.uuid = p.facility_uuid
    WHERE p.known_to IS NULL AND NOT p.voided
),
counted AS (
    SELECT facility_uuid, count(*) AS n, count(birthdate) AS born, count(sex) AS sex, count(art_start_date) AS start,
           count(*) FILTER (WHERE pepfar_id_bidx IS NOT NULL OR hospital_number_bidx IS NOT NULL) AS named,
           count(phone_bidx) AS phone,
           count(*) FILTER (WHERE birthdate <= data_date AND birthdate > data_date - interval '{oldest} years')
               AS plausible,
           count(*) FILTER (WHERE birthdate IS NOT NULL AND NOT birthdate_estimated) AS exact,
           count(*) FILTER (WHERE NOT birthdate_estimated AND extract(doy FROM birthdate) = 1) AS first_day,
           count(*) FILTER (WHERE NOT twice) AS single
    FROM p GROUP BY facility_uuid
)
SELECT facility_uuid, m.measure, m.numerator, m.denominator FROM counted CROSS JOIN LATERAL (VALUES
    ('birthdate_filled', born, n), ('sex_filled', sex, n), ('art_start_filled', start, n),
    ('identifier_filled', named, n), ('phone_filled', phone, n), ('age_plausible', plausible, born),
    ('birthdates_not_heaped', {birth_heap}, exact),
    ('not_twice', CASE WHEN {linked} THEN single ELSE 0 END, CASE WHEN {linked} THEN n ELSE 0 END)
) AS m (measure, numerator, denominator)
"""

_UNIQUE = """
WITH p AS (
    SELECT p.facility_uuid, p.pepfar_id_bidx, p.hospital_number_bidx,
           count(*) OVER (PARTITION BY p.pepfar_id_bidx) AS bearers,
           count(*) OVER (PARTITION BY p.facility_uuid, p.hospital_number_bidx) AS at_facility
    FROM patients AS p WHERE p.known_to IS NULL AND NOT p.voided
      AND NOT EXISTS (SELECT FROM patient_identities AS i WHERE i.patient_uuid = p.uuid AND i.known_to IS NULL)
)
SELECT facility_uuid, m.measure, m.numerator, m.denominator FROM (
    SELECT p.facility_uuid, count(*) FILTER (WHERE p.pepfar_id_bidx IS NOT NULL AND p.bearers = 1) AS single_id,
           count(p.pepfar_id_bidx) AS with_id,
           count(*) FILTER (WHERE p.hospital_number_bidx IS NOT NULL AND p.at_facility = 1) AS single_number,
           count(p.hospital_number_bidx) AS with_number
    FROM p JOIN pg_temp.measured_facilities AS f ON f.uuid = p.facility_uuid GROUP BY p.facility_uuid
) AS counted CROSS JOIN LATERAL (VALUES
    ('pepfar_id_unique', single_id, with_id), ('hospital_number_unique', single_number, with_number)
) AS m (measure, numerator, denominator)
"""

_CONTACTS = """
WITH counted AS (
    SELECT c.facility_uuid, count(*) AS n,
           count(*) FILTER (WHERE c.next_appointment IS NOT NULL OR c.days_supplied IS NOT NULL) AS dated,
           count(*) FILTER (WHERE c.pickup) AS pickups,
           count(*) FILTER (WHERE c.pickup AND c.days_supplied IS NOT NULL) AS supplied,
           count(*) FILTER (WHERE c.pickup AND c.regimen IS NOT NULL) AS regimen,
           count(c.next_appointment) AS booked,
           count(*) FILTER (WHERE c.next_appointment < c.contact_date + {ahead}) AS near,
           count(*) FILTER (WHERE c.next_appointment > c.contact_date) AS later,
           count(*) FILTER (WHERE NOT c.known_assumed) AS stamped,
           count(*) FILTER (WHERE NOT c.known_assumed
               AND (c.known_from AT TIME ZONE {zone})::date <= c.contact_date + {lag}) AS soon,
           count(*) FILTER (WHERE extract(day FROM c.contact_date) IN (1, 15)) AS first_or_15th
    FROM contacts AS c JOIN pg_temp.measured_facilities AS f
        ON f.uuid = c.facility_uuid AND c.contact_date > f.since AND c.contact_date <= f.data_date
    WHERE c.known_to IS NULL GROUP BY c.facility_uuid
)
SELECT facility_uuid, m.measure, m.numerator, m.denominator FROM counted CROSS JOIN LATERAL (VALUES
    ('next_date_filled', dated, n), ('days_supplied_filled', supplied, pickups), ('regimen_filled', regimen, pickups),
    ('next_not_far', near, booked), ('next_after_contact', later, booked), ('known_in_time', soon, stamped),
    ('days_not_heaped', {day_heap}, n)
) AS m (measure, numerator, denominator)
"""

_VOLUME = """
WITH weeks AS (
    SELECT f.uuid, least({weeks}, (f.data_date - f.first_contact) / 7 + 1) AS expected,
           (SELECT count(DISTINCT (f.data_date - c.contact_date) / 7) FROM contacts AS c
            WHERE c.facility_uuid = f.uuid AND c.known_to IS NULL AND c.contact_date <= f.data_date
              AND c.contact_date > f.data_date - 7 * least({weeks}, (f.data_date - f.first_contact) / 7 + 1)) AS met
    FROM pg_temp.measured_facilities AS f WHERE f.first_contact <= f.data_date
),
bins AS (
    SELECT f.uuid, b.bin, (
        SELECT count(*) FROM contacts AS c WHERE c.facility_uuid = f.uuid AND c.known_to IS NULL
          AND c.contact_date > f.complete_through - {bin_days} * (b.bin + 1)
          AND c.contact_date <= f.complete_through - {bin_days} * b.bin) AS contacts
    FROM pg_temp.measured_facilities AS f
    CROSS JOIN LATERAL generate_series(
        0, least({bins}, (f.complete_through - f.first_contact) / {bin_days}) - 1) AS b (bin)
),
usual AS (SELECT uuid, percentile_cont(0.5) WITHIN GROUP (ORDER BY contacts) AS median FROM bins GROUP BY uuid)
SELECT uuid, 'weeks_reported', met, expected FROM weeks
UNION ALL
SELECT b.uuid, 'volume_steady',
       count(*) FILTER (WHERE b.contacts BETWEEN {least} * u.median AND {most} * u.median), count(*)
FROM bins AS b JOIN usual AS u USING (uuid) WHERE u.median > 0 GROUP BY b.uuid
UNION ALL
SELECT uuid, 'complete_to_data_date',
       greatest(0, {covered} - greatest(0, data_date - coalesce(complete_through, '-infinity'::date))), {covered}
FROM pg_temp.measured_facilities WHERE complete_through IS NOT NULL
UNION ALL
SELECT uuid, 'complete_to_data_date', 0, {covered} FROM pg_temp.measured_facilities WHERE complete_through IS NULL
UNION ALL
SELECT uuid, 'data_to_today', greatest(0, {covered} - greatest(0, {today} - data_date)), {covered}
FROM pg_temp.measured_facilities
"""

_DISPENSATIONS = """
WITH d AS (
    SELECT d.facility_uuid, d.patient_uuid, d.days_supplied, upper(d.regimen) AS regimen, lower(d.regimen_line) AS line,
           p.uuid IS NOT NULL AS known,
           p.birthdate + interval '{adult} years' <= d.date_dispensed AS adult,
           row_number() OVER (PARTITION BY d.patient_uuid, d.date_dispensed ORDER BY d.uuid) AS place
    FROM dispensations AS d JOIN pg_temp.measured_facilities AS f
        ON f.uuid = d.facility_uuid AND d.date_dispensed > f.since AND d.date_dispensed <= f.data_date
    LEFT JOIN patients AS p ON p.uuid = d.patient_uuid AND p.known_to IS NULL AND NOT p.voided
    WHERE d.known_to IS NULL AND NOT d.voided
),
lines AS (
    SELECT *, line ~ '(^|[^0-9])1|first' AS first_line, line ~ '(^|[^0-9])[23]|second|third' AS later_line FROM d
),
counted AS (
    SELECT facility_uuid, count(*) AS n, count(days_supplied) AS supplied,
           count(*) FILTER (WHERE days_supplied BETWEEN {least_supply} AND {most_supply}) AS plausible,
           count(*) FILTER (WHERE place = 1) AS once,
           count(*) FILTER (WHERE adult AND regimen IS NOT NULL AND (first_line OR later_line)) AS lined,
           count(*) FILTER (WHERE adult AND (first_line OR later_line) AND (
               (first_line AND regimen ~ 'LPV|ATV|DRV') OR (NOT first_line AND regimen ~ 'EFV|NVP'))) AS contradicted,
           count(*) FILTER (WHERE known) AS known
    FROM lines GROUP BY facility_uuid
),
visits_counted AS (
    SELECT v.facility_uuid, count(*) AS n, count(p.uuid) AS known
    FROM visits AS v JOIN pg_temp.measured_facilities AS f
        ON f.uuid = v.facility_uuid AND v.date_started > f.since AND v.date_started <= f.data_date
    LEFT JOIN patients AS p ON p.uuid = v.patient_uuid AND p.known_to IS NULL AND NOT p.voided
    WHERE v.known_to IS NULL AND NOT v.voided GROUP BY v.facility_uuid
)
SELECT facility_uuid, m.measure, m.numerator, m.denominator FROM counted CROSS JOIN LATERAL (VALUES
    ('supply_plausible', plausible, supplied), ('supply_once', once, n),
    ('line_fits_regimen', lined - contradicted, lined)
) AS m (measure, numerator, denominator)
UNION ALL
SELECT facility_uuid, 'events_of_patients', sum(known)::bigint, sum(n)::bigint
FROM (SELECT facility_uuid, known, n FROM counted UNION ALL SELECT facility_uuid, known, n FROM visits_counted) AS e
GROUP BY facility_uuid
"""

_OBSERVATIONS = """
WITH o AS (
    SELECT o.facility_uuid, o.variable_name AS variable, o.value_numeric AS value,
           o.value_numeric IS NOT NULL OR o.value_text IS NOT NULL OR o.value_coded IS NOT NULL AS result,
           p.birthdate + interval '{adult} years' <= (o.obs_datetime AT TIME ZONE {zone})::date AS adult
    FROM observations AS o JOIN pg_temp.measured_facilities AS f ON f.uuid = o.facility_uuid
        AND o.obs_datetime >= ((f.since + 1)::timestamp AT TIME ZONE {zone})
        AND o.obs_datetime < ((f.data_date + 1)::timestamp AT TIME ZONE {zone})
    LEFT JOIN patients AS p ON p.uuid = o.patient_uuid AND p.known_to IS NULL AND NOT p.voided
    WHERE o.known_to IS NULL AND NOT o.voided AND o.variable_name IN ('viral_load', 'weight')
),
counted AS (
    SELECT facility_uuid, count(*) FILTER (WHERE variable = 'viral_load') AS samples,
           count(*) FILTER (WHERE variable = 'viral_load' AND result) AS results,
           count(value) FILTER (WHERE variable = 'viral_load') AS loads,
           count(*) FILTER (WHERE variable = 'viral_load' AND value BETWEEN {least_load} AND {most_load}) AS load_ok,
           count(value) FILTER (WHERE variable = 'weight') AS weights,
           count(*) FILTER (WHERE variable = 'weight' AND value BETWEEN {least_weight} AND {most_weight}
               AND NOT (coalesce(adult, false) AND value < {adult_weight})) AS weight_ok,
           count(*) FILTER (WHERE variable = 'weight' AND value::numeric % 5 = 0) AS round_weights
    FROM o GROUP BY facility_uuid
)
SELECT facility_uuid, m.measure, m.numerator, m.denominator FROM counted CROSS JOIN LATERAL (VALUES
    ('result_filled', results, samples), ('viral_load_plausible', load_ok, loads),
    ('weight_plausible', weight_ok, weights), ('weights_not_heaped', {weight_heap}, weights)
) AS m (measure, numerator, denominator)
"""

_STATES = """
WITH s AS (
    SELECT s.facility_uuid, s.patient_uuid, s.state, min(s.start_date) AS start_date
    FROM patient_states AS s JOIN pg_temp.measured_facilities AS f ON f.uuid = s.facility_uuid
    WHERE s.known_to IS NULL AND NOT s.voided AND s.state IN ('died', 'transferred_out') AND s.start_date IS NOT NULL
    GROUP BY 1, 2, 3, CASE WHEN s.state = 'died' THEN NULL ELSE s.uuid END
)
SELECT facility_uuid, CASE state WHEN 'died' THEN 'dead_stay_away' ELSE 'transferred_stay_away' END,
       count(*) FILTER (WHERE NOT EXISTS (
           SELECT FROM contacts AS c WHERE c.patient_uuid = s.patient_uuid AND c.known_to IS NULL
             AND c.facility_uuid = s.facility_uuid AND c.contact_date > s.start_date
             AND (s.state = 'died' OR c.contact_date <= s.start_date + {after_transfer}))),
       count(*)
FROM s GROUP BY facility_uuid, state
"""

_STARTS = """
SELECT p.facility_uuid, 'start_before_pickup', count(*) FILTER (WHERE p.art_start_date <= c.first_pickup), count(*)
FROM patients AS p JOIN pg_temp.measured_facilities AS f ON f.uuid = p.facility_uuid
JOIN (
    SELECT patient_uuid, min(contact_date) AS first_pickup FROM contacts
    WHERE known_to IS NULL AND pickup GROUP BY patient_uuid
) AS c ON c.patient_uuid = p.uuid
WHERE p.known_to IS NULL AND NOT p.voided AND p.art_start_date IS NOT NULL GROUP BY p.facility_uuid
"""

_STATEMENTS: Final = (_PATIENTS, _UNIQUE, _CONTACTS, _VOLUME, _DISPENSATIONS, _OBSERVATIONS, _STATES, _STARTS)


def measure(
    session: TenantSession, today: date, facilities: Sequence[UUID] | None = None
) -> dict[UUID, tuple[date, Shares]]:
    """Return every facility's data date and measures, as known now.

    Args:
        session: the tenant's transaction; the function makes a temporary table in it.
        today: the day of the report in the tenant's time zone.
        facilities: only these; None for all.
    """
    parts = _parts(session, today)
    with session.cursor() as cursor:
        parameters = {
            "today": today,
            "window": catalog.WINDOW_DAYS,
            "facilities": None if facilities is None else list(facilities),
        }
        cursor.execute("DROP TABLE IF EXISTS pg_temp.measured_facilities")
        cursor.execute(_PLACES, parameters)
        cursor.execute("ANALYZE pg_temp.measured_facilities")
        cursor.execute("SELECT uuid, data_date FROM pg_temp.measured_facilities ORDER BY uuid")
        measures: dict[UUID, tuple[date, Shares]] = {uuid: (day, {}) for uuid, day in cursor.fetchall()}
        parts["linked"] = sql.Literal(_linked(session))
        for statement in _STATEMENTS:
            # Braces are the statements' own placeholders; the driver binds values as literals.
            for facility, name, numerator, denominator in cursor.execute(sql.SQL(statement).format(**parts)).fetchall():
                measures[facility][1][name] = (int(numerator), int(denominator))
        cursor.execute("DROP TABLE pg_temp.measured_facilities")
    return measures


def add(shares: Sequence[Shares]) -> Shares:
    """The measures of several facilities together."""
    total: Shares = {}
    for each in shares:
        for name, (numerator, denominator) in each.items():
            above, below = total.get(name, (0, 0))
            total[name] = (above + numerator, below + denominator)
    return total


def _linked(session: TenantSession) -> bool:
    """Whether a search for people recorded twice has ever run."""
    from tenants.quality.settings import Linkage, linkage_state

    state: Linkage = linkage_state(session)
    return state.finished_at is not None


def _parts(session: TenantSession, today: date) -> dict[str, Any]:
    numbers = {
        "ahead": catalog.AHEAD_DAYS,
        "lag": catalog.LAG_DAYS,
        "weeks": catalog.WEEKS,
        "bins": catalog.BINS,
        "bin_days": catalog.BIN_DAYS,
        "covered": catalog.COVERED_DAYS,
        "least": catalog.STEADY[0],
        "most": catalog.STEADY[1],
        "least_supply": catalog.SUPPLY[0],
        "most_supply": catalog.SUPPLY[1],
        "least_load": catalog.VIRAL_LOAD[0],
        "most_load": catalog.VIRAL_LOAD[1],
        "least_weight": catalog.WEIGHT[0],
        "most_weight": catalog.WEIGHT[1],
        "adult_weight": catalog.ADULT_WEIGHT,
        "after_transfer": catalog.AFTER_TRANSFER_DAYS,
    }
    parts: dict[str, Any] = {name: sql.Literal(value) for name, value in numbers.items()}
    return parts | {
        "adult": sql.SQL(str(catalog.ADULT_AGE)),
        "oldest": sql.SQL(str(catalog.OLDEST + 1)),
        "zone": sql.Literal(session.tenant.time_zone),
        "today": sql.Literal(today),
        "birth_heap": _less_heap("exact", "first_day", 1 / 365.25),
        "day_heap": _less_heap("n", "first_or_15th", 24 / 365.25),
        "weight_heap": _less_heap("weights", "round_weights", 0.2),
    }


def _less_heap(total: str, heaped: str, expected: float) -> sql.Composed:
    """Return SQL for the count without the values that heap more than chance explains.

    Chance explains up to ``HEAPS`` standard deviations of a binomial distribution.
    """
    return sql.SQL(
        "{n} - least({n}, floor(greatest(0, {heaped} - {n} * {share} - {sds} * sqrt({n} * {share} * (1 - {share}))))"
        "::bigint)"
    ).format(
        n=sql.Identifier(total),
        heaped=sql.Identifier(heaped),
        share=sql.Literal(expected),
        sds=sql.Literal(catalog.HEAPS),
    )
