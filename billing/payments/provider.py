"""Payment providers: what the rest of the platform may ask of one, whoever it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from billing.payments.client import enabled
from billing.payments.link import Link
from billing.plans.service import get_account
from core.database import platform_session
from core.errors import Conflict, phrase

if TYPE_CHECKING:
    from uuid import UUID


class Provider(Protocol):
    """A way in which money comes in.

    Its methods call other servers, so no transaction may be open.
    """

    name: str

    def payment_link(self, invoice_id: UUID, *, return_url: str) -> Link | None:
        """Return the page on which an issued invoice can be paid; None if it is paid by bank transfer.

        Raises:
            NotFound: there is no such invoice.
            Conflict: nothing of it is owed, or a payment is on its way.
            Unavailable: the provider does not answer.
        """
        ...

    def portal_link(self, tenant_id: UUID, *, return_url: str) -> Link | None:
        """Return the page on which a partner sees its payments; None if the provider has none.

        Raises:
            Conflict: the provider does not know the partner yet.
            Unavailable: the provider does not answer.
        """
        ...


class Manual:
    """Bank transfer: an operator records each payment with the bank's reference. The default."""

    name = "manual"

    def payment_link(self, invoice_id: UUID, *, return_url: str) -> Link | None:  # noqa: ARG002 - the protocol's
        """Return None: the invoice says how to pay."""
        return None

    def portal_link(self, tenant_id: UUID, *, return_url: str) -> Link | None:  # noqa: ARG002 - the protocol's
        """Return None: there is no such page."""
        return None


def provider_of(tenant_id: UUID) -> Provider:
    """Return the provider of a partner's account.

    Raises:
        NotFound: the partner has no account.
        Conflict: its account is of Stripe, and this installation is not.
    """
    with platform_session() as session:
        name = get_account(session, tenant_id).provider
    if name == Manual.name:
        return Manual()
    if not enabled():
        detail = phrase("the partner pays by {provider}, which this installation does not use", provider=name)
        raise Conflict(detail, remedy="Set IIT_STRIPE_KEY, or change the provider of the account to manual.")
    from billing.payments.links import Stripe

    return Stripe()


def invoice_link(invoice_id: UUID, *, return_url: str) -> Link | None:
    """Return the page on which an invoice can be paid; None if it is paid by bank transfer.

    Raises:
        NotFound, Conflict, Unavailable: see ``Provider.payment_link``.
    """
    from billing.invoices.payments import find_invoice

    with platform_session() as session:
        tenant_id = find_invoice(session, invoice_id).tenant_id
    return provider_of(tenant_id).payment_link(invoice_id, return_url=return_url)
