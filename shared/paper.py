"""Sets sheets of paper as a PDF: selectable text, and the same words give the same bytes."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from xml.sax.saxutils import escape

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import LETTER
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import inch
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, PageBreak, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

SIZE = 10.0
"""Points of the text."""
INK, RULE, SHADE = HexColor("#1f2933"), HexColor("#9aa5b1"), HexColor("#eef1f4")
WIDTH = LETTER[0] - 2 * inch


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a paper: what stands under a heading.

    pairs   (label, value) lines; `texts` paragraphs; `items` a list; `rows` a table whose first row is its head.
    apart   whether it begins a sheet of its own; `title` whether its heading is that of the whole sheet.
    """

    heading: str = ""
    pairs: Sequence[tuple[str, str]] = ()
    texts: Sequence[str] = ()
    items: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    apart: bool = False
    title: bool = False


def sheets(title: str, author: str, number: str, parts: Sequence[Part]) -> bytes:
    """The parts on as many letter-size sheets as they need, each with `number` and its page at the foot."""
    file = BytesIO()
    paper = SimpleDocTemplate(
        file, pagesize=LETTER, leftMargin=inch, rightMargin=inch, topMargin=0.8 * inch, bottomMargin=0.9 * inch,
        title=plain(title), author=plain(author), subject=plain(number), lang="en-US", invariant=1, pageCompression=0,
    )  # fmt: skip

    def foot(canvas: Canvas, sheet: SimpleDocTemplate) -> None:
        canvas.setFont("Helvetica", 7.5)
        canvas.setFillColor(INK)
        canvas.drawString(inch, 0.55 * inch, plain(number))
        canvas.drawRightString(LETTER[0] - inch, 0.55 * inch, f"Sheet {sheet.page}")

    paper.build([flowable for part in parts for flowable in _set(part)], onFirstPage=foot, onLaterPages=foot)
    return file.getvalue()


TEXT = ParagraphStyle("text", fontName="Helvetica", fontSize=SIZE, leading=SIZE * 1.35, textColor=INK)
CELL = ParagraphStyle("cell", parent=TEXT, fontSize=SIZE * 0.85, leading=SIZE * 1.1)
HEAD = ParagraphStyle("head", parent=TEXT, fontName="Helvetica-Bold", spaceBefore=SIZE, spaceAfter=SIZE * 0.3)
TITLE = ParagraphStyle("title", parent=HEAD, fontSize=SIZE * 1.6, leading=SIZE * 2, spaceBefore=0)
ITEM = ParagraphStyle("item", parent=TEXT, leftIndent=SIZE * 1.3, bulletIndent=SIZE * 0.3)
PARAGRAPH = ParagraphStyle("paragraph", parent=TEXT, spaceAfter=SIZE * 0.6)


GRID = TableStyle(
    [
        ("GRID", (0, 0), (-1, -1), 0.4, RULE),
        ("BACKGROUND", (0, 0), (-1, 0), SHADE),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ]
)


def _set(part: Part) -> Iterator[Flowable]:
    if part.apart:
        yield PageBreak()
    if part.heading:
        yield Paragraph(marked(part.heading), TITLE if part.title else HEAD)
    for label, value in part.pairs:
        yield Paragraph(f"<b>{marked(label)}:</b> {marked(value)}", TEXT)
    for text in part.texts:
        yield Paragraph(marked(text), PARAGRAPH)
    for item in part.items:
        yield Paragraph(marked(item), ITEM, bulletText="\u2022")
    if part.rows:
        yield Spacer(0, SIZE * 0.3)
        yield _table(part.rows)
    yield Spacer(0, SIZE * 0.5)


def _table(rows: Sequence[Sequence[str]]) -> Table:
    head, *body = rows
    cells = [[Paragraph(f"<b>{marked(c)}</b>", CELL) for c in head]]
    cells += [[Paragraph(marked(c), CELL) for c in row] for row in body]
    return Table(cells, colWidths=[WIDTH / len(head)] * len(head), repeatRows=1, style=GRID)


# Letters the fonts have


def marked(text: str) -> str:
    """Text as it may stand in a paragraph's markup."""
    return escape(plain(text))


def plain(text: str) -> str:
    """Text in the letters the built-in fonts have: one they lack goes without its accent, or as a question mark."""
    return "".join(c if _has(c) else _nearest(c) for c in text)


_WITH_A_STROKE = {"Ł": "L", "ł": "l", "Đ": "D", "đ": "d", "Ħ": "H", "ħ": "h", "ı": "i"}


def _nearest(character: str) -> str:
    if character in _WITH_A_STROKE:
        return _WITH_A_STROKE[character]
    bare = "".join(c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c))
    return bare if bare and all(map(_has, bare)) else "?"


def _has(character: str) -> bool:
    try:
        character.encode("cp1252")
    except UnicodeEncodeError:
        return False
    return character.isprintable()
