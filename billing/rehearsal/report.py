"""Compares what was invoiced with the oracle, and every document with itself."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from sqlalchemy import text
from sqlmodel import col, select

from billing.invoices.checking import COMPUTED, recompute
from billing.invoices.credits import credits_of
from billing.invoices.models import Invoice, InvoiceLine
from billing.rehearsal.oracle import expected_totals, gaps
from billing.terms import exponent
from core.database import platform_session

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlmodel import Session

    from billing.rehearsal.scripts import Script
    from billing.rehearsal.simulation import Simulation
    from core.database import TenantRef

_SERIES = text(
    "SELECT series, array_agg(number ORDER BY number) FROM platform.invoices WHERE number > 0 GROUP BY series"
)


def report(simulation: Simulation) -> dict[str, Any]:
    """Return the figures of a rehearsal, with ``differences``: how many sums, numbers or documents are wrong."""
    problems: list[str] = []
    figures: dict[str, int] = defaultdict(int)
    with platform_session() as session:
        for ref, script in simulation.partners:
            problems.extend(_of_partner(session, ref, script, figures))
        for series, numbers in session.execute(_SERIES).all():
            problems.extend(f"{series}: the numbers are wrong at {number}" for number in gaps(numbers))
    return {
        "tenants": len(simulation.partners),
        "events": simulation.counts["events"],
        "conflicts": simulation.counts["conflicts"],
        "corrections": simulation.counts["corrections"],
        "batches": simulation.counts["batches"],
        "kills": simulation.kills.count,
        **figures,
        "differences": len(problems),
        "problems": problems[:20],
    }


def _of_partner(session: Session, ref: TenantRef, script: Script, figures: dict[str, int]) -> Iterator[str]:
    documents = session.exec(
        select(Invoice).where(Invoice.tenant_id == ref.id, Invoice.state != "void").order_by(col(Invoice.id))
    ).all()
    invoiced: dict[str, Fraction] = defaultdict(Fraction)
    for document in documents:
        lines = session.exec(select(InvoiceLine).where(InvoiceLine.invoice_id == document.id)).all()
        figures[{"invoice": "invoices", "late_use": "late_use_invoices"}.get(document.kind, "credit_notes")] += 1
        figures["lines"] += len(lines)
        figures["late_lines"] += sum(line.kind == "late_use" for line in lines)
        for problem in _of_document(session, document, lines, script):
            yield f"{script.number}: {document.label}, from {document.period_start}: {problem}"
        if document.kind != "credit_note":
            invoiced[document.currency] += sum(Fraction(line.amount) for line in lines if line.kind in COMPUTED)
    expected = expected_totals(script)
    for currency in sorted({*expected, *invoiced}):
        if expected.get(currency, Fraction(0)) != invoiced[currency]:
            yield (
                f"{script.number}: invoiced {currency} {float(invoiced[currency])},"
                f" owed {float(expected.get(currency, Fraction(0)))}"
            )
    for state in credits_of(session, ref.id):
        figures["credits"] += 1
        if not 0 <= state.left <= state.credit.amount:
            yield f"{script.number}: a credit was used for more than its amount"


def _of_document(session: Session, document: Invoice, lines: Sequence[InvoiceLine], script: Script) -> Iterator[str]:
    if document.state == "draft":
        yield "still a draft"
    if sum((line.amount for line in lines), document.total * 0) != document.total:
        yield "not the sum of its lines"
    if document.kind == "credit_note":
        return
    rate = Fraction(0) if script.exemption else Fraction(script.tax_rate)
    smallest = Fraction(1, 10 ** exponent(document.currency))
    if abs(Fraction(document.tax) - Fraction(document.subtotal) * rate / 100) * 2 > smallest:
        yield "the tax is wrong"
    if not recompute(session, document).is_same:
        yield "not the same when it is computed again"
