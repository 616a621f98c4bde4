"""Posts a Bundle to a partner, and says what its silence and its status mean for the delivery."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import httpx

from shared.core import Doubtful, Resource, TryLater
from shared.fhir.json import encode
from shared.ports import Outside

AGAIN = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
"""Refusals that are not about what was sent: the same may be sent later."""


async def posted(outside: Outside, partner_id: str, path: str, body: Resource) -> httpx.Response:
    """The partner's answer: a success, or a refusal of what was sent. Raises as `answered` does."""
    partner = outside.site.partners[partner_id]
    headers = {"Content-Type": "application/fhir+json", "Accept": "application/fhir+json"}
    if partner.token_url:
        headers["Authorization"] = f"Bearer {await outside.token(partner.id)}"
    request = outside.http.post(f"{partner.base}/{path}", content=encode(body), headers=headers)
    return await answered(partner_id, request, outside.now())


async def answered(partner_id: str, request: Awaitable[httpx.Response], now: datetime) -> httpx.Response:
    """The answer to a request that may be sent again: a success, or a refusal of what was sent.

    Raises TryLater where the partner certainly took nothing, is busy or broken, and Doubtful where nobody knows.
    """
    try:
        answer = await request
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise TryLater(f"{partner_id} cannot be reached: {type(error).__name__}") from None
    except httpx.TransportError as error:
        raise Doubtful(f"{partner_id} did not answer: {type(error).__name__}") from None
    if is_for_later(answer):
        raise TryLater(f"{partner_id} answered {answer.status_code}", retry_after(answer, now))
    return answer


def is_for_later(answer: httpx.Response) -> bool:
    """Whether a partner is busy or broken, and says nothing about what was sent."""
    return answer.status_code in AGAIN or answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR


def retry_after(answer: httpx.Response, now: datetime) -> float | None:
    """Seconds of a Retry-After in either form (RFC 9110 10.2.3), or None."""
    text = answer.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - now).total_seconds())
    except (TypeError, ValueError):
        return None


def collection(identifier: dict[str, str], resources: list[Resource]) -> dict[str, Any]:
    """A collection Bundle known by an identifier: the same again replaces it."""
    return {
        "resourceType": "Bundle",
        "identifier": identifier,
        "type": "collection",
        "entry": [{"fullUrl": f"urn:uuid:{r['id'][-36:]}", "resource": r} for r in resources],
    }
