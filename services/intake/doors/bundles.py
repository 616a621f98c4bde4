"""Turns what a client pushes into our own ids: which lane, which referral, which record each entry is.

Law of this file: ids follow from the client and his business identifiers alone, so the same push always means the same
records; nothing else of a resource changes but its references.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from services.intake.codes import (
    DIGEST_ID,
    IDENTIFIER_TYPE,
    NPI,
    PATIENT_ID,
    SOURCE_UPDATED,
    concept,
    typed,
)
from services.intake.doors.entries import RECEIVED, TAKEN, Entry, conditional, faults, names, read, references
from services.intake.doors.placing import marked
from services.intake.doors.shapes import unfolded
from services.intake.paper import alone, as_referral
from services.intake.records import SUBJECT, member_id, placed_by, subject_of
from shared.core import Resource, derived_id, reference
from shared.fhir.outcomes import Issue
from shared.fhir.references import rewritten

PARTIES = frozenset({"Practitioner", "PractitionerRole", "Organization", "Location", "Medication"})
"""Kinds about no patient: kept once per patient, so that one message carries all its order rests on."""

_WINDOW = 1024 * 1024
"""Characters of a content that are taken at a time: a document is large, and once is enough of it."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What arrived, in our own ids.

    lane        the patient's lane.
    resources   as received, but for id, references and meta; a referral always has its Task.
    entries     (entry index, our `Type/id`): for the transaction response.
    identities  (system, value, our id) for the identity map.
    focus       the referral Task where there is one, else the first resource.
    reason      what the command is called, where it is no ordinary push.
    """

    lane: str
    resources: tuple[Resource, ...]
    entries: tuple[tuple[int, str], ...]
    identities: tuple[tuple[str, str, str], ...]
    focus: str | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Push:
    """Whose push it is, under which placer identifier, and of which patient."""

    client: str
    placer: Mapping[str, Any]
    patient: str

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.client, str(self.placer.get("system", "")), str(self.placer["value"]))


def resolved(bundle: Resource, client: str) -> Arrival | tuple[Issue, ...]:
    """What a transaction Bundle means to us, or every structural reason why it means nothing."""
    if issues := faults(bundle):
        return issues
    sent, bundle = len(bundle["entry"]), as_referral(unfolded(bundle), client)
    entries = read(bundle)
    if issues := _several(entries):
        return issues
    placer = placer_of(bundle, entries)
    patient = patient_of(entries, client, placer)
    if patient is None:
        return (Issue("required", "Bundle.entry", "A Patient, or references to a known one, would be right"),)
    push = Push(client, placer, patient)
    ids = ids_of(entries, push)
    if issues := _repeated(entries, ids):
        return issues
    received = received_as(bundle, entries, ids, push)
    strangers = [n for n, r in enumerate(received) if subject_of(r) not in (None, patient)]
    if strangers:
        text = "Records of one patient in one transaction would be right"
        return tuple(Issue("business-rule", f"Bundle.entry[{n}].resource", text) for n in strangers)
    arrival = arrival_of(entries, received, push)
    return replace(arrival, entries=tuple((n, place) for n, place in arrival.entries if n < sent))


def _several(entries: Sequence[Entry]) -> tuple[Issue, ...]:
    """One transaction brings one patient and one referral."""
    counted = {kind: [e.index for e in entries if e.type == kind] for kind in ("Patient", "Task")}
    text = "One {} in one transaction would be right"
    return tuple(
        Issue("business-rule", f"Bundle.entry[{n}].resource", text.format(kind))
        for kind, found in counted.items()
        for n in found[1:]
    )


def placer_of(bundle: Resource, entries: Sequence[Entry]) -> Mapping[str, Any]:
    """The referral's business identifier: Task type PLAC, else the order's, else the Bundle's, else a digest of it."""
    tasks = [i for e in entries if e.type == "Task" for i in e.resource.get("identifier", ()) if typed(i, "PLAC")]
    orders = [i for e in entries if e.type == "ServiceRequest" for i in e.resource.get("identifier", ())]
    found = (i for i in (*tasks, *orders, bundle.get("identifier", {})) if i.get("value"))
    return next(found, None) or {"system": DIGEST_ID, "value": digest(bundle)}


def digest(resource: Resource) -> str:
    """SHA-256 of the content, whatever the order of its names."""
    text, made = json.dumps(resource, sort_keys=True, default=str), hashlib.sha256()
    for at in range(0, len(text), _WINDOW):
        made.update(text[at : at + _WINDOW].encode())
    return made.hexdigest()


def business_identifier(resource: Resource) -> tuple[str, str] | None:
    """The identifier by which a record is known: MR of a Patient, NPI of a prescriber, else the first with a system."""
    listed = resource.get("identifier") or []
    whole = [i for i in (listed if isinstance(listed, list) else [listed]) if i.get("system") and i.get("value")]
    best = sorted(whole, key=lambda i: not (typed(i, "MR") or i["system"] == NPI))
    return (best[0]["system"], str(best[0]["value"])) if best else None


def patient_id(client: str, identifier: tuple[str, str]) -> str:
    """Our id of the patient a client knows by this identifier."""
    return derived_id("in", "Patient", client, *identifier)


def patient_of(entries: Sequence[Entry], client: str, placer: Mapping[str, Any]) -> str | None:
    for entry in entries:
        if entry.type == "Patient":
            known = business_identifier(entry.resource) or entry.named
            return entry.ours or (
                patient_id(client, known)
                if known
                else derived_id("in", "Patient", client, "referral", str(placer["value"]))
            )
    return subject_known(entries, client)


def subject_known(entries: Sequence[Entry], client: str) -> str | None:
    """Our id of the patient that records name without bringing him."""
    subjects = (e.resource.get(SUBJECT.get(e.type, "subject")) for e in entries)
    return next((found for s in subjects if (found := _referred(s, client))), None)


def _referred(subject: Mapping[str, Any] | None, client: str) -> str | None:
    """Our Patient id of a Reference: literal, conditional, or by logical identifier."""
    literal = (subject or {}).get("reference", "")
    kind, _, tail = literal.rpartition("/")
    if kind == "Patient" and TAKEN.fullmatch(tail):
        return str(tail)
    logical = (subject or {}).get("identifier", {})
    if not literal and logical.get("system") and logical.get("value"):
        return patient_id(client, (logical["system"], str(logical["value"])))
    known = conditional(literal)
    return patient_id(client, known) if known and literal.startswith("Patient?") else None


def ids_of(entries: Sequence[Entry], push: Push) -> dict[int, str]:
    by_name = {name: e for e in entries for name in names({"fullUrl": e.full_url})}
    types = [e.type for e in entries]
    return {e.index: _id(e, push, by_name, types[:n].count(e.type)) for n, e in enumerate(entries)}


def _id(entry: Entry, push: Push, by_name: Mapping[str, Entry], ordinal: int) -> str:
    """Our id of one entry, by the business key of its kind; without one, by its ordinal among entries of its type."""
    if entry.ours:
        return entry.ours
    if entry.type == "Patient":
        return push.patient
    if entry.type == "Task":
        return derived_id("in", "referral", *push.key)
    member = member_id(entry.resource) if entry.type == "Coverage" else None
    if member:
        return derived_id("in", "Coverage", push.patient, _payer_key(entry.resource, by_name), member)
    known = business_identifier(entry.resource) or entry.named
    key = (push.client, *known) if known else (*push.key, str(ordinal))
    return derived_id("in", entry.type, *key, *([push.patient] if entry.type in PARTIES else []))


def _payer_key(coverage: Resource, by_name: Mapping[str, Entry]) -> str:
    """The payer's identifier, else his name as written."""
    payor: Mapping[str, Any] = next(iter(coverage.get("payor", ())), {})
    entry = by_name.get(payor.get("reference", ""))
    found = business_identifier(payor) or (business_identifier(entry.resource) if entry else None)
    return "|".join(found) if found else str(payor.get("display", ""))


def _repeated(entries: Sequence[Entry], ids: Mapping[int, str]) -> tuple[Issue, ...]:
    """A transaction names each record once (R4 http, transaction)."""
    first: dict[tuple[str, str], int] = {}
    for entry in entries:
        first.setdefault((entry.type, ids[entry.index]), entry.index)
    text = "Each record once in one transaction, by its business identifier, would be right"
    return tuple(
        Issue("duplicate", f"Bundle.entry[{e.index}].resource", text)
        for e in entries
        if first[(e.type, ids[e.index])] != e.index
    )


def received_as(bundle: Resource, entries: Sequence[Entry], ids: Mapping[int, str], push: Push) -> tuple[Resource, ...]:
    mapping = {n: f"{e.type}/{ids[e.index]}" for e in entries for n in names({"fullUrl": e.full_url})}
    for _, text in (r for e in entries for r in references(e.resource, "")):
        if (known := conditional(text)) is not None:
            kind = text.partition("?")[0]
            parties = [push.patient] if kind in PARTIES else []
            mapping[text] = f"{kind}/{derived_id('in', kind, push.client, *known, *parties)}"
    stamp = bundle.get("timestamp")
    return tuple(
        _placed_subject(as_received(rewritten(e.resource, mapping), ids[e.index], stamp), push.client) for e in entries
    )


def as_received(resource: Resource, resource_id: str, sent_at: str | None = None) -> dict[str, Any]:
    """A resource under our id; when it was sent, else its source's `lastUpdated`, kept in an extension of meta."""
    meta = {k: v for k, v in resource.get("meta", {}).items() if k not in ("versionId", "lastUpdated")}
    updated = _instant(sent_at or resource.get("meta", {}).get("lastUpdated"))
    theirs = [e for e in meta.pop("extension", ()) if e.get("url") != SOURCE_UPDATED]
    ours = [{"url": SOURCE_UPDATED, "valueInstant": updated}] if updated else []
    if theirs or ours:
        meta["extension"] = [*theirs, *ours]
    rest = {k: v for k, v in resource.items() if k not in ("resourceType", "id", "meta")}
    return {"resourceType": resource["resourceType"], "id": resource_id, **({"meta": meta} if meta else {}), **rest}


def _instant(text: Any) -> str | None:
    """An instant in UTC, always as long, so that text order is time order."""
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return at.astimezone(UTC).isoformat(timespec="microseconds") if at.tzinfo else None


def _linked(patient: Resource, client: str) -> Resource:
    """A Patient whose links name other records by identifier alone, with our literal references beside."""
    found = [{**e, "other": _with_literal(e["other"], client)} for e in patient.get("link", ())]
    return {**patient, "link": found} if found else patient


def _with_literal(other: Mapping[str, Any], client: str) -> Mapping[str, Any]:
    found = None if other.get("reference") else _referred(other, client)
    return {"reference": f"Patient/{found}", **other} if found else other


def _placed_subject(resource: Resource, client: str) -> Resource:
    """A patient named only by logical identifier gets our literal reference beside it."""
    if resource["resourceType"] == "Patient":
        return _linked(resource, client)
    element = SUBJECT.get(resource["resourceType"], "subject")
    subject = resource.get(element)
    if not isinstance(subject, dict) or subject.get("reference"):
        return resource
    found = _referred(subject, client)
    return {**resource, element: {"reference": f"Patient/{found}", **subject}} if found else resource


def arrival_of(entries: Sequence[Entry], received: tuple[Resource, ...], push: Push) -> Arrival:
    task = next((r for r in received if r["resourceType"] == "Task"), None)
    order = next((r for r in received if r["resourceType"] == "ServiceRequest"), None)
    referral = _referral(task, order, push) if task or order else None
    others = tuple(r for r in received if r is not task)
    return Arrival(
        lane=f"patient/{push.patient}",
        resources=(*((referral,) if referral else ()), *others),
        entries=tuple((e.index, reference(r)) for e, r in zip(entries, received, strict=True)),
        identities=_identities([r for e, r in zip(entries, received, strict=True) if not e.ours and r is not task]),
        focus=reference(referral or received[0]),
    )


def _referral(task: Resource | None, order: Resource | None, push: Push) -> Resource:
    """The placer's Task, or one in its place: with placer identifier, focus, patient, and the client to answer to."""
    placer = {**push.placer, "type": concept(IDENTIFIER_TYPE, "PLAC")}
    blank = {"resourceType": "Task", "id": derived_id("in", "referral", *push.key), "status": "requested"}
    sent: Resource = marked(task) if task else {**blank, "intent": "order"}
    listed = sent.get("identifier", ())
    known = any(typed(i, "PLAC") for i in listed)
    return {
        **placed_by(sent, push.client),
        "identifier": list(listed) if known else [placer, *listed],
        **({"focus": {"reference": reference(order)}} if order and "focus" not in sent else {}),
        "for": {"reference": f"Patient/{push.patient}"},
    }


def _identities(resources: Sequence[Resource]) -> tuple[tuple[str, str, str], ...]:
    """The business identifiers by which the client knows these records; a patient without one is known by our own."""
    found = ((business_identifier(r) or _our_own(r), r["id"]) for r in resources if r["resourceType"] not in PARTIES)
    return tuple((*known, resource_id) for known, resource_id in found if known is not None)


def _our_own(resource: Resource) -> tuple[str, str] | None:
    return (PATIENT_ID, str(resource["id"])) if resource["resourceType"] == "Patient" else None


def single(resource: Resource, client: str) -> Arrival | tuple[Issue, ...]:
    """What one resource by itself means; an id that intake once gave is kept, any other is ours to derive."""
    kind, sent = resource["resourceType"], str(resource.get("id", ""))
    known = sent if TAKEN.fullmatch(sent) else None
    if known is None and (paper := alone(resource, client)) is not None:
        return resolved(paper, client)
    if kind not in RECEIVED or kind in PARTIES or (kind == "Task" and known is None):
        return (Issue("not-supported", kind, "A record of a patient, or an answer to a known Task, would be right"),)
    received = _placed_subject(as_received(resource, known or _single_id(resource, client)), client)
    patient = subject_of(received)
    if patient is None or not TAKEN.fullmatch(patient):
        where = f"{kind}.{SUBJECT.get(kind, 'subject')}"
        return (Issue("required", where, "A reference to a known Patient would be right"),)
    place, identities = reference(received), () if known else _identities((received,))
    return Arrival(f"patient/{patient}", (received,), ((0, place),), identities, place)


def _single_id(resource: Resource, client: str) -> str:
    kind, known = resource["resourceType"], business_identifier(resource)
    if kind == "Patient" and known:
        return patient_id(client, known)
    member = member_id(resource) if kind == "Coverage" else None
    patient = _referred(resource.get("beneficiary"), client) if member else None
    if member and patient:
        return derived_id("in", kind, patient, _payer_key(resource, {}), member)
    return derived_id("in", kind, client, *(known or (DIGEST_ID, digest(resource))))
