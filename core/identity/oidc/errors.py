"""Errors of signing in by a provider. They say what is wrong without anything that the provider sent."""

from typing import Final

from core.errors import Forbidden

REASONS: Final[dict[str, tuple[str, str]]] = {
    "unknown": (
        "there is no single sign-on for this address",
        "Sign in with your password, or ask your administrator.",
    ),
    "expired": (
        "this sign-in was begun in another browser, was used already, or took too long",
        "Begin again at the sign-in page.",
    ),
    "declined": ("your provider did not sign you in", "Begin again, or ask whoever runs your provider."),
    "provider": (
        "your provider does not answer as it should",
        "Try again. If it stays so, ask your administrator to test the single sign-on.",
    ),
    "token": (
        "the answer of your provider is not valid",
        "Begin again. If it stays so, ask your administrator to test the single sign-on.",
    ),
    "unverified": (
        "your provider does not say that it has verified your e-mail address",
        "Ask whoever runs your provider to verify it.",
    ),
    "domain": (
        "your e-mail address is of a domain that your partner has not proved",
        "Ask your administrator to invite you, or to prove the domain.",
    ),
    "no_role": ("your provider names no role for you here", "Ask your administrator for a role."),
    "removed": ("you were removed from this partner", "Ask your administrator to invite you again."),
    "account": ("this account cannot be used to sign in", "Ask your administrator."),
    "other_identity": (
        "another person of your provider uses this account already",
        "Ask your administrator to remove the account and to invite you again.",
    ),
}
"""Reason -> what is wrong, and what to do."""


class SignInRejected(Forbidden):
    """A provider's sign-in begins no session.

    Args:
        reason: a key of ``REASONS``.
        check: what failed in particular, for the audit; never anything that the provider sent.
    """

    def __init__(self, reason: str, check: str | None = None) -> None:
        detail, remedy = REASONS[reason]
        super().__init__(detail, remedy=remedy)
        self.reason = reason
        self.check = check
