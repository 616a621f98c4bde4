"""Builds what a payer asked for besides: the parameters of `$submit-attachment`, with each document inside.

Source: Da Vinci CDex 2.1, OperationDefinition submit-attachment: solicited attachments for a preauthorization. The
payer's own tracking number ties them to its request; an address a payer writes into its request is never called.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from services.auth.wire.claims import PAS
from services.auth.wire.shapes import Known, shaped
from services.auth.wire.trimming import trimmed
from services.auth.wire.wanted import LOINC, Wanted
from services.auth.words import NPI, PAYER_ID, code_of, concept, extension, member_number, target
from shared.core import IDENTIFIERS, Resource
from shared.settings import Payer, Site

ADMINISTRATIVE = PAS + "extension-administrationReferenceNumber"
MEMBER_ID = IDENTIFIERS + "member"


def attachment_parameters(
    claim: Resource, wanted: Wanted, documents: Iterable[Resource], known: Known, site: Site, payer: Payer
) -> dict[str, Any]:
    """The body of `$submit-attachment`: what one request of the payer asked for, whole."""
    coverage = known.get(target(claim["insurance"][0]["coverage"]) or "", {})
    member = {"system": MEMBER_ID, "value": member_number(coverage) or "unknown"}
    named = {
        "TrackingId": _identifier(*wanted.number),
        **_administrative(claim, known),
        "PayerId": {"system": PAYER_ID, "value": payer.id},
        "OrganizationId": {"system": NPI, "value": site.npi},
        "MemberId": member,
    }
    told = [{"name": name, "valueIdentifier": value} for name, value in named.items()]
    told.insert(1, {"name": "AttachTo", "valueCode": "preauthorization"})
    served = {"name": "ServiceDate", "valueDateTime": claim["item"][0]["servicedPeriod"]["start"]}
    attached = [_attachment(d, wanted, member, known) for d in documents]
    return {
        "resourceType": "Parameters",
        "parameter": [*told, served, *attached, {"name": "Final", "valueBoolean": True}],
    }


def _identifier(system: str, value: str) -> dict[str, str]:
    return {"system": system, "value": value} if system else {"value": value}


def _administrative(claim: Resource, known: Known) -> dict[str, dict[str, str]]:
    """The payer's own reference number of what it pended, where it gave one."""
    answers = [r for r in known.values() if r["resourceType"] == "ClaimResponse" and _answers(r, claim)]
    items = [i for a in reversed(answers) for i in a.get("item", ())]
    number = next((e["valueString"] for i in items if (e := extension(i, ADMINISTRATIVE))), None)
    return {"AdminRefNumber": {"value": number}} if number else {}


def _answers(response: Resource, claim: Resource) -> bool:
    return target(response.get("request")) == f"Claim/{claim['id']}"


def _attachment(document: Resource, wanted: Wanted, member: Mapping[str, str], known: Known) -> dict[str, Any]:
    """One resource as a payer may read it: of nobody by our references, of the member by his number."""
    sent = trimmed(shaped(document, known, {}), ())
    subject = {k: {"identifier": dict(member)} for k in ("subject", "patient") if k in document}
    lines = [{"name": "LineItem", "valueString": str(n)} for n in wanted.items]
    return {
        "name": "Attachment",
        "part": [*lines, *_coded(document), {"name": "Content", "resource": {**sent, **subject}}],
    }


def _coded(document: Resource) -> list[dict[str, Any]]:
    code = code_of(document.get("type") or document.get("code"), LOINC)
    return [{"name": "Code", "valueCodeableConcept": concept(LOINC, code)}] if code else []
