"""What node has more since 0004: rendered by ``python -m migrations.render``."""

from migrations.operations import regrant_tenants

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take 1 steps."""
    # allow: one column more than before, in one transaction: code that still runs loses nothing
    regrant_tenants(
        "SELECT, INSERT, UPDATE (state, run_after, lease_token, lease_until, progress_done, progress_total, progress_note, finished_at, updated_at)",
        "node",
        "jobs",
    )
