"""What tenant has more since 0008: rendered by ``python -m migrations.render``."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take 1 steps."""
    op.add_column("imports", sa.Column("rows_in_part", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
