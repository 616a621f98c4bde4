"""Writes the call of a hook: the order as it would be signed, dispatched or booked, and what the service prefetches.

Source: CDS Hooks 2.0 (request, prefetch), hook library order-sign 1.1, order-dispatch 1.1, appointment-book 1.1;
Da Vinci CRD 2.0.1 profile-medicationrequest, profile-servicerequest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from services.auth.discovery.findings import DISPATCHED, HOOKS
from services.auth.wire.bundles import eligibility_bundle
from services.auth.wire.shapes import Known, shaped
from services.auth.wire.standing import may_travel
from services.auth.wire.trimming import trimmed
from services.auth.words import is_visit, order_of, target
from shared.core import Resource, reference
from shared.fhir.json import encode
from shared.settings import Payer, Site

SIGNED, BOOKED = HOOKS["initial"], HOOKS["visit"]
HELD = ("pending", "booked")
PRESCRIBERS = ("Organization", "Practitioner", "PractitionerRole")
_TYPE = re.compile(r"\{*([A-Z][A-Za-z]+)[/?]|\{\{context\.(\w+)")
"""The type a prefetch template asks for: it begins with it."""


@dataclass(frozen=True, slots=True)
class Call:
    """The body of a call, and as `Type/id` the order and the visits it sends: an answer may speak of no other."""

    body: Mapping[str, Any]
    order: str
    visits: tuple[str, ...]


def call(request: Resource, known: Known, site: Site, payer: Payer, service: Mapping[str, Any]) -> Call | None:
    """The call of one service for a benefit request; None where nobody is known who ordered.

    The same call has the same `hookInstance` however often it is made. No token to read more is given along: whatever
    the service may see is in `context` and `prefetch`.
    """
    entries = [e["resource"] for e in eligibility_bundle(request, known, site, payer)["entry"]]
    parties = {reference(r): r for r in entries[1:]}
    order = known.get(order_of(request) or "", {})
    prescriber = known.get(target(order.get("requester")) or "")
    if prescriber is None or prescriber["resourceType"] not in PRESCRIBERS:
        return None
    insurer = parties[target(entries[0]["insurer"]) or ""]
    named = _named(prescriber, known, insurer, parties)
    inside = {**parties, **named}
    asked = _order(request, order, known, inside, reference(next(reversed(named.values()))))
    visits = [_visit(v, asked, inside) for v in _held(order, known)]
    hook = str(service["hook"])
    context = CONTEXTS[hook](asked, visits, entries[0])
    body = {
        "hook": hook,
        "hookInstance": request["id"][-36:],
        "fhirServer": f"{site.address}/fhir",
        "context": {"userId": reference(next(reversed(named.values()))), **context},
        "prefetch": _prefetched(service.get("prefetch"), [asked, *visits, *inside.values()]),
    }
    return Call(body, reference(asked), tuple(map(reference, visits)))


def _named(prescriber: Resource, known: Known, insurer: Resource, parties: Known) -> dict[str, Resource]:
    """Whoever ordered, with the Practitioner of his role before the role."""
    cited = (known.get(target(prescriber.get(k)) or "") for k in ("practitioner", "organization"))
    people = [r for r in cited if r is not None] + [prescriber]
    found: dict[str, Resource] = {}
    for person in people:
        found[reference(person)] = trimmed(shaped(person, known, insurer), {*parties, *found})
    return found


def _order(request: Resource, order: Resource, known: Known, inside: Known, user: str) -> dict[str, Any]:
    """The drug ordered, as a draft with its billing code and Coverage; the order itself where there is no other."""
    cited = (known.get(target(i) or "") for i in order.get("supportingInfo", ()))
    drug = next((r for r in cited if r and may_travel(r, ("MedicationRequest",))), None)
    own = drug or order
    code, named = ("medicationCodeableConcept", _drug(own, known)) if drug else ("code", order.get("code", {}))
    billed = request["item"][0]["productOrService"]["coding"]
    codings = [c for c in named.get("coding", ()) if c not in billed]
    kept = {k: v for k, v in own.items() if k not in ("medicationReference", "meta", "text", "identifier", "basedOn")}
    sent = {
        **kept,
        "status": "draft",
        "intent": "order",
        code: {**named, "coding": [*billed, *codings]},
        "authoredOn": own.get("authoredOn", request["created"]),
        "requester": {"reference": user},
        "insurance": [dict(request["insurance"][0]["coverage"])],
    }
    return trimmed(sent, inside)


def _drug(medication: Resource, known: Known) -> Mapping[str, Any]:
    said = known.get(target(medication.get("medicationReference")) or "", {}).get("code")
    found: Mapping[str, Any] = said or medication.get("medicationCodeableConcept") or {}
    return found


def _held(order: Resource, known: Known) -> Iterable[Resource]:
    """The order's visits that are held or booked."""
    return (
        r
        for r in known.values()
        if r["resourceType"] == "Appointment"
        and r["status"] in HELD
        and is_visit(r)
        and any(target(b) == reference(order) for b in r.get("basedOn", ()))
    )


def _visit(visit: Resource, asked: Resource, inside: Known) -> dict[str, Any]:
    """A visit as it is to be booked: its time, its patient and what it is for."""
    kept = {k: visit[k] for k in ("resourceType", "id", "start", "end", "minutesDuration", "created") if k in visit}
    people = [p for p in visit.get("participant", ()) if target(p.get("actor")) in inside]
    about = {"supportingInformation": [{"reference": reference(asked)}]}
    return trimmed({**kept, "status": "proposed", **about, "participant": people}, {*inside, reference(asked)})


# What each hook says


def _collected(resources: Iterable[Resource], kind: str = "collection") -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": [{"resource": r} for r in resources]}


def _signed(order: Resource, visits: list[Any], request: Resource) -> dict[str, Any]:
    return {**_patient(request), "draftOrders": _collected([order])}


def _dispatched(order: Resource, visits: list[Any], request: Resource) -> dict[str, Any]:
    return {**_patient(request), "dispatchedOrders": [reference(order)], "performer": target(request["provider"])}


def _booked(order: Resource, visits: list[Any], request: Resource) -> dict[str, Any]:
    return {**_patient(request), "appointments": _collected(visits)}


def _patient(request: Resource) -> dict[str, Any]:
    return {"patientId": str(target(request["patient"])).rpartition("/")[2]}


CONTEXTS: Mapping[str, Callable[[Resource, list[Any], Resource], dict[str, Any]]] = {
    SIGNED: _signed, DISPATCHED: _dispatched, BOOKED: _booked,
}  # fmt: skip


def chosen(services: Any, hook: str) -> Mapping[str, Any] | None:
    """The service of a discovery for this hook."""
    listed = services if isinstance(services, list) else []
    known = (s for s in listed if isinstance(s, dict) and s.get("hook") == hook and hook in CONTEXTS)
    return next((s for s in known if isinstance(s.get("id"), str) and SERVICE_ID.fullmatch(s["id"])), None)


SERVICE_ID = re.compile(r"(?!\.+\Z)[A-Za-z0-9._~-]{1,128}")
"""An id that is one step of a path and nothing else."""


# Prefetch

TEMPLATES, PREFETCHED = 50, 1024 * 1024
"""How many templates of a service are looked at, and how many bytes are sent for all of them."""


def _prefetched(templates: Any, resources: Iterable[Resource]) -> dict[str, Any]:
    """Each template we can fill: one resource by its id, or a searchset; one we cannot is left out, never null.

    Nor is more filled than the first `TEMPLATES` of them, and what fits into `PREFETCHED` bytes.
    """
    wanted = templates if isinstance(templates, dict) else {}
    known, filled, left = list(resources), {}, PREFETCHED
    for key, template in islice(wanted.items(), TEMPLATES):
        found = _filled(template, known) if isinstance(template, str) else None
        size = len(encode(found)) if found is not None else 0
        if found is not None and size <= left:
            filled[key], left = found, left - size
    return filled


def _filled(template: str, known: list[Resource]) -> dict[str, Any] | None:
    found = _TYPE.match(template)
    named = found.group(1) if found else None
    mine = [r for r in known if r["resourceType"] == named]
    if not mine:
        return None
    if "?" not in template:
        return dict(mine[0])
    others = known if "_include" in template else mine
    bundle = _collected([*mine, *(r for r in others if r not in mine)], "searchset")
    return {**bundle, "total": len(mine)}
