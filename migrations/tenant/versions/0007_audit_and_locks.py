"""What tenant has more since 0006: rendered by ``python -m migrations.render``."""

from migrations.operations import regrant_tenant

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take 2 steps."""
    # allow: no code has ever given an event its number or its time
    regrant_tenant("SELECT, INSERT (actor, action, subject_type, subject_uuid, request_id, detail)", "audit_events")
    # allow: an older worker's sealer fails, says so, and the next worker seals what it left
    regrant_tenant("SELECT", "audit_seals")
