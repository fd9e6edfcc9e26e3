"""Base classes of the tables, one registry for each place of tables.

A table's ``info`` (the last item of ``__table_args__``) states its grants:

- a tenant's table: ``{"info": {"append_only": True}}`` lets the tenant's role only insert and read (``"given"`` lists
the
  columns that it may fill), ``"read_only"`` only read, ``"emptied"`` TRUNCATE too; the default is all four;
- a tenant's table whose rows belong to a person by a blind index alone: ``{"info": {"erased_by": "column"}}`` deletes
  them when the person is erased (rows of the person's ``facility`` or of none, without a ``patient_uuid``);
- a table of ``node`` or ``platform``: ``app`` and ``tenant`` list the rights of the application's and the tenants'
roles,
  such as ``{"info": {"app": "SELECT, INSERT", "tenant": "SELECT"}}``. By default the application has all four and
  tenants none. A table of ``node`` that tenants reach has a column ``tenant_role``: row policies limit each tenant to
  its own rows, and to its own ``tenant_id`` in what it writes.
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
