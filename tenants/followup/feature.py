"""The registration of the feature ``followup`` with the platform."""

from core.feature_registry import Feature, Permission, Schedule, SettingsGroup

feature = Feature(
    name="followup",
    routers=(
        "tenants.followup.api:router",
        "tenants.followup.api_assignments:router",
        "tenants.followup.api_interventions:router",
        "tenants.followup.api_funnel:router",
        "tenants.followup.api_effect:router",
        "tenants.followup.api_team:router",
        "tenants.followup.api_targets:router",
        "tenants.followup.api_proposals:router",
    ),
    jobs=("tenants.followup.jobs",),
    tables=("tenants.followup.models", "tenants.followup.models_results", "tenants.followup.models_team"),
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
        Permission(
            "funnel.read",
            "See how many people on lists were contacted, reached and returned",
            roles=("data_officer", "clinician", "case_manager"),
        ),
        Permission(
            "team.manage",
            "Set what officers can do in a day and when they are away, and share out the lists",
            roles=("clinician", "case_manager"),
        ),
        Permission(
            "targets.write",
            "Set the shares of people on lists that facilities shall reach and see back",
            roles=("data_officer",),
        ),
        Permission(
            "statuses.verify",
            "Verify deaths and transfers that somebody else heard of",
            roles=("data_officer", "clinician"),
        ),
    ),
    settings={
        "followup": SettingsGroup(
            "tenants.followup.settings:FollowUpSettings",
            "Whether lists are shared out among officers as soon as they are made.",
            "team.manage",
        )
    },
    listeners={
        "imports.completed": "tenants.followup.learning:import_finished",
        "records.changed": "tenants.followup.learning:records_changed",
        "lists.issued": "tenants.followup.sharing:list_issued",
    },
    schedules=(
        Schedule(
            "followup.learn",
            "30 3 * * *",
            "tenants.followup.learning:enqueue_learning",
            "Looks at what became of the people on lists and of those for whom something was done.",
        ),
    ),
    audit_actions=(
        "job:followup:learn",
        "job:followup:share",
        "followup:patient:assign",
        "followup:patient:unassign",
        "followup:attempt:record",
        "followup:attempt:undo",
        "followup:phone:correct",
        "followup:phone:restore",
        "followup:attempt:read",
        "followup:attempt:list",
        "followup:today:read",
        "followup:absence:add",
        "followup:absence:remove",
        "followup:capacity:set",
        "followup:effect:read",
        "followup:funnel:read",
        "followup:status:decide",
        "followup:status:list",
        "followup:status:propose",
        "followup:target:set",
        "followup:intervention:plan",
        "followup:intervention:end",
        "followup:intervention:read",
        "followup:intervention:list",
    ),
    tags={
        "assignments": "Which colleague follows a patient.",
        "attempts": "Attempts to reach patients, and what became of them.",
        "funnel": "How many people on lists were contacted, reached and returned.",
        "officers": "What officers can do in a day, who is away, and the sharing out of the lists.",
        "status-proposals": "Deaths and transfers that a second person verifies.",
        "interventions": "What is planned for a patient, and what became of it.",
    },
)
