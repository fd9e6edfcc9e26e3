"""Why a rendered step that the lint holds for unsafe may be taken: (tree, name of what is changed) -> reason.

``python -m migrations.render`` writes the reason beside the step as ``# allow: ...``; see ``migrations.lint``.
"""

REASONS: dict[tuple[str, str], str] = {}
