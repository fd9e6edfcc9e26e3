"""Invoices and credit notes as PDF and CSV."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from decimal import Decimal
from io import StringIO
from typing import TYPE_CHECKING, Final

from billing.invoices.computing import stored_lines
from billing.invoices.models import Invoice, InvoiceLine
from billing.terms import Period, exponent
from core.web.typesetting import plain, typeset

if TYPE_CHECKING:
    from sqlmodel import Session

_SOURCE: Final = """
#let doc = json("report.json")
#set document(title: doc.title)
#set page(paper: "a4", margin: 2cm, numbering: "1 / 1")
#set text(size: 9pt, lang: "en")
#grid(columns: (1fr, 1fr), gutter: 1cm,
  [#for line in doc.issuer [#line \\ ]],
  align(right)[#text(size: 16pt, weight: "bold")[#doc.title] \\ #for line in doc.facts [#line \\ ]],
)
#v(0.6cm)
#for line in doc.recipient [#line \\ ]
#v(0.6cm)
#show table.cell.where(y: 0): strong
#table(
  columns: (1fr, auto, auto, auto),
  align: (left, left, right, right),
  stroke: (x, y) => (bottom: 0.4pt + gray),
  inset: 4pt,
  table.header("Description", "Days", "Quantity", doc.currency),
  ..doc.lines.flatten()
)
#align(right)[
  #for (name, amount) in doc.totals [#name: #h(0.5cm) #amount \\ ]
  #text(size: 12pt, weight: "bold")[Total #doc.currency #doc.total]
]
#v(0.6cm)
#for line in doc.notes [#line \\ ]
"""

COLUMNS: Final = (
    "number", "line", "kind", "description", "code", "meter", "aggregation", "quantity", "first_day", "last_day",
    "days", "of_days", "currency", "amount",
)  # fmt: skip

_TITLES: Final = {"invoice": "Invoice", "late_use": "Invoice for late use", "credit_note": "Credit note"}


@dataclass(frozen=True, slots=True)
class Document:
    """A stored invoice or credit note with its lines, and the number of the invoice that it corrects."""

    invoice: Invoice
    lines: tuple[InvoiceLine, ...]
    corrects: str | None = None

    @property
    def title(self) -> str:
        """Such as ``Invoice INV-2027-000001``."""
        return f"{_TITLES[self.invoice.kind]} {self.invoice.label}"


def document_of(session: Session, invoice: Invoice) -> Document:
    """Return a document with its lines."""
    corrected = None if invoice.corrects is None else session.get_one(Invoice, invoice.corrects).label
    return Document(invoice, tuple(stored_lines(session, invoice.id)), corrected)


def invoice_csv(document: Document) -> str:
    """Return the lines of a document as CSV in UTF-8, with a header; amounts have a point as decimal mark."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for line in document.lines:
        days = _days(line)
        writer.writerow(
            [
                document.invoice.label,
                line.position,
                line.kind,
                _inert(line.description),
                line.code or "",
                line.meter or "",
                line.aggregation or "",
                _number(line.quantity),
                days.start if days else "",
                days.last if days else "",
                line.days or "",
                line.of_days or "",
                document.invoice.currency,
                f"{line.amount:f}",
            ]
        )
    return out.getvalue()


def invoice_pdf(document: Document) -> bytes:
    """Return a document as PDF. A draft says so in place of its number."""
    invoice, account = document.invoice, document.invoice.account
    decimals = exponent(invoice.currency)
    content: dict[str, object] = {
        "title": document.title,
        "currency": invoice.currency,
        "issuer": [plain(line) for line in invoice.issuer.get("lines", [])],
        "recipient": _texts(
            account.get("legal_name"),
            *str(account.get("address") or "").splitlines(),
            _labelled("Tax number", account.get("tax_id")),
            _labelled("Purchase order", account.get("purchase_order")),
        ),
        "facts": _facts(document),
        "lines": [_cells(line, decimals) for line in document.lines if line.kind != "tax"],
        "totals": _totals(document, decimals),
        "total": f"{invoice.total:,.{decimals}f}",
        "notes": _texts(
            _labelled("No tax", account.get("tax_exemption")),
            invoice.reason,
            *invoice.issuer.get("payment", []),
        ),
    }
    return typeset(_SOURCE, content)


def _facts(document: Document) -> list[str]:
    invoice = document.invoice
    days = Period(invoice.period_start, invoice.period_end)
    return _texts(
        _labelled("Issued", invoice.issued_on),
        _labelled("Due", invoice.due_on),
        f"Period: {days.start} to {days.last}",
        _labelled("Corrects", document.corrects),
        "Void" if invoice.state == "void" else None,
    )


def _cells(line: InvoiceLine, decimals: int) -> list[str]:
    days = _days(line)
    steps = [
        f"{_plain_number(step['quantity'])} x {_plain_number(step['unit_price'])}"
        + (f" + {_plain_number(step['flat'])}" if Decimal(step["flat"]) else "")
        for step in line.steps
    ]
    return [
        plain(line.description) + (", late use" if line.kind == "late_use" else ""),
        f"{days.start} to {days.last}" if days else "",
        "; ".join(steps) or _number(line.quantity),
        f"{line.amount:,.{decimals}f}",
    ]


def _totals(document: Document, decimals: int) -> list[list[str]]:
    taxes = [line for line in document.lines if line.kind == "tax"]
    if not taxes:
        return []
    rows = [["Subtotal", f"{document.invoice.subtotal:,.{decimals}f}"]]
    return [*rows, *([plain(line.description), f"{line.amount:,.{decimals}f}"] for line in taxes)]


def _texts(*texts: object) -> list[str]:
    return [plain(str(text)) for text in texts if text]


def _labelled(label: str, value: object) -> str | None:
    return f"{label}: {value}" if value else None


def _days(line: InvoiceLine) -> Period | None:
    return None if line.start is None or line.end is None else Period(line.start, line.end)


def _number(quantity: Decimal | None) -> str:
    return "" if quantity is None else _plain_number(f"{quantity:f}")


def _plain_number(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def _inert(text: str) -> str:
    """Return a text that no spreadsheet runs as a formula."""
    return f"'{text}" if text[:1] in "=+-@\t\r" else text
