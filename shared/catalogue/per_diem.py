"""How days of home infusion are billed beside their therapy's code: lines by the month, modifiers, what excludes what.

Whoever writes a commercial plan's claims takes it. Source: `per_diem.yaml`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from shared.catalogue.home import courses
from shared.dates import months_later
from shared.yaml_files import read_yaml


def modifiers(therapy: int, suite: bool = False) -> tuple[str, ...]:
    """The modifiers of the n-th therapy of a day, counted from 1, at home or in the provider's own suite."""
    rows = (r for r in _rules()["concurrent"] if r["from"] <= therapy and (r["to"] is None or therapy <= r["to"]))
    own = (str(_rules()["suite"]["modifier"]),) if suite else ()
    return (*(str(r["modifier"]) for r in rows), *own)


def monthly_lines(first: date, last: date) -> tuple[tuple[date, date, int], ...]:
    """First and last day and number of days of each line of a course; none where it ends before it begins."""
    lines: list[tuple[date, date, int]] = []
    begins = first
    while begins <= last:
        ends = min(last, months_later(begins.replace(day=1), 1) - timedelta(days=1))
        lines.append((begins, ends, (ends - begins).days + 1))
        begins = ends + timedelta(days=1)
    return tuple(lines)


def exclude_each_other(codes: Collection[str]) -> bool:
    """Whether hours of a pharmacist and a per-diem code stand among the codes of one day."""
    hourly = set(_rules()["hourly"]["codes"])
    per_diem = {code for course in courses().values() for code in course.per_diem.values()}
    return not hourly.isdisjoint(codes) and not per_diem.isdisjoint(codes)


@cache
def _rules() -> Mapping[str, Any]:
    rules: Mapping[str, Any] = read_yaml(Path(__file__).with_name("per_diem.yaml").read_text(encoding="utf-8"))
    return rules
