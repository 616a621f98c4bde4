"""Which resource of a Bundle a reference means, and which references mean none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from partners.wire import Issue


def found_in(bundle: Any) -> dict[str, Any]:
    """Every way to name an entry's resource (fullUrl, Type/id) -> the R4B model."""
    named: dict[str, Any] = {}
    for entry in (e for e in bundle.entry or () if e.resource is not None):
        resource = entry.resource
        named.setdefault(f"{resource.get_resource_type()}/{resource.id}", resource)
        if entry.fullUrl:
            named[str(entry.fullUrl)] = resource
    return named


def target(reference: Any, named: Mapping[str, Any]) -> Any | None:
    """The resource a Reference means: by its literal reference, without a version."""
    literal = getattr(reference, "reference", None)
    return None if literal is None else named.get(str(literal).partition("/_history/")[0])


def issues_of(bundle: dict[str, Any], model: Any) -> list[Issue]:
    """One issue for every literal reference that does not resolve inside, and for every resource named twice."""
    named = found_in(model)
    missing = [
        Issue("not-found", f"the reference {literal} must resolve inside the Bundle", where)
        for where, literal in literals(bundle, "Bundle")
        if literal.partition("/_history/")[0] not in named and not literal.startswith("#")
    ]
    return missing + _repeated(bundle)


def _repeated(bundle: dict[str, Any]) -> list[Issue]:
    seen: set[str] = set()
    issues = []
    for n, entry in enumerate(bundle.get("entry", ())):
        url = entry.get("fullUrl")
        if url is None or url in seen or "resource" not in entry:
            text = "every entry must have a resource and a fullUrl of its own, each resource once"
            issues.append(Issue("invalid", text, f"Bundle.entry[{n}].fullUrl"))
        seen.add(url)
    return issues


def literals(value: Any, where: str) -> Iterator[tuple[str, str]]:
    """(path, literal reference) of every Reference inside an element."""
    match value:
        case dict():
            if isinstance(value.get("reference"), str):
                yield f"{where}.reference", value["reference"]
            for key, inner in value.items():
                yield from literals(inner, f"{where}.{key}")
        case list():
            for n, inner in enumerate(value):
                yield from literals(inner, f"{where}[{n}]")
