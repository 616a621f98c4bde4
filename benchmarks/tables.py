"""A report as a page: each target with what was measured, then every figure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def page(
    title: str, about: str, targets: Iterable[tuple[str, str, float | None, bool]], report: Mapping[str, Any]
) -> str:
    """Markdown: `targets` are (figure, what is wanted, what was measured, whether it is missed)."""
    rows = [
        f"| `{figure}` | {wanted} | {_said(value)} | {'missed' if missed else 'met'} |"
        for figure, wanted, value, missed in targets
    ]
    head = ["| figure | wanted | measured | |", "|---|---|---|---|"]
    figures = [f"| `{name}` | {_said(value)} |" for name, value in _flat("", report)]
    lines = [f"# {title}", "", about, "", "## Targets", "", *head, *rows, "", "## Figures", ""]
    return "\n".join([*lines, "| figure | measured |", "|---|---|", *figures]) + "\n"


def _flat(path: str, value: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flat(f"{path}.{name}" if path else str(name), inner)
    elif not isinstance(value, list):
        yield path, value


def _said(value: Any) -> str:
    if value is None:
        return "not measured"
    return f"{value:,.4g}" if isinstance(value, float) else str(value)
