"""Which codes a value set has, where all of them are known from the definitions at hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Definition = Mapping[str, Any]
Codes = dict[str, set[str]]

_DEEPEST = 8
"""How many value sets may be composed of one another; real ones stay far below, a circle never ends."""


class Unlisted(Exception):
    """Why the codes cannot be listed."""


def expansions(urls: Iterable[str], definitions: Iterable[Definition]) -> tuple[dict[str, Any], dict[str, str]]:
    """(value sets with every code, value sets that stay open with the reason)."""
    by_url = {d["url"]: d for d in definitions if d["resourceType"] in ("ValueSet", "CodeSystem") and "url" in d}
    listed: dict[str, Any] = {}
    unlisted: dict[str, str] = {}
    for url in urls:
        try:
            found = codes(url, by_url)
        except Unlisted as reason:
            unlisted[url] = str(reason)
        else:
            listed[url] = {system: sorted(codes) for system, codes in found.items()}
    return listed, unlisted


def codes(url: str, by_url: Mapping[str, Definition], depth: int = 0) -> Codes:
    """system -> codes of a value set; Unlisted when they cannot all be known."""
    value_set = by_url.get(url.partition("|")[0])
    if value_set is None or value_set["resourceType"] != "ValueSet" or depth > _DEEPEST:
        raise Unlisted(f"{url} is not among the definitions at hand")
    compose = value_set.get("compose")
    if compose is None:
        return _expanded(value_set)
    try:
        found = _united(_included(part, by_url, depth) for part in compose["include"])
        gone = _united(_included(part, by_url, depth) for part in compose.get("exclude", ()))
    except Unlisted:
        if "expansion" in value_set:
            return _expanded(value_set)
        raise
    return {system: codes - gone.get(system, set()) for system, codes in found.items()}


def _united(parts: Iterable[Codes]) -> Codes:
    found: Codes = {}
    for part in parts:
        for system, codes in part.items():
            found.setdefault(system, set()).update(codes)
    return found


def _included(part: Definition, by_url: Mapping[str, Definition], depth: int) -> Codes:
    """The codes of one include: of its system, and of every value set it names."""
    sets = [codes(url, by_url, depth + 1) for url in part.get("valueSet", ())]
    if "system" in part:
        sets.append({part["system"]: _of_system(part, by_url)})
    first, *others = sets or [{}]
    return {s: {c for c in codes if all(c in other.get(s, ()) for other in others)} for s, codes in first.items()}


def _of_system(part: Definition, by_url: Mapping[str, Definition]) -> set[str]:
    if "concept" in part:
        return {concept["code"] for concept in part["concept"]}
    system = by_url.get(part["system"])
    if system is None or system["resourceType"] != "CodeSystem" or system.get("content") != "complete":
        raise Unlisted(f"codes of {part['system']} are not among the definitions at hand")
    found = set(nested(system.get("concept", ())))
    for rule in part.get("filter", ()):
        found &= _filtered(system, rule)
    return found


def _filtered(system: Definition, rule: Definition) -> set[str]:
    """The codes a filter leaves; of filters only the hierarchy is known."""
    if rule.get("property") != "concept" or rule.get("op") not in ("is-a", "descendent-of"):
        raise Unlisted("composed by a filter that is not read")
    if any("property" in concept and _parents(concept) for concept in _concepts(system.get("concept", ()))):
        raise Unlisted("composed by a filter over a hierarchy of properties")
    of = [c for c in _concepts(system.get("concept", ())) if c["code"] == rule["value"]]
    found = set(nested(concept for c in of for concept in c.get("concept", ())))
    return found | ({rule["value"]} if rule["op"] == "is-a" else set())


def _parents(concept: Definition) -> list[Definition]:
    return [p for p in concept["property"] if p.get("code") in ("parent", "child", "subsumedBy")]


def _expanded(value_set: Definition) -> Codes:
    """The codes of an expansion that is said to be whole."""
    expansion = value_set.get("expansion", {})
    contains = list(_contained(expansion.get("contains", ())))
    if not contains or expansion.get("total", len(contains)) > len(contains):
        raise Unlisted("composed of code systems that are not at hand")
    return _united({c["system"]: {c["code"]}} for c in contains if "code" in c and not c.get("abstract"))


def _contained(contains: Iterable[Definition]) -> Iterator[Definition]:
    for item in contains:
        yield item
        yield from _contained(item.get("contains", ()))


def _concepts(concepts: Iterable[Definition]) -> Iterator[Definition]:
    for concept in concepts:
        yield concept
        yield from _concepts(concept.get("concept", ()))


def nested(concepts: Iterable[Definition]) -> Iterator[str]:
    """The codes of concepts and of all concepts under them."""
    return (concept["code"] for concept in _concepts(concepts))
