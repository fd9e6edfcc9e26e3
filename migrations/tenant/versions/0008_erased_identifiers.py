"""What tenant has more since 0007: rendered by ``python -m migrations.render``."""

import sqlalchemy as sa
from alembic import op

from migrations.operations import grant_tenant

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take 2 steps."""
    op.create_table(
        "erased_identifiers",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_erased_identifiers")),
    )
    grant_tenant("SELECT, INSERT", "erased_identifiers")
