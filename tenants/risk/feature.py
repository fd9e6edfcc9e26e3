"""The registration of the feature ``risk`` with the platform."""

from core.feature_registry import Command, Feature, Meter, Permission, RetentionRule, Schedule, SettingsGroup
from tenants.risk.event_types import RISK_TYPES

feature = Feature(
    name="risk",
    routers=(
        "tenants.risk.api:router",
        "tenants.risk.registry.api:router",
        "tenants.risk.api_holdout:router",
        "tenants.risk.api_watch:router",
    ),
    jobs=("tenants.risk.jobs", "tenants.risk.night", "tenants.risk.watch", "tenants.risk.base.jobs"),
    tables=(
        "tenants.risk.models",
        "tenants.risk.models_holdout",
        "tenants.risk.models_registry",
        "tenants.risk.models_checks",
    ),
    permissions=(
        Permission(
            "risk.read",
            "See models, scores and reasons",
            roles=(
                "data_officer",
                "clinician",
                "case_manager",
                "tracking_officer",
                "service",
            ),
        ),
        Permission("risk.train", "Train models", roles=("data_officer",)),
        Permission(
            "risk.score",
            "Score patients",
            roles=(
                "data_officer",
                "service",
            ),
        ),
        Permission("models.promote", "Approve, promote, compare and roll back models", roles=("data_officer",)),
        Permission("holdout.manage", "Record the ethics approval of a hold-out, and end it"),
        Permission("risk.settings", "Change how models are trained and how scores are shown"),
        Permission(
            "worklists.read",
            "See issued lists and the people on them",
            roles=(
                "data_officer",
                "clinician",
                "case_manager",
                "tracking_officer",
                "service",
            ),
        ),
        Permission(
            "worklists.write",
            "Issue lists",
            roles=(
                "data_officer",
                "service",
            ),
        ),
    ),
    meters=(Meter("patients_scored", "patient", "Patients whom a scoring gave a score.", ("model",)),),
    audit_actions=(
        "risk:model:evaluate",
        "risk:model:train",
        "risk:model:approve",
        "risk:model:promote",
        "risk:model:roll_back",
        "risk:model:retire",
        "risk:model:start_trial",
        "risk:model:end_trial",
        "risk:model:sign",
        "risk:patients:score",
        "risk:prediction:read",
        "risk:explanation:read",
        "risk:holdout:approve",
        "risk:holdout:end",
        "risk:features:read",
        "risk:groups:audit",
        "risk:sums:give",
        "risk:base:adopt",
        "risk:snapshot:take",
        "risk:snapshot:read",
        "risk:worklist:issue",
        "risk:worklist:read",
    ),
    commands={
        "train": Command("tenants.risk.commands:train", "Train models on a tenant's records and promote the best."),
        "evaluate": Command("tenants.risk.commands:evaluate", "Measure the serving model on later time."),
        "score": Command("tenants.risk.commands:score", "Score everybody as of a day."),
        "explain": Command("tenants.risk.commands:explain", "Explain the risk of a patient."),
        "worklist": Command("tenants.risk.commands:worklist", "Issue the lists: at risk, and to be traced."),
        "model": Command(
            "tenants.risk.base.commands:model", "List models, show their cards, promote, compare and watch them."
        ),
    },
    settings={
        "risk": SettingsGroup(
            "tenants.risk.settings:RiskSettings", "Rules of training, and of how scores are shown.", "risk.settings"
        )
    },
    listeners={"tenant.restored": "tenants.risk.restored:tenant_restored"},
    retention={
        "predictions": RetentionRule(
            "tenants.risk.repository:delete_old_predictions",
            1095,
            "Scores of old dates. Issued lists keep their own ranks, scores and reasons.",
        ),
        "model_checks": RetentionRule(
            "tenants.risk.checks:delete_old",
            1095,
            "Measurements of drift, bias, features and parity of old days.",
        ),
    },
    events=RISK_TYPES,
    schedules=(
        # Off: an issued list is used to judge the model, so a partner decides that lists are issued unasked.
        Schedule(
            "risk.night",
            "0 2 * * *",
            "tenants.risk.night:enqueue_night",
            "Scores everybody, and issues the lists of the day.",
            active=False,
        ),
        Schedule(
            "risk.accuracy",
            "30 4 * * *",
            "tenants.risk.jobs:enqueue_measure",
            "Compares earlier predictions with what happened.",
        ),
        Schedule(
            "risk.watch",
            "0 5 * * *",
            "tenants.risk.watch:enqueue_watch",
            "Looks for drift and bias, and compares values online and offline.",
        ),
        Schedule(
            "risk.recalibrate",
            "0 3 * * 0",
            "tenants.risk.base.jobs:enqueue_recalibration",
            "Calibrates a base model on the outcomes of the partner, while one serves.",
        ),
    ),
    tags={
        "holdout": "The random hold-out from lists, and its ethics approval.",
        "risk": "Models, scores with reasons, and worklists.",
    },
)
