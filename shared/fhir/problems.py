"""What a check answers: None when all is well, else problems whose paths grow from the inside out.

Nothing is built on the way down, so a good resource costs no path at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

MOST = 1000
"""Problems listed for one resource."""


class Problem(NamedTuple):
    """One thing that is wrong, at a path relative to the element checked (`""` or `.name[0].given`)."""

    path: str
    code: str
    diagnostics: str
    rule: str = ""


Problems = list[Problem] | None

Check = Callable[[Any, Mapping[str, Any], "Scope"], Problems]
"""(value, the object it stands in, scope) -> problems."""


class Scope:
    """Where references of one resource resolve: its contained resources and the Bundle it stands in."""

    __slots__ = ("_contained", "_entries", "enclosing", "resource")

    def __init__(self, resource: Mapping[str, Any], enclosing: Scope | None = None) -> None:
        self.resource = resource
        self.enclosing = enclosing
        self._contained: dict[str, str] | None = None
        self._entries: dict[str, str] | None = None

    @property
    def contained(self) -> Mapping[str, str]:
        """id -> type of the contained resources."""
        if self._contained is None:
            resources = _objects(self.resource.get("contained"))
            self._contained = {r["id"]: _type_of(r) for r in resources if isinstance(r.get("id"), str)}
        return self._contained

    @property
    def entries(self) -> Mapping[str, str]:
        """fullUrl -> type of the entries, when this is a Bundle."""
        if self._entries is None:
            entries = [e for e in _objects(self.resource.get("entry")) if isinstance(e.get("fullUrl"), str)]
            self._entries = {e["fullUrl"]: _type_of(e.get("resource")) for e in entries}
        return self._entries

    def bundle(self) -> Scope | None:
        """The scope of the nearest Bundle around the resource."""
        scope = self.enclosing
        while scope is not None and scope.resource.get("resourceType") != "Bundle":
            scope = scope.enclosing
        return scope


def under(part: str, problems: list[Problem]) -> list[Problem]:
    """The same problems seen from one element further out."""
    return [Problem(part + p.path, p.code, p.diagnostics, p.rule) for p in problems]


def one(code: str, diagnostics: str, rule: str = "", path: str = "") -> list[Problem]:
    """A single problem."""
    return [Problem(path, code, diagnostics, rule)]


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())


def _type_of(resource: Any) -> str:
    found = resource.get("resourceType") if isinstance(resource, dict) else None
    return found if isinstance(found, str) else ""
