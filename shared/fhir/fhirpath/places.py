"""What an expression is run on: a copy in which primitives are plain, and where the references inside it lead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from shared.fhir.problems import Scope

MOST = 20_000
"""Values in one copy; above it nobody waits for fhirpathpy."""


class UnknownError(Exception):
    """An expression cannot be decided; its words are safe to show."""


def plain(value: Any) -> Any:
    """A copy in which a primitive is one thing: its extensions stand for it only where it has no value.

    Raises UnknownError above MOST values.
    """
    left = [MOST]

    def copied(item: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise UnknownError(f"more than {MOST} values")
        if isinstance(item, list):
            return [copied(one) for one in item if one is not None]
        if not isinstance(item, dict):
            return item
        kept = {name: copied(one) for name, one in item.items() if not name.startswith("_")}
        lone = ((name, _lone(item.get(name[1:]), one)) for name, one in item.items() if name.startswith("_"))
        return kept | {name: copied(one) for name, one in lone if one}

    return copied(value)


def _lone(values: Any, beside: Any) -> Any:
    """Of what stands beside a primitive (or beside several), that which has no value."""
    if not isinstance(beside, list):
        return None if values is not None else beside
    given = values if isinstance(values, list) else []
    return [one for at, one in enumerate(beside) if at >= len(given) or given[at] is None]


class Places:
    """The scope of each object of a value: of the innermost resource it stands in. Read when first asked for."""

    def __init__(self, value: Any, scope: Scope) -> None:
        self._value = value
        self._scope = scope
        self._scopes: dict[int, Scope] | None = None

    def led_to(self, item: Any, text: str) -> Mapping[str, Any] | None:
        """What the reference `text` of an object leads to, seen from inside an entry or from the Bundle itself."""
        scope = self._of(item)
        if found := scope.resolve(text):
            return found[0]
        entry = scope.entries.get(text)
        return entry if isinstance(entry, dict) else None

    def _of(self, item: Any) -> Scope:
        if self._scopes is None:
            self._scopes = dict(_placed(self._value, self._scope))
        return self._scopes.get(id(item), self._scope)


def _placed(value: Any, scope: Scope) -> Iterator[tuple[int, Scope]]:
    """(id of an object, its scope) of everything inside a value, resources inside resources in their own."""
    waiting: list[tuple[Any, Scope]] = [(value, scope)]
    while waiting:
        item, around = waiting.pop()
        if isinstance(item, list):
            waiting.extend((one, around) for one in item)
        elif isinstance(item, dict):
            yield id(item), around
            waiting.extend((one, _inside(name, one, item, around)) for name, one in item.items())


def _inside(name: str, value: Any, parent: Mapping[str, Any], scope: Scope) -> Scope:
    """The scope of a member: an entry's resource has its own; contained resources share that of their container."""
    if name == "resource" and isinstance(value, dict) and "resourceType" in value:
        return Scope(value, scope, str(parent.get("fullUrl", "")))
    return scope
