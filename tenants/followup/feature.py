"""The registration of the feature ``followup`` with the platform."""

from core.feature_registry import Feature, Permission

feature = Feature(
    name="followup",
    routers=("tenants.followup.api:router", "tenants.followup.api_assignments:router"),
    tables=("tenants.followup.models",),
    permissions=(
        Permission(
            "attempts.read",
            "See attempts to reach patients, and their notes",
            roles=(
                "data_officer",
                "clinician",
                "case_manager",
                "tracking_officer",
            ),
        ),
        Permission(
            "attempts.write",
            "Record attempts to reach patients, and undo one's own of today",
            roles=(
                "clinician",
                "case_manager",
                "tracking_officer",
            ),
        ),
        Permission(
            "assignments.write",
            "Assign patients to colleagues",
            roles=(
                "clinician",
                "case_manager",
                "tracking_officer",
            ),
        ),
    ),
    audit_actions=(
        "followup:patient:assign",
        "followup:patient:unassign",
        "followup:attempt:record",
        "followup:attempt:undo",
        "followup:phone:correct",
        "followup:phone:restore",
        "followup:attempt:read",
        "followup:attempt:list",
        "followup:today:read",
    ),
    tags={
        "assignments": "Which colleague follows a patient.",
        "attempts": "Attempts to reach patients, and what became of them.",
    },
)
