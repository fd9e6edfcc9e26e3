"""What tenant has more since 0005: rendered by ``python -m migrations.render``."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take 8 steps."""
    op.add_column("models", sa.Column("failure", sa.Text(), nullable=True))
    op.drop_constraint("ck_models_state", "models", type_="check")
    # allow: it allows more words than the check before it, so every row passes; one look at one tenant's rows
    op.create_check_constraint(
        op.f("ck_models_state"), "models", "state IN ('candidate', 'preferred', 'retired', 'failed')"
    )
    op.add_column("score_runs", sa.Column("usual_risk", sa.Float(), nullable=True))
    op.add_column("score_runs", sa.Column("note", sa.Text(), nullable=True))
    op.add_column("worklists", sa.Column("capacity_share", sa.Numeric(precision=5, scale=4), nullable=True))
    op.add_column("worklists", sa.Column("usual_risk", sa.Float(), nullable=True))
    op.add_column("worklists", sa.Column("note", sa.Text(), nullable=True))
