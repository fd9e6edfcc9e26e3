"""What tenant has more since 0003: rendered by ``python -m migrations.render``."""

from migrations.operations import regrant_tenant

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take 1 steps."""
    regrant_tenant("SELECT, INSERT, UPDATE, DELETE, TRUNCATE", "import_staging")
