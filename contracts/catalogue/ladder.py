"""The state machine of an authorization, drawn from its table: the rules from top to bottom, and what each may say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from textwrap import wrap
from typing import Any

WIDTH, MARGIN, HEAD, GAP = 960, 10, 92, 6
TEXT, CHIPS = 46, 590
"""Where a rule's sentence and the statuses it may give begin."""
LINE, CHIP, LETTER = 16, 24, 6.2

_STYLE = """
      .paper { fill: #ffffff }
      .band { fill: #f8fafc; stroke: #cbd5e1 }
      .on { stroke: #94a3b8; stroke-width: 1.4; fill: none }
      .tip { fill: #94a3b8 }
      .in-progress { fill: #dbeafe; stroke: #2563eb }
      .on-hold { fill: #fef3c7; stroke: #d97706 }
      .completed { fill: #dcfce7; stroke: #16a34a }
      .rejected { fill: #fee2e2; stroke: #dc2626 }
      .cancelled { fill: #e2e8f0; stroke: #64748b }
      text { fill: #0f172a }
      .name { font-weight: bold }
      .s { font-size: 12px; fill: #334155 }
      @media (prefers-color-scheme: dark) {
        .paper { fill: #0f172a }
        .band { fill: #1e293b; stroke: #475569 }
        .in-progress { fill: #1e3a8a; stroke: #60a5fa }
        .on-hold { fill: #78350f; stroke: #f59e0b }
        .completed { fill: #14532d; stroke: #4ade80 }
        .rejected { fill: #7f1d1d; stroke: #f87171 }
        .cancelled { fill: #334155; stroke: #94a3b8 }
        text { fill: #f1f5f9 }
        .s { fill: #e2e8f0 }
      }
    """
_TITLE = "Where an authorization stands: the first rule that speaks says it"
_HOW = "Looked at from the top after every event: a message, an answer of the payer, of a person, a clock."


def drawing(rules: Mapping[Callable[..., Any], Sequence[str]], task_statuses: Mapping[str, str]) -> str:
    """The SVG text. `rules`: each with the statuses it may give; `task_statuses`: Task.status by status, its color."""
    y, bands = float(HEAD), []
    for number, (rule, statuses) in enumerate(rules.items(), 1):
        band, below = _band(number, rule, statuses, task_statuses, y)
        bands += [*band, *(_onward(below) if number < len(rules) else ())]
        y = below + GAP
    return "\n".join([*_frame(y + MARGIN), *_legend(task_statuses), *bands, "</svg>"]) + "\n"


def _band(
    number: int, rule: Callable[..., Any], statuses: Sequence[str], task_statuses: Mapping[str, str], top: float
) -> tuple[list[str], float]:
    """One rule: its number, what it says, the statuses it may give; and where it ends."""
    lines = wrap(_sentence(rule), int((CHIPS - TEXT - 20) / LETTER))
    chips, depth = _chips(statuses, task_statuses, top + 8)
    bottom = max(top + 14 + LINE * len(lines), depth) + 2
    frame = (
        f'<rect class="band" x="{MARGIN}" y="{top:g}" width="{WIDTH - 2 * MARGIN}" height="{bottom - top:g}" rx="6"/>'
    )
    name = f'<text class="name" text-anchor="middle" x="{MARGIN + 18}" y="{top + 23:g}">{number}</text>'
    texts = (f'<text class="s" x="{TEXT}" y="{top + 23 + LINE * n:g}">{escape(t)}</text>' for n, t in enumerate(lines))
    return [frame, name, *texts, *chips], bottom


def _sentence(rule: Callable[..., Any]) -> str:
    return (rule.__doc__ or rule.__name__).strip().partition("\n")[0]


def _chips(statuses: Sequence[str], task_statuses: Mapping[str, str], top: float) -> tuple[list[str], float]:
    """The statuses side by side, in as many rows as they need; and where the last row ends."""
    x, y, parts = float(CHIPS), top, list[str]()
    for status in statuses:
        width = len(status) * LETTER * 1.05 + 22
        if x + width > WIDTH - 2 * MARGIN:
            x, y = float(CHIPS), y + CHIP + 4
        parts += _chip(status, task_statuses[status], x, y, width)
        x += width + 6
    return parts, y + CHIP


def _chip(text: str, kind: str, x: float, y: float, width: float) -> Iterator[str]:
    yield f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{CHIP - 2}" rx="11"/>'
    yield f'<text class="s" text-anchor="middle" x="{x + width / 2:g}" y="{y + 15:g}">{escape(text)}</text>'


def _onward(y: float) -> Iterator[str]:
    """The way to the next rule, where this one has nothing to say."""
    x = MARGIN + 18
    yield f'<path class="on" d="M{x},{y:g} v{GAP - 3}"/><path class="tip" d="M{x},{y + GAP:g} l-4,-5 h8 z"/>'


def _legend(task_statuses: Mapping[str, str]) -> Iterator[str]:
    """The colors: each Task.status there is, in the order of the table."""
    x = float(MARGIN + 84)
    yield f'<text class="s" x="{MARGIN}" y="78">Task.status:</text>'
    for kind in dict.fromkeys(task_statuses.values()):
        width = len(kind) * LETTER * 1.05 + 22
        yield from _chip(kind, kind, x, 63, width)
        x += width + 8


def _frame(height: float) -> list[str]:
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" '
        'font-family="Helvetica, Arial, sans-serif" font-size="13">',
        f"<title>{_TITLE}</title>",
        f"<defs><style>{_STYLE}</style></defs>",
        f'<rect class="paper" width="{WIDTH}" height="{height:g}"/>',
        f'<text class="name" font-size="16" x="{MARGIN}" y="26">{_TITLE}</text>',
        f'<text class="s" x="{MARGIN}" y="48">{_HOW}</text>',
    ]
