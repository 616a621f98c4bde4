"""Turns a document that comes without an order into a referral a person must read, and his reading into its order.

Law of this file: a paper is known by its bytes. The same bytes from the same client are the same paper, whatever was
posted with them, in which order, or how often.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from services.intake.codes import IDENTIFIER_TYPE, PAPER_ID, concept, task_code, typed
from services.intake.doors.entries import TAKEN
from services.intake.records import literal
from shared.core import Resource, derived_id

if TYPE_CHECKING:
    from services.intake.facts import Case

PAPER = ("DocumentReference", "Binary")
ORDERING = frozenset({"ServiceRequest", "MedicationRequest", "Task"})
"""What a transaction with an order has: then its documents are records of that order, and no paper."""

REFERRAL_NOTES = frozenset({"57133-1", "34140-4"})
"""LOINC types of a document that asks for something: referral note, transfer of care referral note."""

_PIECE = 1024 * 1024
"""Characters of base64 that are decoded at a time; a multiple of four."""
_BLANKS = dict.fromkeys(map(ord, string.whitespace))
_BYTES = "application/octet-stream"
_DOCUMENT, _PATIENT, _TASK = (f"urn:carepod:paper:{name}" for name in ("document", "patient", "task"))


def as_referral(bundle: Resource, client: str) -> Resource:
    """A transaction of documents alone, with a Task and a patient in whose name they can be read; others as sent.

    With our own question about a paper inside it is that paper read: its Patient is the one the question is about.
    """
    entries = [e for e in bundle.get("entry", ()) if isinstance(e, Mapping) and isinstance(e.get("resource"), Mapping)]
    if (question := _answered(entries)) is not None:
        return {**bundle, "entry": [_for_whom(e, question) for e in bundle["entry"]]}
    kinds = {e["resource"].get("resourceType") for e in entries}
    if not kinds & set(PAPER) or kinds & ORDERING or not any(map(_to_be_read, entries)):
        return bundle
    return _opened(bundle, entries, client)


def alone(resource: Resource, client: str) -> Resource | None:
    """A document or its bytes posted by themselves, as a transaction; None where it is a record, and no paper."""
    entry = {"fullUrl": _DOCUMENT, "resource": resource, "request": _post(str(resource.get("resourceType")))}
    if resource.get("resourceType") not in PAPER or not _to_be_read(entry):
        return None
    return as_referral({"resourceType": "Bundle", "type": "transaction", "entry": [entry]}, client)


def _to_be_read(entry: Mapping[str, Any]) -> bool:
    """Whether a document is to be read for an order: one of a known patient that says it is a note, is a record."""
    document = entry["resource"]
    if document.get("resourceType") != "DocumentReference":
        return _is_binary(entry)
    named = {c.get("code") for c in document.get("type", {}).get("coding", ())}
    record = document.get("subject") and named and not named & REFERRAL_NOTES
    return not record and not _of_an_order(document)


def _of_an_order(document: Resource) -> bool:
    """Whether a document says which order, prescription or referral of ours it belongs to."""
    related = [literal(r) or "" for r in document.get("context", {}).get("related", ())]
    return any(r.partition("/")[0] in ORDERING and TAKEN.fullmatch(r.partition("/")[2]) for r in related)


def _post(kind: str) -> dict[str, str]:
    return {"method": "POST", "url": kind}


# A paper comes


def _opened(bundle: Resource, entries: Sequence[Mapping[str, Any]], client: str) -> Resource:
    """The transaction with what intake needs to keep it: whose paper it is, and the Task it is answered by."""
    subject, key = _whose(entries), paper_key(entries, client)
    whom = subject or {"reference": _PATIENT}
    value = key if subject is None or _in_bundle(entries) else f"{key}/{_digest(str(sorted(subject.items())))}"
    added = [_entry(_TASK, _asking(value, whom))]
    if subject is None:
        added.append(_entry(_PATIENT, {"resourceType": "Patient", "identifier": [{"system": PAPER_ID, "value": key}]}))
    documents = [_about(e, whom) for e in bundle["entry"]]
    if all(map(_is_binary, entries)):
        added.append(_entry(_DOCUMENT, _document(entries[0]["resource"], key, whom)))
    return {**bundle, "entry": [*_with_bytes(documents, client), *added, *_bytes_of(documents, client)]}


def _document(binary: Resource, key: str, whom: Mapping[str, Any]) -> dict[str, Any]:
    """The document of bytes that came without one."""
    attachment = {"contentType": binary.get("contentType", _BYTES), "url": f"Binary/{key}"}
    content = [{"attachment": attachment}]
    return {"resourceType": "DocumentReference", "status": "current", "subject": whom, "content": content}


def _entry(full_url: str, resource: Resource) -> dict[str, Any]:
    return {"fullUrl": full_url, "resource": resource, "request": _post(resource["resourceType"])}


def _asking(value: str, whom: Mapping[str, Any]) -> dict[str, Any]:
    placer = {"type": concept(IDENTIFIER_TYPE, "PLAC"), "system": PAPER_ID, "value": value}
    return {"resourceType": "Task", "identifier": [placer], "status": "requested", "intent": "order", "for": whom}


def _in_bundle(entries: Sequence[Mapping[str, Any]]) -> bool:
    return any(e["resource"].get("resourceType") == "Patient" for e in entries)


def _whose(entries: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Whom the documents are about: a Patient of the Bundle, or one known to us; None where nobody is named."""
    for entry in entries:
        if entry["resource"].get("resourceType") == "Patient":
            return {"reference": str(entry.get("fullUrl", _PATIENT))}
    subjects = (e["resource"].get("subject") or {} for e in entries)
    return next((s for s in subjects if s.get("reference") or s.get("identifier", {}).get("value")), None)


def _about(entry: Mapping[str, Any], whom: Mapping[str, Any]) -> Mapping[str, Any]:
    resource = entry["resource"]
    named = resource.get("subject") or {}
    if resource.get("resourceType") != "DocumentReference" or "reference" in named:
        return entry
    return {**entry, "resource": {**resource, "subject": {**named, **whom}}}


# Bytes are kept apart from their document, each once


def _with_bytes(entries: Sequence[Mapping[str, Any]], client: str) -> Iterator[Mapping[str, Any]]:
    """The entries with each Binary under the id of its bytes, and each document naming its bytes by that id."""
    ids = {str(e.get("fullUrl")): _own_id(e["resource"], client) for e in entries if _is_binary(e)}
    for entry in entries:
        resource = entry["resource"]
        if _is_binary(entry):
            yield {**entry, "request": {"method": "PUT", "url": f"Binary/{_own_id(resource, client)}"}}
        elif resource.get("resourceType") == "DocumentReference":
            contents = [_naming(c, ids, client) for c in resource.get("content", ())]
            yield {**entry, "resource": {**resource, "content": contents}}
        else:
            yield entry


def _is_binary(entry: Mapping[str, Any]) -> bool:
    return bool(entry["resource"].get("resourceType") == "Binary")


def _own_id(binary: Resource, client: str) -> str:
    return binary_id(client, _decoded(str(binary.get("data", ""))))


def _naming(content: Mapping[str, Any], ids: Mapping[str, str], client: str) -> Mapping[str, Any]:
    """A document's content with the address of its bytes in place of them."""
    attachment = content.get("attachment", {})
    data, url = attachment.get("data"), attachment.get("url")
    known = binary_id(client, _decoded(data)) if isinstance(data, str) else ids.get(str(url))
    if known is None:
        return content
    kept = {k: v for k, v in attachment.items() if k != "data"}
    return {**content, "attachment": {**kept, "url": f"Binary/{known}"}}


def _bytes_of(entries: Sequence[Mapping[str, Any]], client: str) -> Iterator[dict[str, Any]]:
    """An entry for each attachment that came inside its document."""
    sent = {_own_id(e["resource"], client) for e in entries if _is_binary(e)}
    for attachment in (a for e in entries for a in _attachments(e["resource"]) if isinstance(a.get("data"), str)):
        own = binary_id(client, _decoded(attachment["data"]))
        if own not in sent:
            sent.add(own)
            kind = attachment.get("contentType", _BYTES)
            binary = {"resourceType": "Binary", "contentType": kind, "data": attachment["data"]}
            yield {"fullUrl": f"urn:carepod:{own}", "resource": binary, "request": _put(own)}


def _put(own: str) -> dict[str, str]:
    return {"method": "PUT", "url": f"Binary/{own}"}


def paper_key(entries: Sequence[Mapping[str, Any]], client: str) -> str:
    """What a paper is known by: our id of its first bytes, whether inside, beside or before their document."""
    resources = [e["resource"] for e in entries]
    for attachment in (a for r in resources for a in _attachments(r)):
        if isinstance(attachment.get("data"), str):
            return binary_id(client, _decoded(attachment["data"]))
        if (own := str(attachment.get("url")).rpartition("Binary/")[2]) and TAKEN.fullmatch(own):
            return own
    binaries = [r for r in resources if r.get("resourceType") == "Binary"]
    if binaries:
        return _own_id(binaries[0], client)
    return binary_id(client, (str(a.get("url")).encode() for r in resources for a in _attachments(r)))


def binary_id(client: str, content: Iterable[bytes]) -> str:
    """Our id of bytes a client sent, however they are cut."""
    made = hashlib.sha256()
    for piece in content:
        made.update(piece)
    return derived_id("in", "Binary", client, PAPER_ID, made.hexdigest())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _attachments(resource: Resource) -> Iterator[Mapping[str, Any]]:
    for content in resource.get("content") or () if resource.get("resourceType") == "DocumentReference" else ():
        if isinstance(content, Mapping) and isinstance(content.get("attachment"), Mapping):
            yield content["attachment"]


def _decoded(text: str) -> Iterator[bytes]:
    """The bytes of a base64Binary, a piece at a time; what is none is told by the check of base R4."""
    dense = text if text.isalnum() else text.translate(_BLANKS)
    try:
        for at in range(0, len(dense), _PIECE):
            yield base64.b64decode(dense[at : at + _PIECE])
    except (binascii.Error, ValueError):
        yield text.encode()


# A person has read it


def _answered(entries: Sequence[Mapping[str, Any]]) -> Resource | None:
    """Our own question, completed, which stands in a transaction beside the order it brings."""
    for entry in entries:
        task: Resource = entry["resource"]
        url = str(entry.get("request", {}).get("url", ""))
        ours = TAKEN.fullmatch(url.removeprefix("Task/")) is not None
        if task.get("resourceType") == "Task" and ours and task_code(task) == "intake-question":
            return task
    return None


def _for_whom(entry: Mapping[str, Any], question: Resource) -> Mapping[str, Any]:
    """The Patient of a reading takes the place of the one the paper came for, whatever he is called there."""
    whom = literal(question.get("for")) or ""
    if entry["resource"].get("resourceType") != "Patient" or not whom.startswith("Patient/"):
        return entry
    return {**entry, "request": {"method": "PUT", "url": whom}}


def is_paper(task: Resource) -> bool:
    """Whether a referral came as a document without an order."""
    return any(typed(i, "PLAC") and i.get("system") == PAPER_ID for i in task.get("identifier", ()))


def being_read(case: Case) -> bool:
    """Whether a referral is a paper whose order nobody has read yet."""
    return is_paper(case.referral) and not case.request
