"""What FHIR R4 demands of Bundles, Attachments and code systems in words and nowhere as an invariant.

Each rule answers like an invariant: whether it is broken, or where; it never raises, whatever the object holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from shared.fhir.definitions import Constraint
from shared.fhir.elements import Broken, Value, inside, objects
from shared.fhir.problems import Scope

_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_RESTFUL = re.compile(r"https?://.*/([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})$")
_PAGES = frozenset(("first", "last", "next", "previous", "prev", "self"))
_LED_TO = {
    "Composition": ("subject", "encounter", "author", "custodian"),
    "MessageHeader": ("focus",),
}
"""References of a first entry whose targets the Bundle has to bring along."""


def size(value: Value, _: Scope) -> bool:
    """Attachment.size: the number of bytes of the data, before base64 encoding."""
    stated, text = value.get("size"), value.get("data")
    if not isinstance(stated, int) or isinstance(stated, bool) or not isinstance(text, str):
        return False
    dense = "".join(text.split())
    return len(dense) % 4 == 0 and stated != len(dense) // 4 * 3 - dense[-2:].count("=")


def misnamed(value: Value, _: Scope) -> list[str]:
    """Bundle.entry.fullUrl: the absolute URL for the resource; a RESTful one ends with its type and id."""
    return [at for at, url, resource in _entries(value) if not url.startswith("urn:") and not _names(url, resource)]


def _names(url: str, resource: Value) -> bool:
    return _ABSOLUTE.match(url) is not None and not _disagrees(_RESTFUL.match(url), resource)


def _disagrees(restful: re.Match[str] | None, resource: Value) -> bool:
    named = isinstance(resource.get("id"), str) and isinstance(resource.get("resourceType"), str)
    return restful is not None and named and restful.groups() != (resource["resourceType"], resource["id"])


def _entries(value: Value) -> Iterator[tuple[str, str, Value]]:
    """(path of the fullUrl, fullUrl, resource) of the entries that have a fullUrl."""
    for at, entry in objects(value, "entry"):
        if isinstance(entry.get("fullUrl"), str):
            yield f".entry[{at}].fullUrl", entry["fullUrl"], inside(entry, "resource")


def nameless_match(value: Value, _: Scope) -> list[str]:
    """A resource found by a search has an id, for only a resource being created has none."""
    if value.get("type") != "searchset":
        return []
    found = ((at, inside(entry, "resource"), inside(entry, "search")) for at, entry in objects(value, "entry"))
    return [
        f".entry[{at}].resource"
        for at, resource, search in found
        if resource.get("resourceType") not in (None, "OperationOutcome")
        and "id" not in resource
        and search.get("mode") != "outcome"
    ]


def other_outcome(value: Value, _: Scope) -> list[str]:
    """search-entry-mode `outcome`: an OperationOutcome that tells about the search."""
    return [
        f".entry[{at}].resource"
        for at, entry in objects(value, "entry")
        if "search" in entry
        and inside(entry, "search").get("mode") == "outcome"
        and inside(entry, "resource").get("resourceType") not in (None, "OperationOutcome")
    ]


def repeated_page(value: Value, _: Scope) -> list[str]:
    """Bundle.link: one link of each page relation."""
    seen: set[Any] = set()
    found: list[str] = []
    for at, link in objects(value, "link"):
        relation = link.get("relation")
        if isinstance(relation, str) and relation in _PAGES:
            found.extend([f".link[{at}]"] if relation in seen else [])
            seen.add(relation)
    return found


def missing_target(value: Value, _: Scope) -> list[str]:
    """Documents and messages: what the first entry refers to is an entry too, and only one."""
    at, first = next(objects(value, "entry"), (-1, {}))
    if at != 0 or value.get("type") not in ("document", "message"):
        return []
    resource, url = inside(first, "resource"), str(first.get("fullUrl", ""))
    entries = [(full, inside(entry, "meta").get("versionId")) for _, full, entry in _entries(value)]
    led = _LED_TO.get(str(resource.get("resourceType")), ())
    return [
        f".entry[0].resource.{path}.reference"
        for path, text in _references(resource, led)
        if not text.startswith("#") and not _led(text, url, entries)
    ]


def _led(text: str, url: str, entries: list[tuple[str, Any]]) -> bool:
    """Whether a reference, relative to the fullUrl of the entry it stands in, means one entry."""
    absolute = text if _ABSOLUTE.match(text) or not _RESTFUL.match(url) else f"{url.rsplit('/', 2)[0]}/{text}"
    named, _, version = absolute.partition("/_history/")
    versions = [of for full, of in entries if full == named]
    return version in versions if version else len(versions) == 1


def local_system(value: Value, _: Scope) -> bool:
    """Coding.system, ValueSet.compose.include.system: an absolute URI."""
    system = value.get("system")
    return isinstance(system, str) and ":" not in system


def _references(resource: Value, names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """(path, reference) of the elements named, and of the entries of sections."""
    for name in names:
        yield from _named(name, resource.get(name))
    for at, section in objects(resource, "section"):
        yield from ((f"section[{at}].{path}", text) for path, text in _named("entry", section.get("entry")))


def _named(name: str, value: Any) -> Iterator[tuple[str, str]]:
    listed = enumerate(value) if isinstance(value, list) else ()
    single = ((name, value),) if isinstance(value, dict) else ((f"{name}[{at}]", item) for at, item in listed)
    for path, item in single:
        if isinstance(item, dict) and isinstance(item.get("reference"), str):
            yield path, item["reference"]


def _rule(broken: Broken, human: str) -> tuple[Broken, Constraint]:
    return broken, Constraint("", "error", human, "")


RULES: Mapping[str, tuple[tuple[Broken, Constraint], ...]] = {
    "Attachment": (_rule(size, "the size must be the number of bytes of the data"),),
    "Coding": (_rule(local_system, "the system must be an absolute URI"),),
    "ValueSet.compose.include": (_rule(local_system, "the system must be an absolute URI"),),
    "Bundle": (
        _rule(misnamed, "a fullUrl must be absolute, and a RESTful one end with the type and id of its resource"),
        _rule(nameless_match, "a resource found by a search must have an id"),
        _rule(other_outcome, "an entry of mode outcome must be an OperationOutcome"),
        _rule(repeated_page, "a page relation may stand once only"),
        _rule(missing_target, "what the first entry refers to must be an entry of the Bundle"),
    ),
}
"""By the path of the element the rules stand at."""
