"""Words of the pages about plugins and channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from core.plugins import confinement
from core.plugins.kinds import KINDS
from core.web.texts import gettext as _
from core.web.texts import marked
from tenants.portal.plugin_texts import plugin_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.plugins.catalogue import InstalledPlugin, Offer
    from core.plugins.instance_models import PluginInstance
    from plugins.sdk import Outcome

KIND_NAMES: Final = {
    "alert-channel": marked("Alert channels"),
    "sms-gateway": marked("SMS gateways"),
    "importer": marked("Importers"),
    "event-listener": marked("Event listeners"),
    "rag-source": marked("Knowledge sources"),
}
ONE_OF_KIND: Final = {
    "alert-channel": marked("Alert channel"),
    "sms-gateway": marked("SMS gateway"),
    "importer": marked("Importer"),
    "event-listener": marked("Event listener"),
    "rag-source": marked("Knowledge source"),
}
KIND_USES: Final = {
    "alert-channel": marked("They carry alerts to the people on duty."),
    "sms-gateway": marked("They carry messages to patients and staff."),
    "importer": marked("They fetch records from another system."),
    "event-listener": marked("They tell another system what happens here."),
    "rag-source": marked("They fetch documents that answers can quote."),
}
STATES: Final = {
    "ready": marked("Ready"),
    "failing": marked("Failing"),
    "disabled": marked("Switched off"),
    "missing": marked("Plugin missing"),
    "needs-secrets": marked("Needs its secrets"),
}
LEVELS: Final = {"ready": "low", "failing": "high", "disabled": "", "missing": "high", "needs-secrets": "medium"}
STATE_MEANINGS: Final = {
    "failing": marked("It fails again and again. The platform goes on trying, and raises an alert."),
    "missing": marked(
        "The operator has removed its plugin or no longer allows it, or it is broken. Nothing is sent through it."
    ),
    "needs-secrets": marked("It came with a restored partner, without its secrets. Type them, then switch it on."),
    "disabled": marked("Nothing is sent through it until you switch it on."),
}
INSTALLED_STATES: Final = {
    "ready": marked("Ready"),
    "broken": marked("Broken"),
    "other-version": marked("Made for another version"),
    "not-confined": marked("May not run here"),
}
REASONS: Final = {
    "plugin_failed": marked("the plugin itself failed"),
    "plugin_busy": marked("too many calls of the plugin are under way"),
    "plugin_missing": marked("the plugin is not installed"),
    "too_many_requests": marked("the plugin asked for too many requests"),
    "rate_limited_here": marked("the limit of requests a minute is reached"),
    "rate_limited": marked("the receiver asked to slow down"),
    "no_connection": marked("the receiver cannot be reached"),
    "timeout": marked("the receiver did not answer in time"),
    "bad_answer": marked("the receiver gave an answer that cannot be read"),
    "too_large": marked("the receiver's answer was too large"),
    "server_error": marked("the receiver had an error of its own"),
    "host_not_allowed": marked("the plugin may not speak to this address"),
    "address_not_allowed": marked("the address may not be called"),
    "access_denied": marked("the receiver did not accept the secret"),
    "BreakerOpen": marked("it failed so often that it rests for a while"),
    "BulkheadFull": marked("too many requests are under way"),
    "DeadlinePassed": marked("the time for the request was over"),
    "disabled": marked("it is switched off"),
    "mail_not_configured": marked("the operator has set up no e-mail"),
    "secrets_missing": marked("its secrets are missing"),
}
"""Codes of the platform -> what pages say. Other codes are those of a receiver, and stay as they are."""
OUTCOMES: Final = {
    "sent": marked("The test arrived"),
    "retry": marked("The test did not arrive now"),
    "failed": marked("The test failed"),
    "unknown": marked("Nobody knows whether the test arrived"),
}
OUTCOME_LEVELS: Final = {"sent": "success", "retry": "warning", "failed": "danger", "unknown": "warning"}
DONE: Final = {
    "added": marked("The plugin is set up. Send a test to see whether it works."),
    "changed": marked("The changes are saved."),
    "enabled": marked("It is switched on."),
    "disabled": marked("It is switched off."),
    "removed": marked("It is removed, with its secrets."),
}
TESTS: Final = {
    "alert-channel": marked("It sends an alert that says it is a test, and resolves it."),
    "sms-gateway": marked("It sends an SMS that says it is a test. Your gateway may charge for it."),
    "event-listener": marked("It sends an event that says it is a test."),
    "importer": marked("It asks the plugin where to look. No record is fetched."),
    "rag-source": marked("It asks the plugin where to look. No document is fetched."),
}
TAKES_REQUESTS: Final = ("alert-channel", "sms-gateway")
"""Kinds whose vendors send requests to the platform."""


@dataclass(frozen=True, slots=True)
class OfferCard:
    """One offer of an installed plugin, as the page shows it.

    Attributes:
        offer: the offer.
        title: its name in the reader's language.
        origin: who made it.
        rights: what its code can reach.
        used: number of the partner's instances of it.
    """

    offer: Offer
    title: str
    origin: str
    rights: str
    used: int


def offer_cards(
    plugins: Sequence[InstalledPlugin], rows: Sequence[PluginInstance]
) -> Mapping[str, Sequence[OfferCard]]:
    """Return what the plugins that are ready offer, by kind in the order of ``KINDS``."""
    cards: dict[str, list[OfferCard]] = {kind: [] for kind in KINDS}
    for plugin in plugins:
        for offer in plugin.offers:
            used = sum((row.kind, row.plugin) == (offer.kind, offer.name) for row in rows)
            title = plugin_text(offer.title)
            cards[offer.kind].append(OfferCard(offer, title, origin_words(plugin), rights_words(plugin), used))
    return {kind: sorted(each, key=lambda card: card.title.casefold()) for kind, each in cards.items() if each}


def models_of(plugins: Sequence[InstalledPlugin]) -> list[tuple[InstalledPlugin, str, str]]:
    """Return the plugins that offer nothing to set up, which are models: each with its origin and rights."""
    return [
        (plugin, origin_words(plugin), rights_words(plugin))
        for plugin in plugins
        if plugin.state == "ready" and not plugin.offers
    ]


def origin_words(plugin: InstalledPlugin) -> str:
    """Return who made a plugin, with the version of its package."""
    if plugin.first_party:
        return _("Comes with the platform, {version}").format(version=plugin.version)
    package = f"{plugin.distribution} {plugin.version}".strip()
    return _("Installed by the operator: {package}").format(package=package or plugin.name)


def rights_words(plugin: InstalledPlugin) -> str:
    """Return what the code of a plugin can reach."""
    if plugin.first_party:
        return _("Part of the platform")
    if confinement.gaps():
        return _("Not fully confined on this system; the operator trusts it")
    return _("Confined: it reads no file and reaches no network")


def reason_words(code: str | None) -> str:
    """Return why something failed: in words if the platform knows the code, else the code."""
    return _(REASONS[code]) if code in REASONS else (code or "")


def outcome_title(outcome: Outcome) -> str:
    """Return what became of a test."""
    return _(OUTCOMES[outcome.state])


def setting_words(value: object) -> str:
    """Return the value of a setting that is no secret, for who reads it."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list):
        return ", ".join(map(str, value)) or _("none")
    if isinstance(value, dict):
        return ", ".join(f"{name} = {text}" for name, text in value.items()) or _("none")
    return str(value) or _("none")
