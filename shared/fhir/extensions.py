"""Extensions where they stand: they keep to their definitions, and those that modify have to be understood."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from shared.fhir.problems import Check, Demand, Problems, Scope, one


def defined(single: Check, known: Collection[str], demand_of: Callable[[str], Demand | None]) -> Check:
    """The check of an extension, which keeps to its definition where that is known.

    single     what is asked of every extension.
    demand_of  URL -> what its definition demands; asked once.
    """
    demands: dict[str, Demand | None] = {}

    def check(value: Any, parent: Mapping[str, Any], scope: Scope) -> Problems:
        found = single(value, parent, scope)
        url = value.get("url") if value.__class__ is dict else None
        if url.__class__ is not str or url not in known:
            return found
        if url not in demands:
            demands[url] = demand_of(url)
        demand = demands[url]
        more = demand(value, None, scope) if demand is not None else None
        return more if found is None else found + (more or [])

    return check


def understood(single: Check, known: Collection[str]) -> Check:
    """The check of a modifier extension, which is refused where nobody knows what it changes."""

    def check(value: Any, parent: Mapping[str, Any], scope: Scope) -> Problems:
        found = single(value, parent, scope)
        url = value.get("url") if value.__class__ is dict else None
        if isinstance(url, str) and url in known:
            return found
        told = "a modifier extension that is not understood here changes the meaning; refused"
        return [*(found or ()), *one("extension", told)]

    return check
