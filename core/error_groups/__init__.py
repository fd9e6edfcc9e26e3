"""Unexpected errors, grouped by type and place, for operators; ``core.error_groups.tracking`` collects them."""
