"""Brings every shape a referral comes in to one: the transaction Bundle that the same EHR would have pushed.

Law of this file: nothing of a resource changes but its references; what is contained and means a record of its own
becomes an entry, for nobody else could cite it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from services.intake.doors.entries import OURS, RECEIVED, names
from shared.core import Resource
from shared.fhir.json import encode
from shared.fhir.references import references, rewritten

_RELATIVE = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64}(/_history/[A-Za-z0-9\-.]{1,64})?")
_ADDRESS = re.compile(r"(?P<base>https?://.+)/(?P<kind>[A-Z][A-Za-z]+)/(?P<id>[A-Za-z0-9\-.]{1,64})")
FHIR_JSON = "application/fhir+json"
ORDERS = ("Task", "ServiceRequest")
"""What a referral may be sent as: the order, or the Task that asks to fulfil it."""

Named = tuple[str | None, Resource]
"""A resource and its full URL."""


def transaction(named: Iterable[Named], identifier: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The Bundle that pushes these resources; `identifier` names it where nothing inside has a business identifier."""
    flat = [entry for url, resource in named for entry in _lifted(url, resource)]
    subject = next(
        (s for _, r in flat if (s := r.get("for") or r.get("subject")) and r["resourceType"] in ORDERS), None
    )
    flat = [(url, _about(resource, subject)) for url, resource in flat]
    entries = [{**({"fullUrl": u} if u else {}), "resource": r, "request": _post(r)} for u, r in flat]
    known = {"identifier": dict(identifier)} if identifier else {}
    return {"resourceType": "Bundle", "type": "transaction", **known, "entry": entries}


def unfolded(bundle: Resource) -> Resource:
    """A pushed transaction with the records its orders contain as entries behind those that were sent."""
    sent: list[Mapping[str, Any]] = []
    lifted: list[Named] = []
    for entry in bundle["entry"]:
        resource = entry.get("resource") or {}
        if resource.get("resourceType") in ORDERS and resource.get("contained"):
            (url, outer), *inner = _lifted(entry.get("fullUrl"), resource)
            sent.append({**entry, **({"fullUrl": url} if url else {}), "resource": outer})
            lifted += inner
        else:
            sent.append(entry)
    return {**bundle, "entry": [*sent, *({"fullUrl": u, "resource": r, "request": _post(r)} for u, r in lifted)]}


def _post(resource: Resource) -> dict[str, str]:
    return {"method": "POST", "url": str(resource["resourceType"])}


def _lifted(url: str | None, resource: Resource) -> Iterator[Named]:
    """The resource, its contained records as entries beside it, and its document Bundles as documents."""
    if resource["resourceType"] == "Bundle":
        yield url, _document(resource)
        return
    own = [c for c in resource.get("contained", ()) if c["resourceType"] in RECEIVED]
    if not own or resource["resourceType"] not in ORDERS:
        yield url, resource
        return
    base = url or f"urn:uuid:{uuid5(NAMESPACE_URL, encode(resource).decode())}"
    urls = {f"#{c.get('id')}": f"urn:uuid:{uuid5(NAMESPACE_URL, base + '#' + str(c.get('id')))}" for c in own}
    rest = [c for c in resource["contained"] if c not in own]
    outer = {k: v for k, v in resource.items() if k != "contained"} | ({"contained": rest} if rest else {})
    yield base, _pointed(outer, urls)
    for contained in own:
        inner = {k: v for k, v in contained.items() if k != "id"}
        yield urls[f"#{contained.get('id')}"], _pointed(inner, {**urls, "#": base})


def _pointed(value: Any, urls: Mapping[str, str]) -> Any:
    """A value whose references to contained resources lead to the entries these have become."""
    if isinstance(value, dict):
        inner = {k: _pointed(v, urls) for k, v in value.items()}
        found = inner.get("reference")
        return {**inner, "reference": urls[found]} if isinstance(found, str) and found in urls else inner
    return [_pointed(v, urls) for v in value] if isinstance(value, list) else value


def _document(bundle: Resource) -> dict[str, Any]:
    """A document Bundle (BSeR's supporting information) as the DocumentReference a person can open."""
    composition: Resource = next((e["resource"] for e in bundle.get("entry", ()) if "resource" in e), {})
    kind = {"type": composition["type"]} if "type" in composition else {}
    identified = {"identifier": [bundle["identifier"]]} if "identifier" in bundle else {}
    attachment = {"contentType": FHIR_JSON, "data": base64.b64encode(encode(bundle)).decode()}
    content = [{"attachment": attachment}]
    return {"resourceType": "DocumentReference", **identified, "status": "current", **kind, "content": content}


def _about(resource: Resource, subject: Mapping[str, Any] | None) -> Resource:
    """A document that names nobody is about the patient of the referral it came with."""
    unnamed = resource["resourceType"] == "DocumentReference" and "subject" not in resource
    return {**resource, "subject": subject} if unnamed and subject else resource


def absolute(bundle: Resource, base: str | None) -> dict[str, Any]:
    """The Bundle with what its sender calls `Type/id` and did not send as addresses of his own system."""
    if base is None:
        return dict(bundle)
    known = {n for entry in bundle["entry"] for n in names(entry)}
    texts = {text for entry in bundle["entry"] for _, text in references(entry["resource"])}
    theirs = {t for t in texts if t not in known and _RELATIVE.fullmatch(t) and not OURS.match(t)}
    return _rewritten(bundle, {t: f"{base}/{t.partition('/_history/')[0]}" for t in theirs})


def _rewritten(bundle: Resource, mapping: Mapping[str, str]) -> dict[str, Any]:
    entries = [{**e, "resource": rewritten(e["resource"], mapping)} for e in bundle["entry"]]
    return {**bundle, "entry": entries}


def kind_of_address(url: str, base: str) -> str | None:
    """The type of a resource under this base; None of any other address."""
    found = _ADDRESS.fullmatch(url)
    return found["kind"] if found and found["base"] == base else None


def wanted(bundle: Resource, base: str | None) -> tuple[str, ...]:
    """Addresses of the sender's system that the Bundle refers to and does not bring, of kinds intake takes."""
    if base is None:
        return ()
    known = {n for entry in bundle["entry"] for n in names(entry)}
    texts = (text for entry in bundle["entry"] for _, text in references(entry["resource"]))
    plain = (t.partition("/_history/")[0] for t in texts if t not in known)
    return tuple(dict.fromkeys(t for t in plain if t not in known and kind_of_address(t, base) in RECEIVED))
