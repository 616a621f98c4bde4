"""Reads what a record says in words and in codes, wherever in it; for rules whose evidence has no code of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from services.intake.facts import Case
from services.intake.requirements.gap import limit
from shared.core import Resource
from shared.policy import Figures

_WORDED = frozenset({"text", "display", "description", "title"})


def words(resource: Any) -> str:
    """Every text, display, description and title of a record in lower case; its narrative left out."""
    return " ".join(_texts(resource)).lower()


def _texts(value: Any) -> Iterator[str]:
    match value:
        case dict():
            for key, inner in value.items():
                if key in _WORDED and isinstance(inner, str):
                    yield inner
                elif key != "div":
                    yield from _texts(inner)
        case list():
            for inner in value:
                yield from _texts(inner)


def codes(value: Any, system: str) -> Iterator[str]:
    """Every code of this system in a record."""
    match value:
        case {"system": str(found), "code": str(code)} if found == system:
            yield code
        case dict():
            for inner in value.values():
                yield from codes(inner, system)
        case list():
            for inner in value:
                yield from codes(inner, system)


def says(resource: Any, figure_id: str, case: Case, figures: Figures) -> bool:
    """Whether a record says one of the words of a figure."""
    wanted: Iterable[str] = limit(figures, figure_id, case) or ()
    found = words(resource)
    return any(word.lower() in found for word in wanted)


def order_says(figure_id: str, case: Case, figures: Figures) -> bool:
    """Whether the order or its prescription says one of the words of a figure."""
    return any(says(r, figure_id, case, figures) for r in (case.request, case.medication))


def at_home(case: Case) -> bool:
    """Whether the infusion is asked for at the patient's home."""
    locations: list[Resource] = case.request.get("locationCode", [])
    return any(c.get("code") == "home" for place in locations for c in place.get("coding", ()))
