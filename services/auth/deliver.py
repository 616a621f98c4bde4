"""Carries benefit requests and Claims to the payer, and what the payer says to it back as an answer.

Law of this file: `TryLater` only where the payer certainly has nothing; whatever may have reached it is `Doubtful`, and
a doubtful Claim is inquired after by its identifier before it is sent again, with the same identifier. Nothing leaves
that breaks what a payer may be sent: that is an answer too, and a person's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import httpx

from services.auth.answers import is_legal, tells_benefit, usable_answers
from services.auth.bundles import broken, eligibility_bundle, inquiry_bundle, request_bundle
from services.auth.reading import gather_lane
from services.auth.responses import OWN_OUTCOME, answers_claim, responses_in
from services.auth.shapes import Known
from services.auth.words import target
from shared.core import Answer, Channel, Doubtful, Resource, TryLater
from shared.fhir.json import LIMIT, GateError, decode, encode
from shared.fhir.outcomes import outcome
from shared.ports import Outside, Reader
from shared.settings import Partner, Payer, Site

Bundled = Callable[[Resource, Known, Site, Payer], dict[str, Any]]
"""Puts the request into the Bundle that is posted, given what is known of its patient."""
HEADERS = {"Content-Type": "application/fhir+json", "Accept": "application/fhir+json"}
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


# Channels


async def deliver_benefit(request: Resource, reader: Reader, outside: Outside) -> Answer:
    """POST CoverageEligibilityRequest/$submit; a second one changes nothing at the payer."""
    told = await _posted("CoverageEligibilityRequest/$submit", request, eligibility_bundle, reader, outside)
    if not told.sent:
        return Answer("benefit-unsendable", (told.body,))
    if not told.taken:
        return Answer("benefit-refused-by-payer", _outcomes(told.body))
    return Answer("benefit-answered", (told.body,)) if tells_benefit(told.body) else Answer("benefit-unreadable")


async def deliver_claim(claim: Resource, reader: Reader, outside: Outside) -> Answer:
    """POST Claim/$submit with the whole PAS Bundle; a Claim withdrawn meanwhile is not sent."""
    if claim["status"] != "active":
        return Answer("preauthorization-withdrawn")
    told = await _posted("Claim/$submit", claim, request_bundle, reader, outside)
    if not told.sent:
        return Answer("preauthorization-unsendable", (told.body,))
    if not told.taken:
        return Answer("preauthorization-refused-by-payer", _outcomes(told.body))
    return _claim_answer(claim, told.body)


async def deliver_inquiry(claim: Resource, reader: Reader, outside: Outside) -> Answer | None:
    """POST Claim/$inquire by our identifier: the answer, or None when the payer never saw the Claim.

    Raises only Doubtful: while nobody knows, the Claim must not be sent again. An inquiry that would break what a payer
    may be sent is a person's: no wait would change it.
    """
    try:
        told = await _posted("Claim/$inquire", claim, inquiry_bundle, reader, outside)
    except TryLater as later:
        raise Doubtful(str(later)) from later
    if not told.sent:
        return Answer("preauthorization-unreadable", (told.body,))
    if told.status == httpx.codes.NOT_FOUND:
        return None
    if not told.taken:
        raise Doubtful(f"the inquiry was refused with {told.status}")
    if told.body.get("resourceType") not in ("Bundle", "Parameters"):
        raise Doubtful("the inquiry's answer cannot be read")
    return _claim_answer(claim, told.body) if _mentions(claim, told.body) else None


def _claim_answer(claim: Resource, body: Mapping[str, Any]) -> Answer:
    """The ClaimResponses of a body that answer this Claim; unreadable when no legal one does."""
    found = usable_answers(claim, body)
    return Answer("preauthorization-answered", found) if found else Answer("preauthorization-unreadable")


def _mentions(claim: Resource, body: Mapping[str, Any]) -> bool:
    """Whether a body holds an answer to this Claim, or one that cannot be read; answers to others are none."""
    return any(not is_legal(r) or answers_claim(r, claim) for r in responses_in(body))


# One request


class Told(NamedTuple):
    """What the payer said: HTTP status, and the body as JSON; empty where the gate refuses it.

    Status 0: nothing was sent, and the body is our own OperationOutcome that says why.
    """

    status: int
    body: dict[str, Any]

    @property
    def sent(self) -> bool:
        return self.status != 0

    @property
    def taken(self) -> bool:
        return httpx.codes.is_success(self.status)


async def _posted(operation: str, first: Resource, bundle: Bundled, reader: Reader, outside: Outside) -> Told:
    """The payer's 2xx, 3xx or 4xx answer, or why there is none. Raises Doubtful or TryLater for everything else."""
    payer, partner = _partner(first, outside)
    known = await gather_lane(reader, f"patient/{(target(first['patient']) or '').rpartition('/')[2]}")
    asked = bundle(first, known, outside.site, payer)
    if wrong := broken(asked):
        return Told(0, {**outcome(wrong), "meta": {"source": OWN_OUTCOME}})
    headers = dict(HEADERS)
    if partner.token_url:
        headers["Authorization"] = f"Bearer {await outside.token(partner.id)}"
    try:
        async with outside.http.stream(
            "POST", f"{partner.base}/{operation}", content=encode(asked), headers=headers
        ) as response:
            return await _told(response, outside.now())
    except NOT_SENT as error:
        raise TryLater(f"the payer cannot be reached: {type(error).__name__}") from error
    except httpx.HTTPError as error:
        raise Doubtful(f"no answer from the payer: {type(error).__name__}") from error


async def _told(response: httpx.Response, now: datetime) -> Told:
    """The answer, read no further than one byte past what the JSON gate lets in."""
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise TryLater("the payer is busy", _retry_after(response, now))
    if response.is_server_error:
        raise Doubtful(f"the payer answered {response.status_code}")
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk[: LIMIT + 1 - len(body)]
        if len(body) > LIMIT:
            break
    return Told(response.status_code, _decoded(bytes(body)))


def _partner(resource: Resource, outside: Outside) -> tuple[Payer, Partner]:
    """The configured payer a request names as insurer, and the partner that reaches it."""
    payer_id = resource["insurer"]["identifier"]["value"]
    payer = next(p for p in outside.site.payers if p.id == payer_id)
    return payer, outside.site.partners[payer.partner]


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        return decode(body)
    except GateError:
        return {}


def _outcomes(body: Mapping[str, Any]) -> tuple[Resource, ...]:
    """What a refusal says was wrong, where it says it in FHIR."""
    legal = body.get("resourceType") == "OperationOutcome" and is_legal(body)
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
