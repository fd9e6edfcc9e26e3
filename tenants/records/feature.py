"""The registration of the room ``records`` with the kernel."""

from core.feature_registry import Command, Feature, Loop, Permission

feature = Feature(
    name="records",
    routers=("tenants.records.api:router",),
    jobs=("tenants.records.jobs",),
    tables=("tenants.records.models",),
    facilities="tenants.records.places:DIRECTORY",
    loops=(Loop("names", "tenants.records.name_keys:enqueue_where_missing", seconds=3600.0, first_seconds=30.0),),
    permissions=(
        Permission(
            "facilities.read",
            "See facilities",
            roles=(
                "data_officer",
                "clinician",
                "case_manager",
                "tracking_officer",
                "viewer",
                "service",
            ),
        ),
        Permission(
            "facilities.write",
            "Add and change facilities",
            roles=(
                "data_officer",
                "service",
            ),
        ),
        Permission(
            "patients.read",
            "See patients with their names, phones and identifiers, and their histories",
            roles=(
                "data_officer",
                "clinician",
                "case_manager",
                "tracking_officer",
                "service",
            ),
        ),
        Permission(
            "patients.write",
            "Add, change and void patients",
            roles=(
                "data_officer",
                "clinician",
                "service",
            ),
        ),
        Permission(
            "visits.read",
            "See visits, dispensations, appointments and contacts",
            roles=(
                "data_officer",
                "clinician",
                "case_manager",
                "tracking_officer",
                "service",
            ),
        ),
        Permission(
            "visits.write",
            "Add, change and void visits",
            roles=(
                "data_officer",
                "clinician",
                "service",
            ),
        ),
        Permission(
            "encounters.read",
            "See encounters",
            roles=(
                "data_officer",
                "clinician",
                "case_manager",
                "service",
            ),
        ),
        Permission(
            "encounters.write",
            "Add, change and void encounters",
            roles=(
                "data_officer",
                "clinician",
                "service",
            ),
        ),
        Permission(
            "observations.read",
            "See observations",
            roles=(
                "data_officer",
                "clinician",
                "case_manager",
                "service",
            ),
        ),
        Permission(
            "observations.write",
            "Add, change and void observations",
            roles=(
                "data_officer",
                "clinician",
                "service",
            ),
        ),
        Permission(
            "records.statistics",
            "See counts of records",
            roles=(
                "data_officer",
                "viewer",
                "service",
            ),
        ),
    ),
    audit_actions=(
        "api:patient:read",
        "api:patient:list",
        "api:patient:export",
        "api:patient:timeline",
        "api:patient:versions",
        "api:patient:create",
        "api:patient:update",
        "api:patient:void",
        *(
            f"api:{kind}:{act}"
            for kind in ("visit", "encounter", "observation")
            for act in ("read", "list", "export", "create", "update", "void")
        ),
        "api:dispensation:list",
        "api:appointment:list",
        "api:contact:list",
        "api:facility:create",
        "api:facility:update",
        "cli:patient:erase",
        "cli:observations:archive",
        "cli:observations:restore",
    ),
    commands={
        "person": Command("tenants.records.person_commands:person", "Erase a person for good."),
        "observations": Command("tenants.records.commands:observations", "Archive old observations by year; restore."),
    },
    tags={
        "patients": "Patients, their versions and their timeline.",
        "visits": "Visits, dispensations, appointments, and the contacts made of them.",
        "encounters": "Encounters: forms filled in at a visit.",
        "observations": "Observations, such as viral loads.",
        "facilities": "The tenant's facilities.",
        "records": "Counts of everything on record.",
    },
)
