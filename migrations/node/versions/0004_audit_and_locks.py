"""What node has more since 0003: rendered by ``python -m migrations.render``."""

from migrations.operations import make_audit_seal_function, make_own_lock_functions

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take 2 steps."""
    make_own_lock_functions()
    make_audit_seal_function()
