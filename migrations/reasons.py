"""Why a rendered step that the lint holds for unsafe may be taken: (tree, what is changed) -> reason.

What is changed is a constraint's or an index's name, ``table.column``, ``table.grants``, or ``table.*`` for all of a table.
``python -m migrations.render`` writes the reason beside the step as ``# allow: ...``; see ``migrations.lint``.
"""

REASONS: dict[tuple[str, str], str] = {
    ("platform", "tenants.*"): "one row for each tenant: thousands at most, read in milliseconds",
}
