"""Base classes of the tables, one registry for each place of tables.

A table's ``info`` (the last item of ``__table_args__``) states its grants.

A tenant's table grants the tenant's role SELECT, INSERT, UPDATE and DELETE, unless ``info`` has one of these keys:

- ``"append_only": True``: only INSERT and SELECT; ``"given"`` lists the columns that the role may fill;
- ``"read_only"``: only SELECT;
- ``"emptied"``: TRUNCATE too.

``"erased_by": "column"`` is for a tenant's table whose rows belong to a person by a blind index alone. Erasing the
person deletes such rows of the person's ``facility`` or of none, without a ``patient_uuid``.

``"archive": "<reason>"`` leaves a tenant's table out of archives, and in the ``info`` of a column that column. Where an
archive is restored, the column gets its default, or ``"restored_as": "<value in SQL>"``. With ``"archive_rows":
"<condition in SQL>"`` an archive carries only some rows of the table.

A table of ``node`` or ``platform`` lists the rights of the application's and the tenants' roles, such as ``{"app":
"SELECT, INSERT", "tenant": "SELECT"}``. By default the application has all four and tenants none. A table of ``node``
that tenants reach has a column ``tenant_role``: row policies limit each tenant to its own rows, and to its own
``tenant_id`` in what it writes. ``"guard"`` names a trigger function of ``platform`` that limits changes of rows for
every login; see ``migrations.operations.make_document_guards``.
"""

from sqlalchemy import MetaData
from sqlalchemy.orm import registry
from sqlmodel import SQLModel

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class TenantBase(SQLModel, registry=registry(metadata=MetaData(naming_convention=NAMING))):
    """Base of the tables in every tenant's schema. They name no schema, because the transaction's search_path does."""


class NodeBase(SQLModel, registry=registry(metadata=MetaData(schema="node", naming_convention=NAMING))):
    """Base of the tables of the schema ``node``, one per data database: jobs, usage, and rows that commit with them."""


class PlatformBase(SQLModel, registry=registry(metadata=MetaData(schema="platform", naming_convention=NAMING))):
    """Base of the tables of the control database's schema ``platform``: data needed before the tenant is known."""
