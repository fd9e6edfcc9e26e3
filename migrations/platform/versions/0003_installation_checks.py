"""What platform has more since 0002: rendered by ``python -m migrations.render``."""

import sqlalchemy as sa
from alembic import op

from migrations.operations import grant_application

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take 4 steps."""
    op.create_table(
        "blob_store",
        sa.Column("single", sa.Boolean(), nullable=False),
        sa.Column("mark", sa.Uuid(), nullable=False),
        sa.Column("marked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("single", name=op.f("ck_blob_store_single")),
        sa.PrimaryKeyConstraint("single", name=op.f("pk_blob_store")),
        schema="platform",
    )
    op.create_table(
        "master_key_checks",
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_master_key_checks")),
        schema="platform",
    )
    grant_application("SELECT, INSERT, UPDATE", "platform", "blob_store")
    grant_application("SELECT, INSERT", "platform", "master_key_checks")
