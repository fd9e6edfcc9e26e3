"""Bases of the tables, one registry for each place where tables are kept.

What a table grants is said in its ``info`` (the last item of ``__table_args__``):

- a tenant's table: ``{"info": {"append_only": True}}`` lets the tenant's role insert and read only (``"given"``: the
  columns that it may give a value), ``"read_only"`` read only, ``"emptied"`` TRUNCATE too; else all four;
- a tenant's table whose rows are a person's by a blind index alone: ``{"info": {"erased_by": "column"}}`` has them
  deleted when the person is erased (those of the person's ``facility`` or of none, that name no ``patient_uuid``);
- a table of ``node`` or ``platform``: ``app`` and ``tenant`` list what the application's and tenants' roles may do,
  such as ``{"info": {"app": "SELECT, INSERT", "tenant": "SELECT"}}``. Default: the application may do all four, tenants
  nothing. A table of ``node`` that tenants reach has a column ``tenant_role``: row policies keep each to its own rows,
  and to its own ``tenant_id`` in what it writes.
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
    """Tables of every tenant's schema. They name no schema: the transaction's search_path does."""


class NodeBase(SQLModel, registry=registry(metadata=MetaData(schema="node", naming_convention=NAMING))):
    """Tables of the schema ``node``, one per data database: jobs, usage, what commits with tenants' effects."""


class PlatformBase(SQLModel, registry=registry(metadata=MetaData(schema="platform", naming_convention=NAMING))):
    """Tables of the schema ``platform`` of the control database: what must be known before a tenant is."""
