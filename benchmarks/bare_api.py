"""The bare API of a comparison: FastAPI and a psycopg pool, without tenancy, credentials, audit or encryption."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from fastapi import FastAPI
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

_COLUMNS = (
    "uuid, version_id, datim_id, source, sex, birthdate, birthdate_estimated, state_province, county_district,"
    " city_village, art_start_date, transferred_in, case_manager, known_from, data_date"
)


def create_app() -> FastAPI:
    """Return the bare application, which reads the schema ``BARE_SCHEMA`` in the database of ``BARE_URL``."""
    schema = os.environ["BARE_SCHEMA"]
    one = f'SELECT {_COLUMNS} FROM "{schema}".patients WHERE uuid = %s AND known_to IS NULL AND NOT voided'  # noqa: S608 - a name of our own
    many = (
        f'SELECT {_COLUMNS} FROM "{schema}".patients WHERE known_to IS NULL AND NOT voided'  # noqa: S608 - as above
        " ORDER BY uuid LIMIT %s OFFSET %s"
    )
    count = f'SELECT count(*) AS total FROM "{schema}".patients WHERE known_to IS NULL AND NOT voided'  # noqa: S608 - as above
    pool: ConnectionPool[Any] = ConnectionPool(
        os.environ["BARE_URL"], min_size=4, max_size=15, kwargs={"row_factory": dict_row}, open=False
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        pool.open(wait=True)
        yield
        pool.close()

    app = FastAPI(lifespan=lifespan)

    @app.get("/patients/{uuid}")
    def read_patient(uuid: UUID) -> Any:  # noqa: ANN401 - a row
        with pool.connection() as connection:
            return connection.execute(one, (uuid,)).fetchone()

    @app.get("/patients")
    def list_patients(page: int = 1, page_size: int = 50) -> Any:  # noqa: ANN401 - rows
        with pool.connection() as connection:
            rows = connection.execute(many, (page_size, (page - 1) * page_size)).fetchall()
            total = connection.execute(count).fetchone()["total"]
        return {"items": rows, "page": page, "page_size": page_size, "total": total}

    return app
