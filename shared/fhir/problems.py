"""What a check answers: None when all is well, else problems whose paths grow from the inside out.

Nothing is built on the way down, so a good resource costs no path at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

MOST = 1000
"""Problems listed for one resource."""


class Problem(NamedTuple):
    """One thing that is wrong, at a path relative to the element checked (`""` or `.name[0].given`).

    `profile` is the canonical|version whose demand failed, "" for base R4.
    """

    path: str
    code: str
    diagnostics: str
    rule: str = ""
    severity: str = "error"
    profile: str = ""


Problems = list[Problem] | None

Check = Callable[[Any, Mapping[str, Any], "Scope"], Problems]
"""(value, the object it stands in, scope) -> problems."""

Demand = Callable[[Any, Any, "Scope"], Problems]
"""What a profile demands of one value beyond its type: (value, the `_name` half of a primitive, scope) -> problems."""


class Scope:
    """Where references of one resource resolve: its contained resources and the Bundle it stands in.

    resource  the resource that contains (`%rootResource`); `within` is the innermost one (`%resource`).
    url       the fullUrl of the entry it stands in, or "".
    claimed   whether the profiles named by `meta.profile` are checked too.
    memo      shared by all scopes of one check: what is known of (resource, profile), and compiled views.
    """

    __slots__ = ("_contained", "_entries", "claimed", "enclosing", "memo", "resource", "url", "within")

    def __init__(
        self, resource: Mapping[str, Any], enclosing: Scope | None = None, url: str = "", *, claimed: bool = False
    ) -> None:
        self.resource = self.within = resource
        self.enclosing = enclosing
        self.url = url
        self._contained: dict[str, Mapping[str, Any]] | None = None
        self._entries: dict[str, Any] | None = None
        if enclosing is None:
            self.memo: dict[Any, Any] = {}
            self.claimed = claimed
        else:
            self.memo = enclosing.memo
            self.claimed = enclosing.claimed

    def inner(self, contained: Mapping[str, Any]) -> Scope:
        """The scope of a contained resource: its references resolve where its container's do."""
        scope = Scope(self.resource, self.enclosing, self.url)
        scope.memo, scope.claimed = self.memo, self.claimed
        scope.within, scope._contained = contained, self._contained
        return scope

    @property
    def contained(self) -> Mapping[str, Mapping[str, Any]]:
        """id -> contained resource."""
        if self._contained is None:
            resources = _objects(self.resource.get("contained"))
            self._contained = {r["id"]: r for r in resources if isinstance(r.get("id"), str)}
        return self._contained

    @property
    def entries(self) -> Mapping[str, Any]:
        """fullUrl -> resource of the entries, when this is a Bundle."""
        if self._entries is None:
            entries = [e for e in _objects(self.resource.get("entry")) if isinstance(e.get("fullUrl"), str)]
            self._entries = {e["fullUrl"]: e.get("resource") for e in entries}
        return self._entries

    def bundle(self) -> Scope | None:
        """The scope of the nearest Bundle around the resource."""
        scope = self.enclosing
        while scope is not None and scope.resource.get("resourceType") != "Bundle":
            scope = scope.enclosing
        return scope

    def resolve(self, reference: str) -> tuple[Mapping[str, Any], Scope] | None:
        """The resource a Reference.reference leads to, contained or in the Bundle around, with its scope; else None."""
        if reference.startswith("#"):
            if reference == "#":
                return self.resource, Scope(self.resource, self.enclosing, self.url)
            found = self.contained.get(reference[1:])
            return None if found is None else (found, self.inner(found))
        bundle = self.bundle()
        if bundle is None:
            return None
        url = self._absolute(reference)
        entry = bundle.entries.get(url)
        return (entry, Scope(entry, bundle, url)) if isinstance(entry, dict) else None

    def _absolute(self, reference: str) -> str:
        """A relative reference made absolute by the fullUrl of the resource it stands in."""
        if ":" in reference or "://" not in self.url:
            return reference
        return f"{self.url.rsplit('/', 2)[0]}/{reference}"


def type_of(resource: Any) -> str:
    """The `resourceType` of what may be a resource, or ""."""
    found = resource.get("resourceType") if isinstance(resource, dict) else None
    return found if isinstance(found, str) else ""


def under(part: str, problems: list[Problem]) -> list[Problem]:
    """The same problems seen from one element further out."""
    return [Problem(part + p[0], *p[1:]) for p in problems]


def one(code: str, diagnostics: str, rule: str = "", path: str = "") -> list[Problem]:
    """A single problem."""
    return [Problem(path, code, diagnostics, rule)]


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())
