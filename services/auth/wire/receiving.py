"""Keeps what a payer answers under our own id and beside our own request, whatever the payer calls either."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from services.auth.wire.responses import named_claim, reviews
from services.auth.words import ORDER, PREFIX, REGIMEN
from shared.core import Resource, derived_id


def received(claim: Resource, response: Resource, base: str) -> dict[str, Any]:
    """A payer's ClaimResponse as we keep it: our id, our Claim, our patient; what it cites there stays absolute."""
    kept = {k: v for k, v in response.items() if k not in ("id", "meta", "text", *OURS)}
    kept = _absolute(kept, base)
    extensions = [e for e in kept.pop("extension", ()) if e.get("url") not in ABOUT]
    about = [e for e in claim.get("extension", ()) if e["url"] in ABOUT]
    kept.pop("resourceType")
    return {
        "resourceType": "ClaimResponse",
        "id": derived_id(PREFIX, "ClaimResponse", claim["id"], _key(claim, response)),
        "extension": extensions + about,
        **kept,
        "patient": dict(claim["patient"]),
        "insurer": dict(claim["insurer"]),
        "requestor": dict(claim["provider"]),
        "request": {"reference": "Claim/" + claim["id"]},
    }


ABOUT = (ORDER, REGIMEN)
"""Extensions that say of an answer what they say of its request."""

OURS = ("patient", "insurer", "requestor", "request")
"""Elements of an answer that name what our own Claim named."""


def _key(claim: Resource, response: Resource) -> str:
    """The payer's own name for an answer: its identifier, else its id, else what it says."""
    mine = {(i["system"], i["value"]) for i in claim["identifier"]}
    others = [i for i in named_claim({"identifier": response.get("identifier")}) if i not in mine]
    if others:
        return "|".join(others[0])
    return str(response.get("id") or sha256(repr(reviews(response)).encode()).hexdigest())


FOREIGN = re.compile(r"[A-Z][A-Za-z]+/(?![a-z]{2}-[0-9a-f]{8}-)[A-Za-z0-9.-]+(/_history/.*)?")
"""A relative reference that is not to a resource of ours, which the payer echoes as we sent it."""


def _absolute(value: Any, base: str) -> Any:
    """A copy whose references into the payer's own server say so."""
    match value:
        case Mapping():
            copy = {k: _absolute(v, base) for k, v in value.items()}
            literal = copy.get("reference")
            if isinstance(literal, str) and FOREIGN.fullmatch(literal):
                copy["reference"] = f"{base}/{literal}"
            return copy
        case list() | tuple():
            return [_absolute(v, base) for v in value]
        case _:
            return value


def benefit_received(request: Resource, response: Resource, base: str) -> dict[str, Any]:
    """A payer's CoverageEligibilityResponse as we keep it, with the order it is about."""
    dropped = ("id", "meta", "text", "request", "patient", "insurer", "requestor", "extension", "resourceType")
    kept = _absolute({k: v for k, v in response.items() if k not in dropped}, base)
    coverage = dict(request["insurance"][0]["coverage"])
    insurance = [{**i, "coverage": coverage} for i in kept.pop("insurance", ())]
    return {
        "resourceType": "CoverageEligibilityResponse",
        "id": derived_id(PREFIX, "CoverageEligibilityResponse", request["id"]),
        **kept,
        "extension": [e for e in request["extension"] if e["url"] == ORDER],
        "patient": dict(request["patient"]),
        "insurer": dict(request["insurer"]),
        "request": {"reference": "CoverageEligibilityRequest/" + request["id"]},
        **({"insurance": insurance} if insurance else {}),
    }
