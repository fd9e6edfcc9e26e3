"""Texts of the pages of single sign-on."""

from core.web.texts import gettext as _
from core.web.texts import marked

REASONS = {
    "unknown": (
        marked("Your partner has no sign-in of its own for this address."),
        marked("Sign in with your password, or ask your administrator."),
    ),
    "expired": (
        marked("This sign-in was begun in another browser, was used already, or took too long."),
        marked("Begin again at the sign-in page."),
    ),
    "declined": (
        marked("Your partner's sign-in did not let you in."),
        marked("Begin again, or ask whoever runs it at your partner."),
    ),
    "provider": (
        marked("Your partner's sign-in does not answer as it should."),
        marked("Try again. If it stays so, ask your administrator to test it."),
    ),
    "token": (
        marked("The answer of your partner's sign-in is not valid."),
        marked("Begin again. If it stays so, ask your administrator to test it."),
    ),
    "unverified": (
        marked("Your partner's sign-in does not say that it has verified your e-mail address."),
        marked("Ask whoever runs it at your partner to verify your address."),
    ),
    "domain": (
        marked("Your partner has not proved the domain of your e-mail address."),
        marked("Ask your administrator to invite you, or to prove the domain."),
    ),
    "no_role": (marked("Your partner's sign-in names no role for you."), marked("Ask your administrator for a role.")),
    "removed": (marked("You were removed from this partner."), marked("Ask your administrator to invite you again.")),
    "account": (marked("This account cannot be used to sign in."), marked("Ask your administrator.")),
    "other_identity": (
        marked("Somebody else at your partner uses this account already."),
        marked("Ask your administrator to remove the account, and to invite you again."),
    ),
}
"""Reason of a rejection -> what is wrong, and what to do; the same keys as ``core.identity.oidc.errors.REASONS``."""

CHECKS = {
    "address": marked("The address of the issuer"),
    "algorithms": marked("How the provider signs"),
    "client": marked("Client id and secret"),
    "clock": marked("The clocks"),
    "connection": marked("The connection"),
    "discovery": marked("What the provider says of itself"),
    "domains": marked("Your domains"),
    "issuer": marked("The name of the issuer"),
    "keys": marked("The provider's keys"),
    "redirect_address": marked("The redirect address"),
}
"""Check of the test -> what it is called."""


FIELDS = {
    "issuer": marked("Issuer"),
    "client_id": marked("Client id"),
    "client_secret": marked("Client secret"),
    "roles_claim": marked("Claim with roles"),
    "role_mapping": marked("Roles"),
    "default_role": marked("Role of everybody else"),
    "break_glass_person_id": marked("Break-glass account"),
    "enforced": marked("Enforced"),
    "domain": marked("Domain of e-mail addresses"),
}
"""Field of the provider or of a domain -> what it is called."""


def field_name(field: str) -> str:
    """What a field is called, in the reader's language."""
    return _(FIELDS[field]) if field in FIELDS else field


def reason_of(reason: str) -> tuple[str, str]:
    """The problem and the remedy, in the reader's language."""
    detail, remedy = REASONS[reason]
    return _(detail), _(remedy)


def check_name(check: str) -> str:
    """The name of a check, in the reader's language."""
    return _(CHECKS[check]) if check in CHECKS else check
