"""The map who sends what to whom, drawn: a column for each service, an arrow for each set of readers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from textwrap import wrap

from contracts.catalogue.declarations import kinds_of, readers_of
from shared.core import Service

OUTSIDE = "outside"
WIDTH, MARGIN, HEAD = 960, 10, 54
FIRST, LAST = 150, 860
"""Where the first and the last column stand."""
LINE, ROW = 15, 23
LETTER = 6.0
"""Width of an average letter of the labels."""
UNBROKEN = "\N{NO-BREAK SPACE}"

_STYLE = """
      .paper { fill: #ffffff }
      .band { fill: #f8fafc; stroke: #cbd5e1 }
      .own { fill: #dbeafe; stroke: #2563eb }
      .out { fill: #fef3c7; stroke: #d97706 }
      .life { stroke: #94a3b8; stroke-dasharray: 3 4 }
      .arrow { fill: none; stroke: #334155; stroke-width: 1.4 }
      .delivery { fill: none; stroke: #b45309; stroke-width: 1.4 }
      .tip, .from { fill: #334155 }
      .tip-out, .from-out { fill: #b45309 }
      text { fill: #0f172a }
      .name { font-weight: bold }
      .s { font-size: 11.5px; fill: #334155 }
      .halo { stroke: #f8fafc; stroke-width: 5; stroke-linejoin: round; paint-order: stroke }
      @media (prefers-color-scheme: dark) {
        .paper { fill: #0f172a }
        .band { fill: #1e293b; stroke: #475569 }
        .own { fill: #1e3a8a; stroke: #60a5fa }
        .out { fill: #78350f; stroke: #f59e0b }
        .life { stroke: #64748b }
        .arrow { stroke: #cbd5e1 }
        .delivery { stroke: #fbbf24 }
        .tip, .from { fill: #cbd5e1 }
        .tip-out, .from-out { fill: #fbbf24 }
        text { fill: #f1f5f9 }
        .s { fill: #e2e8f0 }
        .halo { stroke: #1e293b }
      }
    """


@dataclass(frozen=True, slots=True)
class Arrow:
    """One row: from a column to others; without a reader only a remark at its column."""

    producer: str
    readers: tuple[str, ...]
    text: str
    outside: bool = False


def drawing(services: Sequence[Service]) -> str:
    """The SVG text."""
    columns = _columns([OUTSIDE, *(s.name for s in services)])
    y, bands = HEAD + 14.0, []
    for title, arrows in _bands(services):
        band, y = _band(title, arrows, columns, y)
        bands.append(band)
    parts = [*_frame(y), *_lives(columns, y), *bands, *_heads(columns), "</svg>"]
    return "\n".join(parts) + "\n"


def _columns(names: Sequence[str]) -> dict[str, float]:
    step = (LAST - FIRST) / (len(names) - 1)
    return {name: FIRST + n * step for n, name in enumerate(names)}


# What is drawn


def _bands(services: Sequence[Service]) -> Iterator[tuple[str, list[Arrow]]]:
    """What comes in from outside, then what each service says and delivers."""
    yield "comes in", [a for s in services for a in _incoming(s)]
    for service in services:
        yield f"{service.name} says", [*_said(services, service), *_delivered(service)]


def _incoming(service: Service) -> Iterator[Arrow]:
    if service.door is not None:
        yield Arrow(OUTSIDE, (service.name,), "referrals, results, answers: /fhir", outside=True)
    for path in service.paths:
        yield Arrow(OUTSIDE, (service.name,), f"partners: {path}", outside=True)


def _said(services: Sequence[Service], service: Service) -> Iterator[Arrow]:
    """The kinds of a service by who reads them: the widest read first, what nobody reads last."""
    read = sorted((-len(r), r, k) for k in kinds_of(service) for r in [readers_of(services, service, k)])
    for (_, readers), group in groupby(read, key=lambda row: row[:2]):
        text = ", ".join(k.replace("#", UNBROKEN) for _, _, k in group)
        yield Arrow(service.name, readers, text if readers else f"read by nobody else: {text}")


def _delivered(service: Service) -> Iterator[Arrow]:
    for channel in sorted(service.channels, key=lambda c: c.name):
        yield Arrow(service.name, (OUTSIDE,), f"delivery: {channel.name}", outside=True)


# How it is drawn


def _band(title: str, arrows: Sequence[Arrow], columns: Mapping[str, float], top: float) -> tuple[str, float]:
    """A band of rows from `top`, and where the next one begins."""
    y, rows = top + 24, []
    for arrow in arrows:
        row, y = _row(arrow, columns, y)
        rows.append(row)
    frame = f'<rect class="band" x="{MARGIN}" y="{top:g}" width="{WIDTH - 2 * MARGIN}" height="{y - top:g}" rx="6"/>'
    lives = (f'<path class="life" d="M{x:g},{top + 1:g} V{y - 1:g}"/>' for x in columns.values())
    name = f'<text class="name" x="{MARGIN + 10}" y="{top + 18:g}">{escape(title)}</text>'
    return "\n".join(["<g>", frame, *lives, name, *rows, "</g>"]), y + 10


def _row(arrow: Arrow, columns: Mapping[str, float], y: float) -> tuple[str, float]:
    """The label, and below it the arrow; returns where the next row begins."""
    begin = columns[arrow.producer]
    ends = [columns[r] for r in arrow.readers]
    left, right = (min([begin, *ends]), max([begin, *ends])) if ends else _room(begin)
    lines = wrap(arrow.text, int((right - left - 24) / LETTER), break_long_words=False, break_on_hyphens=False)
    middle = (left + right) / 2
    texts = [
        f'<text class="s halo" text-anchor="middle" x="{middle:g}" y="{y + LINE * n:g}">{escape(line)}</text>'
        for n, line in enumerate(lines)
    ]
    at = y + LINE * len(lines) - 6
    if not ends:
        return "\n".join(texts), at + ROW - 5
    return "\n".join([*texts, *_line(arrow, begin, ends, at)]), at + ROW


def _room(begin: float) -> tuple[float, float]:
    """Where a remark about a column without readers stands: as wide as the band allows, around the column."""
    half = min(begin - MARGIN, WIDTH - MARGIN - begin, 240)
    return begin - half, begin + half


def _line(arrow: Arrow, begin: float, ends: Sequence[float], y: float) -> Iterator[str]:
    kind, suffix = ("delivery", "-out") if arrow.outside else ("arrow", "")
    left, right = min(begin, *(e + 8 for e in ends)), max(begin, *(e - 8 for e in ends))
    yield f'<path class="{kind}" d="M{left:g},{y:g} H{right:g}"/>'
    for end in ends:
        way = 1 if end > begin else -1
        yield f'<path class="tip{suffix}" d="M{end:g},{y:g} l{-way * 9},-4.5 v9 z"/>'
    yield f'<circle class="from{suffix}" cx="{begin:g}" cy="{y:g}" r="3.5"/>'


def _frame(height: float) -> list[str]:
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" '
        'font-family="Helvetica, Arial, sans-serif" font-size="13">',
        "<title>Who sends what to whom</title>",
        f"<defs><style>{_STYLE}</style></defs>",
        f'<rect class="paper" width="{WIDTH}" height="{height:g}"/>',
    ]


def _lives(columns: Mapping[str, float], height: float) -> Iterator[str]:
    for x in columns.values():
        yield f'<path class="life" d="M{x:g},{HEAD - 6} V{height - 10:g}"/>'


def _heads(columns: Mapping[str, float]) -> Iterator[str]:
    for name, x in columns.items():
        kind = "out" if name == OUTSIDE else "own"
        yield f'<rect class="{kind}" x="{x - 60:g}" y="14" width="120" height="34" rx="6"/>'
        yield f'<text class="name" text-anchor="middle" x="{x:g}" y="36">{escape(name)}</text>'
