"""What tenant has more since 0002: rendered by ``python -m migrations.render``."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take 1 steps."""
    op.drop_index("ix_import_staging_kind", table_name="import_staging")
