"""Benchmark of an import of simulated contacts, compared with its bare parts: parse, COPY, set-based upsert.

Both ways read the same two CSV files (people, and their pick-ups) and fill the same tables with the same indexes: the
versioned ones and the contacts derived from them. The bare way does it once, without checks, keys, encryption, versions
or steps. Each way has a fresh tenant.
"""

from __future__ import annotations

import csv
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import orjson
import psycopg
from psycopg import sql

from benchmarks.measure import Ratio, settled
from core.clock import now
from core.services import ensure
from core.tenancy import create_tenant
from tenants.records.ids import new_uuid, new_uuid_sql

_CONTACTS = {"small": 100_000, "full": 1_000_000}
_PER_PATIENT = 20
_TARGET = 1 / 0.7
_MOST_MB = 500
_FACILITIES = 50
_DATA_DATE = date(2024, 6, 30)
_SOURCE = "csv:benchmark"
_SYLLABLES = ("ba", "da", "fu", "ki", "la", "mu", "na", "ra", "sa", "ti", "wo", "zu")
"""Of simulated names: people have about as many different ones as those of one clinic."""
_REGIMENS = ("TDF/3TC/DTG", "TDF/3TC/EFV", "ABC/3TC/DTG", "AZT/3TC/NVP", "TDF/3TC/ATVr")
MAPPING = f"""
source: {_SOURCE}
data_date: {_DATA_DATE}
files:
  patients: {{name: patients.csv}}
  pickups: {{name: pickups.csv}}
records:
  - into: patients
    file: patients
    patient: id
    facility: {{datim_id: clinic, name: clinic_name}}
    columns: {{pepfar_id: id, given_name: name, phone: phone, sex: sex, birthdate: born, art_start_date: art_start}}
  - into: dispensations
    file: pickups
    patient: id
    columns: {{date_dispensed: day, days_supplied: days, regimen: regimen, next_appointment: next}}
"""


def run(contacts: int = 0, rounds: int = 2) -> Iterator[Ratio]:
    """Compare an import with its bare parts: up to the contacts, with the cohort's statuses, and by its memory.

    Args:
        contacts: pick-ups in the file; 0 for the size that ``IIT_BENCH_SCALE`` names.
        rounds: times that both are run, in turns, each after the server has settled; the fastest of each counts.
    """
    contacts = contacts or _CONTACTS[os.environ.get("IIT_BENCH_SCALE", "small")]
    with tempfile.TemporaryDirectory(prefix="iit-bench-import-") as name:
        folder = Path(name)
        simulate(folder, contacts)
        ours: list[dict[str, Any]] = []
        parts: list[dict[str, float]] = []
        for _ in range(rounds):
            settled()
            parts.append(_bare(folder))
            settled()
            ours.append(_ours(folder))
    best = min(ours, key=lambda one: one["seconds"])
    bare = min(parts, key=lambda one: sum(one.values()))
    total = sum(bare.values())
    _say("bare: " + ", ".join(f"{part} {seconds:.1f} s" for part, seconds in bare.items()))
    _say("ours: " + ", ".join(f"{part} {seconds:.1f} s" for part, seconds in best["steps"].items()))
    _say(f"ours: {best['cpu']:.1f} s of CPU, {best['peak_mb']:.0f} MB at most, both with the process that reads")
    name = f"import of {contacts:,} contacts, over parse + COPY + upsert"
    yield Ratio(name, best["seconds"] - best["others"], total, target=_TARGET)
    yield Ratio("the same with the statuses that the cohort derives from it", best["seconds"], total, target=_TARGET)
    yield Ratio(f"its memory at the peak, over {_MOST_MB} MB", best["peak_mb"], _MOST_MB, unit="MB", target=1)


def simulate(folder: Path, contacts: int) -> None:
    """Write ``patients.csv`` and ``pickups.csv``: people who come every one to three months."""
    random = Random(7)  # noqa: S311 - simulated people
    with (folder / "patients.csv").open("w", newline="") as people, (folder / "pickups.csv").open("w", newline="") as p:
        patients, pickups = csv.writer(people), csv.writer(p)
        patients.writerow(["id", "clinic", "clinic_name", "name", "phone", "sex", "born", "art_start"])
        pickups.writerow(["id", "day", "days", "regimen", "next"])
        for number in range(contacts // _PER_PATIENT):
            identifier, clinic = f"IP/{number % 97:02}/{number:07}", random.randrange(_FACILITIES)
            day = date(2019, 1, 4) + timedelta(random.randrange(500))
            born = date(1950, 1, 1) + timedelta(random.randrange(18_000))
            phone = f"080{random.randrange(10**8):08}"
            sex = random.choice("FFM")
            name = " ".join("".join(random.choices(_SYLLABLES, k=3)).capitalize() for _ in range(2))
            patients.writerow([identifier, f"C{clinic:03}", f"Clinic {clinic}", name, phone, sex, born, day])
            for _ in range(_PER_PATIENT):
                supply = random.choice((30, 30, 60))
                following = day + timedelta(supply)
                pickups.writerow([identifier, day, supply, random.choice(_REGIMENS), following])
                day = following + timedelta(random.randrange(-3, 10))


def _ours(folder: Path) -> dict[str, Any]:
    """Import in its own process, to measure that process's memory alone."""
    tenant = create_tenant(f"bench-{secrets.token_hex(4)}", "Benchmark")
    child = subprocess.run(  # noqa: S603 - ourselves
        [sys.executable, "-m", "benchmarks.import_process", tenant.ref.slug, str(folder)],
        stdout=subprocess.PIPE,
        check=True,
    )
    figures: dict[str, Any] = orjson.loads(child.stdout)
    return figures


def _bare(folder: Path) -> dict[str, float]:
    """Seconds of each part."""
    tenant = create_tenant(f"bench-{secrets.token_hex(4)}", "Benchmark").ref
    seconds: dict[str, float] = {}
    with psycopg.connect(ensure().database_owner_url, autocommit=True) as link:
        path = sql.SQL("SET search_path TO {}, public").format(sql.Identifier(tenant.schema_name))
        link.execute(path)
        link.execute(_STAGING)
        began = time.perf_counter()
        people, pickups = _parsed(folder)
        seconds["parse"] = time.perf_counter() - began
        began = time.perf_counter()
        _copy(link, "bare_people", _PEOPLE, people)
        _copy(link, "bare_pickups", _PICKUPS, pickups)
        seconds["copy"] = time.perf_counter() - began
        link.execute("ANALYZE bare_people, bare_pickups")
        del people, pickups
        began = time.perf_counter()
        _upsert(link)
        seconds["upsert"] = time.perf_counter() - began
        link.execute("DROP TABLE bare_people, bare_pickups")
    return seconds


_PEOPLE = {
    "id": "text", "clinic": "text", "clinic_name": "text", "name": "text", "phone": "text", "sex": "text",
    "born": "date", "art_start": "date",
}  # fmt: skip
_PICKUPS = {"id": "text", "day": "date", "days": "int4", "regimen": "text", "next": "date"}
_STAGING = "; ".join(
    f"CREATE TABLE {table} ({', '.join(f'{name} {kind}' for name, kind in columns.items())})"
    for table, columns in (("bare_people", _PEOPLE), ("bare_pickups", _PICKUPS))
)

Rows = list[tuple[object, ...]]


def _parsed(folder: Path) -> tuple[Rows, Rows]:
    day = date.fromisoformat
    with (folder / "patients.csv").open(newline="") as stream:
        reader = csv.reader(stream)
        next(reader)
        people: Rows = [(*row[:6], day(row[6]), day(row[7])) for row in reader]
    with (folder / "pickups.csv").open(newline="") as stream:
        reader = csv.reader(stream)
        next(reader)
        pickups: Rows = [
            (person, day(on), int(supply), regimen, day(due) if due else None)
            for person, on, supply, regimen, due in reader
        ]
    return people, pickups


def _copy(link: psycopg.Connection, table: str, columns: dict[str, str], rows: Rows) -> None:
    with link.cursor().copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(list(columns.values()))
        for row in rows:
            copy.write_row(row)


_BOOKKEEPING = (
    "version_id, uuid, facility_uuid, source, source_key, known_from, data_date, import_uuid, row_hash, changed_by"
)
_AGREE = "ON CONFLICT (uuid) WHERE known_to IS NULL DO UPDATE SET data_date = excluded.data_date"
_CLINICS = (
    "INSERT INTO facilities (uuid, version_id, datim_id, name, source, data_date, created_at, updated_at)"
    " SELECT md5(clinic)::uuid, gen_random_uuid(), clinic, min(clinic_name), {source}, {data_date}, now(), now()"
    " FROM bare_people GROUP BY clinic"
)
_PATIENTS = (
    "INSERT INTO patients ({bookkeeping}, pepfar_id_enc, pepfar_id_bidx, given_name_enc, phone_enc, phone_bidx,"
    " personal_hash, sex, birthdate, datim_id, art_start_date)"
    " SELECT {new_uuid}, md5(id)::uuid, md5(clinic)::uuid, {source}, uuid_send(md5(id)::uuid), {moment}, {data_date},"
    " {import_uuid}, uuid_send(md5(id)::uuid), 'cli:benchmark', id::bytea, uuid_send(md5(id)::uuid), name::bytea,"
    " phone::bytea, uuid_send(md5(phone)::uuid), uuid_send(md5(id)::uuid), sex, born, clinic, art_start"
    " FROM bare_people {agree}"
)
_DISPENSATIONS = (
    "INSERT INTO dispensations ({bookkeeping}, patient_uuid, date_dispensed, days_supplied, regimen,"
    " next_appointment)"
    " SELECT {new_uuid}, md5(p.id || p.day || p.regimen)::uuid, md5(b.clinic)::uuid, {source},"
    " uuid_send(md5(p.id || p.day || p.regimen)::uuid), {moment}, {data_date}, {import_uuid},"
    " uuid_send(md5(p.id || p.day || p.regimen)::uuid), 'cli:benchmark', md5(p.id)::uuid, p.day, p.days, p.regimen,"
    " p.next FROM bare_pickups AS p JOIN bare_people AS b USING (id) {agree}"
)
_CONTACTS_OF_THEM = (
    "INSERT INTO contacts (contact_id, patient_uuid, contact_date, facility_uuid, clinical, pickup, days_supplied,"
    " next_appointment, regimen, known_from)"
    " SELECT {new_uuid}, md5(p.id)::uuid, p.day, md5(b.clinic)::uuid, false, true, p.days, p.next, p.regimen, {moment}"
    " FROM bare_pickups AS p JOIN bare_people AS b USING (id)"
    " ON CONFLICT (patient_uuid, contact_date) WHERE known_to IS NULL DO UPDATE SET pickup = excluded.pickup"
)


def _upsert(link: psycopg.Connection) -> None:
    with link.transaction(), link.cursor() as cursor:
        parts = {
            "new_uuid": new_uuid_sql(cursor),
            "source": sql.Literal(_SOURCE),
            "moment": sql.Literal(now()),
            "data_date": sql.Literal(_DATA_DATE),
            "import_uuid": sql.Literal(new_uuid()),
            "bookkeeping": sql.SQL(_BOOKKEEPING),
            "agree": sql.SQL(_AGREE),
        }
        for statement in (_CLINICS, _PATIENTS, _DISPENSATIONS, _CONTACTS_OF_THEM):
            cursor.execute(sql.SQL(statement).format(**parts))


def _say(text: str) -> None:
    sys.stderr.write(f"  {text}\n")
