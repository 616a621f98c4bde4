"""Which resource type a Reference leads to, and whether that is allowed where it stands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from shared.fhir.problems import Problems, Scope, one

_RESTFUL = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?(?:#.*)?$")
_SEARCH = re.compile(r"([A-Z][A-Za-z]+)\?")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_RESOLVING = frozenset(("transaction", "batch", "message", "document"))
"""Bundles that have to bring along what their urn references name."""


def misdirected(reference: Mapping[str, Any], targets: frozenset[str], scope: Scope, types: frozenset[str]) -> Problems:
    """Problems of where a Reference leads; `targets` are the allowed types (none = any), `types` all of R4.

    What cannot be known (a logical reference, an absolute URL of no known form) is allowed.
    """
    text, declared = reference.get("reference"), reference.get("type")
    if not isinstance(text, str):
        return _disallowed(declared, targets, types, ".type")
    found, problems = _resolved(text, scope, types)
    if problems is not None:
        return problems
    if found and isinstance(declared, str) and declared in types and declared != found:
        return one("value", "must be the type of what the reference leads to", path=".type")
    return _disallowed(found or declared, targets, types, ".reference")


def _resolved(text: str, scope: Scope, types: frozenset[str]) -> tuple[str, Problems]:
    """(resource type or "" when unknown, problems)."""
    if text.startswith("#"):
        return _contained(text[1:], scope)
    if (restful := _RESTFUL.search(text)) and restful[1] in types:
        return restful[1], None
    if (search := _SEARCH.match(text)) and search[1] in types:
        return search[1], None
    if not _ABSOLUTE.match(text):
        return "", one("value", "must be Type/id, an absolute URL, a urn or #id", path=".reference")
    return _entry(text, scope)


def _contained(fragment: str, scope: Scope) -> tuple[str, Problems]:
    if not fragment:
        return str(scope.resource.get("resourceType", "")), None
    if fragment in scope.contained:
        return scope.contained[fragment], None
    return "", one("invariant", "names no contained resource", "ref-1", ".reference")


def _entry(text: str, scope: Scope) -> tuple[str, Problems]:
    """A urn, or a URL of no known form, among the entries of the Bundle around."""
    bundle = scope.bundle()
    if bundle is None:
        return "", None
    missing = text not in bundle.entries and bundle.resource.get("type") in _RESOLVING
    if missing and text.startswith(("urn:uuid:", "urn:oid:")):
        return "", one("value", "names no entry of the Bundle", path=".reference")
    return bundle.entries.get(text, ""), None


def _disallowed(found: Any, targets: frozenset[str], types: frozenset[str], path: str) -> Problems:
    if not targets or not isinstance(found, str) or found not in types or found in targets:
        return None
    return one("value", f"must refer to {', '.join(sorted(targets))}", path=path)
