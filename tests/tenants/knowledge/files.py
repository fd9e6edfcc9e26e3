"""Small documents of each kind, written in the test."""

from __future__ import annotations

import io

import docx


def markdown(*paragraphs, title="Return to care"):
    """A document in Markdown with one heading."""
    return ("\n\n".join((f"# {title}", *paragraphs)) + "\n").encode()


def word(*paragraphs, title="Return to care", table=()):
    """A document of Word with a heading, paragraphs and a table."""
    document = docx.Document()
    document.add_heading(title, 1)
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    if table:
        written = document.add_table(len(table), len(table[0]))
        for row, cells in zip(written.rows, table, strict=True):
            for cell, text in zip(row.cells, cells, strict=True):
                cell.text = text
    content = io.BytesIO()
    document.save(content)
    return content.getvalue()


def page(*paragraphs, title="Return to care"):
    """A page of the web with a menu, a heading and paragraphs."""
    body = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    return (
        f"<!doctype html><html><head><title>{title}</title></head><body><nav><a href='/'>Menu</a></nav>"
        f"<article><h1>{title}</h1>{body}</article></body></html>"
    ).encode()


def pdf(*pages):
    """A PDF: the first line of each page is in large letters. Without lines it is like a scan."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", "", "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for lines in pages:
        content = "".join(
            f"BT /F1 {24 if number == 0 else 11} Tf 72 {700 - 40 * number} Td ({line}) Tj ET\n"
            for number, line in enumerate(lines)
        )
        objects.append(f"<< /Length {len(content)} >>\nstream\n{content}endstream")
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {len(objects)} 0 R"
            " /Resources << /Font << /F1 3 0 R >> >> >>"
        )
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    written, places = b"%PDF-1.4\n", []
    for number, text in enumerate(objects, 1):
        places.append(len(written))
        written += f"{number} 0 obj\n{text}\nendobj\n".encode()
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    end = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>"
    return written + f"{end}\nstartxref\n{len(written)}\n%%EOF\n".encode()
