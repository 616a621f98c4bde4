"""Puts what the payer is asked into the Bundle it travels in: what it cites, whose it is, and nothing else of a chart.

Source: Da Vinci Prior Authorization Support 2.2.1, profile-pas-request-bundle, -pas-inquiry-request-bundle, -claim,
-insurer, -requestor.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from services.auth.answers import is_legal
from services.auth.criteria.citing import cited_by, enclosed, is_whole, issues, may_be_requested, profile_of
from services.auth.wire.claims import PAS, REQUESTED_SERVICE, X12
from services.auth.wire.responses import prior_of
from services.auth.wire.shapes import Known, as_patient, shaped
from services.auth.wire.standing import EVIDENCE_KINDS, may_travel
from services.auth.wire.trimming import trimmed
from services.auth.wire.updating import as_first_asked, cancelled
from services.auth.words import NPI, PREFIX, concept, references, target
from shared.core import CANONICAL, Resource, derived_id, reference
from shared.fhir.outcomes import Issue
from shared.settings import Payer, Site

PARTIES = ("Medication", "Patient", "Practitioner", "Organization", "PractitionerRole", "Coverage")
"""Whom a request is about and who has to do with it; each cites only those before it. Nothing else follows evidence."""
PRIVATE = ("Patient", "Coverage")
"""Of these only those the request itself is about: evidence may cite other people, and other plans."""
REQUEST = CANONICAL + "StructureDefinition/pas-request|5"
REQUEST_META = {"profile": [PAS + "profile-pas-request-bundle"]}


def request_bundle(claim: Resource, known: Known, site: Site, payer: Payer) -> dict[str, Any]:
    """The PAS request: the Claim first, then every resource it cites, each once, every reference resolving inside.

    Of one that changes another or takes it back, that one travels along, but not what that changed in turn.
    """
    prior = known.get(prior_of(claim) or "")
    if prior is None:
        return _bundle(_profiled(claim, "profile-claim"), known, site, payer, REQUEST_META)
    sent = _profiled({**as_first_asked(prior), "status": "active"}, "profile-claim")
    whole = {**claim, "item": sorted([*claim["item"], *cancelled(claim, known)], key=lambda i: i["sequence"])}
    return _bundle(_profiled(whole, "profile-claim-update"), known, site, payer, REQUEST_META, (sent,))


def _profiled(claim: Resource, profile: str) -> dict[str, Any]:
    return {**claim, "meta": {"profile": [PAS + profile]}}


def inquiry_bundle(claim: Resource, known: Known, site: Site, payer: Payer) -> dict[str, Any]:
    """The PAS inquiry after a Claim by its identifier: the Claim without its evidence."""
    kept = {k: v for k, v in claim.items() if k not in ("supportingInfo", "careTeam", "diagnosis", "related")}
    items = [{k: v for k, v in i.items() if k not in ("diagnosisSequence", "extension")} for i in claim["item"]]
    inquiry = {**kept, "status": "active", "item": items, "meta": {"profile": [PAS + "profile-claim-inquiry"]}}
    return _bundle(inquiry, known, site, payer, {"profile": [PAS + "profile-pas-inquiry-request-bundle"]})


def eligibility_bundle(request: Resource, known: Known, site: Site, payer: Payer) -> dict[str, Any]:
    """The benefit request first, then every resource it cites."""
    return _bundle(request, known, site, payer, {})


def broken(bundle: Mapping[str, Any]) -> list[Issue]:
    """Why something may not be sent: a request has to keep our pas-request, of any other everybody in it ours."""
    found = [e["resource"] for e in bundle.get("entry", ())]
    if bundle.get("meta") == REQUEST_META:
        return issues(bundle, (REQUEST,))
    return [*issues(bundle), *(i for r in found if r["resourceType"] in PARTIES for i in issues(r, profile_of(r)))]


def _bundle(
    first: Resource,
    known: Known,
    site: Site,
    payer: Payer,
    meta: Mapping[str, Any],
    earlier: Iterable[Resource] = (),
) -> dict[str, Any]:
    """A collection whose identifier is the first resource's own: a retry sends the same Bundle again.

    earlier  Claims the first one cites, which cite nothing else than it does.
    """
    insurer, provider = _insurer(payer), _provider(site)

    def addressed(request: Resource) -> dict[str, Any]:
        named = {"insurer": _naming(request["insurer"], insurer), "provider": _naming(request["provider"], provider)}
        return {**request, **named}

    asked = addressed(first)
    made = (insurer, provider, *_roles(first), *_subscribers(first, known))
    available = {**known, **{reference(r): r for r in made}}
    parties = _parties(asked, available, insurer)
    charted = _charted(asked, available, parties, insurer)
    cited = {literal: form if is_whole(form) else enclosed(form) for literal, form in charted.items()}
    inside = {**parties, **{reference(c): c for c in cited.values()}}
    inside |= {reference(c): trimmed(_claim(addressed(c), cited), inside) for c in earlier}
    head = _claim(asked, cited) if first["resourceType"] == "Claim" else asked
    entries = _closure(trimmed({k: v for k, v in head.items() if k != "text"}, inside), inside)
    return {
        "resourceType": "Bundle",
        **({"meta": dict(meta)} if meta else {}),
        "identifier": dict(first["identifier"][0]),
        "type": "collection",
        "timestamp": first["created"],
        "entry": [{"fullUrl": CANONICAL + reference(r), "resource": r} for r in entries],
    }


def _closure(first: Resource, inside: Known) -> Iterator[Resource]:
    """The first resource and everything it leads to, breadth first, each once."""
    found = {reference(first): first}
    waiting = [first]
    for resource in waiting:
        yield resource
        led = (r for literal in references(resource) if (r := inside.get(literal)) and literal not in found)
        for new in led:
            found[reference(new)] = new
            waiting.append(new)


def _parties(asked: Resource, available: Known, insurer: Resource) -> dict[str, Resource]:
    """Everybody who may be cited, as sent: whom the request cannot do without, and who is known well enough."""
    needed, inside = _needed(asked, available), dict[str, Resource]()
    about = {*needed, *_subscribed(asked, available)}
    for kind in PARTIES:
        for literal, party in available.items():
            if party["resourceType"] == kind and (kind not in PRIVATE or literal in about):
                form = _sent(party, available, insurer, inside)
                if literal in needed or is_whole(form):
                    inside[literal] = form
    return inside


def _needed(asked: Resource, available: Known) -> set[str | None]:
    """Patient, Coverage, payer, practice, and the prescriber with the role cited for them."""
    members = [target(_in_role(m["provider"])) for m in asked.get("careTeam", ())]
    practitioners = (target(available.get(m or "", {}).get("practitioner")) for m in members)
    coverages = map(reference, _insured(asked, available))
    named = (target(asked[k]) for k in ("patient", "insurer", "provider"))
    return {*named, *coverages, *members, *practitioners} - {None}


def _subscribed(asked: Resource, available: Known) -> set[str]:
    """The subscribers of the Coverages a request names, as the Patients they are sent as."""
    named = (available.get(target(c.get("subscriber")) or "") for c in _insured(asked, available))
    return {reference(as_patient(r) if r["resourceType"] == "RelatedPerson" else r) for r in named if r}


def _insured(asked: Resource, available: Known) -> list[Resource]:
    return [c for i in asked["insurance"] if (c := available.get(target(i["coverage"]) or ""))]


def _charted(asked: Resource, available: Known, parties: Known, insurer: Resource) -> dict[str, Resource]:
    """What of the chart a request cites, as it is sent; left out is what R4 forbids without what it led to.

    Also what may not travel any more: a request is kept, and what it cites may be taken back or restricted since.
    """
    found = (available.get(target(c) or "") for c in cited_by(asked))
    forms = (_sent(r, available, insurer, parties) for r in found if r and may_travel(r, EVIDENCE_KINDS))
    return {reference(form): form for form in forms if is_legal(form)}


def _sent(resource: Resource, available: Known, insurer: Resource, inside: Collection[str]) -> dict[str, Any]:
    return trimmed(shaped(resource, available, insurer), inside)


def _claim(claim: Resource, cited: Known) -> dict[str, Any]:
    """Its care team in roles (a Practitioner alone may not be cited), its evidence as something that may be cited."""
    team = [{**m, "provider": _in_role(m["provider"])} for m in claim.get("careTeam", ())]
    info = [
        {**i, "valueReference": {"reference": reference(cited[literal])}}
        for i in claim.get("supportingInfo", ())
        if (literal := target(i.get("valueReference"))) in cited and literal
    ]
    return {**claim, "careTeam": team, "supportingInfo": info, "item": [_item(i, cited) for i in claim["item"]]}


def _item(item: Mapping[str, Any], cited: Known) -> dict[str, Any]:
    """An item that names a prescription only where that may be named."""
    named = (e for e in item.get("extension", ()) if e["url"] == REQUESTED_SERVICE)
    dropped = [e for e in named if not may_be_requested(cited.get(target(e["valueReference"]) or "", {}))]
    return {**item, "extension": [e for e in item.get("extension", ()) if e not in dropped]}


# Made for the Bundle


def _roles(claim: Resource) -> Iterable[Resource]:
    """A PractitionerRole for every Practitioner of the care team who is cited without one."""
    for member in claim.get("careTeam", ()):
        if _kind(member["provider"]) == "Practitioner":
            role_id = _in_role(member["provider"])["reference"].partition("/")[2]
            yield {"resourceType": "PractitionerRole", "id": role_id, "practitioner": dict(member["provider"])}


def _in_role(provider: Mapping[str, Any]) -> dict[str, Any]:
    if _kind(provider) != "Practitioner":
        return dict(provider)
    return {"reference": "PractitionerRole/" + derived_id(PREFIX, "PractitionerRole", target(provider) or "")}


def _kind(cited: Mapping[str, Any]) -> str:
    return (target(cited) or "").partition("/")[0]


def _subscribers(request: Resource, known: Known) -> Iterable[Resource]:
    """Every RelatedPerson whom a Coverage the request names has as its subscriber, as a Patient."""
    named = (known.get(target(c.get("subscriber")) or "") for c in _insured(request, known))
    return (as_patient(r) for r in named if r and r["resourceType"] == "RelatedPerson")


def _naming(named: Mapping[str, Any], organization: Resource) -> dict[str, Any]:
    return {**named, "reference": reference(organization)}


def _insurer(payer: Payer) -> dict[str, Any]:
    identifiers = [{"system": s, "value": v} for s, v in payer.identifiers]
    return _organization("payer", payer.id, payer.name, identifiers, "PR")


def _provider(site: Site) -> dict[str, Any]:
    return _organization("practice", site.npi, site.organization, [{"system": NPI, "value": site.npi}], "1P")


def _organization(kind: str, key: str, name: str, identifiers: list[dict[str, str]], role: str) -> dict[str, Any]:
    return {
        "resourceType": "Organization",
        "id": derived_id(PREFIX, "Organization", kind, key),
        "identifier": identifiers,
        "active": True,
        "type": [concept(X12 + "98", role)],
        "name": name,
    }
