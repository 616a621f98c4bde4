"""Which resource type a Reference leads to, and whether that is allowed where it stands."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from shared.fhir.definitions import Definitions, Structure
from shared.fhir.problems import Check, Demand, Problems, Scope, one, type_of

_RESTFUL = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?(?:#.*)?$")
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}").fullmatch
_SEARCH = re.compile(r"([A-Z][A-Za-z]+)\?")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_RESOLVING = frozenset(("transaction", "batch", "message", "document"))
"""Bundles that have to bring along what their urn references name."""


def leading_to(single: Check, targets: frozenset[str], types: frozenset[str]) -> Check:
    """The check of a Reference and of where it leads; nearly all are `Type/id`, which is all there is to see.

    single  the check of the Reference itself, which one of nothing but `Type/id` needs no more.
    """
    plain = targets or types

    def check(value: Any, parent: Mapping[str, Any], scope: Scope) -> Problems:
        if value.__class__ is not dict:
            return single(value, parent, scope)
        text = value.get("reference")
        if text.__class__ is str and "type" not in value:
            kind, _, id_ = text.partition("/")
            if kind in plain and _ID(id_):
                return None if len(value) == 1 else single(value, parent, scope)
        found, more = single(value, parent, scope), misdirected(value, targets, scope, types)
        return found if not more else [*(found or ()), *more]

    return check


def _fine(value: Any, parent: Mapping[str, Any], scope: Scope) -> Problems:
    """The check of a Reference that has been checked."""
    return None


def misdirected(reference: Mapping[str, Any], targets: frozenset[str], scope: Scope, types: frozenset[str]) -> Problems:
    """Problems of where a Reference leads; `targets` are the allowed types (none = any), `types` all of R4.

    What cannot be known (a logical reference, an absolute URL of no known form) is allowed.
    """
    text, declared = reference.get("reference"), reference.get("type")
    if isinstance(declared, str) and declared not in types and ":" not in declared:
        return one("value", "must be a resource type of FHIR R4", path=".type")
    if not isinstance(text, str):
        return _disallowed(declared, targets, types, ".type")
    found, problems = led_to(text, scope, types)
    if problems is not None:
        return problems
    if found and isinstance(declared, str) and declared in types and declared != found:
        return one("value", "must be the type of what the reference leads to", path=".type")
    return _disallowed(found or declared, targets, types, ".reference")


def led_to(text: str, scope: Scope, types: frozenset[str]) -> tuple[str, Problems]:
    """(resource type a Reference.reference leads to or "" when unknown, problems)."""
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
        return type_of(scope.contained[fragment]), None
    return "", one("invariant", "names no contained resource", "ref-1", ".reference")


def _entry(text: str, scope: Scope) -> tuple[str, Problems]:
    """A urn, or a URL of no known form, among the entries of the Bundle around."""
    bundle = scope.bundle()
    if bundle is None:
        return "", None
    missing = text not in bundle.entries and bundle.resource.get("type") in _RESOLVING
    if missing and text.startswith(("urn:uuid:", "urn:oid:")):
        return "", one("value", "names no entry of the Bundle", path=".reference")
    return type_of(bundle.entries.get(text)), None


def aimed(
    targets: frozenset[str], definitions: Definitions, conforms: Callable[[Any, Structure, Scope], bool]
) -> Demand:
    """A Reference a profile narrows: it leads to one of these types or profiles.

    A type is always known from the reference; a profile is looked at where the resource is at hand. A target of a
    version that is not known is of the type of the version that is; one of an unknown profile may be of any type.
    """
    found = [definitions.profile(target) for target in targets]
    known = [structure for structure in found if structure is not None]
    typed = [definitions.profile(target) or definitions.profile(target.partition("|")[0]) for target in targets]
    kinds = frozenset() if None in typed else frozenset(structure.type for structure in typed if structure is not None)
    kinds = frozenset() if "Resource" in kinds or "DomainResource" in kinds else kinds
    typed_rightly = leading_to(_fine, kinds, definitions.resource_types)
    if len(known) < len(found) or not any(structure.url for structure in known):
        return typed_rightly

    def check(value: Any, beside: Any, scope: Scope) -> Problems:
        problems = typed_rightly(value, value, scope)
        if problems or value.__class__ is not dict or not isinstance(text := value.get("reference"), str):
            return problems
        resolved = scope.resolve(text)
        if resolved is None:
            return None
        fitting = [s for s in known if s.type in (type_of(resolved[0]), "Resource")]
        if not fitting or any(not s.url or conforms(resolved[0], s, resolved[1]) for s in fitting):
            return None
        names = " or ".join(s.name for s in fitting)
        return one("value", f"must lead to a resource that conforms to {names}", path=".reference")

    return check


def _disallowed(found: Any, targets: frozenset[str], types: frozenset[str], path: str) -> Problems:
    if not targets or not isinstance(found, str) or found not in types or found in targets:
        return None
    return one("value", f"must refer to {', '.join(sorted(targets))}", path=path)
