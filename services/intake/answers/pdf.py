"""Sets a letter on one page as a PDF: selectable text, and the same letter gives the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import LETTER
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import inch
from reportlab.platypus import Flowable, HRFlowable, Paragraph, SimpleDocTemplate, Spacer

from services.intake.answers.letter import Letter
from shared.paper import marked, plain

SIZES = (10.5, 9.5, 8.5, 7.5)
"""Points of the text: the largest in which the letter is one page."""
INK, RULE = HexColor("#1f2933"), HexColor("#9aa5b1")
CLOSING = (
    "Please send what is missing under the same referral identifier: it joins this referral. "
    "This letter replaces earlier ones about it."
)


def pdf(letter: Letter) -> bytes:
    """The letter as a PDF file; a very long one takes a second page rather than a smaller type."""
    for size in SIZES:
        content, pages = _set(letter, size)
        if pages == 1:
            break
    return content


def _set(letter: Letter, size: float) -> tuple[bytes, int]:
    file = BytesIO()
    sheet = SimpleDocTemplate(
        file, pagesize=LETTER, leftMargin=inch, rightMargin=inch, topMargin=0.8 * inch, bottomMargin=0.8 * inch,
        title="Answer to a referral", author=plain(letter.sender), subject=letter.reference, lang="en-US",
        invariant=1, pageCompression=0,
    )  # fmt: skip
    sheet.build(list(_flow(letter, size)))
    return file.getvalue(), sheet.page


def _flow(letter: Letter, size: float) -> Iterator[Flowable]:
    text = ParagraphStyle("text", fontName="Helvetica", fontSize=size, leading=size * 1.35, textColor=INK)
    small = ParagraphStyle("small", parent=text, fontSize=size * 0.85, leading=size * 1.15)
    right = ParagraphStyle("right", parent=text, alignment=TA_RIGHT)
    title = ParagraphStyle("title", parent=text, fontName="Helvetica-Bold", fontSize=size * 1.5, leading=size * 1.9)
    head = ParagraphStyle("head", parent=text, fontName="Helvetica-Bold", spaceBefore=size * 0.9, spaceAfter=size * 0.2)
    item = ParagraphStyle("item", parent=text, leftIndent=size * 1.3, bulletIndent=size * 0.3)
    yield Paragraph(marked(letter.sender), small)
    yield Paragraph(marked(letter.on), right)
    yield Paragraph(marked(letter.recipient), text)
    yield Spacer(0, size)
    yield Paragraph("Your referral: where it stands", title)
    for label, value in letter.about:
        yield Paragraph(f"<b>{marked(label)}:</b> {marked(value)}", text)
    yield Spacer(0, size * 0.6)
    yield HRFlowable(width="100%", thickness=0.6, color=RULE)
    yield Spacer(0, size * 0.4)
    yield Paragraph(f"<b>Status:</b> {marked(letter.status)}", text)
    if letter.reason:
        yield Paragraph(marked(letter.reason), text)
    for heading, lines in letter.sections:
        yield Paragraph(marked(heading), head)
        for line in lines:
            yield Paragraph(marked(line), item, bulletText="\u2022")
    yield Spacer(0, size * 1.4)
    yield Paragraph(CLOSING, small)
    yield Paragraph(f"Our reference: {marked(letter.reference)}", small)
