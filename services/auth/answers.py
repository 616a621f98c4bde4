"""Says what of a payer's body can be used: answers to the Claim or benefit request asked about that are legal R4."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from services.auth.wire.responses import answers_claim, responses_in
from shared.core import Resource
from shared.fhir.outcomes import errors
from shared.fhir.profiles import Validator

UNDECIDED = ("queued", "error")
"""Outcomes of a benefit answer that say nothing about the benefit."""


@cache
def validator() -> Validator:
    """The base R4 check every answer must pass before anything in it is read."""
    return Validator()


def usable_answers(claim: Resource, body: Any) -> tuple[Resource, ...]:
    """The ClaimResponses of a body that are legal R4 and answer this Claim."""
    return tuple(r for r in responses_in(body) if is_legal(r) and answers_claim(r, claim))


def tells_benefit(body: Mapping[str, Any]) -> bool:
    """Whether a body is a legal CoverageEligibilityResponse that says something."""
    told = body.get("resourceType") == "CoverageEligibilityResponse" and body.get("outcome") not in UNDECIDED
    return told and is_legal(body)


def is_legal(body: Mapping[str, Any]) -> bool:
    """Whether a resource is legal R4; its narrative is not kept and not looked at."""
    return not errors(validator().check({k: v for k, v in body.items() if k != "text"}))
