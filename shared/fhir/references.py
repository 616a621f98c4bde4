"""Where a resource refers to others, and the same resource with other references; nothing else of it changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_PARTS = frozenset(("id", "extension", "reference", "_reference", "type", "_type", "identifier", "display", "_display"))
"""Members of a Reference; DetectedIssue and Expression have a `reference` that is a URI, and others beside it."""

_URI_IN = "education"
"""Immunization.education may have a `reference` alone, and it is a URI."""

_PLAIN = frozenset(("outcomeReference", "prognosisReference", "reasonReference", "typeReference", "usedReference"))
_PLAIN_IN = frozenset(
    (
        ("ClinicalImpression", "itemReference"),
        ("ImagingStudy", "procedureReference"),
        ("ServiceRequest", "locationReference"),
    )
)
"""Elements that end in `Reference` and are no choice; the latter are one elsewhere."""


def references(resource: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(FHIRPath expression, reference) of every Reference.reference inside, contained resources and entries included.

    `#id` of contained resources is among them; canonicals and URIs are not.
    """
    return _references(str(resource.get("resourceType", "")), "", "", resource)


def literals(value: Any, name: str = "") -> Iterator[str]:
    """Every Reference.reference inside, without its place."""
    if value.__class__ is dict:
        if _is_reference(name, value):
            yield value["reference"]
        for key, item in value.items():
            if item.__class__ is dict or item.__class__ is list:
                yield from literals(item, key)
    elif value.__class__ is list:
        for item in value:
            if item.__class__ is not str:
                yield from literals(item, name)


def rewritten(resource: Mapping[str, Any], mapping: Mapping[str, str]) -> dict[str, Any]:
    """A deep copy in which every Reference.reference and Attachment.url that is, exactly, a key becomes its value.

    R4 http, transaction: links to an entry are replaced in elements of type url as well. All else stays equal in value
    and order; `#id` leads inside the resource and is never changed.
    """
    return {name: _replaced(name, value, mapping) for name, value in resource.items()}


def _references(path: str, type_: str, name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        if _is_reference(name, value):
            yield f"{path}.reference", value["reference"]
        inner = value.get("resourceType", type_)
        for key, item in value.items():
            if item.__class__ is not str:
                yield from _references(f"{path}.{_element(inner, key)}", inner, key, item)
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from _references(f"{path}[{at}]", type_, name, item)


def _replaced(name: str, value: Any, mapping: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        copy = {key: item if item.__class__ is str else _replaced(key, item, mapping) for key, item in value.items()}
        if _is_reference(name, value) and not value["reference"].startswith("#"):
            copy["reference"] = mapping.get(value["reference"], value["reference"])
        elif _is_attachment(name) and value.get("url").__class__ is str:
            copy["url"] = mapping.get(value["url"], value["url"])
        return copy
    return [_replaced(name, item, mapping) for item in value] if isinstance(value, list) else value


def _is_reference(name: str, value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("reference"), str) and name != _URI_IN and value.keys() <= _PARTS


def _is_attachment(name: str) -> bool:
    return name in ("attachment", "photo") or name.endswith("Attachment")


def _element(type_: Any, name: str) -> str:
    """The FHIR element of a JSON name: `medication` for `medicationReference`, `given` for `_given`."""
    chosen = name.endswith("Reference") and name not in _PLAIN and (type_, name) not in _PLAIN_IN
    return name.removesuffix("Reference") if chosen else name.lstrip("_")
