"""Carries benefit requests and Claims to the payer, and what the payer says to it back as an answer.

Law of this file: `TryLater` only where the payer certainly has nothing; whatever may have reached it is `Doubtful`, and
a doubtful Claim is inquired after by its identifier before it is sent again, with the same identifier.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any

import httpx

from services.auth.claims import eligibility_bundle, inquiry_bundle, request_bundle
from services.auth.reading import gather_lane
from services.auth.responses import answers_claim, readable, received, responses_in
from services.auth.words import target
from shared.core import Answer, Channel, Doubtful, Resource, TryLater
from shared.fhir.json import GateError, decode, encode
from shared.fhir.profiles import Validator
from shared.ports import Outside, Reader
from shared.settings import Partner, Payer

Bundled = Callable[..., dict[str, Any]]
HEADERS = {"Content-Type": "application/fhir+json", "Accept": "application/fhir+json"}
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


@cache
def validator() -> Validator:
    """The base R4 check every answer must pass before it is stored."""
    return Validator()


# Channels


async def deliver_benefit(request: Resource, reader: Reader, outside: Outside) -> Answer:
    """POST CoverageEligibilityRequest/$submit; a second one changes nothing at the payer."""
    response = await _posted("CoverageEligibilityRequest/$submit", request, eligibility_bundle, reader, outside)
    body = _decoded(response)
    if not response.is_success:
        return Answer("benefit-refused-by-payer", _outcomes(body))
    if body.get("resourceType") == "CoverageEligibilityResponse" and not validator().check(body):
        return Answer("benefit-answered", (body,))
    return Answer("benefit-unreadable")


async def deliver_claim(claim: Resource, reader: Reader, outside: Outside) -> Answer:
    """POST Claim/$submit with the whole PAS Bundle; a Claim withdrawn meanwhile is not sent."""
    if claim["status"] != "active":
        return Answer("preauthorization-withdrawn")
    response = await _posted("Claim/$submit", claim, request_bundle, reader, outside)
    body = _decoded(response)
    if not response.is_success:
        return Answer("preauthorization-refused-by-payer", _outcomes(body))
    return _claim_answer(claim, body, outside)


async def deliver_inquiry(claim: Resource, reader: Reader, outside: Outside) -> Answer | None:
    """POST Claim/$inquire by our identifier: the answer, or None when the payer never saw the Claim.

    Raises only Doubtful: while nobody knows, the Claim must not be sent again.
    """
    try:
        response = await _posted("Claim/$inquire", claim, inquiry_bundle, reader, outside)
    except TryLater as later:
        raise Doubtful(str(later)) from later
    if response.status_code == httpx.codes.NOT_FOUND:
        return None
    if not response.is_success:
        raise Doubtful(f"the inquiry was refused with {response.status_code}")
    body = _decoded(response)
    if body.get("resourceType") not in ("Bundle", "Parameters"):
        raise Doubtful("the inquiry's answer cannot be read")
    return _claim_answer(claim, body, outside) if any(responses_in(body)) else None


def _claim_answer(claim: Resource, body: Mapping[str, Any], outside: Outside) -> Answer:
    """The ClaimResponses of a body that answer this Claim; unreadable when there is none or one is not legal R4."""
    found = usable_answers(claim, body, _partner(claim, outside)[1].base)
    return Answer("preauthorization-answered", found) if found else Answer("preauthorization-unreadable")


def usable_answers(claim: Resource, body: Mapping[str, Any], base: str) -> tuple[Resource, ...]:
    """The answers to this Claim that can be read and kept."""
    return tuple(r for r in responses_in(body) if answers_claim(r, claim) and readable(r) and _legal(claim, r, base))


def _legal(claim: Resource, response: Resource, base: str) -> bool:
    return not validator().check(received(claim, response, base))


# One request


async def _posted(operation: str, first: Resource, bundle: Bundled, reader: Reader, outside: Outside) -> httpx.Response:
    """The payer's 2xx, 3xx or 4xx response. Raises Doubtful or TryLater for everything else."""
    payer, partner = _partner(first, outside)
    known = await gather_lane(reader, f"patient/{(target(first['patient']) or '').rpartition('/')[2]}")
    body = encode(bundle(first, known, outside.site, payer))
    headers = dict(HEADERS)
    if partner.token_url:
        headers["Authorization"] = f"Bearer {await outside.token(partner.id)}"
    try:
        response = await outside.http.post(f"{partner.base}/{operation}", content=body, headers=headers)
    except NOT_SENT as error:
        raise TryLater(f"the payer cannot be reached: {type(error).__name__}") from error
    except httpx.HTTPError as error:
        raise Doubtful(f"no answer from the payer: {type(error).__name__}") from error
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise TryLater("the payer is busy", _retry_after(response, outside.now()))
    if response.is_server_error:
        raise Doubtful(f"the payer answered {response.status_code}")
    return response


def _partner(resource: Resource, outside: Outside) -> tuple[Payer, Partner]:
    """The configured payer a request names as insurer, and the partner that reaches it."""
    payer_id = resource["insurer"]["identifier"]["value"]
    payer = next(p for p in outside.site.payers if p.id == payer_id)
    return payer, outside.site.partners[payer.partner]


def _decoded(response: httpx.Response) -> dict[str, Any]:
    """The body as JSON; an empty object where the gate refuses it, which then cannot be read as an answer."""
    try:
        return decode(response.content)
    except GateError:
        return {}


def _outcomes(body: Mapping[str, Any]) -> tuple[Resource, ...]:
    """What a refusal says was wrong, where it says it in FHIR."""
    legal = body.get("resourceType") == "OperationOutcome" and not validator().check(body)
    return (body,) if legal else ()


def _retry_after(response: httpx.Response, now: datetime) -> float | None:
    """Seconds of a Retry-After in either form (RFC 9110 10.2.3), or None."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - now).total_seconds())
    except (TypeError, ValueError):
        return None


# When


def benefit_due(before: Resource | None, after: Resource) -> str | None:
    """A new benefit request is delivered once."""
    new = before is None and after["resourceType"] == "CoverageEligibilityRequest"
    return "1" if new and after["status"] == "active" else None


def claim_due(before: Resource | None, after: Resource) -> str | None:
    """A new active preauthorization Claim is delivered once."""
    new = before is None and after["resourceType"] == "Claim" and after["use"] == "preauthorization"
    return "1" if new and after["status"] == "active" else None


CHANNELS = (
    Channel("benefit", benefit_due, "idempotent", deliver_benefit),
    Channel("preauthorization", claim_due, "inquirable", deliver_claim, deliver_inquiry),
)
