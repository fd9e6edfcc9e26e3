"""The acts of the audit in words, and who did them. The API and the audit's rows keep the codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from core.audit.service import declared_actions
from core.web.texts import gettext as _
from core.web.texts import marked, ngettext
from tenants.portal.admin_words import role_names

if TYPE_CHECKING:
    from collections.abc import Mapping

ACTS: Final[dict[str, str]] = {
    "absence:add": marked("Recorded that an officer is away"),
    "absence:remove": marked("Removed an absence"),
    "capacity:set": marked("Set the capacity of an officer"),
    "target:set": marked("Set a clinic's target"),
    "status:decide": marked("Verified or rejected a death or transfer"),
    "status:list": marked("Saw deaths and transfers to verify"),
    "status:propose": marked("Proposed a death or transfer"),
    "api_key:create": marked("Created an API key"),
    "api_key:revoke": marked("Revoked an API key"),
    "appointment:list": marked("Saw appointments"),
    "audit:read": marked("Read the audit"),
    "candidate:list": marked("Saw pairs that may be one person"),
    "candidate:merge": marked("Decided that a pair is one person"),
    "candidate:read": marked("Saw a pair that may be one person"),
    "candidate:refuse": marked("Decided that a pair is two people"),
    "candidate:undo": marked("Undid a decision on a pair"),
    "cohort:rebuild": marked("Counted all statuses again"),
    "contact:list": marked("Saw contacts"),
    "data_value_set:make": marked("Made a file for DHIS2"),
    "dispensation:list": marked("Saw refills"),
    "encounter:create": marked("Added an encounter"),
    "encounter:export": marked("Exported encounters"),
    "encounter:list": marked("Saw encounters"),
    "encounter:read": marked("Saw an encounter"),
    "encounter:update": marked("Changed an encounter"),
    "alert:acknowledge": marked("Acknowledged an alert"),
    "alert:assign": marked("Assigned an alert"),
    "alert:snooze": marked("Snoozed an alert"),
    "alert:resolve": marked("Resolved an alert"),
    "alert:reopen": marked("Opened an alert again"),
    "alert_silence:create": marked("Silenced alerts"),
    "alert_silence:end": marked("Ended a silence of alerts"),
    "on_call_override:create": marked("Put somebody on call for a time"),
    "on_call_override:remove": marked("Removed an override of an on-call rota"),
    "alert_rule:create": marked("Created a rule of alerts"),
    "alert_rule:change": marked("Changed a rule of alerts"),
    "alert_rule:remove": marked("Removed a rule of alerts"),
    "alert_route:create": marked("Created a route of alerts"),
    "alert_route:change": marked("Changed a route of alerts"),
    "alert_route:remove": marked("Removed a route of alerts"),
    "alert_policy:create": marked("Created an escalation policy"),
    "alert_policy:change": marked("Changed an escalation policy"),
    "alert_policy:remove": marked("Removed an escalation policy"),
    "on_call_rota:create": marked("Created an on-call rota"),
    "on_call_rota:change": marked("Changed an on-call rota"),
    "on_call_rota:remove": marked("Removed an on-call rota"),
    "encounter:void": marked("Voided an encounter"),
    "explanation:read": marked("Saw a patient's risk and its reasons"),
    "facility:create": marked("Added a facility"),
    "facility:update": marked("Changed a facility"),
    "file:delete": marked("Deleted a report"),
    "file:download": marked("Downloaded a report"),
    "file:request": marked("Asked for a report"),
    "effect:read": marked("Saw the effect report"),
    "holdout:approve": marked("Recorded the ethics approval of a hold-out"),
    "holdout:end": marked("Ended a hold-out"),
    "funnel:read": marked("Saw the funnel of follow-up"),
    "group:change": marked("Changed settings"),
    "indicator_people:read": marked("Saw the people behind a number"),
    "followup:learn": marked("Looked at what became of people"),
    "followup:share": marked("Shared out the lists"),
    "intervention:end": marked("Ended a planned intervention"),
    "intervention:list": marked("Saw interventions"),
    "intervention:plan": marked("Planned an intervention"),
    "intervention:read": marked("Saw an intervention"),
    "job:discard": marked("Discarded a failed job"),
    "job:retry": marked("Tried a failed job again"),
    "knowledge_document:add": marked("Added a guideline"),
    "knowledge_document:forget": marked("Removed a guideline"),
    "knowledge_facts:read": marked("Asked the guidelines about a patient"),
    "knowledge_question:feedback": marked("Said whether an answer helped"),
    "knowledge_question:handle": marked("Settled an open question"),
    "knowledge_source:fetch": marked("Fetched guidelines from a source"),
    "keys:rewrap": marked("Wrapped the keys of patients anew"),
    "model:evaluate": marked("Evaluated a model"),
    "model:train": marked("Trained a model"),
    "observation:create": marked("Added a test or measurement"),
    "observation:export": marked("Exported tests and measurements"),
    "observation:list": marked("Saw tests and measurements"),
    "observation:read": marked("Saw a test or measurement"),
    "observation:update": marked("Changed a test or measurement"),
    "observation:void": marked("Voided a test or measurement"),
    "observations:archive": marked("Archived old tests and measurements"),
    "observations:restore": marked("Brought tests and measurements back from the archive"),
    "operator:add": marked("Added an operator"),
    "operator:remove": marked("Removed an operator"),
    "origins:change": marked("Changed the sites that may call the API"),
    "attempt:list": marked("Saw attempts to reach patients"),
    "attempt:read": marked("Saw an attempt to reach a patient"),
    "attempt:record": marked("Recorded an attempt to reach a patient"),
    "attempt:undo": marked("Undid an attempt to reach a patient"),
    "patient:assign": marked("Assigned a patient"),
    "patient:unassign": marked("Ended the assignment of a patient"),
    "patient:create": marked("Added a patient"),
    "patient:erase": marked("Erased a person"),
    "patient:export": marked("Exported patients"),
    "patient:identity": marked("Saw the merges of a patient"),
    "patient:list": marked("Saw patients on a list or in a search"),
    "patient:merge": marked("Merged two records of one person"),
    "patient:read": marked("Opened a patient's record"),
    "patient:timeline": marked("Saw a patient's history"),
    "patient:unmerge": marked("Separated two merged records"),
    "patient:update": marked("Changed a patient"),
    "patient:versions": marked("Saw earlier versions of a patient"),
    "patient:void": marked("Voided a patient"),
    "patients:score": marked("Scored patients"),
    "person:add": marked("Invited a person"),
    "person:change": marked("Changed a person's roles or reach"),
    "person:deactivate": marked("Deactivated an account"),
    "person:end_session": marked("Ended a session"),
    "person:link": marked("Made a link to a password"),
    "person:link_use": marked("Used a link to a password"),
    "person:list": marked("Saw the partner's people"),
    "person:password_set": marked("Set a password"),
    "person:reactivate": marked("Reactivated an account"),
    "person:recovery_codes": marked("Made new recovery codes"),
    "person:remove": marked("Removed a person"),
    "person:revoke_links": marked("Revoked links to a password"),
    "person:second_factor_fail": marked("Gave a wrong code"),
    "person:second_factor_remove": marked("Removed the second factor"),
    "person:second_factor_reset": marked("Reset a person's second factor"),
    "person:second_factor_set": marked("Set up a second factor"),
    "person:sign_in": marked("Signed in"),
    "person:sign_in_fail": marked("Failed to sign in"),
    "person:sign_out": marked("Signed out"),
    "person:switch_tenant": marked("Went to another partner"),
    "phone:correct": marked("Corrected a phone number"),
    "phone:restore": marked("Brought an earlier phone number back"),
    "prediction:read": marked("Saw scores of patients"),
    "quality:link": marked("Searched for people recorded twice"),
    "quality:report": marked("Made a report on the quality of records"),
    "plugin:address": marked("Saw the address for a plugin's vendor"),
    "plugin:allow": marked("Allowed a plugin for the partner"),
    "plugin:change": marked("Changed a plugin's settings"),
    "plugin:create": marked("Set up a plugin"),
    "plugin:disable": marked("Switched a plugin off"),
    "plugin:enable": marked("Switched a plugin on"),
    "plugin:forbid": marked("Forbade a plugin for the partner"),
    "plugin:remove": marked("Removed a plugin"),
    "plugin:rotate": marked("Replaced the address for a plugin's vendor"),
    "plugin:test": marked("Tested a plugin"),
    "radet_disagreements:read": marked("Saw where a list and the records disagree"),
    "records:cancel": marked("Cancelled an import"),
    "records:fail": marked("An import failed"),
    "records:finish": marked("An import ended"),
    "records:start": marked("Started an import"),
    "records:undo": marked("Started to undo an import"),
    "records:undone": marked("An import was undone"),
    "rejections:read": marked("Saw the rejected rows of an import"),
    "report_file:mail": marked("Sent a letter about a report"),
    "report_file:make": marked("Made a report"),
    "report_file:skip": marked("Left out a scheduled report"),
    "report:patient:read": marked("Wrote patients into a report"),
    "retention:run": marked("Deleted old rows"),
    "role:change": marked("Changed a role"),
    "role:create": marked("Added a role"),
    "role:delete": marked("Deleted a role"),
    "schedule:create": marked("Scheduled a report"),
    "schedule:delete": marked("Deleted the schedule of a report"),
    "schedule:stop": marked("Stopped the schedule of a report"),
    "sso:break_glass": marked("Signed in with a password while the provider is required"),
    "sso:change": marked("Changed the sign-in by the partner's provider"),
    "sso:log_out": marked("Was signed out by the provider"),
    "sso:reject": marked("Was rejected at the sign-in by the provider"),
    "sso:remove": marked("Removed the sign-in by the partner's provider"),
    "sso_domain:add": marked("Claimed a domain"),
    "sso_domain:lose": marked("Lost a domain"),
    "sso_domain:prove": marked("Proved a domain"),
    "sso_domain:remove": marked("Removed a domain"),
    "status:read": marked("Saw a patient's status"),
    "tenant:create": marked("Created the partner"),
    "tenant:delete": marked("Deleted the partner"),
    "tenant:export": marked("Exported the partner's archive"),
    "tenant:import_archive": marked("Brought the partner's archive in"),
    "tenant:move": marked("Moved the partner to another database"),
    "tenant:purge": marked("Purged the partner's data"),
    "tenant:restore": marked("Restored the partner"),
    "tenant:resume": marked("Resumed the partner"),
    "tenant:suspend": marked("Suspended the partner"),
    "tenant:undelete": marked("Undid the deletion of the partner"),
    "today:read": marked("Saw people on Today"),
    "visit:create": marked("Added a visit"),
    "visit:export": marked("Exported visits"),
    "visit:list": marked("Saw visits"),
    "visit:read": marked("Saw a visit"),
    "visit:update": marked("Changed a visit"),
    "visit:void": marked("Voided a visit"),
    "webhook:change": marked("Changed a webhook"),
    "webhook:create": marked("Added a webhook"),
    "webhook:disable": marked("Stopped a webhook"),
    "webhook:enable": marked("Started a webhook again"),
    "webhook:remove": marked("Removed a webhook"),
    "webhook:resend": marked("Sent events to a webhook again"),
    "webhook:rotate": marked("Made a new secret for a webhook"),
    "worklist:issue": marked("Issued a list"),
    "worklist:read": marked("Saw people on a list"),
}
"""``subject:action`` of a code, whatever its source -> what was done; a whole code where the source matters."""

SOURCES: Final[dict[str, str]] = {
    "api": marked("through the API"),
    "cli": marked("at the command line"),
    "job": marked("in the background"),
    "system": marked("by the platform"),
}
"""Source of a code -> how it was done. Acts on pages and of single rooms need no word."""

SUBJECTS: Final[dict[str, str]] = {
    "api_key": marked("API key"),
    "attempt": marked("Attempt"),
    "audit": marked("Audit"),
    "cohort": marked("Statuses"),
    "encounter": marked("Encounter"),
    "facility": marked("Facility"),
    "import": marked("Import"),
    "job": marked("Job"),
    "knowledge_document": marked("Guideline"),
    "knowledge_question": marked("Question"),
    "linkage_candidate": marked("Pair"),
    "model": marked("Model"),
    "observation": marked("Test or measurement"),
    "patient": marked("Patient"),
    "person": marked("Person"),
    "plugin_instance": marked("Plugin"),
    "report_file": marked("Report"),
    "report_schedule": marked("Schedule"),
    "retention": marked("Old rows"),
    "role": marked("Role"),
    "score_run": marked("Scoring"),
    "settings": marked("Settings"),
    "sso": marked("Sign-in by a provider"),
    "tenant": marked("Partner"),
    "visit": marked("Visit"),
    "webhook": marked("Webhook"),
    "worklist": marked("List"),
}
"""Kind of a subject -> how pages call it."""


DETAILS: Final[dict[str, str]] = {
    "as_of": marked("day"),
    "capacity": marked("capacity"),
    "entries": marked("people on it"),
    "fields": marked("fields"),
    "identities": marked("with names"),
    "outcome": marked("outcome"),
    "person": marked("person"),
    "purpose": marked("purpose"),
    "reason": marked("reason"),
    "roles": marked("roles"),
}
"""Name of a detail -> what pages call it."""


def act_words(action: str) -> str:
    """What was done, in words; the code of an act that no installed feature declares any more."""
    name = act_of(action)
    return _(ACTS[name]) if name in ACTS else action


def act_of(action: str) -> str:
    """The name in ``ACTS`` of an act.

    >>> act_of("cli:person:add"), act_of("report:patient:read")
    ('person:add', 'report:patient:read')
    """
    return action if action in ACTS else action.partition(":")[2]


def source_words(action: str) -> str:
    """How it was done, in words; empty for acts on pages."""
    source = action.partition(":")[0]
    return _(SOURCES[source]) if source in SOURCES else ""


def act_choices() -> list[tuple[str, str]]:
    """The acts to choose from: name in ``ACTS``, and words; by their words."""
    names = {act_of(action) for action in declared_actions()}
    return sorted(((name, _(ACTS[name]) if name in ACTS else name) for name in names), key=lambda choice: choice[1])


def actions_of(act: str) -> list[str]:
    """The codes of an act, which may be a code itself."""
    return (
        [act] if act.count(":") > 1 and act not in ACTS else sorted(a for a in declared_actions() if act_of(a) == act)
    )


def subject_words(kind: str) -> str:
    """How pages call a kind of subject."""
    return _(SUBJECTS[kind]) if kind in SUBJECTS else kind.replace("_", " ").capitalize()


def records_words(kind: str, count: int) -> str:
    """The number of records that one look concerned, in words."""
    if kind == "patient":
        return ngettext("{count} patient", "{count} patients", count)
    return ngettext("{count} record", "{count} records", count)


def details_words(detail: Mapping[str, object] | None, names: Mapping[str, str]) -> str:
    """The details of an event in words, without the identifiers of lists, which say nothing to a reader.

    Args:
        detail: name -> value.
        names: actor -> name.
    """
    shown = []
    for name, value in (detail or {}).items():
        if name == "worklist":
            continue
        if isinstance(value, bool):
            text = _("yes") if value else _("no")
        elif name == "roles" and isinstance(value, list):
            text = role_names(map(str, value))
        elif isinstance(value, list):
            text = ", ".join(map(str, value))
        else:
            text = names.get(f"{name}:{value}", "-" if value is None else str(value))
        label = _(DETAILS[name]) if name in DETAILS else name.replace("_", " ")
        shown.append(f"{label}: {text}")
    return " · ".join(shown)
